//! Contracts on a host in memory.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use crate::contract::samples::Sample;
use crate::contract::{
    CallData, ContractVm, Environment, Event, Host, Interrupted, InvokeError, Invoked, Limits, Module, Run,
    SbpfSettings, SbpfVm, StorageFull, TransferError,
};
use crate::state::StorageValue;
use crate::types::{Address, Hash};

pub(super) const GAS: u64 = 1_000_000;
pub(super) const ALICE: Address = Address([0xa1; 32]);
pub(super) const BOB: Address = Address([0xb0; 32]);
pub(super) const CAROL: Address = Address([0xc4; 32]);
pub(super) const NOBODY: Hash = Hash([0; 32]);

/// The id of the contract that is made of a sample.
pub(super) fn id(sample: Sample) -> Hash {
    other_id(sample, 0)
}

/// The same, where there are several of it.
pub(super) fn other_id(sample: Sample, number: u8) -> Hash {
    let mut id = [0xff; 32];
    (id[0], id[1]) = (sample as u8, number);
    Hash(id)
}

pub(super) fn number(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(bytes.try_into().unwrap())
}

/// What contracts change.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct State {
    pub(super) storage: BTreeMap<(Hash, Vec<u8>), StorageValue>,
    pub(super) transient: BTreeMap<(Hash, Vec<u8>), StorageValue>,
    pub(super) events: Vec<Event>,
}

/// A host in memory, that keeps what successful calls change.
struct FakeHost<'a> {
    vm: &'a SbpfVm,
    contracts: &'a BTreeMap<Hash, Module>,
    state: &'a mut State,
    environment: Environment,
    /// The contracts that run, the first one first.
    running: Vec<Hash>,
    returned: Vec<u8>,
}

fn set(map: &mut BTreeMap<(Hash, Vec<u8>), StorageValue>, contract: Hash, key: &[u8], value: &[u8]) {
    match value {
        [] => map.remove(&(contract, key.to_vec())),
        value => map.insert((contract, key.to_vec()), StorageValue::new(value)),
    };
}

impl FakeHost<'_> {
    fn contract(&self) -> Hash {
        self.environment.call.contract
    }
}

impl Host for FakeHost<'_> {
    fn environment(&self) -> &Environment {
        &self.environment
    }

    fn deposit(&self, _: &Hash) -> u64 {
        0
    }

    fn storage_read(&mut self, key: &[u8]) -> Result<Option<StorageValue>, Interrupted> {
        Ok(self.state.storage.get(&(self.contract(), key.to_vec())).cloned())
    }

    fn storage_write(&mut self, key: &[u8], value: &[u8]) -> Result<(), Interrupted> {
        let contract = self.contract();
        set(&mut self.state.storage, contract, key, value);
        Ok(())
    }

    fn storage_add(&mut self, key: &[u8], amount: u64) -> Result<(), StorageFull> {
        let old = match self.state.storage.get(&(self.contract(), key.to_vec())) {
            Some(value) => u64::from_le_bytes(value.as_slice().try_into().map_err(|_| StorageFull::OutOfBounds)?),
            None => 0,
        };
        let sum = old.checked_add(amount).ok_or(StorageFull::OutOfBounds)?;
        self.storage_write(key, &sum.to_le_bytes()).map_err(|Interrupted| StorageFull::Interrupted)
    }

    fn transient_read(&mut self, key: &[u8]) -> Option<StorageValue> {
        self.state.transient.get(&(self.contract(), key.to_vec())).cloned()
    }

    fn transient_write(&mut self, key: &[u8], value: &[u8]) {
        let contract = self.contract();
        set(&mut self.state.transient, contract, key, value);
    }

    fn balance(&mut self, _: &Address) -> Result<u64, Interrupted> {
        Ok(0)
    }

    fn transfer(&mut self, _: &Address, _: &Address, _: u64) -> Result<(), TransferError> {
        Err(TransferError::InsufficientBalance)
    }

    fn invoke(&mut self, target: &Hash, input: Vec<u8>, gas: u64) -> Result<Invoked, Interrupted> {
        let refused = |error| Ok(Invoked { gas_used: 0, end: Err(error), output: Vec::new() });
        if self.running.contains(target) {
            return refused(InvokeError::Reentrant);
        }
        if self.running.len() >= self.vm.limits().call_depth {
            return refused(InvokeError::Depth);
        }
        let Some(module) = self.contracts.get(target) else {
            return refused(InvokeError::NotFound);
        };
        let before = self.state.clone();
        let call =
            CallData { contract: *target, caller: Address(self.contract().0), input, ..self.environment.call.clone() };
        let mut host = FakeHost {
            vm: self.vm,
            contracts: self.contracts,
            state: self.state,
            environment: Environment { call, ..self.environment.clone() },
            running: [&self.running[..], &[*target]].concat(),
            returned: Vec::new(),
        };
        let Run { gas_used, end } = self.vm.run(module, gas, &mut host);
        let output = host.returned;
        if end != Ok(0) {
            *self.state = before;
        }
        Ok(Invoked { gas_used, end: end.map_err(|_| InvokeError::Trapped), output })
    }

    fn code(&mut self, contract: &Hash) -> Result<Option<Module>, Interrupted> {
        Ok(self.contracts.get(contract).cloned())
    }

    fn emit(&mut self, event: Event) {
        self.state.events.push(event);
    }

    fn set_return_data(&mut self, data: &[u8]) {
        self.returned = data.to_vec();
    }

    fn poll(&mut self) -> Result<(), Interrupted> {
        Ok(())
    }

    fn load_code(&mut self, _: usize, _: &Limits) -> bool {
        true
    }
}

