//! Executing a block, or a stretch of it, in parallel: its units are given to the workers, in one go or, where their
//! length changes, in several on the same memory; then its changes are collected.

use std::sync::Arc;

use crossbeam_utils::CachePadded;
use parking_lot::Mutex;
use weft_scheduler::WorkerPool;
use weft_storage::StateReader;

use crate::adaptive::Watch;
use crate::admission::BlockEnd;
use crate::block::BlockRun;
use crate::changes::{self, Changes};
use crate::commit::Commit;
use crate::config::Config;
use crate::error::BlockError;
use crate::fallback::Fallback;
use crate::head_start::head_start;
use crate::metrics::{Counts, Metrics};
use crate::overlay::Overlay;
use crate::prefetch::Prefetch;
use crate::progress::Progress;
use crate::rare::Kinds;
use crate::rest::Rest;
use crate::scratch::Scratch;
use crate::sizing::Sizing;
use crate::vm::{Outcome, Vm};

/// How far the block has come with a stretch, and what the stretch has left, key by key.
type Finished<V, F, T> = Result<(Progress<V, F>, Vec<T>), BlockError>;

/// A stretch of a block that was executed in parallel. What comes of it must be [finished](ParallelPath::finish).
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
    pub(crate) fn has_gained(&self) -> bool {
        self.commit.watch.as_ref().is_some_and(Watch::has_gained)
    }

    /// How many transactions it has committed.
    pub(crate) fn transactions(&self) -> usize {
        self.committed
    }
}

/// What blocks are executed with in parallel: workers, and memory that is kept from one block to the next.
pub(crate) struct ParallelPath<V: Vm> {
    config: Config,
    pool: Arc<WorkerPool>,
    /// Those who prefetch, and worker 0 as their first; none where nothing is prefetched.
    prefetchers: Option<Arc<WorkerPool>>,
    scratch: Mutex<Vec<Scratch<V>>>,
}

impl<V: Vm> ParallelPath<V> {
    pub(crate) fn new(config: Config, pool: Arc<WorkerPool>, prefetchers: Option<Arc<WorkerPool>>) -> Self {
        Self { config, pool, prefetchers, scratch: Mutex::new(Vec::new()) }
    }

    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    pub(crate) fn pool(&self) -> &Arc<WorkerPool> {
        &self.pool
    }

    pub(crate) fn prefetchers(&self) -> Option<&Arc<WorkerPool>> {
        self.prefetchers.as_ref()
    }

