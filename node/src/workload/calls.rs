//! Calls within the mixture of everything: every entry of every sample contract, and the ways in which calls fail.

use rand::RngExt;
use rand_chacha::ChaCha12Rng;
use weft_ledger::Hash;
use weft_ledger::contract::Module;
use weft_ledger::contract::samples::{Sample, amm, caller, counter, gas_burner, many_reader, nft_mint, token, worker};
use weft_ledger::state::{Key, Value};
use weft_ledger::wire::{Deposit, Payload};

use super::accounts::Accounts;
use super::contracts::{deployed, id, payload, pools, stored, swap, token_of, work_gas};
use crate::chain::Genesis;

/// Pools, and counters of either kind.
const POOLS: u64 = 8;
/// Values of the many reader.
const VALUES: u64 = 100;
/// What the account before an account lets it take of its tokens.
const ALLOWANCE: u64 = 1_000_000;
/// Iterations of the worker.
const WORK: std::ops::Range<u64> = 50..1000;
/// An entry that no sample has.
const NO_ENTRY: u8 = 200;

/// A module with the head of an ELF file and nothing behind it: every call traps.
fn broken() -> Module {
    Module::new(*b"\x7fELF, but no program")
}

/// All samples, and what they hold.
pub(super) fn genesis(accounts: &Accounts, genesis: &mut Genesis) {
    token_of(accounts, genesis);
    pools(POOLS, genesis);
    let rest = Sample::ALL.into_iter().filter(|sample| !matches!(sample, Sample::Token | Sample::Amm));
    genesis.extend(rest.map(deployed));
    let broken = broken();
    genesis.push((Key::Contract(*broken.hash()), Value::Contract(broken)));
    let count = accounts.len();
    for at in 0..count {
        let (owner, spender) = (accounts.address(at), accounts.address((at + 1) % count));
        let key = token::allowance_key(&owner, &spender);
        genesis.push(stored(Sample::Token, &key, &ALLOWANCE.to_le_bytes()));
        // Everybody has the thing of its own number: one can be given away without looking for it.
        genesis.push(stored(Sample::NftMint, &nft_mint::owner_key(at as u64), &owner.0));
    }
    genesis.push(stored(Sample::NftMint, &nft_mint::next_key(), &(count as u64).to_le_bytes()));
    for value in 0..VALUES {
        genesis.push(stored(Sample::ManyReader, &many_reader::value_key(value), &value.to_le_bytes()));
    }
}

/// Draws a call of `source`. `deployed` are contracts that this block has deployed, `serial` is no other call's.
pub(super) fn draw(
    accounts: &Accounts,
    source: usize,
    deployed: &[Hash],
    serial: u64,
    random: &mut ChaCha12Rng,
) -> Payload {
    let drawn = random.random_range(0..100_u32);
    if drawn < 4 {
        let contract = match deployed {
            [] => *broken().hash(),
            some => some[random.random_range(0..some.len())],
        };
        return payload(contract, Vec::new(), 1000);
    }
    let (sample, input, max_gas) = match drawn {
        4..34 => token_call(accounts, source, random),
        34..54 => amm_call(serial, random),
        54..62 => number_call(Sample::Counter, random),
        62..72 => number_call(Sample::AddCounter, random),
        72..78 => nft_call(accounts, source, random),
        78..80 => gas_burner_call(random),
        80..86 => reader_call(random),
        86..92 => caller_call(random),
        92..99 => {
            let iterations = random.random_range(WORK);
            (Sample::Worker, worker::work(iterations), work_gas(iterations))
        }
        _ => (Sample::ALL[random.random_range(0..Sample::ALL.len())], vec![NO_ENTRY], 1000),
    };
    let mut payload = payload(id(sample), input, max_gas);
    if let Payload::InvokeContract(call) = &mut payload
        && random.random_range(0..16) == 0
    {
        // Comes back where the call fails.
        call.deposits.push(Deposit { asset: Hash::default(), amount: 1000 });
    }
    payload
}

type Call = (Sample, Vec<u8>, u64);

