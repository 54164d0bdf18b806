//! Running levels one after another, the transactions of one in parallel, as one job of the kept pool.
//!
//! A level is over when all its transactions are done, not when all workers have come by: a worker that wakes up late
//! holds up nobody. Workers that find nothing left look for the next level for a while, and then sleep.

use std::any::Any;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use parking_lot::{Condvar, Mutex};
use weft_engine::WorkerPool;

/// Looks at what others do before a worker sleeps: some tens of microseconds, in which most levels of a block end.
const LOOKS: usize = 1000;

/// The most that a worker takes of a level at once.
const LARGEST_CHUNK: usize = 64;

/// One level, or several that are too narrow to be shared and that one worker does in order.
#[derive(Debug)]
struct Phase {
    end: usize,
    chunk: usize,
    /// What is not claimed begins here.
    next: AtomicUsize,
    /// How many are not done.
    left: AtomicUsize,
}

impl Phase {
    fn new(range: Range<usize>, chunk: usize) -> Self {
        let left = AtomicUsize::new(range.len());
        Self { end: range.end, chunk: chunk.max(1), next: AtomicUsize::new(range.start), left }
    }
}

/// The phases of a block.
#[derive(Debug)]
pub(super) struct Phases {
    phases: Vec<Phase>,
    /// Whether any is to be shared.
    are_shared: bool,
    /// The phase that is running. Those before it are done.
    running: AtomicUsize,
    panicked: AtomicBool,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
    asleep: Mutex<usize>,
    next_phase: Condvar,
}

impl Phases {
    /// Phases of these consecutive levels, for so many workers. Levels of fewer than `worth_sharing` are not shared.
    pub(super) fn new(levels: &[Range<usize>], workers: usize, worth_sharing: usize) -> Self {
        let mut phases = Vec::new();
        let mut narrow: Option<Range<usize>> = None;
        let mut are_shared = false;
        let alone = |range: Range<usize>| Phase::new(range.clone(), range.len());
        for level in levels {
            if workers > 1 && level.len() >= worth_sharing {
                phases.extend(narrow.take().map(alone));
                // Large enough that claiming costs nothing, small enough that the workers end at about the same time.
                phases.push(Phase::new(level.clone(), (level.len() / (workers * 8)).min(LARGEST_CHUNK)));
                are_shared = true;
            } else {
                narrow = Some(narrow.map_or(level.start, |narrow| narrow.start)..level.end);
            }
        }
        phases.extend(narrow.map(alone));
        Self {
            phases,
            are_shared,
            running: AtomicUsize::new(0),
            panicked: AtomicBool::new(false),
            panic: Mutex::new(None),
            asleep: Mutex::new(0),
            next_phase: Condvar::new(),
        }
    }

    /// Whether there is anything for more than one worker.
    pub(super) fn are_shared(&self) -> bool {
        self.are_shared
    }

    /// Calls `each` for every index of every level, once, those of a level when all below are done.
    ///
    /// # Panics
    /// When `each` does: with that panic. What is left then is not called.
    pub(super) fn run(self, pool: &WorkerPool, workers: usize, each: impl Fn(usize) + Sync) {
        pool.run(workers, |_| self.work(&each));
        if let Some(panic) = self.panic.into_inner() {
            resume_unwind(panic);
        }
    }

    fn work(&self, each: &impl Fn(usize)) {
        // Acquire, here and in `wait`: what the transactions of the phases before have written is seen.
        let mut at = self.running.load(Ordering::Acquire);
        while let Some(phase) = self.phases.get(at) {
            // Relaxed: only the claim has to be unique.
            let from = phase.next.fetch_add(phase.chunk, Ordering::Relaxed);
            if from >= phase.end {
                at = self.wait(at);
                continue;
            }
            let claimed = from..phase.end.min(from + phase.chunk);
            let count = claimed.len();
            // Somebody must count what is claimed as done, or all others wait for ever.
            if !self.panicked.load(Ordering::Relaxed)
                && let Err(panic) = catch_unwind(AssertUnwindSafe(|| claimed.for_each(each)))
            {
                self.panic.lock().get_or_insert(panic);
                self.panicked.store(true, Ordering::Relaxed);
            }
            // Release hands on what was written here; acquire takes what the others of this phase have written, for
            // whom the last one speaks.
            if phase.left.fetch_sub(count, Ordering::AcqRel) == count {
                at += 1;
                self.open(at);
            }
        }
    }

