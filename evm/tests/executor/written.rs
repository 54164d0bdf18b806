//! What a node would write of a bundle, in a form in which bundles can be compared: without what changes nothing, and
//! in order.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, Bytes, KECCAK256_EMPTY, U256};
use revm::database::states::reverts::{AccountInfoRevert, AccountRevert};
use revm::database::{BundleAccount, BundleState, RevertToSlot};
use weft_evm::Basics;

use crate::common::world::World;

/// What becomes of an account.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Change {
    /// Another balance, nonce or code; `Some(None)` where the account is no more.
    pub(crate) basics: Option<Option<Basics>>,
    /// Whether storage that is there is wiped, before `slots` are set.
    pub(crate) is_wiped: bool,
    pub(crate) slots: BTreeMap<U256, U256>,
}

/// What a bundle changes, what takes it back, and the code that comes with it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) changes: BTreeMap<Address, Change>,
    pub(crate) reverts: BTreeMap<Address, Change>,
    pub(crate) codes: BTreeMap<B256, Bytes>,
}

impl Written {
    /// Panics where the bundle's reverts do not take back what the bundle changes of `pre`.
    pub(crate) fn new(bundle: &BundleState, pre: &World) -> Self {
        let mut changes = BTreeMap::new();
        let mut codes = BTreeMap::new();
        for (address, account) in &bundle.state {
            let change = change(account, has_storage(pre, address));
            if let Some(Some(Basics { code_hash, .. })) = change.basics
                && code_hash != KECCAK256_EMPTY
                && account.original_info.as_ref().is_none_or(|info| info.code_hash != code_hash)
            {
                codes.insert(code_hash, bundle.contracts[&code_hash].original_bytes());
            }
            if change != Change::default() {
                changes.insert(*address, change);
            }
        }
        assert_eq!(bundle.reverts.len(), 1, "one block");
        let reverts: BTreeMap<_, _> = bundle.reverts[0]
            .iter()
            .map(|(address, account)| (*address, revert(address, account, changes.get(address), pre)))
            .filter(|(_, revert)| *revert != Change::default())
            .collect();
        let written = Self { changes, reverts, codes };
        written.check_reverts(pre);
        written
    }

    /// Every account and slot that is changed is set back to what it was.
    fn check_reverts(&self, pre: &World) {
        for (address, change) in &self.changes {
            let revert = self.reverts.get(address).cloned().unwrap_or_default();
            let before = pre.accounts.get(address);
            if change.basics.is_some() {
                let basics = before.map(|account| Basics {
                    balance: account.balance,
                    nonce: account.nonce,
                    code_hash: account.code_hash,
                });
                assert_eq!(revert.basics, Some(basics), "what {address} was");
            }
            let was_wiped = before.filter(|_| change.is_wiped).into_iter().flat_map(|account| account.storage.keys());
            for slot in change.slots.keys().chain(was_wiped) {
                let was = slot_of(pre, address, *slot);
                if slot_after(Some(change), pre, address, *slot) != was {
                    assert_eq!(revert.slots.get(slot), Some(&was), "slot {slot} of {address}");
                }
            }
        }
    }
}

fn has_storage(pre: &World, address: &Address) -> bool {
    pre.accounts.get(address).is_some_and(|account| !account.storage.is_empty())
}

fn slot_of(pre: &World, address: &Address, slot: U256) -> U256 {
    pre.accounts.get(address).and_then(|account| account.storage.get(&slot)).copied().unwrap_or_default()
}

fn slot_after(change: Option<&Change>, pre: &World, address: &Address, slot: U256) -> U256 {
    let unchanged = match change {
        Some(Change { is_wiped: true, .. }) => U256::ZERO,
        _ => slot_of(pre, address, slot),
    };
    change.and_then(|change| change.slots.get(&slot)).copied().unwrap_or(unchanged)
}

fn change(account: &BundleAccount, has_storage: bool) -> Change {
    let was_destroyed = account.was_destroyed();
    let slots = account
        .storage
        .iter()
        .filter(|(_, slot)| if was_destroyed { !slot.present_value.is_zero() } else { slot.is_changed() });
    Change {
        basics: account.is_info_changed().then(|| account.info.as_ref().map(Basics::from)),
        is_wiped: was_destroyed && has_storage,
        slots: slots.map(|(slot, value)| (*slot, value.present_value)).collect(),
    }
}

/// What a revert sets back. A node takes what was wiped from its own storage; here it is `pre`'s.
fn revert(address: &Address, account: &AccountRevert, change: Option<&Change>, pre: &World) -> Change {
    let after = change.and_then(|change| change.basics);
    let basics = match &account.account {
        AccountInfoRevert::DoNothing => None,
        AccountInfoRevert::DeleteIt => Some(None),
        AccountInfoRevert::RevertTo(info) => Some(Some(Basics::from(info))),
    };
    let mut slots: BTreeMap<U256, U256> = BTreeMap::new();
    if account.wipe_storage
        && let Some(before) = pre.accounts.get(address)
    {
        slots.extend(&before.storage);
    }
    for (slot, to) in &account.storage {
        let value = match to {
            RevertToSlot::Some(value) => *value,
            RevertToSlot::Destroyed => slot_of(pre, address, *slot),
        };
        slots.insert(*slot, value);
    }
    slots.retain(|slot, value| *value != slot_after(change, pre, address, *slot));
    Change { basics: basics.filter(|basics| after != Some(*basics)), is_wiped: false, slots }
}
