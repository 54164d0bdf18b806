//! A concurrent set of units from which the lowest is taken first: a tree of bit words.
//!
//! A bit of a leaf word is a unit; a bit of an inner word says that the word below is not empty. Inner bits are hints
//! that can be set without need for a moment but are never missing for long: whoever fills an empty word sets the bit
//! above it afterwards, and whoever clears the bit above looks at the word again afterwards. Both are
//! read-modify-writes of the same upper word, so one of the two comes second there and sees what the other did.

use crate::sync::{AtomicU64, Ordering};

const BITS: u32 = u64::BITS;

/// A set of numbers below a limit. Taking costs a few word reads however many numbers it could hold.
#[derive(Debug, Default)]
pub(crate) struct UnitSet {
    /// Leaves first; the last level is a single word.
    levels: Vec<Box<[AtomicU64]>>,
}

impl UnitSet {
    /// An empty set for numbers below `limit`.
    pub(crate) fn with_limit(limit: u32) -> Self {
        let mut levels = Vec::new();
        let mut words = limit;
        loop {
            words = words.div_ceil(BITS).max(1);
            levels.push((0..words).map(|_| AtomicU64::new(0)).collect());
            if words == 1 {
                return Self { levels };
            }
        }
    }

    fn root(&self) -> &AtomicU64 {
        &self.levels[self.levels.len() - 1][0]
    }

    /// False only if every insertion that happened before has been taken.
    pub(crate) fn may_have_some(&self) -> bool {
        self.root().load(Ordering::Acquire) != 0
    }

    /// Inserts `unit`.
    pub(crate) fn insert(&self, unit: u32) {
        let mut index = unit;
        for level in &self.levels {
            let bit = 1 << (index % BITS);
            index /= BITS;
            // AcqRel: see the module's comment; the taker also acquires what made the unit ready.
            if level[index as usize].fetch_or(bit, Ordering::AcqRel) != 0 {
                return; // the word was not empty: the bits above are set, or are being set by who filled it
            }
        }
    }

    /// The lowest unit, as far as can be told while others insert and take.
    pub(crate) fn lowest(&self) -> Option<u32> {
        self.levels.iter().rev().try_fold(0, |index, level| {
            let word = level[index as usize].load(Ordering::Acquire);
            // An empty word below a hint that is about to go: as good as nothing.
            (word != 0).then(|| index * BITS + word.trailing_zeros())
        })
    }

    /// Takes the lowest unit, or a low one if others insert meanwhile.
    pub(crate) fn take_lowest(&self) -> Option<u32> {
        'descend: loop {
            let mut index = 0;
            for level in self.levels.iter().rev() {
                let word = level[index as usize].load(Ordering::Acquire);
                if word == 0 {
                    if index == 0 && std::ptr::eq(&level[0], self.root()) {
                        return None;
                    }
                    let depth = self.levels.iter().position(|l| std::ptr::eq(l, level));
                    self.clear_above(depth.expect("the level is one of the set's"), index);
                    continue 'descend;
                }
                index = index * BITS + word.trailing_zeros();
            }
            let bit = 1 << (index % BITS);
            let leaf = index / BITS;
            let before = self.levels[0][leaf as usize].fetch_and(!bit, Ordering::AcqRel);
            if before & bit != 0 {
                if before == bit {
                    self.clear_above(0, leaf);
                }
                return Some(index);
            }
        }
    }

    /// Clears the hints above a word that was seen empty, and sets them again where it is not empty any more.
    fn clear_above(&self, depth: usize, word: u32) {
        let Some(upper) = self.levels.get(depth + 1) else { return };
        let bit = 1 << (word % BITS);
        let above = word / BITS;
        let before = upper[above as usize].fetch_and(!bit, Ordering::AcqRel);
        if before == bit {
            self.clear_above(depth + 1, above);
        }
        if self.levels[depth][word as usize].load(Ordering::Acquire) != 0 {
            let mut index = word;
            for level in &self.levels[depth + 1..] {
                let bit = 1 << (index % BITS);
                index /= BITS;
                if level[index as usize].fetch_or(bit, Ordering::AcqRel) != 0 {
                    return;
                }
            }
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_is_taken_first_at_every_size() {
        for limit in [1, 63, 64, 65, 4096, 4097, 300_000] {
            let set = UnitSet::with_limit(limit);
            assert!(!set.may_have_some());
            let mut inserted: Vec<u32> = (0..200).map(|i: u32| i.wrapping_mul(2_654_435_761) % limit).collect();
            for unit in &inserted {
                set.insert(*unit);
            }
            inserted.sort_unstable();
            inserted.dedup();
            assert_eq!(set.lowest(), inserted.first().copied(), "limit {limit}");
            let taken: Vec<u32> = std::iter::from_fn(|| set.take_lowest()).collect();
            assert_eq!(taken, inserted, "limit {limit}");
            assert!(!set.may_have_some());
        }
    }

    #[test]
    fn nothing_is_lost_or_taken_twice_between_threads() {
        let set = UnitSet::with_limit(10_000);
        let taken = AtomicU64::new(0);
        let sum = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for part in 0..2 {
                let set = &set;
                scope.spawn(move || (0..10_000).filter(|u| u % 2 == part).for_each(|u| set.insert(u)));
            }
            for _ in 0..2 {
                scope.spawn(|| {
                    while taken.load(Ordering::Relaxed) < 10_000 {
                        if let Some(unit) = set.take_lowest() {
                            taken.fetch_add(1, Ordering::Relaxed);
                            sum.fetch_add(u64::from(unit), Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        assert_eq!(sum.into_inner(), 10_000 * 9_999 / 2);
        assert_eq!(set.take_lowest(), None);
    }
}
