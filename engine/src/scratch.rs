//! The memory that a block is executed in parallel with, kept for the next one.

use crossbeam_utils::CachePadded;
use parking_lot::Mutex;
use weft_mvmemory::MvMemory;
use weft_scheduler::Scheduler;

use crate::block::UnitRecord;
use crate::canary::Canary;
use crate::overlay::Overlay;
use crate::rare::WrittenKinds;
use crate::vm::Vm;

/// The memory of a block.
pub(crate) struct Scratch<V: Vm> {
    pub(crate) memory: MvMemory<V::Key, V::Value>,
    pub(crate) scheduler: Scheduler,
    pub(crate) written_kinds: WrittenKinds,
    pub(crate) records: Vec<UnitRecord<V>>,
    /// One a worker; padded, because each is written all the time by its own worker.
    pub(crate) overlays: Vec<CachePadded<Mutex<Overlay<V::Value>>>>,
    density: Density,
}

/// So many keys were named by so many transactions.
#[derive(Debug, Clone, Copy)]
struct Density {
    keys: usize,
    transactions: usize,
}

impl Density {
    /// The keys that so many transactions will name if they are like these.
    fn expected(self, transactions: usize) -> usize {
        // An eighth more: too little room costs more than too much.
        let keys = transactions.saturating_mul(self.keys) / self.transactions.max(1);
        keys + keys / 8
    }
}

impl<V: Vm> Scratch<V> {
    pub(crate) fn new() -> Self {
        Self {
            memory: MvMemory::new(),
            scheduler: Scheduler::new(0),
            written_kinds: WrittenKinds::default(),
            records: Vec::new(),
            overlays: Vec::new(),
            // A payment: who pays and who is paid, and as much again.
            density: Density { keys: 4, transactions: 1 },
        }
    }

    /// Makes everything that belongs to a whole block ready for so many workers and transactions.
    pub(crate) fn begin_block(&mut self, workers: usize, transactions: usize) {
        self.memory.expect(self.density.expected(transactions));
        self.written_kinds.clear();
        if self.overlays.len() < workers {
            self.overlays.resize_with(workers, || CachePadded::new(Mutex::new(Overlay::new())));
        }
    }

    /// Makes scheduler and records ready for `units` units and so many workers. The memory stays as the stretches before
    /// have left it.
    ///
    /// However many units there are, it costs as much as the last stretch has begun: one that ends early is followed by
    /// another one over nearly as many units.
    pub(crate) fn begin_stretch(&mut self, units: u32, workers: usize) {
        // Nobody but who was given a unit to execute writes its record, and whoever commits it after that.
        for unit in self.scheduler.touched() {
            self.records[unit as usize].get_mut().clear();
        }
        self.scheduler.reset(units);
        self.scheduler.limit_run_ahead(workers);
        let units = units as usize;
        if self.records.len() < units {
            self.records.resize_with(units, UnitRecord::<V>::new);
        }
    }

    /// The block has come so far, and has begun so many transactions: the next one is expected to be like it.
    pub(crate) fn end_block(&mut self, transactions: usize) {
        self.density = Density { keys: self.memory.locations(), transactions };
    }

    /// A stretch has ended after `committed` units: takes back what later ones have left in the memory, whose first has
    /// the number `first_position` there.
    pub(crate) fn forget_uncommitted(&mut self, committed: u32, first_position: u32) {
        for unit in self.scheduler.touched().filter(|unit| *unit >= committed && !Canary::KeepUncommitted.sings()) {
            for write in &self.records[unit as usize].get_mut().writes {
                self.memory.remove(write.location, first_position + unit);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use weft_scheduler::Task;

    use super::*;
    use crate::test_value::Nothing;
    use crate::vm::{Outcome, StateView, Stop};

    struct Idle;

    impl Vm for Idle {
        type Transaction = ();
        type Key = ();
        type Value = Nothing;
        type Output = ();

        fn execute<S: StateView<(), Nothing>>(&self, (): &(), _: &mut S) -> Result<Outcome<()>, Stop> {
            Ok(Outcome::applied((), 0))
        }
    }

    #[test]
    fn the_next_block_is_expected_to_name_as_many_keys_a_transaction() {
        let density = Density { keys: 800, transactions: 100 };
        assert_eq!([density.expected(0), density.expected(10), density.expected(1000)], [0, 90, 9000]);
        assert_eq!(Density { keys: 0, transactions: 0 }.expected(1000), 0);
    }

    #[test]
    fn nothing_is_left_of_a_stretch_that_ended_early() {
        let mut scratch = Scratch::<Idle>::new();
        // Shorter and longer ones; what the longest has left is not forgotten while shorter ones come.
        for (units, begun) in [(50, 40), (10, 3), (0, 0), (5, 5), (50, 0), (80, 60), (80, 80), (80, 0)] {
            scratch.begin_stretch(units, 64);
            assert!(scratch.records.len() >= units as usize);
            for (unit, record) in scratch.records.iter_mut().enumerate() {
                let record = record.get_mut();
                assert!(!record.was_disturbed && record.took == Duration::ZERO, "unit {unit} of {units}");
            }
            for unit in 0..begun {
                let Some(Task::Execute(execution)) = scratch.scheduler.next_task() else {
                    panic!("unit {unit} has never been begun")
                };
                assert_eq!((execution.unit(), execution.incarnation()), (unit, 0));
                let record = scratch.records[unit as usize].get_mut();
                (record.was_disturbed, record.took) = (true, Duration::from_secs(1));
            }
        }
    }
}