    /// Executes `block` to its end or to where `watch` gives up.
    pub(crate) fn run<R, F>(
        &self,
        block: &Rest<'_, V, R>,
        progress: Progress<V, F>,
        watch: Option<Watch>,
    ) -> Result<ParallelStretch<V, F>, BlockError>
    where
        R: StateReader<V::Key, V::Value>,
        F: FnMut(usize, &Outcome<V::Output>) + Send,
    {
        // A worker without a unit of its own would only be in the way.
        let workers = self.config.max_parallel_threads.clamp(1, self.pool.workers()).min(block.units().max(1));
        let sizing = Sizing::new(&self.config, block.unit_length, block.left(), workers);
        let is_watched = watch.is_some() || sizing.is_some();
        let work_time = watch.as_ref().map(Watch::work);
        let mut scratch = self.scratch.lock().pop().unwrap_or_else(Scratch::new);
        scratch.begin_block(workers, block.left());
        if self.prefetchers.is_some() {
            // What is prefetched is found at locations.
            scratch.written_kinds.mark(Kinds::ALL);
        }
        let mut commit = Commit::new(progress, watch, sizing);
        let mut counts = Counts::default();
        let mut rest = block.from(block.first, block.reader);
        let mut first_position = 0;
        let mut units_begun;
        loop {
            // The last numbers have a meaning of their own in scheduler and memory.
            let units = u32::try_from(rest.units()).ok().filter(|units| *units < (1 << 31) - first_position);
            let units = units.ok_or(BlockError::TooLong { transactions: rest.transactions.len() })?;
            units_begun = first_position + units;
            scratch.begin_stretch(units, workers);
            scratch.scheduler.give_head_start(head_start(&rest, workers));
            let run = BlockRun {
                vm: rest.vm,
                reader: rest.reader,
                transactions: rest.transactions,
                first: rest.first,
                first_position,
                unit_length: rest.unit_length,
                policy: rest.policy,
                is_watched,
                work_time: work_time.as_deref(),
                takes_turns: false,
                memory: &scratch.memory,
                scheduler: &scratch.scheduler,
                written_kinds: &scratch.written_kinds,
                records: &scratch.records,
                commit: CachePadded::new(Mutex::new(commit)),
            };
            counts += self.work(&run, &scratch.overlays[..workers]);
            commit = CachePadded::into_inner(run.commit).into_inner();
            let Some(length) = commit.next_length.take().filter(|_| commit.error.is_none()) else { break };
            let committed = commit.units - first_position;
            scratch.forget_uncommitted(committed, first_position);
            rest.first = (rest.first + committed as usize * rest.unit_length).min(rest.transactions.len());
            (first_position, rest.unit_length) = (commit.units, length);
            if rest.left() == 0 {
                break;
            }
        }
        let begun = rest.first + scratch.scheduler.begun() as usize * rest.unit_length;
        scratch.end_block(begun.min(rest.transactions.len()) - block.first);
        let last = (commit.units - first_position) as usize * rest.unit_length;
        let committed = (rest.first + last).min(rest.transactions.len()) - block.first;
        let hottest_keys = match self.config.hottest_keys {
            0 => Vec::new(),
            limit => scratch.memory.hottest(limit),
        };
        let metrics = Metrics {
            transactions: block.transactions.len() as u64,
            // Where the stretch was given up, the rest of its units is executed otherwise.
            units: u64::from(if commit.has_given_up { commit.units } else { units_begun }),
            executions: counts.executions,
            validations: counts.validations,
            aborts: counts.aborts,
            suspensions: counts.suspensions,
            resumed_transactions: counts.resumed_transactions,
            deltas_resolved: commit.deltas_resolved,
            frontier_executions: commit.frontier_executions,
            core_time: counts.cpu,
            workers,
            hottest_keys,
            ..Metrics::default()
        };
        tracing::debug!(
            first = block.first,
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

    /// Lets the workers execute what `run` holds, each on an overlay of its own.
    fn work<R, F>(&self, run: &BlockRun<'_, V, R, F>, overlays: &[CachePadded<Mutex<Overlay<V::Value>>>]) -> Counts
    where
        R: StateReader<V::Key, V::Value>,
        F: FnMut(usize, &Outcome<V::Output>) + Send,
    {
        let counts = Mutex::new(Counts::default());
        let prefetch = self.prefetchers.as_ref().map(|threads| {
            let stretch = (&run.transactions[run.first..], run.unit_length);
            let distance = self.config.prefetch_distance;
            (threads, Prefetch::new((run.vm, run.reader), stretch, run.memory, run.scheduler, distance, run.work_time))
        });
        self.pool.run(overlays.len(), |worker| {
            let work = || {
                let worked = run.work(&mut overlays[worker].lock());
                *counts.lock() += worked;
            };
            match &prefetch {
                Some((threads, prefetch)) if worker == 0 => prefetch.beside(threads, work),
                _ => work(),
            }
        });
        counts.into_inner()
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
            changes::collect(&mut scratch.memory, kept, reader, self.config.sort_changes, &self.pool, workers)
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

    /// What `B` takes over of a stretch that was given up, in no order.
    pub(crate) fn finish_for<B, R, F>(&self, stretch: ParallelStretch<V, F>, reader: &R) -> Finished<V, F, B::TakenOver>
    where
        B: Fallback<V>,
        R: StateReader<V::Key, V::Value>,
    {
        let ParallelStretch { mut scratch, commit, workers, .. } = stretch;
        let changes =
            changes::collect_with(&mut scratch.memory, commit.units, reader, &self.pool, workers, B::taken_over);
        self.scratch.lock().push(scratch);
        match commit.error {
            Some(error) => Err(error),
            None => Ok((commit.progress, changes?)),
        }
    }
}
