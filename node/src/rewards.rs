//! Rewards within a block's execution (spec 7.3), the same for every executor: before its transactions and after.

use std::sync::Arc;

use weft_engine::Outcome;
use weft_ledger::rules::{
    BlockContext, BlockTotals, CreditVisibility, DeferredReader, FinishError, LedgerConfig, Payout, Receipt,
    miner_earnings,
};
use weft_ledger::state::Key;
use weft_storage::StorageError;

use crate::executor::{Changes, SharedState};

/// What a block is executed on.
pub(crate) struct BlockBase {
    /// The state before the block.
    stored: SharedState,
    /// The same, as the credit visibility wants it.
    visible: SharedState,
    /// The reward, where there are any.
    payout: Option<Payout>,
}

impl BlockBase {
    /// Prepares a block on `state`.
    pub(crate) fn new(
        ledger: &LedgerConfig,
        context: &BlockContext,
        state: &SharedState,
    ) -> Result<Self, FinishError<StorageError>> {
        let visible: SharedState = match ledger.credit_visibility {
            CreditVisibility::Immediate => Arc::clone(state),
            CreditVisibility::Deferred => Arc::new(DeferredReader(Arc::clone(state))),
        };
        let payout = Payout::prepare(ledger, context, |key| visible.read(key))?;
        Ok(Self { stored: Arc::clone(state), visible, payout })
    }

    /// The state before the block, as it is stored.
    pub(crate) fn stored(&self) -> &SharedState {
        &self.stored
    }

    /// The state that the transactions run on: what is credited before them is part of it.
    pub(crate) fn state(&self) -> SharedState {
        match &self.payout {
            Some(payout) if !payout.early().is_empty() => Arc::new(payout.reader(Arc::clone(&self.visible))),
            _ => Arc::clone(&self.visible),
        }
    }

    /// Completes the changes of an accepted block by its reward, its fees and its gas, and the totals likewise.
    /// Deferred credits are not merged yet.
    pub(crate) fn settle(
        &self,
        outcomes: &[Outcome<Receipt>],
        changes: &mut Changes,
        totals: &mut BlockTotals,
    ) -> Result<(), FinishError<StorageError>> {
        let Some(payout) = &self.payout else { return Ok(()) };
        for early in payout.early() {
            // The executors compare with a state that has the credit already: what they leave out has changed.
            match find(changes, &early.key) {
                Ok(at) if changes[at].1 == early.before => drop(changes.remove(at)),
                Ok(_) => {}
                Err(at) => changes.insert(at, (early.key, Some(early.after.clone()))),
            }
        }
        let earned = miner_earnings(outcomes);
        let paid = payout.settle(earned, |key| match find(changes, key) {
            Ok(at) => Ok(changes[at].1.clone()),
            Err(_) => self.visible.read(key),
        })?;
        for value in paid {
            match find(changes, &value.key) {
                Err(at) => changes.insert(at, (value.key, Some(value.after))),
                Ok(at) => {
                    // The transactions changed it already: perhaps this brings it back.
                    let before = self.visible.read(&value.key).map_err(FinishError::Base)?;
                    if before.as_ref() == Some(&value.after) {
                        changes.remove(at);
                    } else {
                        changes[at].1 = Some(value.after);
                    }
                }
            }
        }
        *totals = totals.with_payout(payout, earned);
        Ok(())
    }
}

fn find(changes: &Changes, key: &Key) -> Result<usize, usize> {
    changes.binary_search_by_key(key, |change| change.0)
}

#[cfg(test)]
mod tests {
    use weft_ledger::rules::RewardOrder;
    use weft_ledger::state::{Account, Counter, Value};
    use weft_ledger::{Address, TosError};
    use weft_storage::StateReader;

    use super::*;

    const MINER: Key = Key::Account(Address([9; 32]));
    const DEVELOPER: Key = Key::Account(Address([8; 32]));

    /// The miner has 100, with a nonce that a credit must keep.
    struct Stored;

    impl StateReader<Key, Value> for Stored {
        fn read(&self, key: &Key) -> Result<Option<Value>, StorageError> {
            Ok((*key == MINER).then(|| account(100)))
        }
    }

    fn account(balance: u64) -> Value {
        Value::Account(Account { balance, nonce: 3, ..Account::default() })
    }

    /// The changes of a block without fees, whose transactions changed `changes`.
    fn settled(order: RewardOrder, mut changes: Changes) -> Changes {
        let ledger = LedgerConfig { rewards: Some(order), ..LedgerConfig::default() };
        let (miner, developer) = (Address([9; 32]), Address([8; 32]));
        let context = BlockContext { miner, developer, ..BlockContext::default() };
        let state: SharedState = Arc::new(Stored);
        let base = BlockBase::new(&ledger, &context, &state).unwrap();
        base.settle(&[], &mut changes, &mut BlockTotals::default()).unwrap();
        changes
    }

    fn expected(miner: Option<Value>) -> Changes {
        let supply = (Key::Counter(Counter::TotalSupply), Some(Value::Counter(97_486_707)));
        let developer = Account { balance: 9_748_670, ..Account::default() };
        let mut expected = vec![supply, (DEVELOPER, Some(Value::Account(developer)))];
        expected.extend(miner.map(|miner| (MINER, Some(miner))));
        expected
    }

    #[test]
    fn an_account_that_no_transaction_changes_is_a_change() {
        for order in [RewardOrder::Before, RewardOrder::After] {
            assert_eq!(settled(order, vec![]), expected(Some(account(100 + 87_738_037))), "{order:?}");
        }
    }

    #[test]
    fn what_transactions_make_of_an_early_credit_stays() {
        assert_eq!(settled(RewardOrder::Before, vec![(MINER, Some(account(7)))]), expected(Some(account(7))));
        // Brought back to what it was without the credit: no change at all.
        assert_eq!(settled(RewardOrder::Before, vec![(MINER, Some(account(100)))]), expected(None));
    }

    #[test]
    fn a_late_credit_adds_to_what_transactions_left_and_may_undo_it() {
        let left = |balance| settled(RewardOrder::After, vec![(MINER, Some(account(balance)))]);
        assert_eq!(left(7), expected(Some(account(7 + 87_738_037))));
        let ledger = LedgerConfig { rewards: Some(RewardOrder::Before), ..LedgerConfig::default() };
        let context = BlockContext { miner: Address([9; 32]), developer: Address([8; 32]), ..BlockContext::default() };
        let state: SharedState = Arc::new(Stored);
        let base = BlockBase::new(&ledger, &context, &state).unwrap();
        // Spent down to 95, and five units of fees: 100 again.
        let mut changes = vec![(MINER, Some(account(95)))];
        let receipt = Receipt { result: Ok(()), fee: 5, ..Receipt::failure(TosError::InternalError) };
        let fees = [Outcome::applied(receipt, 0)];
        base.settle(&fees, &mut changes, &mut BlockTotals::default()).unwrap();
        assert_eq!(changes, expected(None));
    }
}
