//! The memory that a block is executed in parallel with, kept for the next one.

use crossbeam_utils::CachePadded;
use parking_lot::Mutex;
use weft_mvmemory::MvMemory;
use weft_scheduler::Scheduler;

use crate::block::UnitRecord;
use crate::canary::Canary;
use crate::overlay::Overlay;
use crate::rare::WrittenKinds;
use crate::record::Record;
use crate::vm::Vm;

/// The memory of a block.
pub(crate) struct Scratch<V: Vm> {
    pub(crate) memory: MvMemory<V::Key, V::Value>,
    pub(crate) scheduler: Scheduler,
    pub(crate) written_kinds: WrittenKinds,
    pub(crate) records: Vec<UnitRecord<V>>,
    /// One a worker; padded, because each is written all the time by its own worker.
    pub(crate) overlays: Vec<CachePadded<Mutex<Overlay<V::Value>>>>,
}

impl<V: Vm> Scratch<V> {
    pub(crate) fn new() -> Self {
        Self {
            memory: MvMemory::new(),
            scheduler: Scheduler::new(0),
            written_kinds: WrittenKinds::default(),
            records: Vec::new(),
            overlays: Vec::new(),
        }
    }

    /// Makes everything that belongs to a whole block ready for so many workers.
    pub(crate) fn begin_block(&mut self, workers: usize) {
        self.written_kinds.clear();
        if self.overlays.len() < workers {
            self.overlays.resize_with(workers, || CachePadded::new(Mutex::new(Overlay::new())));
        }
    }

    /// Makes scheduler and records ready for `units` units and so many workers. The memory stays as the stretches before have left it.
    pub(crate) fn begin_stretch(&mut self, units: u32, workers: usize) {
        self.scheduler.reset(units);
        self.scheduler.limit_run_ahead(workers);
        let units = units as usize;
        for record in self.records.iter_mut().take(units) {
            record.get_mut().clear();
        }
        if self.records.len() < units {
            self.records.resize_with(units, || Mutex::new(Record::new()));
        }
    }

    /// A stretch has ended after `committed` units: takes back what later ones have left in the memory, whose first has
    /// the number `first_position` there.
    pub(crate) fn forget_uncommitted(&mut self, committed: u32, first_position: u32) {
        let begun = if Canary::KeepUncommitted.sings() { committed } else { self.scheduler.begun() };
        for unit in committed..begun {
            for write in &self.records[unit as usize].get_mut().writes {
                self.memory.remove(write.location, first_position + unit);
            }
        }
    }
}
