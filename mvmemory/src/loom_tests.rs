//! loom models of the memory: every interleaving, and every value that a load may see, of a few threads on the real
//! code. Each model is named after what it guards. All of them are complete: no bound on preemptions.

use loom::sync::Arc;
use loom::sync::atomic::{AtomicU32, Ordering::Relaxed};
use loom::{model, thread};

use crate::{Change, LocationId, MvMemory, Origin, OutOfBounds, Read, Value};

/// Both halves are always equal: a torn read would show two different ones.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Pair(u32, u32);

fn pair(number: u32) -> Pair {
    Pair(number, number)
}

impl Value for Pair {
    type Delta = u32;
    fn apply(base: Option<&Self>, delta: &u32) -> Result<Self, OutOfBounds> {
        base.map_or(0, |base| base.0).checked_add(*delta).map(pair).ok_or(OutOfBounds)
    }
    fn combine(first: &u32, second: &u32) -> Result<u32, OutOfBounds> {
        first.checked_add(*second).ok_or(OutOfBounds)
    }
}

/// Gives every key the same hash, in every run.
#[derive(Clone, Default)]
struct OneHash;

impl std::hash::BuildHasher for OneHash {
    type Hasher = OneHash;
    fn build_hasher(&self) -> OneHash {
        OneHash
    }
}

impl std::hash::Hasher for OneHash {
    fn finish(&self) -> u64 {
        7 << 32
    }
    fn write(&mut self, _: &[u8]) {}
}

type Memory = MvMemory<u8, Pair, OneHash>;

fn memory() -> Memory {
    MvMemory::with_hasher(OneHash)
}

fn from_storage(key: &u8) -> Result<Option<Pair>, std::convert::Infallible> {
    Ok(Some(pair(u32::from(*key))))
}

/// A memory with one location, whose base value is loaded.
fn with_base(key: u8) -> (Memory, LocationId) {
    let memory = memory();
    let location = memory.intern(&key);
    assert_eq!(memory.base(location, from_storage), Ok(&Some(pair(u32::from(key)))));
    (memory, location)
}

/// A key that two workers name at once has one location, and its key can be read by both.
#[test]
fn loom_intern_of_one_key() {
    model(|| {
        let memory = Arc::new(memory());
        let other = Arc::clone(&memory);
        let thread = thread::spawn(move || {
            let location = other.intern(&1);
            assert_eq!(*other.key(location), 1);
            location
        });
        let mine = memory.intern(&1);
        assert_eq!(*memory.key(mine), 1);
        assert_eq!(mine, thread.join().unwrap(), "one key, one location");
    });
}

/// Bug 24 of the field notes: two keys with equal hashes, named at once, never alias, and are found again.
#[test]
fn loom_intern_of_keys_with_equal_hashes() {
    model(|| {
        let memory = Arc::new(memory());
        let other = Arc::clone(&memory);
        let thread = thread::spawn(move || other.intern(&2));
        let one = memory.intern(&1);
        let two = thread.join().unwrap();
        assert_ne!(one, two, "two keys, two locations");
        assert_eq!((*memory.key(one), *memory.key(two)), (1, 2));
        assert_eq!((memory.intern(&1), memory.intern(&2)), (one, two), "a key keeps its location");
    });
}

/// Two keys with equal hashes named by two workers in opposite order: the loser of the first slot carries its spare
/// location on.
#[test]
fn loom_intern_in_opposite_order() {
    model(|| {
        let memory = Arc::new(memory());
        let other = Arc::clone(&memory);
        let thread = thread::spawn(move || {
            let two = other.intern(&2);
            (other.intern(&1), two)
        });
        let one = memory.intern(&1);
        let two = memory.intern(&2);
        assert_eq!(thread.join().unwrap(), (one, two));
        assert_ne!(one, two);
    });
}

