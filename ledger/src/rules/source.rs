//! The source of a transaction while it runs: read once, changed in place, written once.

use weft_engine::StateView;

use crate::error::TosError;
use crate::state::{Account, Counter, Delta, EnergyResource, Key, Value};
use crate::types::Address;
use crate::wire::{FeeType, Transaction};

use super::{Failure, TosVm};

/// The source and, where the transaction needs it, its energy resource.
pub(super) struct Source {
    pub(super) address: Address,
    pub(super) account: Account,
    /// `None` where there is none, or where the transaction has no business with it.
    pub(super) resource: Option<EnergyResource>,
}

impl Source {
    /// Reads the energy resource if it is needed and exists; the account says so without a second read.
    pub(super) fn load<S: StateView<Key, Value>>(
        address: Address,
        account: Account,
        needs_resource: bool,
        state: &mut S,
    ) -> Result<Self, Failure> {
        let resource = if needs_resource && account.has_energy {
            match state.read(&Key::Energy(address))? {
                Some(Value::Energy(resource)) => Some(resource),
                _ => return Err(TosError::InternalError.into()),
            }
        } else {
            None
        };
        Ok(Self { address, account, resource })
    }

    /// Energy that can pay a fee: the resource's if there is one, else the account's (spec 4.3).
    pub(super) fn fee_energy(&self) -> u64 {
        self.resource.as_ref().map_or(self.account.energy, |resource| resource.energy)
    }

    /// Step 12 for the amounts of a transaction, and their debit. The fee is only reserved: [`Source::settle`]
    /// takes it.
    pub(super) fn spend(&mut self, amount: u64, fee: u64) -> Result<(), TosError> {
        let needed = amount.checked_add(fee).ok_or(TosError::InsufficientBalance)?;
        if self.account.balance < needed {
            return Err(TosError::InsufficientBalance);
        }
        self.account.balance -= amount;
        Ok(())
    }

    /// Takes the fee, advances the nonce, writes everything back.
    pub(super) fn settle<S: StateView<Key, Value>>(
        mut self,
        vm: &TosVm,
        transaction: &Transaction,
        state: &mut S,
    ) -> Result<(), Failure> {
        match transaction.fee_type {
            FeeType::Tos => {
                self.account.balance =
                    self.account.balance.checked_sub(transaction.fee).ok_or(TosError::InsufficientFee)?;
                if transaction.fee > 0 && vm.config().fee_counter {
                    state.add(Key::Counter(Counter::Fees), Delta::CountSaturating(transaction.fee))?;
                }
            }
            FeeType::Energy => {
                let energy = match &mut self.resource {
                    Some(resource) => &mut resource.energy,
                    None => &mut self.account.energy,
                };
                *energy = energy.checked_sub(1).ok_or(TosError::InsufficientEnergy)?;
            }
            FeeType::Uno => {}
        }
        // No rule says what follows the last nonce (spec 4.4); reusing one would be worse than ending.
        self.account.nonce = self.account.nonce.checked_add(1).ok_or(TosError::Overflow)?;
        if let Some(resource) = self.resource {
            self.account.has_energy = true;
            state.write(Key::Energy(self.address), Value::Energy(resource));
        }
        state.write(Key::Account(self.address), Value::Account(self.account));
        Ok(())
    }
}
