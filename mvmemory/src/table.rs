//! From a key to its location: a concurrent hash table in which keys are only ever inserted.
//!
//! The table is a row of levels, each twice as large as the one before. A key is looked for in a few slots of the
//! first level, then of the second, and so on; the first empty slot on that path is where it is inserted. Since no
//! slot is ever emptied during a block, everybody who looks for a key walks the same path to the same slot: two
//! workers cannot intern one key twice, and nothing is ever moved.
//!
//! A slot holds the location's number and as many bits of the hash as there is room for beside it; keys that these do not
//! tell apart are told apart by comparing the keys themselves, so they never alias. Slots are small because they are what
//! an access waits for: a large table is in no cache.

use std::hash::{BuildHasher, Hash};

use crate::Value;
use crate::arena::{Arena, Reserve};
use crate::canary::Canary;
use crate::fetch::fetch;
use crate::location::Location;
use crate::once::Once;
use crate::sync::{AtomicU32, Ordering};

/// Slots looked at in the first level. With the first level at most half full nearly every key is within it. Like the
/// slots they double with every level: so keys whose hashes are all equal need slots in proportion to their number,
/// and not twice as many for every few of them.
#[cfg(not(loom))]
const PROBES: usize = 16;
#[cfg(loom)]
const PROBES: usize = 1;
#[cfg(not(loom))]
const SMALLEST: usize = 1024;
#[cfg(loom)]
const SMALLEST: usize = 1;
/// Bits of a slot of the first level that hold a location's number, in a table that is not made for very many.
#[cfg(not(loom))]
const NUMBER_BITS: u32 = 24;
#[cfg(loom)]
const NUMBER_BITS: u32 = 2;
/// The same, where there may be any number of locations.
const MOST_NUMBER_BITS: u32 = 31;
/// In a slot: the key for which it would have been has a number that does not fit, and is further on.
const PASSED_BY: u32 = u32::MAX;
/// How many times the slots that the number of keys calls for the first level may have because keys did not find a place
/// in it. With that many, keys whose hashes are spread practically always do.
const GROWN_FOR_SPILLS: usize = 4;
#[cfg(not(loom))]
const LEVELS: usize = 24;
#[cfg(loom)]
const LEVELS: usize = 4;

/// Names a location within one block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LocationId(pub(crate) u32);

pub(crate) struct Table<K, V: Value, H> {
    hasher: H,
    /// Slots of the first level; a power of two. It may keep memory for more, from a block with more keys.
    first: Vec<AtomicU32>,
    /// Bits of its slots that hold the number.
    number_bits: u32,
    /// The levels that are needed where the first has no place for a key, each twice as large as the one before.
    further: [Once<Box<[AtomicU32]>>; LEVELS - 1],
    /// How many times the slots that the number of keys calls for the first level has; see [`GROWN_FOR_SPILLS`].
    slack: usize,
    arena: Arena<K, V>,
}

impl<K: Clone + Eq + Hash, V: Value, H: BuildHasher> Table<K, V, H> {
    pub(crate) fn new(hasher: H) -> Self {
        Self {
            hasher,
            first: empty_slots(SMALLEST).into_vec(),
            number_bits: NUMBER_BITS,
            further: std::array::from_fn(|_| Once::new()),
            slack: 1,
            arena: Arena::new(),
        }
    }

    pub(crate) fn hash(&self, key: &K) -> u64 {
        self.hasher.hash_one(key)
    }

    pub(crate) fn arena(&self) -> &Arena<K, V> {
        &self.arena
    }

    pub(crate) fn arena_mut(&mut self) -> &mut Arena<K, V> {
        &mut self.arena
    }

    /// The location of `key`, whose hash is `hash`; a new one if nobody has named the key in this block.
    #[inline]
    pub(crate) fn intern(&self, hash: u64, key: &K, reserve: &mut Reserve) -> LocationId {
        let mut spare = None;
        let first = Level { slots: &self.first, number_bits: self.number_bits, probes: PROBES };
        let found = self.intern_in(first, hash, key, reserve, &mut spare);
        found.unwrap_or_else(|| self.intern_further(hash, key, reserve, &mut spare))
    }

