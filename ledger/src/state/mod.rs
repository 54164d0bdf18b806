//! What the ledger stores: keys, values, the commutative deltas on them, and their bytes in a database (spec 3).

mod account;
mod codec;
mod delta;
mod energy;
mod key;
mod mining;
mod mining_codec;
mod storage;
mod value;

#[cfg(test)]
mod state_tests;

pub use account::{Account, AccountData};
pub use codec::{CodecError, decode_key, decode_value, encode_key, encode_value};
pub use delta::Delta;
pub use energy::{DelegatedRecord, EnergyRecords, EnergyResource, FreezeRecord, PendingUnfreeze};
pub use key::{Counter, Key};
pub use mining::{AccountReputation, Miner, MinerRecord, MiningTask, SubmittedAnswer, TaskStatus, ValidationScore};
pub use storage::{StorageValue, storage_slot};
pub use value::{MultisigConfig, PendingCredits, Value};

use std::collections::BTreeMap;

/// The changes of a block: `None` is a deletion. What the engine gives back, in key order.
pub type ChangeSet = BTreeMap<Key, Option<Value>>;

/// Applies changes to a state in memory.
pub fn apply_changes(state: &mut BTreeMap<Key, Value>, changes: ChangeSet) {
    for (key, value) in changes {
        match value {
            Some(value) => state.insert(key, value),
            None => state.remove(&key),
        };
    }
}
