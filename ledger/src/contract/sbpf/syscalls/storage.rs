//! The contract's own storage, and its transient storage.

use smallvec::SmallVec;

use super::{Arguments, NONE, limit};
use crate::contract::sbpf::context::{Context, Stop};
use crate::contract::{Host, StorageFull};
use crate::state::StorageValue;

const READ_PRICE: u64 = 1000;
const WRITE_PRICE: u64 = 5000;
const DELETE_PRICE: u64 = 500;
const ADD_PRICE: u64 = 5000;
const TRANSIENT_PRICE: u64 = 100;

/// A key; most need no allocation.
type Key = SmallVec<[u8; 64]>;

impl Context {
    fn read_key(&mut self, address: u64, length: u64) -> Result<Key, Stop> {
        let mut key = Key::new();
        self.memory.read(address, length, &mut key)?;
        Ok(key)
    }

    fn key_limit(&self, length: u64) -> Result<(), Stop> {
        limit("a key", length, self.limits.key_bytes)
    }

    /// Hands a value out. Its price beyond the first part is known only now: key and value count as one length.
    fn give_value(
        &mut self,
        key_length: u64,
        value: Option<&StorageValue>,
        out: u64,
        capacity: u64,
    ) -> Result<u64, Stop> {
        let Some(value) = value.map(StorageValue::as_slice) else { return Ok(NONE) };
        let copied = capacity.min(value.len() as u64);
        self.charge_bytes(0, key_length.saturating_add(copied))?;
        self.write_fitting(out, capacity, value)
    }

    /// The key and the value of a write.
    fn take_pair(
        &mut self,
        price: u64,
        [key, key_length, value, length, _]: Arguments,
    ) -> Result<(Key, Vec<u8>), Stop> {
        self.key_limit(key_length)?;
        limit("a value", length, self.limits.value_bytes)?;
        self.charge_bytes(price, key_length.saturating_add(length))?;
        Ok((self.read_key(key, key_length)?, self.read(value, length)?))
    }
}

pub(super) fn read(
    context: &mut Context,
    host: &mut dyn Host,
    [key, key_length, out, capacity, _]: Arguments,
) -> Result<u64, Stop> {
    context.key_limit(key_length)?;
    context.charge(READ_PRICE)?;
    let key = context.read_key(key, key_length)?;
    let value = host.storage_read(&key)?;
    context.give_value(key_length, value.as_ref(), out, capacity)
}

pub(super) fn write(context: &mut Context, host: &mut dyn Host, arguments: Arguments) -> Result<u64, Stop> {
    let (key, value) = context.take_pair(WRITE_PRICE, arguments)?;
    host.storage_write(&key, &value)?;
    Ok(0)
}

pub(super) fn delete(
    context: &mut Context,
    host: &mut dyn Host,
    [key, key_length, ..]: Arguments,
) -> Result<u64, Stop> {
    context.key_limit(key_length)?;
    context.charge(DELETE_PRICE)?;
    let key = context.read_key(key, key_length)?;
    host.storage_write(&key, &[])?;
    Ok(0)
}

pub(super) fn add(
    context: &mut Context,
    host: &mut dyn Host,
    [key, key_length, amount, ..]: Arguments,
) -> Result<u64, Stop> {
    context.key_limit(key_length)?;
    context.charge(ADD_PRICE)?;
    let key = context.read_key(key, key_length)?;
    match host.storage_add(&key, amount) {
        Ok(()) => Ok(0),
        Err(StorageFull::OutOfBounds) => Ok(1),
        Err(StorageFull::Interrupted) => Err(Stop::Interrupted),
    }
}

pub(super) fn transient_read(
    context: &mut Context,
    host: &mut dyn Host,
    [key, key_length, out, capacity, _]: Arguments,
) -> Result<u64, Stop> {
    context.key_limit(key_length)?;
    context.charge(TRANSIENT_PRICE)?;
    let key = context.read_key(key, key_length)?;
    let value = host.transient_read(&key);
    context.give_value(key_length, value.as_ref(), out, capacity)
}

pub(super) fn transient_write(context: &mut Context, host: &mut dyn Host, arguments: Arguments) -> Result<u64, Stop> {
    let (key, value) = context.take_pair(TRANSIENT_PRICE, arguments)?;
    host.transient_write(&key, &value);
    Ok(0)
}
