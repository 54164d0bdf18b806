//! Other contracts: their calls, what they return, their code.

use solana_sbpf::vm::ContextObject;

use super::{Arguments, NONE, limit, slice};
use crate::contract::sbpf::context::{Context, Stop};
use crate::contract::{Host, InvokeError, Module};
use crate::types::Hash;

const INVOKE_PRICE: u64 = 10_000;
const DATA_PRICE: u64 = 100;
const CODE_SIZE_PRICE: u64 = 1000;
const CODE_HASH_PRICE: u64 = 1500;
const CODE_COPY_PRICE: u64 = 2000;

/// Results of `invoke` that are no exit codes.
const NOT_FOUND: u64 = u64::MAX;
const REENTRANT: u64 = u64::MAX - 1;
const TOO_DEEP: u64 = u64::MAX - 2;
const TRAPPED: u64 = u64::MAX - 3;
/// The largest exit code that is given as it is: 2^64-16.
const LARGEST_CODE: u64 = u64::MAX - 15;

pub(super) fn invoke(
    context: &mut Context,
    host: &mut dyn Host,
    [contract, input, length, ..]: Arguments,
) -> Result<u64, Stop> {
    limit("an input", length, context.limits.input_bytes)?;
    context.charge_bytes(INVOKE_PRICE, length)?;
    let contract = Hash(context.memory.read_32(contract)?);
    let input = context.read(input, length)?;
    let invoked = host.invoke(&contract, input, context.get_remaining())?;
    context.charge(invoked.gas_used)?;
    context.returned = invoked.output;
    Ok(match invoked.end {
        Ok(code) if code <= LARGEST_CODE => code,
        Err(InvokeError::NotFound) => NOT_FOUND,
        Err(InvokeError::Reentrant) => REENTRANT,
        Err(InvokeError::Depth) => TOO_DEEP,
        Ok(_) | Err(InvokeError::Trapped) => TRAPPED,
    })
}

pub(super) fn return_data(
    context: &mut Context,
    _: &mut dyn Host,
    [out, capacity, ..]: Arguments,
) -> Result<u64, Stop> {
    let returned = std::mem::take(&mut context.returned);
    context.charge_bytes(DATA_PRICE, capacity.min(returned.len() as u64))?;
    let length = context.write_fitting(out, capacity, &returned)?;
    context.returned = returned;
    Ok(length)
}

pub(super) fn set_return_data(
    context: &mut Context,
    host: &mut dyn Host,
    [data, length, ..]: Arguments,
) -> Result<u64, Stop> {
    limit("return data", length, context.limits.return_bytes)?;
    context.charge_bytes(DATA_PRICE, length)?;
    let data = context.read(data, length)?;
    host.set_return_data(&data);
    Ok(0)
}

fn code(context: &mut Context, host: &mut dyn Host, contract: u64) -> Result<Option<Module>, Stop> {
    let contract = Hash(context.memory.read_32(contract)?);
    Ok(host.code(&contract)?)
}

pub(super) fn code_size(context: &mut Context, host: &mut dyn Host, [contract, ..]: Arguments) -> Result<u64, Stop> {
    context.charge(CODE_SIZE_PRICE)?;
    Ok(code(context, host, contract)?.map_or(NONE, |module| module.bytes().len() as u64))
}

pub(super) fn code_hash(
    context: &mut Context,
    host: &mut dyn Host,
    [contract, out, ..]: Arguments,
) -> Result<u64, Stop> {
    context.charge(CODE_HASH_PRICE)?;
    let Some(module) = code(context, host, contract)? else { return Ok(NONE) };
    context.memory.write(out, &module.hash().0)?;
    Ok(0)
}

pub(super) fn code_copy(
    context: &mut Context,
    host: &mut dyn Host,
    [contract, offset, length, out, _]: Arguments,
) -> Result<u64, Stop> {
    context.charge(CODE_COPY_PRICE)?;
    let Some(module) = code(context, host, contract)? else { return Ok(NONE) };
    let (start, length) = slice(module.bytes().len(), offset, length);
    context.charge_bytes(0, length as u64)?;
    context.memory.write(out, &module.bytes()[start..start + length])?;
    Ok(length as u64)
}
