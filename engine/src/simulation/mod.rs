//! The engine on as many cores as one likes, in virtual time.
//!
//! A [`Simulation`] runs the engine's own scheduler, multi-version memory, overlays and records, and the steps that its
//! workers take, for N *virtual* workers that take turns on the calling thread. A clock of its own, instead of the
//! machine's, says whose turn it is: a step happens at one moment, and the time that it costs passes before the same
//! worker's next one. Results are real: outcomes and changes are those of the block. Times are a model's:
//!
//! - transactions take the time that the caller says, everything else what [`Costs`] says;
//! - an execution reads everything at one moment ([`Schedule`]) and publishes everything at its end;
//! - a cache line which another worker has touched last has to be fetched, and is fetched by one worker at a time:
//!   locations that are written, statuses of units, and the scheduler's counters;
//! - units are committed one after another; a worker that confirms a validation while another one commits leaves it to
//!   that one, as in the engine;
//! - idle workers look around, sleep, nap and are woken by the scheduler's own decisions, through the same counters.
//!
//! Not modelled: prefetched base values, hyperthreads, other sockets, the order of accesses within an execution, and an
//! operating system that takes a core away. That cores slow each other down (memory bandwidth, shared caches, clock
//! rates) is one number, [`Costs::crowding_per_mille`], and nothing unless it is given. A simulated time is therefore
//! what a good machine of that size could give, not what any will.
//!
//! ```
//! # use weft_engine::{BlockPolicy, NoDelta, OutOfBounds, Outcome, StateView, Stop, Value, Vm};
//! # use weft_storage::{StateReader, StorageError};
//! # #[derive(Clone, Debug, PartialEq)]
//! # struct Number(u64);
//! # impl Value for Number {
//! #     type Delta = NoDelta;
//! #     fn apply(_: Option<&Self>, delta: &NoDelta) -> Result<Self, OutOfBounds> { match *delta {} }
//! #     fn combine(first: &NoDelta, _: &NoDelta) -> Result<NoDelta, OutOfBounds> { match *first {} }
//! # }
//! # struct Increment;
//! # impl Vm for Increment {
//! #     type Transaction = u32;
//! #     type Key = u32;
//! #     type Value = Number;
//! #     type Output = ();
//! #     fn execute<S: StateView<u32, Number>>(&self, key: &u32, state: &mut S) -> Result<Outcome<()>, Stop> {
//! #         let number = state.read(key)?.map_or(0, |number| number.0);
//! #         state.write(*key, Number(number + 1));
//! #         Ok(Outcome::applied((), 0))
//! #     }
//! # }
//! # struct Nothing;
//! # impl StateReader<u32, Number> for Nothing {
//! #     fn read(&self, _: &u32) -> Result<Option<Number>, StorageError> { Ok(None) }
//! # }
//! use std::time::Duration;
//! use weft_engine::simulation::Simulation;
//!
//! // A thousand transactions of 100 microseconds; each of a hundred keys is incremented ten times.
//! let block: Vec<u32> = (0..1000).map(|at| at % 100).collect();
//! let micros = |_| Duration::from_micros(100);
//! let on = |workers| Simulation::new(workers).execute_block(&Increment, &Nothing, &block, micros, BlockPolicy::default());
//!
//! let (one, many) = (on(1)?, on(32)?);
//! assert_eq!(one.output.changes, many.output.changes);
//! let speed_up = one.makespan().as_secs_f64() / many.makespan().as_secs_f64();
//! assert!((20.0..32.0).contains(&speed_up), "{speed_up} times as fast on 32 cores");
//! # Ok::<(), weft_engine::BlockError>(())
//! ```

mod costs;
mod lines;
mod run;
mod steps;

use std::ops::AddAssign;
use std::time::Duration;

use crossbeam_utils::CachePadded;
use parking_lot::Mutex;
use weft_mvmemory::MvMemory;
use weft_scheduler::Scheduler;
use weft_storage::StateReader;

use crate::admission::BlockEnd;
use crate::block::{BlockRun, UnitRecord};
use crate::commit::Commit;
use crate::config::BlockPolicy;
use crate::engine::BlockOutput;
use crate::error::BlockError;
use crate::head_start::head_start;
use crate::metrics::Metrics;
use crate::progress::Progress;
use crate::rare::WrittenKinds;
use crate::rest::Rest;
use crate::vm::Vm;

pub use costs::{Costs, Schedule};
use run::Run;

/// What the workers' time went into, all workers together. Waiting for work in sleep is not part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Busy {
    /// Executing transactions, also those whose result was thrown away.
    pub executing: Duration,
    /// Of that, what no commit came from: executions that were repeated later or given up.
    pub wasted: Duration,
    /// Reading, recording, announcing and publishing.
    pub memory: Duration,
    /// Resolving reads again.
    pub validating: Duration,
    /// Committing, including what was executed at the commit frontier.
    pub committing: Duration,
    /// Asking for tasks and settling them.
    pub scheduling: Duration,
    /// Sending units back to validation: looking at all of them that a re-execution may concern.
    pub rewinding: Duration,
    /// Waiting for cache lines.
    pub fetching: Duration,
    /// Looking around for work before sleeping; waking others and being woken.
    pub idling: Duration,
    /// Setting up the block and collecting its changes.
    pub framing: Duration,
}

impl Busy {
    /// Everything together.
    #[must_use]
    pub fn total(&self) -> Duration {
        // What was wasted is counted as execution already.
        self.executing
            + self.memory
            + self.validating
            + self.committing
            + self.scheduling
            + self.rewinding
            + self.fetching
            + self.idling
            + self.framing
    }
}

