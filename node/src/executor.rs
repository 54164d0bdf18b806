//! What a node calls: a block in; per transaction results, the change set, fees, burned supply and digest out. Three
//! implementations with one result: [`SequentialExecutor`], [`BatchingExecutor`] and [`OptimisticExecutor`]; and a fourth
//! for measuring against, [`DagExecutor`](crate::dag::DagExecutor), which knows more than a node can.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use weft_engine::{
    BlockEnd, BlockError, BlockOutput, BlockPolicy, Config, Engine, KeyChange, Metrics, Mode, Outcome, WorkerPool,
};
use weft_ledger::rules::{
    BlockContext, BlockTotals, CreditVisibility, FinishError, LedgerConfig, Receipt, TosVm, end_of_block,
    merge_pending_credits,
};
use weft_ledger::state::{Counter, Key, Value};
use weft_ledger::wire::{EnergyPayload, Era, Payload, Transaction};
use weft_ledger::{Address, Hash, SignatureState, SignedTransaction, TosError};
use weft_storage::{StateReader, StorageError};

use crate::batching::{self, Form};
use crate::digest::block_digest;
use crate::rewards::BlockBase;
pub use crate::units::{CALL_UNIT_LENGTH, LONGEST_UNIT, UNIT_LENGTH, unit_length_of};

/// The state that a block is executed on. Shared, because the published batching design spawns tasks of its own.
pub type SharedState = Arc<dyn StateReader<Key, Value> + Send + Sync>;

/// A block's changes, in ascending order of keys; `None` is a removal.
pub type Changes = Vec<KeyChange<Key, Value>>;

/// What an executor is told once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ExecutorSettings {
    /// The switches of the ledger's rules.
    pub ledger: LedgerConfig,
    /// What a failing transaction means, and the gas limit. By default the first failure rejects the block.
    pub policy: BlockPolicy,
}

/// A block to execute.
#[derive(Debug, Clone)]
pub struct BlockInput {
    /// Chain, height before the block, time, and who is rewarded for it.
    pub context: BlockContext,
    /// The transactions, in order. What of their signatures is known already is not checked again.
    pub transactions: Arc<[SignedTransaction]>,
    /// The digest of the state that the block is executed on.
    pub parent_digest: Hash,
}

/// What became of one transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransactionResult {
    /// The transaction's id.
    pub hash: Hash,
    /// Why it failed, if it did.
    pub error: Option<TosError>,
    /// Gas used; only contracts use any.
    pub gas_used: u64,
    /// TOS paid as fee, in atomic units.
    pub fee: u64,
}

impl TransactionResult {
    /// Whether the transaction succeeded.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.error.is_none()
    }
}

/// What a block gives: the same from every executor, but for the costs.
#[derive(Debug, Clone)]
pub struct ExecutedBlock {
    transactions: Arc<[SignedTransaction]>,
    outcomes: Vec<Outcome<Receipt>>,
    /// Where and why the block ended.
    pub end: BlockEnd,
    /// The state changes, block height and time included; empty where the block was rejected.
    pub changes: Changes,
    /// Fees, burned supply and reward of this block. Zero where the block was rejected.
    pub totals: BlockTotals,
    /// The digest of the state after the block; the parent's where the block was rejected.
    pub digest: Hash,
    /// What it cost.
    pub costs: Costs,
}

/// What a block cost.
#[derive(Debug, Clone, Default)]
pub struct Costs {
    /// Checking signatures beforehand, in parallel. Zero where they are checked as they come.
    pub signatures: Duration,
    /// Executing the transactions, change set included.
    pub execution: Duration,
    /// CPU time of the process for both, whoever spent it.
    pub cpu: Duration,
    /// What of the execution was finding out which transactions depend on which, before any was executed. Zero where
    /// the executor does not, or not as a step of its own.
    pub analysis: Duration,
    /// Batches or levels, where the executor makes some.
    pub batches: usize,
    /// The engine's own metrics. For batching only the number of executions is known.
    pub metrics: Metrics<Key>,
}

