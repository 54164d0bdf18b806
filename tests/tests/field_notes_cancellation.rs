//! Field notes, section 2, "Deadlock, cancellation, panic": bugs 8 to 13 of other engines, as tests of this one.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use weft_engine::{AddError, BlockEnd, BlockPolicy, Engine, Mode, OnRejected, Outcome, WorkerPool};
use weft_tests::gate::Stage;
use weft_tests::program::{Cell, HIGHEST, Key, Sum};
use weft_tests::quiet::{PROVOKED, quiet_panics};
use weft_tests::run::{MapState, config, run_on};
use weft_tests::script::{Script, Scripts, done, number, rejected, staged};
use weft_tests::watchdog::must_end;

const SKIP: BlockPolicy = BlockPolicy { on_rejected: OnRejected::SkipInvalid, gas_limit: None };

/// `length` transactions that all increment one key, with hints.
fn hinted_chain(length: usize) -> Vec<Script> {
    (0..length)
        .map(|_| {
            Script::new(|state| {
                let seen = number(state, 1)?;
                state.write(1, Cell(seen + 1));
                done([seen])
            })
            .hinting([1])
        })
        .collect()
}

/// Bug 8: a virtual machine that is parallel inside must not end up waiting for itself. It spawns threads, and it
/// runs jobs on a pool of workers that all transactions share.
#[test]
fn a_machine_that_is_parallel_inside_does_not_wait_for_itself() {
    must_end(|| {
        let inner = Arc::new(WorkerPool::new(3));
        for threads in [1, 2, 4] {
            staged(threads, 1, &MapState::default(), BlockPolicy::default(), |_| {
                (0..40u16)
                    .map(|i| {
                        let inner = Arc::clone(&inner);
                        Script::new(move |state| {
                            let seen = number(state, i % 5)?;
                            let spawned = std::thread::scope(|scope| {
                                let parts = [1, 2, 3].map(|part| scope.spawn(move || part * seen));
                                parts.into_iter().map(|part| part.join().expect("no part panics")).sum::<u64>()
                            });
                            let pooled = AtomicUsize::new(0);
                            inner.for_each(3, 10, 1, |part| {
                                pooled.fetch_add(part, Ordering::Relaxed);
                            });
                            state.write(i % 5, Cell((spawned + pooled.into_inner() as u64) % 1000));
                            done([seen])
                        })
                    })
                    .collect()
            });
        }
    });
}

/// Bug 9: more transactions that wait than there are workers.
#[test]
fn more_waiting_transactions_than_workers() {
    must_end(|| {
        for threads in [1, 2, 3] {
            let staged = staged(threads, 1, &MapState::default(), BlockPolicy::default(), |stage| {
                // The first one holds its announcement until all others have asked for the key.
                let (announced, asked) = (stage.gate(), stage.gate());
                let mut block = hinted_chain(300);
                if threads > 1 {
                    let (open, all) = (Arc::clone(&announced), Arc::clone(&asked));
                    block[0] = Script::new(move |state| {
                        open.signal();
                        all.wait_for(299);
                        let seen = number(state, 1)?;
                        state.write(1, Cell(seen + 1));
                        done([seen])
                    })
                    .hinting([1]);
                    block = block
                        .into_iter()
                        .enumerate()
                        .map(|(i, script)| {
                            let (announced, asked) = (Arc::clone(&announced), Arc::clone(&asked));
                            if i == 0 {
                                return script;
                            }
                            script.before_footprint(move || announced.wait()).on_footprint(move || asked.signal())
                        })
                        .collect();
                }
                block
            });
            assert_eq!(staged.log(299), [299]);
            if threads > 1 {
                assert!(staged.metrics().suspensions >= 298, "{:?}", staged.metrics());
            }
        }
    });
}

