//! The two ways through a block: plain revm, which is the oracle, and weft.
//!
//! Both get the same input and measure the same: execution and the making of the change set. Neither file reading nor
//! signatures nor receipts nor copies of the input are within the time.

use std::error::Error;
use std::time::{Duration, Instant};

use revm::context::result::ExecutionResult;
use revm::state::EvmState;
use weft_engine::{Config, Mode};
use weft_evm::sequential;

use super::input::BlockInput;

/// What a path makes of a block.
#[derive(Debug)]
pub struct PathOutcome {
    /// One a transaction, in order.
    pub results: Vec<ExecutionResult>,
    /// The accounts that were loaded, as they are afterwards.
    pub state: EvmState,
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
        let transactions = input.transactions.clone();
        let start = Instant::now();
        let executed = sequential::execute(&input.env, &input.prestate, transactions)?;
        let time = start.elapsed();
        let executions = executed.results.len() as u64;
        Ok(PathOutcome { results: executed.results, state: executed.state, time, executions })
    }
}

/// weft on revm.
#[derive(Debug)]
pub struct ParallelPath {
    config: Config,
}

impl ParallelPath {
    /// A path with workers of its own.
    #[must_use]
    pub fn new(mode: Mode, threads: usize) -> Self {
        Self { config: Config { mode, max_parallel_threads: threads, ..Config::default() } }
    }
}

impl ExecutionPath for ParallelPath {
    fn execute(&self, input: &BlockInput) -> Result<PathOutcome, PathError> {
        // Until `weft_evm::ParallelEvm` is there: the sequential path, whatever the configuration says.
        tracing::trace!(threads = self.config.max_parallel_threads, "executed sequentially");
        SequentialPath.execute(input)
    }
}
