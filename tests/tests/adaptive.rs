//! The adaptive path: what it does with the blocks that it should not execute in parallel, and with those that it should.

use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

use weft_engine::{BlockPolicy, Config, Engine, Metrics, Mode};
use weft_tests::gate::Stage;
use weft_tests::program::{Cell, Key, Machine, Op, Program};
use weft_tests::run::{BlockResult, MapState, config, run_with_metrics};
use weft_tests::script::{Script, Scripts, done, number};

const MACHINE: Machine = Machine { keys: 2000 };

fn block(length: usize, op: impl Fn(usize) -> Op) -> Vec<Program> {
    (0..length).map(|at| Program { ops: vec![op(at)], gas: 1, hints: vec![] }).collect()
}

fn run(engine: &Engine<Machine>, block: &[Program]) -> (BlockResult<Machine>, Metrics<Key>) {
    let state = MapState::default();
    run_with_metrics(engine, &MACHINE, &state, block, BlockPolicy::default()).unwrap()
}

fn engine(worthwhile_percent: u32, trial_units: u32) -> Engine<Machine> {
    Engine::new(Config { worthwhile_percent, trial_units, ..config(Mode::Auto, 2, 1) })
}

#[test]
fn what_is_not_worth_it_is_gone_on_with_sequentially() {
    let chain = block(1000, |_| Op::Increment(5));
    let sequential = Engine::new(config(Mode::Sequential, 1, 1));
    let (expected, _) = run(&sequential, &chain);
    let engine = engine(u32::MAX, 8);
    let (result, first) = run(&engine, &chain);
    assert_eq!(result, expected);
    // Trials of 8 units, and stretches of 64, 128, 256, 512: at most 5 trials.
    assert!(first.sequential_transactions >= 1000 - 5 * 8, "{first:?}");
    assert!(first.sequential_transactions < 1000, "it was not even tried: {first:?}");
    // The engine remembers how it went: hardly another trial, and results stay the same.
    for _ in 0..5 {
        let (result, metrics) = run(&engine, &chain);
        assert_eq!(result, expected);
        assert!(metrics.sequential_transactions >= 1000 - 8, "{metrics:?}");
    }
}

#[test]
fn it_is_tried_again() {
    let chain = block(1000, |_| Op::Increment(5));
    let engine = engine(u32::MAX, 8);
    let trials = (0..20).filter(|_| run(&engine, &chain).1.sequential_transactions < 1000).count();
    // The longest stretch is 256 times a trial, about two blocks.
    assert!((6..=19).contains(&trials), "{trials} of 20 blocks tried it");
}

#[test]
fn what_is_worth_it_stays_parallel() {
    let independent = block(1000, |at| Op::Increment(2 + at as Key));
    let (_, metrics) = run(&engine(0, 8), &independent);
    assert_eq!((metrics.sequential_transactions, metrics.executions), (0, 1000));
}

#[test]
fn too_few_transactions_are_not_worth_a_trial() {
    let engine = Engine::new(Config { min_transactions_for_parallel: 10, ..config(Mode::Auto, 2, 1) });
    let (_, metrics) = run(&engine, &block(9, |_| Op::Increment(5)));
    assert_eq!(metrics.sequential_transactions, 9);
    // Two units tried, and sixteen that follow; of the rest there are too few.
    let (_, metrics) = run(&engine, &block(27, |_| Op::Increment(5)));
    assert_eq!(metrics.sequential_transactions, 25, "{metrics:?}");
}

#[test]
fn a_value_that_comes_back_is_no_change() {
    // Changed in the trial and changed back in the sequential stretch.
    for (trial, later) in [(Op::WriteConstant(5, 7), Op::Delete(5)), (Op::Delete(6), Op::WriteConstant(6, 3))] {
        let state: MapState<_, _> = [(6, Cell(3))].into_iter().collect();
        let mut programs = block(2, |_| trial.clone());
        programs.extend(block(40, |_| later.clone()));
        let (result, metrics) =
            run_with_metrics(&engine(u32::MAX, 2), &MACHINE, &state, &programs, BlockPolicy::default()).unwrap();
        assert!(metrics.sequential_transactions > 0);
        assert_eq!(result.changes, []);
    }
}

