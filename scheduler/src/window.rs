//! How far beyond the commit frontier units are begun for the first time.
//!
//! Where units depend on each other, whoever runs far ahead executes in vain: every core that is left over would
//! execute the whole rest of the block once before the frontier gets there. Where they do not, everybody should run as
//! far ahead as it likes, or one long unit holds all up. The window follows what happens: an aborted execution makes it
//! smaller by a fixed share of itself, a commit larger by a smaller one. It thus settles where a given part of all
//! executions is in vain, however many units that lets in, and where hardly any is it goes away.
//!
//! Only order and waste depend on the window, never a result; hence all is relaxed, and an update that is overtaken by
//! another one may be lost. It is never smaller than one unit, so the unit at the frontier can always be begun.

use crossbeam_utils::CachePadded;

use crate::canary::Canary;
use crate::sync::{AtomicU32, Ordering};

/// One unit of a window, whose size is counted in fractions.
const UNIT: u32 = 1 << 8;
/// The size of no window: everything is let in.
const UNLIMITED: u32 = u32::MAX;
/// So many units for each worker the window has after the first abort,
const FIRST_PER_WORKER: u32 = 8;
/// but no fewer than these: few workers, too, need enough to do while a unit at the frontier takes as long as many.
const FIRST_AT_LEAST: u32 = 64;
/// A window that has grown beyond so many times that goes away.
const WIDEST: u32 = 2;
/// An abort takes this part of the window away.
const SHRINK: u32 = 32;
/// A commit adds this part of the window: it grows unless there are two aborts for three commits. Less, and workers are
/// idle where half of what they do would be of use; more, and nearly everything is executed twice.
const GROW: u32 = 48;

/// The window of a block.
#[derive(Debug)]
pub(crate) struct Window {
    /// In fractions of a unit. Written where there are conflicts only.
    size: CachePadded<AtomicU32>,
    /// 0: there never is a window.
    workers: u32,
}

impl Window {
    /// A window for so many workers, unlimited until the first abort; without workers, for ever.
    pub(crate) fn new(workers: usize) -> Self {
        // More workers than that make no difference to a block.
        let workers = workers.min((UNLIMITED / UNIT / FIRST_PER_WORKER / WIDEST) as usize - 1) as u32;
        Self { size: CachePadded::new(AtomicU32::new(UNLIMITED)), workers }
    }

    /// A window of so many units, that has shrunk to that.
    #[cfg(test)]
    pub(crate) fn of_units(units: u32, workers: usize) -> Self {
        Self { size: CachePadded::new(AtomicU32::new(units * UNIT)), ..Self::new(workers) }
    }

    /// Whether a unit may be begun when so many units are committed. Asks for them only where there is a limit: their
    /// number changes all the time.
    pub(crate) fn admits(&self, unit: u32, committed: impl FnOnce() -> u32) -> bool {
        if self.workers == 0 {
            return true;
        }
        let size = self.size.load(Ordering::Relaxed);
        size == UNLIMITED || unit.saturating_sub(committed()) < size / UNIT
    }

    /// The size after the first abort.
    fn first(&self) -> u32 {
        (self.workers * FIRST_PER_WORKER).max(FIRST_AT_LEAST) * UNIT
    }

    /// An execution was in vain.
    pub(crate) fn shrink(&self) {
        if self.workers == 0 {
            return;
        }
        let mut size = self.size.load(Ordering::Relaxed);
        loop {
            let from = size.min(self.first());
            let smaller = (from - from / SHRINK).max(if Canary::ClosedWindow.sings() { 0 } else { UNIT });
            match self.size.compare_exchange(size, smaller, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return,
                Err(other) => size = other,
            }
        }
    }

    /// So many units were committed. False if there is no limit that this could have moved.
    pub(crate) fn grow(&self, units: u32) -> bool {
        if self.workers == 0 {
            return false;
        }
        let size = self.size.load(Ordering::Relaxed);
        if size == UNLIMITED {
            return false;
        }
        // At one or two units a chain, where nobody can be ahead, is told from what only is narrow: from one unit it is
        // seldom tried with two, and two are kept only if every second execution is of use.
        let share = match size / UNIT {
            0 | 1 => size / 4,
            2 => size / 4 * 3,
            _ => size,
        };
        // At most twice as large at once.
        let larger = size + (share / GROW).max(1).saturating_mul(units).min(size);
        let larger = if larger > WIDEST * self.first() { UNLIMITED } else { larger };
        // Lost if others commit or abort just now.
        let _ = self.size.compare_exchange(size, larger, Ordering::Relaxed, Ordering::Relaxed);
        true
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// The number of units that are let in.
    fn units(window: &Window) -> Option<u32> {
        (0..100_000).find(|unit| !window.admits(*unit, || 0))
    }

    #[test]
    fn it_comes_with_the_first_abort_and_goes_when_all_is_well() {
        let window = Window::new(8);
        assert_eq!(units(&window), None);
        assert!(!window.grow(1), "there is nothing to move");
        window.shrink();
        assert_eq!(units(&window), Some(62));
        assert!(window.admits(161, || 100) && !window.admits(162, || 100), "it lies behind the frontier");
        let mut commits = 0;
        while window.grow(1) {
            commits += 1;
        }
        assert_eq!(units(&window), None);
        assert!(commits < 64, "{commits}");
    }

    #[test]
    fn it_is_as_wide_as_the_workers_need_and_no_narrower_for_a_few() {
        let after_an_abort = |workers| {
            let window = Window::new(workers);
            window.shrink();
            units(&window)
        };
        assert_eq!([1, 2, 4, 16].map(after_an_abort), [Some(62), Some(62), Some(62), Some(124)]);
    }

    #[test]
    fn the_unit_at_the_frontier_is_always_let_in() {
        let window = Window::new(4);
        for _ in 0..10_000 {
            window.shrink();
        }
        assert_eq!(units(&window), Some(1));
        assert!(window.admits(7, || 7) && !window.admits(8, || 7));
        assert!(window.admits(7, || 9), "who has looked too early is let in as well");
        for _ in 0..200 {
            window.grow(1);
        }
        assert!(units(&window) > Some(1), "no window stays small for ever");
    }

    #[test]
    fn it_settles_where_two_of_five_executions_are_in_vain() {
        let after = |aborts: u32, commits: u32| {
            let window = Window::of_units(16, 4);
            for round in 0..10_000 {
                (0..aborts).for_each(|_| window.shrink());
                if !window.grow(commits) {
                    return Err(round);
                }
            }
            Ok(units(&window))
        };
        assert_eq!(after(1, 1), Ok(Some(1)));
        assert!(after(1, 2).is_ok_and(|units| units > Some(28)), "as wide as after a first abort");
        assert!(after(0, 2).is_err(), "without aborts it goes away");
    }

    #[test]
    fn a_long_run_of_commits_makes_it_twice_as_large() {
        let window = Window::of_units(10, 4);
        assert!(window.grow(u32::MAX));
        assert_eq!(units(&window), Some(20));
    }

    #[test]
    fn without_workers_there_is_none() {
        let window = Window::new(0);
        window.shrink();
        assert_eq!(units(&window), None);
        let many = Window::new(usize::MAX);
        many.shrink();
        assert_eq!(units(&many), None, "as good as none");
        assert!(many.grow(u32::MAX));
    }
}
