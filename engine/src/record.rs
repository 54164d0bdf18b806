//! What the engine keeps of every unit between its execution and its commit: read set, write set, outcomes.

use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use smallvec::SmallVec;
use weft_mvmemory::{Change, LocationId, MvMemory, Origin, Value};

use crate::overlay::{Outside, Overlay, Overwritten, Place};
use crate::rare::{RareRead, WrittenKinds, still_unwritten};
use crate::resume::Kept;
use crate::vm::{Key, Outcome};

/// Where a unit has read, and where what it read came from. (The origin in pieces: as one field it would make a read a
/// quarter longer.)
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReadRecord {
    pub(crate) location: LocationId,
    /// Which of the unit's transactions was the first.
    pub(crate) by: Place,
    kind: OriginKind,
    writer: u32,
    stamp: u32,
}

#[derive(Debug, Clone, Copy)]
enum OriginKind {
    Base,
    Version,
    Resolved,
}

impl ReadRecord {
    fn new(location: LocationId, origin: Origin, by: Place) -> Self {
        let (kind, writer, stamp) = match origin {
            Origin::Base => (OriginKind::Base, 0, 0),
            Origin::Version { unit, stamp } => (OriginKind::Version, unit, stamp),
            Origin::Resolved => (OriginKind::Resolved, 0, 0),
        };
        Self { location, by, kind, writer, stamp }
    }

    pub(crate) fn origin(&self) -> Origin {
        match self.kind {
            OriginKind::Base => Origin::Base,
            OriginKind::Version => Origin::Version { unit: self.writer, stamp: self.stamp },
            OriginKind::Resolved => Origin::Resolved,
        }
    }
}

/// A location where a unit has a version, an estimate or an announcement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WriteRecord {
    pub(crate) location: LocationId,
    pub(crate) is_delta: bool,
    /// The first of the unit's transactions that has written there.
    pub(crate) by: Place,
}

/// Up to this many writes of the last incarnation are looked for one by one among the new ones.
const SCANNED: usize = 8;

/// How a unit's last execution ended.
#[derive(Debug, Default)]
pub(crate) enum Execution<O> {
    /// It has not ended.
    #[default]
    None,
    /// Its transactions' outcomes, in order.
    Outcomes(SmallVec<[Outcome<O>; 1]>),
    /// It went wrong (a panic, a storage failure, a delta out of range). What is true shows on final values: it is
    /// executed once more when everything below is committed.
    AtFrontier,
}

/// The record of one unit, behind a lock, because a validation that comes too late may still look at it while the next
/// incarnation's is put in its place; what it finds does not matter then, the scheduler ignores its verdict.
#[derive(Debug)]
#[repr(align(64))] // neighbours belong to different workers; sharing a cache line would couple them
pub(crate) struct SharedRecord<V: Value, O>(Mutex<Record<V, O>>);

impl<V: Value, O> SharedRecord<V, O> {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Record::new()))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Record<V, O>> {
        self.0.lock()
    }

    pub(crate) fn get_mut(&mut self) -> &mut Record<V, O> {
        self.0.get_mut()
    }
}

/// What few units leave.
#[derive(Debug)]
struct Seldom<V: Value> {
    /// The values of the reads that were computed from deltas, in the order of the reads.
    resolved: Vec<Option<V>>,
    /// What its transactions have overwritten of each other.
    overwritten: Vec<Overwritten<V>>,
}

/// The record of one unit.
#[derive(Debug)]
pub(crate) struct Record<V: Value, O> {
    pub(crate) reads: SmallVec<[ReadRecord; 4]>,
    /// Rarely written keys that were read without a location.
    pub(crate) rare_reads: SmallVec<[RareRead; 2]>,
    pub(crate) writes: SmallVec<[WriteRecord; 4]>,
    pub(crate) execution: Execution<O>,
    /// Apart, so that the record is small: there is one for every unit of the block. Once made it is kept.
    seldom: Option<Box<Seldom<V>>>,
    /// What an execution has done that has not come to its end.
    pub(crate) kept: Option<Box<Kept<V, O>>>,
    /// Everything below was committed before the execution began: it cannot turn out stale.
    pub(crate) on_final_values: bool,
    /// The unit had to wait for another one, or to run again.
    pub(crate) was_disturbed: bool,
    /// How long the execution took, where somebody wants to know.
    pub(crate) took: Duration,
}

impl<V: Value, O> Record<V, O> {
    pub(crate) fn new() -> Self {
        Self {
            reads: SmallVec::new(),
            rare_reads: SmallVec::new(),
            writes: SmallVec::new(),
            execution: Execution::None,
            seldom: None,
            kept: None,
            on_final_values: false,
            was_disturbed: false,
            took: Duration::ZERO,
        }
    }

