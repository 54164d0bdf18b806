//! [`Mode::Auto`](crate::Mode::Auto): in parallel as long as that is faster, else one transaction after another.
//!
//! A chain of dependent transactions cannot be executed in parallel, and transactions that take less time than their
//! bookkeeping should not be. Neither can be known beforehand. So a block begins in parallel, under a [`Watch`]: it
//! compares the time that executions took which are not known to be in vain with the time that has passed. Where the workers together did
//! hardly more than one would have, the parallel path stops at its commit frontier, and the sequential path goes on
//! from there for a stretch; then there is another trial. Stretches get longer with every trial that fails, also from
//! one block to the next, so that a hopeless chain costs next to nothing; one good trial ends that. Where transactions
//! declare a chain themselves the trial has failed before it has begun.
//!
//! Results never depend on any of this: every path commits a prefix of the block.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use weft_storage::StateReader;

use crate::admission::BlockEnd;
use crate::canary::Canary;
use crate::config::Config;
use crate::declared_chain::{LOOKED_AT, is_declared_chain};
use crate::engine::BlockOutput;
use crate::error::{BlockError, panic_message};
use crate::fallback::{Fallback, Layered};
use crate::metrics::{Metrics, Stopwatch};
use crate::parallel::ParallelPath;
use crate::progress::Progress;
use crate::rest::Rest;
use crate::sequential::SequentialPath;
use crate::vm::{Outcome, Vm};
use crate::work_time::WorkTime;

/// The first stretch after a trial that failed is so many times as long as the trial: `1 << SHORTEST_STRETCH`.
const SHORTEST_STRETCH: u32 = 3;
/// And it is doubled so many times at most.
const MOST_DOUBLINGS: u32 = 5;

/// No window is shorter than so many units, unless the configuration says so.
const SHORTEST_WINDOW: u32 = 8;

/// One unit must not decide: where they differ in length, a window goes on until all executions together took so many
/// times as long as the longest of them.
const LONGEST_UNITS: u32 = 8;
/// But no longer than so many times its shortest time.
const LONGEST_WINDOW: u32 = 8;

/// To go on sequentially, what has been executed in parallel must be taken over, and what was executed ahead is lost: that is
/// reckoned to cost one part in so many of the work that it was. (The first alone is less: on Ethereum 0.1 to 0.25 µs for
/// each key that was changed.) A stretch that was worth it until now goes on until it has lost as much,
/// as far as it had gained that: it is given up too late by no more than giving it up would have cost, and where too
/// little is left to lose, not at all.
const SWITCH: u32 = 4;

/// Watches whether executing in parallel is worth it.
#[derive(Debug)]
pub(crate) struct Watch {
    /// Units between two looks.
    window: u32,
    /// Time that must have passed besides.
    shortest: Duration,
    /// Time after which a verdict is due, however much the units differ in length.
    longest_wait: Duration,
    /// Of the time that passes, in percent: executions must take so much together.
    worthwhile_percent: u32,
    /// When the window began: with its first commit, so that waking the workers is not held against them.
    begun: Option<Instant>,
    units: u32,
    /// What the executions took that were committed.
    committed: Duration,
    /// The longest of them.
    longest: Duration,
    /// What has been done, committed or not: behind a chain a good part of the block may be executed before its turn.
    work: Arc<WorkTime>,
    /// The work of all windows up to the last one that was worth it.
    proved: Duration,
    /// The work of the windows since then, and what was missing in them.
    unproved: Duration,
    lost: Duration,
    /// What all windows up to the last one that was worth it had more than was demanded.
    gained: Duration,
}

impl Watch {
    /// A watch over `units` units. Short stretches are judged early, so that there is something left to do otherwise.
    pub(crate) fn new(config: &Config, units: usize) -> Self {
        let window = u32::try_from(units / 8).unwrap_or(u32::MAX).max(SHORTEST_WINDOW).min(config.trial_units);
        Self {
            window: window.max(1),
            shortest: config.trial_time,
            longest_wait: config.trial_time.saturating_mul(LONGEST_WINDOW),
            worthwhile_percent: config.worthwhile_percent,
            begun: None,
            units: 0,
            committed: Duration::ZERO,
            longest: Duration::ZERO,
            work: Arc::default(),
            proved: Duration::ZERO,
            unproved: Duration::ZERO,
            lost: Duration::ZERO,
            gained: Duration::ZERO,
        }
    }