impl ExecutedBlock {
    /// What became of each transaction, in order. Where the block was rejected, the last one is the reason.
    pub fn results(&self) -> impl ExactSizeIterator<Item = TransactionResult> + '_ {
        self.outcomes.iter().zip(&*self.transactions).map(|(outcome, transaction)| TransactionResult {
            hash: transaction.hash(),
            error: outcome.output.result.err(),
            gas_used: outcome.gas_used,
            fee: outcome.output.fee,
        })
    }

    /// The transactions that were given, in order. Where the block ended early it has fewer receipts.
    #[must_use]
    pub fn transactions(&self) -> &[SignedTransaction] {
        &self.transactions
    }

    /// The receipts of the transactions, in order.
    pub fn receipts(&self) -> impl ExactSizeIterator<Item = &Receipt> + '_ {
        self.outcomes.iter().map(|outcome| &outcome.output)
    }

    /// The transaction that made the block invalid, and why.
    #[must_use]
    pub fn rejection(&self) -> Option<(usize, TosError)> {
        let BlockEnd::Rejected { transaction } = self.end else { return None };
        let error = self.outcomes.last().and_then(|outcome| outcome.output.result.err());
        Some((transaction, error.unwrap_or(TosError::InternalError)))
    }
}

/// Why a block could not be executed at all.
#[derive(Debug, thiserror::Error)]
pub enum ExecuteError {
    /// The engine has no result.
    #[error(transparent)]
    Block(#[from] BlockError),
    /// The reward cannot be credited before the block's transactions.
    #[error("before the block: {0}")]
    Reward(#[source] FinishError<StorageError>),
    /// The end of the block failed.
    #[error("at the end of the block: {0}")]
    Finish(#[from] FinishError<StorageError>),
    /// A transaction does something else than was declared for it ([`DagExecutor::execute_declared`]).
    ///
    /// [`DagExecutor::execute_declared`]: crate::dag::DagExecutor::execute_declared
    #[error("transaction {transaction} does not do what was declared for it")]
    Undeclared {
        /// Its index in the block.
        transaction: usize,
    },
}

/// Executes TOS blocks. A node holds one of these and does not care which.
pub trait BlockExecutor: Send + Sync {
    /// What it is called in tables.
    fn name(&self) -> &'static str;

    /// The era that the transactions it is given are decoded in. Those of another era its ledger refuses.
    fn era(&self) -> Era {
        Era::Standard
    }

    /// Checks the signatures of transactions that are going to be executed, where the executor does so beforehand; their
    /// execution then finds them checked. Results never depend on it.
    fn check_signatures(&self, transactions: &[SignedTransaction]) {
        let _ = transactions;
    }

    /// Executes `block` on `state`. Nothing is written: the changes are the caller's to commit.
    ///
    /// # Errors
    /// [`ExecuteError`] when there is no result; a failing transaction or a rejected block is a result.
    fn execute(&self, block: &BlockInput, state: &SharedState) -> Result<ExecutedBlock, ExecuteError>;
}

impl<E: BlockExecutor + ?Sized> BlockExecutor for Arc<E> {
    fn name(&self) -> &'static str {
        (**self).name()
    }

    fn era(&self) -> Era {
        (**self).era()
    }

    fn check_signatures(&self, transactions: &[SignedTransaction]) {
        (**self).check_signatures(transactions);
    }

    fn execute(&self, block: &BlockInput, state: &SharedState) -> Result<ExecutedBlock, ExecuteError> {
        (**self).execute(block, state)
    }
}

/// Checks the signatures of a block on the pool; what the executor asks later is known then.
pub fn check_signatures(pool: &WorkerPool, threads: usize, transactions: &[SignedTransaction]) {
    let is_unchecked = |transaction: &SignedTransaction| transaction.signature_state() == SignatureState::Unchecked;
    if transactions.iter().any(is_unchecked) {
        // A signature takes tens of microseconds: single ones are worth claiming.
        pool.for_each(threads, transactions.len(), 1, |index| {
            transactions[index].verify_signature();
        });
    }
}

/// Wall-clock and process CPU time since its start.
pub(crate) struct Stopwatch {
    wall: Instant,
    cpu: Duration,
    /// What of the time went to the signatures.
    signatures: Duration,
}

fn process_cpu_time() -> Duration {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    // The clock starts at 0 with the process: both parts are in range.
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0))
}

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self { wall: Instant::now(), cpu: process_cpu_time(), signatures: Duration::ZERO }
    }

    /// The signatures are checked.
    pub(crate) fn signatures_end(&mut self) {
        self.signatures = self.wall.elapsed();
    }

    pub(crate) fn costs(&self, batches: usize, metrics: Metrics<Key>) -> Costs {
        let cpu = process_cpu_time().saturating_sub(self.cpu);
        let execution = self.wall.elapsed().saturating_sub(self.signatures);
        Costs { signatures: self.signatures, execution, cpu, analysis: Duration::ZERO, batches, metrics }
    }
}

