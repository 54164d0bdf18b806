//! A state of Ethereum in memory, as the tries have it: an account exists or does not, a slot of zero is no slot.

use std::collections::BTreeMap;
use std::convert::Infallible;

use alloy_primitives::map::B256Map;
use alloy_primitives::{Address, B256, Bytes, KECCAK256_EMPTY, U256, keccak256};
use revm::bytecode::Bytecode;
use revm::database_interface::DatabaseRef;
use revm::state::{Account as Changed, AccountInfo};

/// An account that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) balance: U256,
    pub(crate) nonce: u64,
    pub(crate) code_hash: B256,
    pub(crate) storage: BTreeMap<U256, U256>,
}

/// All accounts that exist, and the code that they may have.
#[derive(Debug, Clone, Default)]
pub(crate) struct World {
    pub(crate) accounts: BTreeMap<Address, Account>,
    codes: B256Map<Bytecode>,
}

impl World {
    /// Puts an account there, in place of one that was there.
    pub(crate) fn insert(
        &mut self,
        address: Address,
        balance: U256,
        nonce: u64,
        code: &Bytes,
        storage: impl IntoIterator<Item = (U256, U256)>,
    ) {
        let code_hash = keccak256(code);
        if !code.is_empty() {
            let code = Bytecode::new_raw_checked(code.clone()).unwrap_or_else(|_| Bytecode::new_legacy(code.clone()));
            self.codes.insert(code_hash, code);
        }
        let storage = storage.into_iter().filter(|(_, value)| !value.is_zero()).collect();
        self.accounts.insert(address, Account { balance, nonce, code_hash, storage });
    }

    /// Takes over what `other` has and this has not; an account is taken whole or not at all.
    pub(crate) fn add_missing(&mut self, other: &Self) {
        for (address, account) in &other.accounts {
            self.accounts.entry(*address).or_insert_with(|| account.clone());
        }
        self.codes.extend(other.codes.iter().map(|(hash, code)| (*hash, code.clone())));
    }

    /// Applies what was changed, as databases do: a touched account that is empty afterwards is gone. (In forks without
    /// that rule, revm says of such an account that it was created, or that it was not touched.)
    pub(crate) fn commit<'a>(&mut self, changes: impl IntoIterator<Item = (&'a Address, &'a Changed)>) {
        for (address, changed) in changes {
            if !changed.is_touched() {
                continue;
            }
            if changed.is_selfdestructed() || (changed.is_empty() && !changed.is_created()) {
                self.accounts.remove(address);
                continue;
            }
            let info = &changed.info;
            if let Some(code) = &info.code
                && !code.is_empty()
            {
                self.codes.insert(info.code_hash, code.clone());
            }
            let account = self.accounts.entry(*address).or_insert_with(|| Account {
                balance: U256::ZERO,
                nonce: 0,
                code_hash: KECCAK256_EMPTY,
                storage: BTreeMap::new(),
            });
            (account.balance, account.nonce, account.code_hash) = (info.balance, info.nonce, info.code_hash);
            if changed.is_created() {
                account.storage.clear();
            }
            for (slot, value) in &changed.storage {
                if value.present_value.is_zero() {
                    account.storage.remove(slot);
                } else {
                    account.storage.insert(*slot, value.present_value);
                }
            }
        }
    }

    /// The accounts in which two states differ, each as both have it. Code counts by its hash.
    pub(crate) fn differences(&self, other: &Self) -> Vec<String> {
        let mut addresses: Vec<_> = self.accounts.keys().chain(other.accounts.keys()).collect();
        addresses.sort_unstable();
        addresses.dedup();
        addresses
            .into_iter()
            .map(|address| (address, self.accounts.get(address), other.accounts.get(address)))
            .filter(|(_, here, there)| here != there)
            .map(|(address, here, there)| format!("{address}:\n  {here:?}\n  {there:?}"))
            .collect()
    }
}

impl DatabaseRef for World {
    type Error = Infallible;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>, Infallible> {
        Ok(self.accounts.get(&address).map(|account| AccountInfo {
            balance: account.balance,
            nonce: account.nonce,
            code_hash: account.code_hash,
            // As a database serves it: the code is asked for when it is needed.
            code: None,
            ..AccountInfo::default()
        }))
    }

    fn code_by_hash_ref(&self, code_hash: B256) -> Result<Bytecode, Infallible> {
        Ok(self.codes.get(&code_hash).cloned().unwrap_or_default())
    }

    fn storage_ref(&self, address: Address, slot: U256) -> Result<U256, Infallible> {
        Ok(self.accounts.get(&address).and_then(|account| account.storage.get(&slot)).copied().unwrap_or_default())
    }

    /// The hash of the number's digits: what the state tests and revm's empty database take for a block's hash.
    fn block_hash_ref(&self, number: u64) -> Result<B256, Infallible> {
        Ok(keccak256(number.to_string()))
    }
}
