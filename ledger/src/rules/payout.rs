//! How a block's reward, fees and gas reach the accounts (spec 7.3).
//!
//! They go the way of every credit: as a delta on [`Key::Account`] with immediate credits, on [`Key::PendingCredit`]
//! with deferred ones. What is credited before the transactions is put beneath them by a [`RewardedReader`]: to them
//! it is part of the state that the block began with, so no transaction conflicts with another because of it.

use weft_engine::Outcome;
use weft_mvmemory::Value as _;
use weft_storage::{StateReader, StorageError};

use crate::state::{Counter, Delta, Key, Value};
use crate::types::Address;

use super::rewards::{BlockReward, miner_gas_share};
use super::{BlockContext, CreditVisibility, FinishError, LedgerConfig, Receipt, RewardOrder};

const SUPPLY: Key = Key::Counter(Counter::TotalSupply);

/// A value that a reward changes.
#[derive(Debug, Clone, PartialEq)]
pub struct RewardedValue {
    /// Whose value.
    pub key: Key,
    /// The value without the reward.
    pub before: Option<Value>,
    /// The value with it.
    pub after: Value,
}

/// A block's reward on its way to the accounts: [prepared](Self::prepare) before the block's transactions,
/// [settled](Self::settle) after them.
#[derive(Debug, Clone, PartialEq)]
pub struct Payout {
    order: RewardOrder,
    visibility: CreditVisibility,
    miner: Address,
    developer: Address,
    reward: BlockReward,
    early: Vec<RewardedValue>,
}

/// What the transactions of a block earn its miner (spec 7.3): every fee once, and of every gas the part that is not
/// burned. Failures and fees paid with energy bring nothing.
pub fn miner_earnings<'a>(outcomes: impl IntoIterator<Item = &'a Outcome<Receipt>>) -> u128 {
    let earned =
        |outcome: &Outcome<Receipt>| u128::from(outcome.output.fee) + u128::from(miner_gas_share(outcome.gas_used));
    outcomes.into_iter().map(earned).sum()
}

/// Credits that are being added up. A block has at most three keys of them.
struct Credits<F> {
    visibility: CreditVisibility,
    read: F,
    values: Vec<RewardedValue>,
}

impl<E, F: FnMut(&Key) -> Result<Option<Value>, E>> Credits<F> {
    const fn new(visibility: CreditVisibility, read: F) -> Self {
        Self { visibility, read, values: Vec::new() }
    }

    /// Adds to an account; one that does not exist is created, also by 0.
    fn credit(&mut self, address: Address, amount: u64) -> Result<(), FinishError<E>> {
        let is_account: fn(&Value) -> bool = |value| matches!(value, Value::Account(_));
        let is_pending: fn(&Value) -> bool = |value| matches!(value, Value::PendingCredit(_));
        let (key, delta, fits) = match self.visibility {
            CreditVisibility::Immediate => (Key::Account(address), Delta::Credit(amount), is_account),
            CreditVisibility::Deferred => (Key::PendingCredit(address), Delta::DeferredCredit(amount), is_pending),
        };
        self.add(key, delta, fits, FinishError::Damaged(address), FinishError::RewardOverflow(address))
    }

    fn add(
        &mut self,
        key: Key,
        delta: Delta,
        fits: fn(&Value) -> bool,
        damaged: FinishError<E>,
        overflow: FinishError<E>,
    ) -> Result<(), FinishError<E>> {
        let known = self.values.iter().position(|value| value.key == key);
        let current = match known {
            Some(at) => Some(self.values[at].after.clone()),
            None => (self.read)(&key).map_err(FinishError::Base)?,
        };
        if current.as_ref().is_some_and(|value| !fits(value)) {
            return Err(damaged);
        }
        let after = Value::apply(current.as_ref(), &delta).map_err(|_| overflow)?;
        match known {
            Some(at) => self.values[at].after = after,
            None => self.values.push(RewardedValue { key, before: current, after }),
        }
        Ok(())
    }

    /// What has changed: a credit of nothing to an account that exists has not.
    fn into_changed(mut self) -> Vec<RewardedValue> {
        self.values.retain(|value| value.before.as_ref() != Some(&value.after));
        self.values
    }
}

