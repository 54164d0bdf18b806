//! From which cost of a transaction on parallel execution is the faster one.

use serde::Serialize;

/// What was measured at one cost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// The work of a transaction, in microseconds.
    pub work_micros: f64,
    /// What a transaction takes sequentially, in microseconds: the work, and what is around it.
    pub sequential_micros: f64,
    /// How many times as fast parallel execution is.
    pub speed_up: f64,
}

impl Point {
    /// What a transaction gains, in microseconds; below 0 it loses.
    fn gain(&self) -> f64 {
        self.sequential_micros * (1.0 - 1.0 / self.speed_up)
    }
}

/// Where the speed-up passes 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum BreakEven {
    /// Parallel execution is faster at all costs that were measured.
    BelowAll,
    /// Parallel execution is faster from here on.
    At {
        /// The work of a transaction, in microseconds.
        work_micros: f64,
        /// What such a transaction takes sequentially, in microseconds.
        sequential_micros: f64,
    },
    /// Parallel execution is not faster even at the greatest cost that was measured.
    AboveAll,
}

/// Finds the least cost from which on parallel execution is the faster one at every cost. `points` ascend in their work.
///
/// Between two measured costs what is gained is taken to grow evenly: a transaction that costs more by some time costs
/// so much more sequentially, and a fixed part of that in parallel.
#[must_use]
pub fn break_even(points: &[Point]) -> BreakEven {
    let Some(last_loss) = points.iter().rposition(|point| point.speed_up <= 1.0) else { return BreakEven::BelowAll };
    let Some(above) = points.get(last_loss + 1) else { return BreakEven::AboveAll };
    let below = &points[last_loss];
    let share = -below.gain() / (above.gain() - below.gain());
    let between = |from: f64, to: f64| from + (to - from) * share;
    BreakEven::At {
        work_micros: between(below.work_micros, above.work_micros),
        sequential_micros: between(below.sequential_micros, above.sequential_micros),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(work_micros: f64, sequential_micros: f64, speed_up: f64) -> Point {
        Point { work_micros, sequential_micros, speed_up }
    }

    #[test]
    fn an_exact_model_gives_the_exact_crossing() {
        // Sequentially 0.2 µs around the work; in parallel 0.8 µs around it, and then half of all: even at 0.4 µs.
        let points = [0.0, 1.0, 2.0, 100.0].map(|work| {
            let sequential = work + 0.2;
            point(work, sequential, sequential / ((work + 0.8) / 2.0))
        });
        let BreakEven::At { work_micros, sequential_micros } = break_even(&points) else {
            panic!("it crosses between 0 and 1 µs")
        };
        assert!((work_micros - 0.4).abs() < 1e-9, "{work_micros}");
        assert!((sequential_micros - 0.6).abs() < 1e-9, "{sequential_micros}");
    }

    #[test]
    fn the_last_crossing_counts() {
        let points = [point(0.0, 1.0, 1.1), point(1.0, 2.0, 0.8), point(2.0, 3.0, 1.2), point(5.0, 6.0, 1.6)];
        // From a loss of 0.5 µs to a gain of 0.5 µs.
        assert_eq!(break_even(&points), BreakEven::At { work_micros: 1.5, sequential_micros: 2.5 });
    }

    #[test]
    fn a_point_at_1_is_the_crossing() {
        let points = [point(0.0, 1.0, 0.5), point(1.0, 2.0, 1.0), point(2.0, 3.0, 1.5)];
        assert_eq!(break_even(&points), BreakEven::At { work_micros: 1.0, sequential_micros: 2.0 });
    }

    #[test]
    fn it_may_lie_beyond_what_was_measured() {
        assert_eq!(break_even(&[point(0.0, 1.0, 1.5), point(1.0, 2.0, 1.8)]), BreakEven::BelowAll);
        assert_eq!(break_even(&[point(0.0, 1.0, 0.5), point(1.0, 2.0, 0.8)]), BreakEven::AboveAll);
        assert_eq!(break_even(&[]), BreakEven::BelowAll);
    }
}
