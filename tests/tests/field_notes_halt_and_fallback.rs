//! Field notes, section 2, "Halt and fallback": bugs 14, 16 and 17 of other engines, as tests of this one. Bug 15
//! (storage) has a file of its own, `storage_faults.rs`.

use std::sync::Arc;

use parking_lot::Mutex;
use weft_engine::{AddError, BlockEnd, BlockError, BlockPolicy, Config, Engine, Mode, OnRejected, Outcome};
use weft_storage::testing::FaultyReader;
use weft_tests::gate::Stage;
use weft_tests::program::{Cell, HIGHEST, Key, Sum};
use weft_tests::quiet::{PROVOKED, quiet_panics};
use weft_tests::run::{MapState, config, run_on};
use weft_tests::script::{Script, Scripts, done, number, rejected, staged};

const SKIP: BlockPolicy = BlockPolicy { on_rejected: OnRejected::SkipInvalid, gas_limit: None };

/// Transactions that each use 10 gas and increment one key.
fn paying(length: usize) -> Vec<Script> {
    (0..length).map(|_| paying_one()).collect()
}

fn paying_one() -> Script {
    Script::new(|state| {
        let seen = number(state, 1)?;
        state.write(1, Cell(seen + 1));
        Ok(Outcome::applied(vec![seen], 10))
    })
}

/// Every number of workers with every unit length that matters for a block of ten.
fn shapes() -> impl Iterator<Item = (usize, usize)> {
    [1, 2, 4, 8].into_iter().flat_map(|threads| [1, 2, 3, 5, 10, 11].map(|unit_length| (threads, unit_length)))
}

/// Bug 14: a limit of 0, one that is met exactly, one that ends inside a unit, one that ends with the last
/// transaction, and none.
#[test]
fn a_gas_limit_ends_the_block_where_sequential_execution_ends_it() {
    for (threads, unit_length) in shapes() {
        for (limit, included) in [(0, 0), (9, 0), (10, 1), (55, 5), (89, 8), (90, 9), (99, 9), (100, 10), (101, 10)] {
            let policy = BlockPolicy { gas_limit: Some(limit), ..SKIP };
            let result = staged(threads, unit_length, &MapState::default(), policy, |_| paying(10)).result;
            let result = result.expect("a result");
            let end = if included == 10 { BlockEnd::Complete } else { BlockEnd::GasLimit { transaction: included } };
            assert_eq!((result.end, result.outcomes.len()), (end, included), "limit {limit}");
            assert_eq!(result.gas_used, 10 * included as u64, "limit {limit}");
            let changes: &[_] = if included == 0 { &[] } else { &[(1, Some(Cell(included as u64)))] };
            assert_eq!(result.changes, changes, "limit {limit}");
        }
    }
}

/// Bug 14: gas sums that leave the number's range neither wrap nor panic.
#[test]
fn a_gas_sum_beyond_its_range_is_treated_alike() {
    for limit in [Some(u64::MAX), Some(u64::MAX - 1), None] {
        for (threads, unit_length) in [(1, 1), (2, 1), (2, 3)] {
            let policy = BlockPolicy { gas_limit: limit, ..SKIP };
            let staged = staged(threads, unit_length, &MapState::default(), policy, |_| {
                (0..4).map(|_| Script::new(|_| Ok(Outcome::applied(vec![], u64::MAX / 2)))).collect()
            });
            assert!(staged.result.is_ok());
        }
    }
}

/// Bug 14: an empty block is a complete one, on every path and with every policy.
#[test]
fn an_empty_block_is_complete() {
    for (threads, unit_length) in shapes() {
        for gas_limit in [None, Some(0)] {
            for on_rejected in [OnRejected::SkipInvalid, OnRejected::RejectBlock] {
                let policy = BlockPolicy { on_rejected, gas_limit };
                let staged = staged(threads, unit_length, &MapState::default(), policy, |_| Vec::new());
                assert_eq!(staged.metrics().executions, 0);
                let result = staged.result.expect("a result");
                assert_eq!((result.end, result.outcomes.len()), (BlockEnd::Complete, 0));
            }
        }
    }
}

