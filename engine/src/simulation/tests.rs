use std::time::Duration;

use weft_mvmemory::{NoDelta, OutOfBounds, Value};
use weft_storage::{StateReader, StorageError};

use super::{Costs, Schedule, Simulated, Simulation};
use crate::config::BlockPolicy;
use crate::recording::Profile;
use crate::vm::{Outcome, StateView, Stop, Touch, Vm};

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Number(u64);

impl Value for Number {
    type Delta = NoDelta;
    fn apply(_: Option<&Self>, delta: &NoDelta) -> Result<Self, OutOfBounds> {
        match *delta {}
    }
    fn combine(first: &NoDelta, _: &NoDelta) -> Result<NoDelta, OutOfBounds> {
        match *first {}
    }
}

/// "Add the first key's number to the second's", with or without saying so beforehand.
struct Accumulate {
    announces: bool,
}

impl Vm for Accumulate {
    type Transaction = (u32, u32);
    type Key = u32;
    type Value = Number;
    type Output = u64;

    fn execute<S: StateView<u32, Number>>(
        &self,
        (from, to): &Self::Transaction,
        state: &mut S,
    ) -> Result<Outcome<u64>, Stop> {
        let sum = state.read(from)?.map_or(1, |n| n.0).wrapping_add(state.read(to)?.map_or(1, |n| n.0));
        state.write(*to, Number(sum));
        Ok(Outcome::applied(sum, 0))
    }

    fn footprint(&self, (from, to): &Self::Transaction, declare: &mut dyn FnMut(u32, Touch)) {
        if self.announces {
            declare(*from, Touch::Write);
            declare(*to, Touch::Write);
        }
    }

    fn weight(&self, (_, to): &Self::Transaction) -> u64 {
        if *to >= HEAVY { 20 } else { 1 }
    }
}

/// Who changes such a key takes twenty times as long as others.
const HEAVY: u32 = 1 << 20;

struct Nothing;
impl StateReader<u32, Number> for Nothing {
    fn read(&self, _: &u32) -> Result<Option<Number>, StorageError> {
        Ok(None)
    }
}

const TIME: Duration = Duration::from_micros(100);

fn simulate(simulation: Simulation, block: &[(u32, u32)], announces: bool) -> Simulated<Accumulate> {
    let vm = Accumulate { announces };
    let simulated = simulation.execute_block(&vm, &Nothing, block, |_| TIME, BlockPolicy::default());
    let simulated = simulated.expect("a result");
    let (_, sequential) = profile(block);
    assert_eq!(simulated.output.outcomes, sequential.outcomes, "FinalEqualsSequential");
    assert_eq!(simulated.output.changes, sequential.changes, "FinalEqualsSequential");
    simulated
}

fn profile(block: &[(u32, u32)]) -> (Profile<u32>, crate::BlockOutput<Accumulate>) {
    let vm = Accumulate { announces: false };
    Profile::of(&vm, &Nothing, block, BlockPolicy::default(), 0).expect("a result")
}

fn free(workers: usize) -> Simulation {
    Simulation { costs: Costs::free(), ..Simulation::new(workers) }
}

fn independent(transactions: u32) -> Vec<(u32, u32)> {
    (0..transactions).map(|at| (at * 2, at * 2 + 1)).collect()
}

/// Each transaction reads what the last one has written.
fn chain(transactions: u32) -> Vec<(u32, u32)> {
    (0..transactions).map(|at| (at, at + 1)).collect()
}

/// Drawn at random, always the same.
fn random(transactions: u32, keys: u32) -> Vec<(u32, u32)> {
    let mut state = 7u32;
    let mut draw = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) % keys
    };
    (0..transactions).map(|_| (draw(), draw())).collect()
}

#[test]
fn without_costs_one_worker_takes_as_long_as_its_transactions() {
    for block in [independent(50), chain(50), random(50, 5)] {
        let simulated = simulate(free(1), &block, false);
        assert_eq!(simulated.makespan(), TIME * 50);
        assert_eq!(simulated.output.metrics.core_time, TIME * 50);
        assert_eq!(simulated.busy.wasted, Duration::ZERO);
    }
}

#[test]
fn without_costs_independent_transactions_keep_all_workers_busy() {
    for workers in [2, 8, 32] {
        let simulated = simulate(free(workers), &independent(320), false);
        assert_eq!(simulated.makespan() * workers as u32, TIME * 320);
        assert_eq!(simulated.output.metrics.executions, 320);
        assert_eq!(simulated.output.metrics.validations, 320, "ValidationsEqualExecutionsWithoutConflicts");
    }
}

#[test]
fn an_announced_chain_costs_one_worker() {
    let simulated = simulate(Simulation::new(16), &chain(200), true);
    let metrics = &simulated.output.metrics;
    assert_eq!(metrics.executions, 200);
    assert!(metrics.core_time < TIME * 230, "{:?}", simulated.busy);
    assert!(simulated.makespan() >= TIME * 200, "no faster than the chain");
    assert!(simulated.narrow * 100 > simulated.makespan() * 95, "{:?}", simulated.narrow);
}

