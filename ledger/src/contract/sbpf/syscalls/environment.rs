//! What a contract is told about where it runs.

use sha3::{Digest, Keccak256};

use super::{Arguments, slice};
use crate::contract::sbpf::context::{Context, Stop};
use crate::contract::{Environment, Host};
use crate::types::Hash;

const PRICE: u64 = 100;

fn bytes32(context: &mut Context, host: &dyn Host, out: u64, of: fn(&Environment) -> [u8; 32]) -> Result<u64, Stop> {
    context.charge(PRICE)?;
    context.memory.write(out, &of(host.environment()))?;
    Ok(0)
}

pub(super) fn caller(context: &mut Context, host: &mut dyn Host, [out, ..]: Arguments) -> Result<u64, Stop> {
    bytes32(context, host, out, |environment| environment.call.caller.0)
}

pub(super) fn signer(context: &mut Context, host: &mut dyn Host, [out, ..]: Arguments) -> Result<u64, Stop> {
    bytes32(context, host, out, |environment| environment.signer.0)
}

pub(super) fn program_id(context: &mut Context, host: &mut dyn Host, [out, ..]: Arguments) -> Result<u64, Stop> {
    bytes32(context, host, out, |environment| environment.call.contract.0)
}

pub(super) fn block_hash(context: &mut Context, host: &mut dyn Host, [out, ..]: Arguments) -> Result<u64, Stop> {
    bytes32(context, host, out, |environment| environment.block.hash.0)
}

pub(super) fn transaction_hash(context: &mut Context, host: &mut dyn Host, [out, ..]: Arguments) -> Result<u64, Stop> {
    bytes32(context, host, out, |environment| environment.transaction.0)
}

/// Known to everybody before the block is made: random to look at, no source of secrets.
pub(super) fn instant_random(context: &mut Context, host: &mut dyn Host, [out, ..]: Arguments) -> Result<u64, Stop> {
    bytes32(context, host, out, |environment| {
        Keccak256::new()
            .chain_update(environment.block.hash.0)
            .chain_update(environment.block.height.to_le_bytes())
            .chain_update(environment.block.timestamp.to_le_bytes())
            .chain_update(environment.transaction.0)
            .finalize()
            .into()
    })
}

pub(super) fn height(context: &mut Context, host: &mut dyn Host, _: Arguments) -> Result<u64, Stop> {
    context.charge(PRICE)?;
    Ok(host.environment().block.height)
}

pub(super) fn timestamp(context: &mut Context, host: &mut dyn Host, _: Arguments) -> Result<u64, Stop> {
    context.charge(PRICE)?;
    Ok(host.environment().block.timestamp)
}

pub(super) fn input_data(
    context: &mut Context,
    host: &mut dyn Host,
    [offset, length, out, ..]: Arguments,
) -> Result<u64, Stop> {
    let input = &host.environment().call.input;
    let (start, length) = slice(input.len(), offset, length);
    context.charge_bytes(PRICE, length as u64)?;
    context.memory.write(out, &input[start..start + length])?;
    Ok(length as u64)
}

pub(super) fn deposit(context: &mut Context, host: &mut dyn Host, [asset, ..]: Arguments) -> Result<u64, Stop> {
    context.charge(PRICE)?;
    let asset = Hash(context.memory.read_32(asset)?);
    Ok(host.deposit(&asset))
}