/// What a call gave.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Outcome {
    pub(super) run: Run,
    pub(super) returned: Vec<u8>,
    pub(super) events: Vec<Event>,
}

impl Outcome {
    pub(super) fn code(&self) -> u64 {
        *self.run.end.as_ref().unwrap()
    }

    pub(super) fn returned_number(&self) -> u64 {
        assert_eq!(self.code(), 0);
        number(&self.returned)
    }
}

/// Contracts, and what they have stored.
#[derive(Debug, Clone)]
pub(super) struct World {
    pub(super) contracts: BTreeMap<Hash, Module>,
    pub(super) state: State,
}

impl World {
    /// One contract of each sample.
    pub(super) fn new() -> Self {
        Self {
            contracts: Sample::ALL.into_iter().map(|sample| (id(sample), sample.module())).collect(),
            state: State::default(),
        }
    }

    pub(super) fn run_on(&self, vm: &SbpfVm, call: &CallData, gas: u64) -> (Outcome, State) {
        let mut state = self.state.clone();
        let mut host = FakeHost {
            vm,
            contracts: &self.contracts,
            state: &mut state,
            environment: Environment { signer: call.caller, call: call.clone(), ..Environment::default() },
            running: vec![call.contract],
            returned: Vec::new(),
        };
        let run = vm.run(&self.contracts[&call.contract], gas, &mut host);
        let returned = host.returned;
        let state = if run.end == Ok(0) { state } else { self.state.clone() };
        let events = state.events[self.state.events.len()..].to_vec();
        (Outcome { run, returned, events }, state)
    }

    /// Compiled and interpreted; they must agree on everything.
    pub(super) fn run(&mut self, call: &CallData, gas: u64) -> Outcome {
        static COMPILED: LazyLock<SbpfVm> = LazyLock::new(|| SbpfVm::new(SbpfSettings::default()));
        static INTERPRETED: LazyLock<SbpfVm> =
            LazyLock::new(|| SbpfVm::new(SbpfSettings { interpret: true, ..SbpfSettings::default() }));
        let (outcome, state) = self.run_on(&COMPILED, call, gas);
        let interpreted = self.run_on(&INTERPRETED, call, gas);
        assert_eq!((&outcome, &state), (&interpreted.0, &interpreted.1));
        self.state = state;
        outcome
    }

    pub(super) fn call(&mut self, sample: Sample, caller: Address, input: Vec<u8>) -> Outcome {
        self.run(&CallData { contract: id(sample), caller, input, ..CallData::default() }, GAS)
    }

    /// A call of somebody's; its exit code.
    pub(super) fn code(&mut self, sample: Sample, input: Vec<u8>) -> u64 {
        self.call(sample, ALICE, input).code()
    }

    pub(super) fn construct(&mut self, sample: Sample, caller: Address, input: Vec<u8>) -> u64 {
        let call = CallData { contract: id(sample), caller, input, is_constructor: true, ..CallData::default() };
        self.run(&call, GAS).code()
    }

    pub(super) fn stored(&self, sample: Sample, key: Vec<u8>) -> Option<&[u8]> {
        self.stored_by(id(sample), key)
    }

    pub(super) fn stored_by(&self, contract: Hash, key: Vec<u8>) -> Option<&[u8]> {
        self.state.storage.get(&(contract, key)).map(StorageValue::as_slice)
    }

    pub(super) fn put(&mut self, sample: Sample, key: Vec<u8>, value: u64) {
        self.state.storage.insert((id(sample), key), StorageValue::new(&value.to_le_bytes()));
    }

    /// What is stored as a number.
    pub(super) fn number(&self, sample: Sample, key: Vec<u8>) -> Option<u64> {
        self.stored(sample, key).map(number)
    }
}
