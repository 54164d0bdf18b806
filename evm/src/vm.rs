//! Ethereum as the engine's virtual machine.

use std::sync::atomic::{AtomicU64, Ordering};

use revm::context::TxEnv;
use revm::context::result::{EVMError, ExecutionResult, InvalidTransaction};
use revm::primitives::TxKind;
use weft_engine::{Outcome, RareKind, StateView, Stop, Touch, Vm};

use crate::EvmEnv;
use crate::access::{Ended, ViewAccess, provide_state};
use crate::assumed;
use crate::changes::{self, NotApplied};
use crate::machine::with_machine;
use crate::recent_calls::RecentCalls;
use crate::shared_slots::SharedSlots;
use crate::state::{StateKey, StateValue};
use crate::transfer;

/// Numbers the blocks of this process, so that a thread knows whether its machine is set up for the one at hand.
static NEXT_BLOCK: AtomicU64 = AtomicU64::new(0);

/// What became of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransactionOutput {
    /// It is part of the block, whether it succeeded, reverted or halted.
    Executed(ExecutionResult),
    /// It is invalid.
    Invalid(InvalidTransaction),
    /// The block's header or the configuration does not allow an execution.
    Impossible(String),
}

/// The EVM with the rules and the environment of one block.
#[derive(Debug)]
pub struct EvmVm {
    env: EvmEnv,
    block: u64,
    /// What calls have in common. It steers the scheduler and has no part in any result.
    shared: SharedSlots,
    /// The same.
    recent: RecentCalls,
}

impl EvmVm {
    /// The EVM for the block with this environment.
    #[must_use]
    pub fn new(env: EvmEnv) -> Self {
        // Relaxed: only that no two calls get one number matters.
        Self {
            env,
            block: NEXT_BLOCK.fetch_add(1, Ordering::Relaxed),
            shared: SharedSlots::new(),
            recent: RecentCalls::new(),
        }
    }

    /// The environment of the block.
    #[must_use]
    pub fn env(&self) -> &EvmEnv {
        &self.env
    }
}

impl Vm for EvmVm {
    type Transaction = TxEnv;
    type Key = StateKey;
    type Value = StateValue;
    type Output = TransactionOutput;

    fn execute<S: StateView<StateKey, StateValue>>(
        &self,
        transaction: &TxEnv,
        state: &mut S,
    ) -> Result<Outcome<TransactionOutput>, Stop> {
        let mut view = ViewAccess::new(state);
        let outcome = with_machine(self.block, &self.env, |machine| {
            machine.set_transaction(transaction);
            match transfer::execute(machine, transaction, &mut view) {
                Ok(Some(result)) => {
                    let gas_used = result.tx_gas_used();
                    return Some(Outcome::applied(TransactionOutput::Executed(result), gas_used));
                }
                Ok(None) => {}
                Err(Ended) => return None,
            }
            let mut is_exact = false;
            loop {
                let executed = provide_state(&mut view, || machine.run(is_exact));
                if view.is_stopped() {
                    machine.discard();
                    return None;
                }
                // Whatever revm has made of what does not hold is void, and what is wrong with a transaction shows beside
                // what its sender really has.
                let journal = machine.journal();
                if (journal.is_refuted || (executed.is_err() && journal.assumes())) && !is_exact {
                    machine.discard();
                    is_exact = true;
                    continue;
                }
                let result = match executed {
                    Ok(result) => result,
                    Err(error) => {
                        machine.discard();
                        return Some(Outcome::rejected(match error {
                            EVMError::Transaction(invalid) => TransactionOutput::Invalid(invalid),
                            other => TransactionOutput::Impossible(other.to_string()),
                        }));
                    }
                };
                self.shared.learn(transaction, &machine.journal().inner.state);
                let checkpoint = view.checkpoint();
                match changes::apply(machine.journal(), &mut view) {
                    Ok(()) => {
                        let gas_used = result.tx_gas_used();
                        return Some(Outcome::applied(TransactionOutput::Executed(result), gas_used));
                    }
                    Err(NotApplied::Refuted) if !is_exact => {
                        is_exact = true;
                        if view.rollback(checkpoint).is_err() {
                            return None;
                        }
                    }
                    // An exact execution makes no credits and assumes nothing.
                    Err(NotApplied::Refuted | NotApplied::Ended) => return None,
                }
            }
        });
        match (outcome, view.into_stop()) {
            (_, Some(stop)) => Err(stop),
            (Some(outcome), None) => Ok(outcome),
            (None, None) => Ok(Outcome::rejected(TransactionOutput::Impossible(
                "a fee overflows the balance of the fee recipient".to_owned(),
            ))),
        }
    }

    /// The gas limit: all that shows of a transaction's length before it is executed. Many limits are far too high, but
    /// a long transaction seldom has a low one.
    fn weight(&self, transaction: &TxEnv) -> u64 {
        transaction.gas_limit
    }

    fn footprint(&self, transaction: &TxEnv, declare: &mut dyn FnMut(StateKey, Touch)) {
        let waits = match transaction.kind {
            TxKind::Call(to) if assumed::shows_its_sender(transaction, &self.env.cfg_env) => {
                !transaction.data.is_empty() && self.recent.repeats(transaction.caller, to, transaction.nonce)
            }
            _ => true,
        };
        declare(StateKey::Holdings(transaction.caller), if waits { Touch::Write } else { Touch::Add });
        if let TxKind::Call(to) = transaction.kind
            && !transaction.value.is_zero()
        {
            declare(StateKey::Holdings(to), Touch::Add);
        }
        if let Some((address, slot)) = self.shared.expected(transaction) {
            // An account that is destroyed and made again within the block is rare.
            declare(StateKey::Slot(address, 0, slot), Touch::Write);
        }
    }

    fn rare_kind(&self, key: &StateKey) -> Option<RareKind> {
        // Contracts are created, destroyed and delegated to in a few transactions of a block, and called in nearly all.
        matches!(key, StateKey::Identity(_)).then_some(const { RareKind::new(0) })
    }

    fn reads(&self, transaction: &TxEnv, declare: &mut dyn FnMut(StateKey)) {
        declare(StateKey::Identity(transaction.caller));
        if let TxKind::Call(to) = transaction.kind {
            declare(StateKey::Identity(to));
        }
        for item in transaction.access_list.iter() {
            declare(StateKey::Identity(item.address));
            // A contract that is destroyed and made again within the block is rare.
            item.storage_keys.iter().for_each(|slot| declare(StateKey::Slot(item.address, 0, (*slot).into())));
        }
    }
}
