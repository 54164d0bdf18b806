//! What a run costs: wall-clock time, and CPU time of the whole process, whoever spent it.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// One run's cost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cost {
    pub(crate) wall: Duration,
    pub(crate) cpu: Duration,
}

impl Cost {
    /// Wall-clock seconds; never 0, because others are divided by it.
    pub(crate) fn seconds(&self) -> f64 {
        self.wall.as_secs_f64().max(f64::EPSILON)
    }

    /// Cores that were busy on average.
    pub(crate) fn cores(&self) -> f64 {
        self.cpu.as_secs_f64() / self.seconds()
    }
}

/// Runs `work` and measures it.
pub(crate) fn timed<T>(work: impl FnOnce() -> T) -> (T, Cost) {
    let (cpu, wall) = (process_time(), Instant::now());
    let result = work();
    let wall = wall.elapsed();
    (result, Cost { wall, cpu: process_time().saturating_sub(cpu) })
}

/// CPU time of the process so far.
pub(crate) fn process_time() -> Duration {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    // The clock starts at 0 with the process: both parts are in range.
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0))
}
