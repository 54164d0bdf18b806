//! The status of a unit: one atomic word, so that every transition is one compare-and-swap.
//!
//! ```text
//!            claim                publish               claim                 no mismatch
//!   Ready ──────────► Executing ──────────► Executed ──────────► Validating ──────────────► Validated
//!   ▲ ▲                │     ▲                 ▲ ▲                  │  │                     │  │
//!   │ │       suspend  │     │ hand-off        │ └── rewind ────────┘  │ mismatch            │  │ frontier
//!   │ │                ▼     │                 └──── rewind ───────────┼─────────────────────┘  ▼
//!   │ └─ wake ──── Suspended ┘                                         ▼                    Committed
//!   │                                                              Aborting
//!   └────────────────────────── estimates written, incarnation + 1 ────┘
//! ```
//!
//! *Rewind* happens when a lower unit has published a change after this one was validated. It raises the *wave*, which
//! is part of the word: whoever validates claims one word and can only settle that very word, so a validation that
//! began before a rewind neither validates nor aborts anything after it (field notes, bug 5).
//!
//! Who may do what: `Executing` and `Aborting` belong to one worker, nobody else touches the word. `Suspended` belongs
//! to whoever takes the unit off the list of the unit that it waits for. All other words are open to everybody, by
//! compare-and-swap.

use crate::sync::{AtomicU64, Ordering};

/// Where a unit stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Phase {
    /// Waits for a worker to execute it.
    Ready = 0,
    Executing = 1,
    /// Waits for a lower unit to finish.
    Suspended = 2,
    /// A worker found a stale read and turns the writes into estimates.
    Aborting = 3,
    /// Its writes are published; its reads are to be validated.
    Executed = 4,
    Validating = 5,
    Validated = 6,
    Committed = 7,
}

const PHASES: [Phase; 8] = [
    Phase::Ready,
    Phase::Executing,
    Phase::Suspended,
    Phase::Aborting,
    Phase::Executed,
    Phase::Validating,
    Phase::Validated,
    Phase::Committed,
];

const PHASE_BITS: u32 = 3;
const WAVE_BITS: u32 = 29;

/// A unit's status at one moment: incarnation (32 bits), wave (29), phase (3).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Word(u64);

impl Word {
    pub(crate) fn new(incarnation: u32, phase: Phase) -> Self {
        Self(u64::from(incarnation) << (PHASE_BITS + WAVE_BITS) | phase as u64)
    }

    pub(crate) fn incarnation(self) -> u32 {
        (self.0 >> (PHASE_BITS + WAVE_BITS)) as u32
    }

    pub(crate) fn phase(self) -> Phase {
        PHASES[(self.0 & ((1 << PHASE_BITS) - 1)) as usize]
    }

    /// The same incarnation and wave in another phase.
    pub(crate) fn with_phase(self, phase: Phase) -> Self {
        Self(self.0 & !((1 << PHASE_BITS) - 1) | phase as u64)
    }

    /// The word after a rewind: to be validated, in the next wave. The wave wraps after 2^29 rewinds of one
    /// incarnation, far more than can happen while one validation runs.
    pub(crate) fn rewound(self) -> Self {
        let incarnation = self.0 >> (PHASE_BITS + WAVE_BITS) << (PHASE_BITS + WAVE_BITS);
        let wave = (self.0 >> PHASE_BITS).wrapping_add(1) & ((1 << WAVE_BITS) - 1);
        Self(incarnation | wave << PHASE_BITS | Phase::Executed as u64)
    }

    /// Whether some incarnation has published its writes.
    pub(crate) fn has_executed(self) -> bool {
        self.incarnation() > 0 || self.phase() >= Phase::Aborting
    }

    /// Whether this incarnation's writes are published and no estimates.
    pub(crate) fn is_published(self) -> bool {
        self.phase() >= Phase::Executed
    }
}

impl std::fmt::Debug for Word {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{:?}({}, wave {})",
            self.phase(),
            self.incarnation(),
            (self.0 >> PHASE_BITS) & ((1 << WAVE_BITS) - 1)
        )
    }
}

/// The shared word of a unit.
#[derive(Debug)]
pub(crate) struct Status(AtomicU64);

impl Status {
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(Word::new(0, Phase::Ready).0))
    }

    /// Back to the first incarnation; only between blocks.
    pub(crate) fn reset(&mut self) {
        self.0.store(Word::new(0, Phase::Ready).0, Ordering::Relaxed); // exclusive access
    }

    /// Acquire: whoever sees a phase also sees what was published before it.
    pub(crate) fn load(&self) -> Word {
        Word(self.0.load(Ordering::Acquire))
    }

    /// The transition `from` → `to`, if the word still is `from`.
    ///
    /// Acquire and release: the winner sees what the last owner did, and the next owner sees what the winner did
    /// before.
    pub(crate) fn transition(&self, from: Word, to: Word) -> bool {
        self.0.compare_exchange(from.0, to.0, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// A transition out of a phase that belongs to the caller alone.
    pub(crate) fn set(&self, to: Word) {
        // Release: what the owner did (publish, write estimates) is visible to whoever sees the new phase.
        self.0.store(to.0, Ordering::Release);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn words_keep_their_parts_apart() {
        let word = Word::new(7, Phase::Validating);
        assert_eq!((word.incarnation(), word.phase()), (7, Phase::Validating));
        let rewound = word.rewound();
        assert_eq!((rewound.incarnation(), rewound.phase()), (7, Phase::Executed));
        assert_ne!(rewound.with_phase(Phase::Validating), word, "the wave tells the two validations apart");
        assert_eq!(Word::new(u32::MAX, Phase::Committed).incarnation(), u32::MAX);
    }

    /// Field notes, bug 3: a phase whose value is zero must not count as contained in every word.
    #[test]
    fn a_zero_valued_phase_is_not_always_contained() {
        for phase in PHASES {
            let word = Word::new(0, phase);
            assert_eq!(word.phase() == Phase::Ready, phase == Phase::Ready);
        }
    }

    #[test]
    fn the_wave_wraps_without_touching_the_incarnation() {
        let mut word = Word(u64::from(3u32) << 32 | ((1 << WAVE_BITS) - 1) << PHASE_BITS | Phase::Validated as u64);
        word = word.rewound();
        assert_eq!((word.incarnation(), word.phase()), (3, Phase::Executed));
    }
}
