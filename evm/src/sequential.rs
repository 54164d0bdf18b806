//! Plain revm, one transaction after another: the oracle that the parallel path is compared with, and the baseline that
//! it has to beat.
//!
//! It is as fast as revm goes: the journal is the only cache, it is kept from one transaction to the next, and nothing
//! is cloned. Nothing of weft is used here.
//!
//! # What the journal says in the end
//!
//! revm means its journal to be emptied after every transaction. One that is kept marks accounts in a way that its
//! databases do not expect: an account that is destroyed by one transaction and paid by a later one is there in the end,
//! with its balance, and still marked as destroyed. To commit [`Executed::state`] would remove it. Use
//! [`StateDiff::of_journal`](crate::StateDiff::of_journal), which looks at which transaction has destroyed it.
//!
//! # Before EIP-161
//!
//! Up to Tangerine Whistle an account may be there without anything, and that is not the same as not being there: a call
//! to it costs less. A kept journal does not tell the two apart: an account that one transaction destroys would begin
//! anew as an empty one that exists. So what a transaction destroys is taken out of the journal, and the database is not
//! asked for it any more.

use std::sync::LazyLock;

use alloy_primitives::{Address, B256, U256};
use revm::bytecode::Bytecode;
use revm::context::result::{EVMError, ExecutionResult, HaltReason, ResultGas};
use revm::context::{BlockEnv, CfgEnv, Context, Journal, TxEnv};
use revm::database_interface::DatabaseRef;
use revm::handler::{FrameResult, Handler, MainnetContext, MainnetEvm, MainnetHandler};
use revm::primitives::AddressSet;
use revm::primitives::hardfork::SpecId;
use revm::state::{Account, AccountId, AccountInfo, AccountStatus, EvmState, TransactionId};
use revm::{Database, ExecuteEvm, MainBuilder};

use crate::EvmEnv;
use crate::below::Below;
use crate::recent_hashes::remember_hashes;

/// What a list of transactions gives.
#[derive(Debug)]
pub struct Executed {
    /// One result a transaction, in order.
    pub results: Vec<ExecutionResult>,
    /// Every account that was loaded, as it is afterwards. Only what is touched and differs from its original is a change.
    /// Not to be committed as it stands: see [the module](self).
    pub state: EvmState,
}

/// Why a list of transactions has no result.
#[derive(Debug, thiserror::Error)]
#[error("transaction {transaction}: {source}")]
pub struct SequentialError<E: std::error::Error + 'static> {
    /// The transaction, by its index.
    pub transaction: usize,
    /// What revm says.
    pub source: EVMError<E>,
}

/// Executes `transactions` in order on the state that `db` gives.
///
/// # Errors
/// [`SequentialError`] where a transaction is invalid or the database fails.
pub fn execute<'t, DB: DatabaseRef>(
    env: &EvmEnv,
    db: DB,
    transactions: impl IntoIterator<Item = &'t TxEnv>,
) -> Result<Executed, SequentialError<DB::Error>> {
    PlainMachine::new(env, db).execute_all(transactions)
}

/// What a machine holds before its first transaction.
static NO_TRANSACTION: LazyLock<TxEnv> = LazyLock::new(TxEnv::default);

/// revm with a journal that is kept from one transaction to the next. Transactions are borrowed: beside a mere transfer the
/// time to copy one shows.
pub(crate) struct PlainMachine<'t, DB: DatabaseRef> {
    evm: PlainEvm<'t, DB>,
    handler: KeptJournal<'t, DB>,
    /// Whether accounts that are destroyed must be taken out of the journal.
    must_forget: bool,
}

impl<'t, DB: DatabaseRef> PlainMachine<'t, DB> {
    pub(crate) fn new(env: &EvmEnv, db: DB) -> Self {
        Self::on(env, Base { db, below: None, destroyed: AddressSet::default() })
    }

    /// On what parallel stretches have left of the database, from EIP-161 on.
    pub(crate) fn above(env: &EvmEnv, db: DB, below: &'t Below) -> Self {
        Self::on(env, Base { db, below: Some(below), destroyed: AddressSet::default() })
    }

    fn on(env: &EvmEnv, database: Base<'t, DB>) -> Self {
        let context: MainnetContext<_> = Context::new(database, env.cfg_env.spec);
        let context = context.with_tx(&*NO_TRANSACTION).with_cfg(env.cfg_env.clone()).with_block(env.block_env.clone());
        Self {
            evm: context.build_mainnet(),
            handler: KeptJournal { mainnet: MainnetHandler::default(), destroyed: Vec::new() },
            must_forget: !env.cfg_env.spec.is_enabled_in(SpecId::SPURIOUS_DRAGON),
        }
    }

    /// With the hashes that this thread [has computed last](crate::recent_hashes): what is neither oracle nor baseline need not
    /// compute them anew.
    pub(crate) fn remembering_hashes(mut self) -> Self {
        remember_hashes(self.evm.instruction.instruction_table_mut());
        self
    }

