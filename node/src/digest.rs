//! Digests by which two executions are compared.
//!
//! The ledger's own state digest (spec 3.3) visits every account, which no chain can afford at every block. A block's
//! digest is therefore chained: it commits to the digest before it, the block's number and the sorted change set. Two
//! chains with equal genesis digests and equal block digests have equal states. The state digest itself is computed
//! where a person asks for it.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use weft_ledger::state::{EnergyResource, Key, Value, encode_key, encode_value};
use weft_ledger::{ExportedAccounts, GlobalState, Hash, digest_stream};
use weft_storage::{Snapshot, StorageError};

use crate::chain::Genesis;
use crate::executor::Changes;

/// The digest of the state after block `number`, whose changes are `changes`, on the state with digest `parent`.
#[must_use]
pub fn block_digest(parent: &Hash, number: u64, changes: &Changes) -> Hash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&parent.0);
    hasher.update(&number.to_be_bytes());
    let mut entry = Vec::with_capacity(1 << 16);
    for (key, value) in changes {
        // Lengths keep neighbouring entries apart.
        let start = entry.len();
        entry.extend_from_slice(&[0; 8]);
        encode_key(key, &mut entry);
        let middle = entry.len();
        if let Some(value) = value {
            entry.push(1);
            encode_value(value, &mut entry);
        }
        let lengths = ((middle - start) as u32, (entry.len() - middle) as u32);
        entry[start..start + 4].copy_from_slice(&lengths.0.to_be_bytes());
        entry[start + 4..start + 8].copy_from_slice(&lengths.1.to_be_bytes());
        if entry.len() > 1 << 15 {
            hasher.update(&entry);
            entry.clear();
        }
    }
    hasher.update(&entry);
    Hash(*hasher.finalize().as_bytes())
}

/// The digest that a chain begins with: the ledger's state digest of its genesis. That one knows accounts only (spec
/// 3.3), so where the genesis holds anything else, contracts above all, its entries are chained to it like those of a
/// block.
#[must_use]
pub fn genesis_digest(genesis: &Genesis) -> Hash {
    let entries: BTreeMap<Key, Value> = genesis.iter().cloned().collect();
    let state = weft_ledger::state_digest(&entries);
    if entries.keys().all(|key| matches!(key, Key::Account(_) | Key::Energy(_) | Key::Counter(_))) {
        return state;
    }
    block_digest(&state, 0, &entries.into_iter().map(|(key, value)| (key, Some(value))).collect())
}

/// The ledger's state digest (spec 3.3) of a whole snapshot. Visits every entry.
///
/// # Errors
/// [`StorageError`] when the snapshot cannot be read.
pub fn state_digest(snapshot: &dyn Snapshot<Key, Value>) -> Result<Hash, StorageError> {
    let global = GlobalState::from_counters(|key| snapshot.read(key))?;
    let mut accounts = Vec::new();
    let mut resources: Vec<(_, EnergyResource)> = Vec::new();
    snapshot.for_each(&mut |key, value| {
        match (key, value) {
            (Key::Account(address), Value::Account(account)) => accounts.push((*address, account.clone())),
            (Key::Energy(address), Value::Energy(resource)) => resources.push((*address, resource.clone())),
            _ => {}
        }
        ControlFlow::Continue(())
    })?;
    let export = || {
        let accounts = accounts.iter().cloned().map(Ok::<_, StorageError>);
        let resources = resources.iter().cloned().map(Ok);
        Ok(ExportedAccounts::new(accounts, resources))
    };
    digest_stream(&global, export)
}
