//! A reader that is as slow as a benchmark wants it to be, and counts.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::{StateReader, StorageError};

/// The shortest delay for which the thread gives up its core.
const SLEEP_FROM: Duration = Duration::from_micros(50);

/// Delays every read by a fixed time and counts the reads.
///
/// From 50 µs on the thread sleeps, as it would while it waits for a disk, and its core is free for others; the
/// operating system adds its own granularity, some 50 to 100 µs on Linux. Below, where a sleep could not be that short,
/// it spins, as it would on a cache miss; the delay is then exact to a fraction of a microsecond, unless the thread is
/// preempted. A zero delay only counts.
#[derive(Debug)]
pub struct LatencyReader<R> {
    inner: R,
    delay: Duration,
    reads: AtomicU64,
}

impl<R> LatencyReader<R> {
    /// Reads through `inner`, each time `delay` later.
    pub fn new(inner: R, delay: Duration) -> Self {
        Self { inner, delay, reads: AtomicU64::new(0) }
    }

    /// The delay before every read.
    #[must_use]
    pub fn delay(&self) -> Duration {
        self.delay
    }

    /// How many reads there were since this reader was made or [`take_reads`](Self::take_reads) was called.
    #[must_use]
    pub fn reads(&self) -> u64 {
        // Relaxed: a statistic, nothing is ordered by it.
        self.reads.load(Ordering::Relaxed)
    }

    /// The number of reads so far, which starts from 0 again.
    pub fn take_reads(&self) -> u64 {
        self.reads.swap(0, Ordering::Relaxed)
    }

    /// The reader that is delayed.
    pub fn inner(&self) -> &R {
        &self.inner
    }

    /// Gives the delayed reader back.
    pub fn into_inner(self) -> R {
        self.inner
    }
}

impl<K, V, R: StateReader<K, V>> StateReader<K, V> for LatencyReader<R> {
    fn read(&self, key: &K) -> Result<Option<V>, StorageError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        wait(self.delay);
        self.inner.read(key)
    }
}

fn wait(delay: Duration) {
    if delay >= SLEEP_FROM {
        std::thread::sleep(delay);
    } else if !delay.is_zero() {
        let start = Instant::now();
        while start.elapsed() < delay {
            std::hint::spin_loop();
        }
    }
}