/// What says itself that it can only follow each other is not tried. What comes after it is.
#[test]
fn a_declared_chain_is_not_tried_and_what_comes_after_it_is() {
    let hinted = |key: Key| Program { ops: vec![Op::Increment(key)], gas: 1, hints: vec![key] };
    let chain: Vec<_> = (0..1_000).map(|_| hinted(5)).collect();
    // Hardly anything is too little for it: it would never be given up.
    assert_eq!(run(&engine(1, 8), &chain).1.sequential_transactions, 1_000);
    assert_eq!(run(&engine(0, 8), &chain).1.sequential_transactions, 0, "nobody wants to know");
    let independent = (0..2_000).map(|at| hinted(10 + at % 1_000));
    let both: Vec<_> = chain.into_iter().chain(independent).collect();
    // It is looked at again after 64, 192, 448 and 960 transactions; there less of the chain is left than of the rest.
    let (result, metrics) = run(&engine(1, 8), &both);
    assert_eq!(result, run(&Engine::new(config(Mode::Sequential, 1, 1)), &both).0);
    assert!((960..2_960).contains(&metrics.sequential_transactions), "{metrics:?}");
}

/// A transaction that was begun before its turn keeps a worker busy, and nothing of that shows before it is committed: as
/// long as it runs, what the others do alone is not held against the parallel path.
#[test]
fn nothing_is_judged_while_a_head_start_is_executed() {
    const LENGTH: usize = 100;
    let committed = Stage::Parallel.gate();
    let most = Arc::clone(&committed);
    let long = Script::new(move |_| {
        most.wait_for(60);
        done([])
    });
    let mut block: Vec<_> = (0..LENGTH - 1).map(|_| Script::nothing()).collect();
    block.push(long.weighing(1000));
    let engine = Engine::new(Config { worthwhile_percent: u32::MAX, trial_units: 4, ..config(Mode::Auto, 2, 1) });
    let state = MapState::<Key, Cell>::default();
    let on_commit = |_: usize, _: &_| committed.signal();
    let output = engine.execute_block_with(&Scripts, &state, &block, BlockPolicy::default(), on_commit).unwrap();
    assert_eq!(output.outcomes.len(), LENGTH);
    let parallel = LENGTH as u64 - output.metrics.sequential_transactions;
    assert!(parallel >= 60, "given up after {parallel}, while it ran");
}

/// Adds one to a key, and takes its time between reading and writing.
fn slow_increment(key: Key) -> Script {
    Script::new(move |state| {
        let before = number(state, key)?;
        sleep(Duration::from_millis(5));
        state.write(key, Cell(before + 1));
        done([before])
    })
}

/// How many transactions two workers execute in parallel if that has to be half as fast again.
fn executed_in_parallel(block: &[Script]) -> u64 {
    let engine = Engine::new(Config { worthwhile_percent: 150, trial_units: 8, ..config(Mode::Auto, 2, 1) });
    let state = MapState::<Key, Cell>::default();
    let output = engine.execute_block_with(&Scripts, &state, block, BlockPolicy::default(), |_, _| {}).unwrap();
    let chain = output.outcomes.iter().map(|outcome| outcome.output[0]).collect::<Vec<_>>();
    assert_eq!(chain[..12], (0..12).collect::<Vec<_>>());
    block.len() as u64 - output.metrics.sequential_transactions
}

/// While one worker executes a chain the other one finds what lies behind it, though none of that is committed.
#[test]
fn what_is_done_behind_a_chain_counts() {
    let chain = (0..12).map(|_| slow_increment(5).hinting([5]));
    let block: Vec<_> = chain.chain((100..130).map(slow_increment)).collect();
    assert_eq!(executed_in_parallel(&block), 42);
}

/// A chain that nobody has hinted at: the other worker executes whatever is next, in vain.
#[test]
fn what_is_done_in_vain_does_not_count() {
    let block: Vec<_> = (0..24).map(|_| slow_increment(5)).collect();
    assert!(executed_in_parallel(&block) < 24);
}
