//! Which unit a worker executes or validates next, and which units are committed.
//!
//! How the parts fit together:
//!
//! - **First executions** are claimed in order by a counter. A second counter, the *executed prefix*, follows: below it
//!   every unit has executed at least once. **First validations** are claimed in order below the executed prefix; a
//!   unit that executes for the first time therefore never has to send anybody back to validation, and without
//!   conflicts every unit is validated exactly once.
//! - With conflicts, first executions are claimed only within a *window* over the commit frontier, which follows how much
//!   is executed in vain. The unit at the frontier is always within; who finds all others beyond it sleeps.
//! - **Re-executions and repeated validations** wait in two sets from which the lowest is taken first.
//! - A **rewind** follows a re-execution that changed something: every unit above it that has been validated, or is
//!   being validated, goes back to validation. It is complete before the re-executed unit counts as executed, so the
//!   commit frontier, which needs that unit first, cannot overtake it.
//! - The **commit frontier** moves over validated units, one worker at a time. When it has reached the end the block
//!   is done; nothing else ends it (besides [`Scheduler::halt`]).

use std::ops::ControlFlow;

use crossbeam_utils::CachePadded;

#[cfg(not(loom))]
use crate::ahead::Ahead;
use crate::canary::Canary;
use crate::dependents::{self, Dependents};
use crate::idle::Idle;
use crate::status::{Phase, Status, Word};
use crate::sync::{AtomicBool, AtomicU32, Ordering, fence};
use crate::unit_set::UnitSet;
use crate::window::Window;

/// The right to execute a unit. Given back by [`Scheduler::finish_execution`], [`Scheduler::suspend`] or
/// [`Scheduler::defer`].
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a unit that is claimed and not given back never finishes"]
pub struct Execution {
    unit: u32,
    incarnation: u32,
}

impl Execution {
    /// The unit to execute.
    pub fn unit(&self) -> u32 {
        self.unit
    }

    /// How often the unit was aborted before: 0 for its first execution.
    pub fn incarnation(&self) -> u32 {
        self.incarnation
    }
}

/// The right to validate what a unit has read. Given back by [`Scheduler::confirm`] or [`Scheduler::abort`].
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a validation that is not settled keeps its unit from committing"]
pub struct Validation {
    unit: u32,
    claimed: Word,
}

impl Validation {
    /// The unit to validate.
    pub fn unit(&self) -> u32 {
        self.unit
    }
}

/// The right to turn the writes of an aborted unit into estimates. Given back by [`Scheduler::finish_abort`].
#[derive(Debug)]
#[must_use = "an abort that is not finished keeps its unit from running again"]
pub struct Abort {
    unit: u32,
    incarnation: u32,
}

/// What a worker is to do next.
#[derive(Debug, PartialEq, Eq)]
pub enum Task {
    /// Execute a unit.
    Execute(Execution),
    /// Validate what a unit has read.
    Validate(Validation),
}

/// What the worker that has finished an execution should do itself, because its caches are warm: first the
/// validation, then the execution.
#[derive(Debug, Default)]
#[must_use = "what is handed over and not done is never done"]
pub struct HandOff {
    /// The validation of the unit that was just executed.
    pub validation: Option<Validation>,
    /// A unit that was waiting for it.
    pub execution: Option<Execution>,
}

/// Everything about one unit. Neighbouring units are claimed by different workers at about the same time, so the
/// words of a unit share no cache line with those of the next.
#[derive(Debug)]
#[repr(align(64))]
struct Unit {
    status: Status,
    dependents: Dependents,
}

impl AsRef<Dependents> for Unit {
    fn as_ref(&self) -> &Dependents {
        &self.dependents
    }
}

/// Repeated validations that make it worth waking another worker.
const WORTH_A_WAKE: u32 = 8;

/// Schedules the units of one block. See the crate's documentation for an example.
#[derive(Debug)]
pub struct Scheduler {
    units: Vec<Unit>,
    len: u32,
    /// The next unit that has never been claimed for execution.
    fresh: CachePadded<AtomicU32>,
    /// Below it every unit has executed at least once. Only grows.
    executed: CachePadded<AtomicU32>,
    /// The next unit that has never been claimed for validation. Only grows; never above `executed`.
    unvalidated: CachePadded<AtomicU32>,
    /// Below it every unit is committed. Only grows; written by the holder of `committing`.
    committed: CachePadded<AtomicU32>,
    committing: CachePadded<AtomicBool>,
    /// Units to execute again.
    ready: UnitSet,
    /// Units to validate again.
    rewound: UnitSet,
    /// Which units may be claimed for their first execution.
    window: Window,
    idle: Idle,
    #[cfg(not(loom))]
    ahead: Ahead,
    /// Set once: the block is done or was halted.
    over: AtomicBool,
}

