//! The synchronisation primitives of this crate, swapped for loom's under `cfg(loom)` so that the models in
//! `loom_tests.rs` check the very code that runs.

#[cfg(not(loom))]
pub(crate) use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

#[cfg(not(loom))]
pub(crate) use parking_lot::Mutex;

#[cfg(not(loom))]
pub(crate) use std::sync::OnceLock;

/// A cell whose initialisation may fail; the standard library's is half the size and knows no such thing yet.
#[cfg(not(loom))]
pub(crate) use once_cell::sync::OnceCell;

#[cfg(loom)]
pub(crate) use self::OnceLock as OnceCell;

/// loom's mutex behind parking_lot's interface. It cannot be poisoned: a model that panics has failed already.
#[cfg(loom)]
#[derive(Debug)]
pub(crate) struct Mutex<T>(loom::sync::Mutex<T>);

#[cfg(loom)]
impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(loom::sync::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> loom::sync::MutexGuard<'_, T> {
        self.0.lock().expect("a loom model never continues after a panic")
    }

    pub(crate) fn get_mut(&mut self) -> &mut T {
        self.0.get_mut().expect("a loom model never continues after a panic")
    }
}

/// The standard library's cell as loom can see it: reading it acquires what its writer released, and initialisations
/// exclude each other.
#[cfg(loom)]
pub(crate) struct OnceLock<T> {
    value: std::sync::OnceLock<T>,
    ready: AtomicBool,
    writing: Mutex<()>,
}

#[cfg(loom)]
impl<T> OnceLock<T> {
    pub(crate) fn new() -> Self {
        Self { value: std::sync::OnceLock::new(), ready: AtomicBool::new(false), writing: Mutex::new(()) }
    }

    pub(crate) fn get(&self) -> Option<&T> {
        if self.ready.load(Ordering::Acquire) { self.value.get() } else { None }
    }

    pub(crate) fn get_mut(&mut self) -> Option<&mut T> {
        self.value.get_mut()
    }

    pub(crate) fn set(&self, value: T) -> Result<(), T> {
        let _writing = self.writing.lock();
        self.value.set(value)?;
        self.ready.store(true, Ordering::Release);
        Ok(())
    }

    pub(crate) fn get_or_init(&self, init: impl FnOnce() -> T) -> &T {
        let initialised: Result<&T, std::convert::Infallible> = self.get_or_try_init(|| Ok(init()));
        match initialised {
            Ok(value) => value,
        }
    }

    pub(crate) fn get_or_try_init<E>(&self, init: impl FnOnce() -> Result<T, E>) -> Result<&T, E> {
        if self.get().is_none() {
            let _writing = self.writing.lock();
            if self.value.get().is_none() {
                let value = init()?;
                assert!(self.value.set(value).is_ok(), "initialisations exclude each other");
                self.ready.store(true, Ordering::Release);
            }
        }
        Ok(self.value.get().expect("it has just been initialised"))
    }

    pub(crate) fn take(&mut self) -> Option<T> {
        self.ready.store(false, Ordering::Relaxed); // exclusive access
        self.value.take()
    }
}
