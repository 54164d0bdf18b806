//! Weft against sequential execution on one synthetic block.
//!
//! Both are the same engine in different modes. Their runs alternate, so that a slow moment of the machine hits both,
//! and what is compared is always two runs of one round. Every run must give the outcomes and the changes of a
//! sequential execution. Engines are kept between the runs, as a node keeps them.

use std::hint::black_box;
use std::sync::Arc;

use serde::Serialize;
use weft_engine::{BlockError, BlockOutput, BlockPolicy, Config, Engine, Mode, WorkerPool};
use weft_node::compare::median;

use super::break_even::Point;
use super::pattern::{Block, Pattern};
use super::vm::{Base, Synthetic};
use super::work::{Calibration, spin};
use crate::timing::{Cost, timed};

/// How to measure.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Steps of work in a microsecond.
    pub calibration: Calibration,
    /// Measured rounds, at least one, after one that is not.
    pub repeat: usize,
    /// Seed of the blocks.
    pub seed: u64,
    /// What is measured against sequential execution.
    pub contenders: Vec<Contender>,
}

/// A way to execute a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contender {
    /// The path that it takes.
    pub mode: Mode,
    /// Its threads.
    pub threads: usize,
    /// Consecutive transactions that it schedules as one.
    pub unit_length: usize,
}

impl Contender {
    /// What it is called in tables.
    #[must_use]
    pub fn name(&self) -> String {
        let threads = if self.threads == 1 { "1 thread".to_owned() } else { format!("{} threads", self.threads) };
        match self.mode {
            Mode::Sequential => "sequential".to_owned(),
            Mode::Optimistic if self.unit_length == 1 => threads,
            Mode::Optimistic => format!("{threads}, units of {}", self.unit_length),
            Mode::Auto => format!("auto, units of {}", self.unit_length),
        }
    }
}

/// A block to measure on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Case {
    /// Who conflicts with whom.
    pub pattern: Pattern,
    /// The work of a transaction, in microseconds.
    pub work_micros: f64,
    /// Transactions of the block.
    pub transactions: usize,
    /// So many executions of the block are measured together, at least one: a single transaction is too short for a clock.
    pub blocks: usize,
}

/// Why there are no figures.
#[derive(Debug, thiserror::Error)]
pub enum MeasureError {
    /// The engine has no result.
    #[error("{pattern}, {contender}: {source}")]
    Execute {
        /// The pattern.
        pattern: Pattern,
        /// Who has no result.
        contender: String,
        /// Why.
        source: BlockError,
    },
    /// A run does not give the result of sequential execution.
    #[error("{pattern}, {contender}: {source}")]
    Differs {
        /// The pattern.
        pattern: Pattern,
        /// Whose run it is.
        contender: String,
        /// Where they differ.
        source: DiffersError,
    },
}

/// Where a result is not that of sequential execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DiffersError {
    /// In the outcome of a transaction.
    #[error("the outcome of transaction {0} is not that of sequential execution")]
    Outcome(usize),
    /// In what the block changes.
    #[error("the changes are not those of sequential execution")]
    Changes,
    /// In where the block ends.
    #[error("the block does not end where it ends sequentially")]
    End,
}

/// One contender's figures: medians, of pairs of runs where they compare.
#[derive(Debug, Clone, Serialize)]
pub struct Figures {
    /// The contender.
    pub contender: String,
    /// Wall-clock time a transaction, in microseconds.
    pub micros: f64,
    /// How many times as fast as sequential execution.
    pub speed_up: f64,
    /// CPU time that it takes beyond what sequential execution takes, a transaction, in nanoseconds.
    pub added_core_nanos: f64,
    /// Cores that were busy on average.
    pub cores: f64,
    /// Executions of a unit: 1 means that nothing was executed twice. A unit that is repeated repeats all of its
    /// transactions.
    pub executions: f64,
}

