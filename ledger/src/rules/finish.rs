//! The end of a block (spec 7.1, 7.2): height, time, and the credits that waited.

use thiserror::Error;

use crate::state::{Account, ChangeSet, Counter, Key, Value};
use crate::types::Address;

use super::BlockContext;

/// Why a block cannot end.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FinishError<E> {
    /// There is no height after this one.
    #[error("no height follows {0}")]
    Height(u64),
    /// A waiting credit does not fit its account. On a base with the start balances
    /// ([`DeferredReader`](super::DeferredReader)) the transaction itself is rejected; only a contract whose balance is
    /// near 2^64, and which gets deposits besides, comes here. No supply reaches that.
    #[error("the credits of the block overflow the balance of {0}")]
    CreditOverflow(Address),
    /// The reward, the fees or the gas of the block do not fit the balance of whom they are credited to (spec 7.3).
    #[error("what the block earns overflows the balance of {0}")]
    RewardOverflow(Address),
    /// The reward does not fit the emitted supply. It cannot happen as long as nothing else changes the supply.
    #[error("the reward of the block overflows the emitted supply")]
    SupplyOverflow,
    /// A key holds a value of another kind.
    #[error("the value of account {0} is not an account")]
    Damaged(Address),
    /// The emitted supply is not a number.
    #[error("the value of the emitted supply is not a counter")]
    DamagedSupply,
    /// The base failed.
    #[error("the state cannot be read: {0}")]
    Base(E),
}

/// Merges waiting credits (spec 7.2, deferred) into their accounts: `final = start + credits - spends`. Afterwards no
/// [`Key::PendingCredit`] is left. Without waiting credits it does nothing.
///
/// `base` reads the state before the block; it is asked only for accounts that got waiting credits and did nothing
/// else. On an error the changes are half merged and must be dropped.
///
/// # Errors
/// [`FinishError::CreditOverflow`], [`FinishError::Damaged`] and [`FinishError::Base`].
pub fn merge_pending_credits<E>(
    changes: &mut ChangeSet,
    mut base: impl FnMut(&Key) -> Result<Option<Value>, E>,
) -> Result<(), FinishError<E>> {
    // Pending credits are the last kind of key, so this takes them off the end.
    let pending = changes.split_off(&Key::PendingCredit(Address::default()));
    for (key, value) in pending {
        let (Key::PendingCredit(address), Some(Value::PendingCredit(pending))) = (key, value) else { continue };
        let account_key = Key::Account(address);
        let current = match changes.get(&account_key) {
            Some(changed) => changed.clone(),
            None => base(&account_key).map_err(FinishError::Base)?,
        };
        let account = match current {
            None => Account::default(),
            Some(Value::Account(account)) => account,
            Some(_) => return Err(FinishError::Damaged(address)),
        };
        let balance = account.balance.checked_add(pending.credits).ok_or(FinishError::CreditOverflow(address))?;
        changes.insert(account_key, Some(Value::Account(Account { balance, ..account })));
    }
    Ok(())
}

/// Completes the changes of an accepted block: merges waiting credits ([`merge_pending_credits`]), raises the height
/// by one, sets the time. A rejected block has no end: its changes are dropped. Rewards are not part of it: a block
/// that has one is settled before ([`Payout`](super::Payout)).
///
/// # Errors
/// [`FinishError`]; the changes must be dropped then.
pub fn finish_block<E>(
    context: &BlockContext,
    changes: &mut ChangeSet,
    base: impl FnMut(&Key) -> Result<Option<Value>, E>,
) -> Result<(), FinishError<E>> {
    merge_pending_credits(changes, base)?;
    changes.extend(end_of_block(context)?);
    Ok(())
}

/// What the end of an accepted block changes besides its transactions (spec 7.1): the height, raised by one, and the
/// time. In key order.
///
/// # Errors
/// [`FinishError::Height`].
pub fn end_of_block<E>(context: &BlockContext) -> Result<[(Key, Option<Value>); 2], FinishError<E>> {
    let height = context.height.checked_add(1).ok_or(FinishError::Height(context.height))?;
    Ok([
        (Key::Counter(Counter::BlockHeight), Some(Value::Counter(height))),
        (Key::Counter(Counter::Timestamp), Some(Value::Counter(context.timestamp))),
    ])
}