/// Runs `run` on the state as the configured credit visibility and the reward want it.
pub(crate) fn on_visible_state<T>(
    settings: &ExecutorSettings,
    block: &BlockInput,
    state: &SharedState,
    run: impl FnOnce(&SharedState) -> Result<T, BlockError>,
) -> Result<(T, BlockBase), ExecuteError> {
    let base = BlockBase::new(&settings.ledger, &block.context, state).map_err(ExecuteError::Reward)?;
    Ok((run(&base.state())?, base))
}

/// The common end of all executors: rewards, deferred credits, height and time, totals and digest.
pub(crate) fn complete(
    settings: &ExecutorSettings,
    block: &BlockInput,
    base: &BlockBase,
    outcomes: Vec<Outcome<Receipt>>,
    mut changes: Changes,
    end: BlockEnd,
    costs: Costs,
) -> Result<ExecutedBlock, ExecuteError> {
    let rejected = matches!(end, BlockEnd::Rejected { .. });
    let mut totals = BlockTotals::default();
    let mut digest = block.parent_digest;
    if !rejected {
        totals = BlockTotals::of(outcomes.iter().map(|outcome| &outcome.output));
        base.settle(&outcomes, &mut changes, &mut totals)?;
        if settings.ledger.credit_visibility == CreditVisibility::Deferred {
            let mut sorted = changes.into_iter().collect();
            merge_pending_credits(&mut sorted, |key| base.stored().read(key))?;
            changes = sorted.into_iter().collect();
        }
        for (key, value) in end_of_block(&block.context)? {
            match changes.binary_search_by_key(&key, |change| change.0) {
                Ok(at) => changes[at].1 = value,
                Err(at) => changes.insert(at, (key, value)),
            }
        }
        digest = block_digest(&block.parent_digest, block.context.height.saturating_add(1), &changes);
    }
    let transactions = Arc::clone(&block.transactions);
    Ok(ExecutedBlock { transactions, outcomes, end, changes, totals, digest, costs })
}

fn from_output(
    settings: &ExecutorSettings,
    block: &BlockInput,
    (output, base): (BlockOutput<TosVm>, BlockBase),
    watch: &Stopwatch,
) -> Result<ExecutedBlock, ExecuteError> {
    let costs = watch.costs(0, output.metrics);
    complete(settings, block, &base, output.outcomes, output.changes, output.end, costs)
}

/// One transaction after another on the calling thread; signatures are checked where the rules ask for them.
#[derive(Debug)]
pub struct SequentialExecutor {
    engine: Engine<TosVm>,
    settings: ExecutorSettings,
}