/// Bug 10: a block that ends early wakes the workers and transactions that sleep, and leaves no status behind that
/// the next block would find.
#[test]
fn an_early_end_wakes_all_sleepers_and_leaves_no_status_behind() {
    must_end(|| {
        for threads in [2, 4, 8] {
            let engine = Engine::new(config(Mode::Optimistic, threads, 1));
            for _ in 0..20 {
                let (announced, asked) = (Stage::Parallel.gate(), Stage::Parallel.gate());
                let (open, all) = (Arc::clone(&announced), Arc::clone(&asked));
                // Others that begin, and how many had when the rejected transaction ended. Between that and the end of
                // the block some may.
                let (begun, early) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
                let (others, seen) = (Arc::clone(&begun), Arc::clone(&early));
                let mut block = vec![
                    Script::new(move |_| {
                        open.signal();
                        all.wait_for(30);
                        // All others wait for this transaction, and all other workers are about to sleep.
                        std::thread::sleep(Duration::from_millis(1));
                        seen.fetch_add(others.load(Ordering::SeqCst), Ordering::SeqCst);
                        rejected([])
                    })
                    .hinting([1]),
                ];
                block.extend((0..30).map(|_| {
                    let (announced, asked, begun) = (Arc::clone(&announced), Arc::clone(&asked), Arc::clone(&begun));
                    let script = Script::new(move |state| {
                        begun.fetch_add(1, Ordering::SeqCst);
                        let seen = number(state, 1)?;
                        state.write(1, Cell(seen + 1));
                        done([seen])
                    });
                    let script = script.hinting([1]);
                    script.before_footprint(move || announced.wait()).on_footprint(move || asked.signal())
                }));
                let result = run_on(&engine, &Scripts, &MapState::default(), &block, BlockPolicy::default());
                let result = result.expect("a result");
                assert_eq!(result.end, BlockEnd::Rejected { transaction: 0 });
                assert_eq!(early.load(Ordering::SeqCst), 0, "all others were asleep");

                let next = run_on(&engine, &Scripts, &MapState::default(), &hinted_chain(60), BlockPolicy::default());
                assert_eq!(next.expect("a result").changes, [(1, Some(Cell(60)))]);
            }
        }
    });
}

/// Bug 11: a panic of the virtual machine that sequential execution shows as well is an error that names the
/// transaction; the other workers are not left waiting for it.
#[test]
fn a_panic_strands_nobody_and_is_not_swallowed() {
    quiet_panics();
    must_end(|| {
        for (threads, unit_length) in [(1, 1), (2, 1), (4, 1), (8, 1), (2, 4)] {
            let staged = staged(threads, unit_length, &MapState::default(), SKIP, |_| {
                let mut block = hinted_chain(50);
                for guilty in [30, 40] {
                    block[guilty] = Script::new(|state| {
                        let seen = number(state, 1)?;
                        panic!("{PROVOKED} at {seen}");
                    })
                    .hinting([1]);
                }
                block
            });
            let error = staged.result.expect_err("a panic is an error of the block");
            assert!(error.contains("transaction 30 ") && error.contains("provoked at 30"), "{error}");
        }
    });
}

/// Bug 11, for code of the caller that runs in commit order: its panic reaches the caller, all workers come home, and
/// the engine goes on with the next block.
#[test]
fn a_panic_of_the_callers_callback_reaches_the_caller() {
    quiet_panics();
    must_end(|| {
        for (threads, unit_length) in [(1, 1), (2, 1), (4, 1), (8, 1), (2, 4)] {
            let engine = Engine::new(config(Mode::Optimistic, threads, unit_length));
            for guilty in [0, 7, 49] {
                let caught = catch_unwind(AssertUnwindSafe(|| {
                    let state = MapState::default();
                    engine.execute_block_with(&Scripts, &state, &hinted_chain(50), SKIP, |index, _| {
                        assert_ne!(index, guilty, "{PROVOKED}");
                    })
                }));
                let panic = caught.expect_err("the panic reaches the caller");
                let message = panic.downcast_ref::<String>().expect("a message");
                assert!(message.contains(PROVOKED), "{message}");
                let next = run_on(&engine, &Scripts, &MapState::default(), &hinted_chain(50), SKIP);
                assert_eq!(next.expect("a result").changes, [(1, Some(Cell(50)))]);
            }
        }
    });
}

