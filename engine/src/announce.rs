//! What a unit knows of itself before its first execution: what its transactions will surely touch. It says so to others,
//! and has it at hand when it begins.
//!
//! The keys of one transaction are looked up one after the other, as its rules ask for them, and in a large state each
//! lookup waits for memory that is in no cache. A unit of several transactions knows most of their keys together: it has them
//! fetched at once.

use std::panic::{AssertUnwindSafe, catch_unwind};

use smallvec::SmallVec;
use weft_storage::StateReader;

use crate::block::BlockRun;
use crate::overlay::Overlay;
use crate::record::WriteRecord;
use crate::vm::{Outcome, Touch, Vm};

/// Transactions whose keys are looked up together, and how many keys these are without an allocation. A processor waits for
/// a dozen loads or two at once.
const TOGETHER: usize = 8;
const KEYS: usize = 24;

/// A key that a transaction will touch.
struct Announcement<K> {
    hash: u64,
    key: K,
    touch: Touch,
}

impl<V, R, F> BlockRun<'_, V, R, F>
where
    V: Vm,
    R: StateReader<V::Key, V::Value>,
    F: FnMut(usize, &Outcome<V::Output>) + Send,
{
    /// Announces what the unit's transactions will surely touch. Returns a lower unit that is going to touch there
    /// what this one reads, and for which it should wait.
    ///
    /// The execution finds the announced locations on its overlay and does not look them up again.
    pub(crate) fn announce(&self, unit: u32, overlay: &mut Overlay<V::Value>) -> Option<u32> {
        let mut record: Option<_> = None;
        let mut wait_for = None;
        let mut announce = |hash, key: &V::Key, touch| {
            let location = self.memory.intern_hashed(hash, key, &mut overlay.reserve);
            let announced = self.memory.announce(location, self.position(unit));
            if announced.is_new {
                let record = record.get_or_insert_with(|| self.records[unit as usize].lock());
                record.writes.push(WriteRecord { location, is_delta: false, by: 0 });
                overlay.insert(hash, location);
                // Woken by its dependency the unit comes here again and finds its own announcements: it does not
                // wait then.
                if touch == Touch::Write {
                    // Units of earlier stretches are committed: they announce nothing.
                    let below = announced.below.and_then(|below| below.checked_sub(self.first_position));
                    wait_for = wait_for.max(below);
                }
            }
        };
        let transactions = &self.transactions[self.range(unit)];
        if let [transaction] = transactions {
            self.hints(transaction, |key, touch| announce(self.memory.hash(&key), &key, touch));
            return wait_for;
        }
        let mut announcements: SmallVec<[Announcement<V::Key>; KEYS]> = SmallVec::new();
        for transactions in transactions.chunks(TOGETHER) {
            for transaction in transactions {
                self.hints(transaction, |key, touch| {
                    announcements.push(Announcement { hash: self.memory.hash(&key), key, touch });
                });
            }
            self.memory.look_ahead(announcements.iter().map(|announcement| announcement.hash));
            for Announcement { hash, key, touch } in &announcements {
                announce(*hash, key, *touch);
            }
            announcements.clear();
        }
        wait_for
    }

    /// What a transaction says that it will touch. A hint that panics is no hint.
    fn hints(&self, transaction: &V::Transaction, mut declare: impl FnMut(V::Key, Touch)) {
        let _: std::thread::Result<()> =
            catch_unwind(AssertUnwindSafe(|| self.vm.footprint(transaction, &mut declare)));
    }

    /// Loads the base values of what the unit has announced, one right after the other: whoever writes or adds needs them
    /// anyway, and storage in memory then waits for several at once.
    pub(crate) fn load_announced(&self, overlay: &Overlay<V::Value>) {
        // What goes wrong here goes wrong again where it is needed, and is dealt with there.
        let _: std::thread::Result<()> = catch_unwind(AssertUnwindSafe(|| {
            for access in overlay.accesses() {
                if self.memory.base(access.location, |key| self.reader.read(key)).is_err() {
                    return;
                }
            }
        }));
    }
}
