//! The state as running contracts see it.

use std::collections::BTreeMap;

use weft_engine::{AddError, StateView, Stop};

use crate::contract::{
    BlockData, CallData, Environment, Event, Host, Interrupted, InvokeError, Invoked, Limits, Module, Run, StorageFull,
    TransferError, Trap,
};
use crate::error::TosError;
use crate::rules::{Failure, TosVm};
use crate::signed::SignedTransaction;
use crate::state::{Account, Delta, Key, StorageValue, Value, storage_slot};
use crate::types::{Address, Hash};
use crate::wire::Deposit;

use super::call::Call;
use super::invoke::module_of;

/// What all calls of one transaction share.
struct Session<'a, S> {
    vm: &'a TosVm,
    state: &'a mut S,
    /// Why the execution is to end, whatever the contracts make of it.
    failure: Option<Failure>,
    /// The contracts that run, the caller before the callee.
    running: Vec<Hash>,
    code_loaded: usize,
    /// At most as many as the limit says; further ones are only counted.
    events: Vec<Event>,
    events_emitted: usize,
    /// Transfers of this execution that nobody sees before the block's end (spec 7.2, deferred); the running contracts
    /// see them in the receiver's balance (spec 8).
    deferred: Vec<(Address, u64)>,
}

/// One running contract.
struct Frame<'s, 'a, S> {
    session: &'s mut Session<'a, S>,
    environment: Environment,
    deposits: &'s [Deposit],
    transient: BTreeMap<Vec<u8>, StorageValue>,
    return_data: Vec<u8>,
}

/// What is left of a transaction's call.
pub(super) struct Ended {
    pub(super) events: Vec<Event>,
    pub(super) events_emitted: usize,
    pub(super) return_data: Vec<u8>,
}

/// Runs the call of a transaction. What it changed is not undone here.
pub(super) fn run_transaction_call<S: StateView<Key, Value>>(
    vm: &TosVm,
    signed: &SignedTransaction,
    call: &mut Call<'_>,
    state: &mut S,
) -> Result<(Run, Ended), Failure> {
    let signer = signed.transaction().source;
    let context = vm.context();
    let mut session = Session {
        vm,
        state,
        failure: None,
        running: vec![call.contract],
        code_loaded: 0,
        events: Vec::new(),
        events_emitted: 0,
        deferred: Vec::new(),
    };
    let environment = Environment {
        block: BlockData { hash: context.hash, height: context.height, timestamp: context.timestamp / 1000 },
        transaction: signed.hash(),
        signer,
        call: CallData {
            contract: call.contract,
            caller: signer,
            entry_id: call.entry_id,
            is_constructor: call.is_constructor,
            input: std::mem::take(&mut call.input),
        },
    };
    let mut frame = Frame {
        session: &mut session,
        environment,
        deposits: call.deposits,
        transient: BTreeMap::new(),
        return_data: Vec::new(),
    };
    let run = vm.contracts().run(&call.module, call.max_gas, &mut frame);
    let return_data = frame.return_data;
    if let Some(failure) = session.failure {
        return Err(failure);
    }
    if run.end == Err(Trap::Interrupted) {
        // Nobody has interrupted it.
        return Err(TosError::InternalError.into());
    }
    Ok((run, Ended { events: session.events, events_emitted: session.events_emitted, return_data }))
}

impl<S: StateView<Key, Value>> Session<'_, S> {
    fn interrupt<T>(&mut self, failure: impl Into<Failure>) -> Result<T, Interrupted> {
        self.failure.get_or_insert(failure.into());
        Err(Interrupted)
    }

    fn read(&mut self, key: &Key) -> Result<Option<Value>, Interrupted> {
        match self.state.read(key) {
            Ok(value) => Ok(value),
            Err(stop) => self.interrupt(stop),
        }
    }

    fn account(&mut self, address: Address) -> Result<Option<Account>, Interrupted> {
        match self.read(&Key::Account(address))? {
            Some(Value::Account(account)) => Ok(Some(account)),
            None => Ok(None),
            Some(_) => self.interrupt(TosError::InternalError),
        }
    }
}

impl<S> Frame<'_, '_, S> {
    fn slot(&self, key: &[u8]) -> Key {
        Key::Storage(storage_slot(&self.environment.call.contract, key))
    }
}

impl<S: StateView<Key, Value>> Host for Frame<'_, '_, S> {
    fn environment(&self) -> &Environment {
        &self.environment
    }

    fn deposit(&self, asset: &Hash) -> u64 {
        // The wire format has one entry an asset.
        self.deposits.iter().find(|deposit| deposit.asset == *asset).map_or(0, |deposit| deposit.amount)
    }

    fn storage_read(&mut self, key: &[u8]) -> Result<Option<StorageValue>, Interrupted> {
        match self.session.read(&self.slot(key))? {
            Some(Value::Storage(value)) => Ok(Some(value)),
            None => Ok(None),
            Some(_) => self.session.interrupt(TosError::InternalError),
        }
    }

    fn storage_write(&mut self, key: &[u8], value: &[u8]) -> Result<(), Interrupted> {
        let slot = self.slot(key);
        if value.is_empty() {
            self.session.state.delete(slot);
        } else {
            self.session.state.write(slot, Value::Storage(StorageValue::new(value)));
        }
        Ok(())
    }