impl SequentialExecutor {
    /// A sequential executor.
    #[must_use]
    pub fn new(settings: ExecutorSettings) -> Self {
        let config = Config { mode: Mode::Sequential, max_parallel_threads: 1, ..Config::default() };
        Self { engine: Engine::new(config), settings }
    }
}

impl BlockExecutor for SequentialExecutor {
    fn name(&self) -> &'static str {
        "sequential"
    }

    fn era(&self) -> Era {
        self.settings.ledger.era()
    }

    fn execute(&self, block: &BlockInput, state: &SharedState) -> Result<ExecutedBlock, ExecuteError> {
        let watch = Stopwatch::start();
        let vm = TosVm::new(self.settings.ledger, block.context);
        let output = on_visible_state(&self.settings, block, state, |state| {
            self.engine.execute_block(&vm, state, &block.transactions, self.settings.policy)
        })?;
        from_output(&self.settings, block, output, &watch)
    }
}

/// Blocks of fewer transactions are too short for that: waking a worker takes as long as half a signature.
const SIGNATURES_WORTH_SHARING: usize = 4;

/// Optimistically on all workers; signatures are checked beforehand on the same pool.
#[derive(Debug)]
pub struct OptimisticExecutor {
    engine: Engine<TosVm>,
    /// With shorter units, for blocks of contract calls; `None` where all blocks have the same units.
    for_calls: Option<Engine<TosVm>>,
    settings: ExecutorSettings,
}

impl OptimisticExecutor {
    /// An executor with workers of its own.
    #[must_use]
    pub fn new(config: Config, settings: ExecutorSettings) -> Self {
        Self { engine: Engine::new(config), for_calls: None, settings }
    }

    /// An executor on shared workers.
    #[must_use]
    pub fn with_pool(config: Config, settings: ExecutorSettings, pool: Arc<WorkerPool>) -> Self {
        Self { engine: Engine::with_pool(config, pool), for_calls: None, settings }
    }

    /// The same executor, which takes units of [`CALL_UNIT_LENGTH`] for blocks of contract calls
    /// ([`unit_length_of`]), and those of its configuration for all others.
    #[must_use]
    pub fn with_units_by_block(self) -> Self {
        let config = Config { unit_length: CALL_UNIT_LENGTH, ..self.engine.config().clone() };
        let is_shorter = self.engine.config().unit_length > CALL_UNIT_LENGTH;
        let for_calls = is_shorter.then(|| self.engine.sharing_threads(config));
        Self { for_calls, ..self }
    }

    /// Whether signatures are checked by all workers before anything is executed. A signature takes as long as dozens of
    /// transfers, so this pays for blocks that are too short to be executed in parallel.
    fn shares_signatures(&self, transactions: &[SignedTransaction]) -> bool {
        let config = self.engine.config();
        let is_allowed = config.enable_parallel_execution && config.max_parallel_threads > 1;
        config.is_parallel(transactions.len())
            || (config.mode == Mode::Auto && is_allowed && transactions.len() >= SIGNATURES_WORTH_SHARING)
    }
}

impl BlockExecutor for OptimisticExecutor {
    fn name(&self) -> &'static str {
        "optimistic"
    }

    fn era(&self) -> Era {
        self.settings.ledger.era()
    }

    fn check_signatures(&self, transactions: &[SignedTransaction]) {
        let config = self.engine.config();
        if self.shares_signatures(transactions) {
            check_signatures(self.engine.pool(), config.max_parallel_threads, transactions);
        }
    }

    fn execute(&self, block: &BlockInput, state: &SharedState) -> Result<ExecutedBlock, ExecuteError> {
        let engine = match &self.for_calls {
            Some(for_calls) if unit_length_of(&block.transactions) == CALL_UNIT_LENGTH => for_calls,
            _ => &self.engine,
        };
        let mut watch = Stopwatch::start();
        if self.shares_signatures(&block.transactions) {
            self.check_signatures(&block.transactions);
            watch.signatures_end();
        }
        let vm = TosVm::new(self.settings.ledger, block.context);
        let output = on_visible_state(&self.settings, block, state, |state| {
            engine.execute_block(&vm, state, &block.transactions, self.settings.policy)
        })?;
        from_output(&self.settings, block, output, &watch)
    }
}