    fn open(&self, phase: usize) {
        self.running.store(phase, Ordering::Release);
        // Whoever falls asleep looks at `running` once more under this lock.
        if *self.asleep.lock() > 0 {
            self.next_phase.notify_all();
        }
    }

    /// Waits until `phase` is over; gives the phase that is running.
    fn wait(&self, phase: usize) -> usize {
        for _ in 0..LOOKS {
            let running = self.running.load(Ordering::Acquire);
            if running > phase {
                return running;
            }
            std::hint::spin_loop();
        }
        let mut asleep = self.asleep.lock();
        loop {
            let running = self.running.load(Ordering::Acquire);
            if running > phase {
                return running;
            }
            *asleep += 1;
            self.next_phase.wait(&mut asleep);
            *asleep -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Consecutive levels of these widths.
    fn levels(widths: &[usize]) -> Vec<Range<usize>> {
        let mut end = 0;
        let mut next = |width: &usize| {
            end += width;
            end - width..end
        };
        widths.iter().map(&mut next).collect()
    }

    fn shapes(widths: &[usize], workers: usize, worth_sharing: usize) -> Vec<(Range<usize>, usize)> {
        let phases = Phases::new(&levels(widths), workers, worth_sharing).phases;
        phases.into_iter().map(|phase| (phase.next.into_inner()..phase.end, phase.chunk)).collect()
    }

    #[test]
    fn narrow_levels_are_done_by_one_worker_in_one_go() {
        assert_eq!(shapes(&[1, 3, 2], 2, 4), [(0..6, 6)]);
        assert_eq!(
            shapes(&[2, 40, 1, 1, 64, 3], 2, 4),
            [(0..2, 2), (2..42, 2), (42..44, 2), (44..108, 4), (108..111, 3)]
        );
        assert_eq!(shapes(&[100, 100], 1, 4), [(0..200, 200)], "there is nobody to share with");
        assert_eq!(shapes(&[5000], 2, 4), [(0..5000, LARGEST_CHUNK)]);
        assert_eq!(shapes(&[], 2, 4), []);
        let are_shared = |widths: &[usize], workers| Phases::new(&levels(widths), workers, 4).are_shared();
        assert!(are_shared(&[1, 4], 2) && !are_shared(&[1, 4], 1) && !are_shared(&[3; 9], 8) && !are_shared(&[], 8));
    }

    #[test]
    fn a_level_begins_when_all_below_are_done() {
        let pool = WorkerPool::new(4);
        for widths in [&[1, 50, 2, 2, 300, 1, 7][..], &[1, 1], &[4], &[]] {
            let levels = levels(widths);
            let count = levels.last().map_or(0, |last| last.end);
            let done: Vec<AtomicUsize> = (0..count).map(|_| AtomicUsize::new(0)).collect();
            let too_early = AtomicUsize::new(0);
            let start =
                |index: usize| levels.iter().find(|level| level.contains(&index)).map_or(0, |level| level.start);
            Phases::new(&levels, 4, 3).run(&pool, 4, |index| {
                let waits_for = &done[..start(index)];
                too_early.fetch_add(
                    usize::from(waits_for.iter().any(|d| d.load(Ordering::Relaxed) != 1)),
                    Ordering::Relaxed,
                );
                done[index].fetch_add(1, Ordering::Relaxed);
            });
            assert_eq!(too_early.into_inner(), 0);
            assert!(done.iter().all(|times| times.load(Ordering::Relaxed) == 1));
        }
    }

    #[test]
    fn a_panic_strands_nobody_and_reaches_the_caller() {
        let pool = WorkerPool::new(3);
        for guilty in [0, 10, 99] {
            let phases = Phases::new(&levels(&[5, 50, 45]), 3, 2);
            let caught =
                catch_unwind(AssertUnwindSafe(|| phases.run(&pool, 3, |index| assert_ne!(index, guilty, "here"))));
            let panic = caught.expect_err("it is passed on");
            assert!(panic.downcast_ref::<String>().is_some_and(|message| message.contains("here")));
        }
    }
}