/// What weft is to reach on a chain, where nothing can be won.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Target {
    /// At least so many times as fast as sequential execution.
    pub speed_up: f64,
    /// At most so many cores.
    pub cores: f64,
    /// At most so many executions of a transaction.
    pub executions: f64,
}

impl Target {
    /// For a chain of transactions of 1 µs.
    pub const CHAIN: Self = Self { speed_up: 0.95, cores: 1.15, executions: 1.05 };

    /// What of it `figures` miss; empty where they reach it.
    #[must_use]
    pub fn missed(&self, figures: &Figures) -> Vec<String> {
        let mut missed = Vec::new();
        if figures.speed_up < self.speed_up {
            missed.push(format!("{:.2} times as fast, not {:.2}", figures.speed_up, self.speed_up));
        }
        if figures.cores > self.cores {
            missed.push(format!("{:.2} cores, not {:.2}", figures.cores, self.cores));
        }
        if figures.executions > self.executions {
            missed.push(format!("{:.3} executions, not {:.2}", figures.executions, self.executions));
        }
        missed
    }
}

/// All figures of a case.
#[derive(Debug, Clone, Serialize)]
pub struct Measurement {
    /// The case.
    #[serde(flatten)]
    pub case: Case,
    /// Wall-clock time of a transaction in sequential execution, in microseconds: median of all runs.
    pub sequential_micros: f64,
    /// Cores that threads which only compute, as many as the contenders have at most, had for themselves meanwhile. Where
    /// there are fewer than threads, something else was running, and no speed-up of several threads means anything.
    pub cores_given: f64,
    /// One for each contender of the plan, in its order.
    pub figures: Vec<Figures>,
}

impl Measurement {
    /// What the break-even of the contender at `at` of the plan is found from.
    #[must_use]
    pub fn point(&self, at: usize) -> Option<Point> {
        let speed_up = self.figures.get(at)?.speed_up;
        Some(Point { work_micros: self.case.work_micros, sequential_micros: self.sequential_micros, speed_up })
    }
}

/// For so many microseconds every thread computes when it is measured how many cores there are.
const LOOK_MICROS: f64 = 1000.0;

/// Cores that all workers of `pool` together get, if they do nothing but compute.
fn cores_given(pool: &WorkerPool, calibration: &Calibration) -> f64 {
    let steps = calibration.steps(LOOK_MICROS);
    let work = |worker| {
        black_box(spin(black_box(worker as u64), steps));
    };
    timed(|| pool.run(pool.workers(), work)).1.cores()
}

/// One engine and what it took.
struct Runner {
    name: String,
    engine: Engine<Synthetic>,
    costs: Vec<Cost>,
    executions: Vec<f64>,
}

impl Runner {
    fn new(contender: &Contender, pool: &Arc<WorkerPool>) -> Self {
        let config = Config {
            mode: contender.mode,
            max_parallel_threads: contender.threads,
            unit_length: contender.unit_length,
            ..Config::default()
        };
        let engine = Engine::with_pool(config, Arc::clone(pool));
        Self { name: contender.name(), engine, costs: Vec::new(), executions: Vec::new() }
    }

    /// Executes the block `blocks` times and gives all results, and what that took.
    fn run(
        &self,
        vm: Synthetic,
        block: &Block,
        blocks: usize,
    ) -> (Vec<Result<BlockOutput<Synthetic>, BlockError>>, Cost) {
        let mut outputs = Vec::with_capacity(blocks);
        let ((), cost) = timed(|| {
            let execute = || self.engine.execute_block(&vm, &Base, &block.transactions, BlockPolicy::default());
            outputs.extend(std::iter::repeat_with(execute).take(blocks));
        });
        (outputs, cost)
    }
}

