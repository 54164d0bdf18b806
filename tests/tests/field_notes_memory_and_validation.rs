//! Field notes, section 2, "Memory and validation": bugs 18 to 27 of other engines, as tests of this one. Bug 25 is
//! about Ethereum's accounts and has no counterpart here; bug 26's hundred runs are in `determinism.rs`.

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use weft_engine::{AddError, BlockPolicy, NoDelta, OnRejected, OutOfBounds, Outcome, StateView, Stop, Value, Vm};
use weft_tests::gate::Stage;
use weft_tests::program::{Cell, HIGHEST, Key, Sum};
use weft_tests::run::{MapState, parallel_equals_sequential};
use weft_tests::script::{Run, Script, add, after_all_others, done, number, rejected, staged};

const SKIP: BlockPolicy = BlockPolicy { on_rejected: OnRejected::SkipInvalid, gas_limit: None };

/// Bug 18: the second incarnation of transaction 1 does not write key 2 any more (it writes key 3 instead). Whoever
/// has read the removed value must read again.
#[test]
fn readers_of_a_write_that_was_taken_back_read_again() {
    for threads in [2, 4] {
        let staged = staged(threads, 1, &MapState::default(), SKIP, |stage| {
            after_all_others(
                stage,
                |state| {
                    state.write(1, Cell(1));
                    Ok(())
                },
                vec![
                    Box::new(|state| {
                        let key = if number(state, 1)? == 0 { 2 } else { 3 };
                        state.write(key, Cell(7));
                        done([])
                    }),
                    Box::new(|state| done([number(state, 2)?, number(state, 3)?])),
                ],
            )
        });
        assert_eq!(staged.log(2), [0, 7], "threads {threads}");
    }
}

/// Bug 18 in units of two, where the first transaction can only wait for transactions of other units.
#[test]
fn readers_of_a_write_that_was_taken_back_read_again_in_units() {
    for threads in [2, 4] {
        let staged = staged(threads, 2, &MapState::default(), SKIP, release_in_units);
        assert_eq!(staged.log(4), [0, 7], "threads {threads}");
    }
}

fn release_in_units(stage: Stage) -> Vec<Script> {
    let gate = stage.gate();
    let signal = || {
        let gate = Arc::clone(&gate);
        move || gate.signal()
    };
    let (executed, switched, read) = (Arc::clone(&gate), signal(), signal());
    let companion = signal();
    vec![
        Script::new(move |state| {
            executed.wait_for(3);
            state.write(1, Cell(1));
            done([])
        }),
        Script::nothing(),
        Script::new(move |state| {
            let key = if number(state, 1)? == 0 { 2 } else { 3 };
            state.write(key, Cell(7));
            switched();
            done([])
        }),
        Script::new(move |_| {
            companion();
            done([])
        }),
        Script::new(move |state| {
            let log = [number(state, 2)?, number(state, 3)?];
            read();
            done(log)
        }),
        Script::nothing(),
    ]
}

/// Bug 19: a hint that does not come true. Whoever waits for the announced write is woken and reads what was there.
#[test]
fn an_announced_write_that_never_comes_holds_nobody_up() {
    for threads in [1, 2, 4] {
        for unit_length in [1, 2] {
            let state: MapState<Key, Cell> = [(1, Cell(5))].into_iter().collect();
            let staged = staged(threads, unit_length, &state, SKIP, |_| {
                (0..40)
                    .map(|i| match i % 4 {
                        0 => Script::nothing().hinting([1]),
                        1 => Script::new(|_| rejected([])).hinting([1]),
                        2 => Script::new(|state| done([number(state, 1)?])),
                        _ => Script::new(|state| done([number(state, 1)?])).hinting([1]),
                    })
                    .collect()
            });
            assert!((0..40).filter(|i| i % 4 > 1).all(|i| staged.log(i) == [5]));
            assert_eq!(staged.result.expect("a result").changes, []);
        }
    }
}

/// Bug 20: a key that is read twice in one execution has one value, also where a lower transaction writes it in
/// between.
#[test]
fn two_reads_in_one_execution_see_one_value() {
    static DIFFERED: AtomicBool = AtomicBool::new(false);
    for by_delta in [false, true] {
        let staged = staged(2, 1, &MapState::default(), SKIP, |stage| {
            let (read, written) = (stage.gate(), stage.gate());
            let (once, twice) = (Arc::clone(&read), Arc::clone(&written));
            vec![
                Script::new(move |state| {
                    once.wait();
                    if by_delta {
                        add(state, 1, 7)?;
                    } else {
                        state.write(1, Cell(7));
                    }
                    done([])
                }),
                Script::new(move |state| {
                    let first = number(state, 1);
                    read.signal();
                    let first = first?;
                    twice.wait();
                    let second = number(state, 1)?;
                    DIFFERED.fetch_or(first != second, Ordering::Relaxed);
                    done([first, second])
                }),
                // The first worker comes here when it has published what the first transaction wrote.
                Script::new(move |_| {
                    written.signal();
                    done([])
                }),
            ]
        });
        assert_eq!(staged.begun, [1, 2, 1], "the second one had read too early once");
        assert_eq!(staged.log(1), [7, 7]);
    }
    assert!(!DIFFERED.load(Ordering::Relaxed), "an execution that was thrown away saw two values");
}

