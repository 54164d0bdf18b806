//! Deliberate bugs, compiled in only with the feature `canary` and switched on one at a time by the environment
//! variable `WEFT_CANARY`. Each of them must make some test fail: that shows that the tests can fail. The list and
//! the test that catches each is in `docs/canaries.md`.

/// A deliberate bug of the memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Canary {
    /// A new content keeps the stamp of the old one: who has read the old one is not found out.
    KeepStamp,
    /// What was read as a base value stays valid whatever has been written since.
    LooseBaseRead,
    /// Two keys with equal hashes share a location.
    AliasEqualHashes,
    /// The removal of a write is not reported: who has read it is not asked to validate again.
    SilentRemoval,
    /// The location is not marked as written: readers take the way past the versions.
    HiddenWrite,
    /// A new block finds the base values of the last one.
    StaleBase,
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
