//! The memory in one thread: tables of cases, and random operations against a naive model. What only several threads
//! can show is in `loom_tests.rs`.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

use proptest::prelude::*;

use crate::{Change, LocationId, MvMemory, Origin, OutOfBounds, Read, Value};

/// A number from 0 to [`HIGHEST`].
#[derive(Clone, Copy, PartialEq, Debug)]
struct Number(i32);

const HIGHEST: i32 = 100;

impl Value for Number {
    type Delta = i32;

    fn apply(base: Option<&Self>, delta: &i32) -> Result<Self, OutOfBounds> {
        let sum = base.map_or(0, |base| base.0) + delta;
        if (0..=HIGHEST).contains(&sum) { Ok(Self(sum)) } else { Err(OutOfBounds) }
    }

    fn combine(_: &i32, _: &i32) -> Result<i32, OutOfBounds> {
        Err(OutOfBounds) // nothing in this crate combines
    }
}

/// Gives all keys the same hash.
#[derive(Clone, Copy)]
struct OneHash(u64);

impl std::hash::BuildHasher for OneHash {
    type Hasher = Self;
    fn build_hasher(&self) -> Self {
        *self
    }
}

impl std::hash::Hasher for OneHash {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, _: &[u8]) {}
}

type Memory = MvMemory<u32, Number, OneHash>;

/// In storage every key that is not a multiple of 5 has the value of its last digit.
fn stored(key: u32) -> Option<Number> {
    (!key.is_multiple_of(5)).then_some(Number((key % 10) as i32))
}

fn from_storage(key: &u32) -> Result<Option<Number>, Infallible> {
    Ok(stored(*key))
}

fn set(number: i32) -> Change<Number> {
    Change::Set(Some(Number(number)))
}

const DELETE: Change<Number> = Change::Set(None);

fn version(unit: u32, stamp: u32) -> Origin {
    Origin::Version { unit, stamp }
}

/// A memory with the location of one key, whose base value (7) is loaded.
fn with_seven() -> (Memory, LocationId) {
    let memory = Memory::with_hasher(OneHash(0));
    let location = memory.intern(&7);
    assert_eq!(memory.base(location, from_storage), Ok(&Some(Number(7))));
    (memory, location)
}

#[test]
fn another_key_with_some_bits_of_the_hash_in_common_is_another_key() {
    let memory = MvMemory::<u64, Number>::new();
    for key in 0..1000 {
        memory.write(memory.intern(&key), 3, 0, Change::Set(None));
    }
    let is_found = |key: &u64| memory.has_below(memory.hash(key), 5);
    assert_eq!((0..1000).filter(is_found).count(), 1000);
    assert_eq!((1000..100_000).filter(is_found).count(), 0, "who has read such a key would run again for nothing");
}

