//! The two hashes that a state test expects.

use alloy_primitives::{B256, Log, keccak256};
use alloy_trie::TrieAccount;
use alloy_trie::root::{state_root_unhashed, storage_root_unhashed};

use crate::common::world::World;

/// The root of the trie of accounts.
pub(crate) fn state_root(world: &World) -> B256 {
    state_root_unhashed(world.accounts.iter().map(|(address, account)| {
        let storage = account.storage.iter().map(|(slot, value)| (B256::from(*slot), *value));
        let storage_root = storage_root_unhashed(storage);
        (*address, TrieAccount::new(account.nonce, account.balance, storage_root, account.code_hash))
    }))
}

/// The hash of the list of all logs.
pub(crate) fn logs_hash(logs: &[Log]) -> B256 {
    let mut encoded = Vec::new();
    alloy_rlp::encode_list(logs, &mut encoded);
    keccak256(encoded)
}
