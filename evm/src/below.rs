//! What parallel stretches have changed, below the journal of plain revm that goes on after them.
//!
//! To put tens of thousands of accounts and slots into a journal takes longer than many a block has left. So they stay as
//! the stretch gives them, in a list that can be asked for a key, and the journal loads from here what it comes across.

use ahash::RandomState;
use alloy_primitives::{Address, U256};
use hashbrown::HashTable;
use revm::primitives::KECCAK_EMPTY;
use revm::state::AccountInfo;

use crate::canary::Canary;
use crate::state::{Holdings, StateKey, StateValue};

/// Keys with their last value, in no order; `None` is no value.
pub(crate) type KeyChanges = Vec<(StateKey, Option<StateValue>)>;

/// The last value of what was changed: balances and nonces, and slots of accounts whose storage was not wiped.
#[derive(Debug, Default)]
pub(crate) struct Below {
    changes: KeyChanges,
    /// Places in the list.
    index: HashTable<u32>,
    hasher: RandomState,
}

impl Below {
    /// So many more changes are coming.
    pub(crate) fn reserve(&mut self, changes: usize) {
        self.changes.reserve(changes);
        let Self { changes: known, index, hasher } = self;
        index.reserve(changes, |&at| hasher.hash_one(known[at as usize].0));
    }

    /// From now on `value` is what is found under `key`.
    pub(crate) fn put(&mut self, key: StateKey, value: Option<StateValue>) {
        let Self { changes, index, hasher } = self;
        let hash = hasher.hash_one(key);
        if let Some(&at) = index.find(hash, |&at| changes[at as usize].0 == key) {
            if !Canary::KeepBelow.sings() {
                changes[at as usize].1 = value;
            }
            return;
        }
        let at = u32::try_from(changes.len()).expect("a block changes fewer keys than that");
        changes.push((key, value));
        index.insert_unique(hash, at, |&at| hasher.hash_one(changes[at as usize].0));
    }

    /// What is found under `key`; `None` where it was not changed.
    pub(crate) fn get(&self, key: &StateKey) -> Option<&Option<StateValue>> {
        if self.changes.is_empty() {
            return None;
        }
        let at = self.index.find(self.hasher.hash_one(key), |&at| self.changes[at as usize].0 == *key)?;
        Some(&self.changes[*at as usize].1)
    }

    /// An account as it is by now, whose `info` the database has; `None`: there is none.
    pub(crate) fn account(&self, address: Address, info: Option<AccountInfo>) -> Option<AccountInfo> {
        let Some(value) = self.get(&StateKey::Holdings(address)) else { return info };
        let Holdings { balance, nonce } =
            if let Some(StateValue::Holdings(holdings)) = value { *holdings } else { Holdings::default() };
        let info = AccountInfo { balance, nonce, ..info.unwrap_or_default() };
        // From EIP-161 on what is empty is not there.
        let has_code = !info.code_hash.is_zero() && info.code_hash != KECCAK_EMPTY;
        (has_code || !balance.is_zero() || nonce > 0).then_some(info)
    }

    /// The slot of an account, if it was changed.
    pub(crate) fn slot(&self, address: Address, slot: U256) -> Option<U256> {
        let value = self.get(&StateKey::Slot(address, 0, slot)).filter(|_| !Canary::ForgetBelow.sings())?;
        Some(if let Some(StateValue::Slot(value)) = value { *value } else { U256::ZERO })
    }

    /// All of it.
    pub(crate) fn into_changes(self) -> KeyChanges {
        self.changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Address = Address::repeat_byte(1);
    const TWO: Address = Address::repeat_byte(2);

    fn holdings(balance: u64, nonce: u64) -> Option<StateValue> {
        Holdings { balance: U256::from(balance), nonce }.into_value()
    }

    #[test]
    fn the_last_change_of_a_key_counts() {
        let mut below = Below::default();
        assert_eq!(below.slot(ONE, U256::from(7)), None);
        below.reserve(2);
        for value in [1, 2] {
            below.put(StateKey::Slot(ONE, 0, U256::from(7)), Some(StateValue::Slot(U256::from(value))));
            below.put(StateKey::Holdings(TWO), holdings(value, value));
        }
        for slot in 0..1000 {
            below.put(StateKey::Slot(TWO, 0, U256::from(slot)), Some(StateValue::Slot(U256::from(slot + 1))));
        }
        assert_eq!(below.slot(ONE, U256::from(7)), Some(U256::from(2)));
        assert!((0..1000).all(|slot| below.slot(TWO, U256::from(slot)) == Some(U256::from(slot + 1))));
        below.put(StateKey::Slot(ONE, 0, U256::from(7)), None);
        assert_eq!(below.slot(ONE, U256::from(7)), Some(U256::ZERO));
        assert_eq!(below.slot(ONE, U256::from(8)), None, "nobody has changed it");
        assert_eq!(below.into_changes().len(), 1002);
    }

    #[test]
    fn an_account_keeps_its_code_and_is_not_there_when_it_is_empty() {
        let mut below = Below::default();
        let contract = AccountInfo { code_hash: ONE.into_word(), nonce: 1, ..AccountInfo::default() };
        below.put(StateKey::Holdings(ONE), holdings(5, 2));
        let after = below.account(ONE, Some(contract.clone())).unwrap();
        assert_eq!((after.code_hash, after.balance, after.nonce), (contract.code_hash, U256::from(5), 2));
        assert_eq!(below.account(TWO, Some(contract.clone())), Some(contract.clone()), "nobody has changed it");
        let made = below.account(ONE, None).unwrap();
        assert_eq!((made.code_hash, made.balance, made.nonce), (KECCAK_EMPTY, U256::from(5), 2));
        below.put(StateKey::Holdings(ONE), None);
        assert_eq!(below.account(ONE, Some(AccountInfo { balance: U256::from(1), ..AccountInfo::default() })), None);
        assert_eq!(below.account(ONE, Some(contract)).unwrap().nonce, 0, "it has code");
    }
}
