//! A cell that is written once a block and then only read: keys and base values, and the chunks that hold them.
//!
//! It is what the standard library's `OnceLock` is, with an initialisation that may fail, and cheap where a block
//! initialises as many cells as it names keys: its lock is a byte, and its code is inlined.

#![expect(unsafe_code, reason = "a value behind a shared reference, written under a lock; all of it is in this file")]

use crate::sync::{AtomicBool, Mutex, Ordering, UnsafeCell};

/// Whether a value is there.
struct State {
    /// It is. Once set it stays set as long as the cell is shared.
    ready: AtomicBool,
    /// Held by whoever initialises the cell, so that only one does; kept by an owner who has [set](OnceRef::set) it.
    writing: Mutex<()>,
}

impl State {
    fn new() -> Self {
        Self { ready: AtomicBool::new(false), writing: Mutex::new(()) }
    }
}

/// A cell, wherever its parts are. Made in this file only, always of the same two parts.
pub(crate) struct OnceRef<'c, T> {
    state: &'c State,
    /// Written only while the state is not ready, by the owner of `writing`; read only when it is ready.
    value: &'c UnsafeCell<Option<T>>,
}

impl<'c, T> OnceRef<'c, T> {
    /// The value, if it is there.
    #[inline]
    pub(crate) fn get(&self) -> Option<&'c T> {
        // Acquire: pairs with the Release in `get_or_try_init`; who sees the flag sees the value.
        if !self.state.ready.load(Ordering::Acquire) {
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
    pub(crate) fn get_or_try_init<E>(&self, init: impl FnOnce() -> Result<T, E>) -> Result<&'c T, E> {
        if let Some(value) = self.get() {
            return Ok(value);
        }
        let writing = self.state.writing.lock();
        // Relaxed: the flag is set under the lock.
        if !self.state.ready.load(Ordering::Relaxed) {
            let made = init()?;
            // SAFETY: `ready` is not set, so nobody reads; we hold `writing` and have looked at `ready` under it, so nobody
            // else writes, or has written.
            self.value.with_mut(|value| unsafe { *value = Some(made) });
            // Release: see `get`.
            self.state.ready.store(true, Ordering::Release);
        }
        drop(writing);
        Ok(self.get().expect("it has been made, here or elsewhere"))
    }

    /// Gives the cell its value. To be called by the only one who ever does, and never together with
    /// [`get_or_try_init`](Self::get_or_try_init): it takes one locked instruction instead of two, as nobody can be waiting.
    ///
    /// # Panics
    /// If somebody else has made a value here, or is making one.
    #[inline]
    pub(crate) fn set(&self, value: T) {
        let writing = self.state.writing.try_lock().expect("a cell with one owner is written by nobody else");
        // Relaxed: the flag is set under the lock.
        assert!(!self.state.ready.load(Ordering::Relaxed), "a cell with one owner is empty until he fills it");
        // SAFETY: as in `get_or_try_init`: under `writing`, and `ready` is not set.
        self.value.with_mut(|cell| unsafe { *cell = Some(value) });
        // Release: see `get`.
        self.state.ready.store(true, Ordering::Release);
        // Nobody takes it again before the cell is emptied.
        std::mem::forget(writing);
    }

    /// The value; `init` makes it if it is not there.
    #[inline]
    pub(crate) fn get_or_init(&self, init: impl FnOnce() -> T) -> &'c T {
        let value: Result<&T, std::convert::Infallible> = self.get_or_try_init(|| Ok(init()));
        match value {
            Ok(value) => value,
        }
    }
}

/// Takes the value out of a cell, which is as new then.
#[inline]
fn take<T>(state: &mut State, value: &mut UnsafeCell<Option<T>>) -> Option<T> {
    // Its lock, too: whoever [sets](OnceRef::set) a cell keeps that. The access is exclusive.
    *state = State::new();
    // SAFETY: nobody else has the cell.
    value.with_mut(|value| unsafe { (*value).take() })
}

/// A value that appears once.
pub(crate) struct Once<T> {
    state: State,
    value: UnsafeCell<Option<T>>,
}

// SAFETY: sharing a cell gives out `&T` to any thread (hence `T: Sync`), and lets a thread other than the one that drops
// the cell, or takes its value, put the value there (hence `T: Send`). Writing is exclusive, see `get_or_try_init`.
unsafe impl<T: Send + Sync> Sync for Once<T> {}

impl<T> Once<T> {
    pub(crate) fn new() -> Self {
        Self { state: State::new(), value: UnsafeCell::new(None) }
    }

    fn cell(&self) -> OnceRef<'_, T> {
        OnceRef { state: &self.state, value: &self.value }
    }

    /// See [`OnceRef::get`].
    #[inline]
    pub(crate) fn get(&self) -> Option<&T> {
        self.cell().get()
    }

    /// See [`OnceRef::get_or_init`].
    #[inline]
    pub(crate) fn get_or_init(&self, init: impl FnOnce() -> T) -> &T {
        self.cell().get_or_init(init)
    }

    pub(crate) fn get_mut(&mut self) -> Option<&mut T> {
        // SAFETY: nobody else has the cell. The reference lives no longer than our hold on it.
        self.value.with_mut(|value| unsafe { (*value).as_mut() })
    }
}

