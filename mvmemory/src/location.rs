//! One location: the versions of one key's value within a block, and the value that it had before the block.
//!
//! Guarantees:
//! - The base value is read from storage at most once per block, whoever asks ([`Location::base`]).
//! - Everything about the versions happens under one short lock; a unit below all that have written reads without it.
//! - `stamp` of an entry changes exactly when a reader could see a different content there.

use crate::canary::Canary;
use crate::fetch::fetch;
use crate::once::OncePair;
use crate::sync::{AtomicU32, Mutex, Ordering};
use crate::versions::{Change, Entry, Origin, Read, Versions};
use crate::{OutOfBounds, Value};

/// What an announcement finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Announced {
    /// Whether the unit had nothing at the location before.
    pub is_new: bool,
    /// The closest unit below with anything there, if that is an estimate: who reads the location waits for it.
    pub below: Option<u32>,
}

/// The lowest writer of a location that nobody has written. No unit has this number: there are at most as many units.
pub(crate) const NOBODY: u32 = u32::MAX;

/// One key: its value from before the block, and what the units of the block have made of it.
///
/// In this order: most locations are only read, and of an Ethereum key the first two cache lines are all that a read of the
/// base value touches.
#[repr(C, align(64))] // neighbours are named by different workers; sharing a cache line would couple them
pub(crate) struct Location<K, V: Value> {
    /// The key, and its base value: loaded by whoever comes first, while others who want it wait.
    ///
    /// Beside them the lowest unit that has ever left anything here. It changes under the lock of the versions and only ever
    /// falls, before the entry is inserted. A reader that misses the change reads the base value, as if it had come before the
    /// writer; validation happens after the writer's publication and therefore sees it.
    cells: OncePair<K, Option<V>, AtomicU32>,
    versions: Mutex<Versions<V>>,
}

impl<K, V: Value> Location<K, V> {
    pub(crate) fn new() -> Self {
        Self { cells: OncePair::new(AtomicU32::new(NOBODY)), versions: Mutex::new(Versions::new()) }
    }

    fn lowest(&self) -> &AtomicU32 {
        &self.cells.beside
    }

    /// Gives a fresh location its key. Called once, by its only owner, before the location is published.
    pub(crate) fn set_key(&self, key: K) {
        self.cells.first().set(key);
    }

    pub(crate) fn key(&self) -> &K {
        self.cells.first().get().expect("a location is published after it got its key")
    }

    /// The value from before the block; `load` is called if nobody has loaded it yet.
    pub(crate) fn base<E>(&self, load: impl FnOnce(&K) -> Result<Option<V>, E>) -> Result<&Option<V>, E> {
        self.cells.second().get_or_try_init(|| load(self.key()))
    }

    /// Whether no unit below `unit` has left anything here so far, without a look at the versions. False is no answer:
    /// what was left may be gone again.
    fn is_unwritten_below(&self, unit: u32) -> bool {
        // Acquire: pairs with the Release in `insert`, see `lowest`.
        self.lowest().load(Ordering::Acquire) >= unit
    }

    /// What `unit` reads here.
    #[inline]
    pub(crate) fn read(&self, unit: u32) -> Read<V> {
        if !self.is_unwritten_below(unit) {
            return self.read_versions(unit);
        }
        match self.cells.second().get() {
            Some(base) => Read::Value(base.clone(), Origin::Base),
            None => Read::NeedsBase,
        }
    }

    /// As [`Self::read`], and loads the base value if it is wanted.
    #[inline]
    pub(crate) fn read_or_load<E>(
        &self,
        unit: u32,
        load: impl FnOnce(&K) -> Result<Option<V>, E>,
    ) -> Result<Read<V>, E> {
        if self.is_unwritten_below(unit) {
            let base = self.base(load)?;
            // A second look: somebody may have written while storage was asked.
            if self.is_unwritten_below(unit) {
                return Ok(Read::Value(base.clone(), Origin::Base));
            }
        } else {
            match self.read_versions(unit) {
                Read::NeedsBase => {
                    self.base(load)?;
                }
                read => return Ok(read),
            }
        }
        Ok(self.read_versions(unit))
    }

    fn read_versions(&self, unit: u32) -> Read<V> {
        let versions = self.versions.lock();
        let below = versions.below(unit);
        Versions::resolve(&versions.entries[..below], self.cells.second().get())
    }

    /// Whether `unit` would read here now what it read when it recorded `origin` (and `resolved`, the value, where
    /// the origin is [`Origin::Resolved`]).
    #[inline]
    pub(crate) fn still_reads(&self, unit: u32, origin: Origin, resolved: Option<&Option<V>>) -> bool {
        (origin == Origin::Base && self.is_unwritten_below(unit)) || self.versions_still_give(unit, origin, resolved)
    }