impl Scheduler {
    /// A scheduler for `units` units.
    #[must_use]
    pub fn new(units: u32) -> Self {
        Self {
            units: (0..units).map(|_| Unit { status: Status::new(), dependents: Dependents::new() }).collect(),
            len: units,
            fresh: CachePadded::new(AtomicU32::new(0)),
            executed: CachePadded::new(AtomicU32::new(0)),
            unvalidated: CachePadded::new(AtomicU32::new(0)),
            committed: CachePadded::new(AtomicU32::new(0)),
            committing: CachePadded::new(AtomicBool::new(false)),
            ready: UnitSet::with_limit(units),
            rewound: UnitSet::with_limit(units),
            window: Window::new(0),
            idle: Idle::new(),
            #[cfg(not(loom))]
            ahead: Ahead::new(),
            over: AtomicBool::new(units == 0),
        }
    }

    /// Makes the scheduler ready for a block of `units` units. The memory of the last block is used again; what that
    /// costs depends on how many of its units were begun.
    pub fn reset(&mut self, units: u32) {
        // Units that were never begun are as they were made: nobody waits for them or has anything to say about them.
        let begun = self.begun() as usize;
        for unit in &mut self.units[..begun] {
            unit.status.reset();
            unit.dependents.reset();
        }
        if self.units.len() < units as usize {
            self.units.resize_with(units as usize, || Unit { status: Status::new(), dependents: Dependents::new() });
        }
        let reused = std::mem::take(&mut self.units);
        *self = Self { units: reused, len: units, ..Self::new(0) };
        self.ready = UnitSet::with_limit(units);
        self.rewound = UnitSet::with_limit(units);
        self.over = AtomicBool::new(units == 0);
    }

    /// From now on units are begun only so far beyond the commit frontier as is of use to so many workers. To be called
    /// before a block, after [`reset`](Self::reset), with at least one worker; else units are begun as far ahead as
    /// anybody asks for them.
    pub fn limit_run_ahead(&mut self, workers: usize) {
        self.window = Window::new(workers);
    }

    #[cfg(test)]
    pub(crate) fn set_window(&mut self, window: Window) {
        self.window = window;
    }

    /// Number of units of the block.
    #[must_use]
    pub fn units(&self) -> u32 {
        self.len
    }

    /// Whether the block is done or was halted: workers leave.
    pub fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    /// Whether every unit below `unit` is committed: what it reads from now on is final.
    pub fn is_at_frontier(&self, unit: u32) -> bool {
        // Acquire: sees everything that was committed before.
        self.committed.load(Ordering::Acquire) == unit
    }

    /// Number of committed units.
    pub fn committed(&self) -> u32 {
        self.committed.load(Ordering::Acquire)
    }

    /// Ends the block early: workers leave as soon as they ask for more.
    pub fn halt(&self) {
        self.over.store(true, Ordering::Release);
        self.idle.wake_all();
        #[cfg(not(loom))]
        self.ahead.wake_all();
    }

    /// Number of units that have been handed out for execution at least once: those that come next are still ahead.
    pub fn begun(&self) -> u32 {
        self.fresh.load(Ordering::Relaxed).min(self.len)
    }

