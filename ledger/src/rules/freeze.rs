//! Freezing for one's own energy, and the arithmetic that all energy rules share (spec 5.4).

use weft_engine::StateView;

use crate::error::TosError;
use crate::state::{Counter, Delta, FreezeRecord, Key, Value};
use crate::types::COIN;

use super::energy_constants::{MAX_DAYS, MIN_DAYS};
use super::source::Source;
use super::{Failure, TosVm};

/// Step 10.
pub(super) fn check(amount: u64, days: u32) -> Result<(), TosError> {
    check_amount(amount)?;
    check_days(days)
}

/// At least one TOS, and whole ones.
pub(super) const fn check_amount(amount: u64) -> Result<(), TosError> {
    // The smallest whole amount above 0 is one TOS, so two tests make all three.
    if amount == 0 || !amount.is_multiple_of(COIN) { Err(TosError::InvalidAmount) } else { Ok(()) }
}

/// The duration's range.
pub(super) fn check_days(days: u32) -> Result<(), TosError> {
    if (MIN_DAYS..=MAX_DAYS).contains(&days) { Ok(()) } else { Err(TosError::InvalidFormat) }
}

/// Energy for `amount` frozen for `days`: two per whole TOS and day. Cannot overflow for days in range.
pub(super) const fn energy_for(amount: u64, days: u32) -> u64 {
    amount / COIN * 2 * days as u64
}

/// The frozen total after adding: counted in whole TOS, and staying at the maximum.
pub(super) const fn frozen_plus(old: u64, amount: u64) -> u64 {
    (old / COIN + amount / COIN).saturating_mul(COIN)
}

/// The frozen total after taking away; `None` when there is less than that. Fractions of the old total are dropped.
pub(super) const fn frozen_minus(old: u64, amount: u64) -> Option<u64> {
    match (old / COIN).checked_sub(amount / COIN) {
        // Cannot overflow: it is at most the old total.
        Some(whole) => Some(whole * COIN),
        None => None,
    }
}

/// `days` after the block's height.
pub(super) fn height_after(vm: &TosVm, days: u64) -> Result<u64, TosError> {
    vm.context().height.checked_add(days * vm.context().blocks_per_day()).ok_or(TosError::Overflow)
}

/// Steps 12 and 13.
pub(super) fn apply<S: StateView<Key, Value>>(
    vm: &TosVm,
    amount: u64,
    days: u32,
    source: &mut Source,
    state: &mut S,
) -> Result<(), Failure> {
    source.spend(amount, 0)?;
    let gained = energy_for(amount, days);
    let account = &mut source.account;
    account.frozen = frozen_plus(account.frozen, amount);
    account.energy = account.energy.checked_add(gained).ok_or(TosError::Overflow)?;
    let resource = source.resource.get_or_insert_default();
    resource.frozen_tos = frozen_plus(resource.frozen_tos, amount);
    resource.energy = resource.energy.checked_add(gained).ok_or(TosError::Overflow)?;
    let record = FreezeRecord {
        amount,
        energy_gained: gained,
        freeze_height: vm.context().height,
        unlock_height: height_after(vm, u64::from(days))?,
    };
    resource.records_mut().freeze.push(record);
    state.add(Key::Counter(Counter::TotalEnergy), Delta::Count(gained))?;
    Ok(())
}
