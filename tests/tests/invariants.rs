//! The invariants of the design, by name, as far as they show from outside the engine.

use weft_engine::{AddError, BlockEnd, BlockPolicy, Engine, Mode, OnRejected, Outcome, Verdict};
use weft_tests::program::{Cell, HIGHEST, Key, Machine, Op, Program, Sum};
use weft_tests::run::{MapState, config, parallel_equals_sequential, run_with_metrics};
use weft_tests::script::{Script, Scripts, add, done, number, rejected, staged};

const SKIP: BlockPolicy = BlockPolicy { on_rejected: OnRejected::SkipInvalid, gas_limit: None };
const THREADS: [usize; 4] = [1, 2, 4, 8];
const UNIT_LENGTHS: [usize; 3] = [1, 3, 16];

fn shapes() -> impl Iterator<Item = (usize, usize)> {
    THREADS.into_iter().flat_map(|threads| UNIT_LENGTHS.map(|unit_length| (threads, unit_length)))
}

/// ValidationsEqualExecutionsWithoutConflicts (field notes, bug 4). With and without hints; deltas to one key are no
/// conflict.
#[test]
fn validations_equal_executions_without_conflicts() {
    const N: u16 = 10_000;
    for (threads, unit_length) in shapes() {
        for hinted in [false, true] {
            let block: Vec<Script> = (0..N)
                .map(|i| {
                    let script = Script::new(move |state| {
                        let seen = number(state, 100 + i)?;
                        state.write(100 + i, Cell(seen + 1));
                        add(state, 1, 1)?;
                        done([seen])
                    });
                    if hinted { script.hinting([100 + i]) } else { script }
                })
                .collect();
            let engine = Engine::new(config(Mode::Optimistic, threads, unit_length));
            let (result, metrics) =
                run_with_metrics(&engine, &Scripts, &MapState::default(), &block, SKIP).expect("a result");
            let units = usize::from(N).div_ceil(unit_length) as u64;
            let counts = [metrics.units, metrics.executions, metrics.validations];
            assert_eq!(counts, [units; 3], "threads {threads}, units of {unit_length}: {metrics:?}");
            let repeated = [metrics.aborts, metrics.suspensions, metrics.frontier_executions];
            assert_eq!(repeated, [0; 3], "threads {threads}, units of {unit_length}: {metrics:?}");
            assert_eq!(result.changes.len(), usize::from(N) + 1);
            assert_eq!(result.changes[0], (1, Some(Cell(u64::from(N)))));
        }
    }
}

/// A block in which everything that a program can do occurs, on few keys.
fn mixed(length: u64) -> Vec<Program> {
    (0..length)
        .map(|i| {
            let key = 2 + (i * 7 % 5) as Key;
            let other = 2 + (i * 3 % 5) as Key;
            let ops = match i % 8 {
                0 => vec![Op::Increment(key)],
                1 => vec![Op::Read(key), Op::WriteDynamic(other)],
                2 => vec![Op::AddOrFail(key, 300), Op::Read(other), Op::RejectIf(3)],
                3 => vec![Op::Delete(key), Op::Add(key, 5), Op::Read(key)],
                4 => vec![Op::ReadDynamic(1), Op::SkipIfEven, Op::Write(other)],
                5 => vec![Op::Add(key, -400), Op::AddOrFail(other, -1)],
                6 => vec![Op::WriteBoth(0, 1), Op::LoopWhileDifferent(0, 1)],
                _ => vec![Op::WriteConstant(key, 1), Op::Read(key), Op::Add(key, 1)],
            };
            let hints = if i % 3 == 0 { vec![key] } else { vec![] };
            Program { ops, gas: 1, hints }
        })
        .collect()
}

/// EveryTransactionCommits: whatever conflicts, each transaction has its outcome in the end.
#[test]
fn every_transaction_commits() {
    for (threads, unit_length) in shapes() {
        let engine = Engine::new(config(Mode::Optimistic, threads, unit_length));
        let machine = Machine { keys: 7 };
        let (result, _) =
            run_with_metrics(&engine, &machine, &MapState::default(), &mixed(800), SKIP).expect("a result");
        assert_eq!((result.end, result.outcomes.len()), (BlockEnd::Complete, 800));
    }
}

/// CommitPrefixStable: outcomes are streamed in order, each once, and none of them is taken back: what was streamed is
/// what the block gives in the end.
#[test]
fn the_commit_prefix_is_stable() {
    for (threads, unit_length) in shapes() {
        let engine = Engine::new(config(Mode::Optimistic, threads, unit_length));
        let mut streamed = Vec::new();
        let output = engine
            .execute_block_with(&Machine { keys: 7 }, &MapState::default(), &mixed(500), SKIP, |index, outcome| {
                streamed.push((index, outcome.clone()));
            })
            .expect("a result");
        let (indices, outcomes): (Vec<usize>, Vec<_>) = streamed.into_iter().unzip();
        assert_eq!(indices, (0..500).collect::<Vec<_>>(), "threads {threads}, units of {unit_length}");
        assert_eq!(outcomes, output.outcomes, "threads {threads}, units of {unit_length}");
    }
}

