//! The rules of the ledger as one virtual machine (spec 4, 5), vector rules ("V").
//!
//! The order of the checks is that of spec 4.1, and the first failing one decides the error. A failure of any kind
//! changes nothing: no fee, no nonce (spec 4.6). What a transaction does to others are additions that read nothing:
//! a transfer reads its source and nobody else, so transfers to one receiver never wait for each other.

mod burn;
mod context;
mod contract;
mod deferred;
mod delegate;
mod envelope;
mod fee;
mod finish;
mod freeze;
pub mod mining;
mod multisig;
mod payout;
mod receipt;
mod release;
mod rewards;
mod signature;
mod source;
mod transfers;

#[cfg(test)]
mod burn_tests;
#[cfg(test)]
mod deferred_tests;
#[cfg(test)]
mod energy_tests;
#[cfg(test)]
mod envelope_tests;
#[cfg(test)]
mod multisig_tests;
#[cfg(test)]
mod payout_tests;
#[cfg(test)]
mod rewards_tests;
#[cfg(test)]
mod transfers_tests;

pub use context::{BlockContext, CreditVisibility, LedgerConfig, RewardOrder};
pub use contract::{BURN_PER_CONTRACT, ContractIds, MAX_DEPOSIT_PER_INVOKE_CALL, MAX_GAS_USAGE_PER_TX, contract_id};
pub use deferred::{DeferredReader, deferred_base};
pub use energy_constants::{
    BLOCKS_PER_DAY, BLOCKS_PER_DAY_DEVNET, MAX_DAYS, MAX_PENDING_UNFREEZES, MIN_DAYS, UNFREEZE_DAYS,
};
pub use fee::{FEE_PER_KB, FEE_PER_MULTISIG_SIGNATURE, FEE_PER_TRANSFER, required_fee};
pub use finish::{FinishError, end_of_block, finish_block, merge_pending_credits};
pub use payout::{Payout, RewardedReader, RewardedValue, miner_earnings};
pub use receipt::{BlockTotals, CallEnd, CallReceipt, ContractReceipt, Receipt};
pub use rewards::{
    BLOCK_TIME_MS, BlockReward, DEVELOPER_CHANGE_HEIGHT, EMISSION_SHIFT, GAS_BURN_PERCENT, MAX_SUPPLY, REWARD_DIVISOR,
    base_reward, block_reward, developer_percent, miner_gas_share, side_block_percent,
};
pub use transfers::{MAX_EXTRA_DATA_BYTES, MAX_EXTRA_DATA_TOTAL_BYTES};

use std::sync::Arc;

use weft_engine::{AddError, Outcome, StateView, Stop, Touch, Vm};

use crate::contract::{ContractVm, SbpfVm};
use crate::error::TosError;
use crate::signed::SignedTransaction;
use crate::state::{Account, Delta, Key, Value};
use crate::types::Address;
use crate::wire::{EnergyPayload, FeeType, Payload, Transaction};

/// Constants of the energy rules (spec 5.4).
mod energy_constants {
    /// Shortest freeze, in days.
    pub const MIN_DAYS: u32 = 3;
    /// Longest freeze, in days.
    pub const MAX_DAYS: u32 = 365;
    /// Days from unfreezing to withdrawing.
    pub const UNFREEZE_DAYS: u64 = 14;
    /// Most unfreezes of an account that wait at once.
    pub const MAX_PENDING_UNFREEZES: usize = 32;
    /// Blocks of a day everywhere but on the devnet.
    pub const BLOCKS_PER_DAY: u64 = 86_400;
    /// Blocks of a day on chain 3, the devnet.
    pub const BLOCKS_PER_DAY_DEVNET: u64 = 10;
}

/// Why an execution ends without effect.
enum Failure {
    /// A rule: the transaction is rejected.
    Rule(TosError),
    /// The engine wants it.
    Stop(Stop),
}

impl From<TosError> for Failure {
    fn from(error: TosError) -> Self {
        Self::Rule(error)
    }
}

impl From<Stop> for Failure {
    fn from(stop: Stop) -> Self {
        Self::Stop(stop)
    }
}

impl From<AddError> for Failure {
    fn from(error: AddError) -> Self {
        match error {
            AddError::OutOfBounds => Self::Rule(TosError::Overflow),
            AddError::Stop(stop) => Self::Stop(stop),
        }
    }
}