    /// As [`Self::intern`], where the first level has no place for the key.
    #[cold]
    fn intern_further(&self, hash: u64, key: &K, reserve: &mut Reserve, spare: &mut Option<u32>) -> LocationId {
        for (slots, level) in self.further.iter().zip(1..) {
            let slots = slots.get_or_init(|| empty_slots(self.first.len() << level));
            if let Some(location) = self.intern_in(Level::further(slots, level), hash, key, reserve, spare) {
                return location;
            }
        }
        unreachable!("the levels together hold more keys than the arena can number")
    }

    /// The location of `key` if it is in `level`, or if there is an empty slot for it. `spare` is a location that has got
    /// this key already and is not published yet.
    #[inline]
    fn intern_in(
        &self,
        level: Level<'_>,
        hash: u64,
        key: &K,
        reserve: &mut Reserve,
        spare: &mut Option<u32>,
    ) -> Option<LocationId> {
        for slot in level.path(hash) {
            // Acquire: pairs with the Release of the insertion below, so that the key can be read.
            let mut word = slot.load(Ordering::Acquire);
            if word == 0 {
                // Nobody can know a location before its slot is published: an insertion that comes too late keeps its
                // location as a spare for the next empty slot, or leaves it unused.
                let id = *spare.get_or_insert_with(|| self.arena.allocate(reserve, key.clone()));
                let mine = level.word(hash, id);
                // Release: the key is written before the slot names it. Acquire on failure: as for the load.
                match slot.compare_exchange(0, mine, Ordering::Release, Ordering::Acquire) {
                    // Whoever else looks for the key passes by, too, and does not put another location here.
                    Ok(_) if mine == PASSED_BY => continue,
                    Ok(_) => return Some(LocationId(id)),
                    Err(other) => word = other,
                }
            }
            if let Some(id) = level.number(word, hash)
                && (Canary::AliasEqualHashes.sings() || self.arena.get(id).key() == key)
            {
                return Some(LocationId(id));
            }
        }
        None
    }

    /// Asks for what looking up keys with these hashes is going to need: first all slots, then all locations that are there.
    /// None of this waits for anything but the slots, and for those together.
    pub(crate) fn look_ahead(&self, hashes: impl Iterator<Item = u64> + Clone) {
        let first = Level { slots: &self.first, number_bits: self.number_bits, probes: PROBES };
        for hash in hashes.clone() {
            fetch(first.slot(hash, 0));
        }
        for hash in hashes {
            // Acquire: as in `intern_in`.
            let word = first.slot(hash, 0).load(Ordering::Acquire);
            if word != 0
                && let Some(id) = first.number(word, hash)
            {
                fetch(self.arena.get(id));
            }
        }
    }

    /// Whether `holds` is true for a location whose key has the hash `hash`.
    pub(crate) fn any(&self, hash: u64, mut holds: impl FnMut(&Location<K, V>) -> bool) -> bool {
        let first = Level { slots: &self.first, number_bits: self.number_bits, probes: PROBES };
        let further =
            self.further.iter().map_while(Once::get).zip(1..).map(|(slots, level)| Level::further(slots, level));
        for level in std::iter::once(first).chain(further) {
            for slot in level.path(hash) {
                // Acquire: as in `intern_in`.
                let word = slot.load(Ordering::Acquire);
                if word == 0 {
                    return false; // here the next key with this hash will be inserted
                }
                // A slot has room for a few bits of the hash only. Whoever takes another key for this one executes a
                // transaction again for nothing, so the rest is compared as well, where it matters.
                let is_found = |id| {
                    let location = self.arena.get(id);
                    holds(location) && self.hash(location.key()) == hash
                };
                if level.number(word, hash).is_some_and(is_found) {
                    return true;
                }
            }
        }
        false
    }

