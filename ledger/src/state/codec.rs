//! The bytes of keys and values in a database. Each has one encoding; the keys' sorts as [`Key`] does.

use std::sync::Arc;

use thiserror::Error;
use weft_storage::{StorageCodec, StorageError};

use crate::contract::Module;
use crate::types::{Address, Hash};
use crate::wire::{DecodeError, DecodeReason, Reader};

use super::mining_codec::{read_miner, read_task, write_miner, write_task};
use super::{
    Account, AccountData, Counter, DelegatedRecord, EnergyRecords, EnergyResource, FreezeRecord, Key, MultisigConfig,
    PendingCredits, PendingUnfreeze, StorageValue, Value,
};

/// Stored bytes that are no key or value: the database is damaged or of another version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("stored {what} is damaged: {source}")]
pub struct CodecError {
    /// "key" or "value".
    pub what: &'static str,
    /// What is wrong, and at which byte.
    pub source: DecodeError,
}

const HAS_MULTISIG: u8 = 1;
const HAS_ENERGY: u8 = 2;

/// Appends the bytes of `key`: a tag, then the name.
pub fn encode_key(key: &Key, out: &mut Vec<u8>) {
    let (tag, bytes): (u8, &[u8]) = match key {
        Key::Counter(counter) => (1, &[*counter as u8]),
        Key::Account(address) => (2, &address.0),
        Key::Energy(address) => (3, &address.0),
        Key::Multisig(address) => (4, &address.0),
        Key::Contract(id) => (5, &id.0),
        Key::Storage(slot) => (6, &slot.0),
        Key::Miner(address) => (16, &address.0),
        Key::MiningTask(id) => (17, &id.0),
        // It is no kind of key in a database; this only keeps it the last.
        Key::PendingCredit(address) => (0xff, &address.0),
    };
    out.push(tag);
    out.extend_from_slice(bytes);
}

/// Reads what [`encode_key`] wrote.
///
/// # Errors
/// [`CodecError`] for any other bytes.
pub fn decode_key(bytes: &[u8]) -> Result<Key, CodecError> {
    complete(bytes, read_key).map_err(|source| CodecError { what: "key", source })
}

/// Appends the bytes of `value`: a tag, then the fields, all integers big-endian.
pub fn encode_value(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Account(account) => {
            out.push(1);
            numbers(out, &[account.balance, account.nonce, account.frozen, account.energy, account.flags]);
            let multisig = if account.has_multisig { HAS_MULTISIG } else { 0 };
            let energy = if account.has_energy { HAS_ENERGY } else { 0 };
            out.push(multisig | energy);
            out.extend_from_slice(account.data.as_slice());
        }
        Value::Energy(resource) => {
            out.push(2);
            numbers(out, &[resource.energy, resource.frozen_tos]);
            let EnergyRecords { freeze, delegated, pending } = &*resource.records;
            numbers(out, &[freeze.len() as u64, delegated.len() as u64, pending.len() as u64]);
            for record in freeze {
                numbers(out, &[record.amount, record.energy_gained, record.freeze_height, record.unlock_height]);
            }
            for record in delegated {
                out.extend_from_slice(&record.delegatee.0);
                numbers(out, &[record.amount, record.energy_gained, record.freeze_height, record.unlock_height]);
            }
            for record in pending {
                numbers(out, &[record.amount, record.expire_height]);
                out.push(u8::from(record.from_delegation));
            }
        }
        Value::Multisig(config) => {
            out.extend_from_slice(&[3, config.threshold]);
            config.participants.iter().for_each(|participant| out.extend_from_slice(&participant.0));
        }
        Value::Counter(number) => {
            out.push(4);
            numbers(out, &[*number]);
        }
        Value::Contract(module) => {
            out.push(5);
            // The hash is stored too: whoever reads the module would have to compute it.
            out.extend_from_slice(&module.hash().0);
            out.extend_from_slice(module.bytes());
        }
        Value::Storage(value) => {
            out.push(6);
            out.extend_from_slice(value.as_slice());
        }
        Value::Miner(record) => {
            out.push(16);
            write_miner(out, record);
        }
        Value::MiningTask(task) => {
            out.push(17);
            write_task(out, task);
        }
        Value::PendingCredit(pending) => {
            out.push(255);
            numbers(out, &[pending.start_balance, pending.credits]);
        }
    }
}

/// Reads what [`encode_value`] wrote.
///
/// # Errors
/// [`CodecError`] for any other bytes.
pub fn decode_value(bytes: &[u8]) -> Result<Value, CodecError> {
    complete(bytes, read_value).map_err(|source| CodecError { what: "value", source })
}

pub(super) fn numbers(out: &mut Vec<u8>, numbers: &[u64]) {
    numbers.iter().for_each(|number| out.extend_from_slice(&number.to_be_bytes()));
}