    /// Executes `transactions` in order, and nothing after them.
    pub(crate) fn execute_all(
        mut self,
        transactions: impl IntoIterator<Item = &'t TxEnv>,
    ) -> Result<Executed, SequentialError<DB::Error>> {
        let mut results = Vec::new();
        for (transaction, tx) in transactions.into_iter().enumerate() {
            results.push(self.execute(tx).map_err(|source| SequentialError { transaction, source })?);
        }
        Ok(Executed { results, state: self.finish() })
    }

    /// Executes the next transaction. An invalid one changes nothing.
    pub(crate) fn execute(&mut self, tx: &'t TxEnv) -> Result<ExecutionResult, EVMError<DB::Error>> {
        self.evm.ctx.tx = tx;
        let result = self.handler.run(&mut self.evm)?;
        for address in self.handler.destroyed.drain(..) {
            let journal = &mut self.evm.ctx.journaled_state;
            if self.must_forget && journal.inner.state.get(&address).is_some_and(Account::is_selfdestructed_locally) {
                journal.inner.state.remove(&address);
                journal.database.destroyed.insert(address);
            }
        }
        Ok(result)
    }

    /// The accounts between two transactions, and the number of the next.
    pub(crate) fn kept(&mut self) -> (&mut EvmState, &mut TransactionId) {
        let inner = &mut self.evm.ctx.journaled_state.inner;
        (&mut inner.state, &mut inner.transaction_id)
    }

    /// What the transactions have left.
    fn finish(mut self) -> EvmState {
        let mut state = self.evm.finalize();
        for address in self.evm.ctx.journaled_state.database.destroyed.drain() {
            let account = state.entry(address).or_insert_with(|| {
                let mut gone = Account::default();
                gone.status = AccountStatus::SelfDestructedLocal | AccountStatus::Touched;
                gone
            });
            account.mark_selfdestruct();
        }
        state
    }
}

/// Mainnet's rules, and a note of what every transaction destroys.
///
/// A kept journal forgets too little of an account that is destroyed: the next transaction finds it empty, where it
/// should find none. From EIP-161 on that is the same; before, the gas of a call depends on it.
struct KeptJournal<'t, DB: DatabaseRef> {
    mainnet: MainnetHandler<PlainEvm<'t, DB>, EVMError<DB::Error>, PlainFrame>,
    destroyed: Vec<Address>,
}

type PlainFrame = revm::handler::EthFrame<revm::interpreter::interpreter::EthInterpreter>;
type PlainContext<'t, DB> = Context<BlockEnv, &'t TxEnv, CfgEnv, DB, Journal<DB>, ()>;
type PlainEvm<'t, DB> = MainnetEvm<PlainContext<'t, Base<'t, DB>>>;

impl<'t, DB: DatabaseRef> Handler for KeptJournal<'t, DB> {
    type Evm = PlainEvm<'t, DB>;
    type Error = EVMError<DB::Error>;
    type HaltReason = HaltReason;

    fn execution_result(
        &mut self,
        evm: &mut PlainEvm<'t, DB>,
        result: FrameResult,
        gas: ResultGas,
    ) -> Result<ExecutionResult, EVMError<DB::Error>> {
        let destroyed = &evm.ctx.journaled_state.inner.selfdestructed_addresses;
        if !destroyed.is_empty() {
            self.destroyed.extend_from_slice(destroyed);
        }
        self.mainnet.execution_result(evm, result, gas)
    }
}

/// What the journal loads from: the database, without the accounts that the block has destroyed, and with what was changed
/// elsewhere.
#[derive(Debug)]
struct Base<'t, DB> {
    db: DB,
    below: Option<&'t Below>,
    destroyed: AddressSet,
}

impl<DB> Base<'_, DB> {
    fn has(&self, address: &Address) -> bool {
        self.destroyed.is_empty() || !self.destroyed.contains(address)
    }

    fn changed_slot(&self, address: Address, slot: U256) -> Option<U256> {
        self.below.and_then(|below| below.slot(address, slot))
    }
}

impl<DB: DatabaseRef> Database for Base<'_, DB> {
    type Error = DB::Error;

    fn basic(&mut self, address: Address) -> Result<Option<AccountInfo>, DB::Error> {
        if !self.has(&address) {
            return Ok(None);
        }
        let info = self.db.basic_ref(address)?;
        Ok(if let Some(below) = self.below { below.account(address, info) } else { info })
    }

    fn code_by_hash(&mut self, hash: B256) -> Result<Bytecode, DB::Error> {
        self.db.code_by_hash_ref(hash)
    }

    fn storage(&mut self, address: Address, slot: U256) -> Result<U256, DB::Error> {
        match self.changed_slot(address, slot) {
            Some(value) => Ok(value),
            None if self.has(&address) => self.db.storage_ref(address, slot),
            None => Ok(U256::ZERO),
        }
    }

    fn storage_by_account_id(&mut self, address: Address, id: AccountId, slot: U256) -> Result<U256, DB::Error> {
        match self.changed_slot(address, slot) {
            Some(value) => Ok(value),
            None if self.has(&address) => self.db.storage_by_account_id_ref(address, id, slot),
            None => Ok(U256::ZERO),
        }
    }

    fn block_hash(&mut self, number: u64) -> Result<B256, DB::Error> {
        self.db.block_hash_ref(number)
    }
}