    /// Makes the first level as large as so many keys need. The table must be empty.
    pub(crate) fn expect(&mut self, keys: usize) {
        debug_assert_eq!(self.arena.len(), 0, "names would be lost");
        let slots = (keys * 2).next_power_of_two().max(SMALLEST) * self.slack;
        self.first.resize_with(slots, || AtomicU32::new(0));
        // Some times as many locations as there are slots: what comes beyond is found, too, but further on.
        self.number_bits = (slots.ilog2() + 2).clamp(NUMBER_BITS, MOST_NUMBER_BITS);
    }

    /// Empties the table for the next block.
    pub(crate) fn reset(&mut self) {
        for location in self.arena.iter_mut() {
            location.reset();
        }
        self.reset_names();
    }

    /// As [`reset`](Self::reset), where all locations are empty already. A block that needs as many keys as this one will
    /// find room for them in the first level.
    pub(crate) fn reset_names(&mut self) {
        let keys = self.arena.len() as usize;
        let has_room_for = self.first.len() / (2 * self.slack);
        let has_spilled = self.further[0].get().is_some();
        // Half full or less is no promise that every key finds a place: further levels for a few keys would be made
        // anew in every block. But keys whose hashes are all equal spill whatever the size: it is bounded.
        if has_spilled && keys * 2 <= self.first.len() {
            self.slack = (self.slack * 2).min(GROWN_FOR_SPILLS);
        }
        self.arena.forget();
        self.first.fill_with(|| AtomicU32::new(0));
        if has_spilled {
            self.further.fill_with(Once::new);
        }
        self.expect(keys.max(has_room_for));
    }
}

fn empty_slots(count: usize) -> Box<[AtomicU32]> {
    (0..count).map(|_| AtomicU32::new(0)).collect()
}

/// The slots of one level, and how to read them. A slot is 0, or [`PASSED_BY`], or it holds bits of the hash above the
/// location's number plus one.
#[derive(Clone, Copy)]
struct Level<'t> {
    slots: &'t [AtomicU32],
    number_bits: u32,
    /// So many slots are looked at for a key.
    probes: usize,
}

impl<'t> Level<'t> {
    /// The level after `level` others.
    fn further(slots: &'t [AtomicU32], level: usize) -> Self {
        Self { slots, number_bits: MOST_NUMBER_BITS, probes: PROBES << level }
    }

