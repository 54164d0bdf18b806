//! Which units of a block are begun before their turn: those that may take so long that everybody else would wait for
//! them in the end, and what they are known to depend on.

use std::panic::{AssertUnwindSafe, catch_unwind};

use ahash::RandomState;
use hashbrown::HashMap;

use crate::rest::Rest;
use crate::vm::{Touch, Vm};

/// So many parts are a worker's share of the block: a unit that may take longer than one of them gets a head start. What
/// is shorter leaves the others waiting for less than that in the end.
const PARTS_OF_A_SHARE: u64 = 8;

/// And longer than so many of its average fellows: in a short block each is a large part of it.
const FELLOWS: u64 = 2;

/// A unit that is known to depend on more units than so many is left where it is: it would wait for them anyway.
const FEW: usize = 8;

/// The units of `block` that should get a head start, in the order in which they are to be begun.
///
/// Only where units are single transactions. Those of several hold short ones, and their length may change on the way,
/// which would waste what is begun early.
pub(crate) fn head_start<V: Vm, R>(block: &Rest<'_, V, R>, workers: usize) -> Vec<u32> {
    if workers < 2 || block.unit_length > 1 {
        return Vec::new();
    }
    let transactions = &block.transactions[block.first..];
    // A hint that panics is no hint.
    let chosen = catch_unwind(AssertUnwindSafe(|| {
        let long = long(block.vm, transactions, workers);
        if long.is_empty() { long } else { with_what_they_need(block.vm, transactions, &long) }
    }));
    chosen.unwrap_or_default()
}

/// The units that may take long, what may take longest first.
fn long<V: Vm>(vm: &V, transactions: &[V::Transaction], workers: usize) -> Vec<u32> {
    let weights = || transactions.iter().map(|transaction| vm.weight(transaction));
    let (mut total, mut longest) = (0_u64, 0);
    for weight in weights() {
        (total, longest) = (total.saturating_add(weight), longest.max(weight));
    }
    let parts = (workers as u64).saturating_mul(PARTS_OF_A_SHARE).min(transactions.len() as u64 / FELLOWS);
    let least = total / parts.max(1);
    if longest <= least {
        return Vec::new();
    }
    let mut long: Vec<(u64, u32)> = weights().zip(0..).filter(|(weight, _)| *weight > least).collect();
    // Of equals the first one first.
    long.sort_unstable_by_key(|(weight, unit)| (u64::MAX - weight, *unit));
    long.into_iter().map(|(_, unit)| unit).collect()
}

