//! The engine: what a chain sees of it, and the choice of a path for each block.

use std::sync::Arc;

use weft_scheduler::WorkerPool;
use weft_storage::StateReader;

use crate::adaptive::{self, Trials};
use crate::admission::BlockEnd;
use crate::changes::Changes;
use crate::config::{BlockPolicy, Config, Mode};
use crate::error::BlockError;
use crate::fallback::Fallback;
use crate::metrics::{Metrics, Stopwatch};
use crate::parallel::ParallelPath;
use crate::progress::Progress;
use crate::rest::Rest;
use crate::sequential;
use crate::vm::{Outcome, Vm};

/// What a block gives: the same on every path.
#[derive(Debug)]
pub struct BlockOutput<V: Vm> {
    /// The outcomes of the block's transactions, in order. Where the block was rejected, the last one is the reason.
    pub outcomes: Vec<Outcome<V::Output>>,
    /// The keys whose values the block has changed, in ascending order unless [`Config::sort_changes`] is off, with
    /// their new values (`None`: removed). Empty where the block was rejected.
    pub changes: Changes<V>,
    /// Where and why the block ended.
    pub end: BlockEnd,
    /// Gas used by the block's transactions together.
    pub gas_used: u64,
    /// What it cost.
    pub metrics: Metrics<V::Key>,
}

/// Executes blocks. It keeps its workers and memory from one block to the next; several blocks may be given to it at
/// once, from several threads, and take turns on the workers.
pub struct Engine<V: Vm> {
    parallel: ParallelPath<V>,
    trials: Trials,
}