/// Bug 11, where only an inconsistent snapshot makes the machine panic: the panic is an abort, not a result.
#[test]
fn a_speculative_panic_is_not_a_result() {
    quiet_panics();
    for threads in [2, 4] {
        let staged = staged(threads, 1, &MapState::default(), BlockPolicy::default(), |stage| {
            let read = stage.gate();
            let writer = Arc::clone(&read);
            vec![
                Script::new(move |state| {
                    writer.wait();
                    state.write(1, Cell(7));
                    done([])
                }),
                Script::new(move |state| {
                    let seen = number(state, 1);
                    read.signal();
                    assert_eq!(seen?, 7, "{PROVOKED}: no sequential state shows another value");
                    done([])
                }),
            ]
        });
        assert!(staged.result.is_ok());
        assert_eq!(staged.begun, [1, 2], "the second one had panicked once");
    }
}

/// Bug 12: when the block has ended early, what is still executing stops, and nothing new begins.
#[test]
fn leftover_speculative_work_stops_when_the_block_has_ended() {
    must_end(|| {
        for threads in [2, 4, 8] {
            let engine = Engine::new(config(Mode::Optimistic, threads, 1));
            let begun = Stage::Parallel.gate();
            // How many had begun, and how many of them when the rejected transaction ended. On a machine that is slow to
            // give the workers time, one may have given up a transaction for another by then.
            let (count, early) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
            let mut block = {
                let (begun, count, early) = (Arc::clone(&begun), Arc::clone(&count), Arc::clone(&early));
                vec![Script::new(move |_| {
                    begun.wait_for(threads - 1);
                    early.store(count.load(Ordering::SeqCst), Ordering::SeqCst);
                    rejected([])
                })]
            };
            block.extend((0..1000).map(|_| {
                let (begun, count) = (Arc::clone(&begun), Arc::clone(&count));
                // It never ends by itself: only the engine can stop it.
                Script::new(move |state| {
                    count.fetch_add(1, Ordering::SeqCst);
                    begun.signal();
                    loop {
                        state.poll()?;
                    }
                })
            }));
            let result = run_on(&engine, &Scripts, &MapState::default(), &block, BlockPolicy::default());
            assert_eq!(result.expect("a result").end, BlockEnd::Rejected { transaction: 0 });
            // Until the rejection is committed each worker may begin one more.
            let late = count.load(Ordering::SeqCst) - early.load(Ordering::SeqCst);
            assert!(late < threads, "a worker that was stopped begins nothing any more: {late}");
        }
    });
}

/// Bug 12 inside a unit: behind the transaction that rejects the block, nothing of the same unit counts either. What
/// follows it would never end, and sequential execution never begins it.
#[test]

fn nothing_behind_a_rejecting_transaction_of_the_same_unit_is_waited_for() {
    for unit_length in [2, 3] {
        let end = must_end(move || {
            let engine = Engine::new(config(Mode::Optimistic, 2, unit_length));
            let block = [
                Script::new(|_| rejected([])),
                Script::new(|state| {
                    loop {
                        state.poll()?;
                    }
                }),
            ];
            run_on(&engine, &Scripts, &MapState::default(), &block, BlockPolicy::default()).expect("a result").end
        });
        assert_eq!(end, BlockEnd::Rejected { transaction: 0 }, "units of {unit_length}");
    }
}

/// Bug 12 inside a unit, where the gas of other units decides: the third transaction is the first beyond the limit, and
/// the endless one behind it in the same unit is no part of the block.
#[test]
fn nothing_behind_the_gas_limit_in_the_same_unit_is_waited_for() {
    for threads in [1, 2] {
        let end = must_end(move || {
            let engine = Engine::new(config(Mode::Optimistic, threads, 2));
            let paying = || Script::new(|_| Ok(Outcome::applied(vec![], 5)));
            let endless = Script::new(|state| {
                loop {
                    state.poll()?;
                }
            });
            let policy = BlockPolicy { gas_limit: Some(12), ..SKIP };
            let block = [paying(), paying(), paying(), endless];
            run_on(&engine, &Scripts, &MapState::default(), &block, policy).expect("a result").end
        });
        assert_eq!(end, BlockEnd::GasLimit { transaction: 2 }, "threads {threads}");
    }
}