/// `long`, each after those units that are known to change what it reads.
fn with_what_they_need<V: Vm>(vm: &V, transactions: &[V::Transaction], long: &[u32]) -> Vec<u32> {
    // For each key, who of the long ones reads it.
    let mut readers: HashMap<V::Key, Vec<usize>, RandomState> = HashMap::default();
    for (at, unit) in long.iter().enumerate() {
        vm.footprint(&transactions[*unit as usize], &mut |key, touch| {
            if touch == Touch::Write {
                readers.entry(key).or_default().push(at);
            }
        });
    }
    let mut needed = vec![Vec::new(); long.len()];
    let last = long.iter().copied().max().unwrap_or_default();
    for (transaction, unit) in transactions.iter().zip(0..last) {
        vm.footprint(transaction, &mut |key, _| {
            for &at in readers.get(&key).into_iter().flatten() {
                // What is touched twice is listed twice; more than a few are too many in any case.
                if unit < long[at] && needed[at].len() <= FEW {
                    needed[at].push(unit);
                }
            }
        });
    }
    let mut chosen = Vec::new();
    for (unit, needed) in long.iter().zip(&needed).filter(|(_, needed)| needed.len() <= FEW) {
        for unit in needed.iter().chain([unit]) {
            if !chosen.contains(unit) {
                chosen.push(*unit);
            }
        }
    }
    chosen
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::config::BlockPolicy;
    use crate::test_value::Nothing;
    use crate::vm::{Outcome, StateView, Stop};

    /// Transactions are a weight and a key that they write.
    struct Weighed;

    impl Vm for Weighed {
        type Transaction = (u64, u32);
        type Key = u32;
        type Value = Nothing;
        type Output = ();

        fn execute<S: StateView<u32, Nothing>>(&self, _: &(u64, u32), _: &mut S) -> Result<Outcome<()>, Stop> {
            Ok(Outcome::applied((), 0))
        }

        fn footprint(&self, (_, key): &(u64, u32), declare: &mut dyn FnMut(u32, Touch)) {
            assert_ne!(*key, u32::MAX, "a hint that panics");
            declare(*key, Touch::Write);
        }

        fn weight(&self, (weight, _): &(u64, u32)) -> u64 {
            *weight
        }
    }

    /// A block of `length` light transactions with keys of their own, but for these.
    fn block(length: u32, special: &[(usize, (u64, u32))]) -> Vec<(u64, u32)> {
        let mut block: Vec<_> = (0..length).map(|at| (1, 1000 + at)).collect();
        special.iter().for_each(|(at, transaction)| block[*at] = *transaction);
        block
    }

    fn chosen(transactions: &[(u64, u32)], first: usize, unit_length: usize, workers: usize) -> Vec<u32> {
        let policy = BlockPolicy::default();
        head_start(&Rest { vm: &Weighed, reader: &(), transactions, first, unit_length, policy }, workers)
    }

    #[test]
    fn what_may_take_longest_comes_first() {
        let block = block(100, &[(90, (30, 1)), (10, (40, 2)), (95, (30, 3)), (50, (5, 4))]);
        assert_eq!(chosen(&block, 0, 1, 2), [10, 90, 95]);
        assert_eq!(chosen(&block, 20, 1, 2), [70, 75], "units count from the first transaction that is left");
        assert_eq!(chosen(&block, 0, 1, 8), [10, 90, 95, 50], "more workers have less to do each");
        assert_eq!(chosen(&block, 0, 1, 1), [], "nobody waits for a worker that is alone");
        assert_eq!(chosen(&block, 0, 4, 2), []);
    }

    #[test]
    fn nothing_stands_out_among_equals() {
        for length in [0, 1, 2, 3, 15, 100] {
            assert_eq!(chosen(&block(length, &[]), 0, 1, 4), [], "{length}");
            let without_hints: Vec<_> = block(length, &[]).iter().map(|(_, key)| (0, *key)).collect();
            assert_eq!(chosen(&without_hints, 0, 1, 4), [], "{length}");
        }
        assert_eq!(chosen(&block(9, &[(5, (9, 1))]), 0, 1, 4), [5]);
        assert_eq!(chosen(&block(9, &[(5, (u64::MAX, 1)), (3, (u64::MAX, 2))]), 0, 1, 4), [3, 5]);
    }

    #[test]
    fn what_they_are_known_to_need_comes_before_them() {
        let needed = [(7, (1, 1)), (3, (1, 1)), (90, (50, 1)), (95, (1, 1)), (60, (60, 2)), (20, (30, 2))];
        assert_eq!(chosen(&block(100, &needed), 0, 1, 2), [20, 60, 3, 7, 90], "each once");
        let mut many: Vec<_> = (0..=FEW).map(|at| (at, (1, 1))).collect();
        many.push((90, (50, 1)));
        assert_eq!(chosen(&block(100, &many), 0, 1, 2), [], "it would wait for all of them");
        assert_eq!(chosen(&block(100, &many[1..]), 0, 1, 2).len(), FEW + 1);
    }

    #[test]
    fn a_hint_that_panics_is_no_hint() {
        assert_eq!(chosen(&block(100, &[(90, (50, 1)), (4, (1, u32::MAX))]), 0, 1, 2), []);
    }
}