fn complete<T>(bytes: &[u8], read: impl FnOnce(&mut Reader<'_>) -> Result<T, DecodeError>) -> Result<T, DecodeError> {
    let mut reader = Reader::new(bytes);
    let result = read(&mut reader)?;
    reader.finish()?;
    Ok(result)
}

fn read_key(r: &mut Reader<'_>) -> Result<Key, DecodeError> {
    Ok(match r.u8()? {
        1 => {
            let value = r.u8()?;
            let counter = Counter::ALL.into_iter().find(|counter| *counter as u8 == value);
            Key::Counter(counter.ok_or(r.error_at(1, DecodeReason::BadTag { what: "counter", value }))?)
        }
        2 => Key::Account(Address(r.array()?)),
        3 => Key::Energy(Address(r.array()?)),
        4 => Key::Multisig(Address(r.array()?)),
        5 => Key::Contract(Hash(r.array()?)),
        6 => Key::Storage(Hash(r.array()?)),
        16 => Key::Miner(Address(r.array()?)),
        17 => Key::MiningTask(Hash(r.array()?)),
        0xff => Key::PendingCredit(Address(r.array()?)),
        value => return Err(r.error_at(0, DecodeReason::BadTag { what: "key kind", value })),
    })
}

fn read_value(r: &mut Reader<'_>) -> Result<Value, DecodeError> {
    Ok(match r.u8()? {
        1 => Value::Account(read_account(r)?),
        2 => Value::Energy(read_energy(r)?),
        3 => {
            let threshold = r.u8()?;
            let mut participants = Vec::with_capacity(r.remaining() / 32);
            while r.remaining() > 0 {
                participants.push(Address(r.array()?));
            }
            Value::Multisig(Arc::new(MultisigConfig { threshold, participants }))
        }
        4 => Value::Counter(r.u64()?),
        5 => {
            let hash = Hash(r.array()?);
            Value::Contract(Module::with_hash(hash, r.bytes(r.remaining())?.into()))
        }
        6 => Value::Storage(StorageValue::new(r.bytes(r.remaining())?)),
        16 => Value::Miner(Arc::new(read_miner(r)?)),
        17 => Value::MiningTask(Arc::new(read_task(r)?)),
        255 => Value::PendingCredit(PendingCredits { start_balance: r.u64()?, credits: r.u64()? }),
        value => return Err(r.error_at(0, DecodeReason::BadTag { what: "value kind", value })),
    })
}

fn read_account(r: &mut Reader<'_>) -> Result<Account, DecodeError> {
    let (balance, nonce, frozen, energy, flags) = (r.u64()?, r.u64()?, r.u64()?, r.u64()?, r.u64()?);
    let offset = r.offset();
    let bits = r.u8()?;
    if bits & !(HAS_MULTISIG | HAS_ENERGY) != 0 {
        return Err(r.error_at(offset, DecodeReason::BadTag { what: "set of account bits", value: bits }));
    }
    let data = AccountData::new(r.bytes(r.remaining())?.to_vec());
    let (has_multisig, has_energy) = (bits & HAS_MULTISIG != 0, bits & HAS_ENERGY != 0);
    Ok(Account { balance, nonce, frozen, energy, flags, data, has_multisig, has_energy })
}

pub(super) fn read_list<T>(
    r: &mut Reader<'_>,
    count: u64,
    entry_bytes: usize,
    mut read: impl FnMut(&mut Reader<'_>) -> Result<T, DecodeError>,
) -> Result<Vec<T>, DecodeError> {
    // The capacity is bounded by the bytes that are there, and a count beyond them ends in "too short".
    let mut list = Vec::with_capacity(r.capacity(usize::try_from(count).unwrap_or(usize::MAX), entry_bytes));
    for _ in 0..count {
        list.push(read(r)?);
    }
    Ok(list)
}

fn read_energy(r: &mut Reader<'_>) -> Result<EnergyResource, DecodeError> {
    let (energy, frozen_tos) = (r.u64()?, r.u64()?);
    let (freeze, delegated, pending) = (r.u64()?, r.u64()?, r.u64()?);
    let freeze = read_list(r, freeze, 32, |r| {
        Ok(FreezeRecord { amount: r.u64()?, energy_gained: r.u64()?, freeze_height: r.u64()?, unlock_height: r.u64()? })
    })?;
    let delegated = read_list(r, delegated, 64, |r| {
        Ok(DelegatedRecord {
            delegatee: Address(r.array()?),
            amount: r.u64()?,
            energy_gained: r.u64()?,
            freeze_height: r.u64()?,
            unlock_height: r.u64()?,
        })
    })?;
    let pending = read_list(r, pending, 17, |r| {
        Ok(PendingUnfreeze { amount: r.u64()?, expire_height: r.u64()?, from_delegation: r.bool()? })
    })?;
    Ok(EnergyResource { energy, frozen_tos, records: Arc::new(EnergyRecords { freeze, delegated, pending }) })
}

impl StorageCodec for Key {
    fn encode(&self, out: &mut Vec<u8>) {
        encode_key(self, out);
    }

    fn decode(bytes: &[u8]) -> Result<Self, StorageError> {
        decode_key(bytes).map_err(corrupt)
    }
}

impl StorageCodec for Value {
    fn encode(&self, out: &mut Vec<u8>) {
        encode_value(self, out);
    }

    fn decode(bytes: &[u8]) -> Result<Self, StorageError> {
        decode_value(bytes).map_err(corrupt)
    }
}

fn corrupt(error: CodecError) -> StorageError {
    StorageError::corrupt(error.what, error.source.to_string())
}
