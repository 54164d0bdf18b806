//! Workloads of contract calls: the contracts and what they hold at first, and one call after another.

use rand::RngExt;
use rand_chacha::ChaCha12Rng;
use weft_ledger::Hash;
use weft_ledger::contract::samples::{Sample, amm, counter, token, worker};
use weft_ledger::state::{Key, StorageValue, Value, storage_slot};
use weft_ledger::wire::{FeeType, InvokeContractPayload, Payload, ValueCell};

use super::accounts::Accounts;
use super::{Draft, FEE, Workload, two_of};
use crate::chain::Genesis;

/// What each of both reserves of a pool is at first: so much that swaps hardly move the price.
pub(super) const RESERVE: u64 = 1_000_000_000_000;
/// What each account has of the token at first.
pub(super) const TOKENS: u64 = 1_000_000_000;

/// Gas that a call of the worker needs, and what each iteration adds.
const WORK_GAS: (u64, u64) = (6_500, 7);

/// The id of a sample: the ledger's default rule.
pub(super) fn id(sample: Sample) -> Hash {
    *sample.module().hash()
}

/// A call with this input.
pub(super) fn payload(contract: Hash, input: Vec<u8>, max_gas: u64) -> Payload {
    let parameters = vec![ValueCell::Bytes(input)];
    Payload::InvokeContract(Box::new(InvokeContractPayload {
        contract,
        deposits: Vec::new(),
        entry_id: 0,
        max_gas,
        parameters,
    }))
}

/// Gas for so many iterations of the worker.
pub(super) const fn work_gas(iterations: u64) -> u64 {
    WORK_GAS.0 + WORK_GAS.1 * iterations
}

/// A contract that the chain begins with.
pub(super) fn deployed(sample: Sample) -> (Key, Value) {
    (Key::Contract(id(sample)), Value::Contract(sample.module()))
}

/// What a contract's storage begins with.
pub(super) fn stored(sample: Sample, key: &[u8], value: &[u8]) -> (Key, Value) {
    (Key::Storage(storage_slot(&id(sample), key)), Value::Storage(StorageValue::new(value)))
}

/// A token of which every account has the same; the first one is the owner.
pub(super) fn token_of(accounts: &Accounts, genesis: &mut Genesis) {
    let supply = TOKENS * accounts.len() as u64;
    genesis.push(deployed(Sample::Token));
    genesis.push(stored(Sample::Token, &token::owner_key(), &accounts.address(0).0));
    genesis.push(stored(Sample::Token, &token::supply_key(), &supply.to_le_bytes()));
    let balance = TOKENS.to_le_bytes();
    genesis.extend(accounts.addresses().map(|of| stored(Sample::Token, &token::balance_key(&of), &balance)));
}

/// Pools, numbered from 0.
pub(super) fn pools(count: u64, genesis: &mut Genesis) {
    genesis.push(deployed(Sample::Amm));
    let reserve = RESERVE.to_le_bytes();
    for pool in 0..count {
        genesis.push(stored(Sample::Amm, &amm::reserve_a_key(pool), &reserve));
        genesis.push(stored(Sample::Amm, &amm::reserve_b_key(pool), &reserve));
    }
}

/// A swap in either direction.
pub(super) fn swap(pool: u64, random: &mut ChaCha12Rng) -> Vec<u8> {
    let direction = if random.random() { amm::Direction::AToB } else { amm::Direction::BToA };
    amm::swap(pool, direction, random.random_range(1000..100_000), 1)
}

/// The contracts of a workload, and what they hold.
pub(super) fn genesis(workload: Workload, accounts: &Accounts, genesis: &mut Genesis) {
    match workload {
        Workload::ContractIndependent { .. } => genesis.push(deployed(Sample::Worker)),
        Workload::ContractToken { .. } => token_of(accounts, genesis),
        // The hot one, and one for each account.
        Workload::ContractPool { hot_percent: 100 } => pools(1, genesis),
        Workload::ContractPool { .. } => pools(accounts.len() as u64 + 1, genesis),
        Workload::ContractCounter => genesis.push(deployed(Sample::Counter)),
        Workload::ContractAdd => genesis.push(deployed(Sample::AddCounter)),
        _ => {}
    }
}

/// Call number `at` of a block of one of these workloads.
pub(super) fn draft(workload: Workload, accounts: &mut Accounts, at: usize, random: &mut ChaCha12Rng) -> Draft {
    let (source, contract, input, max_gas) = match workload {
        Workload::ContractIndependent { iterations } => {
            (at, Sample::Worker, worker::work(iterations), work_gas(iterations))
        }
        Workload::ContractToken { accounts: count } => {
            let (from, to) = two_of(count, || random.random_range(0..count));
            let input = token::transfer(&accounts.address(to), random.random_range(1..100));
            (from, Sample::Token, input, 12_500)
        }
        Workload::ContractPool { hot_percent } => {
            let is_hot = random.random_range(0..100) < hot_percent;
            let pool = if is_hot { 0 } else { at as u64 + 1 };
            (at, Sample::Amm, swap(pool, random), 14_500)
        }
        Workload::ContractAdd => (at, Sample::AddCounter, counter::increment(0, 1), 5_500),
        _ => (at, Sample::Counter, counter::increment(0, 1), 6_500),
    };
    accounts.draft(source, payload(id(contract), input, max_gas), FEE, FeeType::Tos)
}
