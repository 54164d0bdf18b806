//! The multi-version memory of one block: what every unit has written where, and what the others read of it.

use std::collections::HashMap;
use std::hash::Hash;

use crate::arena::Reserve;
use crate::fetch::fetch;
use crate::location::{Announced, Location};
use crate::sync::Mutex;
use crate::table::{LocationId, Table};
use crate::versions::{Change, Origin, Read};
use crate::{OutOfBounds, Value};

/// Versions of every key that a block touches, by unit (a unit is what is scheduled as one: a run of consecutive
/// transactions, often a single one).
///
/// All methods on `&self` may be called from any number of threads. See the crate's documentation for an example.
pub struct MvMemory<K, V: Value, H = ahash::RandomState> {
    table: Table<K, V, H>,
    /// Of keys that many units have added to: how many of their entries are gone by now. For [`hottest`](Self::hottest) only,
    /// and few keys have any: so it is no part of a location.
    removed: Mutex<HashMap<K, usize, ahash::RandomState>>,
}

impl<K: Clone + Eq + Hash + Ord, V: Value> MvMemory<K, V> {
    /// An empty memory.
    #[must_use]
    pub fn new() -> Self {
        Self::with_hasher(ahash::RandomState::new())
    }
}

impl<K: Clone + Eq + Hash + Ord, V: Value> Default for MvMemory<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

/// The key of a location and its value at the end of the block (`None`: it has none any more).
pub type KeyChange<K, V> = (K, Option<V>);

impl<K: Clone + Eq + Hash + Ord, V: Value, H: std::hash::BuildHasher> MvMemory<K, V, H> {
    /// An empty memory that hashes keys with `hasher`. Results never depend on it, not even where all hashes are equal.
    pub fn with_hasher(hasher: H) -> Self {
        Self { table: Table::new(hasher), removed: Mutex::new(HashMap::default()) }
    }

    /// The hash by which [`Self::intern_hashed`] finds a key.
    pub fn hash(&self, key: &K) -> u64 {
        self.table.hash(key)
    }

    /// The location of `key`.
    pub fn intern(&self, key: &K) -> LocationId {
        self.table.intern(self.table.hash(key), key, &mut Reserve::single())
    }

    /// The location of `key`, for a worker who has its [`hash`](Self::hash) already, and a reserve of its own for this
    /// block.
    pub fn intern_hashed(&self, hash: u64, key: &K, reserve: &mut Reserve) -> LocationId {
        self.table.intern(hash, key, reserve)
    }

    /// Fetches into the processor's caches what [`intern_hashed`](Self::intern_hashed) and what follows it needs for keys with
    /// these hashes. For a worker who is about to look up several keys: one after the other, each lookup waits for memory that
    /// is in no cache; here they all wait together. Changes nothing.
    pub fn look_ahead(&self, hashes: impl Iterator<Item = u64> + Clone) {
        self.table.look_ahead(hashes);
    }

    /// Whether a unit below `unit` has left anything under a key with this hash: never false where one has, and whoever
    /// has published it before is seen.
    pub fn has_below(&self, hash: u64, unit: u32) -> bool {
        self.table.any(hash, |location| location.has_below(unit))
    }

    /// Whether a unit below `unit` has written, added or announced anything at `location`, as far as is known by now.
    #[inline]
    pub fn is_touched_below(&self, location: LocationId, unit: u32) -> bool {
        self.table.arena().get(location.0).has_below(unit)
    }

    /// Makes room for so many keys: a block that names about as many finds each of them at once. What is made for fewer
    /// than come is right, but slow. To be called between blocks, when the memory is empty.
    pub fn expect(&mut self, keys: usize) {
        self.table.expect(keys);
    }

    /// The key of a location.
    pub fn key(&self, location: LocationId) -> &K {
        self.table.arena().get(location.0).key()
    }

    /// Number of locations that the block has named so far, those that workers hold in reserve included.
    pub fn locations(&self) -> usize {
        self.table.arena().len() as usize
    }

    /// What `unit` reads at `location`: the highest version below it, else the base value.
    pub fn read(&self, location: LocationId, unit: u32) -> Read<V> {
        self.table.arena().get(location.0).read(unit)
    }