fn token_call(accounts: &Accounts, source: usize, random: &mut ChaCha12Rng) -> Call {
    let count = accounts.len();
    let to = accounts.address(random.random_range(0..count));
    let amount = random.random_range(1..100);
    let (input, max_gas) = match random.random_range(0..20) {
        0..12 => (token::transfer(&to, amount), 12_500),
        // More than there is.
        12 => (token::transfer(&to, u64::MAX), 12_500),
        13 => (token::approve(&to, amount), 6_500),
        14 | 15 => {
            let from = accounts.address((source + count - 1) % count);
            (token::transfer_from(&from, &to, amount), 19_000)
        }
        16 => (token::balance_of(&to), 1_500),
        17 => (token::allowance(&to, &accounts.address(source)), 1_500),
        // Only the owner may: nearly always a refusal.
        18 => (token::mint(&to, amount), 18_000),
        _ if amount % 2 == 0 => (token::total_supply(), 1_500),
        _ => (token::owner(), 1_500),
    };
    (Sample::Token, input, max_gas)
}

fn amm_call(serial: u64, random: &mut ChaCha12Rng) -> Call {
    // Half of them in one pool.
    let pool = if random.random() { 0 } else { random.random_range(1..POOLS) };
    let (input, max_gas) = match random.random_range(0..20) {
        0..15 => (swap(pool, random), 14_500),
        // No pool gives so much.
        15 | 16 => (amm::swap(pool, amm::Direction::AToB, 1000, u64::MAX), 14_500),
        17 => (amm::reserves(pool), 2_500),
        18 => (amm::init(serial, 1_000_000, 2_000_000), 11_500),
        // It exists.
        _ => (amm::init(pool, 1, 1), 11_500),
    };
    (Sample::Amm, input, max_gas)
}

fn number_call(sample: Sample, random: &mut ChaCha12Rng) -> Call {
    let id = random.random_range(0..POOLS);
    match random.random_range(0..12) {
        0 => (sample, counter::get(id), 1_500),
        1 => (sample, counter::increment(id, u64::MAX), 6_500),
        _ => (sample, counter::increment(id, random.random_range(1..1000)), 6_500),
    }
}

fn nft_call(accounts: &Accounts, source: usize, random: &mut ChaCha12Rng) -> Call {
    let other = random.random_range(0..accounts.len());
    let to = accounts.address(other);
    let (input, max_gas) = match random.random_range(0..6) {
        0..3 => (nft_mint::mint(&to), 13_000),
        // To itself: so it is always there to be given away.
        3 => (nft_mint::transfer(source as u64, &accounts.address(source)), 8_000),
        // Somebody else's.
        4 => (nft_mint::transfer(other as u64, &to), 8_000),
        _ => (nft_mint::owner_of(other as u64), 1_500),
    };
    (Sample::NftMint, input, max_gas)
}

fn gas_burner_call(random: &mut ChaCha12Rng) -> Call {
    let (id, value) = (random.random_range(0..POOLS), random.random_range(1..1000));
    if random.random() {
        (Sample::GasBurner, gas_burner::burn(id, value), 12_000)
    } else {
        (Sample::GasBurner, gas_burner::write(id, value), 12_000)
    }
}

fn reader_call(random: &mut ChaCha12Rng) -> Call {
    let first = random.random_range(0..VALUES);
    let (input, max_gas) = match random.random_range(0..6) {
        0..3 => (many_reader::read(first, 10), 12_000),
        3 => (many_reader::store(first, 10, random.random_range(0..VALUES)), 17_000),
        4 => (many_reader::read(first, many_reader::MOST + 1), 1_500),
        _ => (many_reader::set(first, random.random_range(1..1000)), 5_500),
    };
    (Sample::ManyReader, input, max_gas)
}

fn caller_call(random: &mut ChaCha12Rng) -> Call {
    use caller::OnFailure::{Ignore, Propagate};
    let increment = counter::increment(random.random_range(0..POOLS), 1);
    let (input, max_gas) = match random.random_range(0..6) {
        0 => (caller::call(Ignore, &id(Sample::Counter), &increment), 30_000),
        1 => (caller::call(Propagate, &id(Sample::AddCounter), &increment), 30_000),
        2 => (caller::call_self(Ignore, &[]), 23_000),
        // The callee refuses, and either nobody minds, or the whole call fails.
        3 => (caller::call(Ignore, &id(Sample::Counter), &[NO_ENTRY]), 25_000),
        4 => (caller::call(Propagate, &id(Sample::Counter), &[NO_ENTRY]), 25_000),
        // The callee uses up the caller's gas with its own.
        _ => (caller::call(Ignore, &id(Sample::GasBurner), &gas_burner::burn(0, 1)), 33_000),
    };
    (Sample::Caller, input, max_gas)
}
