//! What a block changes, account by account and slot by slot, and where two executions of it differ.
//!
//! revm's state holds everything that was loaded, with flags that say how it came about; those of two executions may
//! differ where their results do not. What counts is what a database would hold afterwards: that is taken from both, and
//! compared.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use alloy_primitives::{Address, B256, U256};
use revm::primitives::hardfork::SpecId;
use revm::state::{Account, AccountInfo, EvmState};

use super::prestate::Prestate;

/// What an account holds besides its storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fields {
    /// In wei.
    pub balance: U256,
    /// Transactions sent, or contracts created.
    pub nonce: u64,
    /// The hash of its code.
    pub code_hash: B256,
}

impl From<&AccountInfo> for Fields {
    fn from(info: &AccountInfo) -> Self {
        Self { balance: info.balance, nonce: info.nonce, code_hash: info.code_hash }
    }
}

/// A changed account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountChange {
    /// Before the block; nothing where the account is created.
    pub before: Option<Fields>,
    /// After the block; nothing where the account is destroyed.
    pub after: Option<Fields>,
    /// Changed slots: the values before and after.
    pub slots: BTreeMap<U256, (U256, U256)>,
}

/// All that a block changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    accounts: BTreeMap<Address, AccountChange>,
}

impl Changes {
    /// What `state` changes in `prestate` under the rules of `spec`. What ends as it began is no change.
    #[must_use]
    pub fn new(state: &EvmState, prestate: &Prestate, spec: SpecId) -> Self {
        let changed = state.iter().filter(|(_, account)| account.is_touched() || account.is_selfdestructed());
        let accounts = changed.filter_map(|(&address, account)| {
            let before = prestate.account(&address).map(Fields::from);
            let after = exists(account, spec).then(|| Fields::from(&account.info));
            let slots = changed_slots(&address, account, after.is_some(), prestate);
            let change = AccountChange { before, after, slots };
            (change.before != change.after || !change.slots.is_empty()).then_some((address, change))
        });
        Self { accounts: accounts.collect() }
    }

    /// The changed accounts, by address.
    #[must_use]
    pub fn accounts(&self) -> &BTreeMap<Address, AccountChange> {
        &self.accounts
    }

    /// All that differs between these changes, which are the right ones, and `other`.
    #[must_use]
    pub fn differences(&self, other: &Self) -> Vec<Difference> {
        let mut differences = Vec::new();
        let addresses: BTreeSet<&Address> = self.accounts.keys().chain(other.accounts.keys()).collect();
        for address in addresses {
            match (self.accounts.get(address), other.accounts.get(address)) {
                (Some(expected), Some(actual)) => compare(*address, expected, actual, &mut differences),
                (Some(expected), None) => compare(*address, expected, &expected.undone(), &mut differences),
                (None, Some(actual)) => compare(*address, &actual.undone(), actual, &mut differences),
                (None, None) => {}
            }
        }
        differences
    }
}

impl AccountChange {
    /// The account if nothing had changed it.
    fn undone(&self) -> Self {
        let slots = self.slots.iter().map(|(slot, (before, _))| (*slot, (*before, *before)));
        Self { before: self.before, after: self.before, slots: slots.collect() }
    }
}

/// Whether there is an account after the block.
fn exists(account: &Account, spec: SpecId) -> bool {
    // The journal keeps what a transaction destroys until a later one loads the account, and only then is it new.
    if account.is_selfdestructed_locally() {
        return false;
    }
    if !account.is_empty() {
        return true;
    }
    // Empty accounts were there like others until EIP-161. One that was destroyed and merely looked at afterwards is not.
    !spec.is_enabled_in(SpecId::SPURIOUS_DRAGON) && (account.is_created() || !account.is_selfdestructed())
}

fn changed_slots(
    address: &Address,
    account: &Account,
    exists: bool,
    prestate: &Prestate,
) -> BTreeMap<U256, (U256, U256)> {
    let mut slots = BTreeMap::new();
    // A contract that is destroyed, or created anew, has nothing of what was there.
    if !exists || account.is_selfdestructed() || account.is_created() {
        slots.extend(prestate.slots(address).map(|(slot, before)| (*slot, (*before, U256::ZERO))));
    }
    if exists {
        for (slot, value) in &account.storage {
            // The journal's original value is that of the last transaction, not that of the block.
            slots.insert(*slot, (prestate.slot(address, slot), value.present_value));
        }
    }
    slots.retain(|_, (before, after)| before != after);
    slots
}

/// Something that an execution leaves in another way than it should.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The account.
    pub address: Address,
    /// What of it.
    pub what: What,
}

/// What differs: the right value first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// The account is there, and should not be, or the other way round.
    Existence {
        /// Whether it should be there.
        expected: bool,
    },
    /// Its balance.
    Balance {
        /// What it should be.
        expected: U256,
        /// What it is.
        actual: U256,
    },
    /// Its nonce.
    Nonce {
        /// What it should be.
        expected: u64,
        /// What it is.
        actual: u64,
    },
    /// Its code.
    Code {
        /// The hash that it should have.
        expected: B256,
        /// The hash that it has.
        actual: B256,
    },
    /// A slot of its storage.
    Slot {
        /// Which one.
        slot: U256,
        /// What it should hold.
        expected: U256,
        /// What it holds.
        actual: U256,
    },
}

fn compare(address: Address, expected: &AccountChange, actual: &AccountChange, differences: &mut Vec<Difference>) {
    let mut differs = |what| differences.push(Difference { address, what });
    match (expected.after, actual.after) {
        (Some(expected), Some(actual)) => {
            if expected.balance != actual.balance {
                differs(What::Balance { expected: expected.balance, actual: actual.balance });
            }
            if expected.nonce != actual.nonce {
                differs(What::Nonce { expected: expected.nonce, actual: actual.nonce });
            }
            if expected.code_hash != actual.code_hash {
                differs(What::Code { expected: expected.code_hash, actual: actual.code_hash });
            }
        }
        (None, None) => {}
        (expected, _) => differs(What::Existence { expected: expected.is_some() }),
    }
    let slots: BTreeSet<&U256> = expected.slots.keys().chain(actual.slots.keys()).collect();
    for slot in slots {
        // A slot that only one of them changes is in the other as it was before.
        let (of_expected, of_actual) = (expected.slots.get(slot), actual.slots.get(slot));
        let before = of_expected.or(of_actual).map(|(before, _)| *before).unwrap_or_default();
        let after = |of: Option<&(U256, U256)>| of.map_or(before, |(_, after)| *after);
        let (expected, actual) = (after(of_expected), after(of_actual));
        if expected != actual {
            differs(What::Slot { slot: *slot, expected, actual });
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = self.address;
        match &self.what {
            What::Existence { expected: true } => write!(f, "account {address} is missing"),
            What::Existence { expected: false } => write!(f, "account {address} is there and should not be"),
            What::Balance { expected, actual } => write!(f, "balance of {address}: {actual} instead of {expected}"),
            What::Nonce { expected, actual } => write!(f, "nonce of {address}: {actual} instead of {expected}"),
            What::Code { expected, actual } => write!(f, "code hash of {address}: {actual} instead of {expected}"),
            What::Slot { slot, expected, actual } => {
                write!(f, "slot {slot:#x} of {address}: {actual:#x} instead of {expected:#x}")
            }
        }
    }
}

#[cfg(test)]
#[path = "changes_tests.rs"]
mod tests;
