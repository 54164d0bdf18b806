//! The two ways through a block: plain revm, which is the oracle, and weft.
//!
//! Both get the same input and measure the same: execution and the making of the change set. Neither file reading nor
//! signatures nor receipts, nor what is done to compare them, is within the time.

use std::error::Error;
use std::time::{Duration, Instant};

use revm::context::result::ExecutionResult;
use weft_engine::{Config, Mode};
use weft_evm::{ParallelEvm, StateDiff, sequential};

use super::input::BlockInput;

/// What a path makes of a block.
#[derive(Debug, Clone)]
pub struct PathOutcome {
    /// One a transaction, in order.
    pub results: Vec<ExecutionResult>,
    /// What is changed.
    pub diff: StateDiff,
    /// How long it took.
    pub time: Duration,
    /// Executions of transactions, those included that had to be repeated.
    pub executions: u64,
}

/// Why a path has no outcome; names the transaction where there is one to blame.
pub type PathError = Box<dyn Error + Send + Sync>;

/// A way to execute a block.
pub trait ExecutionPath {
    /// Executes a block.
    ///
    /// # Errors
    /// [`PathError`] where a transaction is invalid or the state cannot be read.
    fn execute(&self, input: &BlockInput) -> Result<PathOutcome, PathError>;
}

/// Plain revm, one transaction after another.
#[derive(Debug, Clone, Copy, Default)]
pub struct SequentialPath;

impl ExecutionPath for SequentialPath {
    fn execute(&self, input: &BlockInput) -> Result<PathOutcome, PathError> {
        let start = Instant::now();
        let executed = sequential::execute(&input.env, &input.prestate, &input.transactions)?;
        let time = start.elapsed();
        let diff = StateDiff::of_journal(&executed.state, &input.prestate, input.spec())?;
        let executions = executed.results.len() as u64;
        Ok(PathOutcome { results: executed.results, diff, time, executions })
    }
}

/// weft on revm.
#[derive(Debug)]
pub struct ParallelPath {
    evm: ParallelEvm,
}

impl ParallelPath {
    /// A path with workers of its own, kept from block to block.
    #[must_use]
    pub fn new(mode: Mode, threads: usize) -> Self {
        let config = Config { mode, max_parallel_threads: threads, ..Config::default() };
        Self { evm: ParallelEvm::new(config) }
    }
}

impl ExecutionPath for ParallelPath {
    fn execute(&self, input: &BlockInput) -> Result<PathOutcome, PathError> {
        let start = Instant::now();
        let executed = self.evm.execute(&input.env, &input.prestate, &input.transactions)?;
        let time = start.elapsed();
        let diff = executed.changes.diff(&input.prestate)?;
        let metrics = &executed.metrics;
        // The engine counts units; a unit's transactions are executed together.
        let per_unit = metrics.transactions as f64 / metrics.units.max(1) as f64;
        let executions = (metrics.executions as f64 * per_unit).round() as u64;
        Ok(PathOutcome { results: executed.results, diff, time, executions })
    }
}
