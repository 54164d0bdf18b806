//! The versions of one key's value within a block, and what a reader makes of them. All of it happens under the lock of
//! one location, see [`crate::location`].

use crate::canary::Canary;
use smallvec::SmallVec;

use crate::{OutOfBounds, Value};

/// What a unit did to a location.
#[derive(Debug, Clone, PartialEq)]
pub enum Change<V: Value> {
    /// The location holds this value now; `None` is a deletion.
    Set(Option<V>),
    /// A commutative delta on whatever the location held.
    Add(V::Delta),
}

/// What one unit has left at a location.
#[derive(Debug)]
pub(crate) struct Entry<V: Value> {
    pub(crate) unit: u32,
    stamp: Stamp,
    /// `None`: announced by a hint, nothing has been written yet (then it is an estimate).
    pub(crate) change: Option<Change<V>>,
}

/// The incarnation that wrote an entry's content first: later incarnations that write an equal content keep it. In its
/// highest bit, whether the unit will write anew, so that readers must wait for it. (In one word: with another one the
/// locations of a TOS block would be a quarter larger.)
#[derive(Debug, Clone, Copy)]
struct Stamp(u32);

/// The bit of a [`Stamp`] that no incarnation has: a unit does not run two thousand million times.
const ESTIMATE: u32 = 1 << 31;

impl<V: Value> Entry<V> {
    /// What incarnation `incarnation` of `unit` has written.
    pub(crate) fn written(unit: u32, incarnation: u32, change: Change<V>) -> Self {
        Self { unit, stamp: Stamp(incarnation & !ESTIMATE), change: Some(change) }
    }

    /// What `unit` is going to write.
    pub(crate) fn announced(unit: u32) -> Self {
        Self { unit, stamp: Stamp(ESTIMATE), change: None }
    }

    /// Whether the unit will write anew.
    pub(crate) fn is_estimate(&self) -> bool {
        self.stamp.0 & ESTIMATE != 0
    }

    /// The unit is about to run again.
    pub(crate) fn make_estimate(&mut self) {
        self.stamp.0 |= ESTIMATE;
    }

    /// The unit has run, and has written the same.
    pub(crate) fn confirm(&mut self) {
        self.stamp.0 &= !ESTIMATE;
    }

    /// The unit has run, and incarnation `incarnation` has written something else.
    pub(crate) fn replace(&mut self, incarnation: u32, change: Change<V>) {
        let incarnation = if Canary::KeepStamp.sings() { self.stamp.0 } else { incarnation };
        *self = Self::written(self.unit, incarnation, change);
    }

    /// What a reader remembers who finds a value here.
    pub(crate) fn origin(&self) -> Origin {
        Origin::Version { unit: self.unit, stamp: self.stamp.0 & !ESTIMATE }
    }
}

/// The entries of one location.
#[derive(Debug)]
pub(crate) struct Versions<V: Value> {
    /// Sorted by unit.
    pub(crate) entries: SmallVec<[Entry<V>; 1]>,
}

/// Entries at the end that are looked at one by one: nearly all work is close to the last writer.
const NEAR_THE_END: usize = 4;

impl<V: Value> Versions<V> {
    pub(crate) fn new() -> Self {
        Self { entries: SmallVec::new() }
    }

    /// Number of entries of units below `unit`: where an entry of `unit` is or would be.
    pub(crate) fn below(&self, unit: u32) -> usize {
        let mut len = self.entries.len();
        let near = len.saturating_sub(NEAR_THE_END);
        while len > near {
            if self.entries[len - 1].unit < unit {
                return len;
            }
            len -= 1;
        }
        self.entries[..len].partition_point(|entry| entry.unit < unit)
    }

    /// Puts an entry where [`Self::below`] says.
    pub(crate) fn insert(&mut self, at: usize, entry: Entry<V>) {
        // Nearly always the highest writer so far, and then nothing has to move.
        if at == self.entries.len() { self.entries.push(entry) } else { self.entries.insert(at, entry) }
    }

    /// Drops entries that nobody will read again: those below the committed entry at `at`, but for the one just below,
    /// which the same unit needs if it has to run again. So a hot counter stays as short as the window of units that
    /// are not committed. Gives how many they were.
    pub(crate) fn drop_before(&mut self, at: usize) -> usize {
        // What follows moves down: worth it when it is no more than what goes, so that each entry moves about once.
        if at > 16 && at * 2 > self.entries.len() { self.entries.drain(..at - 1).len() } else { 0 }
    }

    pub(crate) fn find(&self, unit: u32) -> Option<usize> {
        let at = self.below(unit);
        self.entries.get(at).filter(|entry| entry.unit == unit).map(|_| at)
    }
}

/// Where a read value came from, for validation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The value from before the block.
    Base,
    /// Written by `unit`, first with this content by incarnation `stamp`.
    Version {
        /// The writer.
        unit: u32,
        /// The incarnation that wrote this content first.
        stamp: u32,
    },
    /// Computed from deltas: whoever validates compares the value.
    Resolved,
}

/// What a unit finds when it reads a location.
#[derive(Debug, PartialEq)]
pub enum Read<V> {
    /// A value (or none), and where it came from.
    Value(Option<V>, Origin),
    /// `unit` is going to write here.
    Estimate(u32),
    /// Nothing below decides it: the base value is wanted and has not been loaded.
    NeedsBase,
    /// A delta below leaves its range: only the commit order can tell which transaction fails.
    OutOfBounds,
}

impl<V: Value> Versions<V> {
    /// The value on top of `below`.
    pub(crate) fn resolve(below: &[Entry<V>], base: Option<&Option<V>>) -> Read<V> {
        let mut deltas_from = below.len();
        let (start, origin) = loop {
            let Some(entry) = deltas_from.checked_sub(1).map(|at| &below[at]) else {
                match base {
                    Some(base) => break (base, Origin::Base),
                    None => return Read::NeedsBase,
                }
            };
            match &entry.change {
                _ if entry.is_estimate() => return Read::Estimate(entry.unit),
                Some(Change::Set(value)) => {
                    break (value, entry.origin());
                }
                Some(Change::Add(_)) => deltas_from -= 1,
                None => unreachable!("an announced entry is an estimate until it is written or removed"),
            }
        };
        if deltas_from == below.len() {
            return Read::Value(start.clone(), origin);
        }
        let mut value = start.clone();
        for entry in &below[deltas_from..] {
            let Some(Change::Add(delta)) = &entry.change else {
                unreachable!("the walk above stopped at the first entry that is not a delta")
            };
            match V::apply(value.as_ref(), delta) {
                Ok(next) => value = Some(next),
                Err(OutOfBounds) => return Read::OutOfBounds,
            }
        }
        Read::Value(value, Origin::Resolved)
    }
}
