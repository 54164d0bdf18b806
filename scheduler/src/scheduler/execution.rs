//! An execution, from its claim to its end, and the units that wait for another one's.

use super::{Execution, HandOff, Scheduler, WORTH_A_WAKE};
use crate::canary::Canary;
use crate::dependents;
use crate::status::{Phase, Word};
use crate::sync::{Ordering, fence};

impl Scheduler {
    pub(super) fn claim_execution(&self, unit: u32) -> Option<Execution> {
        let status = &self.units[unit as usize].status;
        let word = status.load();
        let claimed = word.phase() == Phase::Ready && status.transition(word, word.with_phase(Phase::Executing));
        claimed.then(|| Execution { unit, incarnation: word.incarnation() })
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
}
