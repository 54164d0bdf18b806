//! FinalEqualsSequential on simulated cores: random programs, on random schedules that a seed chooses, give the
//! sequential result. The engine's own scheduler, memory and worker steps run in virtual time, on one thread: what fails
//! once fails again with the same seed.

use std::cell::Cell as Slot;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config as RunnerConfig, TestRunner};
use weft_engine::simulation::{Costs, Schedule, Simulation};
use weft_engine::{BlockPolicy, Engine, Mode, OnRejected};
use weft_tests::program::{Cell, Key, Machine, Op, Program, strategy};
use weft_tests::quiet::quiet_panics;
use weft_tests::run::{MapState, config, run_on};
use weft_tests::watchdog::Watched;

/// Schedules of each block.
const SCHEDULES: u64 = 6;
/// Blocks, unless `PROPTEST_CASES` says otherwise.
const BLOCKS: u32 = 4000;

/// A block, the state before it and its policy; and what the schedules are like.
#[derive(Debug, Clone)]
struct Case {
    keys: Key,
    start: Vec<u64>,
    block: Vec<Program>,
    policy: BlockPolicy,
    workers: usize,
    unit_length: usize,
    costs: Costs,
    /// Transactions take a pseudo-random time, up to so many nanoseconds.
    longest: u64,
    seed: u64,
}

impl Case {
    fn time_of(&self, transaction: usize) -> Duration {
        let random = (self.seed ^ transaction as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        Duration::from_nanos(random % self.longest)
    }

    fn simulation(&self, seed: u64) -> Simulation {
        let schedule = Schedule::Shaken { seed };
        Simulation { workers: self.workers, unit_length: self.unit_length, costs: self.costs, schedule }
    }
}

fn policy() -> impl Strategy<Value = BlockPolicy> {
    let on_rejected = prop_oneof![4 => Just(OnRejected::SkipInvalid), 1 => Just(OnRejected::RejectBlock)];
    (on_rejected, proptest::option::weighted(0.2, 0..1500u64))
        .prop_map(|(on_rejected, gas_limit)| BlockPolicy { on_rejected, gas_limit })
}

/// Bookkeeping that takes next to no time, as long as the transactions, or usual times.
fn costs() -> impl Strategy<Value = Costs> {
    prop_oneof![
        1 => Just(Costs::free()),
        2 => Just(Costs::default()),
        // Bookkeeping is slow and wake-ups are fast, so that everything happens at the same time.
        2 => (1..2000u64).prop_map(|most| {
            let most = Duration::from_nanos(most);
            let (wake, wake_call) = (most / 2, most / 10);
            Costs { step: most, commit: most, write: most / 2, wake, wake_call, look_around: most, ..Costs::default() }
        }),
    ]
}

fn case() -> impl Strategy<Value = Case> {
    // From a handful of keys, where everything conflicts, to enough that conflicts are rare.
    let keys = prop_oneof![4 => Just(6), 2 => Just(14), 1 => Just(100)];
    keys.prop_flat_map(|keys: Key| {
        let program = prop_oneof![
            6 => strategy::program(keys, 6),
            1 => strategy::on_one_key(keys).prop_map(|ops| Program { ops, gas: 1, hints: vec![] }),
            // Chains that nobody announces.
            3 => (2..keys).prop_map(|key| Program { ops: vec![Op::Increment(key)], gas: 1, hints: vec![] }),
        ];
        let start = proptest::collection::vec(0..500u64, 0..usize::from(keys));
        let block = proptest::collection::vec(program, 1..50);
        let shape = (1..=16usize, prop_oneof![3 => Just(1usize), 1 => 2..6usize], costs(), 1..20_000u64, any::<u64>());
        (start, block, policy(), shape).prop_map(move |(start, block, policy, shape)| {
            let (workers, unit_length, costs, longest, seed) = shape;
            Case { keys, start, block, policy, workers, unit_length, costs, longest, seed }
        })
    })
}

/// What the simulations of a case came to.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    schedules: u64,
    /// Schedules that did not go the same way as the one before.
    different: u64,
    aborts: u64,
    suspensions: u64,
    resumed_transactions: u64,
    frontier_executions: u64,
}

