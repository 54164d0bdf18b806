//! Steps 1 to 9 of spec 4.1: what every transaction must pass, whatever its type.

use weft_engine::StateView;

use crate::error::TosError;
use crate::signed::SignedTransaction;
use crate::state::{Key, Value};
use crate::wire::{FeeType, OpaqueKind, Payload, Transaction};

use super::fee::required_fee;
use super::source::Source;
use super::{Failure, TosVm};

/// Checks the envelope and reads the source.
pub(super) fn admit<S: StateView<Key, Value>>(
    vm: &TosVm,
    signed: &SignedTransaction,
    state: &mut S,
) -> Result<Source, Failure> {
    let transaction = signed.transaction();
    if transaction.chain_id != vm.context().chain_id {
        return Err(TosError::InvalidType.into());
    }
    let account = vm.account(state, transaction.source)?.ok_or(TosError::AccountNotFound)?;
    check_fee_form(signed)?;
    match transaction.nonce.cmp(&account.nonce) {
        std::cmp::Ordering::Less => return Err(TosError::NonceTooLow.into()),
        std::cmp::Ordering::Greater => return Err(TosError::NonceTooHigh.into()),
        std::cmp::Ordering::Equal => {}
    }
    let needs_resource = transaction.fee_type == FeeType::Energy || matches!(transaction.payload, Payload::Energy(_));
    let source = Source::load(transaction.source, account, needs_resource, state)?;
    match transaction.fee_type {
        FeeType::Tos if source.account.balance < transaction.fee => Err(TosError::InsufficientFee.into()),
        FeeType::Energy if source.fee_energy() == 0 => Err(TosError::InsufficientEnergy.into()),
        _ => Ok(source),
    }
}

/// Steps 3 to 7: the fee fields, without money.
fn check_fee_form(signed: &SignedTransaction) -> Result<(), TosError> {
    let transaction = signed.transaction();
    let Transaction { payload, fee, fee_type, .. } = transaction;
    if *fee_type == FeeType::Tos && has_minimum_fee(payload) && *fee < required_fee(signed) {
        return Err(TosError::InsufficientFee);
    }
    if *fee_type == FeeType::Energy {
        if !may_pay_with_energy(payload) {
            return Err(TosError::InvalidFormat);
        }
        if *fee != 0 {
            return Err(TosError::InvalidPayload);
        }
    }
    if matches!(payload, Payload::Energy(_)) && *fee != 0 {
        return Err(TosError::InvalidPayload);
    }
    let is_uno = matches!(payload, Payload::Opaque(opaque) if opaque.kind() == OpaqueKind::UnoTransfers);
    if *fee_type == FeeType::Uno && (!is_uno || *fee != 0) {
        return Err(TosError::InvalidFormat);
    }
    Ok(())
}

/// The types of step 3, and AI mining (spec 6). A contract call has no minimum (spec 4.3), and energy transactions are free.
const fn has_minimum_fee(payload: &Payload) -> bool {
    matches!(
        payload,
        Payload::Transfers(_)
            | Payload::Burn(_)
            | Payload::Multisig(_)
            | Payload::DeployContract(_)
            | Payload::AiMining(_)
    )
}

/// The types of step 4: transfers, public and private.
fn may_pay_with_energy(payload: &Payload) -> bool {
    match payload {
        Payload::Transfers(_) => true,
        Payload::Opaque(opaque) => opaque.kind().is_privacy(),
        _ => false,
    }
}
