//! Deferred credits (spec 7.2): the base that a block in this mode runs on.
//!
//! A credit goes to [`Key::PendingCredit`] of the receiver, so that a spend, which reads [`Key::Account`], never
//! depends on it. Whether a credit overflows depends on the receiver's balance at the start of the block, though:
//! the pending value carries it, and [`DeferredReader`] puts it there. So the overflow is found by the ordinary
//! delta check, for the first transaction in order whose prefix overflows, and nobody reads the receiver for it.

use weft_storage::{StateReader, StorageError};

use crate::state::{Key, PendingCredits, Value};

/// What [`Key::PendingCredit`] holds before the block, given what [`Key::Account`] of the same address holds.
#[must_use]
pub const fn deferred_base(account: Option<&Value>) -> Option<Value> {
    match account {
        Some(Value::Account(account)) => {
            Some(Value::PendingCredit(PendingCredits { start_balance: account.balance, credits: 0 }))
        }
        _ => None,
    }
}

/// A reader that answers for pending credits from the accounts below.
#[derive(Debug, Clone)]
pub struct DeferredReader<R>(pub R);

impl<R: StateReader<Key, Value>> StateReader<Key, Value> for DeferredReader<R> {
    fn read(&self, key: &Key) -> Result<Option<Value>, StorageError> {
        match key {
            Key::PendingCredit(address) => Ok(deferred_base(self.0.read(&Key::Account(*address))?.as_ref())),
            other => self.0.read(other),
        }
    }
}
