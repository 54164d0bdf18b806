//! Hashes and signatures.

use ripemd::Ripemd160;
use sha2::Sha256;
use sha3::{Digest, Keccak256};

use super::Arguments;
use crate::contract::Host;
use crate::contract::sbpf::context::{Context, Stop};
use crate::crypto::{self, Signature};
use crate::types::Address;

const HASH_PRICE: u64 = 200;
const RIPEMD_PRICE: u64 = 600;
const RIPEMD_WORD_PRICE: u64 = 120;
const RIPEMD_WORD: u64 = 32;
const SCHNORR_PRICE: u64 = 69_000;

fn hash<const N: usize>(
    context: &mut Context,
    [data, length, out, ..]: Arguments,
    hash: impl FnOnce(&[u8]) -> [u8; N],
) -> Result<u64, Stop> {
    let data = context.read(data, length)?;
    context.memory.write(out, &hash(&data))?;
    Ok(0)
}

pub(super) fn blake3(context: &mut Context, _: &mut dyn Host, arguments: Arguments) -> Result<u64, Stop> {
    context.charge_bytes(HASH_PRICE, arguments[1])?;
    hash(context, arguments, |data| *blake3::hash(data).as_bytes())
}

pub(super) fn sha256(context: &mut Context, _: &mut dyn Host, arguments: Arguments) -> Result<u64, Stop> {
    context.charge_bytes(HASH_PRICE, arguments[1])?;
    hash(context, arguments, |data| Sha256::digest(data).into())
}

pub(super) fn keccak256(context: &mut Context, _: &mut dyn Host, arguments: Arguments) -> Result<u64, Stop> {
    context.charge_bytes(HASH_PRICE, arguments[1])?;
    hash(context, arguments, |data| Keccak256::digest(data).into())
}

pub(super) fn ripemd160(context: &mut Context, _: &mut dyn Host, arguments: Arguments) -> Result<u64, Stop> {
    let words = arguments[1].div_ceil(RIPEMD_WORD);
    context.charge(RIPEMD_PRICE.saturating_add(words.saturating_mul(RIPEMD_WORD_PRICE)))?;
    hash(context, arguments, |data| Ripemd160::digest(data).into())
}

pub(super) fn schnorr_verify(
    context: &mut Context,
    _: &mut dyn Host,
    [key, message, length, signature, _]: Arguments,
) -> Result<u64, Stop> {
    context.charge_bytes(SCHNORR_PRICE, length)?;
    let key = Address(context.memory.read_32(key)?);
    let message = context.read(message, length)?;
    let mut bytes = [0; 64];
    bytes[..32].copy_from_slice(&context.memory.read_32(signature)?);
    bytes[32..].copy_from_slice(&context.memory.read_32(signature.wrapping_add(32))?);
    let valid = Signature::from_bytes(bytes).is_some_and(|signature| crypto::verify(&key, &message, &signature));
    Ok(u64::from(valid))
}
