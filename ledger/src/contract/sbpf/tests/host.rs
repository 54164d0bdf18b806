//! A host of maps, which notes what it is asked.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{SbpfVm, machine};
use crate::contract::{
    ContractVm, Environment, Event, Host, Interrupted, InvokeError, Invoked, Limits, Module, StorageFull, TransferError,
};
use crate::state::StorageValue;
use crate::types::{Address, Hash};

/// What a contract can change.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct World {
    pub(super) storage: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(super) transient: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(super) balances: BTreeMap<[u8; 32], u64>,
    pub(super) events: Vec<Event>,
    pub(super) returned: Vec<u8>,
}

#[derive(Debug, Clone)]
pub(super) struct FakeHost {
    pub(super) environment: Environment,
    pub(super) world: World,
    pub(super) deposits: BTreeMap<[u8; 32], u64>,
    pub(super) contracts: BTreeMap<[u8; 32], Module>,
    pub(super) running: Vec<Hash>,
    pub(super) loaded: usize,
    /// Every question, in order.
    pub(super) asked: Vec<String>,
    /// The question with this number is answered by an interruption.
    pub(super) interrupt_at: Option<usize>,
    /// The question with this number is answered by a panic.
    pub(super) panic_at: Option<usize>,
    pub(super) machine: Arc<SbpfVm>,
}

impl Default for FakeHost {
    fn default() -> Self {
        let mut environment = Environment::default();
        environment.call.contract = Hash([0xc0; 32]);
        Self {
            running: vec![environment.call.contract],
            environment,
            world: World::default(),
            deposits: BTreeMap::new(),
            contracts: BTreeMap::new(),
            loaded: 0,
            asked: Vec::new(),
            interrupt_at: None,
            panic_at: None,
            machine: machine(false),
        }
    }
}

impl FakeHost {
    fn ask(&mut self, question: String) -> Result<(), Interrupted> {
        let number = self.asked.len();
        self.asked.push(question);
        assert!(self.panic_at != Some(number), "the host panics");
        if self.interrupt_at == Some(number) { Err(Interrupted) } else { Ok(()) }
    }
}

fn full(storage: &BTreeMap<Vec<u8>, Vec<u8>>, key: &[u8], amount: u64) -> Option<u64> {
    let Some(old) = storage.get(key) else { return Some(amount) };
    u64::from_le_bytes(old.as_slice().try_into().ok()?).checked_add(amount)
}

fn put(map: &mut BTreeMap<Vec<u8>, Vec<u8>>, key: &[u8], value: &[u8]) {
    if value.is_empty() {
        map.remove(key);
    } else {
        map.insert(key.to_vec(), value.to_vec());
    }
}

impl Host for FakeHost {
    fn environment(&self) -> &Environment {
        &self.environment
    }

    fn deposit(&self, asset: &Hash) -> u64 {
        self.deposits.get(&asset.0).copied().unwrap_or(0)
    }

    fn storage_read(&mut self, key: &[u8]) -> Result<Option<StorageValue>, Interrupted> {
        self.ask(format!("read {key:?}"))?;
        Ok(self.world.storage.get(key).map(|value| StorageValue::new(value)))
    }

    fn storage_write(&mut self, key: &[u8], value: &[u8]) -> Result<(), Interrupted> {
        self.ask(format!("write {key:?} {value:?}"))?;
        put(&mut self.world.storage, key, value);
        Ok(())
    }

    fn storage_add(&mut self, key: &[u8], amount: u64) -> Result<(), StorageFull> {
        self.ask(format!("add {key:?} {amount}")).map_err(|_| StorageFull::Interrupted)?;
        let sum = full(&self.world.storage, key, amount).ok_or(StorageFull::OutOfBounds)?;
        self.world.storage.insert(key.to_vec(), sum.to_le_bytes().to_vec());
        Ok(())
    }

    fn transient_read(&mut self, key: &[u8]) -> Option<StorageValue> {
        self.asked.push(format!("tload {key:?}"));
        self.world.transient.get(key).map(|value| StorageValue::new(value))
    }

    fn transient_write(&mut self, key: &[u8], value: &[u8]) {
        self.asked.push(format!("tstore {key:?} {value:?}"));
        put(&mut self.world.transient, key, value);
    }

    fn balance(&mut self, address: &Address) -> Result<u64, Interrupted> {
        self.ask(format!("balance {address}"))?;
        Ok(self.world.balances.get(&address.0).copied().unwrap_or(0))
    }

    fn transfer(&mut self, from: &Address, to: &Address, amount: u64) -> Result<(), TransferError> {
        self.ask(format!("transfer {from} {to} {amount}")).map_err(|_| TransferError::Interrupted)?;
        if from.0 != self.environment.call.contract.0 {
            return Err(TransferError::NotOwner);
        }
        if from == to {
            return Err(TransferError::SenderIsReceiver);
        }
        let [left, there] = [from, to].map(|address| self.world.balances.get(&address.0).copied().unwrap_or(0));
        let left = left.checked_sub(amount).ok_or(TransferError::InsufficientBalance)?;
        let there = there.checked_add(amount).ok_or(TransferError::BalanceOverflow)?;
        self.world.balances.extend([(from.0, left), (to.0, there)]);
        Ok(())
    }

    fn invoke(&mut self, target: &Hash, input: Vec<u8>, gas: u64) -> Result<Invoked, Interrupted> {
        self.ask(format!("invoke {target} {input:?} {gas}"))?;
        let refuse = |error| Ok(Invoked { gas_used: 0, end: Err(error), output: Vec::new() });
        let Some(module) = self.contracts.get(&target.0).cloned() else { return refuse(InvokeError::NotFound) };
        if self.running.contains(target) {
            return refuse(InvokeError::Reentrant);
        }
        if self.running.len() >= Limits::default().call_depth {
            return refuse(InvokeError::Depth);
        }
        let before = (self.environment.clone(), self.world.clone());
        self.environment.call.caller = Address(self.environment.call.contract.0);
        self.environment.call.contract = *target;
        self.environment.call.input = input;
        self.running.push(*target);
        self.world.returned.clear();
        let run = Arc::clone(&self.machine).run(&module, gas, self);
        self.running.pop();
        self.environment = before.0;
        let output = std::mem::replace(&mut self.world.returned, before.1.returned.clone());
        if run.end != Ok(0) {
            self.world = before.1;
        }
        if run.end == Err(crate::contract::Trap::Interrupted) {
            return Err(Interrupted);
        }
        Ok(Invoked { gas_used: run.gas_used, end: run.end.map_err(|_| InvokeError::Trapped), output })
    }

    fn code(&mut self, contract: &Hash) -> Result<Option<Module>, Interrupted> {
        self.ask(format!("code {contract}"))?;
        Ok(self.contracts.get(&contract.0).cloned())
    }

    fn emit(&mut self, event: Event) {
        self.asked.push(format!("{event:?}"));
        self.world.events.push(event);
    }

    fn set_return_data(&mut self, data: &[u8]) {
        self.asked.push(format!("return {data:?}"));
        self.world.returned = data.to_vec();
    }

    fn poll(&mut self) -> Result<(), Interrupted> {
        self.ask("poll".into())
    }

    fn load_code(&mut self, bytes: usize, limits: &Limits) -> bool {
        self.loaded += bytes;
        self.loaded <= limits.code_bytes
    }
}
