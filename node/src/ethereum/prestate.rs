//! The state before a block, in memory, as revm reads it.

use std::collections::BTreeMap;

use alloy_primitives::map::{AddressMap, B256Map, U256Map};
use alloy_primitives::{Address, B256, KECCAK256_EMPTY, U256, keccak256};
use revm::bytecode::{Bytecode, BytecodeDecodeError};
use revm::database_interface::{DBErrorMarker, DatabaseRef};
use revm::state::AccountInfo;
use weft_evm::StateDiff;

use super::file::PrestateAccount;

/// What every execution of a block begins with: made once, read by all of them.
#[derive(Debug, Clone, Default)]
pub struct Prestate {
    accounts: AddressMap<Entry>,
    codes: B256Map<Bytecode>,
    block_hashes: BTreeMap<u64, B256>,
}

#[derive(Debug, Clone, Default)]
struct Entry {
    info: AccountInfo,
    storage: U256Map<U256>,
}

/// Why a prestate cannot be made of a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the code of {address} is malformed: {source}")]
pub struct CodeError {
    /// The account.
    pub address: Address,
    /// What is wrong.
    pub source: BytecodeDecodeError,
}

/// What an execution asks for, and a prestate cannot know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PrestateError {
    /// The hash of an ancestor. To make one up would give another result than the chain's.
    #[error("the file lacks the hash of block {0}, which BLOCKHASH asks for")]
    BlockHash(u64),
}

impl DBErrorMarker for PrestateError {}

impl Prestate {
    /// The prestate of a file, with the hash of each code computed from the code.
    ///
    /// # Errors
    /// [`CodeError`] where a code begins like a delegation (EIP-7702) and is none.
    pub fn new(
        accounts: &BTreeMap<Address, PrestateAccount>,
        block_hashes: &BTreeMap<u64, B256>,
    ) -> Result<Self, CodeError> {
        let mut prestate = Self { block_hashes: block_hashes.clone(), ..Self::default() };
        prestate.accounts.reserve(accounts.len());
        for (&address, account) in accounts {
            let zeroes_dropped = account.storage.iter().filter(|(_, value)| !value.is_zero());
            let storage: U256Map<U256> =
                zeroes_dropped.map(|(slot, value)| ((*slot).into(), (*value).into())).collect();
            let (code_hash, code) = if account.code.is_empty() {
                (KECCAK256_EMPTY, Bytecode::default())
            } else {
                // The same bytes for every account that has them: tokens and proxies are often copies.
                let hash = keccak256(&account.code);
                let code = match prestate.codes.get(&hash) {
                    Some(code) => code.clone(),
                    None => Bytecode::new_raw_checked(account.code.clone())
                        .map_err(|source| CodeError { address, source })?,
                };
                prestate.codes.insert(hash, code.clone());
                (hash, code)
            };
            let info = AccountInfo::new(account.balance, account.nonce, code_hash, code);
            // The tracer of geth lists what was looked up and is not there as an account with nothing. Before Spurious
            // Dragon the difference costs gas.
            if !info.is_empty() || !storage.is_empty() {
                prestate.accounts.insert(address, Entry { info, storage });
            }
        }
        Ok(prestate)
    }

    /// An account that exists.
    #[must_use]
    pub fn account(&self, address: &Address) -> Option<&AccountInfo> {
        self.accounts.get(address).map(|entry| &entry.info)
    }

    /// A slot; 0 where nothing was ever written.
    #[must_use]
    pub fn slot(&self, address: &Address, slot: &U256) -> U256 {
        self.accounts.get(address).and_then(|entry| entry.storage.get(slot)).copied().unwrap_or_default()
    }

    /// Takes over the slots of what was executed ahead of the transactions: the protocol's own calls change nothing
    /// else.
    pub(super) fn set_slots(&mut self, diff: &StateDiff) {
        for (address, account) in &diff.accounts {
            let Some(entry) = self.accounts.get_mut(address) else { continue };
            for (slot, value) in &account.slots {
                entry.storage.insert(*slot, *value);
            }
        }
    }
}

impl DatabaseRef for Prestate {
    type Error = PrestateError;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>, PrestateError> {
        Ok(self.account(&address).cloned())
    }

    fn code_by_hash_ref(&self, code_hash: B256) -> Result<Bytecode, PrestateError> {
        // Every account comes with its code, so that what is not here is of no account: code that the block deploys is
        // looked up before it is written. Nodes' databases answer that in the same way.
        Ok(self.codes.get(&code_hash).cloned().unwrap_or_default())
    }

    fn storage_ref(&self, address: Address, index: U256) -> Result<U256, PrestateError> {
        Ok(self.slot(&address, &index))
    }

    fn block_hash_ref(&self, number: u64) -> Result<B256, PrestateError> {
        self.block_hashes.get(&number).copied().ok_or(PrestateError::BlockHash(number))
    }
}
