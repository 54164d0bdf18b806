//! Unfreezing and withdrawing (spec 5.4).

use weft_engine::StateView;

use crate::error::TosError;
use crate::state::{Delta, Key, PendingUnfreeze, Value};

use super::energy_constants::{MAX_PENDING_UNFREEZES, UNFREEZE_DAYS};
use super::freeze::{check_amount, frozen_minus, height_after};
use super::source::Source;
use super::{Failure, TosVm};

/// Step 10 of unfreezing.
pub(super) const fn check_unfreeze(amount: u64, from_delegation: bool, has_delegatee: bool) -> Result<(), TosError> {
    if let Err(error) = check_amount(amount) {
        return Err(error);
    }
    if has_delegatee && !from_delegation { Err(TosError::InvalidPayload) } else { Ok(()) }
}

/// Steps 12 and 13 of unfreezing. The freeze records, the energy and the balance stay as they are, and no unlock
/// height is looked at (spec 9, item 9).
pub(super) fn unfreeze(vm: &TosVm, amount: u64, from_delegation: bool, source: &mut Source) -> Result<(), TosError> {
    source.account.frozen = frozen_minus(source.account.frozen, amount).ok_or(TosError::InsufficientFrozen)?;
    let pending = source.resource.as_ref().map_or(0, |resource| resource.records.pending.len());
    if pending >= MAX_PENDING_UNFREEZES {
        return Err(TosError::InvalidPayload);
    }
    let resource = source.resource.as_mut().ok_or(TosError::InsufficientFrozen)?;
    resource.frozen_tos = frozen_minus(resource.frozen_tos, amount).ok_or(TosError::InsufficientFrozen)?;
    let expire_height = height_after(vm, UNFREEZE_DAYS)?;
    resource.records_mut().pending.push(PendingUnfreeze { amount, expire_height, from_delegation });
    Ok(())
}

/// Step 10 of withdrawing: there must be something frozen or on its way.
pub(super) fn check_withdraw(source: &Source) -> Result<(), TosError> {
    let nothing_pending = source.resource.as_ref().is_none_or(|resource| resource.records.pending.is_empty());
    if nothing_pending && source.account.frozen == 0 { Err(TosError::InvalidPayload) } else { Ok(()) }
}

/// Step 13 of withdrawing. With a resource a sum of 0 is a success too; without one all that is frozen comes back.
pub(super) fn withdraw<S: StateView<Key, Value>>(
    vm: &TosVm,
    source: &mut Source,
    state: &mut S,
) -> Result<(), Failure> {
    let height = vm.context().height;
    let sum = match &mut source.resource {
        Some(resource) => {
            let expired = |pending: &PendingUnfreeze| pending.expire_height <= height;
            let sum = resource
                .records
                .pending
                .iter()
                .filter(|pending| expired(pending))
                .try_fold(0_u64, |sum, pending| sum.checked_add(pending.amount))
                .ok_or(TosError::Overflow)?;
            if resource.records.pending.iter().any(expired) {
                resource.records_mut().pending.retain(|pending| !expired(pending));
            }
            sum
        }
        None => std::mem::take(&mut source.account.frozen),
    };
    if vm.is_deferred() {
        // It is a credit like any other: not for this block to spend.
        if sum > 0 {
            state.add(Key::PendingCredit(source.address), Delta::DeferredCredit(sum))?;
        }
    } else {
        source.account.balance = source.account.balance.checked_add(sum).ok_or(TosError::Overflow)?;
    }
    Ok(())
}
