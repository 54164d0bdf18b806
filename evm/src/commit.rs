//! A block's changes in revm's own terms: what its databases take, and the bundle that nodes write.

use alloy_primitives::{Address, U256};
use revm::database::states::bundle_state::BundleRetention;
use revm::database::{BundleState, State};
use revm::database_interface::{DatabaseCommit, DatabaseRef, WrapDatabaseRef};
use revm::primitives::KECCAK_EMPTY;
use revm::state::{Account, AccountInfo, AccountStatus, EvmState, EvmStorageSlot, TransactionId};

use crate::block_changes::BlockChanges;
use crate::diff::Basics;

/// An account in one of revm's state maps.
fn account(before: Option<&AccountInfo>, after: AccountInfo, status: AccountStatus) -> Account {
    let mut account = Account::default();
    account.info = before.cloned().unwrap_or_default();
    account.set_current_info_as_original();
    account.info = after;
    account.status = status | AccountStatus::Touched;
    if before.is_none() {
        account.status |= AccountStatus::LoadedAsNotExisting;
    }
    account
}

impl BlockChanges {
    /// The changes as revm's state maps: first the accounts that are destroyed, then everything as it is after the
    /// block. Two, because one map cannot say that an account is destroyed and made anew.
    ///
    /// # Errors
    /// What `db` fails with, which must be what the block was executed on.
    pub fn evm_states<DB: DatabaseRef>(&self, db: &DB) -> Result<[EvmState; 2], DB::Error> {
        let clears = self.clears_empty_accounts();
        let (accounts, codes) = self.by_account();
        let (mut destroyed, mut changed) = (EvmState::default(), EvmState::default());
        for (address, change) in accounts {
            let before = db.basic_ref(address)?;
            let after = change.after(before.as_ref().map(Basics::from), clears);
            let is_wiped = change.generation() > 0;
            if (is_wiped || after.is_none())
                && let Some(before) = &before
            {
                let gone = account(Some(before), AccountInfo::default(), AccountStatus::SelfDestructed);
                destroyed.insert(address, gone);
            }
            let Some(after) = after else { continue };
            let code = if after.code_hash == KECCAK_EMPTY {
                Some(Default::default())
            } else {
                codes.get(&after.code_hash).cloned().or_else(|| before.as_ref().and_then(|info| info.code.clone()))
            };
            let info = AccountInfo {
                balance: after.balance,
                nonce: after.nonce,
                code_hash: after.code_hash,
                code,
                ..AccountInfo::default()
            };
            let is_made = is_wiped || (before.is_none() && !clears);
            let status = if is_made { AccountStatus::Created } else { AccountStatus::empty() };
            let found = if is_wiped { None } else { before.as_ref() };
            let mut account = account(found, info, status);
            for (slot, value) in change.last_slots() {
                let was = if is_made { U256::ZERO } else { db.storage_ref(address, slot)? };
                if was == value {
                    continue;
                }
                account.storage.insert(slot, EvmStorageSlot::new_changed(was, value, TransactionId::ZERO));
            }
            // Only looked at, by a transaction or two: revm's databases would clear an empty one.
            let is_as_before = !is_wiped && before.as_ref().map(Basics::from) == Some(after);
            if !is_as_before || !account.storage.is_empty() {
                changed.insert(address, account);
            }
        }
        Ok([destroyed, changed])
    }

    /// Commits the changes to a revm database.
    ///
    /// # Errors
    /// What `db` fails with, which must be what the block was executed on.
    pub fn commit<DB: DatabaseRef>(&self, db: &DB, into: &mut impl DatabaseCommit) -> Result<(), DB::Error> {
        for state in self.evm_states(db)? {
            if !state.is_empty() {
                into.commit(state);
            }
        }
        Ok(())
    }

    /// The changes as the bundle that nodes write to their database, with what takes them back.
    ///
    /// # Errors
    /// What `db` fails with, which must be what the block was executed on.
    pub fn bundle<DB: DatabaseRef>(&self, db: &DB) -> Result<BundleState, DB::Error> {
        let mut state = State::builder().with_database(WrapDatabaseRef(db)).with_bundle_update().build();
        self.commit(db, &mut state)?;
        state.merge_transitions(BundleRetention::Reverts);
        Ok(state.take_bundle())
    }

    /// The addresses of the accounts that are changed, ascending.
    #[must_use]
    pub fn addresses(&self) -> Vec<Address> {
        self.by_account().0.into_keys().collect()
    }
}
