//! Measuring the executors side by side on one workload. Used by `weft compare` and by the benchmark report.
//!
//! The runs of all executors are interleaved, so that a slow moment of the machine hits all of them; the middle one of
//! each counts. Every run must give the digest of the sequential one. The first run of each is not timed: in it memory
//! is counted, what an executor keeps for the next block included.
//!
//! Beside the speed-ups stands what could be had at most: by the longest chain of transactions of which each reads what
//! the one before has written ([`CriticalPath`](weft_engine::recording::CriticalPath)).

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;
use weft_engine::recording::BlockAccess;
use weft_engine::{Config, Mode, WorkerPool};
use weft_ledger::state::Key;
use weft_ledger::wire::Era;
use weft_ledger::{Hash, SignedTransaction};
use weft_storage::{LatencyReader, MemoryStore, StateStore, StateWriter};

use crate::chain::{Genesis, SnapshotReader};
use crate::dag::DagExecutor;
use crate::executor::{
    BatchingExecutor, BlockExecutor, BlockInput, Costs, ExecuteError, ExecutedBlock, ExecutorSettings, LONGEST_UNIT,
    OptimisticExecutor, SequentialExecutor, SharedState,
};
use crate::memory;
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

impl Plan {
    /// How many executors are measured, each `repeat + 1` times.
    #[must_use]
    pub fn executors(&self) -> usize {
        6 + usize::from(self.threads > 1) + usize::from(self.unit_length > 1)
    }
}

/// So many times each transaction is timed for the critical path.
const TIMED_RUNS: usize = 3;

/// Signatures that are timed: all take about as long.
const SIGNATURES_TIMED: usize = 64;

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
    /// The speed-up as a part of [`Comparison::bound`].
    pub of_bound: f64,
    /// Cores busy on average.
    pub cores: f64,
    /// CPU time a transaction, in microseconds.
    pub core_micros: f64,
    /// Executions a transaction. Where units of several are executed as one, those of the average unit.
    pub executions: f64,
    /// Validations a unit of speculation, which is one transaction where nothing else is said; 0 where there are none.
    pub validations: f64,
    /// Batches or levels; 0 where there are none.
    pub batches: usize,
    /// Bytes a transaction that were allocated at the peak of the first run, beyond those before it. None where the
    /// program's allocator does not count ([`memory::Counting`]).
    pub peak_bytes: Option<f64>,
}

/// The figures of a workload.
#[derive(Debug, Clone, Serialize)]
pub struct Comparison {
    /// The workload.
    pub workload: String,
    /// Transactions of the block.
    pub transactions: usize,
    /// How many times as fast as sequential anything can be with as many threads: all work by the longest chain of
    /// dependent transactions, and no more than the threads.
    pub bound: f64,
    /// The digest on which all agree, in hex.
    pub digest: String,
    /// Sequential first.
    pub figures: Vec<Figures>,
}

impl Comparison {
    /// Whether `executor` is one to measure against: it batches, or knows all dependencies beforehand.
    #[must_use]
    pub fn is_baseline(executor: &str) -> bool {
        executor.starts_with("batching") || executor.starts_with("dag")
    }

    /// How many times as fast as each baseline the last executor is, *auto*, which is what `weft run` uses.
    pub fn against_baselines(&self) -> impl Iterator<Item = (&str, f64)> {
        let auto = self.figures.last().map_or(f64::NAN, |auto| auto.speed_up);
        let baselines = self.figures.iter().filter(|figures| Self::is_baseline(&figures.executor));
        baselines.map(move |baseline| (baseline.executor.as_str(), auto / baseline.speed_up))
    }
}

struct Contender {
    label: String,
    executor: Box<dyn BlockExecutor>,
    peak: Option<usize>,
    runs: Vec<Costs>,
}

/// What the dag executor is called.
const DAG: &str = "dag";

/// The dag executor with what it is told of the one block that is measured.
struct Told {
    dag: DagExecutor,
    access: BlockAccess<Key>,
}

impl BlockExecutor for Told {
    fn name(&self) -> &'static str {
        DAG
    }

    fn era(&self) -> Era {
        self.dag.era()
    }

    fn execute(&self, block: &BlockInput, state: &SharedState) -> Result<ExecutedBlock, ExecuteError> {
        self.dag.execute_declared(block, state, &self.access)
    }
}

fn contenders(plan: &Plan, pool: &Arc<WorkerPool>, told: Told) -> Result<Vec<Contender>, CompareError> {
    let settings = settings(plan);
    let optimistic = |threads, unit_length| {
        let config = Config {
            mode: Mode::Optimistic,
            max_parallel_threads: threads,
            unit_length,
            prefetch_threads: plan.prefetch,
            ..Config::default()
        };
        Box::new(OptimisticExecutor::with_pool(config, settings, Arc::clone(pool)))
    };
    let mut contenders: Vec<(String, Box<dyn BlockExecutor>)> = vec![
        ("sequential".to_owned(), Box::new(SequentialExecutor::new(settings))),
        ("batching (published)".to_owned(), Box::new(BatchingExecutor::published(plan.threads, settings)?)),
        ("batching (pooled)".to_owned(), Box::new(BatchingExecutor::pooled(plan.threads, settings, Arc::clone(pool)))),
        (DAG.to_owned(), Box::new(told)),
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
        longest_unit: LONGEST_UNIT,
        prefetch_threads: plan.prefetch,
        ..Config::default()
    };
    let auto = OptimisticExecutor::with_pool(auto, settings, Arc::clone(pool)).with_units_by_block();
    contenders.push((format!("auto, {} threads", plan.threads), Box::new(auto)));
    let contender = |(label, executor)| Contender { label, executor, peak: None, runs: Vec::new() };
    Ok(contenders.into_iter().map(contender).collect())
}

