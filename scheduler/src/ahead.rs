//! Waiting for the block to come as far as some unit: for whoever works ahead of the workers, and not too far.
//!
//! A waiter names the unit; the worker that begins it, or a later one, wakes it. That is a hint: workers do not fence
//! what they look at, so that one who begins a unit just when the waiter goes to sleep may miss it. Whoever begins the
//! next unit will not. The end of the block is never missed: it is looked for, and announced, under the lock.

use crossbeam_utils::CachePadded;

use crate::sync::{AtomicU32, Condvar, Mutex, Ordering};

/// Nobody waits.
const NOBODY: u32 = u32::MAX;

/// Where those sleep who are too far ahead.
#[derive(Debug)]
pub(crate) struct Ahead {
    /// The lowest unit that somebody waits for. Written under the lock; read without it by every worker.
    wanted: CachePadded<AtomicU32>,
    lock: Mutex<()>,
    moved: Condvar,
}

impl Ahead {
    pub(crate) fn new() -> Self {
        Self { wanted: CachePadded::new(AtomicU32::new(NOBODY)), lock: Mutex::new(()), moved: Condvar::new() }
    }

    /// Waits until `has_come` holds for what was begun. It is asked again after every wake-up.
    pub(crate) fn wait_for(&self, unit: u32, has_come: impl Fn() -> bool) {
        let mut lock = self.lock.lock();
        loop {
            // Relaxed, here and below: a hint, see above.
            self.wanted.store(self.wanted.load(Ordering::Relaxed).min(unit), Ordering::Relaxed);
            if has_come() {
                // Others may wait for a later unit; the next worker wakes them to say so.
                return;
            }
            self.moved.wait(&mut lock);
        }
    }

    /// `unit` is being begun.
    #[cfg(not(loom))]
    pub(crate) fn begun(&self, unit: u32) {
        if unit >= self.wanted.load(Ordering::Relaxed) {
            self.wake_all();
        }
    }

    /// Wakes all who wait.
    pub(crate) fn wake_all(&self) {
        let _lock = self.lock.lock();
        self.wanted.store(NOBODY, Ordering::Relaxed);
        self.moved.notify_all();
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use super::*;
    use crate::sync::AtomicBool;
    use std::sync::Arc;

    /// However the end of the block and the waiter meet, the waiter comes back.
    #[test]
    fn loom_end_against_wait_for() {
        loom::model(|| {
            let shared = Arc::new((Ahead::new(), AtomicBool::new(false)));
            let waiter = Arc::clone(&shared);
            let thread = loom::thread::spawn(move || {
                let (ahead, over) = &*waiter;
                ahead.wait_for(0, || over.load(Ordering::Acquire));
            });
            let (ahead, over) = &*shared;
            over.store(true, Ordering::Release);
            ahead.wake_all();
            thread.join().expect("the waiter does not fail");
        });
    }
}