/// The ledger for one block.
#[derive(Debug, Clone)]
pub struct TosVm {
    config: LedgerConfig,
    context: BlockContext,
    contracts: Arc<dyn ContractVm>,
}

impl TosVm {
    /// The rules of `config` in the block of `context`. Contracts run on the machine that the whole process shares.
    #[must_use]
    pub fn new(config: LedgerConfig, context: BlockContext) -> Self {
        Self::with_contracts(config, context, SbpfVm::shared())
    }

    /// As [`TosVm::new`], with a machine for contracts of the caller's own. It should be one for all blocks: it keeps what it
    /// has compiled.
    #[must_use]
    pub fn with_contracts(config: LedgerConfig, context: BlockContext, contracts: Arc<dyn ContractVm>) -> Self {
        Self { config, context, contracts }
    }

    /// The machine that runs contracts.
    #[must_use]
    pub fn contracts(&self) -> &dyn ContractVm {
        &*self.contracts
    }

    /// What the rules are switched to.
    #[must_use]
    pub const fn config(&self) -> &LedgerConfig {
        &self.config
    }

    /// The block's surroundings.
    #[must_use]
    pub const fn context(&self) -> &BlockContext {
        &self.context
    }

    fn is_deferred(&self) -> bool {
        self.config.credit_visibility == CreditVisibility::Deferred
    }

    /// How `amount` is credited to somebody else, without reading who it is.
    fn credit(&self, to: Address, amount: u64) -> (Key, Delta) {
        match self.config.credit_visibility {
            CreditVisibility::Immediate => (Key::Account(to), Delta::Credit(amount)),
            CreditVisibility::Deferred => (Key::PendingCredit(to), Delta::DeferredCredit(amount)),
        }
    }

    /// The account as this transaction may see it, or `None` where there is none.
    fn account<S: StateView<Key, Value>>(&self, state: &mut S, address: Address) -> Result<Option<Account>, Failure> {
        match state.read(&Key::Account(address))? {
            Some(Value::Account(account)) => Ok(Some(account)),
            Some(_) => Err(TosError::InternalError.into()),
            // A credit that cannot be spent yet makes the account exist all the same (spec 7.2 c).
            None if self.is_deferred() => Ok(state.read(&Key::PendingCredit(address))?.map(|_| Account::default())),
            None => Ok(None),
        }
    }

    fn run<S: StateView<Key, Value>>(&self, signed: &SignedTransaction, state: &mut S) -> Result<Receipt, Failure> {
        let transaction = signed.transaction();
        // To a ledger without the mining era these bytes are no transaction at all: step 0.
        if matches!(transaction.payload, Payload::AiMining(_)) && !self.config.ai_mining {
            return Err(TosError::InvalidFormat.into());
        }
        // Steps 1 to 9 of spec 4.1.
        let mut source = envelope::admit(self, signed, state)?;
        let mut burned = 0;
        // In each branch: step 10, the rules without money; step 11, signatures; 12 and 13, spending and effects.
        match &transaction.payload {
            Payload::Transfers(entries) => {
                let total = transfers::check(transaction, entries)?;
                signature::check(signed, &source, state)?;
                source.spend(total, transaction.fee)?;
                transfers::apply(self, entries, state)?;
            }
            Payload::Burn(payload) => {
                burn::check(transaction, payload)?;
                signature::check(signed, &source, state)?;
                source.spend(payload.amount, transaction.fee)?;
                burn::apply(payload, state)?;
                burned = payload.amount;
            }
            Payload::Multisig(payload) => {
                multisig::check(payload, &source)?;
                signature::check(signed, &source, state)?;
                multisig::apply(payload, &mut source, state);
            }
            Payload::Energy(EnergyPayload::FreezeTos { amount, days }) => {
                freeze::check(*amount, *days)?;
                signature::check(signed, &source, state)?;
                freeze::apply(self, *amount, *days, &mut source, state)?;
            }
            Payload::Energy(EnergyPayload::FreezeTosDelegate { delegations, days }) => {
                let plan = delegate::check(self, delegations, *days, &source, state)?;
                signature::check(signed, &source, state)?;
                delegate::apply(self, plan, delegations, *days, &mut source, state)?;
            }
            Payload::Energy(EnergyPayload::UnfreezeTos { amount, from_delegation, delegatee, .. }) => {
                release::check_unfreeze(*amount, *from_delegation, delegatee.is_some())?;
                signature::check(signed, &source, state)?;
                release::unfreeze(self, *amount, *from_delegation, &mut source)?;
            }
            Payload::Energy(EnergyPayload::WithdrawUnfrozen) => {
                release::check_withdraw(&source)?;
                signature::check(signed, &source, state)?;
                release::withdraw(self, &mut source, state)?;
            }
            Payload::AiMining(payload) => {
                signature::check(signed, &source, state)?;
                mining::apply(&self.context, source.address, payload, state)?;
            }
            Payload::InvokeContract(payload) => {
                let module = contract::check_invoke(payload, state)?;
                signature::check(signed, &source, state)?;
                let receipt = contract::invoke(self, signed, payload, module, source, state)?;
                return Ok(with_contract(transaction, receipt));
            }
            Payload::DeployContract(payload) => {
                contract::check_deploy(payload)?;
                signature::check(signed, &source, state)?;
                let receipt = contract::deploy(self, signed, payload, source, state)?;
                return Ok(with_contract(transaction, receipt));
            }
            Payload::Opaque(_) => return Err(TosError::NotImplemented.into()),
        }
        source.settle(self, transaction, state)?;
        Ok(Receipt { result: Ok(()), fee: transaction.fee, burned, contract: None })
    }
}