fn check(case: &Case, sequential: &Engine<Machine>) -> Result<Seen, TestCaseError> {
    let machine = Machine { keys: case.keys };
    let state: MapState<Key, Cell> = (2..).zip(case.start.iter().map(|value| Cell(*value))).collect();
    let expected = run_on(sequential, &machine, &state, &case.block, case.policy);
    let expected = expected.map(|result| (result.outcomes, result.changes, result.end, result.gas_used));
    let mut seen = Seen::default();
    let mut last = None;
    for schedule in 0..SCHEDULES {
        let simulation = case.simulation(case.seed.wrapping_add(schedule));
        let _watched = Watched::begin();
        let simulated = simulation.execute_block(&machine, &state, &case.block, |at| case.time_of(at), case.policy);
        let result = simulated.map_err(|error| error.to_string()).map(|simulated| {
            let output = simulated.output;
            seen.schedules += 1;
            seen.different += u64::from(last.replace(simulated.fingerprint) != Some(simulated.fingerprint));
            seen.aborts += output.metrics.aborts;
            seen.suspensions += output.metrics.suspensions;
            seen.resumed_transactions += output.metrics.resumed_transactions;
            seen.frontier_executions += output.metrics.frontier_executions;
            (output.outcomes, output.changes, output.end, output.gas_used)
        });
        prop_assert_eq!(&result, &expected, "schedule {} of {:?}", schedule, simulation);
    }
    Ok(seen)
}

#[test]
fn every_simulated_schedule_gives_the_sequential_result() {
    quiet_panics();
    let sequential = Engine::new(config(Mode::Sequential, 1, 1));
    let total = Slot::new(Seen::default());
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(BLOCKS);
    let mut runner = TestRunner::new(RunnerConfig { cases, ..RunnerConfig::default() });
    let run = runner.run(&case(), |case| {
        let seen = check(&case, &sequential)?;
        let mut sum = total.get();
        sum.schedules += seen.schedules;
        sum.different += seen.different;
        sum.aborts += seen.aborts;
        sum.suspensions += seen.suspensions;
        sum.resumed_transactions += seen.resumed_transactions;
        sum.frontier_executions += seen.frontier_executions;
        total.set(sum);
        Ok(())
    });
    run.unwrap_or_else(|failure| panic!("{failure}"));
    let total = total.get();
    // The schedules reach what makes them dangerous; a few blocks alone may not.
    if cases >= 100 {
        assert!(total.different > total.schedules / 2, "{total:?}");
        assert!(total.aborts > total.schedules, "{total:?}");
        assert!(total.suspensions > total.schedules, "{total:?}");
        assert!(total.resumed_transactions > total.schedules / 4, "{total:?}");
        assert!(total.frontier_executions > 0, "{total:?}");
    }
}

#[test]
fn a_seed_gives_one_schedule() {
    quiet_panics();
    let mut runner = TestRunner::new(RunnerConfig { cases: 60, ..RunnerConfig::default() });
    let run = runner.run(&case(), |case| {
        let machine = Machine { keys: case.keys };
        let state: MapState<Key, Cell> = (2..).zip(case.start.iter().map(|value| Cell(*value))).collect();
        let run = || {
            let simulation = case.simulation(case.seed);
            let simulated = simulation.execute_block(&machine, &state, &case.block, |at| case.time_of(at), case.policy);
            simulated.map_err(|error| error.to_string()).map(|simulated| {
                let metrics = &simulated.output.metrics;
                let counts = (metrics.executions, metrics.validations, metrics.aborts, metrics.suspensions);
                (simulated.fingerprint, simulated.steps, simulated.makespan(), simulated.busy, counts)
            })
        };
        prop_assert_eq!(run(), run());
        Ok(())
    });
    run.unwrap_or_else(|failure| panic!("{failure}"));
}
