//! What a block changes, account by account, in a form in which any two executions can be compared.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, U256};
use revm::database_interface::DatabaseRef;
use revm::primitives::KECCAK_EMPTY;
use revm::primitives::hardfork::SpecId;
use revm::state::{Account, AccountInfo, EvmState};

/// An account's balance, nonce and code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Basics {
    /// In wei.
    pub balance: U256,
    /// Transactions sent, contracts created.
    pub nonce: u64,
    /// Keccak-256 of the code.
    pub code_hash: B256,
}

impl Basics {
    pub(crate) fn is_empty(&self) -> bool {
        self.balance.is_zero() && self.nonce == 0 && self.code_hash == KECCAK_EMPTY
    }
}

impl From<&AccountInfo> for Basics {
    fn from(info: &AccountInfo) -> Self {
        let code_hash = if info.code_hash.is_zero() { KECCAK_EMPTY } else { info.code_hash };
        Self { balance: info.balance, nonce: info.nonce, code_hash }
    }
}

/// What becomes of one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountDiff {
    /// The account after the block; `None` where there is none.
    pub after: Option<Basics>,
    /// Whether all its storage is wiped, before `slots` are set.
    pub is_wiped: bool,
    /// The slots that have another value than before, with that value.
    pub slots: BTreeMap<U256, U256>,
}

/// An account as revm's own journal leaves it, after it has executed several transactions without being emptied.
pub(crate) struct AfterJournal {
    pub(crate) after: Option<Basics>,
    pub(crate) is_wiped: bool,
}

impl AfterJournal {
    /// `None` for an account that was only looked at.
    pub(crate) fn of(account: &Account, clears_empty_accounts: bool) -> Option<Self> {
        if !account.is_touched() && !account.is_selfdestructed() {
            return None;
        }
        let clears = clears_empty_accounts;
        let basics = Basics::from(&account.info);
        // An account that was destroyed and then loaded by a later transaction begins anew there.
        let is_gone = account.is_selfdestructed_locally() || (clears && basics.is_empty());
        let is_absent = !clears && account.is_loaded_as_not_existing() && !account.is_created() && basics.is_empty();
        let after = (!is_gone && !is_absent).then_some(basics);
        Some(Self { after, is_wiped: account.is_selfdestructed() || account.is_created() })
    }
}

/// What a block changes: accounts and slots whose values differ, and nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StateDiff {
    /// By address.
    pub accounts: BTreeMap<Address, AccountDiff>,
}

impl StateDiff {
    /// Adds an account, as far as it differs from what `db` has.
    pub(crate) fn insert<DB: DatabaseRef>(
        &mut self,
        db: &DB,
        address: Address,
        after: Option<Basics>,
        is_wiped: bool,
        slots: impl IntoIterator<Item = (U256, U256)>,
    ) -> Result<(), DB::Error> {
        let before = db.basic_ref(address)?.map(|info| Basics::from(&info));
        // Where nothing was there is nothing to wipe.
        let is_wiped = is_wiped && before.is_some();
        let mut changed = BTreeMap::new();
        if after.is_some() {
            for (slot, value) in slots {
                let was = if is_wiped || before.is_none() { U256::ZERO } else { db.storage_ref(address, slot)? };
                if was != value {
                    changed.insert(slot, value);
                }
            }
        }
        if before != after || is_wiped || !changed.is_empty() {
            self.accounts.insert(address, AccountDiff { after, is_wiped, slots: changed });
        }
        Ok(())
    }

    /// What revm's own journal says after it has executed a list of transactions without being emptied in between.
    ///
    /// # Errors
    /// What `db` fails with, which must be what the transactions were executed on.
    pub fn of_journal<DB: DatabaseRef>(state: &EvmState, db: &DB, spec: SpecId) -> Result<Self, DB::Error> {
        let clears = spec.is_enabled_in(SpecId::SPURIOUS_DRAGON);
        let mut diff = Self::default();
        for (address, account) in state {
            let Some(AfterJournal { after, is_wiped }) = AfterJournal::of(account, clears) else { continue };
            let slots = account.storage.iter().map(|(slot, value)| (*slot, value.present_value));
            diff.insert(db, *address, after, is_wiped, slots)?;
        }
        Ok(diff)
    }

    /// The first difference between two diffs, in words; `None` where they are equal.
    #[must_use]
    pub fn first_difference(&self, other: &Self) -> Option<String> {
        let addresses = self.accounts.keys().chain(other.accounts.keys());
        let mut differing: Vec<_> =
            addresses.filter(|address| self.accounts.get(*address) != other.accounts.get(*address)).collect();
        differing.sort_unstable();
        let address = *differing.first()?;
        let (one, two) = (self.accounts.get(address), other.accounts.get(address));
        let (Some(one), Some(two)) = (one, two) else {
            return Some(format!("account {address}: {one:?} and {two:?}"));
        };
        if one.after != two.after {
            return Some(format!("account {address}: {:?} and {:?}", one.after, two.after));
        }
        if one.is_wiped != two.is_wiped {
            return Some(format!("storage of {address}: wiped {} and {}", one.is_wiped, two.is_wiped));
        }
        let slots = one.slots.keys().chain(two.slots.keys());
        let slot = slots.filter(|slot| one.slots.get(*slot) != two.slots.get(*slot)).min()?;
        Some(format!("slot {slot} of {address}: {:?} and {:?}", one.slots.get(slot), two.slots.get(slot)))
    }
}