fn with_contract(transaction: &Transaction, receipt: ContractReceipt) -> Receipt {
    Receipt { result: Ok(()), fee: transaction.fee, burned: 0, contract: Some(Box::new(receipt)) }
}

impl Vm for TosVm {
    type Transaction = SignedTransaction;
    type Key = Key;
    type Value = Value;
    type Output = Receipt;

    fn execute<S: StateView<Key, Value>>(
        &self,
        transaction: &SignedTransaction,
        state: &mut S,
    ) -> Result<Outcome<Receipt>, Stop> {
        match self.run(transaction, state) {
            Ok(receipt) => {
                let gas_used = receipt.gas_used();
                Ok(Outcome::applied(receipt, gas_used))
            }
            Err(Failure::Rule(error)) => Ok(Outcome::rejected(Receipt::failure(error))),
            Err(Failure::Stop(stop)) => Err(stop),
        }
    }

    fn footprint(&self, transaction: &SignedTransaction, declare: &mut dyn FnMut(Key, Touch)) {
        let transaction = transaction.transaction();
        let source = transaction.source;
        declare(Key::Account(source), Touch::Write);
        let mut credited = |address| match self.config.credit_visibility {
            CreditVisibility::Immediate => declare(Key::Account(address), Touch::Add),
            // Nobody waits for a credit that nobody sees.
            CreditVisibility::Deferred => {}
        };
        match &transaction.payload {
            Payload::Transfers(transfers) => transfers.iter().for_each(|transfer| credited(transfer.destination)),
            Payload::Multisig(_) => declare(Key::Multisig(source), Touch::Write),
            Payload::Energy(EnergyPayload::FreezeTosDelegate { delegations, .. }) => {
                delegations.iter().for_each(|delegation| declare(Key::Account(delegation.delegatee), Touch::Add));
                declare(Key::Energy(source), Touch::Write);
            }
            Payload::Energy(_) => declare(Key::Energy(source), Touch::Write),
            Payload::AiMining(payload) => mining::footprint(source, payload, declare),
            Payload::DeployContract(payload) => {
                declare(Key::Contract(contract_id(self.config.contract_ids, &source, &payload.module)), Touch::Write);
            }
            // What a contract touches, nobody knows beforehand.
            Payload::InvokeContract(_) | Payload::Burn(_) | Payload::Opaque(_) => {}
        }
    }

    fn reads(&self, transaction: &SignedTransaction, declare: &mut dyn FnMut(Key)) {
        let transaction = transaction.transaction();
        let source = transaction.source;
        if transaction.multisig.is_some() {
            declare(Key::Multisig(source));
        }
        if transaction.fee_type == FeeType::Energy {
            declare(Key::Energy(source));
        }
        match &transaction.payload {
            // Those that are credited at once stand in the footprint.
            Payload::Transfers(transfers) if self.is_deferred() => {
                transfers.iter().for_each(|transfer| declare(Key::PendingCredit(transfer.destination)));
            }
            // What its code touches, nobody knows beforehand.
            Payload::InvokeContract(payload) => {
                declare(Key::Contract(payload.contract));
                if !payload.deposits.is_empty() {
                    declare(Key::Account(Address(payload.contract.0)));
                }
            }
            _ => {}
        }
    }
}
