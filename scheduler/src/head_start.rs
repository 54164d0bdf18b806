//! Units that are begun before it is their turn.
//!
//! Units are begun in order, because what comes earlier is needed earlier. But a unit that takes a large part of the block's
//! time and comes late in it is executed when nothing else is left to do: the other workers wait for the one that has it.
//! Begun first, it is executed beside all that comes before it. That is a bet: what it reads may be changed by units
//! below it, and then it has to run again. So only those should get a head start that are expected to take very long.

use crate::sync::{AtomicUsize, Ordering};

/// The units of a block that have a head start.
#[derive(Debug)]
pub(crate) struct HeadStart {
    /// In the order in which they are to be begun.
    units: Vec<u32>,
    /// The next one to be claimed. Never more beyond the end than there are workers.
    next: AtomicUsize,
}

impl HeadStart {
    pub(crate) fn new(units: Vec<u32>) -> Self {
        Self { units, next: AtomicUsize::new(0) }
    }

    /// Whether some unit waits to be begun.
    pub(crate) fn is_left(&self) -> bool {
        // Relaxed, as in `take`.
        self.next.load(Ordering::Relaxed) < self.units.len()
    }

    /// The next unit to begin.
    pub(crate) fn take(&self) -> Option<u32> {
        // Without a look first the number would grow with every task of the block.
        if !self.is_left() {
            return None;
        }
        // Relaxed: the list does not change, and the unit itself is claimed by the transition of its status.
        self.units.get(self.next.fetch_add(1, Ordering::Relaxed)).copied()
    }

    /// The units that were taken.
    pub(crate) fn taken(&self) -> &[u32] {
        &self.units[..self.next.load(Ordering::Relaxed).min(self.units.len())]
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn every_unit_is_taken_once_in_the_given_order() {
        let head_start = HeadStart::new(vec![7, 2, 9]);
        assert!(head_start.is_left() && head_start.taken().is_empty());
        assert_eq!([(); 5].map(|()| head_start.take()), [Some(7), Some(2), Some(9), None, None]);
        assert!(!head_start.is_left());
        assert_eq!(head_start.taken(), [7, 2, 9]);
        assert!(!HeadStart::new(Vec::new()).is_left());
    }
}