impl<T> Default for Once<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// Two values of which each appears once, and something small beside them: what tells whether they are there takes four
/// bytes together, and apart, each aligned, sixteen.
pub(crate) struct OncePair<A, B, Beside> {
    states: [State; 2],
    first: UnsafeCell<Option<A>>,
    second: UnsafeCell<Option<B>>,
    pub(crate) beside: Beside,
}

// SAFETY: as for `Once`, of each of the values with its own state. What is beside them is shared as it is.
unsafe impl<A: Send + Sync, B: Send + Sync, Beside: Sync> Sync for OncePair<A, B, Beside> {}

impl<A, B, Beside> OncePair<A, B, Beside> {
    pub(crate) fn new(beside: Beside) -> Self {
        Self {
            states: [State::new(), State::new()],
            first: UnsafeCell::new(None),
            second: UnsafeCell::new(None),
            beside,
        }
    }

    #[inline]
    pub(crate) fn first(&self) -> OnceRef<'_, A> {
        OnceRef { state: &self.states[0], value: &self.first }
    }

    #[inline]
    pub(crate) fn second(&self) -> OnceRef<'_, B> {
        OnceRef { state: &self.states[1], value: &self.second }
    }

    /// Takes the first value out; its cell is as new.
    #[inline]
    pub(crate) fn take_first(&mut self) -> Option<A> {
        take(&mut self.states[0], &mut self.first)
    }

    /// Takes the second value out; its cell is as new.
    #[inline]
    pub(crate) fn take_second(&mut self) -> Option<B> {
        take(&mut self.states[1], &mut self.second)
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
        let mut cell = Once::new();
        assert_eq!(cell.get(), None);
        assert_eq!(cell.get_or_init(|| 1), &1);
        assert_eq!(cell.get_or_init(|| unreachable!("it is there")), &1);
        assert_eq!(cell.get(), Some(&1));
        *cell.get_mut().expect("it is there") = 2;
        assert_eq!(cell.get(), Some(&2));
    }

    #[test]
    fn a_cell_with_one_owner_is_filled_once_between_two_times_that_it_is_emptied() {
        let mut pair = OncePair::<_, (), ()>::new(());
        for value in ["of one block", "of the next"] {
            pair.first().set(value);
            assert_eq!(pair.first().get(), Some(&value));
            assert_eq!(pair.first().get_or_init(|| unreachable!("it is there")), &value);
            let again = catch_unwind(AssertUnwindSafe(|| pair.first().set("of a second owner")));
            assert!(again.is_err(), "two owners");
            assert_eq!(pair.take_first(), Some(value));
        }
        pair.first().get_or_init(|| "by whoever comes first");
        assert!(catch_unwind(AssertUnwindSafe(|| pair.first().set("late"))).is_err(), "it is there already");
        assert_eq!(pair.first().get(), Some(&"by whoever comes first"));
    }

    #[test]
    fn a_failure_and_a_panic_leave_the_cell_empty_and_open() {
        let cell = Once::new();
        assert_eq!(cell.cell().get_or_try_init(|| Err("no storage")), Err("no storage"));
        let panic = catch_unwind(AssertUnwindSafe(|| *cell.get_or_init(|| panic!("on the way"))));
        assert!(panic.is_err() && cell.get().is_none());
        assert_eq!(cell.get_or_init(|| 2), &2);
    }

    #[test]
    fn two_cells_know_nothing_of_each_other() {
        let mut pair = OncePair::<u8, &str, u32>::new(7);
        pair.second().get_or_init(|| "second");
        assert_eq!((pair.first().get(), pair.second().get()), (None, Some(&"second")));
        pair.first().get_or_init(|| 1);
        assert_eq!((pair.take_second(), pair.take_second()), (Some("second"), None));
        assert_eq!((pair.first().get(), pair.second().get(), pair.beside), (Some(&1), None, 7));
        assert_eq!(pair.take_first(), Some(1));
        assert_eq!(pair.second().get_or_init(|| "again"), &"again");
        assert_eq!(pair.first().get(), None);
    }

    #[test]
    fn what_is_taken_out_is_gone_and_dropped_once() {
        let counted = Arc::new(());
        let mut pair = OncePair::<Arc<()>, Arc<()>, ()>::new(());
        assert!(pair.take_first().is_none());
        pair.first().get_or_init(|| Arc::clone(&counted));
        pair.second().get_or_init(|| Arc::clone(&counted));
        assert_eq!(Arc::strong_count(&counted), 3);
        drop(pair.take_first());
        assert_eq!((Arc::strong_count(&counted), pair.first().get()), (2, None));
        pair.first().get_or_init(|| Arc::clone(&counted));
        drop(pair);
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
