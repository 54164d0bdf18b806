//! Items 25 to 28: many tasks on one storage.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use weft_ledger::contract::samples::{Sample, many_reader};
use weft_ledger::state::{Account, Key, Value};
use weft_ledger::wire::Transaction;
use weft_ledger::{COIN, SignedTransaction, TosError};
use weft_node::executor::SharedState;
use weft_storage::{LatencyReader, StateReader, StorageError};

use super::common::contracts::*;
use super::common::*;
use super::succeed;

#[test]
fn item_25_an_account_that_appears_in_the_block_starts_at_nonce_0() {
    let start = state(&[(1, COIN)]);
    let block = |nonce| [tx(1, 0, pay(9, 3 * FEE)), tx(9, nonce, pay(1, 1)), tx(9, nonce + 1, pay(1, 1))];
    assert_eq!(account(&succeed(&start, &block(0)), 9).nonce, 2);
    assert_eq!(agree(rejecting(), &start, &block(1)).rejection, Some((1, TosError::NonceTooHigh)));
    // With deferred credits it exists in its block, but has nothing to spend (spec 7.2 c).
    assert_eq!(agree(deferred(rejecting()), &start, &block(0)).rejection, Some((1, TosError::InsufficientFee)));
}

/// Tasks were bounded by a semaphore there, and the rest of the block was lost when it closed. Here no executor has
/// one: threads are made once, and what a block can lose is transactions. Thousands at once, and not one is lost.
#[test]
fn item_26_a_huge_block_is_executed_whole() {
    let accounts: Vec<_> = (0..3000_u64)
        .map(|at| {
            let mut bytes = [0; 32];
            bytes[..8].copy_from_slice(&at.to_le_bytes());
            weft_ledger::Address(bytes)
        })
        .collect();
    let funded = Value::Account(Account { balance: COIN, ..Account::default() });
    let start: State = accounts.iter().map(|address| (Key::Account(*address), funded.clone())).collect();
    let transactions: Vec<_> =
        accounts.iter().map(|source| trusted(Transaction { source: *source, ..draft(0, 0, pay(1, 1)) })).collect();
    let block = agree(rejecting(), &start, &transactions);
    assert_eq!(block.totals.accepted, 3000);
    assert_eq!(balance(&after(&start, &block), 1), 3000);
}

/// A state behind a lock that writers take too, as of a storage that a block is being written to.
struct Contended(RwLock<State>, AtomicU64);

impl StateReader<Key, Value> for Contended {
    fn read(&self, key: &Key) -> Result<Option<Value>, StorageError> {
        let state = self.0.read().unwrap();
        self.1.fetch_add(1, Ordering::Relaxed);
        Ok(state.get(key).cloned())
    }
}

/// Reads, by calls of contracts among them, go on while somebody takes the storage's lock to write again and again:
/// who held the lock, or one that the writer waits for, from one read to the next would never end. (Views of a chain
/// whose blocks are being imported: `tests/chain.rs`.)
#[test]
fn item_27_no_lock_is_held_from_one_read_to_the_next() {
    let world = contract_world();
    let transactions = reading_block();
    let expected = agree(rejecting(), &world, &transactions);
    let contended = Arc::new(Contended(RwLock::new(world), AtomicU64::new(0)));
    let done = AtomicBool::new(false);
    let written = std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut written = 0_u64;
            while !done.load(Ordering::Acquire) {
                let mut state = contended.0.write().unwrap();
                // A key that no transaction of the block reads.
                state.insert(account_key(200), Value::Account(Account { nonce: written, ..Account::default() }));
                written += 1;
                drop(state);
                std::thread::yield_now();
            }
            written
        });
        let shared: SharedState = Arc::clone(&contended) as SharedState;
        let got = agree_on(rejecting(), &shared, &transactions);
        done.store(true, Ordering::Release);
        assert_eq!(got, expected);
        writer.join().unwrap()
    });
    assert!(written > 0 && contended.1.load(Ordering::Relaxed) > 0);
}

/// Calls that read the same values and write one each, and payments.
fn reading_block() -> Vec<SignedTransaction> {
    (1..=30_u64)
        .map(|seed| match seed % 2 {
            0 => tx(seed, 0, at(Sample::ManyReader, many_reader::store(0, 10, seed % 12))),
            _ => tx(seed, 0, pay(seed % 30 + 1, 5)),
        })
        .collect()
}

/// Reads were put in line there, by a semaphore of one permit. Here all workers read at once, the same keys and late,
/// and what one of them gets does not depend on the others.
#[test]
fn item_28_storage_is_read_by_all_workers_at_once() {
    let mut world = contract_world();
    for value in 0..10_u64 {
        put_bytes(&mut world, &id(Sample::ManyReader), &many_reader::value_key(value), &(value + 1).to_le_bytes());
    }
    let transactions = reading_block();
    let expected = agree(skipping(), &world, &transactions);
    assert_eq!(expected.totals.accepted, 30);
    // The first call sees what is stored only.
    assert_eq!(call(&expected, 1).return_data, many_reader::checksum(1..=10).to_le_bytes());
    for delay in [3, 60] {
        let late: SharedState = Arc::new(LatencyReader::new(MapReader(world.clone()), Duration::from_micros(delay)));
        assert_eq!(agree_on(skipping(), &late, &transactions), expected);
    }
}
