//! What a block changes, in a form in which two executions can be compared.

use std::collections::BTreeMap;

use revm::database_interface::DatabaseRef;
use revm::primitives::hardfork::SpecId;
use revm::primitives::{Address, B256, U256};
use revm::state::{AccountInfo, EvmState};

/// The changed accounts of a block.
pub type Changes = BTreeMap<Address, ChangedAccount>;

/// An account after a block, without the caches and marks that depend on who executed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedAccount {
    /// Balance, nonce and the hash of the code; none where there is no account any more.
    pub info: Option<(U256, u64, B256)>,
    /// The slots that differ from the state below.
    pub storage: BTreeMap<U256, U256>,
}

/// What an execution that left `state` has changed in `database`.
///
/// # Errors
/// As the database gives them.
pub fn changes<DB: DatabaseRef>(database: &DB, spec: SpecId, state: &EvmState) -> Result<Changes, DB::Error> {
    let plain = |info: &AccountInfo| (info.balance, info.nonce, info.code_hash);
    let mut changes = Changes::new();
    for (address, account) in state.iter().filter(|(_, account)| account.is_touched()) {
        let gone = account.is_selfdestructed() || account.state_clear_aware_is_empty(spec);
        let info = (!gone).then(|| plain(&account.info));
        let mut storage = BTreeMap::new();
        for (&slot, value) in account.storage.iter().filter(|_| !gone) {
            // What a new account finds at its address is nobody's any more.
            let below = if account.is_created() { U256::ZERO } else { database.storage_ref(*address, slot)? };
            if below != value.present_value {
                storage.insert(slot, value.present_value);
            }
        }
        if info != database.basic_ref(*address)?.as_ref().map(plain) || !storage.is_empty() {
            changes.insert(*address, ChangedAccount { info, storage });
        }
    }
    Ok(changes)
}