/// Bug 14: a block that is rejected by its first, by its last, and by a transaction in the middle of a unit. The
/// outcomes up to the reason are there, the changes are not, and whoever streamed saw what came before.
#[test]
fn a_rejecting_transaction_ends_the_block_wherever_it_stands() {
    for (threads, unit_length) in shapes() {
        for guilty in [0, 1, 4, 9] {
            let staged = staged(threads, unit_length, &MapState::default(), BlockPolicy::default(), |_| {
                let mut block = paying(10);
                block[guilty] = Script::new(|state| {
                    let seen = number(state, 1)?;
                    state.write(1, Cell(900));
                    rejected([seen])
                });
                block
            });
            let result = staged.result.expect("a result");
            assert_eq!(result.end, BlockEnd::Rejected { transaction: guilty });
            assert_eq!(result.outcomes.last(), Some(&Outcome::rejected(vec![guilty as u64])));
            assert_eq!(result.streamed, (0..guilty).collect::<Vec<_>>());
            assert_eq!(result.changes, []);
        }
    }
}

/// Bug 14 with units: what stands behind the block's end in the same unit is no part of the block, so it cannot make
/// the block fail. Sequential execution never comes to it.
#[test]

fn a_panic_behind_the_end_of_the_block_is_nobodys_business() {
    quiet_panics();
    for unit_length in [1, 2, 3] {
        let panicking = || Script::new(|_| panic!("{PROVOKED}"));
        for threads in [1, 2] {
            staged(threads, unit_length, &MapState::default(), BlockPolicy::default(), |_| {
                vec![Script::new(|_| rejected([])), panicking()]
            });
            let limited = BlockPolicy { gas_limit: Some(15), ..SKIP };
            staged(threads, unit_length, &MapState::default(), limited, |_| {
                vec![paying_one(), paying_one(), panicking()]
            });
        }
    }
}

/// Strange numbers in the configuration mean the nearest sensible ones.
#[test]
fn a_configuration_of_zeros_executes_a_block() {
    let zeros = Config {
        max_parallel_threads: 0,
        unit_length: 0,
        min_transactions_for_parallel: 0,
        ..config(Mode::Optimistic, 0, 0)
    };
    for mode in [Mode::Sequential, Mode::Optimistic, Mode::Auto] {
        for block in [0, 1, 20] {
            let engine = Engine::new(Config { mode, ..zeros.clone() });
            let result = run_on(&engine, &Scripts, &MapState::default(), &paying(block), SKIP).expect("a result");
            assert_eq!(result.outcomes.len(), block, "{mode:?}");
        }
    }
}

/// Bug 16: the paths are configured in one place; whatever the policy is, all of them apply it alike.
#[test]
fn every_path_applies_the_same_policy() {
    let base = config(Mode::Auto, 4, 1);
    let paths = [
        Config { mode: Mode::Optimistic, ..base.clone() },
        Config { mode: Mode::Optimistic, unit_length: 7, ..base.clone() },
        Config { min_transactions_for_parallel: 1, ..base.clone() },
        Config { min_transactions_for_parallel: 1000, ..base.clone() },
        Config { enable_parallel_execution: false, ..base.clone() },
        Config { max_parallel_threads: 1, ..base.clone() },
        Config { hottest_keys: 3, mode: Mode::Optimistic, ..base.clone() },
    ];
    let block = || {
        let mut block = paying(30);
        block[11] = Script::new(|_| rejected([11]));
        block[23] = Script::new(|_| rejected([23]));
        block
    };
    for on_rejected in [OnRejected::SkipInvalid, OnRejected::RejectBlock] {
        for gas_limit in [None, Some(0), Some(100), Some(110), Some(200), Some(279), Some(280)] {
            let policy = BlockPolicy { on_rejected, gas_limit };
            let run = |config: &Config| {
                run_on(&Engine::new(config.clone()), &Scripts, &MapState::default(), &block(), policy)
            };
            let expected = run(&Config { mode: Mode::Sequential, ..base.clone() });
            assert!(expected.is_ok());
            for path in &paths {
                assert_eq!(run(path), expected, "{path:?}, {policy:?}");
            }
        }
    }
}

