//! Deliberate bugs, compiled in only with the feature `canary` and switched on one at a time by the environment
//! variable `WEFT_CANARY`. Each of them must make some test fail: that shows that the tests can fail. The list and
//! the test that catches each is in `docs/canaries.md`.

/// A deliberate bug of the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Canary {
    /// What a new incarnation does not write any more is left in place.
    KeepOldWrites,
    /// Every third validation succeeds without a look.
    SkipValidation,
    /// The commit does not resolve deltas in order, but hopes that they fit.
    TrustDeltas,
    /// A rollback drops deltas that nobody knows to fit.
    UnsettledRollback,
    /// A delta that a rollback brings back replaces the value that it should be added to.
    LostRollbackBase,
    /// The sequential path goes on without a part of what the parallel one has committed.
    ForgetfulTakeOver,
    /// A key of a kind that is hardly ever written is published without a mark.
    UnmarkedKind,
    /// What has run ahead of the end of a stretch stays in the memory.
    KeepUncommitted,
    /// A unit that runs again goes on where it ended, whatever its first transactions have read.
    ResumeTooLate,
    /// A unit that goes on in its middle finds there what its later transactions had left.
    KeepOverwriting,
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
