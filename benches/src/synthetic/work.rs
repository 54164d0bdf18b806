//! Work that takes a given time: steps of a computation that no compiler can shorten, as many as fit in the time by a
//! measurement on this machine.

use std::hint::black_box;
use std::time::{Duration, Instant};

/// Steps of one measurement: some tens of microseconds, short against a time slice.
const STEPS: u64 = 50_000;
/// Measurements. The shortest counts: whatever disturbs one only makes it longer.
const ROUNDS: usize = 200;

/// Computes `steps` steps from `seed`, each from the result of the one before. There is no shorter way to the result,
/// which is used: it is what the transaction writes.
///
/// Never inlined, so that what is calibrated is what runs.
#[inline(never)]
#[must_use]
pub fn spin(mut seed: u64, steps: u64) -> u64 {
    for _ in 0..steps {
        // A bijection: different seeds stay different.
        seed = (seed ^ (seed >> 29)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
    seed
}

/// How many steps of [`spin`] this machine makes in a microsecond.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Calibration {
    steps_per_micro: f64,
}

impl Calibration {
    /// Measures it, in some ten milliseconds.
    #[must_use]
    pub fn measure() -> Self {
        let shortest = (0..ROUNDS).map(|round| {
            let begun = Instant::now();
            black_box(spin(black_box(round as u64), STEPS));
            begun.elapsed()
        });
        let shortest = shortest.min().unwrap_or_default().max(Duration::from_nanos(1));
        Self::of(STEPS as f64 / (shortest.as_secs_f64() * 1e6))
    }

    /// What is known already, for instance because time does not matter.
    #[must_use]
    pub const fn of(steps_per_micro: f64) -> Self {
        Self { steps_per_micro }
    }

    /// Steps in a microsecond.
    #[must_use]
    pub const fn steps_per_micro(&self) -> f64 {
        self.steps_per_micro
    }

    /// The steps that take `micros` microseconds.
    #[must_use]
    pub fn steps(&self, micros: f64) -> u64 {
        (micros * self.steps_per_micro).round() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_add_up_and_depend_on_the_seed() {
        assert_eq!(spin(spin(7, 300), 45), spin(7, 345));
        assert_eq!(spin(7, 0), 7);
        assert_ne!(spin(7, 345), spin(8, 345));
    }

    #[test]
    fn steps_are_in_proportion_to_the_time() {
        let calibration = Calibration::of(250.0);
        assert_eq!([0.0, 0.5, 1.0, 100.0].map(|micros| calibration.steps(micros)), [0, 125, 250, 25_000]);
    }

    #[test]
    fn steps_are_not_optimised_away() {
        // A multiplication takes three cycles, and each waits for the one before: no machine does five in a nanosecond.
        let steps_per_micro = Calibration::measure().steps_per_micro();
        assert!(steps_per_micro < 5000.0, "{steps_per_micro} steps in a microsecond");
    }
}
