//! Gates by which transactions wait for each other across workers, so that a test can force one schedule.
//!
//! A gate only ever opens: a transaction that runs again passes it at once.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

/// How long a transaction waits before it declares the schedule impossible: far longer than any healthy run takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// Counts signals; whoever waits for a number of them is held up until it is reached.
#[derive(Debug, Default)]
pub struct Gate {
    signals: Mutex<usize>,
    more: Condvar,
    /// Sequential execution cannot wait for a later transaction: there every gate is open from the beginning.
    open: bool,
}

impl Gate {
    /// Adds a signal.
    pub fn signal(&self) {
        *self.signals.lock() += 1;
        self.more.notify_all();
    }

    /// Waits for the first signal.
    pub fn wait(&self) {
        self.wait_for(1);
    }

    /// Waits until there were `signals` signals.
    ///
    /// # Panics
    /// When they do not come: the engine did not follow the schedule that the test counts on.
    pub fn wait_for(&self, signals: usize) {
        if self.open {
            return;
        }
        let mut seen = self.signals.lock();
        while *seen < signals {
            let timed_out = self.more.wait_for(&mut seen, PATIENCE).timed_out();
            assert!(!timed_out || *seen >= signals, "the gate saw {} of {signals} signals", *seen);
        }
    }
}

/// On which path a scripted block is about to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// One after another: gates are open.
    Sequential,
    /// In parallel: gates hold.
    Parallel,
}

impl Stage {
    /// A gate for this path, to be shared by the transactions that signal and wait.
    #[must_use]
    pub fn gate(self) -> Arc<Gate> {
        Arc::new(Gate { open: self == Self::Sequential, ..Gate::default() })
    }
}
