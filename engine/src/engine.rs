//! The engine: configuration, workers and recycled memory, and the choice of a path for each block.

use std::sync::Arc;

use crossbeam_utils::CachePadded;
use parking_lot::Mutex;
use weft_mvmemory::{KeyChange, MvMemory, Part};
use weft_scheduler::{Scheduler, WorkerPool};
use weft_storage::StateReader;

use crate::adaptive::{self, Trials, Watch};
use crate::admission::BlockEnd;
use crate::block::{BlockRun, Commit, UnitRecord};
use crate::canary::Canary;
use crate::config::{BlockPolicy, Config, Mode};
use crate::error::BlockError;
use crate::fallback::{Fallback, TakenOver};
use crate::metrics::{Counts, Metrics, Stopwatch};
use crate::overlay::Overlay;
use crate::prefetch::Prefetch;
use crate::progress::Progress;
use crate::rare::{Kinds, WrittenKinds};
use crate::record::Record;
use crate::sequential;
use crate::sizing::Sizing;
use crate::vm::{Outcome, Vm};

/// The changes of a block, in ascending order of keys unless the configuration wants none; `None` is a removal.
pub type Changes<V> = Vec<KeyChange<<V as Vm>::Key, <V as Vm>::Value>>;

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

/// Blocks that touch fewer locations are finished by one worker: waking another costs more.
pub(crate) const WORTH_DIVIDING: usize = 2000;

/// Merges sorted lists without a common key into one.
fn merge_sorted<K: Ord, V>(mut lists: Vec<Vec<(K, V)>>) -> Vec<(K, V)> {
    while lists.len() > 1 {
        let mut merged = Vec::with_capacity(lists.len().div_ceil(2));
        let mut pairs = lists.into_iter();
        while let Some(first) = pairs.next() {
            merged.push(match pairs.next() {
                Some(second) => merge_two(first, second),
                None => first,
            });
        }
        lists = merged;
    }
    lists.pop().unwrap_or_default()
}

fn merge_two<K: Ord, V>(first: Vec<(K, V)>, second: Vec<(K, V)>) -> Vec<(K, V)> {
    let mut merged = Vec::with_capacity(first.len() + second.len());
    let mut second = second.into_iter().peekable();
    for entry in first {
        while let Some(lower) = second.next_if(|other| other.0 < entry.0) {
            merged.push(lower);
        }
        merged.push(entry);
    }
    merged.extend(second);
    merged
}

/// Lists in one.
fn append<T>(lists: Vec<Vec<T>>) -> Vec<T> {
    let mut lists = lists.into_iter();
    let mut all = lists.next().unwrap_or_default();
    for mut list in lists {
        all.append(&mut list);
    }
    all
}

/// The memory of a block, kept for the next one.
struct Scratch<V: Vm> {
    memory: MvMemory<V::Key, V::Value>,
    scheduler: Scheduler,
    written_kinds: WrittenKinds,
    records: Vec<UnitRecord<V>>,
    /// One a worker; padded, because each is written all the time by its own worker.
    overlays: Vec<CachePadded<Mutex<Overlay<V::Value>>>>,
}

impl<V: Vm> Scratch<V> {
    /// Makes scheduler and records ready for `units` units and so many workers. The memory stays as the stretches before have left it.
    fn begin_stretch(&mut self, units: u32, workers: usize) {
        self.scheduler.reset(units);
        self.scheduler.limit_run_ahead(workers);
        let units = units as usize;
        for record in self.records.iter_mut().take(units) {
            record.get_mut().clear();
        }
        if self.records.len() < units {
            self.records.resize_with(units, || Mutex::new(Record::new()));
        }
    }

    /// A stretch has ended after `committed` units: takes back what later ones have left in the memory, whose first has
    /// the number `first_position` there.
    fn forget_uncommitted(&mut self, committed: u32, first_position: u32) {
        let begun = if Canary::KeepUncommitted.sings() { committed } else { self.scheduler.begun() };
        for unit in committed..begun {
            for write in &self.records[unit as usize].get_mut().writes {
                self.memory.remove(write.location, first_position + unit);
            }
        }
    }
}