/// The base value is loaded once, whoever asks first, and both get it.
#[test]
fn loom_base_is_loaded_once() {
    model(|| {
        let memory = Arc::new(memory());
        let location = memory.intern(&5);
        let loads = Arc::new(AtomicU32::new(0));
        let ask = move |memory: &Memory, loads: &AtomicU32| {
            let load = |key: &u8| {
                loads.fetch_add(1, Relaxed);
                from_storage(key)
            };
            assert_eq!(memory.base(location, load), Ok(&Some(pair(5))));
            assert_eq!(memory.read(location, 1), Read::Value(Some(pair(5)), Origin::Base));
        };
        let (other, counter) = (Arc::clone(&memory), Arc::clone(&loads));
        let thread = thread::spawn(move || ask(&other, &counter));
        ask(&memory, &loads);
        thread.join().unwrap();
        assert_eq!(loads.load(Relaxed), 1, "storage is asked once");
    });
}

/// Storage fails for one of two readers: the other one asks again, and nothing is kept of the failure.
#[test]
fn loom_base_after_a_failed_load() {
    model(|| {
        let memory = Arc::new(memory());
        let location = memory.intern(&5);
        let other = Arc::clone(&memory);
        let thread = thread::spawn(move || {
            let failed = other.base(location, |_| Err("no storage")).is_err();
            failed || *other.base(location, |_| Err("asked again")).expect("it was there") == Some(pair(5))
        });
        assert_eq!(memory.base(location, from_storage), Ok(&Some(pair(5))));
        assert!(thread.join().unwrap());
    });
}

/// A reader sees what was there before or what the writer wrote, never a mixture, and never goes back.
#[test]
fn loom_read_against_write() {
    model(|| {
        let (memory, location) = with_base(5);
        let memory = Arc::new(memory);
        let other = Arc::clone(&memory);
        let writer = thread::spawn(move || {
            assert!(other.write(location, 0, 0, Change::Set(Some(pair(9)))));
        });
        let old = Read::Value(Some(pair(5)), Origin::Base);
        let new = Read::Value(Some(pair(9)), Origin::Version { unit: 0, stamp: 0 });
        let first = memory.read(location, 1);
        let second = memory.read(location, 1);
        assert!(first == old || first == new, "{first:?}");
        assert!(second == first || second == new, "{first:?}, then {second:?}");
        assert_eq!(memory.read(location, 0), old, "a unit never sees its own or a higher one's write");
        writer.join().unwrap();
        assert_eq!(memory.read(location, 1), new);
    });
}

/// The fast path past `written`: a validator that was told (by any release) that the writer has published sees the
/// write, though it takes no lock where the flag is not set.
#[test]
fn loom_validation_after_publication() {
    use loom::sync::atomic::Ordering::{Acquire, Release};
    model(|| {
        let (memory, location) = with_base(5);
        let memory = Arc::new(memory);
        let published = Arc::new(AtomicU32::new(0));
        let (other, flag) = (Arc::clone(&memory), Arc::clone(&published));
        let writer = thread::spawn(move || {
            other.write(location, 0, 0, Change::Set(Some(pair(9))));
            flag.store(1, Release);
        });
        let Read::Value(value, origin) = memory.read(location, 1) else { unreachable!("the base value is loaded") };
        if published.load(Acquire) == 1 {
            let current = memory.still_reads(location, 1, origin, Some(&value));
            assert_eq!(current, value == Some(pair(9)), "NoWriteInBetween: {value:?} from {origin:?}");
        }
        writer.join().unwrap();
    });
}