    fn versions_still_give(&self, unit: u32, origin: Origin, resolved: Option<&Option<V>>) -> bool {
        let versions = self.versions.lock();
        let below = versions.below(unit);
        // The common cases compare versions, without touching values.
        match (versions.entries[..below].last(), origin) {
            (_, Origin::Base) if Canary::LooseBaseRead.sings() => return true,
            (None, Origin::Base) => return true,
            (Some(entry), _) if entry.is_estimate() => return false,
            (Some(entry @ Entry { change: Some(Change::Set(_)), .. }), _) if entry.origin() == origin => return true,
            // A different writer: its value may be equal only where the old value is still at hand.
            (Some(Entry { change: Some(Change::Set(value)), .. }), Origin::Base) => {
                return self.cells.second().get() == Some(value);
            }
            (_, Origin::Version { .. }) => return false,
            (_, Origin::Base | Origin::Resolved) => {}
        }
        let before = match origin {
            Origin::Base => self.cells.second().get(),
            Origin::Version { .. } | Origin::Resolved => resolved,
        };
        match Versions::resolve(&versions.entries[..below], self.cells.second().get()) {
            Read::Value(now, _) => before == Some(&now),
            Read::Estimate(_) | Read::NeedsBase | Read::OutOfBounds => false,
        }
    }

    /// Whether a unit below `unit` has left anything here.
    #[inline]
    pub(crate) fn has_below(&self, unit: u32) -> bool {
        !self.is_unwritten_below(unit) && self.versions.lock().below(unit) > 0
    }

    /// Records what incarnation `incarnation` of `unit` did here. True if a reader above could see a difference.
    pub(crate) fn write(&self, unit: u32, incarnation: u32, change: Change<V>) -> bool {
        let mut versions = self.versions.lock();
        let at = versions.below(unit);
        match versions.entries.get_mut(at) {
            Some(entry) if entry.unit == unit => {
                if entry.change.as_ref() == Some(&change) {
                    entry.confirm();
                    return false;
                }
                entry.replace(incarnation, change);
            }
            _ => self.insert(&mut versions, at, Entry::written(unit, incarnation, change)),
        }
        true
    }

    /// Announces that `unit` is going to write or to add here.
    pub(crate) fn announce(&self, unit: u32) -> Announced {
        let mut versions = self.versions.lock();
        let at = versions.below(unit);
        let below = at.checked_sub(1).map(|below| &versions.entries[below]).filter(|entry| entry.is_estimate());
        let below = below.map(|entry| entry.unit);
        let is_new = versions.entries.get(at).is_none_or(|entry| entry.unit != unit);
        if is_new {
            self.insert(&mut versions, at, Entry::announced(unit));
        }
        Announced { is_new, below }
    }

    fn insert(&self, versions: &mut Versions<V>, at: usize, entry: Entry<V>) {
        debug_assert!(entry.unit < NOBODY, "no unit has this number");
        // Relaxed: it changes under the lock only, which the caller holds.
        if entry.unit < self.lowest().load(Ordering::Relaxed) && !Canary::HiddenWrite.sings() {
            // Release: whoever sees the number and takes the lock finds the entry (the lock orders it as well; the
            // number must not become visible to a validator later than the publication that the validator was started
            // by). A later value hides nothing of it: the number only falls.
            self.lowest().store(entry.unit, Ordering::Release);
        }
        versions.insert(at, entry);
    }

    /// What `unit` has written here.
    pub(crate) fn change_of(&self, unit: u32) -> Option<Change<V>> {
        let versions = self.versions.lock();
        versions.find(unit).and_then(|at| versions.entries[at].change.clone())
    }

    /// Turns what `unit` wrote here into an estimate: it is about to run again.
    pub(crate) fn mark_estimate(&self, unit: u32) {
        let mut versions = self.versions.lock();
        if let Some(at) = versions.find(unit) {
            versions.entries[at].make_estimate();
        }
    }

    /// Removes what `unit` left here: its new incarnation does not write here. True if a reader above could have
    /// seen it.
    pub(crate) fn remove(&self, unit: u32) -> bool {
        let mut versions = self.versions.lock();
        match versions.find(unit) {
            Some(at) => versions.entries.remove(at).change.is_some() && !Canary::SilentRemoval.sings(),
            None => false,
        }
    }

