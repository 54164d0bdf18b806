//! What slow storage costs a block, and what workers beyond the cores and prefetching win back: storage with a delay,
//! a database whose file is not in memory, and the import of blocks into one.

pub mod cold;
pub mod contest;
pub mod import;
pub mod latency;

use std::sync::Arc;

use contest::{Contender, ContestError, Middle, Run, Stopwatch, contest};
use serde::Serialize;
use weft_engine::{Config, Mode, WorkerPool};
use weft_ledger::rules::{BlockContext, LedgerConfig};
use weft_ledger::{Hash, SignedTransaction};
use weft_node::chain::Genesis;
use weft_node::executor::{
    BlockExecutor, BlockInput, ExecutorSettings, OptimisticExecutor, SequentialExecutor, SharedState, UNIT_LENGTH,
};
use weft_node::workload::{Workload, WorkloadBuilder};

/// A block without signatures to check, and the state before it.
#[derive(Debug)]
pub struct Case {
    /// The state, in ascending order of keys.
    pub genesis: Genesis,
    /// The block.
    pub transactions: Arc<[SignedTransaction]>,
    /// Its surroundings.
    pub context: BlockContext,
    /// The rules.
    pub ledger: LedgerConfig,
}

impl Case {
    /// The first block of a workload.
    #[must_use]
    pub fn new(workload: Workload, transactions: usize, seed: u64) -> Self {
        let mut generator = WorkloadBuilder::new(workload).transactions(transactions).seed(seed).unsigned().build();
        let mut genesis = generator.genesis();
        genesis.sort_unstable_by_key(|entry| entry.0);
        let transactions = generator.next_transactions().into();
        Self { genesis, transactions, context: generator.context(), ledger: workload.ledger() }
    }

    /// How its executors are set up.
    #[must_use]
    pub fn settings(&self) -> ExecutorSettings {
        ExecutorSettings { ledger: self.ledger, ..ExecutorSettings::default() }
    }

    /// Executes the block on `state`. `counter` gives what has been counted so far, by whoever counts it.
    fn run(
        &self,
        executor: &dyn BlockExecutor,
        state: &SharedState,
        counter: impl Fn() -> u64,
    ) -> Result<Run, ContestError> {
        let input = BlockInput {
            context: self.context,
            transactions: Arc::clone(&self.transactions),
            parent_digest: Hash([0; 32]),
        };
        let before = counter();
        let watch = Stopwatch::start();
        let executed = executor.execute(&input, state)?;
        let run = watch.run(executed.digest, counter().saturating_sub(before));
        match executed.rejection() {
            Some((transaction, error)) => Err(ContestError::Rejected { transaction, error }),
            None => Ok(run),
        }
    }
}

/// How weft is set up beside sequential execution.
#[derive(Debug, Clone, Copy)]
pub struct Setup {
    /// Workers.
    pub workers: usize,
    /// Threads that prefetch.
    pub prefetch: usize,
    /// How many transactions they may be ahead.
    pub distance: usize,
    /// Transactions of a unit; `None`: what suits the block.
    pub unit_length: Option<usize>,
}

impl Setup {
    /// The executor, in parallel whatever it is worth.
    #[must_use]
    pub fn executor(&self, settings: ExecutorSettings) -> OptimisticExecutor {
        let config = Config {
            mode: Mode::Optimistic,
            max_parallel_threads: self.workers,
            unit_length: self.unit_length.unwrap_or(UNIT_LENGTH),
            prefetch_threads: self.prefetch,
            prefetch_distance: self.distance,
            ..Config::default()
        };
        let executor = OptimisticExecutor::with_pool(config, settings, Arc::new(WorkerPool::new(self.workers)));
        if self.unit_length.is_none() { executor.with_units_by_block() } else { executor }
    }
}

/// Sequential execution, and beside it every setup.
#[derive(Debug, Clone, Serialize)]
pub struct BesideSequential {
    /// Sequential execution.
    pub sequential: Middle,
    /// What the setups made of the same block.
    pub setups: Vec<Measured>,
}

/// A setup, and what it made of a block.
#[derive(Debug, Clone, Serialize)]
pub struct Measured {
    /// Workers.
    pub workers: usize,
    /// Threads that prefetch.
    pub prefetch: usize,
    /// The middle of its runs.
    pub middle: Middle,
}

/// Measures `setups` beside sequential execution; `run` is a run of an executor.
fn beside_sequential(
    what: &str,
    case: &Case,
    setups: &[Setup],
    repeat: usize,
    run: &dyn Fn(&dyn BlockExecutor) -> Result<Run, ContestError>,
) -> Result<BesideSequential, ContestError> {
    let contender =
        |label, executor: Box<dyn BlockExecutor>| Contender { label, run: Box::new(move || run(&*executor)) };
    let mut contenders = vec![contender("sequential".to_owned(), Box::new(SequentialExecutor::new(case.settings())))];
    contenders.extend(setups.iter().map(|setup| {
        let label = format!("{} workers, {} prefetching", setup.workers, setup.prefetch);
        contender(label, Box::new(setup.executor(case.settings())))
    }));
    let mut middles = contest(what, contenders, repeat)?.into_iter();
    let sequential = middles.next().expect("a figure for each contender, of whom sequential execution is the first");
    let measured =
        |(setup, middle): (&Setup, Middle)| Measured { workers: setup.workers, prefetch: setup.prefetch, middle };
    Ok(BesideSequential { sequential, setups: setups.iter().zip(middles).map(measured).collect() })
}
