//! Storage that fails or panics, and machines that panic (field notes, bugs 11 and 15): a failure counts where
//! sequential execution meets it, names the same transaction, and breaks nothing for the next block.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use weft_engine::{BlockError, BlockPolicy, Engine, Mode, OnRejected};
use weft_storage::testing::FaultyReader;
use weft_storage::{StateReader, StorageError};
use weft_tests::program::{Cell, Key};
use weft_tests::quiet::{PROVOKED, quiet_panics};
use weft_tests::run::{MapState, config, run_on, run_with_metrics};
use weft_tests::script::{Run, Script, Scripts, add, after_all_others, done, number, rejected, staged};

const SKIP: BlockPolicy = BlockPolicy { on_rejected: OnRejected::SkipInvalid, gas_limit: None };
/// The key that cannot be read.
const BAD: Key = 666;

fn shapes() -> impl Iterator<Item = (Mode, usize, usize)> {
    let sequential = [(Mode::Sequential, 1, 1)];
    let parallel =
        [1, 2, 4, 8].into_iter().flat_map(|threads| [1, 3, 16].map(|unit| (Mode::Optimistic, threads, unit)));
    let alternating = [(Mode::Auto, 2, 1), (Mode::Auto, 4, 3)];
    sequential.into_iter().chain(parallel).chain(alternating)
}

fn faulty() -> FaultyReader<Key, MapState<Key, Cell>> {
    FaultyReader::new(MapState::default()).failing_key(BAD)
}

fn chain(length: usize) -> Vec<Script> {
    (0..length)
        .map(|_| {
            Script::new(|state| {
                let seen = number(state, 1)?;
                state.write(1, Cell(seen + 1));
                done([seen])
            })
        })
        .collect()
}

/// Makes the transaction at fault.
type Touch = fn() -> Script;

/// What the transaction at fault does with the key.
fn touches() -> [(&'static str, Touch); 5] {
    [
        ("reads it", || Script::new(|state| done([number(state, BAD)?]))),
        ("adds to it", || {
            Script::new(|state| {
                add(state, BAD, 1)?;
                done([])
            })
        }),
        ("reads it and is rejected", || {
            Script::new(|state| {
                number(state, BAD)?;
                rejected([])
            })
        }),
        ("reads it and swallows the stop", || Script::new(|state| done([number(state, BAD).unwrap_or(5)]))),
        ("depends on what was there", || {
            Script::new(|state| {
                let key = if number(state, 1)? == 20 { BAD } else { 7 };
                done([number(state, key)?])
            })
        }),
    ]
}

/// Bug 15: a key that the block needs fails permanently: an error that names the first transaction in need of it, the
/// same on every path; the engine executes the next block.
#[test]
fn a_permanent_failure_names_the_transaction_that_sequential_execution_names() {
    for (mode, threads, unit_length) in shapes() {
        let engine = Engine::new(config(mode, threads, unit_length));
        for (what, touch) in touches() {
            let mut block = chain(40);
            // Several stand in line: the first one counts.
            for at in [20, 21, 35] {
                block[at] = touch();
            }
            let reader = faulty();
            match engine.execute_block(&Scripts, &reader, &block, SKIP) {
                Err(BlockError::Storage { transaction, source: StorageError::Backend { backend: "faulty", .. } }) => {
                    assert_eq!(transaction, 20, "{what}: {mode:?}, threads {threads}, units of {unit_length}");
                }
                other => panic!("{what}: {mode:?}, threads {threads}, units of {unit_length}: {other:?}"),
            }
            assert!(reader.failures() > 0);
            let next = run_on(&engine, &Scripts, &MapState::default(), &chain(40), SKIP).expect("the next block");
            assert_eq!(next.changes, [(1, Some(Cell(40)))]);
        }
    }
}

/// A key that is written without being read fails: sequential execution reads it before it writes, so the transaction
/// at fault is the writer.
#[test]

fn a_failing_key_that_is_only_written_fails_alike_on_every_path() {
    let writes: [Touch; 3] = [
        || {
            Script::new(|state| {
                state.write(BAD, Cell(1));
                done([])
            })
        },
        || {
            Script::new(|state| {
                state.delete(BAD);
                done([])
            })
        },
        || {
            Script::new(|state| {
                state.write(BAD, Cell(1));
                rejected([])
            })
        },
    ];
    // The text of an error names the read that failed, which speculation counts as well.
    let run = |engine: &Engine<Scripts>, touch: Touch| {
        let mut block = chain(10);
        block[5] = touch();
        match run_with_metrics(engine, &Scripts, &faulty(), &block, SKIP) {
            Ok((result, _)) => Ok(result),
            Err(BlockError::Storage { transaction, .. }) => Err(transaction),
            Err(other) => panic!("an error without a transaction: {other}"),
        }
    };
    for touch in writes {
        let expected = run(&Engine::new(config(Mode::Sequential, 1, 1)), touch);
        assert_eq!(expected.as_ref().err(), Some(&5));
        for (mode, threads, unit_length) in shapes() {
            let result = run(&Engine::new(config(mode, threads, unit_length)), touch);
            assert_eq!(result, expected, "{mode:?}, threads {threads}, units of {unit_length}");
        }
    }
}

/// Bug 15, the other side: a failure that only speculation meets is no failure of the block. Each transaction behind
/// the first reads the bad key unless it sees what the first one writes, and the first one writes last.
#[test]
fn a_failure_that_only_speculation_meets_does_not_fail_the_block() {
    for threads in [2, 4, 8] {
        let reader = faulty();
        let staged = staged(threads, 1, &reader, SKIP, |stage| {
            let others = (0..10).map(|i| -> Box<Run> {
                Box::new(move |state| {
                    let key = if number(state, 1)? == 0 { BAD } else { 7 };
                    if i % 2 == 0 {
                        number(state, key)?
                    } else {
                        add(state, key, 1).map(|()| 0)?
                    };
                    done([u64::from(key)])
                })
            });
            let late = |state: &mut weft_tests::script::View<'_>| {
                state.write(1, Cell(1));
                Ok(())
            };
            after_all_others(stage, late, others.collect())
        });
        assert_eq!(reader.failures(), 10, "each of them had met the failure once");
        assert!((1..11).all(|i| staged.log(i) == [7]));
    }
}