    /// As [`read`](Self::read), and loads the [base value](Self::base) if it is wanted: never [`Read::NeedsBase`].
    ///
    /// # Errors
    /// What `load` returned.
    pub fn read_or_load<E>(
        &self,
        location: LocationId,
        unit: u32,
        load: impl FnOnce(&K) -> Result<Option<V>, E>,
    ) -> Result<Read<V>, E> {
        self.table.arena().get(location.0).read_or_load(unit, load)
    }

    /// The value from before the block. `load` fetches it from storage; it is called at most once per block and
    /// key as long as it succeeds.
    ///
    /// # Errors
    /// What `load` returned. The next caller tries again.
    pub fn base<E>(
        &self,
        location: LocationId,
        load: impl FnOnce(&K) -> Result<Option<V>, E>,
    ) -> Result<&Option<V>, E> {
        self.table.arena().get(location.0).base(load)
    }

    /// Whether `unit` would read at `location` now what it read before. `resolved` is the value that it read, needed
    /// where `origin` is [`Origin::Resolved`].
    pub fn still_reads(&self, location: LocationId, unit: u32, origin: Origin, resolved: Option<&Option<V>>) -> bool {
        self.table.arena().get(location.0).still_reads(unit, origin, resolved)
    }

    /// Publishes a change by incarnation `incarnation` of `unit`, which is less than [`u32::MAX`]. True if a reader above could see a difference to
    /// what was there: an equal content that replaces an estimate makes none.
    #[inline]
    pub fn write(&self, location: LocationId, unit: u32, incarnation: u32, change: Change<V>) -> bool {
        self.table.arena().get(location.0).write(unit, incarnation, change)
    }

    /// Announces, by a hint, that `unit` (less than [`u32::MAX`]) is going to write `location`, or to add to it. What was announced must be
    /// written or [removed](Self::remove) when the unit has run.
    pub fn announce(&self, location: LocationId, unit: u32) -> Announced {
        self.table.arena().get(location.0).announce(unit)
    }

    /// What `unit` has written at `location`, be it an estimate by now: for the unit itself, that is to go on in its
    /// middle. `None` where it has written nothing.
    pub fn change_of(&self, location: LocationId, unit: u32) -> Option<Change<V>> {
        self.table.arena().get(location.0).change_of(unit)
    }

    /// Marks what `unit` wrote as an estimate: the unit is about to run again, and readers wait for it.
    pub fn mark_estimate(&self, location: LocationId, unit: u32) {
        self.table.arena().get(location.0).mark_estimate(unit);
    }

    /// Removes what `unit` wrote or announced, because its new incarnation did not write it. True if a reader above
    /// could have seen it.
    pub fn remove(&self, location: LocationId, unit: u32) -> bool {
        self.table.arena().get(location.0).remove(unit)
    }

    /// Turns the delta that `unit` left at `location` into a value. To be called in commit order: everything below
    /// must be committed and materialised.
    ///
    /// # Errors
    /// The outer error is `load`'s; the inner one is [`OutOfBounds`] where the delta leaves its range: the unit then
    /// has to be executed again with concrete values.
    pub fn materialise<E>(
        &self,
        location: LocationId,
        unit: u32,
        load: impl FnOnce(&K) -> Result<Option<V>, E>,
    ) -> Result<Result<(), OutOfBounds>, E> {
        let at = self.table.arena().get(location.0);
        Ok(at.materialise(unit, load)?.map(|removed| {
            if removed > 0 {
                *self.removed.lock().entry(at.key().clone()).or_default() += removed;
            }
        }))
    }

    /// The changes of all units below `end`, which must be committed, sorted by key. A key whose final value equals
    /// its base value is left out; `load` fetches base values that nobody has needed so far. Empties the memory.
    ///
    /// # Errors
    /// What `load` returned. The memory is emptied all the same.
    pub fn finish<E>(
        &mut self,
        end: u32,
        load: impl FnMut(&K) -> Result<Option<V>, E>,
    ) -> Result<Vec<KeyChange<K, V>>, E> {
        let changes = self.parts(1).into_iter().next().map_or_else(|| Ok(Vec::new()), |part| part.finish(end, load));
        self.reset();
        changes.map(|mut changes| {
            changes.sort_unstable_by(|a, b| a.0.cmp(&b.0));
            changes
        })
    }