/// Keys with the values that were found there and those that they got.
type ChangesWithBases<V> = Vec<TakenOver<V>>;

/// A stretch of a block that was executed in parallel.
pub(crate) struct ParallelStretch<V: Vm, F> {
    scratch: Scratch<V>,
    commit: Commit<V, F>,
    committed: usize,
    workers: usize,
    metrics: Metrics<V::Key>,
}

impl<V: Vm, F> ParallelStretch<V, F> {
    /// What it cost, without its changes.
    pub(crate) fn metrics(&self) -> Metrics<V::Key> {
        self.metrics.clone()
    }

    /// Whether it ended where its watch gave up.
    pub(crate) fn has_given_up(&self) -> bool {
        self.commit.has_given_up
    }

    /// Whether it was worth it, as far as its watch can tell.
    pub(crate) fn has_proved(&self) -> bool {
        self.commit.watch.as_ref().is_some_and(Watch::has_proved)
    }

    /// How many transactions it has committed.
    pub(crate) fn transactions(&self) -> usize {
        self.committed
    }
}

/// Executes blocks. It keeps its workers and memory from one block to the next; several blocks may be given to it at
/// once, from several threads, and take turns on the workers.
pub struct Engine<V: Vm> {
    config: Config,
    pool: Arc<WorkerPool>,
    /// Those who prefetch, and worker 0 as their first; none where nothing is prefetched.
    prefetchers: Option<Arc<WorkerPool>>,
    scratch: Mutex<Vec<Scratch<V>>>,
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
        Self { config, pool, prefetchers, scratch: Mutex::new(Vec::new()), trials: Trials::default() }
    }

    /// Another engine, on the workers of this one and, as far as it prefetches too, its threads for that.
    #[must_use]
    pub fn sharing_threads(&self, config: Config) -> Self {
        let prefetchers = self.prefetchers.clone().filter(|_| config.prefetch_threads > 0);
        let alone = Self::with_pool(Config { prefetch_threads: 0, ..config.clone() }, Arc::clone(&self.pool));
        Self { config, prefetchers, ..alone }
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The workers.
    pub fn pool(&self) -> &Arc<WorkerPool> {
        &self.pool
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
        self.execute_block_in_units(vm, reader, transactions, policy, self.config.unit_length, on_commit)
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
        if !self.config.is_parallel(transactions.len()) {
            let sort = self.config.sort_changes;
            return sequential::execute(vm, reader, transactions, policy, sort, on_commit);
        }
        if self.config.mode == Mode::Auto {
            return adaptive::execute(self, vm, reader, transactions, policy, unit_length, on_commit);
        }
        let watch = Stopwatch::start();
        let progress = Progress::new(policy, transactions.len(), on_commit);
        let stretch = self.run_parallel(vm, reader, transactions, 0, unit_length, policy, progress, None)?;
        let mut metrics = stretch.metrics.clone();
        let finish = Stopwatch::start();
        let (Progress { admission, outcomes, end, .. }, changes) = self.finish(stretch, reader)?;
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
        let on_commit = |_: usize, _: &Outcome<V::Output>| {};
        let progress = Progress::new(policy, transactions.len(), on_commit);
        adaptive::execute_beside(self, vm, reader, transactions, policy, unit_length.max(1), progress, fallback)
    }

    /// Forgets what [`Mode::Auto`] has learned from earlier blocks: for whoever knows that the next block is of another
    /// kind.
    pub fn forget_trials(&self) {
        self.trials.forget();
    }

    /// What [`Mode::Auto`] remembers of its trials.
    pub(crate) fn trials(&self) -> &Trials {
        &self.trials
    }

    /// Executes the block from transaction `first` on in parallel, to its end or to where `watch` gives up. What comes
    /// out must be [finished](Self::finish).
    #[expect(clippy::too_many_arguments, reason = "the block, and how far it has come")]
    pub(crate) fn run_parallel<R, F>(
        &self,
        vm: &V,
        reader: &R,
        transactions: &[V::Transaction],
        first: usize,
        unit_length: usize,
        policy: BlockPolicy,
        progress: Progress<V, F>,
        watch: Option<Watch>,
    ) -> Result<ParallelStretch<V, F>, BlockError>
    where
        R: StateReader<V::Key, V::Value>,
        F: FnMut(usize, &Outcome<V::Output>) + Send,
    {
        // A worker without a unit of its own would only be in the way.
        let most = (transactions.len() - first).div_ceil(unit_length).max(1);
        let workers = self.config.max_parallel_threads.clamp(1, self.pool.workers()).min(most);
        let sizing = Sizing::new(&self.config, unit_length, transactions.len() - first, workers);
        let is_watched = watch.is_some() || sizing.is_some();
        let read_time = watch.as_ref().map(Watch::prefetched);
        let mut scratch = self.scratch(workers);
        if self.prefetchers.is_some() {
            // What is prefetched is found at locations.
            scratch.written_kinds.mark(Kinds::ALL);
        }
        let mut commit = Commit::new(progress, watch, sizing);
        let mut total = Counts::default();
        let (mut next, mut unit_length, mut first_position) = (first, unit_length, 0);
        let mut units_begun;
        loop {
            let units = (transactions.len() - next).div_ceil(unit_length);
            // The last numbers have a meaning of their own in scheduler and memory.
            let units = u32::try_from(units).ok().filter(|units| *units < (1 << 31) - first_position);
            let units = units.ok_or(BlockError::TooLong { transactions: transactions.len() })?;
            units_begun = first_position + units;
            scratch.begin_stretch(units, workers);
            let run = BlockRun {
                vm,
                reader,
                transactions,
                first: next,
                first_position,
                unit_length,
                policy,
                is_watched,
                takes_turns: false,
                memory: &scratch.memory,
                scheduler: &scratch.scheduler,
                written_kinds: &scratch.written_kinds,
                records: &scratch.records,
                commit: CachePadded::new(Mutex::new(commit)),
            };
            let counts = Mutex::new(Counts::default());
            let prefetch = self.prefetchers.as_ref().map(|threads| {
                let stretch = (&transactions[next..], unit_length);
                let distance = self.config.prefetch_distance;
                let (memory, scheduler) = (&scratch.memory, &scratch.scheduler);
                (threads, Prefetch::new((vm, reader), stretch, memory, scheduler, distance, read_time.as_deref()))
            });
            self.pool.run(workers, |worker| {
                let work = || {
                    let worked = run.work(&mut scratch.overlays[worker].lock());
                    *counts.lock() += worked;
                };
                match &prefetch {
                    Some((threads, prefetch)) if worker == 0 => prefetch.beside(threads, work),
                    _ => work(),
                }
            });
            commit = CachePadded::into_inner(run.commit).into_inner();
            total += counts.into_inner();
            let Some(length) = commit.next_length.take().filter(|_| commit.error.is_none()) else { break };
            let committed = commit.units - first_position;
            scratch.forget_uncommitted(committed, first_position);
            next = (next + committed as usize * unit_length).min(transactions.len());
            (first_position, unit_length) = (commit.units, length);
            if next == transactions.len() {
                break;
            }
        }
        let counts = total;
        let last = (commit.units - first_position) as usize * unit_length;
        let committed = (next + last).min(transactions.len()) - first;
        let hottest_keys = match self.config.hottest_keys {
            0 => Vec::new(),
            limit => scratch.memory.hottest(limit),
        };
        let metrics = Metrics {
            transactions: transactions.len() as u64,
            // Where the stretch was given up, the rest of its units is executed otherwise.
            units: u64::from(if commit.has_given_up { commit.units } else { units_begun }),
            executions: counts.executions,
            validations: counts.validations,
            aborts: counts.aborts,
            suspensions: counts.suspensions,
            deltas_resolved: commit.deltas_resolved,
            frontier_executions: commit.frontier_executions,
            core_time: counts.cpu,
            workers,
            hottest_keys,
            ..Metrics::default()
        };
        tracing::debug!(
            first,
            committed,
            given_up = commit.has_given_up,
            executions = metrics.executions,
            validations = metrics.validations,
            aborts = metrics.aborts,
            suspensions = metrics.suspensions,
            "executed in parallel"
        );
        Ok(ParallelStretch { scratch, commit, committed, workers, metrics })
    }

    /// The changes of a stretch, and how far the block has come with it.
    pub(crate) fn finish<R, F>(
        &self,
        stretch: ParallelStretch<V, F>,
        reader: &R,
    ) -> Result<(Progress<V, F>, Changes<V>), BlockError>
    where
        R: StateReader<V::Key, V::Value>,
    {
        let ParallelStretch { mut scratch, commit, workers, .. } = stretch;
        let kept = match commit.progress.end {
            BlockEnd::Rejected { .. } => 0,
            BlockEnd::Complete | BlockEnd::GasLimit { .. } => commit.units,
        };
        let changes = if commit.error.is_none() && kept > 0 {
            self.changes(&mut scratch.memory, workers, kept, reader)
        } else {
            scratch.memory.reset();
            Ok(Vec::new())
        };
        self.scratch.lock().push(scratch);
        match commit.error {
            Some(error) => Err(error),
            None => Ok((commit.progress, changes?)),
        }
    }

    /// The changes of a stretch that was given up, in no order, each with what the stretch found under its key.
    pub(crate) fn finish_with_bases<R, F>(
        &self,
        stretch: ParallelStretch<V, F>,
        reader: &R,
    ) -> Result<(Progress<V, F>, ChangesWithBases<V>), BlockError>
    where
        R: StateReader<V::Key, V::Value>,
    {
        let ParallelStretch { mut scratch, commit, .. } = stretch;
        let mut changes = Vec::new();
        let collected = scratch.memory.finish_with_bases(
            commit.units,
            |key| reader.read(key),
            |key, base, value| changes.push((key, base.clone(), value)),
        );
        self.scratch.lock().push(scratch);
        if let Some(error) = commit.error {
            return Err(error);
        }
        collected.map_err(BlockError::Changes)?;
        Ok((commit.progress, changes))
    }

    /// The changes of the units below `end`, collected by several workers. Empties the memory.
    fn changes<R: StateReader<V::Key, V::Value>>(
        &self,
        memory: &mut MvMemory<V::Key, V::Value>,
        workers: usize,
        end: u32,
        reader: &R,
    ) -> Result<Changes<V>, BlockError> {
        let sort = self.config.sort_changes;
        let finish = |part: Part<'_, V::Key, V::Value>| {
            let mut changes = part.finish(end, |key| reader.read(key))?;
            if sort {
                changes.sort_unstable_by(|a, b| a.0.cmp(&b.0));
            }
            Ok(changes)
        };
        let workers = if memory.locations() < WORTH_DIVIDING { 1 } else { workers };
        let parts = memory.parts(workers);
        let lists: Result<Vec<_>, _> = if workers == 1 {
            parts.into_iter().map(finish).collect()
        } else {
            let parts: Vec<_> = parts.into_iter().map(|part| Mutex::new((Some(part), None))).collect();
            self.pool.for_each(workers, parts.len(), 1, |at| {
                let (part, changes) = &mut *parts[at].lock();
                *changes = part.take().map(finish);
            });
            parts.into_iter().filter_map(|part| part.into_inner().1).collect()
        };
        match lists {
            Ok(lists) => {
                memory.reset_finished();
                Ok(if sort { merge_sorted(lists) } else { append(lists) })
            }
            Err(error) => {
                memory.reset();
                Err(BlockError::Changes(error))
            }
        }
    }

    /// Memory for a block, recycled where there is some.
    fn scratch(&self, workers: usize) -> Scratch<V> {
        let recycled = self.scratch.lock().pop();
        let mut scratch = recycled.unwrap_or_else(|| Scratch {
            memory: MvMemory::new(),
            scheduler: Scheduler::new(0),
            written_kinds: WrittenKinds::default(),
            records: Vec::new(),
            overlays: Vec::new(),
        });
        scratch.written_kinds.clear();
        if scratch.overlays.len() < workers {
            scratch.overlays.resize_with(workers, || CachePadded::new(Mutex::new(Overlay::new())));
        }
        scratch
    }
}

impl<V: Vm> std::fmt::Debug for Engine<V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("config", &self.config).finish_non_exhaustive()
    }
}
