//! How many transactions make a unit: few where they are expensive or conflict, many where they are cheap and do not.
//!
//! The length is chosen while the block runs, from what has been committed, and changed at the commit frontier: the
//! stretch ends there, what has run ahead of it is forgotten, and the next stretch goes on with units of another length
//! on the same memory. Results never depend on it.

use std::time::Duration;

use crate::config::Config;

/// Units between two looks at most; trials of executing in parallel may be shorter.
const WINDOW: u32 = 32;
/// A unit is to take about so long: its bookkeeping is a hundredth of that, and what waits for a unit does not wait long.
const WANTED: Duration = Duration::from_micros(64);
/// A block is divided into so many units a worker at least, and into two windows where those are shorter: so that all
/// have enough to do to the end. In shorter blocks what a change of length wastes is not made up for either.
const LEAST_A_WORKER: usize = 64;
/// Units grow so much at a time: conflicts grow with the square of the length.
const GROWTH: usize = 4;
/// The length is not changed where more units than so many a worker have run ahead: it would waste more than it saves.
const MOST_AHEAD: u32 = 4;
/// Units that take so many times as long as wanted are of another kind than those that the length was chosen for. So many of
/// them in a row are not put up with for a window, whatever has run ahead of them: who waits for one waits long, and what
/// makes one of them stale is all executed again.
const FAR_TOO_LONG: u32 = 6;
const FAR_TOO_LONG_IN_A_ROW: u32 = 3;
/// Of the units of a window, in percent: so many may be disturbed if units are to grow.
const CALM: u32 = 2;
/// If more are, units are to shrink.
const DISTURBED: u32 = 12;

/// A unit that was committed, as far as its length matters.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Committed {
    pub(crate) transactions: usize,
    pub(crate) took: Duration,
    /// It had to wait for another unit, or to run again.
    pub(crate) was_disturbed: bool,
    /// Units that have been begun beyond it: with another length they are executed in vain.
    pub(crate) ahead: u32,
}

/// Chooses the length of units.
#[derive(Debug)]
pub(crate) struct Sizing {
    shortest: usize,
    longest: usize,
    length: usize,
    /// Transactions of the block that are not committed, and the workers that share them.
    left: usize,
    workers: usize,
    window: u32,
    /// The block is divided into no fewer units.
    least: usize,
    /// Windows without disturbance that must pass before units grow: more after each time that they were too long.
    patience: u32,
    calm: u32,
    units: u32,
    disturbed: u32,
    transactions: usize,
    took: Duration,
    /// The last units that were all far too long.
    far_too_long: u32,
}

impl Sizing {
    /// For a block of `transactions` that begins with units of `length`; `None` where there is nothing to choose.
    pub(crate) fn new(config: &Config, length: usize, transactions: usize, workers: usize) -> Option<Self> {
        let window = config.trial_units.clamp(1, WINDOW);
        let least = LEAST_A_WORKER.min(2 * window as usize) * workers;
        let longest = config.longest_unit.min(transactions / least);
        (workers > 1 && longest > length).then_some(Self {
            shortest: length,
            longest,
            length,
            left: transactions,
            workers,
            window,
            least,
            patience: 1,
            calm: 0,
            units: 0,
            disturbed: 0,
            transactions: 0,
            took: Duration::ZERO,
            far_too_long: 0,
        })
    }

    /// A unit is committed. Gives the length that units are to have from now on, if that is another one.
    pub(crate) fn committed(&mut self, unit: Committed) -> Option<usize> {
        self.left = self.left.saturating_sub(unit.transactions);
        self.units += 1;
        self.disturbed += u32::from(unit.was_disturbed);
        self.transactions += unit.transactions;
        self.took += unit.took;
        let is_far_too_long = self.length > self.shortest && unit.took > WANTED * FAR_TOO_LONG;
        self.far_too_long = if is_far_too_long { self.far_too_long + 1 } else { 0 };
        let length = if self.far_too_long >= FAR_TOO_LONG_IN_A_ROW {
            fitting(unit.took, unit.transactions).clamp(self.shortest, self.length)
        } else if self.units < self.window || unit.ahead > MOST_AHEAD * self.workers as u32 {
            return None;
        } else {
            self.wanted()
        };
        (self.units, self.disturbed, self.transactions, self.took) = (0, 0, 0, Duration::ZERO);
        self.far_too_long = 0;
        if length == self.length {
            return None;
        }
        self.calm = 0;
        if length < self.length {
            self.patience = self.patience.saturating_mul(8);
        }
        self.length = length;
        Some(length)
    }

    fn wanted(&mut self) -> usize {
        let percent = self.disturbed * 100 / self.units;
        if percent > DISTURBED {
            self.calm = 0;
            return (self.length / 2).max(self.shortest);
        }
        let fits = fitting(self.took, self.transactions);
        if self.length > fits.saturating_mul(GROWTH) {
            // The transactions are of another kind now.
            return fits.max(self.shortest);
        }
        if percent > CALM {
            self.calm = 0;
            return self.length;
        }
        self.calm = self.calm.saturating_add(1);
        let enough = self.left / self.least;
        let longest = self.longest.min(fits).min(enough).min(self.length * GROWTH);
        // Another stretch costs some ten microseconds: not for a little.
        if self.calm >= self.patience && longest >= self.length * 2 { longest } else { self.length }
    }
}