/// NothingLeftOnFailure: a rejected transaction leaves no key touched, neither one of its own nor one that its unit
/// has touched before it, nor what it had hinted at.
#[test]
fn nothing_is_left_on_failure() {
    let state: MapState<Key, Cell> = [(2, Cell(50)), (3, Cell(60)), (4, Cell(70))].into_iter().collect();
    for (threads, unit_length) in shapes() {
        let rejecting = || {
            Script::new(|state| {
                let seen = [number(state, 1)?, number(state, 2)?, number(state, 3)?];
                state.write(1, Cell(900));
                state.delete(2);
                add(state, 3, 900)?;
                add(state, 1, 1)?;
                state.write(1000 + seen[0] as Key, Cell(900));
                // Before the rejected transaction reads its own changes, too, they are there for it.
                let own = [number(state, 1)?, number(state, 2)?, number(state, 3)?];
                assert_eq!(own, [901, 0, 900 + seen[2]]);
                rejected(seen)
            })
            .hinting([1, 2, 4])
        };
        // Nothing but failures: nothing changes.
        let nothing = staged(threads, unit_length, &state, SKIP, |_| (0..40).map(|_| rejecting()).collect());
        let nothing = nothing.result.expect("a result");
        assert_eq!(nothing.changes, []);
        assert!(nothing.outcomes.iter().all(|outcome| outcome.verdict == Verdict::Rejected));

        // Failures between others: only the others count.
        let between = staged(threads, unit_length, &state, SKIP, |_| {
            (0..40)
                .map(|i| match i % 2 {
                    0 => Script::new(|state| {
                        let seen = number(state, 1)?;
                        state.write(1, Cell(seen + 1));
                        add(state, 3, 2)?;
                        done([seen])
                    }),
                    _ => rejecting(),
                })
                .collect()
        });
        assert!((0..20).all(|i| between.log(2 * i + 1) == [i as u64 + 1, 50, 62 + 2 * i as u64]));
        assert_eq!(between.result.expect("a result").changes, [(1, Some(Cell(20))), (3, Some(Cell(100)))]);
    }
}

/// FinalEqualsSequential: every transaction reads, changes and writes the same key.
#[test]
fn final_equals_sequential_on_one_hot_key() {
    for (threads, unit_length) in shapes() {
        for hinted in [false, true] {
            let hints = if hinted { vec![2] } else { vec![] };
            let block = vec![Program { ops: vec![Op::Increment(2)], gas: 1, hints }; 600];
            let machine = Machine { keys: 4 };
            let (result, _) =
                parallel_equals_sequential(threads, unit_length, &machine, &MapState::default(), &block, SKIP);
            assert_eq!(result.changes, [(2, Some(Cell(600)))]);
        }
    }
}

/// FinalEqualsSequential: each transaction reads what the one before it has written, under a key of its own.
#[test]
fn final_equals_sequential_on_a_pure_chain() {
    for (threads, unit_length) in shapes() {
        for hinted in [false, true] {
            let block: Vec<Program> = (0..600)
                .map(|i| Program {
                    ops: vec![Op::Read(2 + i), Op::Write(3 + i)],
                    gas: 1,
                    hints: if hinted { vec![3 + i] } else { vec![] },
                })
                .collect();
            let machine = Machine { keys: 700 };
            let (result, metrics) =
                parallel_equals_sequential(threads, unit_length, &machine, &MapState::default(), &block, SKIP);
            assert_eq!(result.changes.len(), 600);
            // Whoever must wait for a lower one waits for one that is lower: nobody is suspended for ever.
            assert!(metrics.executions >= metrics.units);
        }
    }
}

/// FinalEqualsSequential: deltas to one key overflow in the middle of the block; the same transactions are rejected as
/// in sequential execution, and the key has room again afterwards.
#[test]
fn final_equals_sequential_where_deltas_overflow() {
    let state: MapState<Key, Cell> = [(1, Cell(HIGHEST as u64 - 100))].into_iter().collect();
    for (threads, unit_length) in shapes() {
        let staged = staged(threads, unit_length, &state, SKIP, |_| {
            (0..200)
                .map(|i| {
                    let by = if i == 120 { -5 } else { 1 };
                    Script::new(move |state| match state.add(1, Sum::of(by)) {
                        Ok(()) => done([]),
                        Err(AddError::OutOfBounds) => rejected([]),
                        Err(AddError::Stop(stop)) => Err(stop),
                    })
                })
                .collect()
        });
        let result = staged.result.expect("a result");
        let is_rejected = |i: &usize| result.outcomes[*i] == Outcome::rejected(vec![]);
        let refused: Vec<usize> = (0..200).filter(is_rejected).collect();
        assert_eq!(refused, (100..120).chain(126..200).collect::<Vec<_>>());
    }
}

/// FinalEqualsSequential: a bit of everything.
#[test]
fn final_equals_sequential_on_a_mixed_block() {
    for (threads, unit_length) in shapes() {
        for policy in [SKIP, BlockPolicy { gas_limit: Some(500), ..SKIP }, BlockPolicy::default()] {
            let machine = Machine { keys: 7 };
            parallel_equals_sequential(threads, unit_length, &machine, &MapState::default(), &mixed(800), policy);
        }
    }
}
