//! Tests of deployments and calls (spec 5.5, 5.6, 8): contracts of a few instructions in a world of a few accounts.

mod calls_tests;
mod checks_tests;
mod deploy_tests;
mod deposits_tests;
mod environment_tests;
mod events_tests;
mod gas_tests;
mod interrupt_tests;
mod program;
mod storage_tests;
mod transfers_tests;
mod undo_tests;

use std::collections::BTreeMap;
use std::convert::Infallible;

use program::{Program, module};

use crate::COIN;
use crate::contract::Module;
use crate::error::TosError;
use crate::rules::{
    CallEnd, CallReceipt, ContractReceipt, CreditVisibility, Receipt, deferred_base, merge_pending_credits,
};
use crate::state::{Account, Key, Value, apply_changes, storage_slot};
use crate::testing::{FEE, World, addr, sequential, sign, unsigned};
use crate::types::{Address, Hash};
use crate::wire::{DeployContractPayload, Deposit, InvokeContractPayload, Payload, Transaction, ValueCell};

/// The account that calls, and what it has at first.
const SOURCE: u64 = 2;
const RICH: u64 = 100 * COIN;
/// Enough for every small contract, and no multiple of ten.
const GAS: u64 = 1_000_003;
/// Both modes of spec 7.2.
const MODES: [CreditVisibility; 2] = [CreditVisibility::Immediate, CreditVisibility::Deferred];

fn world() -> World {
    World::new(&[(SOURCE, RICH), (3, 0)])
}

fn world_in(mode: CreditVisibility) -> World {
    let mut world = world();
    world.config.credit_visibility = mode;
    world
}

/// Puts a contract into the world under an id of one repeated byte.
fn install(world: &mut World, id: u8, module: &Module) -> Hash {
    let contract = Hash([id; 32]);
    world.state.insert(Key::Contract(contract), Value::Contract(module.clone()));
    contract
}

/// The account of a contract.
const fn account_of(contract: Hash) -> Address {
    Address(contract.0)
}

fn fund(world: &mut World, contract: Hash, balance: u64) {
    let account = Account { balance, ..Account::default() };
    world.state.insert(Key::Account(account_of(contract)), Value::Account(account));
}

/// The balance of an account, `None` where there is none.
fn money(world: &World, address: Address) -> Option<u64> {
    match world.state.get(&Key::Account(address))? {
        Value::Account(account) => Some(account.balance),
        other => panic!("no account: {other:?}"),
    }
}

fn stored(world: &World, contract: Hash, key: &[u8]) -> Option<Vec<u8>> {
    match world.state.get(&Key::Storage(storage_slot(&contract, key)))? {
        Value::Storage(value) => Some(value.as_slice().to_vec()),
        other => panic!("no storage: {other:?}"),
    }
}

fn store(world: &mut World, contract: Hash, key: &[u8], value: &[u8]) {
    let value = Value::Storage(crate::state::StorageValue::new(value));
    world.state.insert(Key::Storage(storage_slot(&contract, key)), value);
}

fn native(amount: u64) -> Vec<Deposit> {
    vec![Deposit { asset: Hash::default(), amount }]
}

/// A call with nothing but gas.
fn call(contract: Hash) -> InvokeContractPayload {
    InvokeContractPayload { contract, deposits: vec![], entry_id: 0, max_gas: GAS, parameters: vec![] }
}

fn call_with(contract: Hash, input: &[u8]) -> InvokeContractPayload {
    InvokeContractPayload { parameters: vec![ValueCell::Bytes(input.to_vec())], ..call(contract) }
}

fn invoke(payload: InvokeContractPayload) -> Payload {
    Payload::InvokeContract(Box::new(payload))
}

fn deploy(module: &Module, constructor: Option<crate::wire::Constructor>) -> Payload {
    Payload::DeployContract(Box::new(DeployContractPayload { module: module.clone(), constructor }))
}

/// The right nonce and the usual fee.
fn transaction(world: &World, payload: Payload) -> Transaction {
    Transaction { nonce: world.account(SOURCE).nonce, ..unsigned(SOURCE, payload) }
}

/// Executes one transaction as a block of its own, in either mode of credit: waiting credits arrive at its end.
fn submit(world: &mut World, transaction: Transaction) -> Result<Receipt, TosError> {
    let mut base = world.state.clone();
    if world.config.credit_visibility == CreditVisibility::Deferred {
        for (key, value) in &world.state {
            if let (Key::Account(address), Some(pending)) = (key, deferred_base(Some(value))) {
                base.insert(Key::PendingCredit(*address), pending);
            }
        }
    }
    let signed = sign(SOURCE, transaction);
    let mut step = sequential::execute_one(&world.vm(), &signed, &base, &BTreeMap::new());
    let receipt = step.outcome.output;
    receipt.result?;
    merge_pending_credits(&mut step.changes, |key| Ok::<_, Infallible>(world.state.get(key).cloned())).unwrap();
    apply_changes(&mut world.state, step.changes);
    Ok(receipt)
}

fn contract_receipt(receipt: Receipt) -> ContractReceipt {
    *receipt.contract.expect("a receipt of a contract")
}

/// Calls, which must be accepted.
#[track_caller]
fn run(world: &mut World, payload: InvokeContractPayload) -> CallReceipt {
    let transaction = transaction(world, invoke(payload));
    let receipt = contract_receipt(submit(world, transaction).expect("the call is accepted"));
    receipt.call.expect("a receipt of the call")
}

/// Calls, which must succeed; what the contract returned.
#[track_caller]
fn returned(world: &mut World, payload: InvokeContractPayload) -> Vec<u8> {
    let receipt = run(world, payload);
    assert_eq!(receipt.end, CallEnd::Success);
    receipt.return_data
}

/// What the contract returned, as numbers of 8 bytes.
#[track_caller]
fn numbers(world: &mut World, payload: InvokeContractPayload) -> Vec<u64> {
    let bytes = returned(world, payload);
    assert_eq!(bytes.len() % 8, 0);
    bytes.chunks(8).map(|bytes| u64::from_le_bytes(bytes.try_into().unwrap())).collect()
}

/// A transaction that is rejected, and must change nothing.
#[track_caller]
fn rejected(world: &World, payload: Payload) -> TosError {
    rejected_transaction(world, transaction(world, payload))
}

#[track_caller]
fn rejected_transaction(world: &World, transaction: Transaction) -> TosError {
    let mut after = world.clone();
    let error = submit(&mut after, transaction).expect_err("it is rejected");
    assert_eq!(&after, world, "a failure changes nothing");
    error
}

/// What the source has paid since it had [`RICH`].
fn paid(world: &World) -> u64 {
    RICH - world.balance(SOURCE)
}

/// What is paid of gas besides the fee of the only transaction.
fn paid_gas(world: &World) -> u64 {
    paid(world) - FEE
}

/// The world as it is after a call of `before`'s that paid `gas` and left nothing else.
fn with_gas_paid(before: &World, gas: u64) -> World {
    use crate::state::Counter;
    let mut world = before.clone();
    world.edit(SOURCE, |account| {
        account.balance -= gas + FEE;
        account.nonce += 1;
    });
    let burned = gas * 30 / 100;
    for (counter, amount) in [(Counter::Fees, FEE), (Counter::GasBurned, burned)] {
        if amount > 0 {
            let sum = world.counter(counter) + amount;
            world.state.insert(Key::Counter(counter), Value::Counter(sum));
        }
    }
    world
}