/// Bug 17: what cannot run speculatively costs itself, not the block. One delta leaves its range in the middle; only
/// its transaction is executed again, on final values, and what stands around it is executed once.
#[test]
fn a_transaction_that_cannot_run_speculatively_does_not_cost_the_block() {
    for threads in [1, 2, 4, 8] {
        let state: MapState<Key, Cell> = [(1, Cell(HIGHEST as u64 - 99))].into_iter().collect();
        let staged = staged(threads, 1, &state, SKIP, |_| {
            (0..200u16)
                .map(|i| {
                    // The hundredth addition does not fit; every other one is a subtraction behind it.
                    let by = if i < 100 { 1 } else { -1 };
                    Script::new(move |state| {
                        state.write(1000 + i, Cell(1));
                        match state.add(1, Sum::of(by)) {
                            Ok(()) => done([0]),
                            Err(AddError::OutOfBounds) => rejected([1]),
                            Err(AddError::Stop(stop)) => Err(stop),
                        }
                    })
                })
                .collect()
        });
        let metrics = staged.metrics();
        assert_eq!(metrics.frontier_executions, 1, "threads {threads}: {metrics:?}");
        assert_eq!(metrics.executions, 200, "threads {threads}: {metrics:?}");
        assert_eq!(staged.log(99), [1], "the hundredth is the one that sequential execution refuses");
    }
}

/// Bug 17: a transaction that is invalid where it stands (a bad nonce) is an outcome with its reason, not an error
/// of the block; the others go on.
#[test]
fn an_invalid_transaction_is_a_typed_outcome() {
    for (threads, unit_length) in shapes() {
        // Nonces of one sender: transaction 4 repeats one, transaction 7 leaves a gap.
        let nonces = [0, 1, 2, 3, 3, 4, 5, 9, 6, 7];
        let staged = staged(threads, unit_length, &MapState::default(), SKIP, |_| {
            nonces
                .map(|nonce| {
                    Script::new(move |state| {
                        let expected = number(state, 1)?;
                        if nonce != expected {
                            return rejected([nonce, expected]);
                        }
                        state.write(1, Cell(expected + 1));
                        done([nonce])
                    })
                })
                .into()
        });
        assert_eq!((staged.log(4), staged.log(7)), (&[3, 4][..], &[9, 6][..]));
        let result = staged.result.expect("a result");
        let invalid = result.outcomes.iter().enumerate().filter(|(_, o)| **o == Outcome::rejected(o.output.clone()));
        assert_eq!(invalid.map(|(i, _)| i).collect::<Vec<_>>(), [4, 7]);
        assert_eq!(result.changes, [(1, Some(Cell(8)))]);
    }
}

/// A machine that swallows the engine's stop is overruled: what it makes of it does not count.
#[test]
fn a_swallowed_stop_does_not_become_a_result() {
    for threads in [2, 4] {
        let staged = staged(threads, 1, &MapState::default(), SKIP, |stage: Stage| {
            let (announced, asked) = (stage.gate(), stage.gate());
            let (open, seen) = (Arc::clone(&announced), Arc::clone(&asked));
            vec![
                Script::new(move |state| {
                    open.signal();
                    seen.wait();
                    state.write(1, Cell(7));
                    done([])
                })
                .hinting([1]),
                Script::new(move |state| {
                    announced.wait();
                    let value = number(state, 1);
                    asked.signal();
                    done([value.unwrap_or(99)])
                }),
            ]
        });
        assert_eq!(staged.log(1), [7]);
        assert_eq!(staged.begun[1], 2, "its first execution read an announcement");
    }
}

/// A machine that returns a stop which nobody gave it in this execution breaks its contract: an error that names the
/// transaction on every path, never a hang.
#[test]
fn a_forged_stop_is_an_error_of_the_block() {
    let vault = Arc::new(Mutex::new(Vec::new()));
    // A read that fails gives a stop; this transaction keeps some for later.
    let thief = Arc::clone(&vault);
    let thief = Script::new(move |state| {
        thief.lock().extend((0..16).filter_map(|_| state.read(&1).err()));
        done([])
    });
    let broken = FaultyReader::new(MapState::default()).failing_key(1);
    let sequential = Engine::new(config(Mode::Sequential, 1, 1));
    assert!(run_on(&sequential, &Scripts, &broken, &[thief], SKIP).is_err(), "the storage failed");

    for (mode, threads, unit_length) in
        [(Mode::Sequential, 1, 1), (Mode::Optimistic, 1, 1), (Mode::Optimistic, 2, 1), (Mode::Optimistic, 2, 3)]
    {
        let forger = Arc::clone(&vault);
        let block = [Script::nothing(), Script::new(move |_| Err(forger.lock().pop().expect("sixteen are enough")))];
        let engine = Engine::new(config(mode, threads, unit_length));
        let result = engine.execute_block(&Scripts, &MapState::default(), &block, SKIP);
        assert!(matches!(result, Err(BlockError::Stopped { transaction: 1 })), "{mode:?} {threads} {unit_length}");
    }
}