#[test]
fn a_unit_reads_the_highest_version_below_it() {
    let base = Read::Value(Some(Number(7)), Origin::Base);
    let value = |number, origin| Read::Value(Some(Number(number)), origin);
    // Changes by (unit, change), and what units 0 to 4 read then.
    type Case<'t> = (&'t [(u32, Change<Number>)], [&'t Read<Number>; 5]);
    let table: &[Case<'_>] = &[
        (&[], [&base, &base, &base, &base, &base]),
        (
            &[(1, set(1)), (3, set(3))],
            [&base, &base, &value(1, version(1, 0)), &value(1, version(1, 0)), &value(3, version(3, 0))],
        ),
        // Written in the other order.
        (
            &[(3, set(3)), (1, set(1))],
            [&base, &base, &value(1, version(1, 0)), &value(1, version(1, 0)), &value(3, version(3, 0))],
        ),
        (
            &[(0, DELETE)],
            [
                &base,
                &Read::Value(None, version(0, 0)),
                &Read::Value(None, version(0, 0)),
                &Read::Value(None, version(0, 0)),
                &Read::Value(None, version(0, 0)),
            ],
        ),
        // Deltas on the base value, on a version, on nothing; a write hides them.
        (
            &[(0, Change::Add(2)), (1, Change::Add(-3)), (2, set(50)), (3, Change::Add(1))],
            [
                &base,
                &value(9, Origin::Resolved),
                &value(6, Origin::Resolved),
                &value(50, version(2, 0)),
                &value(51, Origin::Resolved),
            ],
        ),
        (
            &[(0, DELETE), (1, Change::Add(4))],
            [
                &base,
                &Read::Value(None, version(0, 0)),
                &value(4, Origin::Resolved),
                &value(4, Origin::Resolved),
                &value(4, Origin::Resolved),
            ],
        ),
        // The order of the deltas decides: 7 - 8 fails, though the sum would fit.
        (
            &[(1, Change::Add(-8)), (2, Change::Add(8)), (3, set(1))],
            [&base, &base, &Read::OutOfBounds, &Read::OutOfBounds, &value(1, version(3, 0))],
        ),
    ];
    for (changes, reads) in table {
        let (memory, location) = with_seven();
        for (unit, change) in *changes {
            assert!(memory.write(location, *unit, 0, change.clone()));
        }
        for (unit, read) in reads.iter().enumerate() {
            assert_eq!(&memory.read(location, unit as u32), *read, "unit {unit} after {changes:?}");
        }
    }
}

/// The base value is wanted only where it decides.
#[test]
fn the_base_value_is_asked_for_where_nothing_hides_it() {
    let memory = Memory::with_hasher(OneHash(0));
    let location = memory.intern(&7);
    memory.write(location, 1, 0, set(1));
    memory.write(location, 2, 0, Change::Add(1));
    memory.write(location, 0, 0, Change::Add(1));
    assert_eq!(memory.read(location, 0), Read::NeedsBase);
    assert_eq!(memory.read(location, 1), Read::NeedsBase);
    assert_eq!(memory.read(location, 2), Read::Value(Some(Number(1)), version(1, 0)));
    assert_eq!(memory.read(location, 3), Read::Value(Some(Number(2)), Origin::Resolved));
}

#[test]
fn a_read_that_needs_the_base_value_loads_it() {
    let memory = Memory::with_hasher(OneHash(0));
    let location = memory.intern(&7);
    let no_storage = |_: &u32| Err("no storage");
    memory.write(location, 1, 0, set(1));
    let written = Read::Value(Some(Number(1)), version(1, 0));
    assert_eq!(memory.read_or_load(location, 2, no_storage), Ok(written), "the base value decides nothing");
    assert_eq!(memory.read_or_load(location, 1, no_storage), Err("no storage"));
    let base = || Ok(Read::Value(Some(Number(5)), Origin::Base));
    assert_eq!(memory.read_or_load(location, 1, |_| Ok::<_, &str>(Some(Number(5)))), base());
    assert_eq!(memory.read_or_load(location, 0, no_storage), base(), "it has been loaded");
}

#[test]
fn storage_is_asked_once_and_again_only_after_a_failure() {
    let memory = Memory::with_hasher(OneHash(0));
    let location = memory.intern(&7);
    let asked = Cell::new(0);
    let load = |result: Result<Option<Number>, &'static str>| {
        memory.base(location, |key| {
            assert_eq!(*key, 7);
            asked.set(asked.get() + 1);
            result
        })
    };
    assert_eq!(load(Err("no storage")), Err("no storage"));
    assert_eq!(load(Ok(None)), Ok(&None));
    assert_eq!(load(Ok(Some(Number(1)))), Ok(&None), "a key without a value is a loaded value too");
    assert_eq!(asked.get(), 2);
}

