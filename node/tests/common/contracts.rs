//! Contract transactions, and contracts that the samples do not include.

use std::sync::OnceLock;

use weft_engine::BlockEnd;
use weft_ledger::contract::samples::Sample;
use weft_ledger::contract::{Event, Module, assemble};
use weft_ledger::rules::{CallEnd, CallReceipt, ContractIds, LedgerConfig, contract_id};
use weft_ledger::state::{Account, Key, StorageValue, Value, storage_slot};
use weft_ledger::wire::{Constructor, DeployContractPayload, Deposit, InvokeContractPayload, Payload, ValueCell};
use weft_ledger::{Address, COIN, Hash};
use weft_node::executor::ExecutorSettings;

use super::{Comparable, State, addr, all_settings};

/// Enough for every call of a sample but a burner's.
pub(crate) const GAS: u64 = 100_000;

/// What the samples do not do: see its source.
pub(crate) fn purse() -> Module {
    static MODULE: OnceLock<Module> = OnceLock::new();
    MODULE.get_or_init(|| assembled(include_str!("purse.asm"))).clone()
}

pub(crate) fn assembled(source: &str) -> Module {
    Module::new(assemble(source).unwrap())
}

/// A module whose constructor stores, adds and announces something, and then ends like this. `salt` makes it another
/// one. Called otherwise it succeeds.
pub(crate) fn built(salt: u32, end: &str) -> Module {
    assembled(&format!(
        "
        .ascii SET, \"s\"
        .ascii SUM, \"t\"
        entrypoint:
            mov64 r9, {salt}
            jne r4, 0, constructor
            mov64 r0, 0
            exit
        constructor:
            mov64 r1, SET
            mov64 r2, SET_LEN
            mov64 r3, SET
            mov64 r4, SET_LEN
            syscall storage_write
            mov64 r1, SUM
            mov64 r2, SUM_LEN
            mov64 r3, 7
            syscall storage_add
            mov64 r1, r10
            mov64 r2, SET
            mov64 r3, SET_LEN
            syscall log0
            {end}
            exit
        "
    ))
}

/// Bytes that pass as a module and cannot run.
pub(crate) fn not_executable() -> Module {
    Module::new(*b"\x7fELF nothing")
}

/// The id by the vectors' rule.
pub(crate) fn id(sample: Sample) -> Hash {
    *sample.module().hash()
}

/// Both derivations under both policies and both credit visibilities.
pub(crate) fn with_both_ids() -> Vec<ExecutorSettings> {
    [ContractIds::ModuleHash, ContractIds::Deployer]
        .into_iter()
        .flat_map(|ids| all_settings().map(|of| with_ids(ids, of)))
        .collect()
}

pub(crate) fn with_ids(contract_ids: ContractIds, settings: ExecutorSettings) -> ExecutorSettings {
    ExecutorSettings { ledger: LedgerConfig { contract_ids, ..settings.ledger }, ..settings }
}

/// The id that these settings give to what `deployer` deploys.
pub(crate) fn id_in(settings: ExecutorSettings, deployer: u64, module: &Module) -> Hash {
    contract_id(settings.ledger.contract_ids, &addr(deployer), module)
}

pub(crate) fn deploy(module: Module) -> Payload {
    Payload::DeployContract(DeployContractPayload { module, constructor: None }.into())
}

pub(crate) fn construct(module: Module, max_gas: u64, deposit: u64) -> Payload {
    let constructor = Some(Constructor { max_gas, deposits: native(deposit) });
    Payload::DeployContract(DeployContractPayload { module, constructor }.into())
}

/// A deposit of the only asset with balances; none for 0.
fn native(amount: u64) -> Vec<Deposit> {
    if amount == 0 { Vec::new() } else { vec![Deposit { asset: Hash::default(), amount }] }
}

pub(crate) fn invoke(contract: Hash, input: Vec<u8>) -> Payload {
    invoke_with(contract, input, GAS, 0)
}

pub(crate) fn invoke_with(contract: Hash, input: Vec<u8>, max_gas: u64, deposit: u64) -> Payload {
    let parameters = vec![ValueCell::Bytes(input)];
    let call = InvokeContractPayload { contract, deposits: native(deposit), entry_id: 0, max_gas, parameters };
    Payload::InvokeContract(call.into())
}

/// Inputs of the purse.
pub(crate) mod purse_input {
    use super::{Address, Hash};

    fn input(entry: u8, parts: &[&[u8]]) -> Vec<u8> {
        [&[entry][..], &parts.concat()].concat()
    }