/// Bug 13: a loop that only an inconsistent snapshot makes endless must end. The second transaction reads A before
/// and B after the first one has written both.
#[test]
fn a_loop_that_only_an_inconsistent_snapshot_makes_endless_ends() {
    for by_polling in [true, false] {
        let begun = must_end(move || {
            let staged = staged(2, 1, &MapState::default(), BlockPolicy::default(), |stage| {
                let (read, written) = (stage.gate(), stage.gate());
                let (half, whole) = (Arc::clone(&read), Arc::clone(&written));
                vec![
                    Script::new(move |state| {
                        half.wait();
                        state.write(1, Cell(7));
                        state.write(2, Cell(7));
                        done([])
                    }),
                    Script::new(move |state| {
                        let a = number(state, 1);
                        read.signal();
                        let a = a?;
                        whole.wait();
                        while number(state, 2)? != a {
                            if by_polling {
                                state.poll()?;
                            }
                        }
                        done([])
                    }),
                    // The first worker comes to this one when it has published what the first transaction wrote.
                    Script::new(move |_| {
                        written.signal();
                        done([])
                    }),
                ]
            });
            staged.begun
        });
        assert_eq!(begun, [1, 2, 1], "the second one had looped once");
    }
}

/// Bug 13 with deltas: a transaction adds until the key is full. Additions are taken unseen at first; that must not
/// let the loop go on for ever.
#[test]

fn a_loop_that_ends_by_a_delta_out_of_bounds_ends() {
    for (threads, unit_length) in [(1, 1), (2, 1), (2, 3)] {
        must_end(move || {
            let state: MapState<Key, Cell> = [(1, Cell(HIGHEST as u64 - 50))].into_iter().collect();
            let staged = staged(threads, unit_length, &state, BlockPolicy::default(), |_| {
                let mut block = vec![Script::nothing(), Script::nothing()];
                block.push(Script::new(|state| {
                    let mut added = 0;
                    loop {
                        match state.add(1, Sum::of(1)) {
                            Ok(()) => added += 1,
                            Err(AddError::OutOfBounds) => return done([added]),
                            Err(AddError::Stop(stop)) => return Err(stop),
                        }
                    }
                }));
                block
            });
            assert_eq!(staged.log(2), [50]);
        });
    }
}

/// Bug 13 with a delta that sequential execution refuses: the transaction computes for ever because it was taken.
#[test]

fn a_loop_that_only_a_delta_taken_unseen_makes_endless_ends() {
    for (threads, unit_length) in [(1, 1), (2, 1), (2, 3)] {
        must_end(move || {
            let state: MapState<Key, Cell> = [(1, Cell(HIGHEST as u64))].into_iter().collect();
            staged(threads, unit_length, &state, SKIP, |_| {
                vec![Script::new(|state| match state.add(1, Sum::of(1)) {
                    Ok(()) => loop {
                        state.poll()?;
                    },
                    Err(AddError::OutOfBounds) => rejected([]),
                    Err(AddError::Stop(stop)) => Err(stop),
                })]
            });
        });
    }
}

/// Several threads give blocks to one engine at once: they take turns on the workers, and none disturbs another.
#[test]
fn blocks_given_at_once_take_turns() {
    must_end(|| {
        let engine = Engine::<Scripts>::new(config(Mode::Optimistic, 3, 1));
        std::thread::scope(|scope| {
            for length in [20, 30, 40] {
                let engine = &engine;
                scope.spawn(move || {
                    for _ in 0..20 {
                        let result = run_on(engine, &Scripts, &MapState::default(), &hinted_chain(length), SKIP);
                        assert_eq!(result.expect("a result").changes, [(1, Some(Cell(length as u64)))]);
                    }
                });
            }
        });
    });
}
