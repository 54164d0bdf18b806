//! Freezing for the energy of others (spec 5.4).

use std::collections::BTreeSet;

use weft_engine::StateView;

use crate::error::TosError;
use crate::state::{Account, Counter, DelegatedRecord, Delta, Key, Value};
use crate::wire::{Delegation, MAX_DELEGATIONS};

use super::freeze::{check_amount, check_days, energy_for, frozen_plus, height_after};
use super::source::Source;
use super::{Failure, TosVm};

/// What the checks have found out.
pub(super) struct Plan {
    /// The delegatees' accounts, in the order of the entries.
    delegatees: Vec<Account>,
    /// Sum of the amounts; wider than a balance, so that it cannot wrap.
    total: u128,
}

/// Step 10.
pub(super) fn check<S: StateView<Key, Value>>(
    vm: &TosVm,
    delegations: &[Delegation],
    days: u32,
    source: &Source,
    state: &mut S,
) -> Result<Plan, Failure> {
    if delegations.is_empty() {
        return Err(TosError::InvalidPayload.into());
    }
    if delegations.len() > MAX_DELEGATIONS {
        return Err(TosError::InvalidFormat.into());
    }
    check_days(days)?;
    let mut seen = BTreeSet::new();
    let mut plan = Plan { delegatees: Vec::with_capacity(delegations.len()), total: 0 };
    for Delegation { delegatee, amount } in delegations {
        if *delegatee == source.address {
            return Err(TosError::SelfOperation.into());
        }
        if !seen.insert(delegatee) {
            return Err(TosError::InvalidPayload.into());
        }
        check_amount(*amount)?;
        plan.delegatees.push(vm.account(state, *delegatee)?.ok_or(TosError::AccountNotFound)?);
        plan.total += u128::from(*amount);
    }
    Ok(plan)
}

/// Steps 12 and 13.
pub(super) fn apply<S: StateView<Key, Value>>(
    vm: &TosVm,
    plan: Plan,
    delegations: &[Delegation],
    days: u32,
    source: &mut Source,
    state: &mut S,
) -> Result<(), Failure> {
    let total = u64::try_from(plan.total).map_err(|_| TosError::InsufficientBalance)?;
    source.spend(total, 0)?;
    source.account.frozen = frozen_plus(source.account.frozen, total);
    let resource = source.resource.get_or_insert_default();
    resource.frozen_tos = frozen_plus(resource.frozen_tos, total);
    let (freeze_height, unlock_height) = (vm.context().height, height_after(vm, u64::from(days))?);
    for (Delegation { delegatee, amount }, mut account) in delegations.iter().zip(plan.delegatees) {
        let energy_gained = energy_for(*amount, days);
        account.energy = account.energy.checked_add(energy_gained).ok_or(TosError::Overflow)?;
        if account.has_energy {
            // The vector rules would let a delegatee's resource hide what it was given (spec 5.4): it gets it too.
            let key = Key::Energy(*delegatee);
            let Some(Value::Energy(mut theirs)) = state.read(&key)? else {
                return Err(TosError::InternalError.into());
            };
            theirs.energy = theirs.energy.checked_add(energy_gained).ok_or(TosError::Overflow)?;
            state.write(key, Value::Energy(theirs));
        }
        state.write(Key::Account(*delegatee), Value::Account(account));
        state.add(Key::Counter(Counter::TotalEnergy), Delta::Count(energy_gained))?;
        let record =
            DelegatedRecord { delegatee: *delegatee, amount: *amount, energy_gained, freeze_height, unlock_height };
        resource.records_mut().delegated.push(record);
    }
    Ok(())
}
