//! Deliberate bugs, compiled in only with the feature `canary` and switched on one at a time by the environment
//! variable `WEFT_CANARY`. Each of them must make some test fail: that shows that the tests can fail. The list and
//! the test that catches each is in `docs/canaries.md`.

/// A deliberate bug of the scheduler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Canary {
    /// A unit that has executed again can be validated before the units above it are rewound: a stale one can commit in
    /// between.
    FinishBeforeRewind,
    /// The claim of a validation is not fenced: neither need the rewind see it, nor it what was published before.
    UnfencedClaim,
    /// A rewind does not raise the wave: a validation that began before it still settles the unit.
    KeepWave,
    /// A unit that waits for another does not look again whether that one has finished: its wake-up can be lost.
    NoSecondLook,
    /// Validation does not wait until every lower unit has executed once.
    ValidateAhead,
    /// A worker goes to sleep without a last look for work.
    SleepWithoutLook,
    /// The window can become smaller than a unit: then not even the one at the frontier is let in.
    ClosedWindow,
    /// Nobody remembers that units with a head start were begun: what is left of them meets the next block.
    ForgetHeadStart,
}

impl Canary {
    #[cfg(not(feature = "canary"))]
    pub(crate) const fn sings(self) -> bool {
        false
    }

    #[cfg(feature = "canary")]
    pub(crate) fn sings(self) -> bool {
        use std::sync::OnceLock;
        static CHOSEN: OnceLock<Option<String>> = OnceLock::new();
        let chosen = CHOSEN.get_or_init(|| std::env::var("WEFT_CANARY").ok());
        chosen.as_deref() == Some(&format!("{self:?}"))
    }
}
