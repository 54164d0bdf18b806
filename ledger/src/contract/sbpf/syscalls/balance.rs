//! Balances and transfers.

use super::Arguments;
use crate::contract::sbpf::context::{Context, Stop};
use crate::contract::{Host, TransferError};
use crate::types::Address;

const BALANCE_PRICE: u64 = 500;
const TRANSFER_PRICE: u64 = 5000;

pub(super) fn balance(context: &mut Context, host: &mut dyn Host, [address, ..]: Arguments) -> Result<u64, Stop> {
    context.charge(BALANCE_PRICE)?;
    let address = Address(context.memory.read_32(address)?);
    Ok(host.balance(&address)?)
}

pub(super) fn transfer(
    context: &mut Context,
    host: &mut dyn Host,
    [from, to, amount, ..]: Arguments,
) -> Result<u64, Stop> {
    context.charge(TRANSFER_PRICE)?;
    let from = Address(context.memory.read_32(from)?);
    let to = Address(context.memory.read_32(to)?);
    match host.transfer(&from, &to, amount) {
        Ok(()) => Ok(0),
        Err(TransferError::NotOwner) => Ok(1),
        Err(TransferError::SenderIsReceiver) => Ok(2),
        Err(TransferError::InsufficientBalance) => Ok(3),
        Err(TransferError::BalanceOverflow) => Ok(4),
        Err(TransferError::Interrupted) => Err(Stop::Interrupted),
    }
}
