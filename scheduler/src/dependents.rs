//! Who waits for whom: an intrusive list of waiting units on every unit.
//!
//! A unit waits for one other at a time, so one link per unit is enough and nothing is allocated.

use crate::sync::{AtomicU32, Ordering};

const NONE: u32 = u32::MAX;

/// The list of units that wait for one unit, and that unit's own link in the list that it is on itself.
#[derive(Debug)]
pub(crate) struct Dependents {
    head: AtomicU32,
    /// Valid while the unit is on a list; belongs to the unit until it is pushed, then to whoever takes the list.
    next: AtomicU32,
}

impl Dependents {
    pub(crate) fn new() -> Self {
        Self { head: AtomicU32::new(NONE), next: AtomicU32::new(NONE) }
    }

    pub(crate) fn reset(&mut self) {
        self.head.store(NONE, Ordering::Relaxed); // exclusive access
    }
}

/// Puts `unit` on the list of `on`.
pub(crate) fn push(all: &[impl AsRef<Dependents>], unit: u32, on: u32) {
    let link = &all[unit as usize].as_ref().next;
    let head = &all[on as usize].as_ref().head;
    let mut first = head.load(Ordering::Relaxed); // only a guess for the exchange below
    loop {
        link.store(first, Ordering::Relaxed); // published by the exchange
        // Release: whoever takes the list sees the link and the unit's `Suspended`. Acquire: a caller that comes
        // after a `take` sees the status that was set before it, and so cannot wait for a unit that has finished.
        match head.compare_exchange_weak(first, unit, Ordering::AcqRel, Ordering::Relaxed) {
            Ok(_) => return,
            Err(other) => first = other,
        }
    }
}

/// Takes all units off the list of `unit`; they belong to the caller now.
pub(crate) fn take<'a, T: AsRef<Dependents>>(all: &'a [T], unit: u32) -> impl Iterator<Item = u32> + use<'a, T> {
    let head = &all[unit as usize].as_ref().head;
    // Acquire: pairs with `push`. Release: a later `push` sees the status that the caller set before.
    // It must be a read-modify-write even where the list looks empty: that is what orders it against a `push`.
    let mut next = head.swap(NONE, Ordering::AcqRel);
    std::iter::from_fn(move || {
        let unit = (next != NONE).then_some(next)?;
        // Before the unit is handed out: once woken it may wait on another list and use its link again.
        next = all[unit as usize].as_ref().next.load(Ordering::Relaxed);
        Some(unit)
    })
}
