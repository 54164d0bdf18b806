//! The state below a block: everything in memory, read by all threads at once.

use revm::bytecode::Bytecode;
use revm::database_interface::{DBErrorMarker, DatabaseRef};
use revm::primitives::{Address, AddressMap, B256, B256Map, HashMap, StorageKeyMap, StorageValue, U256};
use revm::state::{AccountInfo, EvmState};

/// An account with its storage.
#[derive(Debug, Clone, Default)]
struct StoredAccount {
    info: AccountInfo,
    storage: StorageKeyMap<U256>,
}

/// Accounts with their storage, and code by its hash as real databases keep it.
#[derive(Debug, Clone, Default)]
pub struct MemoryDatabase {
    accounts: AddressMap<StoredAccount>,
    code: B256Map<Bytecode>,
    block_hashes: HashMap<u64, B256>,
}

/// Something was asked for that no state of this kind can lack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MissingError {
    /// An account has this code hash, but there is no such code.
    #[error("there is no code with hash {0}")]
    Code(B256),
    /// Nobody gave the hash of this ancestor.
    #[error("the hash of block {0} is not known")]
    BlockHash(u64),
}

impl DBErrorMarker for MissingError {}

impl MemoryDatabase {
    /// Puts an account in place, without storage.
    pub fn insert(&mut self, address: Address, mut info: AccountInfo) {
        if let Some(code) = info.code.take().filter(|code| !code.is_empty()) {
            self.code.insert(info.code_hash, code);
        }
        self.accounts.entry(address).or_default().info = info;
    }

    /// Sets a slot of an account.
    pub fn set_storage(&mut self, address: Address, slot: U256, value: U256) {
        let storage = &mut self.accounts.entry(address).or_default().storage;
        if value.is_zero() {
            storage.remove(&slot)
        } else {
            storage.insert(slot, value)
        };
    }

    /// Makes the hash of an ancestor known.
    pub fn set_block_hash(&mut self, number: u64, hash: B256) {
        self.block_hashes.insert(number, hash);
    }

    /// How many transactions an account has sent.
    #[must_use]
    pub fn nonce(&self, address: &Address) -> u64 {
        self.accounts.get(address).map_or(0, |account| account.info.nonce)
    }

    /// Takes over what an execution on this state has changed.
    pub fn apply(&mut self, state: EvmState) {
        for (address, account) in state {
            if !account.is_touched() {
                continue;
            }
            if account.is_selfdestructed() || account.is_empty() {
                self.accounts.remove(&address);
                continue;
            }
            if account.is_created() {
                self.accounts.remove(&address);
            }
            self.insert(address, account.info);
            for (slot, value) in account.storage {
                self.set_storage(address, slot, value.present_value);
            }
        }
    }

    /// Accounts and slots: how large the state is.
    #[must_use]
    pub fn size(&self) -> (usize, usize) {
        (self.accounts.len(), self.accounts.values().map(|account| account.storage.len()).sum())
    }
}

impl DatabaseRef for MemoryDatabase {
    type Error = MissingError;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>, MissingError> {
        Ok(self.accounts.get(&address).map(|account| account.info.clone()))
    }

    fn code_by_hash_ref(&self, hash: B256) -> Result<Bytecode, MissingError> {
        self.code.get(&hash).cloned().ok_or(MissingError::Code(hash))
    }

    fn storage_ref(&self, address: Address, slot: U256) -> Result<StorageValue, MissingError> {
        Ok(self.accounts.get(&address).and_then(|account| account.storage.get(&slot)).copied().unwrap_or_default())
    }

    fn block_hash_ref(&self, number: u64) -> Result<B256, MissingError> {
        self.block_hashes.get(&number).copied().ok_or(MissingError::BlockHash(number))
    }
}
