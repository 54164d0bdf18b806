//! FinalEqualsSequential under shaken schedules: a machine that dawdles at random, so that workers overtake each other
//! where they never would on a quiet machine.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config as RunnerConfig, RngAlgorithm, TestRng, TestRunner};
use weft_engine::{BlockPolicy, Engine, Mode, OnRejected};
use weft_tests::delay::Delayed;
use weft_tests::program::{Cell, Key, Machine, Program, strategy};
use weft_tests::quiet::quiet_panics;
use weft_tests::run::{MapState, config, run_on};

/// A block, the state before it, its policy, and a seed for the delays.
#[derive(Debug, Clone)]
struct Case {
    keys: Key,
    start: Vec<u64>,
    block: Vec<Program>,
    policy: BlockPolicy,
    seed: u64,
}

fn case() -> impl Strategy<Value = Case> {
    let policy = (any::<bool>(), proptest::option::weighted(0.2, 0..1500u64)).prop_map(|(skip, gas_limit)| {
        let on_rejected = if skip { OnRejected::SkipInvalid } else { OnRejected::RejectBlock };
        BlockPolicy { on_rejected, gas_limit }
    });
    // From a handful of keys, where everything conflicts, to enough that conflicts are rare.
    prop_oneof![3 => Just(5), 2 => Just(12), 1 => Just(100)].prop_flat_map(move |keys: Key| {
        let program = prop_oneof![
            5 => strategy::program(keys, 6),
            1 => strategy::on_one_key(keys).prop_map(|ops| Program { ops, gas: 1, hints: vec![] }),
        ];
        let start = proptest::collection::vec(0..500u64, 0..usize::from(keys));
        (start, proptest::collection::vec(program, 1..40), policy.clone(), any::<u64>())
            .prop_map(move |(start, block, policy, seed)| Case { keys, start, block, policy, seed })
    })
}

/// Engines that are kept from case to case: what one block leaves behind meets the next one.
struct Engines {
    sequential: Engine<Delayed<Machine>>,
    parallel: Vec<Engine<Delayed<Machine>>>,
}

impl Engines {
    fn new() -> Self {
        let shapes = [(2, 1), (3, 1), (8, 1), (2, 3), (4, 5)];
        Self {
            sequential: Engine::new(config(Mode::Sequential, 1, 1)),
            parallel: shapes
                .map(|(threads, unit_length)| Engine::new(config(Mode::Optimistic, threads, unit_length)))
                .into(),
        }
    }

    /// Runs the case on all engines. Returns the number of parallel blocks.
    fn check(&self, case: &Case) -> Result<u64, TestCaseError> {
        let machine = Machine { keys: case.keys };
        let state: MapState<Key, Cell> = (2..).zip(case.start.iter().map(|value| Cell(*value))).collect();
        let vm = Delayed::new(machine, case.seed);
        let expected = run_on(&self.sequential, &vm, &state, &case.block, case.policy);
        let expected = expected.map(|result| (result.outcomes, result.changes, result.end, result.streamed));
        for engine in &self.parallel {
            let result = run_on(engine, &vm, &state, &case.block, case.policy);
            let result = result.map(|result| (result.outcomes, result.changes, result.end, result.streamed));
            prop_assert_eq!(&result, &expected, "{:?}", engine);
        }
        Ok(self.parallel.len() as u64)
    }
}

#[test]
fn a_shaken_schedule_changes_nothing() {
    quiet_panics();
    let engines = Engines::new();
    let mut runner = TestRunner::new(RunnerConfig { cases: 300, ..RunnerConfig::default() });
    runner.run(&case(), |case| engines.check(&case).map(drop)).unwrap_or_else(|failure| panic!("{failure}"));
}

/// The long run: `cargo test --release -p weft-tests --test shaken -- --ignored`. Cases are not
/// shrunk here: a race does not come back for every smaller case. A failure prints its case.
#[test]
#[ignore = "long: tens of thousands of blocks, minutes"]
fn a_shaken_schedule_changes_nothing_in_the_long_run() {
    const BLOCKS: u64 = 50_000;
    quiet_panics();
    let engines = Engines::new();
    let mut seed = [0; 32];
    rand::fill(&mut seed);
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let mut runner = TestRunner::new_with_rng(RunnerConfig::default(), rng);
    let (strategy, mut blocks) = (case(), 0);
    while blocks < BLOCKS {
        let case = strategy.new_tree(&mut runner).expect("a case").current();
        let checked = engines.check(&case);
        blocks += checked.unwrap_or_else(|failure| panic!("after {blocks} blocks: {failure}\n{case:#?}"));
    }
    assert!(blocks >= BLOCKS, "{blocks} blocks gave the sequential result");
}