/// Bug 21 (A-B-A): the parts change while the sum stays equal. A reader of the sum may stay valid; whoever reads in
/// between must not.
#[test]
fn an_equal_sum_of_other_parts_is_not_the_same_state() {
    for threads in [2, 4] {
        let staged = staged(threads, 1, &MapState::default(), SKIP, |stage| {
            after_all_others(
                stage,
                |state| {
                    state.write(9, Cell(1));
                    Ok(())
                },
                vec![
                    // 10, then 5; by itself, then on top.
                    Box::new(|state| {
                        let first = if number(state, 9)? == 0 { 10 } else { 5 };
                        state.write(1, Cell(first));
                        done([])
                    }),
                    Box::new(|state| done([number(state, 1)?])),
                    Box::new(|state| {
                        let second = if number(state, 9)? == 0 { 5 } else { 10 };
                        add(state, 1, second)?;
                        done([])
                    }),
                    Box::new(|state| done([number(state, 1)?])),
                    // Away and back again.
                    Box::new(|state| {
                        state.delete(1);
                        done([])
                    }),
                    Box::new(|state| done([u64::from(state.read(&1)?.is_some())])),
                    Box::new(|state| {
                        state.write(1, Cell(15));
                        done([])
                    }),
                    Box::new(|state| done([number(state, 1)?])),
                ],
            )
        });
        assert_eq!([2, 4, 6, 8].map(|i| staged.log(i)[0]), [5, 15, 0, 15]);
    }
}

/// Bug 21, the sound side: a transaction that runs again and writes what it had written aborts nobody.
#[test]
fn writing_an_equal_value_again_aborts_nobody() {
    let staged = staged(2, 1, &MapState::default(), SKIP, |stage| {
        let mut block = after_all_others(
            stage,
            |state| {
                state.write(9, Cell(1));
                Ok(())
            },
            vec![
                Box::new(|state| {
                    number(state, 9)?;
                    state.write(1, Cell(5));
                    done([])
                }),
                Box::new(|_| done([])),
            ],
        );
        block.push(Script::new(|state| done([number(state, 1)?])));
        block
    });
    assert_eq!(staged.log(3), [5]);
    let aborts = staged.metrics().aborts;
    assert!(aborts <= 2, "transaction 1, and its reader where it had read the estimate's place: {aborts}");
}

/// Bug 22: a delta changes what a later reader sees: that reader reads again. So does one behind a delta that is
/// taken back.
#[test]
fn a_late_delta_makes_its_readers_read_again() {
    for threads in [2, 4] {
        let staged = staged(threads, 1, &MapState::default(), SKIP, |stage| {
            after_all_others(
                stage,
                |state| {
                    state.write(9, Cell(1));
                    add(state, 1, 7)
                },
                vec![
                    Box::new(|state| done([number(state, 1)?])),
                    Box::new(|state| {
                        // Adds only where the first transaction has not been seen.
                        if number(state, 9)? == 0 {
                            add(state, 2, 100)?;
                        }
                        done([])
                    }),
                    Box::new(|state| done([number(state, 1)?, number(state, 2)?])),
                    Box::new(|state| {
                        add(state, 1, 1)?;
                        done([])
                    }),
                    Box::new(|state| done([number(state, 1)?])),
                ],
            )
        });
        assert_eq!((staged.log(1), staged.log(3), staged.log(5)), (&[7][..], &[7, 0][..], &[8][..]));
    }
}

/// Bug 23: a delta that leaves its range at the commit is executed again with concrete values, and fails exactly
/// where sequential execution fails, in both directions.
#[test]
fn a_delta_out_of_bounds_at_the_commit_is_executed_on_concrete_values() {
    for (threads, unit_length) in [(1, 1), (2, 1), (4, 1), (2, 3), (2, 100)] {
        let state: MapState<Key, Cell> = [(1, Cell(HIGHEST as u64 - 2)), (2, Cell(2))].into_iter().collect();
        let staged = staged(threads, unit_length, &state, SKIP, |_| {
            (0..30)
                .map(|i| {
                    Script::new(move |state| {
                        // Key 1 fills up and has room again at every fifth; key 2 runs dry in the same way.
                        let by = if i % 5 == 4 { -3 } else { 1 };
                        let mut log = Vec::new();
                        for (key, by) in [(1, by), (2, -by)] {
                            match state.add(key, Sum::of(by)) {
                                Ok(()) => log.push(0),
                                Err(AddError::OutOfBounds) => log.push(1),
                                Err(AddError::Stop(stop)) => return Err(stop),
                            }
                        }
                        if log == [1, 1] { rejected(log) } else { done(log) }
                    })
                })
                .collect()
        });
        assert_eq!(staged.log(1), [0, 0]);
        assert_eq!(staged.log(2), [1, 1], "the third addition is the first that does not fit");
        assert!(staged.metrics().frontier_executions > 0, "{:?}", staged.metrics());
    }
}