    /// Where workers, and those who prefetch, say what they have done.
    pub(crate) fn work(&self) -> Arc<WorkTime> {
        Arc::clone(&self.work)
    }

    /// Whether it was worth it, all windows together.
    pub(crate) fn has_gained(&self) -> bool {
        self.gained > self.lost
    }

    /// A unit is committed whose execution took so long. False if it is time to give up.
    pub(crate) fn is_worth_it(&mut self, took: Duration) -> bool {
        let begun = *self.begun.get_or_insert_with(|| {
            // What was done before is no matter of this window.
            self.work.begin_with(took);
            Instant::now()
        });
        self.units += 1;
        self.committed += took;
        self.longest = self.longest.max(took);
        if self.units < self.window {
            return true;
        }
        // Another core's clock may be behind.
        let passed = begun.elapsed().max(Duration::from_nanos(1));
        let is_one_sided = self.committed < self.longest.saturating_mul(LONGEST_UNITS);
        if passed < self.shortest || (is_one_sided && passed < self.longest_wait) {
            return true;
        }
        let useful = self.work.take();
        self.begin_window();
        self.judge(useful, passed)
    }

    /// The verdict on a window: so much useful work in so much time.
    fn judge(&mut self, useful: Duration, passed: Duration) -> bool {
        let demanded = passed * self.worthwhile_percent / 100;
        self.unproved += useful;
        if useful >= demanded {
            self.proved += std::mem::take(&mut self.unproved);
            self.gained = self.gained.saturating_sub(std::mem::take(&mut self.lost)) + (useful - demanded);
            return true;
        }
        self.lost += demanded - useful;
        self.lost <= self.gained.min(self.proved / SWITCH)
    }

    /// Forgets what it has seen since its last verdict.
    pub(crate) fn begin_window(&mut self) {
        (self.begun, self.units, self.committed, self.longest) = (None, 0, Duration::ZERO, Duration::ZERO);
    }
}

/// What an engine remembers from one block to the next. It decides how long stretches are, nothing else: hence every
/// access is relaxed, and blocks that run at the same time may mix it up.
#[derive(Debug, Default)]
pub(crate) struct Trials {
    /// Trials in a row that have failed.
    failed: AtomicU32,
    /// Transactions to be executed sequentially before the next trial.
    owed: AtomicUsize,
}

impl Trials {
    /// How many of `left` transactions are to be executed sequentially before the next trial.
    fn take(&self, left: usize) -> usize {
        let owed = self.owed.load(Ordering::Relaxed);
        let taken = owed.min(left);
        self.owed.store(owed - taken, Ordering::Relaxed);
        taken
    }

    /// A trial of so many transactions has failed.
    fn failed(&self, trial: usize) {
        let failed = self.failed.load(Ordering::Relaxed).min(MOST_DOUBLINGS);
        self.owed.store(trial << (SHORTEST_STRETCH + failed), Ordering::Relaxed);
        self.failed.store(failed + 1, Ordering::Relaxed);
    }

    fn succeeded(&self) {
        self.failed.store(0, Ordering::Relaxed);
    }

    pub(crate) fn forget(&self) {
        self.failed.store(0, Ordering::Relaxed);
        self.owed.store(0, Ordering::Relaxed);
    }
}

/// Executes a block in parallel stretches and sequential ones.
pub(crate) fn execute<V, R, F>(
    parallel: &ParallelPath<V>,
    trials: &Trials,
    block: &Rest<'_, V, R>,
    on_commit: F,
) -> Result<BlockOutput<V>, BlockError>
where
    V: Vm,
    R: StateReader<V::Key, V::Value>,
    F: FnMut(usize, &Outcome<V::Output>) + Send,
{
    let watch = Stopwatch::start();
    let mut path = SequentialPath::new(block.vm, block.reader);
    let progress = Progress::new(block.policy, block.transactions.len(), on_commit);
    let mut output = execute_beside(parallel, trials, block, progress, &mut path)?;
    output.changes = match output.end {
        BlockEnd::Rejected { .. } => Vec::new(),
        BlockEnd::Complete | BlockEnd::GasLimit { .. } if parallel.config().sort_changes => {
            path.state.into_changes_below(output.changes)
        }
        BlockEnd::Complete | BlockEnd::GasLimit { .. } => path.state.into_unsorted_below(output.changes),
    };
    output.metrics.wall_time = watch.wall();
    Ok(output)
}

