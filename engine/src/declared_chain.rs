//! Whether transactions say themselves that they can only follow each other. Then there is no need to try.

use std::panic::{AssertUnwindSafe, catch_unwind};

use ahash::RandomState;
use hashbrown::HashMap;
use smallvec::SmallVec;

use crate::vm::{Touch, Vm};

/// So many transactions are looked at; fewer show nothing.
pub(crate) const LOOKED_AT: usize = 64;
const LEAST: usize = 8;

/// A chain that has fewer of the transactions in it, in percent, leaves something to gain by executing in parallel.
const CHAIN_PERCENT: usize = 80;

/// Whether the first of `transactions` declare, by their [footprints](Vm::footprint), that each waits for the one before
/// it. Others are told apart after a few.
pub(crate) fn is_declared_chain<V: Vm>(vm: &V, transactions: &[V::Transaction]) -> bool {
    if transactions.len() < LEAST {
        return false;
    }
    let sample = &transactions[..transactions.len().min(LOOKED_AT)];
    // A hint that panics is no hint.
    catch_unwind(AssertUnwindSafe(|| is_chain(vm, sample))).unwrap_or(false)
}

fn is_chain<V: Vm>(vm: &V, transactions: &[V::Transaction]) -> bool {
    // How many transactions have followed each other when the last one that touches the key is executed.
    let mut levels: HashMap<V::Key, usize, RandomState> = HashMap::default();
    let mut longest = 0;
    let mut touched: SmallVec<[(V::Key, Touch); 8]> = SmallVec::new();
    for (before, transaction) in transactions.iter().enumerate() {
        let mut level = 0;
        vm.footprint(transaction, &mut |key, touch| {
            if touch == Touch::Write {
                level = level.max(levels.get(&key).copied().unwrap_or_default());
            }
            touched.push((key, touch));
        });
        level += 1;
        longest = longest.max(level);
        for (key, touch) in touched.drain(..) {
            let of_key = levels.entry(key).or_default();
            *of_key = if touch == Touch::Write { level } else { level.max(*of_key) };
        }
        if before + 1 >= LEAST && longest * 100 < (before + 1) * CHAIN_PERCENT {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_value::Nothing;
    use crate::vm::{Outcome, StateView, Stop};

    /// From one key to another one, which it only adds to.
    struct Payments;

    impl Vm for Payments {
        type Transaction = (u32, u32);
        type Key = u32;
        type Value = Nothing;
        type Output = ();

        fn execute<S: StateView<u32, Nothing>>(&self, _: &(u32, u32), _: &mut S) -> Result<Outcome<()>, Stop> {
            Ok(Outcome::applied((), 0))
        }

        fn footprint(&self, (from, to): &(u32, u32), declare: &mut dyn FnMut(u32, Touch)) {
            assert_ne!(*from, u32::MAX, "a hint that panics");
            declare(*from, Touch::Write);
            declare(*to, Touch::Add);
        }
    }

    fn is_declared(payments: impl IntoIterator<Item = (u32, u32)>) -> bool {
        is_declared_chain(&Payments, &payments.into_iter().collect::<Vec<_>>())
    }

    #[test]
    fn who_pays_the_next_payer_and_who_pays_all_is_a_chain() {
        assert!(is_declared((0..20).map(|at| (at, at + 1))));
        assert!(is_declared((0..20).map(|at| (7, 100 + at))));
        assert!(is_declared((0..10_000).map(|at| (at.min(LOOKED_AT as u32), at + 1))), "as far as is looked");
        assert!(is_declared((0..20).map(|at| if at == 5 { (50, 51) } else { (7, 100 + at) })), "nearly all");
    }

    #[test]
    fn others_are_not() {
        assert!(!is_declared((0..20).map(|at| (at, at))), "everybody pays himself");
        assert!(!is_declared((0..20).map(|at| (at, 100))), "additions wait for nobody");
        assert!(!is_declared((0..20).map(|at| (at % 2, 100 + at))), "two chains");
        assert!(!is_declared((0..7).map(|at| (at, at + 1))), "too few to tell");
        assert!(!is_declared((0..40).map(|at| if at < 20 { (at, at + 1) } else { (at, 100) })), "half of it is");
        assert!(!is_declared((0..20).map(|at| if at == 3 { (u32::MAX, 1) } else { (7, 100 + at) })), "who knows");
    }
}
