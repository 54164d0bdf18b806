//! Which task comes next: what was sent back or woken, what has a head start, then what comes next in order.

use super::{Scheduler, Task};
use crate::canary::Canary;
use crate::sync::Ordering;
use crate::unit_set::UnitSet;

impl Scheduler {
    /// What to do next, if there is anything at this moment. Low units come first, since the frontier waits for them.
    pub fn next_task(&self) -> Option<Task> {
        while !self.is_over() {
            if let Some(unit) = self.rewound.take_lowest() {
                self.pass_on(&self.rewound);
                if let Some(validation) = self.claim_validation(unit) {
                    return Some(Task::Validate(validation));
                }
            } else if let Some(unit) = self.ready.take_lowest() {
                self.pass_on(&self.ready);
                if let Some(execution) = self.claim_execution(unit) {
                    return Some(Task::Execute(execution));
                }
            } else if let Some(unit) = self.claim_unvalidated() {
                if let Some(validation) = self.claim_validation(unit) {
                    return Some(Task::Validate(validation));
                }
            } else if let Some(unit) = self.head_start.take().or_else(|| self.claim_fresh()) {
                if let Some(execution) = self.claim_execution(unit) {
                    return Some(Task::Execute(execution));
                }
            } else {
                return None;
            }
        }
        None
    }

    /// A worker that took something from a set that holds more wakes another one for it.
    fn pass_on(&self, set: &UnitSet) {
        if set.may_have_some() {
            self.idle.wake_one();
        }
    }

    /// Whether `unit` may be claimed for its first execution, if it is the next.
    pub(super) fn may_begin(&self, unit: u32) -> bool {
        unit < self.len && self.window.admits(unit, || self.committed.load(Ordering::Acquire))
    }

    fn claim_fresh(&self) -> Option<u32> {
        // Relaxed: the claim itself is the transition of the unit's status.
        if !self.may_begin(self.fresh.load(Ordering::Relaxed)) {
            return None;
        }
        let unit = self.fresh.fetch_add(1, Ordering::Relaxed);
        // Its hint is no part of what the models check; its lock has a model of its own.
        #[cfg(not(loom))]
        self.ahead.begun(unit);
        (unit < self.len).then_some(unit)
    }

    fn claim_unvalidated(&self) -> Option<u32> {
        let mut next = self.unvalidated.load(Ordering::Relaxed);
        loop {
            let end = if Canary::ValidateAhead.sings() {
                self.fresh.load(Ordering::Relaxed).min(self.len)
            } else {
                // Acquire: sees what the units below published.
                self.executed.load(Ordering::Acquire)
            };
            if next >= end {
                return None;
            }
            match self.advance_unvalidated(next) {
                Ok(()) => return Some(next),
                Err(other) => next = other,
            }
        }
    }

    pub(super) fn advance_unvalidated(&self, from: u32) -> Result<(), u32> {
        // Relaxed: the claim is ordered against a rewind by the fences in `claim_validation` and `rewind_above`.
        self.unvalidated.compare_exchange(from, from + 1, Ordering::Relaxed, Ordering::Relaxed).map(drop)
    }
}