#[test]
fn no_schedule_beats_the_bound() {
    for (block, announces) in [
        (chain(60), false),
        (chain(60), true),
        (random(200, 6), false),
        (random(200, 6), true),
        (random(200, 60), true),
    ] {
        let (profile, _) = profile(&block);
        for read_percent in [0, 50, 100] {
            let path = profile.critical_path(|_| TIME, read_percent).longest;
            for workers in [1, 2, 5, 16] {
                let schedule = Schedule::Steady { read_percent };
                let simulated = simulate(Simulation { schedule, ..free(workers) }, &block, announces);
                let bound = path.max(TIME * block.len() as u32 / workers as u32);
                assert!(simulated.makespan() >= bound, "{workers} workers, reads after {read_percent} %");
            }
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_schedule_and_another_seed_another() {
    let block = random(100, 8);
    let run = |seed| {
        let schedule = Schedule::Shaken { seed };
        let simulated = simulate(Simulation { schedule, unit_length: 2, ..Simulation::new(6) }, &block, true);
        (simulated.fingerprint, simulated.makespan(), simulated.steps)
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1).0, run(2).0);
    let steady = || simulate(Simulation::new(6), &block, false).fingerprint;
    assert_eq!(steady(), steady());
}

#[test]
fn fetching_cache_lines_costs_what_it_says() {
    let cheap = simulate(Simulation::new(8), &random(200, 8), true);
    let costs = Costs { transfer: Duration::from_micros(20), ..Costs::default() };
    let dear = simulate(Simulation { costs, ..Simulation::new(8) }, &random(200, 8), true);
    assert!(dear.makespan() > cheap.makespan() && dear.busy.fetching > cheap.busy.fetching * 10);
    let alone = simulate(Simulation { costs, ..Simulation::new(1) }, &random(200, 8), true);
    assert_eq!(alone.busy.fetching, Duration::ZERO, "one worker has all lines");
}

#[test]
fn a_crowd_slows_executions_down_and_one_alone_is_not_slowed() {
    let costs = Costs { crowding_per_mille: 100, ..Costs::free() };
    let on = |workers, block: &[(u32, u32)]| simulate(Simulation { costs, ..Simulation::new(workers) }, block, true);
    assert_eq!(on(1, &independent(10)).makespan(), TIME * 10);
    assert_eq!(on(4, &chain(10)).makespan(), TIME * 10);
    // The first round's workers find nobody, one, two and three others.
    assert_eq!(on(4, &independent(4)).makespan(), TIME * 13 / 10);
}

#[test]
fn the_critical_path_follows_reads_and_not_mere_writes() {
    let path = |block: &[(u32, u32)]| profile(block).0.critical_path(|_| TIME, 0).longest;
    assert_eq!(path(&independent(10)), TIME);
    assert_eq!(path(&chain(10)), TIME * 10);
    // Three read what one wrote.
    assert_eq!(path(&[(0, 1), (1, 2), (1, 3), (1, 4)]), TIME * 2);
    let (profile, _) = profile(&chain(10));
    assert_eq!(profile.critical_path(|at| TIME * at as u32, 0).longest, TIME * 45);
    // Half of each transaction overlaps with the one before.
    assert_eq!(profile.critical_path(|_| TIME, 50).longest, TIME * 11 / 2);
    assert_eq!(profile.critical_path(|_| TIME, 0).total, TIME * 10);
}

#[test]
fn an_empty_block_takes_no_time() {
    let simulated = simulate(free(4), &[], false);
    assert_eq!((simulated.makespan(), simulated.output.outcomes.len()), (Duration::ZERO, 0));
}

/// Units of four. The last transaction of the second one reads what the first one writes, at the same time.
#[test]
fn a_unit_runs_again_from_its_first_stale_transaction() {
    let mut block = independent(8);
    block[7].0 = block[0].1;
    let simulated = simulate(Simulation { unit_length: 4, ..free(2) }, &block, false);
    let metrics = &simulated.output.metrics;
    assert_eq!((metrics.units, metrics.executions, metrics.aborts, metrics.resumed_transactions), (2, 3, 1, 3));
    assert_eq!(simulated.busy.executing, TIME * 9);
    assert_eq!(simulated.makespan(), TIME * 5);
}

/// A block whose heavy transactions take as long as they say.
fn simulate_heavy(block: &[(u32, u32)], announces: bool) -> Simulated<Accumulate> {
    let vm = Accumulate { announces };
    let time_of = |at: usize| TIME * vm.weight(&block[at]) as u32;
    let simulated = free(2).execute_block(&vm, &Nothing, block, time_of, BlockPolicy::default()).expect("a result");
    let (_, sequential) = profile(block);
    assert_eq!(simulated.output.outcomes, sequential.outcomes, "FinalEqualsSequential");
    assert_eq!(simulated.output.changes, sequential.changes, "FinalEqualsSequential");
    simulated
}

/// The last of forty transactions takes as long as half of them all.
#[test]
fn what_takes_long_is_begun_first() {
    let mut block = independent(40);
    block[39].1 = HEAVY;
    let simulated = simulate_heavy(&block, false);
    assert_eq!(simulated.makespan(), TIME * 30, "59 for two");
    assert_eq!(simulated.output.metrics.executions, 40);
}

/// The same, where it depends on one before it, and says so.
#[test]
fn what_takes_long_is_begun_right_after_what_it_needs() {
    let mut block = independent(40);
    block[39] = (block[30].1, HEAVY);
    let simulated = simulate_heavy(&block, true);
    assert_eq!(simulated.makespan(), TIME * 30, "59 for two");
    assert_eq!(simulated.output.metrics.executions, 40);
}

/// And where it does not say so.
#[test]
fn what_was_begun_too_early_runs_again() {
    let mut block = independent(40);
    block[39] = (block[30].1, HEAVY);
    let simulated = simulate_heavy(&block, false);
    assert_eq!((simulated.output.metrics.executions, simulated.busy.wasted), (41, TIME * 20));
}
