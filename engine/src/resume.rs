//! Executing a unit again from the first of its transactions that has read something stale: what the transactions before
//! it have done is put back onto the overlay, and their outcomes stay.
//!
//! What a transaction does depends on what it reads from outside the unit and on what the transactions before it have
//! left on the overlay. So as long as everything is current that a run of the unit's first transactions has read, a new
//! execution would repeat what they did. Their reads are kept for validation as if it had.

use std::time::Duration;

use smallvec::SmallVec;
use weft_mvmemory::{Change, LocationId, MvMemory, Origin, Read, Value};

use crate::admission::{Admission, Admitted};
use crate::canary::Canary;
use crate::overlay::{Outside, Overlay, Place};
use crate::rare::WrittenKinds;
use crate::record::{Execution, Record};
use crate::vm::{Key, Outcome, Vm};

/// What the first transactions of a unit have done whose execution has to wait for another unit.
#[derive(Debug)]
pub(crate) struct Kept<V: Value, O> {
    /// Of the transactions that have finished.
    outcomes: SmallVec<[Outcome<O>; 1]>,
    /// What they have changed, by whom first.
    changes: Vec<(LocationId, Place, Change<V>)>,
    /// How long they took.
    took: Duration,
}

/// Transactions that an execution need not run again.
pub(crate) struct Resumed<O> {
    pub(crate) outcomes: SmallVec<[Outcome<O>; 1]>,
    /// How long they once took.
    pub(crate) took: Duration,
}

impl<O> Resumed<O> {
    /// All transactions are to run.
    pub(crate) fn nothing() -> Self {
        Self { outcomes: SmallVec::new(), took: Duration::ZERO }
    }
}

/// A read that is still what it was, of a location and by a transaction.
type CurrentRead<V> = (LocationId, Place, Outside<V>);

impl<V: Value, O> Record<V, O> {
    /// The unit has to wait, after its first transactions have come to these outcomes and to what `overlay` holds: keeps
    /// that for when it is executed again.
    pub(crate) fn suspend(&mut self, outcomes: SmallVec<[Outcome<O>; 1]>, overlay: &mut Overlay<V>, took: Duration) {
        overlay.drop_running();
        self.keep_reads(overlay);
        let accesses = overlay.accesses_mut().iter_mut();
        let changes = accesses.filter_map(|access| Some((access.location, access.changed_by, access.unit.take()?)));
        self.kept = Some(Box::new(Kept { outcomes, changes: changes.collect(), took }));
    }

    /// Puts onto the empty `overlay` what the unit's last execution has done up to the first transaction that would read
    /// something else now, or with which the block ends as far as `admission` knows. Takes the last execution's outcomes
    /// with it.
    pub(crate) fn resume<M>(
        &mut self,
        (vm, memory, written_kinds): (&M, &MvMemory<M::Key, V>, &WrittenKinds),
        unit: u32,
        mut admission: Admission,
        overlay: &mut Overlay<V>,
    ) -> Resumed<O>
    where
        M: Vm<Value = V, Output = O>,
    {
        let (mut outcomes, unpublished, took) = match (self.kept.take(), std::mem::take(&mut self.execution)) {
            (Some(kept), _) => (kept.outcomes, Some(kept.changes), kept.took),
            (None, Execution::Outcomes(outcomes)) => (outcomes, None, self.took),
            (None, Execution::None | Execution::AtFrontier) => return Resumed::nothing(),
        };
        let finished = outcomes.len();
        let admitted = outcomes.iter().take_while(|outcome| admission.admit(outcome) == Admitted::Yes).count();
        let mut end = Place::try_from(admitted).unwrap_or(Place::MAX);
        for read in &self.rare_reads {
            if read.by < end && !read.is_current(written_kinds.now(), memory, unit) {
                end = read.by;
            }
        }
        let reads = self.current_reads(memory, unit, &mut end);
        if end == 0 || !self.restore_changes(vm, memory, unit, unpublished, end, overlay) {
            overlay.clear();
            return Resumed::nothing();
        }
        for (location, by, outside) in reads {
            if by < end {
                let at = access(memory, location, overlay);
                let access = overlay.at(at);
                (access.outside, access.read_by) = (Some(outside), by);
            }
        }
        for read in self.rare_reads.iter().filter(|read| read.by < end) {
            overlay.restore_rare(*read);
        }
        outcomes.truncate(end.into());
        let took = took * u32::from(end) / u32::try_from(finished).unwrap_or(u32::MAX);
        Resumed { outcomes, took }
    }