impl<V: Vm> Engine<V> {
    /// An engine with workers of its own.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let pool = Arc::new(WorkerPool::new(config.max_parallel_threads));
        Self::with_pool(config, pool)
    }

    /// An engine on workers that are shared with others. It uses at most `config.max_parallel_threads` of them. Threads
    /// that prefetch are its own.
    #[must_use]
    pub fn with_pool(config: Config, pool: Arc<WorkerPool>) -> Self {
        let prefetches = config.prefetch_threads > 0 && config.mode != Mode::Sequential;
        let prefetchers = prefetches.then(|| Arc::new(WorkerPool::new(config.prefetch_threads + 1)));
        Self::with_threads(config, pool, prefetchers)
    }

    /// Another engine, on the workers of this one and, as far as it prefetches too, its threads for that.
    #[must_use]
    pub fn sharing_threads(&self, config: Config) -> Self {
        let prefetchers = self.parallel.prefetchers().filter(|_| config.prefetch_threads > 0);
        Self::with_threads(config, Arc::clone(self.pool()), prefetchers.cloned())
    }

    fn with_threads(config: Config, pool: Arc<WorkerPool>, prefetchers: Option<Arc<WorkerPool>>) -> Self {
        Self { parallel: ParallelPath::new(config, pool, prefetchers), trials: Trials::default() }
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        self.parallel.config()
    }

    /// The workers.
    pub fn pool(&self) -> &Arc<WorkerPool> {
        self.parallel.pool()
    }

    /// Executes `transactions`, in order as far as anybody can tell, on the state that `reader` gives.
    ///
    /// # Errors
    /// [`BlockError`] when there is no result: the storage failed, or the virtual machine panicked. Then, as always,
    /// the state is untouched: the changes are the caller's to write.
    pub fn execute_block<R: StateReader<V::Key, V::Value>>(
        &self,
        vm: &V,
        reader: &R,
        transactions: &[V::Transaction],
        policy: BlockPolicy,
    ) -> Result<BlockOutput<V>, BlockError> {
        self.execute_block_with(vm, reader, transactions, policy, |_, _| {})
    }

    /// As [`execute_block`](Self::execute_block), and calls `on_commit` with every outcome, in order, as soon as it is
    /// final. Nothing that it was called for is ever taken back, but a later transaction may still reject the block.
    ///
    /// # Errors
    /// As [`execute_block`](Self::execute_block).
    pub fn execute_block_with<R, F>(
        &self,
        vm: &V,
        reader: &R,
        transactions: &[V::Transaction],
        policy: BlockPolicy,
        on_commit: F,
    ) -> Result<BlockOutput<V>, BlockError>
    where
        R: StateReader<V::Key, V::Value>,
        F: FnMut(usize, &Outcome<V::Output>) + Send,
    {
        self.execute_block_in_units(vm, reader, transactions, policy, self.config().unit_length, on_commit)
    }

    /// As [`execute_block_with`](Self::execute_block_with), with units of `unit_length` transactions instead of the
    /// configuration's: for whoever can tell from a block what suits it.
    ///
    /// # Errors
    /// As [`execute_block`](Self::execute_block).
    pub fn execute_block_in_units<R, F>(
        &self,
        vm: &V,
        reader: &R,
        transactions: &[V::Transaction],
        policy: BlockPolicy,
        unit_length: usize,
        on_commit: F,
    ) -> Result<BlockOutput<V>, BlockError>
    where
        R: StateReader<V::Key, V::Value>,
        F: FnMut(usize, &Outcome<V::Output>) + Send,
    {
        let unit_length = unit_length.max(1);
        if !self.config().is_parallel(transactions.len()) {
            let sort = self.config().sort_changes;
            return sequential::execute(vm, reader, transactions, policy, sort, on_commit);
        }
        let block = Rest { vm, reader, transactions, first: 0, unit_length, policy };
        if self.config().mode == Mode::Auto {
            return adaptive::execute(&self.parallel, &self.trials, &block, on_commit);
        }
        let watch = Stopwatch::start();
        let progress = Progress::new(policy, transactions.len(), on_commit);
        let stretch = self.parallel.run(&block, progress, None)?;
        let mut metrics = stretch.metrics();
        let finish = Stopwatch::start();
        let (Progress { admission, outcomes, end, .. }, changes) = self.parallel.finish(stretch, reader)?;
        metrics.core_time += finish.cpu();
        metrics.wall_time = watch.wall();
        Ok(BlockOutput { outcomes, changes, end, gas_used: admission.gas_used(), metrics })
    }

    /// Executes a block as [`Mode::Auto`] does, in units of `unit_length` transactions. What is not worth executing in
    /// parallel is executed on `fallback`, which must be as new. ([`Mode::Optimistic`] is not for this; in
    /// [`Mode::Sequential`] all transactions are the fallback's.)
    ///
    /// The [default policy](BlockPolicy) applies, as a fallback cannot take back what it has executed: the first rejected
    /// transaction rejects the block, and there is no gas limit.
    ///
    /// [`BlockOutput::changes`] are only those of a parallel stretch with which the block has ended. All changes before
    /// it are what `fallback` has: nothing where it was never called to execute or take over.
    ///
    /// # Errors
    /// As [`execute_block`](Self::execute_block).
    pub fn execute_block_beside<R, B>(
        &self,
        vm: &V,
        reader: &R,
        transactions: &[V::Transaction],
        unit_length: usize,
        fallback: &mut B,
    ) -> Result<BlockOutput<V>, BlockError>
    where
        R: StateReader<V::Key, V::Value>,
        B: Fallback<V>,
    {
        let policy = BlockPolicy::default();
        let block = Rest { vm, reader, transactions, first: 0, unit_length: unit_length.max(1), policy };
        let on_commit = |_: usize, _: &Outcome<V::Output>| {};
        let progress = Progress::new(policy, transactions.len(), on_commit);
        adaptive::execute_beside(&self.parallel, &self.trials, &block, progress, fallback)
    }

    /// Forgets what [`Mode::Auto`] has learned from earlier blocks: for whoever knows that the next block is of another
    /// kind.
    pub fn forget_trials(&self) {
        self.trials.forget();
    }
}

impl<V: Vm> std::fmt::Debug for Engine<V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("config", self.config()).finish_non_exhaustive()
    }
}
