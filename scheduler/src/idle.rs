//! Parking of workers that find nothing to do.
//!
//! The predicate (is there work?) is the authority; wake-ups are hints to look at it again. A worker announces that it
//! is about to sleep, then looks once more; whoever makes work visible looks for sleepers afterwards. A full fence
//! between the two steps on both sides makes sure that at least one of them sees the other.

use crate::sync::{AtomicU32, Condvar, Mutex, Ordering, fence};

/// How often an idle worker looks for work before it sleeps: about a microsecond, less than a wake-up costs, so that a
/// chain of transactions does not keep a second core busy.
const SPINS: u32 = if cfg!(loom) { 0 } else { 64 };

/// Where idle workers sleep.
#[derive(Debug)]
pub(crate) struct Idle {
    /// Sleepers that nobody has promised to wake. Written under the lock; read without it by who made work.
    sleepers: AtomicU32,
    /// Wake-ups that were promised and not yet taken.
    promised: Mutex<u32>,
    wake: Condvar,
}

impl Idle {
    pub(crate) fn new() -> Self {
        Self { sleepers: AtomicU32::new(0), promised: Mutex::new(0), wake: Condvar::new() }
    }

    /// Waits until `has_work` may be true again.
    pub(crate) fn wait(&self, has_work: impl Fn() -> bool) {
        for _ in 0..SPINS {
            if has_work() {
                return;
            }
            std::hint::spin_loop();
        }
        let mut promised = self.promised.lock();
        self.sleepers.fetch_add(1, Ordering::Relaxed); // ordered by the fence
        // Pairs with the fence in `wake_one`: either we see the work below or its maker sees us as a sleeper.
        fence(Ordering::SeqCst);
        if has_work() {
            // Nobody can have promised us a wake-up: promises are made under the lock that we hold.
            self.sleepers.fetch_sub(1, Ordering::Relaxed);
            return;
        }
        while *promised == 0 {
            self.wake.wait(&mut promised);
        }
        *promised -= 1;
    }

    /// As [`wait`](Self::wait), but not for longer than `longest`.
    #[cfg(not(loom))] // loom knows no time; without the limit this is `wait`, which its models check
    pub(crate) fn nap(&self, has_work: impl Fn() -> bool, longest: std::time::Duration) {
        let mut promised = self.promised.lock();
        self.sleepers.fetch_add(1, Ordering::Relaxed); // ordered by the fence
        // As in `wait`.
        fence(Ordering::SeqCst);
        let woken = !has_work() && {
            let until = std::time::Instant::now() + longest;
            while *promised == 0 && !self.wake.wait_until(&mut promised, until).timed_out() {}
            *promised > 0
        };
        if woken {
            *promised -= 1;
        } else {
            // Nobody has promised us a wake-up: promises are made under the lock that we hold, and none is left.
            self.sleepers.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// As [`wait`](Self::wait) for somebody who cannot block: false if there is work, else the caller counts as a sleeper
    /// until [`take_promise`](Self::take_promise) or [`leave`](Self::leave).
    #[cfg(not(loom))]
    pub(crate) fn enlist(&self, has_work: impl Fn() -> bool) -> bool {
        let _promised = self.promised.lock();
        self.sleepers.fetch_add(1, Ordering::Relaxed); // ordered by the fence
        // As in `wait`.
        fence(Ordering::SeqCst);
        let sleeps = !has_work();
        if !sleeps {
            self.sleepers.fetch_sub(1, Ordering::Relaxed);
        }
        sleeps
    }

    /// Takes a promised wake-up for one of those who have enlisted.
    #[cfg(not(loom))]
    pub(crate) fn take_promise(&self) -> bool {
        let mut promised = self.promised.lock();
        let taken = *promised > 0;
        *promised -= u32::from(taken);
        taken
    }

    /// One of those who have enlisted, to whom nothing was promised, sleeps no longer.
    #[cfg(not(loom))]
    pub(crate) fn leave(&self) {
        let promised = self.promised.lock();
        debug_assert_eq!(*promised, 0, "promises are taken before somebody leaves");
        self.sleepers.fetch_sub(1, Ordering::Relaxed);
    }

    /// Wakes one sleeper, if there is one. To be called after the work has been made visible.
    pub(crate) fn wake_one(&self) {
        // Pairs with the fence in `wait`.
        fence(Ordering::SeqCst);
        if self.sleepers.load(Ordering::Relaxed) == 0 {
            return;
        }
        let mut promised = self.promised.lock();
        if self.sleepers.load(Ordering::Relaxed) > 0 {
            self.sleepers.fetch_sub(1, Ordering::Relaxed);
            *promised += 1;
            self.wake.notify_one();
        }
    }

    /// Wakes all sleepers.
    pub(crate) fn wake_all(&self) {
        fence(Ordering::SeqCst);
        let mut promised = self.promised.lock();
        let sleepers = self.sleepers.swap(0, Ordering::Relaxed);
        *promised += sleepers;
        self.wake.notify_all();
    }
}
