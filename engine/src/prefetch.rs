//! Base values that transactions are known to need are loaded ahead of them, by threads that do nothing else.
//!
//! They walk through the units behind those that have been begun, up to a distance, and ask the memory for the base
//! value of every key that a unit's transactions name. The memory asks storage once, whoever comes first: a worker that
//! wants a value which is on its way waits for it, as for another worker's.
//!
//! Nothing of it can change a result. A failure of the storage is not kept: a worker that needs the value asks again
//! and gets an error of its own. Whoever panics in a hint gives none. The threads leave when the block is over; what the
//! block then still waits for is at most one read of each of them that is under way.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use crossbeam_utils::CachePadded;
use parking_lot::Mutex;
use weft_mvmemory::{MvMemory, Reserve};
use weft_scheduler::{Scheduler, WorkerPool};
use weft_storage::StateReader;

use crate::vm::Vm;
use crate::work_time::WorkTime;

/// A block, as those see it who prefetch for it.
pub(crate) struct Prefetch<'b, V: Vm, R> {
    pub(crate) vm: &'b V,
    pub(crate) reader: &'b R,
    /// Those of the stretch that is executed.
    pub(crate) transactions: &'b [V::Transaction],
    pub(crate) unit_length: usize,
    pub(crate) memory: &'b MvMemory<V::Key, V::Value>,
    pub(crate) scheduler: &'b Scheduler,
    /// In units.
    pub(crate) distance: u32,
    /// Where the time goes that reads take, if anybody wants to know.
    pub(crate) work_time: Option<&'b WorkTime>,
    next: CachePadded<Mutex<u32>>,
}

/// The unwinding of a worker's panic ends the block for those who prefetch too.
struct HaltOnDrop<'b>(&'b Scheduler);

impl Drop for HaltOnDrop<'_> {
    fn drop(&mut self) {
        self.0.halt();
    }
}

impl<'b, V: Vm, R: StateReader<V::Key, V::Value>> Prefetch<'b, V, R> {
    /// Prefetching for a block of `transactions` in units of `unit_length`, at most `distance` transactions ahead.
    pub(crate) fn new(
        (vm, reader): (&'b V, &'b R),
        (transactions, unit_length): (&'b [V::Transaction], usize),
        memory: &'b MvMemory<V::Key, V::Value>,
        scheduler: &'b Scheduler,
        distance: usize,
        work_time: Option<&'b WorkTime>,
    ) -> Self {
        let distance = u32::try_from(distance.div_ceil(unit_length)).unwrap_or(u32::MAX);
        let next = CachePadded::new(Mutex::new(0));
        Self { vm, reader, transactions, unit_length, memory, scheduler, distance, work_time, next }
    }

    /// Runs `execute`, which must end with the block, on this thread, and prefetches on all others of `threads`.
    pub(crate) fn beside(&self, threads: &WorkerPool, execute: impl Fn() + Sync) {
        threads.run(threads.workers(), |thread| {
            if thread == 0 {
                // Whatever becomes of the workers: nobody begins units any more, so nobody may wait for that.
                let _halt = HaltOnDrop(self.scheduler);
                execute();
            } else {
                self.work();
            }
        });
    }

    fn work(&self) {
        let mut reserve = Reserve::default();
        while let Some(unit) = self.claim() {
            // Neither a hint nor a storage that panics is any of our business.
            let _ = catch_unwind(AssertUnwindSafe(|| self.load(unit, &mut reserve)));
        }
    }

    /// The next unit to prefetch for. Waits until it is not too far ahead; `None` when there is nothing more to do.
    fn claim(&self) -> Option<u32> {
        // Held while waiting: the others would have to wait for the same.
        let mut next = self.next.lock();
        while !self.scheduler.is_over() {
            let begun = self.scheduler.begun();
            // Who executes a unit loads for itself.
            *next = (*next).max(begun);
            if *next >= self.scheduler.units() || self.distance == 0 {
                return None;
            }
            if *next - begun < self.distance {
                *next += 1;
                return Some(*next - 1);
            }
            // Not for a single unit: so far that waking up is worth it.
            self.scheduler.wait_until_begun(begun + (self.distance / 4).saturating_sub(1));
        }
        None
    }

    fn load(&self, unit: u32, reserve: &mut Reserve) {
        let start = unit as usize * self.unit_length;
        let end = (start + self.unit_length).min(self.transactions.len());
        for transaction in &self.transactions[start..end] {
            self.vm.footprint(transaction, &mut |key, _| self.load_key(&key, reserve));
            self.vm.reads(transaction, &mut |key| self.load_key(&key, reserve));
        }
    }

    fn load_key(&self, key: &V::Key, reserve: &mut Reserve) {
        if self.scheduler.is_over() {
            return;
        }
        let location = self.memory.intern_hashed(self.memory.hash(key), key, reserve);
        // A failure is for whoever needs the value.
        let _ = self.memory.base(location, |key| {
            let begun = self.work_time.map(|_| Instant::now());
            let value = self.reader.read(key);
            if let (Some(time), Some(begun)) = (self.work_time, begun) {
                time.add(begun.elapsed());
            }
            value
        });
    }
}
