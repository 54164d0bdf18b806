//! A reader that is as slow as a benchmark wants it to be, and counts.

#[cfg(target_os = "linux")]
use std::num::NonZeroU64;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::{StateReader, StorageError};

/// The shortest delay for which the thread gives up its core.
const SLEEP_FROM: Duration = Duration::from_micros(10);

/// The shortest sleep that is asked for: the timer of a shorter one has ended before the core is given up, and setting
/// it has burned the core for as long.
const SHORTEST_SLEEP: Duration = Duration::from_micros(15);

/// Delays every read by a fixed time and counts the reads.
///
/// From 10 µs on the thread sleeps, as it would while it waits for a disk, and its core is free for others. A sleep takes
/// longer than it was asked to, by some 20 to 30 µs on a virtual machine: so much less is asked for, and what is then
/// missing is spun. Delays of 50 µs and more are exact to some microseconds on a machine with nothing else to do, and
/// one of 20 µs takes about 30; a busy machine makes them longer, as it does with those of a disk. Delays below
/// 10 µs are spun as a whole, as a cache miss would be. A zero delay only counts.
///
/// On Linux the threads that read give up their timer slack, by which the system would make each sleep 50 µs longer.
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

/// By how much a sleep is longer than it was asked to be, when nothing else is in its way.
fn overhead() -> Duration {
    static OVERHEAD: OnceLock<Duration> = OnceLock::new();
    *OVERHEAD.get_or_init(|| {
        let mut sleeps = [(); 31].map(|()| {
            let start = Instant::now();
            std::thread::sleep(SHORTEST_SLEEP);
            start.elapsed().saturating_sub(SHORTEST_SLEEP)
        });
        sleeps.sort_unstable();
        sleeps[sleeps.len() / 4]
    })
}

std::thread_local! {
    /// Whether the system was asked to end this thread's sleeps when they end, and not when it suits it.
    static IS_PUNCTUAL: bool = {
        // Where it refuses, sleeps are longer.
        #[cfg(target_os = "linux")]
        let is_punctual = rustix::thread::set_current_timer_slack(NonZeroU64::new(1)).is_ok();
        #[cfg(not(target_os = "linux"))]
        let is_punctual = false;
        is_punctual
    };
}

fn wait(delay: Duration) {
    if delay.is_zero() {
        return;
    }
    IS_PUNCTUAL.with(|_| {});
    let overhead = overhead();
    let start = Instant::now();
    if delay >= SLEEP_FROM {
        std::thread::sleep(delay.saturating_sub(overhead).max(SHORTEST_SLEEP));
    }
    while start.elapsed() < delay {
        std::hint::spin_loop();
    }
}
