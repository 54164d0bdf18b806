//! Contract transactions (spec 5.5, 5.6): deployments and calls.
//!
//! A call that fails is not a failed transaction: nonce, fee and gas stay, everything that the call did is undone. The
//! order of effects is that of the specification: the whole gas is taken first, then the deposits, then the contract
//! runs, and at the end what it did not use comes back.

mod call;
mod deploy;
mod frame;
mod invoke;

#[cfg(test)]
mod tests;

pub use deploy::{ContractIds, contract_id};

pub(super) use deploy::{check as check_deploy, deploy};
pub(super) use invoke::{check as check_invoke, invoke};

use crate::error::TosError;
use crate::types::COIN;
use crate::wire::Deposit;

/// What a deployment costs besides its fee, in atomic units. Not part of the burned supply (spec 5.5).
pub const BURN_PER_CONTRACT: u64 = COIN;
/// Most gas that a transaction may offer, in atomic units; above the machine's own limit all of it is consumed.
pub const MAX_GAS_USAGE_PER_TX: u64 = 10 * COIN;
/// Most deposits of one call.
pub const MAX_DEPOSIT_PER_INVOKE_CALL: usize = 255;

/// The rules for gas and deposits that need no money and no state.
fn check_offer(max_gas: u64, deposits: &[Deposit]) -> Result<(), TosError> {
    if max_gas > MAX_GAS_USAGE_PER_TX || deposits.len() > MAX_DEPOSIT_PER_INVOKE_CALL {
        return Err(TosError::InvalidPayload);
    }
    if deposits.iter().any(|deposit| deposit.amount == 0) {
        return Err(TosError::InvalidFormat);
    }
    Ok(())
}