    /// Empties the record for the next block. The memory stays.
    pub(crate) fn clear(&mut self) {
        self.reads.clear();
        self.rare_reads.clear();
        self.writes.clear();
        self.execution = Execution::None;
        if let Some(seldom) = &mut self.seldom {
            seldom.resolved.clear();
            seldom.overwritten.clear();
        }
        self.kept = None;
        self.on_final_values = false;
        self.was_disturbed = false;
        self.took = Duration::ZERO;
    }

    fn seldom(&mut self) -> &mut Seldom<V> {
        self.seldom.get_or_insert_with(|| Box::new(Seldom { resolved: Vec::new(), overwritten: Vec::new() }))
    }

    /// The values of the reads that were computed from deltas, in the order of the reads.
    pub(crate) fn resolved(&self) -> &[Option<V>] {
        self.seldom.as_ref().map_or(&[], |seldom| &seldom.resolved)
    }

    /// Exchanges what the unit's transactions have overwritten of each other with what `overlay` has of that.
    #[inline]
    pub(crate) fn swap_overwritten(&mut self, overlay: &mut Overlay<V>) {
        if self.seldom.is_some() || !overlay.overwritten.is_empty() {
            std::mem::swap(&mut self.seldom().overwritten, &mut overlay.overwritten);
        }
    }

    /// What the unit has read.
    pub(crate) fn reads(&self) -> impl Iterator<Item = &ReadRecord> {
        self.reads.iter()
    }

    /// Whether the unit would read now what it has read.
    #[inline]
    pub(crate) fn is_current<K: Key>(&self, memory: &MvMemory<K, V>, written_kinds: &WrittenKinds, unit: u32) -> bool {
        if self.on_final_values {
            // Nobody below can write any more.
            debug_assert!(self.reads_are_current(memory, unit), "what is committed does not change");
            return true;
        }
        self.reads_are_current(memory, unit) && still_unwritten(&self.rare_reads, written_kinds.now(), memory, unit)
    }

    /// The same, for the reads that have a location.
    pub(crate) fn reads_are_current<K: Key>(&self, memory: &MvMemory<K, V>, unit: u32) -> bool {
        let mut resolved = self.resolved().iter();
        let mut reads = self.reads.iter();
        reads.all(|read| {
            let origin = read.origin();
            let value = if origin == Origin::Resolved { resolved.next() } else { None };
            memory.still_reads(read.location, unit, origin, value)
        })
    }

    /// Publishes what `overlay` holds as incarnation `incarnation` of `unit`, removes what the last incarnation wrote
    /// and this one did not, and keeps the reads. True if a reader above could see a difference.
    ///
    /// `with_writes` is false for an execution that went wrong: it publishes nothing.
    pub(crate) fn publish<K: Key>(
        &mut self,
        memory: &MvMemory<K, V>,
        written_kinds: &WrittenKinds,
        unit: u32,
        incarnation: u32,
        overlay: &mut Overlay<V>,
        with_writes: bool,
    ) -> bool {
        self.keep_reads(overlay);
        if with_writes {
            written_kinds.mark(overlay.changed_kinds());
        }
        // What is empty is left where it is: it may have room.
        let before = if self.writes.is_empty() { SmallVec::new() } else { std::mem::take(&mut self.writes) };
        let mut changed = false;
        if with_writes {
            for access in overlay.accesses_mut() {
                let (location, Some(change)) = (access.location, access.unit.take()) else { continue };
                let is_delta = matches!(change, Change::Add(_));
                changed |= memory.write(location, unit, incarnation, change);
                self.writes.push(WriteRecord { location, is_delta, by: access.changed_by });
            }
        }
        if before.len() > SCANNED {
            self.writes.sort_unstable_by_key(|write| write.location);
        }
        for old in &before {
            let kept = if before.len() > SCANNED {
                self.writes.binary_search_by_key(&old.location, |write| write.location).is_ok()
            } else {
                self.writes.iter().any(|new| new.location == old.location)
            };
            if !kept && !crate::canary::Canary::KeepOldWrites.sings() {
                changed |= memory.remove(old.location, unit);
            }
        }
        changed
    }

    /// Keeps what `overlay` has read from outside, for validation, and what it has overwritten.
    pub(crate) fn keep_reads(&mut self, overlay: &mut Overlay<V>) {
        self.swap_overwritten(overlay);
        self.reads.clear();
        self.rare_reads.clear();
        let mut are_resolved = false;
        self.reads.extend(overlay.accesses().iter().filter_map(|access| {
            let (origin, _) = access.outside.as_ref()?.origin();
            are_resolved |= origin == Origin::Resolved;
            Some(ReadRecord::new(access.location, origin, access.read_by))
        }));
        if let Some(seldom) = &mut self.seldom {
            seldom.resolved.clear();
        }
        if are_resolved {
            self.seldom().resolved.extend(overlay.accesses().iter().filter_map(|access| match &access.outside {
                Some(Outside::Value(value, Origin::Resolved)) => Some(value.clone()),
                _ => None,
            }));
        }
        self.rare_reads.extend(overlay.rare_reads().iter().copied());
    }
}
