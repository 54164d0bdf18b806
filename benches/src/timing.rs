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

/// Runs `work` so many times, at least once, and gives what came last, with what one run costs on average. What a run gives is
/// dropped before the next, and that is not measured.
pub(crate) fn timed_often<T, E>(runs: u32, mut work: impl FnMut() -> Result<T, E>) -> Result<(T, Cost), E> {
    let (mut result, mut cost) = timed(&mut work);
    for _ in 1..runs {
        drop(result?);
        let (next, of_next) = timed(&mut work);
        (result, cost.wall, cost.cpu) = (next, cost.wall + of_next.wall, cost.cpu + of_next.cpu);
    }
    let runs = runs.max(1);
    Ok((result?, Cost { wall: cost.wall / runs, cpu: cost.cpu / runs }))
}

/// CPU time of the process so far.
pub(crate) fn process_time() -> Duration {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    // The clock starts at 0 with the process: both parts are in range.
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_run_often_costs_the_average_and_gives_the_last_result() {
        let pause = Duration::from_millis(1);
        let mut runs = 0;
        let work = || {
            std::thread::sleep(pause);
            runs += 1;
            Ok::<_, ()>(runs)
        };
        let began = Instant::now();
        let (last, cost) = timed_often(5, work).expect("it does not fail");
        assert_eq!(last, 5);
        assert!(cost.wall >= pause && cost.wall * 5 <= began.elapsed(), "{cost:?}");
    }

    #[test]
    fn the_first_failure_ends_it() {
        let mut runs = 0;
        let failed = timed_often(5, || {
            runs += 1;
            if runs == 3 { Err("third") } else { Ok(()) }
        });
        assert_eq!((failed.err(), runs), (Some("third"), 3));
        assert_eq!(timed_often(0, || Ok::<_, ()>(7)).expect("it does not fail").0, 7, "at least once");
    }
}