    /// The slots where a key with this hash may be, in the order in which they are filled.
    #[inline]
    fn path(self, hash: u64) -> impl Iterator<Item = &'t AtomicU32> {
        debug_assert!(self.probes <= self.slots.len(), "a path does not come round to where it began");
        (0..self.probes).map(move |probe| self.slot(hash, probe))
    }

    /// The slot where a key with this hash is looked for after so many others.
    #[inline]
    fn slot(self, hash: u64, probe: usize) -> &'t AtomicU32 {
        &self.slots[(hash as usize).wrapping_add(probe) & (self.slots.len() - 1)]
    }

    /// The bits of a hash that a slot holds. The path is made of other ones.
    #[inline]
    fn tag(self, hash: u64) -> u32 {
        (hash >> (u32::BITS + self.number_bits)) as u32
    }

    /// What a slot holds for a location with a key of this hash.
    #[inline]
    fn word(self, hash: u64, id: u32) -> u32 {
        let fits = id + 1 < (1 << self.number_bits) - 1;
        if fits { (self.tag(hash) << self.number_bits) | (id + 1) } else { PASSED_BY }
    }

    /// The location that a slot names, if its key may have this hash.
    #[inline]
    fn number(self, word: u32, hash: u64) -> Option<u32> {
        let is_alike = word >> self.number_bits == self.tag(hash) && word != PASSED_BY;
        is_alike.then(|| (word & ((1 << self.number_bits) - 1)) - 1)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::{NoDelta, OutOfBounds};

    #[derive(Debug, Clone, PartialEq)]
    struct Nothing;

    impl Value for Nothing {
        type Delta = NoDelta;
        fn apply(_: Option<&Self>, delta: &NoDelta) -> Result<Self, OutOfBounds> {
            match *delta {}
        }
        fn combine(first: &NoDelta, _: &NoDelta) -> Result<NoDelta, OutOfBounds> {
            match *first {}
        }
    }

    /// A number is its own hash.
    #[derive(Clone, Copy)]
    struct Itself(u64);

    impl BuildHasher for Itself {
        type Hasher = Self;
        fn build_hasher(&self) -> Self {
            *self
        }
    }

    impl std::hash::Hasher for Itself {
        fn finish(&self) -> u64 {
            self.0
        }
        fn write(&mut self, _: &[u8]) {
            unreachable!("only numbers are hashed")
        }
        fn write_u64(&mut self, number: u64) {
            self.0 = number;
        }
    }

    /// One block that names `keys`, and whether they needed more than the first level.
    fn spills(table: &mut Table<u64, Nothing, Itself>, keys: impl Iterator<Item = u64>) -> bool {
        for key in keys {
            table.intern(table.hash(&key), &key, &mut Reserve::single());
        }
        let spilled = table.further[0].get().is_some();
        table.reset();
        spilled
    }

    /// Few keys that crowd in one place of a small level, and in two of the next larger one.
    #[test]
    fn what_spilled_once_does_not_spill_again() {
        let mut table = Table::new(Itself(0));
        let crowd = || (0..PROBES as u64 + 4).map(|key| key * SMALLEST as u64);
        assert!(spills(&mut table, crowd()), "all of them want the same slot");
        assert!(!spills(&mut table, crowd()), "half of them want another one now");
        assert_eq!(table.first.len(), 2 * SMALLEST);
    }

    /// Locations with numbers that do not fit into the slots of the first level are found behind it.
    #[test]
    fn a_number_that_does_not_fit_is_found_further_on() {
        let mut table = Table::<u64, Nothing, _>::new(Itself(0));
        table.number_bits = 4;
        let mut reserve = Reserve::single();
        let keys = || (0..200u64).map(|key| (key << 50) | (key % 7));
        let named: Vec<_> = keys().map(|key| table.intern(table.hash(&key), &key, &mut reserve)).collect();
        assert!(named.iter().enumerate().all(|(at, location)| location.0 as usize == at), "each has its own");
        for (key, location) in keys().zip(&named) {
            assert_eq!(table.intern(table.hash(&key), &key, &mut reserve), *location);
            assert!(table.any(key, |found| *found.key() == key));
        }
        assert!(table.first.iter().any(|slot| slot.load(Ordering::Relaxed) == PASSED_BY));
    }

    /// The slots that a table has more than it needs are not visited, and not in the way.
    #[test]
    fn a_table_is_as_large_as_the_next_block_needs() {
        let mut table = Table::new(Itself(0));
        table.expect(10 * SMALLEST);
        assert!(!spills(&mut table, (0..10 * SMALLEST as u64).map(|key| key << 40 | key)));
        table.expect(20);
        assert_eq!(table.first.len(), SMALLEST);
        assert!(spills(&mut table, (0..PROBES as u64 + 4).map(|key| key * SMALLEST as u64)), "of a small table");
        assert!(!spills(&mut table, 0..20));
    }

    /// No number of slots is enough for keys with equal low bits, so nothing grows for them for ever.
    #[test]
    fn what_always_spills_does_not_grow_the_table_for_ever() {
        let mut table = Table::new(Itself(0));
        for block in 0..6 {
            assert!(spills(&mut table, (0..PROBES as u64 + 4).map(|key| key << 40)), "block {block}");
            let slots = table.first.len();
            assert!(slots <= GROWN_FOR_SPILLS * SMALLEST, "{slots} slots after block {block}");
        }
    }
}