/// Field notes, bug 21: a content that comes back (A-B-A) is told apart from the first one by its stamp.
#[test]
fn a_stamp_changes_exactly_when_the_content_does() {
    let (memory, location) = with_seven();
    let mut stamps = Vec::new();
    // (content, changed, stamp)
    let table = [(1, true, 0), (1, false, 0), (2, true, 2), (1, true, 3), (1, false, 3)];
    for (incarnation, (number, changed, stamp)) in table.into_iter().enumerate() {
        if incarnation > 0 {
            memory.mark_estimate(location, 1);
        }
        assert_eq!(memory.write(location, 1, incarnation as u32, set(number)), changed, "incarnation {incarnation}");
        assert_eq!(memory.read(location, 2), Read::Value(Some(Number(number)), version(1, stamp)));
        stamps.push(stamp);
    }
    for stamp in 0..3 {
        assert!(!memory.still_reads(location, 2, version(1, stamp), None), "stamp {stamp} is of an older content");
    }
    assert!(memory.still_reads(location, 2, version(1, 3), None));
}

/// Field notes, bug 18: who has read a write that a new incarnation does not repeat must validate again.
#[test]
fn the_removal_of_a_write_is_a_change() {
    let (memory, location) = with_seven();
    memory.write(location, 1, 0, set(1));
    memory.mark_estimate(location, 1);
    assert!(memory.remove(location, 1), "somebody may have read it");
    assert!(!memory.still_reads(location, 2, version(1, 0), None));
    assert_eq!(memory.read(location, 2), Read::Value(Some(Number(7)), Origin::Base));
    assert!(!memory.remove(location, 1), "there is nothing left");
}

/// Field notes, bug 19: what a hint announced and nobody wrote blocks nobody after it was removed, and its removal is
/// no change, since nobody can have read it.
#[test]
fn an_announcement_that_was_not_kept_leaves_nothing() {
    let (memory, location) = with_seven();
    assert_eq!(memory.announce(location, 2).below, None);
    assert_eq!(memory.announce(location, 4).below, Some(2), "4 would wait for 2");
    assert_eq!(memory.announce(location, 4).below, Some(2), "announcing again changes nothing");
    assert_eq!(memory.announce(location, 1).below, None);
    assert_eq!(memory.read(location, 3), Read::Estimate(2));
    assert_eq!(memory.read(location, 2), Read::Estimate(1));
    assert!(!memory.remove(location, 1));
    assert!(!memory.remove(location, 2));
    assert!(!memory.remove(location, 4));
    assert_eq!(memory.read(location, 5), Read::Value(Some(Number(7)), Origin::Base));
    assert!(memory.still_reads(location, 5, Origin::Base, None));
}

#[test]
fn an_announcement_becomes_a_version() {
    let (memory, location) = with_seven();
    assert_eq!(memory.announce(location, 1).below, None);
    assert!(memory.write(location, 1, 0, set(9)));
    assert_eq!(memory.read(location, 2), Read::Value(Some(Number(9)), version(1, 0)));
    assert_eq!(memory.announce(location, 3).below, None, "what is written is not waited for");
}