impl Payout {
    /// The reward of the block of `context`; `None` where [`LedgerConfig::rewards`] is.
    ///
    /// `base` reads the state before the block, with deferred credits through a
    /// [`DeferredReader`](super::DeferredReader).
    ///
    /// # Errors
    /// [`FinishError::RewardOverflow`] where what is credited before the transactions does not fit,
    /// [`FinishError::Damaged`], [`FinishError::DamagedSupply`] and [`FinishError::Base`].
    pub fn prepare<E>(
        config: &LedgerConfig,
        context: &BlockContext,
        mut base: impl FnMut(&Key) -> Result<Option<Value>, E>,
    ) -> Result<Option<Self>, FinishError<E>> {
        let Some(order) = config.rewards else { return Ok(None) };
        let emitted = match base(&SUPPLY).map_err(FinishError::Base)? {
            None => 0,
            Some(Value::Counter(emitted)) => emitted,
            Some(_) => return Err(FinishError::DamagedSupply),
        };
        let reward = BlockReward::of(emitted, context);
        let BlockContext { miner, developer, .. } = *context;
        let mut credits = Credits::new(config.credit_visibility, base);
        if order == RewardOrder::Before {
            credits.credit(developer, reward.developer)?;
            credits.credit(miner, reward.miner)?;
        }
        let (visibility, early) = (config.credit_visibility, credits.into_changed());
        Ok(Some(Self { order, visibility, miner, developer, reward, early }))
    }

    /// The reward without fees and gas.
    #[must_use]
    pub const fn reward(&self) -> &BlockReward {
        &self.reward
    }

    /// What is credited before the transactions, at most two values. A key that the block's transactions leave
    /// unchanged has the value `after` after them all the same, and is a change of the block.
    #[must_use]
    pub fn early(&self) -> &[RewardedValue] {
        &self.early
    }

    /// The state that the block's transactions run on.
    #[must_use]
    pub fn reader<R>(&self, base: R) -> RewardedReader<R> {
        RewardedReader { base, early: self.early.clone() }
    }

    /// What is credited after the transactions: `earned`, the block's fees and the miner's share of its gas, and with
    /// [`RewardOrder::After`] the reward; and the emitted supply. With deferred credits this comes before
    /// [`merge_pending_credits`](super::merge_pending_credits).
    ///
    /// `current` reads the state after the transactions, early credits included.
    ///
    /// # Errors
    /// [`FinishError`], but not [`FinishError::Height`].
    pub fn settle<E>(
        &self,
        earned: u128,
        current: impl FnMut(&Key) -> Result<Option<Value>, E>,
    ) -> Result<Vec<RewardedValue>, FinishError<E>> {
        let mut credits = Credits::new(self.visibility, current);
        let late = match self.order {
            RewardOrder::Before => earned,
            RewardOrder::After => {
                credits.credit(self.developer, self.reward.developer)?;
                earned.saturating_add(u128::from(self.reward.miner))
            }
        };
        let late = u64::try_from(late).map_err(|_| FinishError::RewardOverflow(self.miner))?;
        credits.credit(self.miner, late)?;
        // No counter is created for nothing.
        if self.reward.emitted > 0 {
            let is_counter = |value: &Value| matches!(value, Value::Counter(_));
            let emitted = Delta::Count(self.reward.emitted);
            credits.add(SUPPLY, emitted, is_counter, FinishError::DamagedSupply, FinishError::SupplyOverflow)?;
        }
        Ok(credits.into_changed())
    }
}

/// A reader that shows what was credited before the transactions. Made by [`Payout::reader`].
#[derive(Debug, Clone)]
pub struct RewardedReader<R> {
    base: R,
    early: Vec<RewardedValue>,
}

impl<R: StateReader<Key, Value>> StateReader<Key, Value> for RewardedReader<R> {
    fn read(&self, key: &Key) -> Result<Option<Value>, StorageError> {
        match self.early.iter().find(|value| value.key == *key) {
            Some(value) => Ok(Some(value.after.clone())),
            None => self.base.read(key),
        }
    }
}
