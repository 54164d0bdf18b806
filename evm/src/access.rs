//! The engine's view of the state, as revm can use it: without type parameters, and reachable from a database that
//! borrows nothing.

use alloy_primitives::{Address, B256, U256};
use revm::bytecode::Bytecode;
use revm::database_interface::DBErrorMarker;
use scoped_tls_hkt::scoped_thread_local;
use weft_engine::{AddError, Checkpoint, StateView, Stop};

use crate::holdings_delta::HoldingsDelta;
use crate::state::{Holdings, Identity, StateKey, StateValue};

/// The engine has ended the execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the execution was ended")]
pub(crate) struct Ended;

impl DBErrorMarker for Ended {}

/// The state that a transaction reads and, in the end, changes.
pub(crate) trait Access {
    fn holdings(&mut self, address: Address) -> Result<Holdings, Ended>;
    /// Nothing where a transaction before this one changes them, or is about to.
    fn holdings_unless_contended(&mut self, address: Address) -> Result<Option<Holdings>, Ended>;
    fn identity(&mut self, address: Address) -> Result<Identity, Ended>;
    fn slot(&mut self, address: Address, generation: u32, slot: U256) -> Result<U256, Ended>;
    fn code(&mut self, hash: B256, is_deployed: bool) -> Result<Bytecode, Ended>;
    fn block_hash(&mut self, number: u64) -> Result<B256, Ended>;
}

scoped_thread_local! {
    // revm keeps its database in the machine, and the machine is kept from one transaction to the next, so it cannot
    // borrow the view of one transaction.
    static mut STATE: for<'a> &'a mut (dyn Access + 'a)
}

/// Lets everything in `run` that calls [`with_state`] use `state`.
pub(crate) fn provide_state<T>(state: &mut dyn Access, run: impl FnOnce() -> T) -> T {
    STATE.set(state, run)
}

/// Calls `use_it` with the state of the running transaction.
pub(crate) fn with_state<T>(use_it: impl FnOnce(&mut dyn Access) -> T) -> T {
    STATE.with(|state| use_it(state))
}

/// [`Access`] to an engine's view. It remembers that the engine has ended the execution, whatever revm makes of it.
pub(crate) struct ViewAccess<'v, S> {
    view: &'v mut S,
    stop: Option<Stop>,
}

impl<'v, S: StateView<StateKey, StateValue>> ViewAccess<'v, S> {
    pub(crate) fn new(view: &'v mut S) -> Self {
        Self { view, stop: None }
    }

    /// Whether the engine has ended the execution.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.is_some()
    }

    /// Where the transaction's changes stand now.
    pub(crate) fn checkpoint(&mut self) -> Checkpoint {
        self.view.checkpoint()
    }

    /// Undoes the changes since `checkpoint`.
    pub(crate) fn rollback(&mut self, checkpoint: Checkpoint) -> Result<(), Ended> {
        let rolled_back = self.view.rollback(checkpoint);
        self.unless_stopped(rolled_back)
    }

    /// The engine's reason to end the execution, if it has one.
    pub(crate) fn into_stop(self) -> Option<Stop> {
        self.stop
    }

    fn read(&mut self, key: &StateKey) -> Result<Option<StateValue>, Ended> {
        let value = self.view.read(key);
        self.unless_stopped(value)
    }

    fn unless_stopped<T>(&mut self, result: Result<T, Stop>) -> Result<T, Ended> {
        result.map_err(|stop| {
            self.stop.get_or_insert(stop);
            Ended
        })
    }

    /// Sets a value, or removes it.
    pub(crate) fn set(&mut self, key: StateKey, value: Option<StateValue>) {
        match value {
            Some(value) => self.view.write(key, value),
            None => self.view.delete(key),
        }
    }

    /// Credits a balance, without reading it where it could be that much. False if it overflows.
    pub(crate) fn credit(&mut self, address: Address, amount: U256) -> Result<bool, Ended> {
        if let Some(credit) = HoldingsDelta::credit(amount) {
            return self.change(address, credit);
        }
        let Holdings { balance, nonce } = self.holdings(address)?;
        let Some(balance) = balance.checked_add(amount) else { return Ok(false) };
        self.set(StateKey::Holdings(address), Holdings { balance, nonce }.into_value());
        Ok(true)
    }

    /// Changes holdings without reading them. False if they turn out not to allow it.
    pub(crate) fn change(&mut self, address: Address, delta: HoldingsDelta) -> Result<bool, Ended> {
        match self.view.add(StateKey::Holdings(address), delta) {
            Ok(()) => Ok(true),
            Err(AddError::OutOfBounds) => Ok(false),
            Err(AddError::Stop(stop)) => {
                self.stop.get_or_insert(stop);
                Err(Ended)
            }
        }
    }
}

fn holdings(value: Option<StateValue>) -> Holdings {
    match value {
        Some(StateValue::Holdings(holdings)) => holdings,
        _ => Holdings::default(),
    }
}

impl<S: StateView<StateKey, StateValue>> Access for ViewAccess<'_, S> {
    fn holdings(&mut self, address: Address) -> Result<Holdings, Ended> {
        Ok(holdings(self.read(&StateKey::Holdings(address))?))
    }

    fn holdings_unless_contended(&mut self, address: Address) -> Result<Option<Holdings>, Ended> {
        let value = self.view.read_unless_contended(&StateKey::Holdings(address));
        Ok(self.unless_stopped(value)?.map(holdings))
    }

    fn identity(&mut self, address: Address) -> Result<Identity, Ended> {
        Ok(match self.read(&StateKey::Identity(address))? {
            Some(StateValue::Identity(identity)) => identity,
            _ => Identity::ABSENT,
        })
    }

    fn slot(&mut self, address: Address, generation: u32, slot: U256) -> Result<U256, Ended> {
        Ok(match self.read(&StateKey::Slot(address, generation, slot))? {
            Some(StateValue::Slot(value)) => value,
            _ => U256::ZERO,
        })
    }

    fn code(&mut self, hash: B256, is_deployed: bool) -> Result<Bytecode, Ended> {
        let key = if is_deployed { StateKey::DeployedCode(hash) } else { StateKey::Code(hash) };
        Ok(match self.read(&key)? {
            Some(StateValue::Code(code)) => code,
            _ => Bytecode::default(),
        })
    }

    fn block_hash(&mut self, number: u64) -> Result<B256, Ended> {
        Ok(match self.read(&StateKey::BlockHash(number))? {
            Some(StateValue::BlockHash(hash)) => hash,
            _ => B256::ZERO,
        })
    }
}
