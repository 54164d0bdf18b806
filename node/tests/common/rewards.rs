//! What the tests of rewards share: bystanders, among whom those who are rewarded do what they do.

use weft_ledger::rules::{BlockContext, RewardOrder};
use weft_ledger::{COIN, SignedTransaction};
use weft_node::executor::ExecutorSettings;

use super::*;

pub(crate) const ORDERS: [RewardOrder; 2] = [RewardOrder::Before, RewardOrder::After];

/// Pays among accounts 20 to 59, to have something to do in parallel: nobody else is touched, and each pays [`FEE`].
pub(crate) fn bystanders() -> Vec<SignedTransaction> {
    (20..40).map(|seed| tx(seed, 0, pay(seed + 20, 1))).collect()
}

/// These accounts, and what the bystanders pay from.
pub(crate) fn bystanders_and(balances: &[(u64, u64)]) -> State {
    let bystanders: Vec<_> = (20..40).map(|seed| (seed, COIN)).collect();
    state(&[balances, &bystanders].concat())
}

/// The bystanders' payments with others in their middle.
pub(crate) fn among_bystanders(transactions: &[SignedTransaction]) -> Vec<SignedTransaction> {
    let all = bystanders();
    [&all[..10], transactions, &all[10..]].concat()
}

/// What a block does where nothing fails, and the state after it.
pub(crate) fn succeed_in(
    settings: ExecutorSettings,
    context: BlockContext,
    start: &State,
    transactions: &[SignedTransaction],
) -> State {
    let block = agree_in(settings, context, start, transactions);
    assert_eq!((block.rejection, block.totals.rejected), (None, 0), "{settings:?}");
    after(start, &block)
}
