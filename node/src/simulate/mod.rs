//! A block on simulated cores: how fast it could be on machines that nobody has at hand. Used by `weft simulate`.
//!
//! Every simulated block gives its outcomes and changes; they must be those of sequential execution.

pub mod paper;
mod validation;

use std::time::Duration;

use serde::Serialize;
use weft_engine::recording::{CriticalPath, Profile};
use weft_engine::simulation::{Busy, Costs, Schedule, Simulated, Simulation};
use weft_engine::{BlockError, BlockOutput, BlockPolicy, Key, Vm};
use weft_storage::StateReader;

pub use validation::{Check, TOLERANCE_PERCENT, validate};

/// How long transactions take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransactionTime {
    /// All the same.
    Fixed(Duration),
    /// As long as the machine takes for them, sequentially: the middle of so many runs.
    Measured(usize),
}

/// What to simulate.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Numbers of cores.
    pub cores: Vec<usize>,
    /// Transactions of a unit.
    pub unit_length: usize,
    /// How long transactions take.
    pub time: TransactionTime,
    /// What bookkeeping costs.
    pub costs: Costs,
    /// When, in percent of its time, an execution reads.
    pub read_percent: u32,
}

/// A block, with all that executing it needs.
#[derive(Debug)]
pub struct Subject<'s, V: Vm, R> {
    /// What it is called.
    pub name: String,
    /// Executes its transactions.
    pub vm: &'s V,
    /// The state before it.
    pub reader: &'s R,
    /// Its transactions.
    pub transactions: &'s [V::Transaction],
}

/// Why there are no figures.
#[derive(Debug, thiserror::Error)]
pub enum SimulateError {
    /// A block has no result.
    #[error("{workload}: {source}")]
    Execute {
        /// The workload.
        workload: String,
        /// Why.
        #[source]
        source: BlockError,
    },
    /// A simulated or parallel block has another result than sequential execution: a defect.
    #[error("{workload} on {cores} cores: the result is not that of sequential execution")]
    Differs {
        /// The workload.
        workload: String,
        /// The cores.
        cores: usize,
    },
}

/// What one number of cores gives.
#[derive(Debug, Clone, Serialize)]
pub struct Point {
    /// Cores.
    pub cores: usize,
    /// Makespan, in milliseconds.
    pub milliseconds: f64,
    /// Transactions a second.
    pub per_second: f64,
    /// How many times as fast as the transactions one after another.
    pub speed_up: f64,
    /// What no schedule can beat: the number of cores, or all transactions over the longest chain of them, whichever is
    /// less.
    pub bound: f64,
    /// The speed-up as a share of that bound.
    pub of_bound: f64,
    /// Executions that ran to their end, a unit. 1 means that nothing was executed twice.
    pub executions: f64,
    /// Validations a unit.
    pub validations: f64,
    /// Executions that were given up or not begun, a unit.
    pub suspensions: f64,
    /// CPU time of all cores, in milliseconds.
    pub core_milliseconds: f64,
    /// The same over the time of the transactions one after another.
    pub inflation: f64,
    /// How the cores' time divides, in percent of cores × makespan.
    pub shares: Shares,
}

/// What the cores did, in percent of the time that they had: number of cores times makespan. Together 100, up to
/// rounding.
#[derive(Debug, Clone, Serialize)]
pub struct Shares {
    /// Executing what was committed.
    pub useful: f64,
    /// Executing what was not.
    pub wasted: f64,
    /// Recording and publishing.
    pub memory: f64,
    /// Validating.
    pub validating: f64,
    /// Committing.
    pub committing: f64,
    /// Scheduling.
    pub scheduling: f64,
    /// Looking for units to send back to validation, and sending them.
    pub rewinding: f64,
    /// Waiting for cache lines.
    pub fetching: f64,
    /// Looking around and waking.
    pub idling: f64,
    /// Setting up and collecting.
    pub framing: f64,
    /// Asleep, for want of work.
    pub asleep: f64,
}

/// The figures of a block.
#[derive(Debug, Clone, Serialize)]
pub struct Curve {
    /// The workload.
    pub workload: String,
    /// Transactions of the block.
    pub transactions: usize,
    /// All transactions one after another, in milliseconds.
    pub sequential_milliseconds: f64,
    /// The longest chain of transactions that depend on each other, in milliseconds.
    pub critical_path_milliseconds: f64,
    /// One for each number of cores.
    pub points: Vec<Point>,
}

impl Plan {
    /// So many cores.
    #[must_use]
    pub fn simulation(&self, workers: usize) -> Simulation {
        let schedule = Schedule::Steady { read_percent: self.read_percent };
        Simulation { workers, unit_length: self.unit_length, costs: self.costs, schedule }
    }