    fn storage_add(&mut self, key: &[u8], amount: u64) -> Result<(), StorageFull> {
        let slot = self.slot(key);
        match self.session.state.add(slot, Delta::StorageAdd(amount)) {
            Ok(()) => Ok(()),
            Err(AddError::OutOfBounds) => Err(StorageFull::OutOfBounds),
            Err(AddError::Stop(stop)) => {
                self.session.failure.get_or_insert(stop.into());
                Err(StorageFull::Interrupted)
            }
        }
    }

    fn transient_read(&mut self, key: &[u8]) -> Option<StorageValue> {
        self.transient.get(key).cloned()
    }

    fn transient_write(&mut self, key: &[u8], value: &[u8]) {
        if value.is_empty() {
            self.transient.remove(key);
        } else {
            self.transient.insert(key.to_vec(), StorageValue::new(value));
        }
    }

    fn balance(&mut self, address: &Address) -> Result<u64, Interrupted> {
        let balance = self.session.account(*address)?.map_or(0, |account| account.balance);
        let deferred = self.session.deferred.iter().filter(|(to, _)| to == address);
        Ok(deferred.fold(balance, |sum, (_, amount)| sum.saturating_add(*amount)))
    }

    fn transfer(&mut self, from: &Address, to: &Address, amount: u64) -> Result<(), TransferError> {
        let interrupted = |_: Interrupted| TransferError::Interrupted;
        if from.0 != self.environment.call.contract.0 {
            return Err(TransferError::NotOwner);
        }
        if amount == 0 {
            return Ok(());
        }
        if from == to {
            return Err(TransferError::SenderIsReceiver);
        }
        let session = &mut *self.session;
        let account = session.account(*from).map_err(interrupted)?.unwrap_or_default();
        let balance = account.balance.checked_sub(amount).ok_or(TransferError::InsufficientBalance)?;
        let (key, delta) = session.vm.credit(*to, amount);
        match session.state.add(key, delta) {
            Ok(()) => {}
            Err(AddError::OutOfBounds) => return Err(TransferError::BalanceOverflow),
            Err(AddError::Stop(stop)) => return session.interrupt(stop).map_err(interrupted),
        }
        session.state.write(Key::Account(*from), Value::Account(Account { balance, ..account }));
        if session.vm.is_deferred() {
            session.deferred.push((*to, amount));
        }
        Ok(())
    }

    fn invoke(&mut self, target: &Hash, input: Vec<u8>, gas: u64) -> Result<Invoked, Interrupted> {
        let refused = |error| Ok(Invoked { gas_used: 0, end: Err(error), output: Vec::new() });
        let session = &mut *self.session;
        let machine = session.vm.contracts();
        if session.running.contains(target) {
            return refused(InvokeError::Reentrant);
        }
        if session.running.len() >= machine.limits().call_depth {
            return refused(InvokeError::Depth);
        }
        let module = match module_of(target, session.state) {
            Ok(Some(module)) => module,
            Ok(None) => return refused(InvokeError::NotFound),
            Err(failure) => return session.interrupt(failure),
        };
        let checkpoint = session.state.checkpoint();
        let (events, emitted, deferred) = (session.events.len(), session.events_emitted, session.deferred.len());
        session.running.push(*target);
        let mut callee = Frame {
            session: &mut *session,
            environment: Environment {
                call: CallData {
                    contract: *target,
                    caller: Address(self.environment.call.contract.0),
                    entry_id: 0,
                    is_constructor: false,
                    input,
                },
                block: self.environment.block,
                transaction: self.environment.transaction,
                signer: self.environment.signer,
            },
            deposits: &[],
            transient: BTreeMap::new(),
            return_data: Vec::new(),
        };
        let run = machine.run(&module, gas, &mut callee);
        let output = callee.return_data;
        session.running.pop();
        if session.failure.is_some() {
            return Err(Interrupted);
        }
        if run.end != Ok(0) {
            if let Err(stop) = session.state.rollback(checkpoint) {
                return session.interrupt(stop);
            }
            session.events.truncate(events);
            session.events_emitted = emitted;
            session.deferred.truncate(deferred);
        }
        let end = run.end.map_err(|_| InvokeError::Trapped);
        Ok(Invoked { gas_used: run.gas_used, end, output })
    }

    fn code(&mut self, contract: &Hash) -> Result<Option<Module>, Interrupted> {
        module_of(contract, self.session.state).or_else(|failure| self.session.interrupt(failure))
    }

    fn emit(&mut self, event: Event) {
        let session = &mut *self.session;
        session.events_emitted += 1;
        if session.events_emitted <= session.vm.contracts().limits().events {
            session.events.push(event);
        }
    }

    fn set_return_data(&mut self, data: &[u8]) {
        self.return_data = data.to_vec();
    }

    fn poll(&mut self) -> Result<(), Interrupted> {
        self.session.state.poll().or_else(|stop: Stop| self.session.interrupt(stop))
    }

    fn load_code(&mut self, bytes: usize, limits: &Limits) -> bool {
        self.session.code_loaded = self.session.code_loaded.saturating_add(bytes);
        self.session.code_loaded <= limits.code_bytes
    }
}