    /// Turns the delta of `unit`, below which everything is committed and materialised, into a value. Gives how many entries
    /// were removed because nobody can read them any more.
    pub(crate) fn materialise<E>(
        &self,
        unit: u32,
        load: impl FnOnce(&K) -> Result<Option<V>, E>,
    ) -> Result<Result<usize, OutOfBounds>, E> {
        let base = self.base(load)?;
        let mut versions = self.versions.lock();
        let Some(at) = versions.find(unit) else {
            return Ok(Ok(0));
        };
        let below = match at.checked_sub(1).map(|below| &versions.entries[below].change) {
            None => base,
            Some(Some(Change::Set(value))) => value,
            Some(Some(Change::Add(_)) | None) => {
                unreachable!("below the commit frontier every delta is a value and no estimate is left")
            }
        };
        let Some(Change::Add(delta)) = &versions.entries[at].change else {
            return Ok(Ok(0));
        };
        match V::apply(below.as_ref(), delta) {
            Ok(value) => {
                versions.entries[at].change = Some(Change::Set(Some(value)));
                Ok(Ok(versions.drop_before(at)))
            }
            Err(OutOfBounds) => Ok(Err(OutOfBounds)),
        }
    }

    pub(crate) fn take_key(&mut self) -> Option<K> {
        self.cells.take_first()
    }

    /// The versions, where there have been any: what nobody wrote is not visited.
    fn versions_mut(&mut self) -> Option<&mut Versions<V>> {
        // Relaxed: exclusive access, nobody else can look.
        (self.lowest().load(Ordering::Relaxed) != NOBODY).then(|| self.versions.get_mut())
    }

    /// Asks for the last entry's cache lines, where entries are not with the location.
    #[inline]
    pub(crate) fn fetch_last(&mut self) {
        let entries = &self.versions.get_mut().entries;
        if entries.spilled()
            && let Some(last) = entries.last()
        {
            fetch(last);
        }
    }

    /// The last value written by a unit below `end`, if any unit below `end` wrote here.
    #[inline]
    pub(crate) fn take_final(&mut self, end: u32) -> Option<Option<V>> {
        let versions = self.versions_mut()?;
        let below = versions.below(end);
        let top = below.checked_sub(1).map(|top| &mut versions.entries[top])?;
        match top.change.take() {
            Some(Change::Set(value)) => Some(value),
            Some(Change::Add(_)) | None => unreachable!("below the commit frontier every entry is a value"),
        }
    }

    /// The base value of a location that was written: whoever writes loads it first, or whoever has looked at it here.
    pub(crate) fn loaded_base(&self) -> &Option<V> {
        self.cells.second().get().expect("the base value was compared with the final one")
    }

    /// Empties the location for the next block; its memory is kept.
    pub(crate) fn reset(&mut self) {
        self.cells.take_first();
        if !Canary::StaleBase.sings() {
            self.cells.take_second();
        }
        if let Some(versions) = self.versions_mut() {
            versions.entries.clear();
            self.lowest().store(NOBODY, Ordering::Relaxed); // exclusive access
        }
    }

    /// Whether nothing is left of a block.
    pub(crate) fn is_empty(&mut self) -> bool {
        self.cells.first().get().is_none() && self.versions_mut().is_none()
    }

    /// Units that have an entry here, for diagnostics (hottest keys).
    pub(crate) fn writers(&mut self) -> usize {
        self.versions_mut().map_or(0, |versions| versions.entries.len())
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::NoDelta;

    /// As long as what Ethereum keeps under a key.
    #[derive(Debug, Clone, PartialEq)]
    #[expect(dead_code, reason = "only its size counts")]
    enum Wide {
        Account([u64; 5]),
        Slot([u64; 4]),
    }

    impl Value for Wide {
        type Delta = NoDelta;

        fn apply(_: Option<&Self>, delta: &NoDelta) -> Result<Self, OutOfBounds> {
            match *delta {}
        }

        fn combine(first: &NoDelta, _: &NoDelta) -> Result<NoDelta, OutOfBounds> {
            match *first {}
        }
    }

    /// An address, a generation and a slot.
    #[derive(Debug)]
    #[expect(dead_code, reason = "only its size counts")]
    enum Long {
        Account([u8; 20]),
        Slot([u8; 20], u32, [u64; 4]),
    }

    #[test]
    fn a_location_of_ethereum_takes_three_cache_lines_of_which_a_reader_sees_two() {
        assert_eq!(size_of::<(Long, Wide)>(), 64 + 48);
        assert_eq!(size_of::<Location<Long, Wide>>(), 3 * 64);
        assert!(std::mem::offset_of!(Location<Long, Wide>, versions) <= 2 * 64);
    }
}
