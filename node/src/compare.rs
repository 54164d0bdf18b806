//! Measuring the executors side by side on one workload. Used by `weft compare` and by the benchmark report.
//!
//! The runs of all executors are interleaved, so that a slow moment of the machine hits all of them; the middle one of
//! each counts. Every run must give the digest of the sequential one.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use weft_engine::{Config, Mode, WorkerPool};
use weft_ledger::wire::Era;
use weft_ledger::{Hash, SignedTransaction};
use weft_storage::{LatencyReader, MemoryStore, StateStore, StateWriter};

use crate::chain::{Genesis, SnapshotReader};
use crate::executor::{
    BatchingExecutor, BlockExecutor, BlockInput, Costs, ExecuteError, ExecutorSettings, OptimisticExecutor,
    SequentialExecutor, SharedState,
};
use crate::workload::{Workload, WorkloadBuilder};

/// What to measure.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The workload.
    pub workload: Workload,
    /// Transactions of the block.
    pub transactions: usize,
    /// Threads of the parallel executors.
    pub threads: usize,
    /// Measured runs of each executor, after one that is not.
    pub repeat: usize,
    /// Seed of the workload.
    pub seed: u64,
    /// The optimistic executor is measured with units of one transaction, and of this many if it is more.
    pub unit_length: usize,
    /// Whether signatures are made, checked and counted; else only execution counts.
    pub signed: bool,
    /// Delay of every storage read.
    pub storage_latency: Duration,
    /// Threads that prefetch for the optimistic executors.
    pub prefetch: usize,
}

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// An executor has no result.
    #[error("{workload}, {executor}: {source}")]
    Execute {
        /// The workload.
        workload: String,
        /// The executor.
        executor: &'static str,
        /// Why.
        #[source]
        source: ExecuteError,
    },
    /// An executor gives another result than the sequential one.
    #[error("{workload}, {executor}: the digest is {got}, but sequential execution gives {expected}")]
    Differs {
        /// The workload.
        workload: String,
        /// The executor.
        executor: &'static str,
        /// The sequential digest.
        expected: Hash,
        /// Its digest.
        got: Hash,
    },
    /// A transaction of the workload fails: a defect of the generator.
    #[error("{workload}: transaction {transaction} is rejected: {error}")]
    Rejected {
        /// The workload.
        workload: String,
        /// The transaction.
        transaction: usize,
        /// Its error.
        error: weft_ledger::TosError,
    },
    /// The state could not be set up.
    #[error("{0}")]
    Storage(#[from] weft_storage::StorageError),
    /// The published batching runtime could not be started.
    #[error("starting the batching runtime: {0}")]
    Runtime(#[from] std::io::Error),
}

/// One executor's figures.
#[derive(Debug, Clone, Serialize)]
pub struct Figures {
    /// The executor, with its threads where it has several forms.
    pub executor: String,
    /// Middle wall-clock time, in milliseconds.
    pub milliseconds: f64,
    /// Transactions a second.
    pub per_second: f64,
    /// How many times as fast as sequential; the median of the interleaved pairs.
    pub speed_up: f64,
    /// Cores busy on average.
    pub cores: f64,
    /// CPU time a transaction, in microseconds.
    pub core_micros: f64,
    /// Executions a unit of speculation, which is one transaction where nothing else is said.
    pub executions: f64,
    /// Validations a unit; 0 where there are none.
    pub validations: f64,
    /// Batches; 0 where there are none.
    pub batches: usize,
}

/// The figures of a workload.
#[derive(Debug, Clone, Serialize)]
pub struct Comparison {
    /// The workload.
    pub workload: String,
    /// Transactions of the block.
    pub transactions: usize,
    /// The digest on which all agree, in hex.
    pub digest: String,
    /// Sequential first.
    pub figures: Vec<Figures>,
}

struct Contender {
    label: String,
    executor: Box<dyn BlockExecutor>,
    runs: Vec<Costs>,
}

fn contenders(plan: &Plan) -> Result<Vec<Contender>, CompareError> {
    let settings = ExecutorSettings { ledger: plan.workload.ledger(), ..ExecutorSettings::default() };
    let pool = Arc::new(WorkerPool::new(plan.threads));
    let optimistic = |threads, unit_length| {
        let config = Config {
            mode: Mode::Optimistic,
            max_parallel_threads: threads,
            unit_length,
            prefetch_threads: plan.prefetch,
            ..Config::default()
        };
        Box::new(OptimisticExecutor::with_pool(config, settings, Arc::clone(&pool)))
    };
    let mut contenders: Vec<(String, Box<dyn BlockExecutor>)> = vec![
        ("sequential".to_owned(), Box::new(SequentialExecutor::new(settings))),
        ("batching (published)".to_owned(), Box::new(BatchingExecutor::published(plan.threads, settings)?)),
        ("batching (pooled)".to_owned(), Box::new(BatchingExecutor::pooled(plan.threads, settings, Arc::clone(&pool)))),
        ("optimistic, 1 thread".to_owned(), optimistic(1, 1)),
    ];
    if plan.threads > 1 {
        contenders.push((format!("optimistic, {} threads", plan.threads), optimistic(plan.threads, 1)));
    }
    if plan.unit_length > 1 {
        let label = format!("optimistic, {} threads, units of {}", plan.threads, plan.unit_length);
        contenders.push((label, optimistic(plan.threads, plan.unit_length)));
    }
    // What `weft run` uses.
    let auto = Config {
        mode: Mode::Auto,
        max_parallel_threads: plan.threads,
        unit_length: plan.unit_length,
        prefetch_threads: plan.prefetch,
        ..Config::default()
    };
    let auto = OptimisticExecutor::with_pool(auto, settings, Arc::clone(&pool)).with_units_by_block();
    contenders.push((format!("auto, {} threads", plan.threads), Box::new(auto)));
    let contender = |(label, executor)| Contender { label, executor, runs: Vec::new() };
    Ok(contenders.into_iter().map(contender).collect())
}

/// Measures all executors on one workload.
///
/// # Errors
/// [`CompareError`], above all when an executor's result differs.
pub fn compare(plan: &Plan, mut progress: impl FnMut(&str)) -> Result<Comparison, CompareError> {
    let workload = plan.workload.to_string();
    let builder = WorkloadBuilder::new(plan.workload).transactions(plan.transactions).seed(plan.seed);
    let mut generator = if plan.signed { builder } else { builder.unsigned() }.build();
    let store = MemoryStore::new();
    store.initialise(&sorted(generator.genesis()), [0; 32])?;
    let snapshot = StateStore::snapshot(&store);
    let state: SharedState = Arc::new(LatencyReader::new(SnapshotReader(snapshot), plan.storage_latency));
    let generated: Arc<[SignedTransaction]> = generator.next_transactions().into();
    let context = generator.context();
    let era = plan.workload.ledger().era();
    let input = || BlockInput {
        context,
        // A transaction remembers whether its signature verifies: every run gets its own.
        transactions: if plan.signed { unchecked(&generated, era) } else { Arc::clone(&generated) },
        parent_digest: Hash([0; 32]),
    };

    let mut contenders = contenders(plan)?;
    let mut expected = None;
    for round in 0..=plan.repeat {
        for contender in &mut contenders {
            progress(&contender.label);
            let executor = contender.executor.name();
            let executed = contender.executor.execute(&input(), &state).map_err(|source| CompareError::Execute {
                workload: workload.clone(),
                executor,
                source,
            })?;
            if let Some((transaction, error)) = executed.rejection() {
                return Err(CompareError::Rejected { workload, transaction, error });
            }
            let expected = *expected.get_or_insert(executed.digest);
            if executed.digest != expected {
                return Err(CompareError::Differs { workload, executor, expected, got: executed.digest });
            }
            if round > 0 {
                contender.runs.push(executed.costs);
            }
        }
    }
    let sequential: Vec<f64> = contenders[0].runs.iter().map(seconds).collect();
    let count = plan.transactions.max(1) as f64;
    let figures = contenders.into_iter().map(|contender| figures(contender, &sequential, count)).collect();
    let digest = expected.map_or_else(String::new, |digest| digest.to_string());
    Ok(Comparison { workload, transactions: plan.transactions, digest, figures })
}

/// What counts of a run.
fn seconds(run: &Costs) -> f64 {
    (run.signatures + run.execution).as_secs_f64()
}

/// The same transactions, of which nothing is known yet.
fn unchecked(transactions: &[SignedTransaction], era: Era) -> Arc<[SignedTransaction]> {
    let decode = |transaction: &SignedTransaction| {
        SignedTransaction::decode_in(era, transaction.wire().to_vec()).expect("what was encoded decodes")
    };
    transactions.iter().map(decode).collect()
}

fn figures(contender: Contender, sequential: &[f64], count: f64) -> Figures {
    let runs = contender.runs;
    let of = |figure: &dyn Fn(&Costs) -> f64| median(runs.iter().map(figure).collect());
    let middle = of(&seconds);
    let pairs = runs.iter().zip(sequential).map(|(run, alone)| alone / seconds(run));
    Figures {
        executor: contender.label,
        milliseconds: middle * 1e3,
        per_second: count / middle,
        speed_up: median(pairs.collect()),
        cores: of(&|run| run.cpu.as_secs_f64() / seconds(run)),
        core_micros: of(&|run| run.cpu.as_secs_f64() * 1e6 / count),
        executions: of(&|run| run.metrics.executions_per_unit()),
        validations: of(&|run| run.metrics.validations_per_unit()),
        batches: runs.first().map_or(0, |run| run.batches),
    }
}

/// The middle of some figures; NaN of none.
#[must_use]
pub fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_unstable_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

fn sorted(mut genesis: Genesis) -> Genesis {
    genesis.sort_unstable_by_key(|entry| entry.0);
    genesis
}