    /// How a payment ends.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(crate) enum Ends {
        Well,
        InRevert,
        InTrap,
    }

    pub(crate) fn pay(ends: Ends, to: &Address, amount: u64) -> Vec<u8> {
        input(ends as u8, &[&to.0, &amount.to_le_bytes()])
    }

    pub(crate) fn look(address: &Address) -> Vec<u8> {
        input(3, &[&address.0])
    }

    pub(crate) fn delete(key: u8) -> Vec<u8> {
        input(4, &[&[key]])
    }

    pub(crate) fn set(key: u8, value: &[u8]) -> Vec<u8> {
        input(5, &[&[key], value])
    }

    pub(crate) fn add(key: u8, amount: u64) -> Vec<u8> {
        input(6, &[&[key], &amount.to_le_bytes()])
    }

    pub(crate) fn get(key: u8) -> Vec<u8> {
        input(7, &[&[key]])
    }

    pub(crate) fn shout_and(ends: Ends, count: u64) -> Vec<u8> {
        let entry = match ends {
            Ends::Well => 8,
            Ends::InRevert => 12,
            Ends::InTrap => 13,
        };
        input(entry, &[&count.to_le_bytes()])
    }

    pub(crate) fn code(contract: &Hash) -> Vec<u8> {
        input(9, &[&contract.0])
    }

    pub(crate) fn add_and_look(key: u8, amount: u64) -> Vec<u8> {
        input(10, &[&[key], &amount.to_le_bytes()])
    }

    pub(crate) fn add_and_trap(key: u8, amount: u64) -> Vec<u8> {
        input(11, &[&[key], &amount.to_le_bytes()])
    }
}

/// Puts these contracts into a state, each with this balance, under the ids of the vectors' rule.
pub(crate) fn put(state: &mut State, modules: &[Module], balance: u64) {
    for module in modules {
        let id = *module.hash();
        state.insert(Key::Contract(id), Value::Contract(module.clone()));
        state.insert(Key::Account(Address(id.0)), Value::Account(Account { balance, ..Account::default() }));
    }
}

/// Accounts 1 to 30 with ten TOS each, every sample and a purse with a TOS.
pub(crate) fn contract_world() -> State {
    let mut world = super::state(&(1..=30).map(|seed| (seed, 10 * COIN)).collect::<Vec<_>>());
    put(&mut world, &Sample::ALL.map(Sample::module), 0);
    put(&mut world, &[purse()], COIN);
    world
}

pub(crate) fn slot(contract: &Hash, key: &[u8]) -> Key {
    Key::Storage(storage_slot(contract, key))
}

pub(crate) fn stored(state: &State, contract: &Hash, key: &[u8]) -> Option<Vec<u8>> {
    match state.get(&slot(contract, key)) {
        Some(Value::Storage(value)) => Some(value.as_slice().to_vec()),
        None => None,
        other => panic!("{other:?}"),
    }
}

/// A stored number; 0 where nothing is.
pub(crate) fn number(state: &State, contract: &Hash, key: &[u8]) -> u64 {
    stored(state, contract, key).map_or(0, |bytes| u64::from_le_bytes(bytes.try_into().unwrap()))
}

pub(crate) fn put_bytes(state: &mut State, contract: &Hash, key: &[u8], value: &[u8]) {
    state.insert(slot(contract, key), Value::Storage(StorageValue::new(value)));
}

pub(crate) fn contract_balance(state: &State, contract: &Hash) -> u64 {
    match state.get(&Key::Account(Address(contract.0))) {
        Some(Value::Account(account)) => account.balance,
        None => 0,
        other => panic!("{other:?}"),
    }
}

/// What the call of a transaction did; there must be one.
pub(crate) fn call(block: &Comparable, at: usize) -> &CallReceipt {
    block.receipts[at].contract.as_ref().and_then(|contract| contract.call.as_ref()).unwrap()
}

pub(crate) fn ended(block: &Comparable) -> Vec<CallEnd> {
    assert_eq!(block.end, BlockEnd::Complete);
    (0..block.receipts.len()).map(|at| call(block, at).end.clone()).collect()
}

pub(crate) fn all_events(block: &Comparable) -> Vec<Event> {
    let of = block.receipts.iter().filter_map(|receipt| receipt.contract.as_ref()?.call.as_ref());
    of.flat_map(|call| call.events.clone()).collect()
}

/// A call of the purse.
pub(crate) fn at_purse(input: Vec<u8>) -> Payload {
    invoke(*purse().hash(), input)
}

/// A call of a sample.
pub(crate) fn at(sample: Sample, input: Vec<u8>) -> Payload {
    invoke(id(sample), input)
}
