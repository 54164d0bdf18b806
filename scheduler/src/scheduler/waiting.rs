//! How workers wait who find no task, and how those whose task takes long look out for them.

use super::Scheduler;
use crate::canary::Canary;
use crate::sync::Ordering;
use crate::unit_set::UnitSet;

impl Scheduler {
    /// Whether there is anything to do at this moment.
    pub fn has_work(&self) -> bool {
        self.has_begun_work() || self.head_start.is_left() || self.may_begin(self.fresh.load(Ordering::Relaxed))
    }

    /// Whether a unit that has been begun waits for a worker.
    fn has_begun_work(&self) -> bool {
        self.rewound.may_have_some()
            || self.ready.may_have_some()
            || self.unvalidated.load(Ordering::Relaxed) < self.executed.load(Ordering::Acquire)
    }

    /// Blocks until there may be something to do, or the block is over.
    pub fn wait_for_work(&self) {
        self.idle.wait(|| !Canary::SleepWithoutLook.sings() && (self.is_over() || self.has_work()));
    }

    /// Blocks for a moment, at most `longest`, unless there is more to do than to begin with fresh units: for a worker
    /// that has begun several and had to suspend all of them, because the others depend on what is running.
    #[cfg(not(loom))]
    pub fn nap(&self, longest: std::time::Duration) {
        self.idle.nap(|| self.is_over() || self.has_begun_work(), longest);
    }

    /// [`wait_for_work`](Self::wait_for_work) for workers that take turns on one thread and must not block: false if
    /// there may be something to do. Else the worker counts as asleep until [`take_wake`](Self::take_wake) says that one
    /// was woken.
    #[cfg(not(loom))]
    pub fn fall_asleep(&self) -> bool {
        self.idle.enlist(|| self.is_over() || self.has_work())
    }

    /// [`nap`](Self::nap) for such workers: as [`fall_asleep`](Self::fall_asleep), and when its time is up the worker
    /// [stops](Self::stop_napping) by itself.
    #[cfg(not(loom))]
    pub fn fall_into_nap(&self) -> bool {
        self.idle.enlist(|| self.is_over() || self.has_begun_work())
    }

    /// Whether one more of the workers that have fallen asleep is to wake up. To be asked until it is false whenever
    /// one of the workers has done something.
    #[cfg(not(loom))]
    pub fn take_wake(&self) -> bool {
        self.idle.take_promise()
    }

    /// A worker that has [fallen into a nap](Self::fall_into_nap) and was not woken goes on.
    #[cfg(not(loom))]
    pub fn stop_napping(&self) {
        self.idle.leave();
    }

    /// To be called now and then while the execution of `unit` takes long. Wakes a sleeping worker if there is work, and
    /// tells whether there is work below `unit`, which could change what it has read, in nobody's hands.
    ///
    /// Such work may have nobody else to do it: all workers may be in executions that loop because of what they have
    /// read (field notes, bugs 9 and 13). An execution that has been told so for long must therefore end. Work that is
    /// in nobody's hands is always found here: the lowest unit that is not committed waits for nobody, so it is claimed
    /// by a worker or offered to all.
    pub fn call_for_help(&self, unit: u32) -> bool {
        if self.has_work() {
            self.idle.wake_one();
        }
        let unvalidated = self.unvalidated.load(Ordering::Relaxed);
        let waits_in = |set: &UnitSet| set.lowest().is_some_and(|lowest| lowest < unit);
        // Below a unit with a head start there may be some that nobody has begun.
        let fresh = self.fresh.load(Ordering::Relaxed);
        waits_in(&self.rewound)
            || waits_in(&self.ready)
            || (fresh < unit && self.may_begin(fresh))
            || (unvalidated < unit && unvalidated < self.executed.load(Ordering::Acquire))
    }

    /// Blocks until `unit` has been begun or the block is over: for whoever prepares what units will need, and must not
    /// get too far ahead of them. May come back late, but not later than some unit after `unit` is begun.
    #[cfg(not(loom))]
    pub fn wait_until_begun(&self, unit: u32) {
        self.ahead.wait_for(unit, || self.is_over() || self.begun() > unit);
    }
}
