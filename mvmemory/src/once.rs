//! A cell that is written once a block and then only read: keys and base values, and the chunks that hold them.
//!
//! It is what the standard library's `OnceLock` is, with an initialisation that may fail, and cheap where a block
//! initialises as many cells as it names keys: its lock is a byte, and its code is inlined.

#![expect(unsafe_code, reason = "a value behind a shared reference, written under a lock; all of it is in this file")]

use crate::sync::{AtomicBool, Mutex, Ordering, UnsafeCell};

/// A value that appears once, and beside it something small: there is room for four bytes that would be wasted.
pub(crate) struct Once<T, B = ()> {
    /// Whether `value` is there. Once set it stays set as long as the cell is shared.
    ready: AtomicBool,
    /// Held by whoever initialises the cell, so that only one does.
    writing: Mutex<()>,
    /// Written only while `ready` is not set, by the owner of `writing`; read only when `ready` is set.
    value: UnsafeCell<Option<T>>,
    /// No business of the cell's.
    pub(crate) beside: B,
}

// SAFETY: sharing a cell gives out `&T` to any thread (hence `T: Sync`), and lets a thread other than the one that drops
// the cell, or takes its value, put the value there (hence `T: Send`). Writing is exclusive, see `get_or_try_init`. What is
// beside the value is shared as it is.
unsafe impl<T: Send + Sync, B: Sync> Sync for Once<T, B> {}

impl<T> Once<T> {
    pub(crate) fn new() -> Self {
        Self::with(())
    }
}

impl<T, B> Once<T, B> {
    /// An empty cell with this beside it.
    pub(crate) fn with(beside: B) -> Self {
        Self { ready: AtomicBool::new(false), writing: Mutex::new(()), value: UnsafeCell::new(None), beside }
    }

    /// The value, if it is there.
    #[inline]
    pub(crate) fn get(&self) -> Option<&T> {
        // Acquire: pairs with the Release in `get_or_try_init`; who sees the flag sees the value.
        if !self.ready.load(Ordering::Acquire) {
            return None;
        }
        // SAFETY: the flag is set after the last write of a shared cell, and that write happens before this read. Only
        // `take` writes again, and it has the cell for itself.
        self.value.with(|value| unsafe { (*value).as_ref() })
    }

    /// The value; `init` makes it if it is not there. Who comes while another one makes it waits.
    ///
    /// # Errors
    /// `init`'s. Then, as after a panic of `init`, the cell stays empty.
    #[inline]
    pub(crate) fn get_or_try_init<E>(&self, init: impl FnOnce() -> Result<T, E>) -> Result<&T, E> {
        if let Some(value) = self.get() {
            return Ok(value);
        }
        let writing = self.writing.lock();
        // Relaxed: the flag is set under the lock.
        if !self.ready.load(Ordering::Relaxed) {
            let made = init()?;
            // SAFETY: `ready` is not set, so nobody reads; we hold `writing` and have looked at `ready` under it, so nobody
            // else writes, or has written.
            self.value.with_mut(|value| unsafe { *value = Some(made) });
            // Release: see `get`.
            self.ready.store(true, Ordering::Release);
        }
        drop(writing);
        Ok(self.get().expect("it has been made, here or elsewhere"))
    }

    /// The value; `init` makes it if it is not there.
    #[inline]
    pub(crate) fn get_or_init(&self, init: impl FnOnce() -> T) -> &T {
        let value: Result<&T, std::convert::Infallible> = self.get_or_try_init(|| Ok(init()));
        match value {
            Ok(value) => value,
        }
    }

    pub(crate) fn get_mut(&mut self) -> Option<&mut T> {
        // SAFETY: nobody else has the cell. The reference lives no longer than our hold on it.
        self.value.with_mut(|value| unsafe { (*value).as_mut() })
    }

    /// Takes the value out; the cell is as new.
    #[inline]
    pub(crate) fn take(&mut self) -> Option<T> {
        self.ready.store(false, Ordering::Relaxed); // exclusive access
        // SAFETY: nobody else has the cell.
        self.value.with_mut(|value| unsafe { (*value).take() })
    }
}

impl<T> Default for Once<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn a_value_is_made_once() {
        let cell = Once::new();
        assert_eq!(cell.get(), None);
        assert_eq!(cell.get_or_init(|| 1), &1);
        assert_eq!(cell.get_or_init(|| unreachable!("it is there")), &1);
        assert_eq!(cell.get(), Some(&1));
    }

    #[test]
    fn a_failure_and_a_panic_leave_the_cell_empty_and_open() {
        let cell = Once::new();
        assert_eq!(cell.get_or_try_init(|| Err("no storage")), Err("no storage"));
        let panic = catch_unwind(AssertUnwindSafe(|| *cell.get_or_init(|| panic!("on the way"))));
        assert!(panic.is_err() && cell.get().is_none());
        assert_eq!(cell.get_or_init(|| 2), &2);
    }

    #[test]
    fn what_is_taken_out_is_gone_and_dropped_once() {
        let counted = Arc::new(());
        let mut cell = Once::new();
        assert!(cell.take().is_none());
        cell.get_or_init(|| Arc::clone(&counted));
        *cell.get_mut().expect("it was made") = Arc::clone(&counted);
        assert_eq!(Arc::strong_count(&counted), 2);
        drop(cell.take());
        assert_eq!((Arc::strong_count(&counted), cell.get()), (1, None));
        cell.get_or_init(|| Arc::clone(&counted));
        drop(cell);
        assert_eq!(Arc::strong_count(&counted), 1);
    }

    #[test]
    fn of_many_threads_one_makes_it() {
        let (cell, made) = (Once::new(), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| assert_eq!(cell.get_or_init(|| made.fetch_add(1, Ordering::Relaxed)), &0));
            }
        });
        assert_eq!(made.into_inner(), 1);
    }
}
