//! The same block gives the same result, byte for byte, whatever the schedule was (field notes, bug 26).

use std::hash::{DefaultHasher, Hash, Hasher};

use weft_engine::{BlockPolicy, Engine, Mode, OnRejected};
use weft_tests::delay::Delayed;
use weft_tests::program::{Cell, Key, Machine, Op, Program};
use weft_tests::quiet::quiet_panics;
use weft_tests::run::{MapState, config, run_on};

const RUNS: u64 = 100;

/// Programs that conflict, fail, add, delete, loop and panic on what they should never see.
fn block() -> Vec<Program> {
    (0..60u64)
        .map(|i| {
            let (a, b) = (2 + (i * 5 % 6) as Key, 2 + (i * 7 % 6) as Key);
            let ops = match i % 10 {
                0 => vec![Op::Increment(a), Op::ReadDynamic(b)],
                1 => vec![Op::Read(a), Op::WriteDynamic(b), Op::WriteDynamic(a)],
                2 => vec![Op::AddOrFail(a, 200_000), Op::RejectIf(4)],
                3 => vec![Op::Add(b, 400_000), Op::Read(b)],
                4 => vec![Op::Delete(a), Op::Add(a, 3), Op::Increment(b)],
                5 => vec![Op::WriteBoth(0, 1)],
                6 => vec![Op::PanicUnlessEqual(0, 1), Op::Write(a)],
                7 => vec![Op::LoopWhileDifferent(0, 1), Op::SkipIfEven, Op::Write(b)],
                8 => vec![Op::Read(a), Op::RejectIf(2), Op::Write(a)],
                _ => vec![Op::WriteConstant(a, 999_999), Op::AddOrFail(a, 2), Op::Read(b)],
            };
            let hints = if i % 4 == 0 { vec![a, b] } else { vec![] };
            Program { ops, gas: 1 + i % 3, hints }
        })
        .collect()
}

/// A digest of everything that the result says, as it is printed.
fn digest(result: &impl std::fmt::Debug) -> u64 {
    let mut hasher = DefaultHasher::new();
    format!("{result:?}").hash(&mut hasher);
    hasher.finish()
}

/// Runs the block a hundred times with each number of workers and unit length, every run on another schedule.
fn always_the_same(policy: BlockPolicy) {
    quiet_panics();
    let state: MapState<Key, Cell> = (2..8).map(|key| (key, Cell(u64::from(key) * 100))).collect();
    let sequential = Engine::new(config(Mode::Sequential, 1, 1));
    let expected = run_on(&sequential, &Delayed::new(Machine { keys: 8 }, 0), &state, &block(), policy);
    let expected = expected.map(|result| (result.outcomes, result.changes, result.end, result.gas_used));
    let expected = digest(&expected.expect("a sequential result"));
    for threads in [1, 2, 4, 8] {
        for unit_length in [1, 3, 16] {
            let engine = Engine::new(config(Mode::Optimistic, threads, unit_length));
            for run in 0..RUNS {
                let vm = Delayed::new(Machine { keys: 8 }, run);
                let result = run_on(&engine, &vm, &state, &block(), policy);
                let result = result.map(|result| (result.outcomes, result.changes, result.end, result.gas_used));
                let digest = digest(&result.expect("a result"));
                assert_eq!(digest, expected, "threads {threads}, units of {unit_length}, run {run}");
            }
        }
    }
}

#[test]
fn a_hundred_runs_of_a_block_are_identical() {
    always_the_same(BlockPolicy { on_rejected: OnRejected::SkipInvalid, gas_limit: None });
}

#[test]
fn a_hundred_runs_of_a_block_with_a_gas_limit_are_identical() {
    always_the_same(BlockPolicy { on_rejected: OnRejected::SkipInvalid, gas_limit: Some(50) });
}

#[test]
fn a_hundred_runs_of_a_rejected_block_are_identical() {
    always_the_same(BlockPolicy { on_rejected: OnRejected::RejectBlock, gas_limit: None });
}