    /// The reads that are still what they were. Of the first transaction that has read something else `end` becomes the
    /// place.
    fn current_reads<K: Key>(&self, memory: &MvMemory<K, V>, unit: u32, end: &mut Place) -> Vec<CurrentRead<V>> {
        let mut resolved = self.resolved().iter();
        let mut current = Vec::with_capacity(self.reads.len());
        for read in &self.reads {
            let origin = read.origin();
            let value = if origin == Origin::Resolved { resolved.next() } else { None };
            if read.by >= *end {
                continue;
            }
            let now = if origin == Origin::Base {
                // Compared without a copy of the value.
                memory.still_reads(read.location, unit, origin, None).then_some(Outside::Base)
            } else {
                match memory.read(read.location, unit) {
                    // Sums that were computed may have become a version since.
                    Read::Value(now, from) if value.map_or(from == origin, |value| *value == now) => {
                        Some(Outside::Value(now, from))
                    }
                    Read::Value(..) | Read::Estimate(_) | Read::NeedsBase | Read::OutOfBounds => None,
                }
            };
            match now {
                Some(outside) => current.push((read.location, read.by, outside)),
                None if Canary::ResumeTooLate.sings() => {}
                None => *end = read.by,
            }
        }
        current
    }

    /// Puts onto `overlay` what the transactions before `end` have left. False where that cannot be told any more.
    fn restore_changes<M: Vm<Value = V, Output = O>>(
        &mut self,
        vm: &M,
        memory: &MvMemory<M::Key, V>,
        unit: u32,
        unpublished: Option<Vec<(LocationId, Place, Change<V>)>>,
        end: Place,
        overlay: &mut Overlay<V>,
    ) -> bool {
        let is_early = |by: Place| by < end;
        let mut restore = |location, by, change| {
            if let Some(kind) = vm.rare_kind(memory.key(location)) {
                overlay.write_rare(kind);
            }
            let at = access(memory, location, overlay);
            let access = overlay.at(at);
            (access.unit, access.changed_by) = (Some(change), by);
        };
        match unpublished {
            Some(changes) => changes
                .into_iter()
                .filter(|(_, by, _)| is_early(*by))
                .for_each(|(location, by, change)| restore(location, by, change)),
            None => {
                for write in self.writes.iter().filter(|write| is_early(write.by)) {
                    let Some(change) = memory.change_of(write.location, unit) else { return false };
                    restore(write.location, write.by, change);
                }
            }
        }
        self.swap_overwritten(overlay);
        while let Some(last) = overlay.overwritten.pop_if(|last| !is_early(last.by) && !Canary::KeepOverwriting.sings())
        {
            let at = access(memory, last.location, overlay);
            // What was changed late for the first time is not there at all.
            if let Some(change) = &mut overlay.at(at).unit {
                *change = last.change;
            }
        }
        true
    }
}

/// The overlay's access to a location.
fn access<K: Key, V: Value>(memory: &MvMemory<K, V>, location: LocationId, overlay: &mut Overlay<V>) -> usize {
    let hash = memory.hash(memory.key(location));
    overlay.find(hash, |known| known == location).unwrap_or_else(|| overlay.insert(hash, location))
}

#[cfg(test)]
#[path = "resume_tests.rs"]
mod tests;