#[test]
fn a_read_is_validated_by_version_and_by_value_where_that_is_sound() {
    let seven = Some(Number(7));
    let eight = Some(Number(8));
    // What was read (by unit 3), the changes below since, whether it still holds.
    type Case = (Origin, Option<Number>, &'static [(u32, u32, Change<Number>)], bool);
    let table: &[Case] = &[
        (Origin::Base, seven, &[], true),
        (Origin::Base, seven, &[(3, 0, DELETE)], true), // its own write
        (Origin::Base, seven, &[(1, 0, Change::Set(Some(Number(8))))], false),
        (Origin::Base, seven, &[(1, 0, Change::Set(Some(Number(7))))], true),
        // Field notes, bug 22: a delta below changes what is read.
        (Origin::Base, seven, &[(1, 0, Change::Add(1))], false),
        (Origin::Base, seven, &[(1, 0, Change::Add(1)), (2, 0, Change::Add(-1))], true),
        (Origin::Base, seven, &[(1, 0, Change::Add(HIGHEST)), (2, 0, Change::Add(-HIGHEST))], false),
        (Origin::Resolved, eight, &[(1, 0, Change::Add(1))], true),
        (Origin::Resolved, eight, &[(1, 0, Change::Add(2))], false),
        (Origin::Resolved, eight, &[(0, 0, Change::Add(-2)), (1, 0, Change::Add(3))], true),
        (Origin::Resolved, eight, &[(1, 0, Change::Set(Some(Number(8))))], true),
        (Origin::Resolved, eight, &[], false),
        // Somebody above has written: the way past the versions is closed, and the base value is found equal.
        (Origin::Resolved, seven, &[(4, 0, DELETE)], true),
        (version(1, 0), eight, &[(1, 0, Change::Set(Some(Number(8))))], true),
        (version(1, 0), eight, &[(1, 1, Change::Set(Some(Number(8))))], false),
        (version(1, 0), eight, &[(2, 0, Change::Set(Some(Number(8))))], false),
        (version(1, 0), eight, &[(1, 0, Change::Set(Some(Number(8)))), (2, 0, Change::Add(0))], false),
        (version(1, 0), eight, &[(0, 0, Change::Set(Some(Number(1)))), (1, 0, Change::Set(Some(Number(8))))], true),
        (version(1, 0), eight, &[], false),
    ];
    for (origin, value, changes, holds) in table {
        let (memory, location) = with_seven();
        for (unit, incarnation, change) in *changes {
            memory.write(location, *unit, *incarnation, change.clone());
        }
        let found = memory.still_reads(location, 3, *origin, Some(value));
        assert_eq!(found, *holds, "{value:?} from {origin:?} after {changes:?}");
        if !changes.is_empty() && changes[0].0 < 3 {
            memory.mark_estimate(location, changes.iter().map(|change| change.0).max().expect("not empty"));
            assert!(!memory.still_reads(location, 3, *origin, Some(value)), "nothing holds on an estimate");
        }
    }
}

/// Field notes, bug 23: a delta that leaves its range is found in commit order, and only then.
#[test]
fn an_overflow_is_found_when_it_is_materialised() {
    let (memory, location) = with_seven();
    memory.write(location, 1, 0, Change::Add(HIGHEST - 7));
    memory.write(location, 2, 0, Change::Add(1));
    memory.write(location, 3, 0, Change::Add(-1));
    assert_eq!(memory.materialise(location, 1, from_storage), Ok(Ok(())));
    assert_eq!(memory.materialise(location, 2, from_storage), Ok(Err(OutOfBounds)));
    assert_eq!(memory.read(location, 3), Read::OutOfBounds, "the delta is left for the unit's own execution");
    assert!(memory.write(location, 2, u32::MAX, set(1)), "executed again, with concrete values");
    assert_eq!(memory.materialise(location, 2, from_storage), Ok(Ok(())));
    assert_eq!(memory.materialise(location, 3, from_storage), Ok(Ok(())));
    assert_eq!(memory.read(location, 4), Read::Value(Some(Number(0)), version(3, 0)));
}

#[test]
fn materialising_is_invisible_to_readers() {
    let (memory, location) = with_seven();
    memory.write(location, 1, 0, Change::Add(3));
    let Read::Value(value, origin) = memory.read(location, 2) else { panic!("7 + 3 is a value") };
    assert_eq!((value, origin), (Some(Number(10)), Origin::Resolved));
    assert_eq!(memory.materialise(location, 1, from_storage), Ok(Ok(())));
    assert!(memory.still_reads(location, 2, origin, Some(&value)));
    assert_eq!(memory.materialise(location, 1, from_storage), Ok(Ok(())), "a value stays as it is");
    assert!(!memory.write(location, 1, u32::MAX, set(10)), "writing the value that is there is no change");
    assert_eq!(memory.materialise(location, 9, from_storage), Ok(Ok(())), "a unit without an entry has no delta");
    let fails = memory.intern(&8);
    memory.write(fails, 1, 0, Change::Add(1));
    assert_eq!(memory.materialise(fails, 1, |_| Err("no storage")), Err("no storage"));
}

/// Field notes, bug 24: keys with equal hashes never alias, however many they are and over how many levels they spill.
#[test]
fn keys_with_equal_hashes_never_alias() {
    for hash in [0, u64::MAX, 1 << 63] {
        let memory = Memory::with_hasher(OneHash(hash));
        let keys = 2000;
        let locations: Vec<LocationId> = (0..keys).map(|key| memory.intern(&key)).collect();
        assert_eq!(locations.iter().collect::<BTreeSet<_>>().len(), keys as usize, "one location for every key");
        for (key, location) in (0..).zip(&locations) {
            assert_eq!((memory.intern(&key), *memory.key(*location)), (*location, key));
        }
        assert_eq!(memory.locations(), keys as usize);
    }
}

/// Many keys: the table spills into further levels, the arena into further chunks; the next block starts larger.
#[test]
fn the_table_grows_and_keeps_every_key() {
    let mut memory: MvMemory<u32, Number> = MvMemory::new();
    for keys in [100_000u32, 10, 150_000, 1000] {
        let locations: Vec<LocationId> = (0..keys).map(|key| memory.intern(&key)).collect();
        assert_eq!(memory.locations(), keys as usize);
        for (key, location) in (0..).zip(&locations) {
            assert_eq!(memory.intern(&key), *location, "key {key} of {keys}");
            assert_eq!(*memory.key(*location), key);
            assert_eq!(memory.read(*location, 1), Read::NeedsBase, "nothing is left of the last block");
            memory.write(*location, 0, 0, set(key as i32 % HIGHEST));
        }
        let changes = memory.finish(1, |_| Ok::<_, Infallible>(None)).unwrap();
        let expected: Vec<_> = (0..keys).map(|key| (key, Some(Number(key as i32 % HIGHEST)))).collect();
        assert!(changes == expected, "{keys} keys");
        assert_eq!(memory.locations(), 0);
    }
}

#[test]
fn a_block_ends_where_it_is_told() {
    // The end, and what is left of: unit 0 sets 1 to 10 and 2 to 2 (its base value), 1 deletes 3, 2 sets 1 to 12 and
    // deletes 5, which never had a value.
    type Case = (u32, &'static [(u32, Option<Number>)]);
    let table: [Case; 5] = [
        (0, &[]),
        (1, &[(1, Some(Number(10)))]),
        (2, &[(1, Some(Number(10))), (3, None)]),
        (3, &[(1, Some(Number(12))), (3, None)]),
        (u32::MAX, &[(1, Some(Number(12))), (3, None)]),
    ];
    let mut memory = Memory::with_hasher(OneHash(0));
    for (end, expected) in table {
        let writes = [(1, 0, set(10)), (2, 0, set(2)), (3, 1, DELETE), (1, 2, set(12)), (5, 2, DELETE)];
        for (key, unit, change) in writes {
            let location = memory.intern(&key);
            memory.write(location, unit, 0, change);
        }
        assert_eq!(memory.finish(end, from_storage).unwrap(), expected, "end {end}");
    }
}

#[test]
fn a_failed_finish_empties_the_memory_too() {
    let mut memory = Memory::with_hasher(OneHash(0));
    let location = memory.intern(&1);
    memory.write(location, 0, 0, set(1));
    assert_eq!(memory.finish(1, |_| Err("no storage")), Err("no storage"));
    assert_eq!(memory.locations(), 0);
    let location = memory.intern(&1);
    assert_eq!(memory.read(location, 5), Read::NeedsBase);
}

/// NothingLeftOnFailure: a block that was given up leaves neither versions nor estimates nor base values behind.
#[test]
fn a_reset_memory_is_a_new_one() {
    let mut memory = Memory::with_hasher(OneHash(0));
    for round in 0..3 {
        for key in 0..40 {
            let location = memory.intern(&(key * 3 + round));
            assert_eq!(memory.read(location, 9), Read::NeedsBase, "key {key}, round {round}");
            let base = memory.base(location, |_| Ok::<_, Infallible>(Some(Number(round as i32))));
            assert_eq!(base, Ok(&Some(Number(round as i32))), "the base value is this block's");
            memory.write(location, 1, 0, Change::Add(1));
            memory.write(location, 2, 0, DELETE);
            memory.mark_estimate(location, 2);
            memory.announce(location, 3);
        }
        memory.reset();
    }
    assert_eq!(memory.finish(u32::MAX, from_storage).unwrap(), []);
}

#[test]
fn the_hottest_keys_come_first() {
    let mut memory = Memory::with_hasher(OneHash(0));
    for (key, writers) in [(10, 1), (11, 5), (12, 3), (13, 0), (14, 4), (15, 2)] {
        let location = memory.intern(&key);
        for unit in 0..writers {
            memory.write(location, unit, 0, set(1));
        }
    }
    assert_eq!(memory.hottest(3), [(11, 5), (14, 4), (12, 3)]);
    assert_eq!(memory.hottest(99), [(11, 5), (14, 4), (12, 3), (15, 2)], "one writer alone is not hot");
    assert_eq!(memory.hottest(0), []);
}

#[test]
fn a_key_stays_as_hot_as_it_was_when_entries_that_nobody_reads_are_removed() {
    let mut memory = Memory::with_hasher(OneHash(0));
    for (key, units) in [(10, 50), (11, 40)] {
        let location = memory.intern(&key);
        for unit in 0..units {
            memory.write(location, unit, 0, Change::Add(1));
        }
        for unit in 0..units {
            assert_eq!(memory.materialise(location, unit, from_storage), Ok(Ok(())));
        }
    }
    assert_eq!(memory.hottest(9), [(10, 50), (11, 40)]);
    memory.reset();
    let location = memory.intern(&10);
    for unit in 0..2 {
        memory.write(location, unit, 0, set(1));
    }
    assert_eq!(memory.hottest(9), [(10, 2)], "another block begins at zero");
}

// ---------------------------------------------------------------------------------------------------------------------
// Random operations against a model that keeps everything in one map and decides everything by looking at all of it.

#[derive(Debug, Clone)]
enum Op {
    Write(u32, u32, Change<Number>),
    MarkEstimate(u32, u32),
    Remove(u32, u32),
    Announce(u32, u32),
    LoadBase(u32),
    /// Reads, compares, and keeps what was read to be validated after every later operation.
    Read(u32, u32),
}

const KEYS: u32 = 6;
const UNITS: u32 = 5;

fn op() -> impl Strategy<Value = Op> {
    let change = prop_oneof![
        4 => (0..4i32).prop_map(set),
        1 => Just(DELETE),
        4 => (-9..9i32).prop_map(Change::Add),
        1 => Just(Change::Add(HIGHEST)),
    ];
    let at = || (0..KEYS, 0..UNITS);
    prop_oneof![
        6 => (at(), change).prop_map(|((key, unit), change)| Op::Write(key, unit, change)),
        2 => at().prop_map(|(key, unit)| Op::MarkEstimate(key, unit)),
        2 => at().prop_map(|(key, unit)| Op::Remove(key, unit)),
        1 => at().prop_map(|(key, unit)| Op::Announce(key, unit)),
        3 => (0..KEYS).prop_map(Op::LoadBase),
        6 => (0..KEYS, 0..=UNITS).prop_map(|(key, unit)| Op::Read(key, unit)),
    ]
}

#[derive(Debug, Clone)]
struct NaiveEntry {
    change: Option<Change<Number>>,
    stamp: u32,
    estimate: bool,
}

#[derive(Default)]
struct Naive {
    entries: BTreeMap<(u32, u32), NaiveEntry>,
    loaded: BTreeSet<u32>,
}

impl Naive {
    fn read(&self, key: u32, unit: u32) -> Read<Number> {
        let below: Vec<_> = self.entries.range((key, 0)..(key, unit)).collect();
        let first =
            below.iter().rposition(|(_, entry)| entry.estimate || !matches!(entry.change, Some(Change::Add(_))));
        let (mut value, origin) = match first.map(|first| below[first]) {
            Some(((_, writer), entry)) if entry.estimate => return Read::Estimate(*writer),
            Some(((_, writer), NaiveEntry { change: Some(Change::Set(value)), stamp, .. })) => {
                (*value, version(*writer, *stamp))
            }
            Some(other) => panic!("not an estimate, not a value, not a delta: {other:?}"),
            None if self.loaded.contains(&key) => (stored(key), Origin::Base),
            None => return Read::NeedsBase,
        };
        let deltas = &below[first.map_or(0, |first| first + 1)..];
        for (_, entry) in deltas {
            let Some(Change::Add(delta)) = &entry.change else { unreachable!("the last other one was `first`") };
            match Number::apply(value.as_ref(), delta) {
                Ok(next) => value = Some(next),
                Err(OutOfBounds) => return Read::OutOfBounds,
            }
        }
        Read::Value(value, if deltas.is_empty() { origin } else { Origin::Resolved })
    }

    fn still_reads(&self, key: u32, unit: u32, origin: Origin, value: Option<Number>) -> bool {
        match (self.read(key, unit), origin) {
            (Read::Value(_, now), Origin::Version { .. }) => now == origin,
            (Read::Value(now, _), Origin::Base | Origin::Resolved) => now == value,
            _ => false,
        }
    }
}

fn check_against_naive(memory: &mut Memory, ops: &[Op], end: u32) -> Result<(), TestCaseError> {
    let mut naive = Naive::default();
    let mut reads: Vec<(u32, u32, Origin, Option<Number>)> = Vec::new();
    for (incarnation, op) in (0..).zip(ops) {
        match op {
            Op::Write(key, unit, change) => {
                let changed = memory.write(memory.intern(key), *unit, incarnation, change.clone());
                let old = naive.entries.get(&(*key, *unit));
                let same = old.filter(|old| old.change.as_ref() == Some(change)).map(|old| old.stamp);
                prop_assert_eq!(changed, same.is_none());
                let stamp = same.unwrap_or(incarnation);
                let entry = NaiveEntry { change: Some(change.clone()), stamp, estimate: false };
                naive.entries.insert((*key, *unit), entry);
            }
            Op::MarkEstimate(key, unit) => {
                memory.mark_estimate(memory.intern(key), *unit);
                if let Some(entry) = naive.entries.get_mut(&(*key, *unit)) {
                    entry.estimate = true;
                }
            }
            Op::Remove(key, unit) => {
                let changed = memory.remove(memory.intern(key), *unit);
                let removed = naive.entries.remove(&(*key, *unit));
                prop_assert_eq!(changed, removed.is_some_and(|entry| entry.change.is_some()));
            }
            Op::Announce(key, unit) => {
                let wait_for = memory.announce(memory.intern(key), *unit).below;
                let below = naive.entries.range((*key, 0)..(*key, *unit)).next_back();
                prop_assert_eq!(wait_for, below.filter(|(_, entry)| entry.estimate).map(|((_, below), _)| *below));
                let announced = NaiveEntry { change: None, stamp: 0, estimate: true };
                naive.entries.entry((*key, *unit)).or_insert(announced);
            }
            Op::LoadBase(key) => {
                prop_assert_eq!(memory.base(memory.intern(key), from_storage), Ok(&stored(*key)));
                naive.loaded.insert(*key);
            }
            Op::Read(key, unit) => {
                let read = memory.read(memory.intern(key), *unit);
                prop_assert_eq!(&read, &naive.read(*key, *unit), "unit {} reads key {}", unit, key);
                if let Read::Value(value, origin) = read {
                    reads.push((*key, *unit, origin, value));
                }
            }
        }
        for (key, unit, origin, value) in &reads {
            let found = memory.still_reads(memory.intern(key), *unit, *origin, Some(value));
            let expected = naive.still_reads(*key, *unit, *origin, *value);
            prop_assert_eq!(found, expected, "{:?} from {:?} by unit {}, key {}", value, origin, unit, key);
        }
    }
    // The commit, in order: what is still an estimate was not written, what does not fit is undone.
    let mut state: BTreeMap<u32, Option<Number>> = BTreeMap::new();
    for unit in 0..end {
        for key in 0..KEYS {
            let Some(entry) = naive.entries.get(&(key, unit)) else { continue };
            let location = memory.intern(&key);
            let before = state.get(&key).copied().unwrap_or_else(|| stored(key));
            let now = match &entry.change {
                Some(Change::Set(value)) if !entry.estimate => Ok(*value),
                Some(Change::Add(delta)) if !entry.estimate => Number::apply(before.as_ref(), delta).map(Some),
                _ => {
                    memory.remove(location, unit);
                    continue;
                }
            };
            prop_assert_eq!(memory.materialise(location, unit, from_storage), Ok(now.map(drop)));
            match now {
                Ok(now) => drop(state.insert(key, now)),
                Err(OutOfBounds) => drop(memory.remove(location, unit)),
            }
        }
    }
    let expected: Vec<_> = state.into_iter().filter(|(key, value)| *value != stored(*key)).collect();
    prop_assert_eq!(memory.finish(end, from_storage), Ok(expected));
    Ok(())
}

#[test]
fn what_is_below_is_found_by_its_hash() {
    for one_hash in [true, false] {
        let memory = Memory::with_hasher(OneHash(0));
        let (key, other) = (1, if one_hash { 2 } else { 1 });
        let hash = memory.hash(&key);
        assert!(!memory.has_below(hash, 9), "nobody has named it");
        let location = memory.intern(&other);
        assert!(!memory.has_below(hash, 9), "it is named, and not written");
        memory.write(location, 4, 0, Change::Set(None));
        assert_eq!([3, 4, 5].map(|unit| memory.has_below(hash, unit)), [false, false, true]);
        memory.remove(location, 4);
        assert!(!memory.has_below(hash, 9), "it is gone again");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// Two blocks on one memory, in which all keys have the same hash.
    #[test]
    fn random_operations_do_what_a_naive_memory_does(
        first in proptest::collection::vec(op(), 0..60), first_end in 0..=UNITS,
        second in proptest::collection::vec(op(), 0..60), second_end in 0..=UNITS,
    ) {
        let mut memory = Memory::with_hasher(OneHash(0));
        check_against_naive(&mut memory, &first, first_end)?;
        check_against_naive(&mut memory, &second, second_end)?;
    }
}

/// Where there is nothing, where there is something, and where hashes are alike, or all zero: nobody can tell afterwards.
#[test]
fn to_look_ahead_changes_nothing() {
    for hash in [0, u64::MAX, 7 << 50] {
        let memory = Memory::with_hasher(OneHash(hash));
        let hashes = || [hash, 0, 1, hash ^ 1, u64::MAX].into_iter();
        memory.look_ahead(hashes());
        assert_eq!(memory.locations(), 0, "nothing was named");
        let [first, second] = [1, 2].map(|key| memory.intern(&key));
        memory.write(first, 3, 0, set(7));
        memory.look_ahead(hashes());
        assert_eq!([1, 2].map(|key| memory.intern(&key)), [first, second]);
        assert_eq!(memory.read(first, 4), Read::Value(Some(Number(7)), Origin::Version { unit: 3, stamp: 0 }));
        assert_eq!(memory.read(second, 4), Read::NeedsBase);
    }
}