    /// Divides the locations of the block into at most `count` parts of about the same size, for several workers to
    /// [finish](Part::finish) at once. If all have succeeded [`reset_finished`](Self::reset_finished) must follow,
    /// else [`reset`](Self::reset).
    pub fn parts(&mut self, count: usize) -> Vec<Part<'_, K, V>> {
        let size = self.locations().div_ceil(count.max(1)).max(1);
        let mut parts: Vec<Part<'_, K, V>> = Vec::with_capacity(count + 1);
        for mut slice in self.table.arena_mut().slices_mut() {
            while !slice.is_empty() {
                let wanted = parts.last().map_or(0, |part| size.saturating_sub(part.len));
                if wanted == 0 {
                    parts.push(Part { slices: Vec::new(), len: 0 });
                    continue;
                }
                let (head, rest) = slice.split_at_mut(wanted.min(slice.len()));
                slice = rest;
                if let Some(part) = parts.last_mut() {
                    part.len += head.len();
                    part.slices.push(head);
                }
            }
        }
        parts
    }

    /// The `limit` keys that the most units wrote, the most written first, with the number of their writers.
    pub fn hottest(&mut self, limit: usize) -> Vec<(K, usize)> {
        let mut hottest: Vec<(K, usize)> = Vec::with_capacity(limit + 1);
        let removed = self.removed.get_mut();
        for location in self.table.arena_mut().iter_mut() {
            let left = location.writers();
            let writers = if left == 0 { 0 } else { left + removed.get(location.key()).copied().unwrap_or_default() };
            if writers < 2 || (hottest.len() == limit && hottest.last().is_some_and(|last| last.1 >= writers)) {
                continue;
            }
            let at = hottest.partition_point(|other| other.1 >= writers);
            hottest.insert(at, (location.key().clone(), writers));
            hottest.truncate(limit);
        }
        hottest
    }

    /// As [`reset`](Self::reset), for a memory whose [parts](Self::parts) are all finished: it does not visit their
    /// locations again.
    pub fn reset_finished(&mut self) {
        debug_assert!(self.table.arena_mut().iter_mut().all(|location| location.is_empty()), "every part was finished");
        self.table.reset_names();
        self.removed.get_mut().clear();
    }

    /// Empties the memory for the next block and keeps what it has allocated.
    pub fn reset(&mut self) {
        self.table.reset();
        self.removed.get_mut().clear();
    }
}

/// So many locations before it is its turn a location is fetched into the caches; what it has elsewhere, where that is
/// known, half as many.
const FETCHED_AHEAD: usize = 4;

/// Some of the locations of a block that is over, see [`MvMemory::parts`].
pub struct Part<'m, K, V: Value> {
    slices: Vec<&'m mut [Location<K, V>]>,
    len: usize,
}

impl<K, V: Value> Part<'_, K, V> {
    /// The changes in this part's locations, as [`MvMemory::finish`] gives those of all, but in no order. Empties the
    /// locations.
    ///
    /// # Errors
    /// What `load` returned.
    pub fn finish<E>(self, end: u32, load: impl FnMut(&K) -> Result<Option<V>, E>) -> Result<Vec<KeyChange<K, V>>, E> {
        self.finish_with(end, load, |key, _, value| (key, value))
    }

    /// As [`finish`](Self::finish), with what `change` makes of each: it gets the key, its base value and its final one.
    ///
    /// # Errors
    /// What `load` returned.
    pub fn finish_with<E, T>(
        self,
        end: u32,
        mut load: impl FnMut(&K) -> Result<Option<V>, E>,
        mut change: impl FnMut(K, &Option<V>, Option<V>) -> T,
    ) -> Result<Vec<T>, E> {
        let mut changes = Vec::with_capacity(self.len);
        for slice in self.slices {
            for at in 0..slice.len() {
                // Another worker has written it, as likely as not: it has to come from his caches.
                if let Some(coming) = slice.get(at + FETCHED_AHEAD) {
                    fetch(coming);
                }
                if let Some(next) = slice.get_mut(at + FETCHED_AHEAD / 2) {
                    next.fetch_last();
                }
                let location = &mut slice[at];
                if let Some(value) = location.take_final(end)
                    && *location.base(&mut load)? != value
                {
                    let key = location.take_key().expect("a location that was written has a key");
                    changes.push(change(key, location.loaded_base(), value));
                }
                location.reset();
            }
        }
        Ok(changes)
    }
}

impl<K, V: Value> std::fmt::Debug for Part<'_, K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Part").field("len", &self.len).finish_non_exhaustive()
    }
}

impl<K, V: Value, H> std::fmt::Debug for MvMemory<K, V, H> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MvMemory").finish_non_exhaustive()
    }
}
