//! Burns (spec 5.2).

use weft_engine::StateView;

use crate::error::TosError;
use crate::state::{Counter, Delta, Key, Value};
use crate::wire::{BurnPayload, Transaction};

use super::Failure;

/// Step 10.
pub(super) fn check(transaction: &Transaction, payload: &BurnPayload) -> Result<(), TosError> {
    if payload.amount == 0 {
        return Err(TosError::InvalidAmount);
    }
    payload.amount.checked_add(transaction.fee).ok_or(TosError::InvalidFormat)?;
    Ok(())
}

/// Step 13: the counter. `total_supply` stays as it is.
pub(super) fn apply<S: StateView<Key, Value>>(payload: &BurnPayload, state: &mut S) -> Result<(), Failure> {
    state.add(Key::Counter(Counter::TotalBurned), Delta::Count(payload.amount))?;
    Ok(())
}