/// Where `got` is not `expected`.
fn check(expected: &BlockOutput<Synthetic>, got: &BlockOutput<Synthetic>) -> Result<(), DiffersError> {
    let count = expected.outcomes.len().max(got.outcomes.len());
    if let Some(index) = (0..count).find(|&index| expected.outcomes.get(index) != got.outcomes.get(index)) {
        return Err(DiffersError::Outcome(index));
    }
    if expected.changes != got.changes {
        return Err(DiffersError::Changes);
    }
    if expected.end == got.end { Ok(()) } else { Err(DiffersError::End) }
}

/// Measures all contenders of the plan on one case.
///
/// # Errors
/// [`MeasureError`], above all where a run does not give the sequential result.
pub fn measure(case: &Case, plan: &Plan) -> Result<Measurement, MeasureError> {
    let pattern = case.pattern;
    let block = pattern.block(case.transactions, plan.seed);
    let vm = Synthetic { steps: plan.calibration.steps(case.work_micros), has_hints: block.has_hints };
    let threads = plan.contenders.iter().map(|contender| contender.threads).max().unwrap_or(1);
    let pool = Arc::new(WorkerPool::new(threads));
    let sequential = Contender { mode: Mode::Sequential, threads: 1, unit_length: 1 };
    let mut runners: Vec<Runner> =
        std::iter::once(&sequential).chain(&plan.contenders).map(|contender| Runner::new(contender, &pool)).collect();
    let mut expected = None;
    let mut given = Vec::new();
    for round in 0..=plan.repeat.max(1) {
        let count = runners.len();
        given.push(cores_given(&pool, &plan.calibration));
        for turn in 0..count {
            // Who is first changes from round to round. In the unmeasured one it is sequential execution, which gives
            // what all others must give.
            let runner = &mut runners[(round + turn) % count];
            let (outputs, cost) = runner.run(vm, &block, case.blocks.max(1));
            for output in outputs {
                let contender = || runner.name.clone();
                let output =
                    output.map_err(|source| MeasureError::Execute { pattern, contender: contender(), source })?;
                let executions = output.metrics.executions_per_unit();
                let expected = expected.get_or_insert_with(|| copy(&output));
                check(expected, &output).map_err(|source| MeasureError::Differs {
                    pattern,
                    contender: contender(),
                    source,
                })?;
                if round > 0 {
                    runner.executions.push(executions);
                }
            }
            if round > 0 {
                runner.costs.push(cost);
            }
        }
    }
    let transactions = (case.transactions * case.blocks.max(1)).max(1) as f64;
    let (sequential, contenders) = runners.split_at(1);
    let sequential = &sequential[0].costs;
    Ok(Measurement {
        case: *case,
        sequential_micros: median(sequential.iter().map(Cost::seconds).collect()) * 1e6 / transactions,
        cores_given: median(given),
        figures: contenders.iter().map(|runner| figures(runner, sequential, transactions)).collect(),
    })
}

/// What all runs are compared with.
fn copy(output: &BlockOutput<Synthetic>) -> BlockOutput<Synthetic> {
    BlockOutput {
        outcomes: output.outcomes.clone(),
        changes: output.changes.clone(),
        end: output.end,
        gas_used: output.gas_used,
        metrics: output.metrics.clone(),
    }
}

fn figures(runner: &Runner, sequential: &[Cost], transactions: f64) -> Figures {
    let pairs = || runner.costs.iter().zip(sequential);
    let added = pairs().map(|(run, alone)| run.cpu.as_secs_f64() - alone.cpu.as_secs_f64());
    Figures {
        contender: runner.name.clone(),
        micros: median(runner.costs.iter().map(Cost::seconds).collect()) * 1e6 / transactions,
        speed_up: median(pairs().map(|(run, alone)| alone.seconds() / run.seconds()).collect()),
        added_core_nanos: median(added.collect()) * 1e9 / transactions,
        cores: median(runner.costs.iter().map(Cost::cores).collect()),
        executions: median(runner.executions.clone()),
    }
}

#[cfg(test)]
#[path = "measure_tests.rs"]
mod tests;