/// A key that hashes like every other.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Colliding(u32);

impl Hash for Colliding {
    fn hash<H: Hasher>(&self, state: &mut H) {
        0u8.hash(state);
    }
}

#[derive(Debug, Clone, PartialEq)]
struct Plain(u64);

impl Value for Plain {
    type Delta = NoDelta;

    fn apply(_: Option<&Self>, delta: &NoDelta) -> Result<Self, OutOfBounds> {
        match *delta {}
    }

    fn combine(first: &NoDelta, _: &NoDelta) -> Result<NoDelta, OutOfBounds> {
        match *first {}
    }
}

/// Transaction `i` reads the value before it, and writes its own key.
struct Collisions;

impl Vm for Collisions {
    type Transaction = u32;
    type Key = Colliding;
    type Value = Plain;
    type Output = Option<u64>;

    fn execute<S: StateView<Colliding, Plain>>(&self, i: &u32, state: &mut S) -> Result<Outcome<Option<u64>>, Stop> {
        let before = i.checked_sub(1).map(|before| state.read(&Colliding(before))).transpose()?.flatten();
        let before = before.map(|before| before.0);
        // Keys of the transaction's own unit, of others, and one that nobody writes.
        let nobodys = state.read(&Colliding(1000))?;
        state.write(Colliding(*i), Plain(before.unwrap_or(0) + nobodys.map_or(0, |value| value.0) + 1));
        Ok(Outcome::applied(before, 0))
    }
}

/// Bug 24: keys with equal hashes are different keys.
#[test]
fn keys_with_equal_hashes_do_not_alias() {
    for (threads, unit_length) in [(1, 1), (2, 1), (4, 1), (2, 5), (2, 60)] {
        let state: MapState<Colliding, Plain> = [(Colliding(1000), Plain(2))].into_iter().collect();
        let block: Vec<u32> = (0..60).collect();
        let (result, _) = parallel_equals_sequential(threads, unit_length, &Collisions, &state, &block, SKIP);
        assert_eq!(result.changes.len(), 60);
        assert_eq!(result.changes[59], (Colliding(59), Some(Plain(180))));
    }
}

/// Bug 26: what a thrown away execution has read or computed shows in no output. The log of every other transaction
/// would name the value 0 that only speculation sees.
#[test]
fn speculative_reads_leak_into_no_output() {
    for threads in [2, 4, 8] {
        let staged = staged(threads, 1, &MapState::default(), SKIP, |stage| {
            after_all_others(
                stage,
                |state| {
                    state.write(1, Cell(7));
                    Ok(())
                },
                (0..20u16)
                    .map(|i| -> Box<Run> {
                        Box::new(move |state| {
                            let mut log = vec![number(state, 1)?];
                            // More entries, gas and writes where the value is missing.
                            if log[0] == 0 {
                                log.extend([0; 5]);
                                state.write(100 + i, Cell(1));
                                return Ok(Outcome::applied(log, 99));
                            }
                            Ok(Outcome::applied(log, 1))
                        })
                    })
                    .collect(),
            )
        });
        let result = staged.result.expect("a result");
        assert!(result.outcomes[1..].iter().all(|outcome| outcome.output == [7]));
        assert_eq!((result.gas_used, result.changes), (20, vec![(1, Some(Cell(7)))]));
    }
}

/// Bug 27: what all transactions add to (gas used, a fee collector, a counter) does not make them conflict.
#[test]
fn shared_accumulators_make_nobody_conflict() {
    for threads in [1, 2, 4, 8] {
        let staged = staged(threads, 1, &MapState::default(), SKIP, |_| {
            (0..1000u16)
                .map(|i| {
                    Script::new(move |state| {
                        add(state, 1, 3)?;
                        state.write(1000 + i, Cell(1));
                        Ok(Outcome::applied(vec![], 21))
                    })
                })
                .collect()
        });
        let metrics = staged.metrics();
        assert_eq!((metrics.executions, metrics.aborts, metrics.suspensions), (1000, 0, 0), "{metrics:?}");
        assert_eq!((metrics.deltas_resolved, metrics.frontier_executions), (1000, 0), "{metrics:?}");
        let result = staged.result.expect("a result");
        assert_eq!((result.gas_used, &result.changes[0]), (21_000, &(1, Some(Cell(3000)))));
    }
}
