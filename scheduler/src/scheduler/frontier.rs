//! The commit frontier: it moves over validated units in order, one worker at a time.

use std::ops::ControlFlow;

use super::Scheduler;
use crate::status::Phase;
use crate::sync::{Ordering, fence};

impl Scheduler {
    /// Whether every unit below `unit` is committed: what it reads from now on is final.
    pub fn is_at_frontier(&self, unit: u32) -> bool {
        // Acquire: sees everything that was committed before.
        self.committed.load(Ordering::Acquire) == unit
    }

    /// Number of committed units.
    pub fn committed(&self) -> u32 {
        self.committed.load(Ordering::Acquire)
    }

    /// Moves the commit frontier as far as it goes and calls `step` for every unit that it passes, in order, one at a
    /// time. [`ControlFlow::Break`] halts the block; the unit that it was returned for is not committed.
    ///
    /// To be called after a validation was [confirmed](Self::confirm).
    pub fn commit(&self, mut step: impl FnMut(u32) -> ControlFlow<()>) {
        loop {
            // Pairs with the fence below: either we find the lock free, or its holder sees our confirmation.
            fence(Ordering::SeqCst);
            let at = self.committed.load(Ordering::Acquire);
            if self.is_over() || at >= self.len || !self.is_validated(at) {
                return;
            }
            // Acquire: the holder continues where the last one ended. Not a swap: whoever finds the lock taken writes
            // nothing, so the holder keeps the cache line (and loom, which does not order a store against a swap of
            // another thread, need not consider that the swap comes last).
            if self.committing.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).is_err() {
                return;
            }
            let mut at = self.committed.load(Ordering::Acquire);
            let before = at;
            while at < self.len && !self.is_over() && self.is_validated(at) {
                if step(at).is_break() {
                    self.halt();
                    break;
                }
                // Every lower unit is committed, so nobody can rewind this one: the word is ours to settle.
                let status = &self.units[at as usize].status;
                status.set(status.load().with_phase(Phase::Committed));
                at += 1;
                self.committed.store(at, Ordering::Release);
            }
            if at == self.len {
                self.halt();
            }
            self.committing.store(false, Ordering::Release);
            // The caller itself begins the first unit that the window lets in now; the next one is worth a wake-up.
            if self.window.grow(at - before) && self.may_begin(self.fresh.load(Ordering::Relaxed).saturating_add(1)) {
                self.idle.wake_one();
            }
        }
    }

    fn is_validated(&self, unit: u32) -> bool {
        self.units[unit as usize].status.load().phase() == Phase::Validated
    }
}
