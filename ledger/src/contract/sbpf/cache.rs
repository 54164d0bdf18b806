//! Modules that were loaded before, for all threads.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ahash::{HashMap, HashMapExt};
use arc_swap::{ArcSwap, Guard};
use parking_lot::Mutex;

use crate::types::Hash;

use super::program::{Program, ProgramRef};

/// What a module that is no program takes, beside the words about it: key, slot, counts of references.
const REFUSED_BYTES: usize = 256;

/// What is known of a module.
pub(super) enum Known {
    /// It can run.
    Program(ProgramRef),
    /// It cannot: what is wrong with it.
    Refused(String),
}

/// Modules that were loaded before, bounded by the memory they take.
pub(super) struct Cache {
    programs: Recent<Program>,
    // On their own, so that a flood of worthless modules costs no compiled one its place.
    refused: Recent<String>,
}

impl Cache {
    /// A cache of at most so many bytes of programs, and of words about modules that are none.
    pub(super) fn new(program_bytes: usize, refused_bytes: usize) -> Self {
        Self { programs: Recent::new(program_bytes), refused: Recent::new(refused_bytes) }
    }

    /// What is known of the module.
    pub(super) fn get(&self, module: &Hash) -> Option<Known> {
        if let Some(program) = self.programs.get(module) {
            return Some(Known::Program(Rc::new(program)));
        }
        self.refused.get(module).map(|why| Known::Refused(String::clone(&why)))
    }

    /// Keeps a program, unless it alone is too large.
    pub(super) fn keep(&self, module: Hash, program: &Arc<Program>) {
        self.programs.insert(module, Arc::clone(program), program.bytes());
    }

    /// Keeps that a module is none.
    pub(super) fn refuse(&self, module: Hash, why: &str) {
        self.refused.insert(module, Arc::new(why.to_owned()), why.len().saturating_add(REFUSED_BYTES));
    }

    /// Bytes of the programs, how many there are, and how many modules are known to be none.
    #[cfg(test)]
    pub(super) fn size(&self) -> (usize, usize, usize) {
        let programs = self.programs.slots.load();
        (programs.values().map(|slot| slot.bytes).sum(), programs.len(), self.refused.slots.load().len())
    }
}

/// A map that forgets what was not used for the longest time.
///
/// Looking up writes nothing that threads share: two threads that call the same contract do not slow each other down.
/// A new value replaces the whole map, which is small; who looked into the old one keeps what he found.
struct Recent<V> {
    slots: ArcSwap<HashMap<Hash, Arc<Slot<V>>>>,
    /// The time: how many values there have been.
    clock: AtomicU64,
    /// Who changes the map holds this.
    writer: Mutex<()>,
    limit: usize,
}

struct Slot<V> {
    /// Never swapped. Loading it keeps the value alive like cloning an `Arc` would, but counts nothing.
    value: ArcSwap<V>,
    bytes: usize,
    /// When it was used last, by the clock.
    used: AtomicU64,
}

impl<V> Recent<V> {
    fn new(limit: usize) -> Self {
        let slots = ArcSwap::from_pointee(HashMap::new());
        Self { slots, clock: AtomicU64::new(0), writer: Mutex::new(()), limit }
    }

    fn get(&self, key: &Hash) -> Option<Guard<Arc<V>>> {
        let slots = self.slots.load();
        let slot = slots.get(key)?;
        // Relaxed: the time decides nothing but who goes first. It stands still while nothing is inserted, so that a
        // hot value is stamped once, and read only from then on.
        let now = self.clock.load(Ordering::Relaxed);
        if slot.used.load(Ordering::Relaxed) != now {
            slot.used.store(now, Ordering::Relaxed);
        }
        Some(slot.value.load())
    }

    fn insert(&self, key: Hash, value: Arc<V>, bytes: usize) {
        if bytes > self.limit {
            return;
        }
        let _writer = self.writer.lock();
        let mut slots = HashMap::clone(&self.slots.load());
        let now = self.clock.load(Ordering::Relaxed).wrapping_add(1);
        slots.insert(key, Arc::new(Slot { value: ArcSwap::new(value), bytes, used: AtomicU64::new(now) }));
        let mut total = slots.values().fold(0_usize, |sum, slot| sum.saturating_add(slot.bytes));
        while total > self.limit {
            let oldest = slots.iter().filter(|(other, _)| **other != key);
            let Some(oldest) = oldest.min_by_key(|(_, slot)| slot.used.load(Ordering::Relaxed)).map(|(key, _)| *key)
            else {
                break;
            };
            total = total.saturating_sub(slots.remove(&oldest).map_or(0, |slot| slot.bytes));
        }
        self.slots.store(Arc::new(slots));
        self.clock.store(now, Ordering::Relaxed);
    }
}
