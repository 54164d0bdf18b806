//! Keys that hardly any block writes: as long as no unit has written a key of their kind, they are read without a
//! location of their own.
//!
//! A unit looks once, when it begins, which kinds have been written. What it then reads of the others comes straight
//! from storage, and only the key's hash is kept. Whoever writes such a key marks the kind first, then publishes; a
//! validation that comes after the publication, as every decisive one does, finds the kind marked, and looks the hash
//! up among the locations. Without writers it looks at one flag.

use std::sync::atomic::{AtomicU8, Ordering};

use crossbeam_utils::CachePadded;
use weft_mvmemory::{MvMemory, Value};

use crate::canary::Canary;
use crate::overlay::Place;
use crate::vm::{Key, RareKind};

/// Some of the kinds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Kinds(u8);

impl Kinds {
    pub(crate) const ALL: Self = Self(u8::MAX);

    pub(crate) fn contains(self, kind: RareKind) -> bool {
        self.0 & kind.bit() != 0
    }

    pub(crate) fn insert(&mut self, kind: RareKind) {
        self.0 |= kind.bit();
    }

    pub(crate) fn and(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// The kinds of which a key has been written in this block. Padded: everybody reads it all the time.
#[derive(Debug, Default)]
pub(crate) struct WrittenKinds(CachePadded<AtomicU8>);

impl WrittenKinds {
    /// The kinds that have been written, as far as can be told.
    pub(crate) fn now(&self) -> Kinds {
        // Acquire: who finds a kind marked and looks into the memory finds what was published before other marks.
        Kinds(self.0.load(Ordering::Acquire))
    }

    /// Keys of these kinds are about to be published. Before they are: the publication carries the marks along.
    pub(crate) fn mark(&self, kinds: Kinds) {
        // A look first: in a block with many such writes nobody should keep the line from all others.
        if self.0.load(Ordering::Relaxed) & kinds.0 != kinds.0 && !Canary::UnmarkedKind.sings() {
            self.0.fetch_or(kinds.0, Ordering::AcqRel);
        }
    }

    /// For the next block.
    pub(crate) fn clear(&mut self) {
        *self.0.get_mut() = 0;
    }
}

/// A key that a unit has read without a location.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RareRead {
    pub(crate) hash: u64,
    pub(crate) kind: RareKind,
    /// Which of the unit's transactions was the first.
    pub(crate) by: Place,
}

impl RareRead {
    /// Whether it is what `unit` would read now. A unit below that has written a key with the same hash counts as one
    /// that has written the key: then the unit runs once more, with locations.
    pub(crate) fn is_current<K: Key, V: Value>(&self, written: Kinds, memory: &MvMemory<K, V>, unit: u32) -> bool {
        !written.contains(self.kind) || !memory.has_below(self.hash, unit)
    }
}

/// Whether what `unit` has read of unwritten kinds is what it would read now.
pub(crate) fn still_unwritten<K: Key, V: Value>(
    reads: &[RareRead],
    written: Kinds,
    memory: &MvMemory<K, V>,
    unit: u32,
) -> bool {
    written.is_empty() || reads.iter().all(|read| read.is_current(written, memory, unit))
}

#[cfg(test)]
mod tests {
    use weft_mvmemory::{Change, NoDelta, OutOfBounds};

    use super::*;

    #[derive(Debug, Clone, PartialEq)]
    struct Number(u64);

    impl Value for Number {
        type Delta = NoDelta;

        fn apply(_: Option<&Self>, delta: &NoDelta) -> Result<Self, OutOfBounds> {
            match *delta {}
        }

        fn combine(first: &NoDelta, _: &NoDelta) -> Result<NoDelta, OutOfBounds> {
            match *first {}
        }
    }

    #[test]
    fn a_read_is_stale_when_its_kind_is_marked_and_its_key_written_below() {
        let memory = MvMemory::<u32, Number>::new();
        let mut written = WrittenKinds::default();
        let kind = RareKind::new(1);
        let reads = [RareRead { hash: memory.hash(&7), kind, by: 0 }];
        let is_current = |written: &WrittenKinds| still_unwritten(&reads, written.now(), &memory, 5);
        let mut kinds = Kinds::default();
        kinds.insert(kind);

        assert!(is_current(&written), "nothing is marked");
        written.mark(kinds);
        assert!(is_current(&written), "another key of the kind was written");
        memory.write(memory.intern(&8), 3, 0, Change::Set(Some(Number(1))));
        memory.write(memory.intern(&7), 5, 0, Change::Set(Some(Number(1))));
        assert!(is_current(&written), "its own write is above what it has read");
        memory.write(memory.intern(&7), 3, 0, Change::Set(Some(Number(1))));
        assert!(!is_current(&written));
        written.clear();
        assert!(written.now().is_empty());
    }

    #[test]
    fn there_are_eight_kinds() {
        let bits: Vec<u8> = (0..9).map(|number| RareKind::new(number).bit()).collect();
        assert_eq!(bits, [1, 2, 4, 8, 16, 32, 64, 128, 1]);
    }
}
