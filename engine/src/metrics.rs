//! What a block cost.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use crate::work_time::Unsaid;

/// Counts and times of one block. Counts are in units, which are single transactions unless the configuration says
/// otherwise.
#[derive(Debug, Clone)]
pub struct Metrics<K> {
    /// Transactions of the block.
    pub transactions: u64,
    /// Units that the block was divided into.
    pub units: u64,
    /// Executions that ran to their end.
    pub executions: u64,
    /// Validations of what an execution had read.
    pub validations: u64,
    /// Validations that found a stale read.
    pub aborts: u64,
    /// Executions that were given up because a value was still being computed, or not begun for that reason.
    pub suspensions: u64,
    /// Transactions that a new execution of their unit did not run again, as they had read nothing stale.
    pub resumed_transactions: u64,
    /// Deltas that were turned into values in commit order.
    pub deltas_resolved: u64,
    /// Units that were executed (again) at the commit frontier, on final values.
    pub frontier_executions: u64,
    /// Transactions that were executed one after another, without speculation: all of them on the sequential path, some
    /// where executing in parallel turned out not to be worth it.
    pub sequential_transactions: u64,
    /// CPU time of all workers together.
    pub core_time: Duration,
    /// Wall-clock time.
    pub wall_time: Duration,
    /// Workers that took part.
    pub workers: usize,
    /// The keys that the most units wrote, with their number; as many as the configuration asks for.
    pub hottest_keys: Vec<(K, usize)>,
}

impl<K> Default for Metrics<K> {
    fn default() -> Self {
        Self {
            transactions: 0,
            units: 0,
            executions: 0,
            validations: 0,
            aborts: 0,
            suspensions: 0,
            resumed_transactions: 0,
            deltas_resolved: 0,
            frontier_executions: 0,
            sequential_transactions: 0,
            core_time: Duration::ZERO,
            wall_time: Duration::ZERO,
            workers: 0,
            hottest_keys: Vec::new(),
        }
    }
}

impl<K> Metrics<K> {
    /// Executions per unit: 1 means that nothing was executed twice.
    #[must_use]
    pub fn executions_per_unit(&self) -> f64 {
        self.executions as f64 / self.units.max(1) as f64
    }

    /// Validations per unit.
    #[must_use]
    pub fn validations_per_unit(&self) -> f64 {
        self.validations as f64 / self.units.max(1) as f64
    }

    /// Cores that were busy on average.
    #[must_use]
    pub fn cores(&self) -> f64 {
        self.core_time.as_secs_f64() / self.wall_time.as_secs_f64().max(f64::EPSILON)
    }
}

impl<K: PartialEq> Metrics<K> {
    /// Adds what a stretch of the block cost. The block's own length and time stay.
    pub(crate) fn absorb(&mut self, stretch: Self) {
        self.units += stretch.units;
        self.executions += stretch.executions;
        self.validations += stretch.validations;
        self.aborts += stretch.aborts;
        self.suspensions += stretch.suspensions;
        self.resumed_transactions += stretch.resumed_transactions;
        self.deltas_resolved += stretch.deltas_resolved;
        self.frontier_executions += stretch.frontier_executions;
        self.sequential_transactions += stretch.sequential_transactions;
        self.core_time += stretch.core_time;
        self.workers = self.workers.max(stretch.workers);
        let most = self.hottest_keys.len().max(stretch.hottest_keys.len());
        for (key, writers) in stretch.hottest_keys {
            match self.hottest_keys.iter_mut().find(|(known, _)| *known == key) {
                Some((_, known)) => *known += writers,
                None => self.hottest_keys.push((key, writers)),
            }
        }
        self.hottest_keys.sort_by_key(|(_, writers)| std::cmp::Reverse(*writers));
        self.hottest_keys.truncate(most);
    }
}

/// What one worker counts; added up when it leaves the block.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Counts {
    pub(crate) executions: u64,
    pub(crate) validations: u64,
    pub(crate) aborts: u64,
    pub(crate) suspensions: u64,
    pub(crate) resumed_transactions: u64,
    pub(crate) cpu: Duration,
    /// Suspensions since the last execution or nap.
    pub(crate) futile: u32,
    /// Naps since the last execution.
    pub(crate) naps: u32,
    pub(crate) unsaid: Unsaid,
}

impl Counts {
    pub(crate) fn execute(&mut self) {
        self.executions += 1;
        self.futile = 0;
        self.naps = 0;
    }

    pub(crate) fn suspend(&mut self) {
        self.suspensions += 1;
        self.futile += 1;
    }
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.executions += other.executions;
        self.validations += other.validations;
        self.aborts += other.aborts;
        self.suspensions += other.suspensions;
        self.resumed_transactions += other.resumed_transactions;
        self.cpu += other.cpu;
    }
}

/// Wall-clock and thread CPU time since its start.
pub(crate) struct Stopwatch {
    wall: Instant,
    cpu: Duration,
}

fn thread_cpu_time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    // The clock starts at 0 with the thread: both parts are in range.
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0))
}

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self { wall: Instant::now(), cpu: thread_cpu_time() }
    }

    pub(crate) fn wall(&self) -> Duration {
        self.wall.elapsed()
    }

    /// CPU time of the calling thread, which must be the one that started the watch.
    pub(crate) fn cpu(&self) -> Duration {
        thread_cpu_time().saturating_sub(self.cpu)
    }
}