/// A failure that goes away: whether it fails the block depends on who meets it, but nothing else can come out than an
/// error of the storage or the sequential result.
#[test]
fn a_transient_failure_gives_an_error_or_the_sequential_result() {
    let block = || {
        (0..30u16)
            .map(|i| {
                Script::new(move |state| {
                    let seen = number(state, i % 7)?;
                    state.write((i + 1) % 7, Cell((seen + 1) % 100));
                    add(state, 100 + i % 3, 1)?;
                    done([seen])
                })
            })
            .collect::<Vec<_>>()
    };
    let sequential = Engine::new(config(Mode::Sequential, 1, 1));
    let expected = run_on(&sequential, &Scripts, &MapState::default(), &block(), SKIP).expect("a result");
    for (mode, threads, unit_length) in shapes().skip(1) {
        let engine = Engine::new(config(mode, threads, unit_length));
        for nth in 1..=11 {
            let reader = FaultyReader::new(MapState::default()).failing_nth(nth);
            match run_on(&engine, &Scripts, &reader, &block(), SKIP) {
                Ok(result) => assert_eq!(result, expected, "failing read {nth}"),
                Err(error) => assert!(error.contains("faulty"), "failing read {nth}: {error}"),
            }
        }
        // A read that failed is asked for again: nothing remembers the failure.
        let healed = run_on(&engine, &Scripts, &MapState::default(), &block(), SKIP);
        assert_eq!(healed.as_ref(), Ok(&expected));
        return_to_the_same_result(&engine);
    }
}

fn return_to_the_same_result(engine: &Engine<Scripts>) {
    let next = run_on(engine, &Scripts, &MapState::default(), &chain(10), SKIP).expect("the next block");
    assert_eq!(next.changes, [(1, Some(Cell(10)))]);
}

/// Bug 11: a machine that panics: the error names the transaction of the sequential order, also where that
/// transaction's panic depends on what the others have written.
#[test]
fn a_panic_names_the_transaction_that_sequential_execution_names() {
    quiet_panics();
    for (mode, threads, unit_length) in shapes() {
        let mut block: Vec<Script> = (0..60)
            .map(|i| {
                Script::new(move |state| {
                    let seen = number(state, 1)?;
                    // The one that finds 31 panics; speculation finds many things.
                    assert_ne!(seen, 31, "{PROVOKED}");
                    if i % 3 != 0 {
                        state.write(1, Cell(seen + 1));
                    }
                    done([seen])
                })
            })
            .collect();
        // Two of three count: 31 is reached behind transaction 46 (1, 2, 4, 5, ... 46), and 47 is the next to look.
        block.truncate(55);
        let engine = Engine::new(config(mode, threads, unit_length));
        match engine.execute_block(&Scripts, &MapState::default(), &block, SKIP) {
            Err(BlockError::Panicked { transaction: 47, message }) => assert!(message.contains(PROVOKED)),
            other => panic!("{mode:?}, threads {threads}, units of {unit_length}: {other:?}"),
        }
        return_to_the_same_result(&engine);
    }
}

/// A reader that panics on one key.
struct Panicking;

impl StateReader<Key, Cell> for Panicking {
    fn read(&self, key: &Key) -> Result<Option<Cell>, StorageError> {
        assert_ne!(*key, BAD, "{PROVOKED} by the storage");
        Ok(None)
    }
}

/// A reader that panics under a transaction looks like a machine that panics: the same error on every path, nobody is
/// left waiting for the value, and the engine goes on.
#[test]
fn a_panic_of_the_storage_is_an_error_of_the_transaction_that_reads() {
    quiet_panics();
    for (mode, threads, unit_length) in shapes() {
        let engine = Engine::new(config(mode, threads, unit_length));
        for (what, touch) in touches().into_iter().take(3) {
            let mut block = chain(40);
            for at in [20, 21, 35] {
                block[at] = touch();
            }
            match engine.execute_block(&Scripts, &Panicking, &block, SKIP) {
                Err(BlockError::Panicked { transaction: 20, message }) => assert!(message.contains("by the storage")),
                other => panic!("{what}: {mode:?}, threads {threads}, units of {unit_length}: {other:?}"),
            }
            return_to_the_same_result(&engine);
        }
    }
}

/// A reader that panics while the block's changes are compared with the state before it: the panic may reach the
/// caller, but it must not take the engine with it.
#[test]
fn a_panic_of_the_storage_behind_the_last_transaction_leaves_the_engine_usable() {
    quiet_panics();
    for (mode, threads, unit_length) in shapes() {
        let engine = Arc::new(Engine::new(config(mode, threads, unit_length)));
        let block = [Script::new(|state| {
            state.write(BAD, Cell(1));
            done([])
        })];
        let result = catch_unwind(AssertUnwindSafe(|| engine.execute_block(&Scripts, &Panicking, &block, SKIP)));
        assert!(!matches!(result, Ok(Ok(_))), "the old value was never known");
        return_to_the_same_result(&engine);
    }
}