impl AddAssign for Busy {
    fn add_assign(&mut self, other: Self) {
        self.executing += other.executing;
        self.wasted += other.wasted;
        self.memory += other.memory;
        self.validating += other.validating;
        self.committing += other.committing;
        self.scheduling += other.scheduling;
        self.rewinding += other.rewinding;
        self.fetching += other.fetching;
        self.idling += other.idling;
        self.framing += other.framing;
    }
}

/// A simulated block.
#[derive(Debug)]
pub struct Simulated<V: Vm> {
    /// What the block gives. In its metrics, wall-clock and core time are virtual.
    pub output: BlockOutput<V>,
    /// What the workers' time went into.
    pub busy: Busy,
    /// How much of the makespan went by while one worker or none executed transactions: what cannot be parallel, or
    /// was not.
    pub narrow: Duration,
    /// Steps that the workers have taken.
    pub steps: u64,
    /// Of every step with its time and its worker, in order: two runs with equal ones went the same way.
    pub fingerprint: u64,
}

impl<V: Vm> Simulated<V> {
    /// How long the block took, in virtual time.
    #[must_use]
    pub fn makespan(&self) -> Duration {
        self.output.metrics.wall_time
    }
}

/// Blocks with fewer locations are collected by one worker, as in the engine.
const WORTH_DIVIDING: usize = crate::changes::WORTH_DIVIDING;

/// N virtual workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Simulation {
    /// Virtual workers, each on a core of its own. At least 1; blocks with fewer units use fewer.
    pub workers: usize,
    /// Transactions of a unit, at least 1.
    pub unit_length: usize,
    /// What bookkeeping costs.
    pub costs: Costs,
    /// In which order things happen.
    pub schedule: Schedule,
}

impl Simulation {
    /// So many workers, units of one transaction, usual costs, steady.
    #[must_use]
    pub fn new(workers: usize) -> Self {
        Self { workers, unit_length: 1, costs: Costs::default(), schedule: Schedule::default() }
    }

    /// Executes a block optimistically, whatever its size. `time_of` says how long each transaction takes, by its index
    /// in the block, whenever it is executed.
    ///
    /// # Errors
    /// [`BlockError`], as from the engine.
    pub fn execute_block<V, R>(
        &self,
        vm: &V,
        reader: &R,
        transactions: &[V::Transaction],
        time_of: impl Fn(usize) -> Duration,
        policy: BlockPolicy,
    ) -> Result<Simulated<V>, BlockError>
    where
        V: Vm,
        R: StateReader<V::Key, V::Value>,
    {
        let unit_length = self.unit_length.max(1);
        let units = u32::try_from(transactions.len().div_ceil(unit_length)).ok().filter(|units| *units < 1 << 31);
        let units = units.ok_or(BlockError::TooLong { transactions: transactions.len() })?;
        let workers = self.workers.clamp(1, units.max(1) as usize);

        let mut memory = MvMemory::new();
        let mut scheduler = Scheduler::new(units);
        scheduler.limit_run_ahead(workers);
        let rest = Rest { vm, reader, transactions, first: 0, unit_length, policy };
        scheduler.give_head_start(head_start(&rest, workers));
        let written_kinds = WrittenKinds::default();
        let records: Vec<_> = (0..units).map(|_| UnitRecord::<V>::new()).collect();
        let progress = Progress::new(policy, transactions.len(), |_, _: &_| {});
        let block = BlockRun {
            vm,
            reader,
            transactions,
            first: 0,
            first_position: 0,
            unit_length,
            policy,
            is_watched: false,
            work_time: None,
            takes_turns: true,
            memory: &memory,
            scheduler: &scheduler,
            written_kinds: &written_kinds,
            records: &records,
            commit: CachePadded::new(Mutex::new(Commit::new(progress, None, None))),
        };
        let set_up = self.costs.set_up * units;
        let run = Run::new(&block, self.costs, self.schedule, workers, &time_of);
        let over = run.until_over(u64::try_from(set_up.as_nanos()).unwrap_or(u64::MAX));
        let commit = CachePadded::into_inner(block.commit).into_inner();
        if let Some(error) = commit.error {
            return Err(error);
        }

        let locations = memory.locations();
        let collecting = self.costs.collect * u32::try_from(locations).unwrap_or(u32::MAX);
        let collectors = if locations < WORTH_DIVIDING { 1 } else { workers as u32 };
        let Progress { admission, outcomes, end, .. } = commit.progress;
        let kept = match end {
            BlockEnd::Rejected { .. } => 0,
            BlockEnd::Complete | BlockEnd::GasLimit { .. } => commit.units,
        };
        let changes = memory.finish(kept, |key| reader.read(key)).map_err(BlockError::Changes)?;
        let mut busy = over.busy;
        busy.framing += set_up + collecting;
        let counts = over.counts;
        let metrics = Metrics {
            transactions: transactions.len() as u64,
            units: u64::from(units),
            executions: counts.executions,
            validations: counts.validations,
            aborts: counts.aborts,
            suspensions: counts.suspensions,
            resumed_transactions: counts.resumed_transactions,
            deltas_resolved: commit.deltas_resolved,
            frontier_executions: commit.frontier_executions,
            core_time: busy.total(),
            wall_time: over.makespan + collecting / collectors,
            workers,
            ..Metrics::default()
        };
        Ok(Simulated {
            output: BlockOutput { outcomes, changes, end, gas_used: admission.gas_used(), metrics },
            busy,
            narrow: over.narrow,
            steps: over.steps,
            fingerprint: over.fingerprint,
        })
    }
}

#[cfg(test)]
mod tests;
