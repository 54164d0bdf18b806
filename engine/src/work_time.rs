//! How much work has been done, in time that a sequential execution would have to spend on it as well.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

fn nanoseconds(time: Duration) -> i64 {
    i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)
}

/// What all workers have done: executions, less those that turned out to be in vain, and reads that were made ahead.
///
/// Relaxed throughout: a sum, nothing is ordered by it.
#[derive(Debug, Default)]
pub(crate) struct WorkTime(AtomicI64);

impl WorkTime {
    pub(crate) fn add(&self, time: Duration) {
        self.0.fetch_add(nanoseconds(time), Ordering::Relaxed);
    }

    /// Forgets what was done before `time`.
    pub(crate) fn begin_with(&self, time: Duration) {
        self.0.store(nanoseconds(time), Ordering::Relaxed);
    }

    /// What was done since the last call. Where more turned out to be in vain than was done, nothing; the rest is left to the
    /// next call.
    pub(crate) fn take(&self) -> Duration {
        let done = self.0.load(Ordering::Relaxed).max(0);
        self.0.fetch_sub(done, Ordering::Relaxed);
        Duration::from_nanos(done.unsigned_abs())
    }
}

/// A worker says what it has done once that is worth a shared counter.
const WORTH_SAYING: i64 = 20_000;

/// What one worker has done and not said yet, in nanoseconds.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Unsaid(i64);

impl Unsaid {
    /// An execution has taken so long.
    pub(crate) fn executed(&mut self, took: Duration, all: &WorkTime) {
        self.change(nanoseconds(took), all);
    }

    /// An execution that had taken so long was in vain.
    pub(crate) fn was_in_vain(&mut self, took: Duration, all: &WorkTime) {
        self.change(-nanoseconds(took), all);
    }

    fn change(&mut self, by: i64, all: &WorkTime) {
        self.0 += by;
        if self.0.abs() >= WORTH_SAYING {
            all.0.fetch_add(std::mem::take(&mut self.0), Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_in_vain_does_not_count() {
        let all = WorkTime::default();
        let [mut one, mut other] = [Unsaid::default(); 2];
        let time = Duration::from_micros;
        one.executed(time(5), &all);
        assert_eq!(all.take(), time(0), "not worth saying");
        one.executed(time(25), &all);
        other.executed(time(40), &all);
        assert_eq!((all.take(), all.take()), (time(70), time(0)));
        other.was_in_vain(time(40), &all);
        assert_eq!(all.take(), time(0), "it has been counted");
        one.executed(time(100), &all);
        all.add(time(1));
        assert_eq!(all.take(), time(61), "so it is taken from what comes next");
        one.was_in_vain(time(100), &all);
        all.begin_with(time(3));
        assert_eq!(all.take(), time(3));
    }
}
