//! Storage that fails, or panics, in the middle of a call: the block has no result, the error names the transaction that
//! sequential execution names, and the next block finds everything as it was.

use std::sync::Arc;

use weft_engine::BlockError;
use weft_ledger::contract::samples::caller::{self, OnFailure};
use weft_ledger::contract::samples::{Sample, gas_burner, many_reader};
use weft_ledger::state::{Counter, Key};
use weft_ledger::{Address, SignedTransaction};
use weft_node::executor::{BlockExecutor, ExecuteError, ExecutorSettings, SequentialExecutor, SharedState};
use weft_storage::testing::FaultyReader;

use super::common::contracts::purse_input::Ends;
use super::common::contracts::*;
use super::common::faults::Panicking;
use super::common::*;

/// Calls that write, read, pay and call, and payments; from the tenth on they meet what cannot be read.
fn block() -> Vec<SignedTransaction> {
    let payload = |seed: u64| match seed % 4 {
        0 => at(Sample::ManyReader, many_reader::store(seed, 4, seed)),
        1 => at(Sample::GasBurner, gas_burner::write(seed, 5)),
        2 => at_purse(purse_input::pay(Ends::Well, &addr(60 + seed), seed)),
        _ => {
            let read = many_reader::read(seed, 2);
            at(Sample::Caller, caller::call(OnFailure::Ignore, &id(Sample::ManyReader), &read))
        }
    };
    (1..=30).map(|seed| tx(seed, 0, payload(seed))).collect()
}

/// Keys that calls need, and the first transaction in need of each.
fn needed() -> Vec<(&'static str, Key, usize)> {
    let value = |at: u64| slot(&id(Sample::ManyReader), &many_reader::value_key(at));
    vec![
        ("a value that a call reads", value(18), 15),
        ("a value that an inner call reads first", value(12), 10),
        ("a value that is only written", slot(&id(Sample::GasBurner), &gas_burner::value_key(13)), 12),
        ("a sum that is only added to", slot(&id(Sample::GasBurner), &gas_burner::sum_key(17)), 16),
        ("a module", Key::Contract(*purse().hash()), 1),
        ("the module of an inner call", Key::Contract(id(Sample::ManyReader)), 2),
        ("the account of a contract that pays", Key::Account(Address(purse().hash().0)), 1),
        ("an account that a contract pays", account_key(70), 9),
        ("the counter of the burned gas", Key::Counter(Counter::GasBurned), 0),
    ]
}

/// All executors, the sequential one first.
fn on_every_executor(settings: ExecutorSettings, mut check: impl FnMut(&str, &dyn BlockExecutor)) {
    check("sequential", &SequentialExecutor::new(settings));
    contenders(settings).iter().for_each(|(name, executor)| check(name, &**executor));
}

#[test]
fn a_storage_failure_in_a_call_names_the_same_transaction() {
    let world = contract_world();
    let transactions = block();
    let healthy: SharedState = Arc::new(MapReader(world.clone()));
    for settings in all_settings() {
        let expected = agree_on(settings, &healthy, &transactions);
        assert_eq!(expected.totals.accepted, 30);
        for (what, key, first) in needed() {
            on_every_executor(settings, |name, executor| {
                let faulty = Arc::new(FaultyReader::new(MapReader(world.clone())).failing_key(key));
                let state: SharedState = Arc::clone(&faulty) as SharedState;
                match executor.execute(&input(&transactions), &state) {
                    Err(ExecuteError::Block(BlockError::Storage { transaction, .. })) => {
                        assert_eq!(transaction, first, "{name}: {what}");
                    }
                    other => panic!("{name}: {what}: {other:?}"),
                }
                assert!(faulty.failures() > 0);
            });
        }
        on_every_executor(settings, |name, executor| {
            let next = executor.execute(&input(&transactions), &healthy).unwrap();
            assert_same(name, &comparable(&next), &expected);
        });
    }
}

#[test]
fn a_panic_of_the_storage_in_a_call_names_the_same_transaction() {
    let world = contract_world();
    let transactions = block();
    let healthy: SharedState = Arc::new(MapReader(world.clone()));
    for settings in [rejecting(), deferred(skipping())] {
        let expected = agree_on(settings, &healthy, &transactions);
        for (what, key, first) in needed() {
            let state: SharedState = Arc::new(Panicking::new(world.clone(), key));
            on_every_executor(settings, |name, executor| {
                match executor.execute(&input(&transactions), &state) {
                    Err(ExecuteError::Block(BlockError::Panicked { transaction, .. })) => {
                        assert_eq!(transaction, first, "{name}: {what}");
                    }
                    other => panic!("{name}: {what}: {other:?}"),
                }
                let next = executor.execute(&input(&transactions), &healthy).unwrap();
                assert_same(name, &comparable(&next), &expected);
            });
        }
    }
}

/// A failure that goes away: an error of the storage, or the result that there would have been; never another one.
#[test]
fn a_failure_that_goes_away_gives_an_error_or_the_result() {
    let world = contract_world();
    let transactions = block();
    let expected = agree(skipping(), &world, &transactions);
    for nth in [1, 2, 5, 9, 20, 33, 60, 90, 120] {
        on_every_executor(skipping(), |name, executor| {
            let state: SharedState = Arc::new(FaultyReader::new(MapReader(world.clone())).failing_nth(nth));
            match executor.execute(&input(&transactions), &state) {
                Ok(block) => assert_same(name, &comparable(&block), &expected),
                Err(ExecuteError::Block(BlockError::Storage { .. })) => {}
                Err(other) => panic!("{name}, read {nth}: {other:?}"),
            }
        });
    }
}