/// Executes a block in parallel stretches, and in sequential ones on `fallback`. The changes that it gives are those of
/// the last stretch if that was a parallel one; those before are left in `fallback`.
pub(crate) fn execute_beside<V, R, F, B>(
    parallel: &ParallelPath<V>,
    trials: &Trials,
    block: &Rest<'_, V, R>,
    mut progress: Progress<V, F>,
    fallback: &mut B,
) -> Result<BlockOutput<V>, BlockError>
where
    V: Vm,
    R: StateReader<V::Key, V::Value>,
    F: FnMut(usize, &Outcome<V::Output>) + Send,
    B: Fallback<V>,
{
    let watch = Stopwatch::start();
    let config = parallel.config();
    let transactions = block.transactions;
    let trial = config.trial_units.max(1) as usize * block.unit_length;
    let mut metrics = Metrics { transactions: transactions.len() as u64, workers: 1, ..Metrics::default() };
    let mut changes = Vec::new();
    let mut next = block.first;
    while next < transactions.len() && progress.end == BlockEnd::Complete {
        let left = transactions.len() - next;
        let is_whole = !config.is_parallel(transactions.len());
        let is_short = left < config.min_transactions_for_parallel;
        let sequential = if is_whole || is_short { left } else { trials.take(left) };
        if sequential > 0 {
            let cpu = Stopwatch::start();
            let before = progress.outcomes.len();
            execute_sequentially(fallback, transactions, next..next + sequential, &mut progress)?;
            let executed = (progress.outcomes.len() - before) as u64;
            metrics.absorb(Metrics {
                units: executed,
                executions: executed,
                sequential_transactions: executed,
                core_time: cpu.cpu(),
                ..Metrics::default()
            });
            next += sequential;
            continue;
        }
        if config.worthwhile_percent > 0 && is_declared_chain(block.vm, &transactions[next..]) {
            // What was looked at is a chain; as for what comes after it, another look costs little.
            trials.failed(LOOKED_AT >> SHORTEST_STRETCH);
            continue;
        }
        let layered = Layered::new(&*fallback, block.reader);
        let rest = block.from(next, &layered);
        let stretch = parallel.run(&rest, progress, Some(Watch::new(config, rest.units())))?;
        metrics.absorb(stretch.metrics());
        if !stretch.has_given_up() {
            if stretch.has_gained() {
                trials.succeeded();
            }
            (progress, changes) = parallel.finish(stretch, &layered)?;
            break;
        }
        if stretch.has_gained() {
            trials.succeeded();
        }
        trials.failed(trial);
        next += stretch.transactions();
        let mut taken_over;
        (progress, taken_over) = parallel.finish_for::<B, _, _>(stretch, &layered)?;
        if Canary::ForgetfulTakeOver.sings() {
            taken_over.pop();
        }
        fallback.take_over(taken_over)?;
    }
    let Progress { admission, outcomes, end, .. } = progress;
    metrics.wall_time = watch.wall();
    Ok(BlockOutput { outcomes, changes, end, gas_used: admission.gas_used(), metrics })
}