    /// Looks at a block sequentially. The result is what every other way of executing it must give.
    fn profile<V: Vm, R: StateReader<V::Key, V::Value>>(
        &self,
        subject: &Subject<'_, V, R>,
    ) -> Result<(Profile<V::Key>, BlockOutput<V>), SimulateError> {
        let runs = match self.time {
            TransactionTime::Fixed(_) => 0,
            TransactionTime::Measured(runs) => runs.max(1),
        };
        let Subject { vm, reader, transactions, .. } = subject;
        Profile::of(*vm, *reader, transactions, BlockPolicy::default(), runs)
            .map_err(|source| subject.no_result(source))
    }

    /// How long a transaction takes.
    fn time_of<K: Key>(&self, profile: &Profile<K>, transaction: usize) -> Duration {
        match self.time {
            TransactionTime::Fixed(time) => time,
            TransactionTime::Measured(_) => profile.time_of(transaction),
        }
    }
}

impl<V: Vm, R> Subject<'_, V, R> {
    fn no_result(&self, source: BlockError) -> SimulateError {
        SimulateError::Execute { workload: self.name.clone(), source }
    }

    fn must_be_equal(
        &self,
        cores: usize,
        got: &BlockOutput<V>,
        expected: &BlockOutput<V>,
    ) -> Result<(), SimulateError> {
        let equal = got.outcomes == expected.outcomes
            && got.changes == expected.changes
            && got.end == expected.end
            && got.gas_used == expected.gas_used;
        if equal { Ok(()) } else { Err(SimulateError::Differs { workload: self.name.clone(), cores }) }
    }
}

/// Simulates a block on every number of cores of the plan.
///
/// # Errors
/// [`SimulateError`], above all when a result differs from the sequential one.
pub fn simulate<V, R>(
    subject: &Subject<'_, V, R>,
    plan: &Plan,
    mut progress: impl FnMut(usize),
) -> Result<Curve, SimulateError>
where
    V: Vm,
    R: StateReader<V::Key, V::Value>,
{
    let (profile, expected) = plan.profile(subject)?;
    let time_of = |at| plan.time_of(&profile, at);
    let path = profile.critical_path(time_of, plan.read_percent);
    let mut points = Vec::new();
    for &cores in &plan.cores {
        progress(cores);
        let simulated = plan
            .simulation(cores)
            .execute_block(subject.vm, subject.reader, subject.transactions, time_of, BlockPolicy::default())
            .map_err(|source| subject.no_result(source))?;
        subject.must_be_equal(cores, &simulated.output, &expected)?;
        points.push(point(cores, &simulated, path));
    }
    Ok(Curve {
        workload: subject.name.clone(),
        transactions: subject.transactions.len(),
        sequential_milliseconds: path.total.as_secs_f64() * 1e3,
        critical_path_milliseconds: path.longest.as_secs_f64() * 1e3,
        points,
    })
}

/// The figures of a block on so many simulated cores, beside what it takes sequentially and at the least.
fn point<V: Vm>(cores: usize, simulated: &Simulated<V>, path: CriticalPath) -> Point {
    let (busy, metrics) = (simulated.busy, &simulated.output.metrics);
    let (makespan, sequential) = (simulated.makespan().as_secs_f64(), path.total.as_secs_f64());
    let (speed_up, bound) = (sequential / makespan, path.bound(cores, Duration::ZERO));
    Point {
        cores,
        milliseconds: makespan * 1e3,
        per_second: metrics.transactions as f64 / makespan,
        speed_up,
        bound,
        of_bound: speed_up / bound,
        executions: metrics.executions_per_unit(),
        validations: metrics.validations_per_unit(),
        suspensions: metrics.suspensions as f64 / metrics.units.max(1) as f64,
        core_milliseconds: busy.total().as_secs_f64() * 1e3,
        inflation: busy.total().as_secs_f64() / sequential,
        shares: Shares::of(&busy, makespan * cores as f64),
    }
}

impl Shares {
    /// Of the seconds that the cores had.
    fn of(busy: &Busy, seconds: f64) -> Self {
        let share = |time: Duration| 100.0 * time.as_secs_f64() / seconds;
        Self {
            useful: share(busy.executing.saturating_sub(busy.wasted)),
            wasted: share(busy.wasted),
            memory: share(busy.memory),
            validating: share(busy.validating),
            committing: share(busy.committing),
            scheduling: share(busy.scheduling),
            rewinding: share(busy.rewinding),
            fetching: share(busy.fetching),
            idling: share(busy.idling),
            framing: share(busy.framing),
            asleep: 100.0 - share(busy.total()),
        }
    }
}