/// An abort turns a write into an estimate and the next incarnation replaces it, while a reader validates: `still_reads`
/// may only hold for the content that is there before or after, never during the estimate with a new content to come.
#[test]
fn loom_validation_against_estimate_and_write() {
    model(|| {
        let (memory, location) = with_base(5);
        memory.write(location, 0, 0, Change::Set(Some(pair(1))));
        let old = Origin::Version { unit: 0, stamp: 0 };
        let memory = Arc::new(memory);
        let other = Arc::clone(&memory);
        let writer = thread::spawn(move || {
            other.mark_estimate(location, 0);
            assert!(other.write(location, 0, 1, Change::Set(Some(pair(2)))), "the content has changed");
        });
        let first = memory.still_reads(location, 1, old, None);
        let second = memory.still_reads(location, 1, old, None);
        assert!(first || !second, "what is stale stays stale: the content never comes back");
        match memory.read(location, 1) {
            Read::Value(Some(Pair(1, 1)), origin) => assert_eq!((origin, second), (old, true)),
            Read::Estimate(0) => {}
            Read::Value(Some(Pair(2, 2)), origin) => assert_eq!(origin, Origin::Version { unit: 0, stamp: 1 }),
            other => panic!("neither the old nor the new content nor an estimate: {other:?}"),
        }
        writer.join().unwrap();
        assert!(!memory.still_reads(location, 1, old, None));
        assert!(memory.still_reads(location, 1, Origin::Version { unit: 0, stamp: 1 }, None));
    });
}

/// The next incarnation writes the same content: whoever has read it stays valid as soon as it is written again.
#[test]
fn loom_validation_against_an_equal_write() {
    model(|| {
        let (memory, location) = with_base(5);
        memory.write(location, 0, 0, Change::Set(Some(pair(1))));
        let memory = Arc::new(memory);
        let other = Arc::clone(&memory);
        let writer = thread::spawn(move || {
            other.mark_estimate(location, 0);
            assert!(!other.write(location, 0, 1, Change::Set(Some(pair(1)))), "nobody can see a difference");
        });
        match memory.read(location, 1) {
            Read::Value(value, origin) => {
                assert_eq!((value, origin), (Some(pair(1)), Origin::Version { unit: 0, stamp: 0 }));
            }
            other => assert_eq!(other, Read::Estimate(0)),
        }
        writer.join().unwrap();
        assert!(memory.still_reads(location, 1, Origin::Version { unit: 0, stamp: 0 }, None));
    });
}

/// A delta becomes a value at the commit frontier while somebody reads it: the value is the same before and after, and
/// a read from before is still valid after.
#[test]
fn loom_materialise_against_read() {
    model(|| {
        let (memory, location) = with_base(5);
        memory.write(location, 0, 0, Change::Add(2));
        let memory = Arc::new(memory);
        let other = Arc::clone(&memory);
        let committer = thread::spawn(move || {
            assert_eq!(other.materialise(location, 0, from_storage), Ok(Ok(())));
        });
        let Read::Value(value, origin) = memory.read(location, 1) else { panic!("a delta on a known base is a value") };
        assert_eq!(value, Some(pair(7)));
        assert!(matches!(origin, Origin::Resolved | Origin::Version { unit: 0, stamp: 0 }), "{origin:?}");
        assert!(memory.still_reads(location, 1, origin, Some(&value)), "materialising changes nothing for a reader");
        committer.join().unwrap();
        assert!(memory.still_reads(location, 1, origin, Some(&value)));
    });
}

/// Bug 18 of the field notes: a write is removed while a reader above validates; after the removal was reported the
/// reader's version is gone.
#[test]
fn loom_removal_against_validation() {
    model(|| {
        let (memory, location) = with_base(5);
        memory.write(location, 0, 0, Change::Set(Some(pair(1))));
        let memory = Arc::new(memory);
        let other = Arc::clone(&memory);
        let remover = thread::spawn(move || assert!(other.remove(location, 0), "a reader could have seen it"));
        let old = Origin::Version { unit: 0, stamp: 0 };
        let first = memory.still_reads(location, 1, old, None);
        let now_base = memory.still_reads(location, 1, Origin::Base, None);
        assert!(first || now_base, "stale by its version, so the base value is what it would read now");
        remover.join().unwrap();
        assert!(!memory.still_reads(location, 1, old, None));
        assert!(memory.still_reads(location, 1, Origin::Base, None));
    });
}
