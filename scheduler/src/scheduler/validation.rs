//! A validation, from its claim to its verdict, and the rewind that takes it back.

use super::{Abort, Execution, Scheduler, Validation, WORTH_A_WAKE};
use crate::canary::Canary;
use crate::status::{Phase, Word};
use crate::sync::{Ordering, fence};

impl Scheduler {
    pub(super) fn claim_validation(&self, unit: u32) -> Option<Validation> {
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
}