/// The design that weft replaces, in one of its two forms. See [`crate::batching`].
#[derive(Debug)]
pub struct BatchingExecutor {
    form: Form,
    threads: usize,
    settings: ExecutorSettings,
    /// For signatures.
    pool: Arc<WorkerPool>,
}

/// The accounts that a transaction names: its source and everybody whom it pays or delegates to.
fn named_accounts(transaction: &Transaction, name: &mut dyn FnMut(Address)) {
    name(transaction.source);
    match &transaction.payload {
        Payload::Transfers(transfers) => transfers.iter().for_each(|transfer| name(transfer.destination)),
        Payload::Energy(EnergyPayload::FreezeTosDelegate { delegations, .. }) => {
            delegations.iter().for_each(|delegation| name(delegation.delegatee));
        }
        // Two calls of one contract conflict (spec 10, item 35). Whom the contract pays cannot be named.
        Payload::InvokeContract(payload) => name(Address(payload.contract.0)),
        _ => {}
    }
}

impl BatchingExecutor {
    /// The published form, on a runtime with `threads` threads.
    ///
    /// # Errors
    /// When the operating system refuses the runtime its threads.
    pub fn published(threads: usize, settings: ExecutorSettings) -> std::io::Result<Self> {
        let threads = threads.max(1);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads).build()?;
        Ok(Self {
            form: Form::Published(Arc::new(runtime)),
            threads,
            settings,
            pool: Arc::new(WorkerPool::new(threads)),
        })
    }

    /// The same batches on a kept pool.
    #[must_use]
    pub fn pooled(threads: usize, settings: ExecutorSettings, pool: Arc<WorkerPool>) -> Self {
        Self { form: Form::Pooled(Arc::clone(&pool)), threads: threads.max(1), settings, pool }
    }
}

impl BlockExecutor for BatchingExecutor {
    fn name(&self) -> &'static str {
        match self.form {
            Form::Published(_) => "batching (published)",
            Form::Pooled(_) => "batching (pooled)",
        }
    }

    fn era(&self) -> Era {
        self.settings.ledger.era()
    }

    fn check_signatures(&self, transactions: &[SignedTransaction]) {
        check_signatures(&self.pool, self.threads, transactions);
    }

    fn execute(&self, block: &BlockInput, state: &SharedState) -> Result<ExecutedBlock, ExecuteError> {
        let mut watch = Stopwatch::start();
        self.check_signatures(&block.transactions);
        watch.signatures_end();
        let vm = Arc::new(TosVm::new(self.settings.ledger, block.context));
        let named = |transaction: &SignedTransaction, name: &mut dyn FnMut(Key)| {
            named_accounts(transaction.transaction(), &mut |address| name(Key::Account(address)));
            // A completion changes the records of miners whom the transaction does not name, so all of them name the
            // one thing that they have in common (spec 10, item 37).
            if matches!(transaction.transaction().payload, Payload::AiMining(_)) {
                name(Key::Counter(Counter::MiningClock));
            }
        };
        let (batched, base) = on_visible_state(&self.settings, block, state, |state| {
            let transactions = &block.transactions;
            batching::execute(&self.form, self.threads, &vm, state, transactions, self.settings.policy, named)
        })?;
        let metrics = Metrics {
            transactions: block.transactions.len() as u64,
            units: block.transactions.len() as u64,
            executions: batched.executions,
            workers: self.threads,
            ..Metrics::default()
        };
        let costs = watch.costs(batched.batches, metrics);
        complete(&self.settings, block, &base, batched.outcomes, batched.changes, batched.end, costs)
    }
}