/// Executes a stretch of the block on `fallback`. `progress.end` says whether the block has ended in it.
fn execute_sequentially<V: Vm, F: FnMut(usize, &Outcome<V::Output>)>(
    fallback: &mut impl Fallback<V>,
    transactions: &[V::Transaction],
    stretch: Range<usize>,
    progress: &mut Progress<V, F>,
) -> Result<(), BlockError> {
    let mut index = stretch.start;
    let executed = catch_unwind(AssertUnwindSafe(|| {
        fallback.execute(transactions, stretch, |outcome| {
            let admitted = progress.commit(index, outcome);
            index += 1;
            admitted
        })
    }));
    executed.unwrap_or_else(|panic| Err(BlockError::Panicked { transaction: index, message: panic_message(&*panic) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLISECOND: Duration = Duration::from_millis(1);

    /// A unit is executed and committed.
    fn is_worth_it(watch: &mut Watch, took: Duration) -> bool {
        watch.work().add(took);
        watch.is_worth_it(took)
    }

    fn watch(worthwhile_percent: u32) -> Watch {
        Watch::new(&Config { trial_units: 3, worthwhile_percent, ..Config::default() }, 1000)
    }

    #[test]
    fn a_watch_judges_at_the_end_of_each_window() {
        let mut busy = watch(125);
        // An hour of work in no time.
        for _ in 0..9 {
            assert!(is_worth_it(&mut busy, MILLISECOND * 3_600_000));
        }
        let mut idle = watch(125);
        let verdicts = [(); 7].map(|()| is_worth_it(&mut idle, Duration::ZERO));
        assert_eq!(verdicts, [true, true, false, true, true, false, true]);
        assert!(busy.has_gained() && !idle.has_gained());
        let mut indifferent = watch(0);
        assert!((0..9).all(|_| is_worth_it(&mut indifferent, Duration::ZERO)));
    }

    #[test]
    fn what_is_not_committed_counts_as_well() {
        let mut watch = watch(125);
        for _ in 0..3 {
            assert!(watch.is_worth_it(Duration::ZERO));
            watch.work().add(MILLISECOND * 3_600_000);
            assert!([(); 2].iter().all(|()| watch.is_worth_it(Duration::ZERO)));
        }
        assert!(watch.lost.is_zero());
        watch.work().add(MILLISECOND * 3_600_000);
        assert!([(); 3].iter().all(|()| watch.is_worth_it(Duration::ZERO)), "done before the window; little is lost");
        assert!(!watch.lost.is_zero(), "once");
    }

    /// A quarter of the work, and no more than was gained.
    #[test]
    fn what_was_worth_it_may_lose_what_giving_up_would_cost() {
        let mut watch = watch(100);
        assert!(watch.judge(MILLISECOND * 40, MILLISECOND * 20));
        assert!(watch.judge(MILLISECOND * 4, MILLISECOND * 10), "6 of 10 lost");
        assert!(watch.judge(MILLISECOND * 6, MILLISECOND * 10), "10 of 10");
        assert!(!watch.judge(MILLISECOND * 99, MILLISECOND * 100) && watch.has_gained());
        assert!(watch.judge(MILLISECOND * 40, MILLISECOND * 10), "what was lost is made up for");
        assert!(watch.judge(MILLISECOND, MILLISECOND * 40), "all 39 that were gained");
        assert!(!watch.judge(MILLISECOND, MILLISECOND * 10));
        let mut hopeless = self::watch(100);
        assert!(!hopeless.judge(MILLISECOND * 99, MILLISECOND * 100), "there is nothing to take over");
        let mut wavering = self::watch(100);
        assert!(wavering.judge(MILLISECOND * 101, MILLISECOND * 100));
        assert!(!wavering.judge(MILLISECOND * 98, MILLISECOND * 100), "it had gained only one");
        assert!(!wavering.has_gained());
    }

    #[test]
    fn a_window_lasts_as_long_as_the_configuration_asks() {
        let config = Config { trial_units: 3, trial_time: Duration::from_secs(3600), ..Config::default() };
        let mut patient = Watch::new(&config, 1000);
        assert!((0..9).all(|_| is_worth_it(&mut patient, Duration::ZERO)));
    }

    #[test]
    fn a_single_long_unit_does_not_decide() {
        let config = Config { trial_units: 3, ..Config::default() };
        let is_judged = |longest_wait: u32, units: &[u32]| {
            let mut watch = Watch::new(&config, 1000);
            watch.longest_wait = MILLISECOND * 3_600_000 * longest_wait;
            units.iter().for_each(|hours| assert!(is_worth_it(&mut watch, MILLISECOND * 3_600_000 * *hours)));
            watch.has_gained()
        };
        assert!(!is_judged(1, &[1, 1, 10, 1, 1, 1]) && is_judged(1, &[2; 8]));
        assert!(is_judged(0, &[1, 1, 10]), "a window has to end some time");
    }

    #[test]
    fn short_stretches_are_judged_early() {
        let window = |trial_units, units| Watch::new(&Config { trial_units, ..Config::default() }, units).window;
        assert_eq!([window(64, 10), window(64, 100), window(64, 400), window(64, 10_000)], [8, 12, 50, 64]);
        assert_eq!([window(2, 1000), window(0, 1000)], [2, 1]);
    }

    #[test]
    fn a_failed_trial_is_paid_for_by_longer_and_longer_stretches() {
        let trials = Trials::default();
        assert_eq!(trials.take(1000), 0);
        let mut stretches = Vec::new();
        for _ in 0..8 {
            trials.failed(10);
            stretches.push(trials.take(usize::MAX));
        }
        assert_eq!(stretches, [80, 160, 320, 640, 1280, 2560, 2560, 2560]);
        trials.succeeded();
        trials.failed(10);
        // Over the end of a block.
        assert_eq!([trials.take(50), trials.take(50), trials.take(50)], [50, 30, 0]);
    }
}