    /// Blocks until `unit` has been begun or the block is over: for whoever prepares what units will need, and must not
    /// get too far ahead of them. May come back late, but not later than some unit after `unit` is begun.
    #[cfg(not(loom))]
    pub fn wait_until_begun(&self, unit: u32) {
        self.ahead.wait_for(unit, || self.is_over() || self.begun() > unit);
    }

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
            } else if let Some(unit) = self.claim_fresh() {
                if let Some(execution) = self.claim_execution(unit) {
                    return Some(Task::Execute(execution));
                }
            } else {
                return None;
            }
        }
        None
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

    /// Whether there is anything to do at this moment.
    pub fn has_work(&self) -> bool {
        self.has_begun_work() || self.may_begin(self.fresh.load(Ordering::Relaxed))
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

    /// Whether a unit that has been begun waits for a worker.
    fn has_begun_work(&self) -> bool {
        self.rewound.may_have_some()
            || self.ready.may_have_some()
            || self.unvalidated.load(Ordering::Relaxed) < self.executed.load(Ordering::Acquire)
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
        waits_in(&self.rewound)
            || waits_in(&self.ready)
            || (unvalidated < unit && unvalidated < self.executed.load(Ordering::Acquire))
    }

    /// A worker that took something from a set that holds more wakes another one for it.
    fn pass_on(&self, set: &UnitSet) {
        if set.may_have_some() {
            self.idle.wake_one();
        }
    }

    /// Whether `unit` may be claimed for its first execution, if it is the next.
    fn may_begin(&self, unit: u32) -> bool {
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

    fn advance_unvalidated(&self, from: u32) -> Result<(), u32> {
        // Relaxed: the claim is ordered against a rewind by the fences in `claim_validation` and `rewind_above`.
        self.unvalidated.compare_exchange(from, from + 1, Ordering::Relaxed, Ordering::Relaxed).map(drop)
    }

    fn claim_execution(&self, unit: u32) -> Option<Execution> {
        let status = &self.units[unit as usize].status;
        let word = status.load();
        let claimed = word.phase() == Phase::Ready && status.transition(word, word.with_phase(Phase::Executing));
        claimed.then(|| Execution { unit, incarnation: word.incarnation() })
    }

    fn claim_validation(&self, unit: u32) -> Option<Validation> {
        let status = &self.units[unit as usize].status;
        loop {
            let word = status.load();
            if word.phase() != Phase::Executed {
                return None;
            }
            let claimed = word.with_phase(Phase::Validating);
            if status.transition(word, claimed) {
                // Pairs with the fence in `rewind_above`: either the rewind sees this claim and sends the unit back,
                // or the reads of this validation see what was published before the rewind.
                if !Canary::UnfencedClaim.sings() {
                    fence(Ordering::SeqCst);
                }
                return Some(Validation { unit, claimed });
            }
        }
    }

    /// The unit has executed and published its writes. `changed`: somebody above could see a difference to what its
    /// last incarnation had published. Whatever is handed back the caller does itself; the rest is offered to others.
    pub fn finish_execution(&self, execution: Execution, changed: bool) -> HandOff {
        let Execution { unit, incarnation } = execution;
        let executed = Word::new(incarnation, Phase::Executed);
        let status = &self.units[unit as usize].status;
        // The rewind must be complete before the unit counts as executed: after that the frontier may pass it and
        // reach a unit whose validation is out of date.
        let again = incarnation > 0;
        if again && changed && !Canary::FinishBeforeRewind.sings() {
            self.rewind_above(unit);
        }
        status.set(executed);
        if again && changed && Canary::FinishBeforeRewind.sings() {
            self.rewound.insert(unit);
            self.rewind_above(unit);
        }

        let execution = self.wake_dependents(unit);
        let own = again || self.advance_executed(unit);
        let validation = own.then(|| self.claim_validation(unit)).flatten();
        HandOff { validation, execution }
    }

    /// Moves the executed prefix over `unit`, if it ends there, and over what has executed behind it. True if the
    /// caller may validate `unit` now.
    fn advance_executed(&self, unit: u32) -> bool {
        // Pairs with the same fence of the worker that finishes a neighbour: either it sees our status when it
        // advances the prefix, or we see its advance.
        fence(Ordering::SeqCst);
        let mut end = self.executed.load(Ordering::Acquire);
        let mut advanced = 0;
        while end < self.len && self.units[end as usize].status.load().has_executed() {
            // Release: whoever claims a validation below the new end sees what was published below it.
            match self.executed.compare_exchange(end, end + 1, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => {
                    end += 1;
                    advanced += 1;
                    // The next unit's finisher may have looked at the prefix before we moved it.
                    fence(Ordering::SeqCst);
                }
                Err(other) => end = other,
            }
        }
        if advanced > WORTH_A_WAKE {
            self.idle.wake_one();
        }
        unit < end && self.advance_unvalidated(unit).is_ok()
    }

    /// Sends every unit above `unit` that was validated, or is being validated, back to validation.
    ///
    /// To be called after `unit` has published a change and before it counts as executed (or, at the commit frontier,
    /// before it is committed).
    pub fn rewind_above(&self, unit: u32) {
        // Pairs with the fence in `claim_validation`, see there.
        fence(Ordering::SeqCst);
        let end = self.unvalidated.load(Ordering::Relaxed);
        let mut rewound = 0;
        for above in unit + 1..end {
            let status = &self.units[above as usize].status;
            loop {
                let word = status.load();
                if !matches!(word.phase(), Phase::Validating | Phase::Validated) {
                    // Whoever claims its validation does so after our fence, and sees what was published.
                    break;
                }
                let back = if Canary::KeepWave.sings() { word.with_phase(Phase::Executed) } else { word.rewound() };
                if status.transition(word, back) {
                    self.rewound.insert(above);
                    rewound += 1;
                    break;
                }
            }
        }
        if rewound > WORTH_A_WAKE {
            self.idle.wake_one();
        }
    }

    /// The unit cannot go on before `on` (a lower unit) has executed. Gives the execution back if `on` has executed
    /// meanwhile: the caller tries again. Else somebody else will be told to execute the unit when the time has come.
    pub fn suspend(&self, execution: Execution, on: u32) -> Option<Execution> {
        let Execution { unit, incarnation } = execution;
        debug_assert!(on < unit, "DependenciesAcyclic: unit {unit} cannot wait for {on}");
        self.units[unit as usize].status.set(Word::new(incarnation, Phase::Suspended));
        dependents::push(&self.units, unit, on);
        // `on` may have finished before it could find us on its list; then nobody else will wake us. If it has not
        // finished now, its taking of the list comes after our push and finds us.
        if !Canary::NoSecondLook.sings() && self.units[on as usize].status.load().is_published() {
            return self.wake_dependents(on);
        }
        None
    }

    /// Wakes everybody who waits for `unit`. The lowest is handed to the caller, the others are offered to all.
    fn wake_dependents(&self, unit: u32) -> Option<Execution> {
        let mut lowest: Option<u32> = None;
        let mut offered = false;
        for dependent in dependents::take(&self.units, unit) {
            let other = match lowest {
                Some(low) if low < dependent => dependent,
                Some(low) => {
                    lowest = Some(dependent);
                    low
                }
                None => {
                    lowest = Some(dependent);
                    continue;
                }
            };
            self.offer(other);
            offered = true;
        }
        if offered {
            self.idle.wake_one();
        }
        lowest.map(|unit| {
            // The unit was taken off its list: it is ours, and nobody else changes a suspended unit.
            let status = &self.units[unit as usize].status;
            let incarnation = status.load().incarnation();
            status.set(Word::new(incarnation, Phase::Executing));
            Execution { unit, incarnation }
        })
    }

    /// Makes a suspended unit that belongs to the caller ready for everybody.
    fn offer(&self, unit: u32) {
        let status = &self.units[unit as usize].status;
        status.set(status.load().with_phase(Phase::Ready));
        self.ready.insert(unit);
    }

    /// Gives a claimed execution to whoever takes it next: for a caller who has another one to do first.
    pub fn defer(&self, execution: Execution) {
        self.offer(execution.unit);
        self.idle.wake_one();
    }

    /// The reads of the unit are what they were. False if the validation came too late: the unit was sent back to
    /// validation meanwhile, and whoever takes that decides.
    pub fn confirm(&self, validation: Validation) -> bool {
        let Validation { unit, claimed } = validation;
        self.units[unit as usize].status.transition(claimed, claimed.with_phase(Phase::Validated))
    }

    /// A read of the unit is stale. `None` if the validation came too late, as for [`confirm`](Self::confirm). A
    /// version is aborted at most once.
    pub fn abort(&self, validation: Validation) -> Option<Abort> {
        let Validation { unit, claimed } = validation;
        let aborting = claimed.with_phase(Phase::Aborting);
        let won = self.units[unit as usize].status.transition(claimed, aborting);
        if won {
            self.window.shrink();
        }
        won.then(|| Abort { unit, incarnation: claimed.incarnation() })
    }

    /// The writes of the aborted unit are estimates now; the caller executes its next incarnation.
    pub fn finish_abort(&self, abort: Abort) -> Execution {
        let Abort { unit, incarnation } = abort;
        let incarnation = incarnation + 1;
        // Release: whoever suspends on this unit from now on does so because of the estimates.
        self.units[unit as usize].status.set(Word::new(incarnation, Phase::Executing));
        Execution { unit, incarnation }
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
