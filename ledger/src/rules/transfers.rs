//! Transfers (spec 5.1).

use weft_engine::StateView;

use crate::error::TosError;
use crate::state::{Key, Value};
use crate::wire::{MAX_TRANSFERS, Transaction, Transfer};

use super::{Failure, TosVm};

/// Most bytes of one note.
pub const MAX_EXTRA_DATA_BYTES: usize = 128;
/// Most bytes of all notes of a transaction together.
pub const MAX_EXTRA_DATA_TOTAL_BYTES: usize = 4096;

/// Step 10. Gives the sum of the amounts; the sum with the fee fits too.
pub(super) fn check(transaction: &Transaction, entries: &[Transfer]) -> Result<u64, TosError> {
    if entries.is_empty() || entries.len() > MAX_TRANSFERS {
        return Err(TosError::InvalidFormat);
    }
    let mut total = 0_u64;
    let mut extra_total = 0;
    for entry in entries {
        if entry.destination == transaction.source {
            return Err(TosError::SelfOperation);
        }
        total = total.checked_add(entry.amount).ok_or(TosError::InsufficientFee)?;
        if let Some(extra) = &entry.extra_data {
            if extra.len() > MAX_EXTRA_DATA_BYTES {
                return Err(TosError::InvalidPayload);
            }
            extra_total += extra.len();
        }
    }
    if extra_total > MAX_EXTRA_DATA_TOTAL_BYTES {
        return Err(TosError::InvalidPayload);
    }
    total.checked_add(transaction.fee).ok_or(TosError::InsufficientFee)?;
    Ok(total)
}

/// Step 13: the credits, in order. Not one receiver is read; a credit of 0 creates its account too.
pub(super) fn apply<S: StateView<Key, Value>>(vm: &TosVm, entries: &[Transfer], state: &mut S) -> Result<(), Failure> {
    for entry in entries {
        let (key, delta) = vm.credit(entry.destination, entry.amount);
        state.add(key, delta)?;
    }
    Ok(())
}