fn settings(plan: &Plan) -> ExecutorSettings {
    ExecutorSettings { ledger: plan.workload.ledger(), ..ExecutorSettings::default() }
}

/// What checking all signatures of a block takes on one core.
fn signature_time(transactions: &[SignedTransaction]) -> Duration {
    let sample = &transactions[..transactions.len().min(SIGNATURES_TIMED)];
    let start = Instant::now();
    for transaction in sample {
        std::hint::black_box(transaction.verify_signature());
    }
    start.elapsed().mul_f64(transactions.len() as f64 / sample.len().max(1) as f64)
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

    let pool = Arc::new(WorkerPool::new(plan.threads));
    let dag = DagExecutor::new(plan.threads, settings(plan), Arc::clone(&pool));
    let failed = |source| CompareError::Execute { workload: workload.clone(), executor: DAG, source };
    let access = dag.declare(&input(), &state).map_err(failed)?;
    let path = dag.critical_path(&input(), &state, &access, TIMED_RUNS).map_err(failed)?;
    let signatures = if plan.signed { signature_time(&input().transactions) } else { Duration::ZERO };
    let bound = path.bound(plan.threads, signatures);

    let mut contenders = contenders(plan, &pool, Told { dag, access })?;
    let mut expected = None;
    for round in 0..=plan.repeat {
        for contender in &mut contenders {
            progress(&contender.label);
            let executor = contender.executor.name();
            let input = input();
            let execute = || contender.executor.execute(&input, &state);
            let executed = if round == 0 {
                let (executed, peak) = memory::peak(execute);
                contender.peak = peak;
                executed
            } else {
                execute()
            };
            let failed = |source| CompareError::Execute { workload: workload.clone(), executor, source };
            let executed = executed.map_err(failed)?;
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
    let block = Block { transactions: plan.transactions.max(1) as f64, bound, sequential };
    let figures = contenders.into_iter().flat_map(|contender| block.figures(contender)).collect();
    let digest = expected.map_or_else(String::new, |digest| digest.to_string());
    Ok(Comparison { workload, transactions: plan.transactions, bound, digest, figures })
}

/// What counts of a run.
fn seconds(run: &Costs) -> f64 {
    (run.signatures + run.execution).as_secs_f64()
}

/// The same transactions, of which nothing is known yet.
fn unchecked(transactions: &[SignedTransaction], era: Era) -> Arc<[SignedTransaction]> {
    let decode = |transaction: &SignedTransaction| {
        SignedTransaction::decode_in(era, transaction.wire().to_vec())
            .expect("a transaction's own encoding, of the era that it was made in, decodes")
    };
    transactions.iter().map(decode).collect()
}

/// What the figures of all executors are set beside.
struct Block {
    transactions: f64,
    bound: f64,
    /// Seconds of the sequential runs.
    sequential: Vec<f64>,
}

impl Block {
    /// An executor's figures; where it has analysed the block beforehand, also those without that.
    fn figures(&self, contender: Contender) -> Vec<Figures> {
        let Contender { label, executor, peak, mut runs } = contender;
        let mut figures = vec![self.figures_of(label, peak, &runs)];
        if executor.name() == DAG {
            for run in &mut runs {
                // One thread does it while the others sleep.
                run.execution = run.execution.saturating_sub(run.analysis);
                run.cpu = run.cpu.saturating_sub(run.analysis);
            }
            figures.push(self.figures_of(format!("{}, analysis free", figures[0].executor), peak, &runs));
        }
        figures
    }

    fn figures_of(&self, executor: String, peak: Option<usize>, runs: &[Costs]) -> Figures {
        let of = |figure: &dyn Fn(&Costs) -> f64| median(runs.iter().map(figure).collect());
        let middle = of(&seconds);
        let pairs = runs.iter().zip(&self.sequential).map(|(run, alone)| alone / seconds(run));
        let speed_up = median(pairs.collect());
        Figures {
            executor,
            milliseconds: middle * 1e3,
            per_second: self.transactions / middle,
            speed_up,
            of_bound: speed_up / self.bound,
            cores: of(&|run| run.cpu.as_secs_f64() / seconds(run)),
            core_micros: of(&|run| run.cpu.as_secs_f64() * 1e6 / self.transactions),
            executions: of(&|run| run.metrics.executions_per_unit()),
            validations: of(&|run| run.metrics.validations_per_unit()),
            batches: runs.first().map_or(0, |run| run.batches),
            peak_bytes: peak.map(|bytes| bytes as f64 / self.transactions),
        }
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