/// How many transactions make a unit that takes as long as wanted, where so many have taken so long.
fn fitting(took: Duration, transactions: usize) -> usize {
    let each = took.as_nanos() / transactions.max(1) as u128;
    usize::try_from(WANTED.as_nanos() / each.max(1)).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_micros(1);

    fn sizing(longest_unit: usize, transactions: usize) -> Option<Sizing> {
        Sizing::new(&Config { longest_unit, ..Config::default() }, 1, transactions, 2)
    }

    /// The lengths that `units` units of transactions which take `each` lead to, where every `disturbed`th is disturbed.
    fn lengths(sizing: &mut Sizing, units: u32, each: Duration, disturbed: u32) -> Vec<usize> {
        let unit = |at: u32, length: usize| Committed {
            transactions: length,
            took: each * length as u32,
            was_disturbed: disturbed > 0 && at.is_multiple_of(disturbed),
            ahead: 1,
        };
        (0..units).filter_map(|at| sizing.committed(unit(at, sizing.length))).collect()
    }

    #[test]
    fn units_of_cheap_transactions_grow_until_they_take_long_enough() {
        let mut sizing = sizing(1000, 1_000_000).unwrap();
        assert_eq!(lengths(&mut sizing, 10 * WINDOW, SHORT, 0), [4, 16, 64]);
        let mut expensive = self::sizing(1000, 1_000_000).unwrap();
        assert_eq!(lengths(&mut expensive, 10 * WINDOW, SHORT * 40, 0), [0; 0]);
    }

    #[test]
    fn a_block_is_divided_among_its_workers_to_its_end() {
        assert!(sizing(64, 255).is_none(), "a worker would get only a few units");
        let mut sizing = sizing(64, 20_000).unwrap();
        let lengths = lengths(&mut sizing, 1_000, SHORT, 0);
        assert_eq!(lengths[..3], [4, 16, 64]);
        let mut last = self::sizing(64, 3000).unwrap();
        assert_eq!(self::lengths(&mut last, 10 * WINDOW, SHORT, 0), [4, 16], "more would be fewer than 128 units");
    }

    #[test]
    fn units_shrink_where_they_disturb_each_other_and_grow_again_later() {
        let mut sizing = sizing(64, 1_000_000).unwrap();
        assert_eq!(lengths(&mut sizing, 3 * WINDOW, SHORT, 0), [4, 16, 64]);
        assert_eq!(lengths(&mut sizing, 3 * WINDOW, SHORT, 4), [32, 16, 8]);
        assert_eq!(lengths(&mut sizing, 3 * WINDOW, SHORT, 0), [0; 0], "once burned");
        assert_eq!(lengths(&mut sizing, 1100 * WINDOW, SHORT, 0), [32, 64]);
        assert_eq!(lengths(&mut sizing, WINDOW, SHORT, 20), [0; 0], "a few are not worth another length");
    }

    #[test]
    fn what_has_run_far_ahead_is_not_wasted() {
        let mut sizing = sizing(64, 1_000_000).unwrap();
        let far = Committed { transactions: 1, took: SHORT, was_disturbed: false, ahead: 4 * 2 + 1 };
        assert!((0..10 * WINDOW).all(|_| sizing.committed(far).is_none()));
        assert_eq!(sizing.committed(Committed { ahead: 4 * 2, ..far }), Some(4));
    }

    #[test]
    fn units_of_another_kind_are_not_put_up_with_for_a_window() {
        let mut sizing = sizing(64, 1_000_000).unwrap();
        assert_eq!(lengths(&mut sizing, 3 * WINDOW, SHORT, 0), [4, 16, 64]);
        // However many wait behind it: it is they who would have to run again.
        let long = Committed { transactions: 64, took: SHORT * 60 * 64, was_disturbed: false, ahead: 1000 };
        let short = Committed { took: SHORT * 64, ..long };
        assert_eq!([long, long, short, long, long].map(|unit| sizing.committed(unit)), [None; 5], "not in a row");
        assert_eq!(sizing.committed(long), Some(1));
        let alone = Committed { transactions: 1, ..long };
        assert!((0..WINDOW).all(|_| sizing.committed(alone).is_none()), "there is nothing shorter");
    }

    #[test]
    fn expensive_transactions_after_cheap_ones_are_units_of_their_own() {
        let mut sizing = sizing(64, 1_000_000).unwrap();
        assert_eq!(lengths(&mut sizing, 3 * WINDOW, SHORT, 0), [4, 16, 64]);
        assert_eq!(lengths(&mut sizing, WINDOW, SHORT * 50, 0), [1]);
    }
}
