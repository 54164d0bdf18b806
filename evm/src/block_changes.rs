//! What a block has changed, account by account.

use std::collections::BTreeMap;

use alloy_primitives::{Address, U256};
use revm::bytecode::Bytecode;
use revm::database_interface::DatabaseRef;
use revm::primitives::B256Map;
use revm::primitives::hardfork::SpecId;
use revm::state::EvmState;

use crate::below::KeyChanges;
use crate::canary::Canary;
use crate::diff::{AfterJournal, Basics, StateDiff};
use crate::state::{Holdings, Identity, StateKey, StateValue};

/// What a block has changed.
#[derive(Debug, Clone)]
pub struct BlockChanges {
    pub(crate) layers: Layers,
    pub(crate) spec: SpecId,
}

/// What the changes are known from: each layer on top of those before it, most of them empty.
#[derive(Debug, Clone, Default)]
pub(crate) struct Layers {
    /// What parallel stretches have changed after which plain revm has gone on.
    pub(crate) below: KeyChanges,
    /// revm's journal.
    pub(crate) journal: EvmState,
    /// What the parallel stretch has changed with which the block has ended, without what came back to its old value.
    pub(crate) last: KeyChanges,
}

impl Layers {
    /// Those of a block that plain revm has executed alone.
    pub(crate) fn of_journal(journal: EvmState) -> Self {
        Self { journal, ..Self::default() }
    }

    /// Whether a slot can be in several.
    fn are_several(&self) -> bool {
        let empty = [self.below.is_empty(), self.journal.is_empty(), self.last.is_empty()];
        empty.into_iter().filter(|is_empty| !is_empty).count() > 1
    }
}

/// The changed parts of one account.
#[derive(Debug, Default)]
pub(crate) struct ChangedAccount {
    holdings: Option<Holdings>,
    identity: Option<Identity>,
    slots: Vec<(u32, U256, U256)>,
}

impl ChangedAccount {
    /// The account after the block. `before` is what it was.
    pub(crate) fn after(&self, before: Option<Basics>, clears: bool) -> Option<Basics> {
        let unset = Basics { balance: U256::ZERO, nonce: 0, code_hash: Identity::ABSENT.code_hash };
        let was = before.unwrap_or(unset);
        let holdings = self.holdings.unwrap_or(Holdings { balance: was.balance, nonce: was.nonce });
        let after = Basics {
            balance: holdings.balance,
            nonce: holdings.nonce,
            code_hash: self.identity.map_or(was.code_hash, |identity| identity.code_hash),
        };
        let exists = self.identity.map_or(before.is_some(), |identity| identity.exists);
        (exists || (clears && !after.is_empty())).then_some(after)
    }

    pub(crate) fn generation(&self) -> u32 {
        self.identity.map_or(0, |identity| identity.generation)
    }

    /// Of slots that are there twice, keeps what came last.
    fn keep_last_slots(&mut self) {
        self.slots.reverse();
        // Stable: what came last is the first of its equals.
        self.slots.sort_by_key(|(generation, slot, _)| (*generation, *slot));
        self.slots.dedup_by_key(|(generation, slot, _)| (*generation, *slot));
    }

    /// The slots of the account's last generation.
    pub(crate) fn last_slots(&self) -> impl Iterator<Item = (U256, U256)> + '_ {
        let last = self.generation();
        self.slots.iter().filter(move |(generation, ..)| *generation == last).map(|(_, slot, value)| (*slot, *value))
    }
}

impl BlockChanges {
    pub(crate) fn clears_empty_accounts(&self) -> bool {
        self.spec.is_enabled_in(SpecId::SPURIOUS_DRAGON)
    }

    /// By account, with the codes that are new.
    pub(crate) fn by_account(&self) -> (BTreeMap<Address, ChangedAccount>, B256Map<Bytecode>) {
        let Layers { below, journal, last } = &self.layers;
        let mut changed = Changed::default();
        changed.add_keys(below);
        changed.add_journal(journal, self.clears_empty_accounts());
        changed.add_keys(last);
        if self.layers.are_several() && !Canary::StaleBelow.sings() {
            changed.accounts.values_mut().for_each(ChangedAccount::keep_last_slots);
        }
        (changed.accounts, changed.codes)
    }

    /// What differs from the state before the block.
    ///
    /// # Errors
    /// What `db` fails with, which must be what the block was executed on.
    pub fn diff<DB: DatabaseRef>(&self, db: &DB) -> Result<StateDiff, DB::Error> {
        let mut diff = StateDiff::default();
        for (address, account) in self.by_account().0 {
            let before = db.basic_ref(address)?.map(|info| Basics::from(&info));
            let after = account.after(before, self.clears_empty_accounts());
            diff.insert(db, address, after, account.generation() > 0, account.last_slots())?;
        }
        Ok(diff)
    }

    /// Code by its hash: all that is new, and with it some that is not.
    #[must_use]
    pub fn codes(&self) -> B256Map<Bytecode> {
        self.by_account().1
    }
}

/// The changes of one layer after another.
#[derive(Debug, Default)]
struct Changed {
    accounts: BTreeMap<Address, ChangedAccount>,
    codes: B256Map<Bytecode>,
}

impl Changed {
    fn account(&mut self, address: &Address) -> &mut ChangedAccount {
        self.accounts.entry(*address).or_default()
    }

    fn add_keys(&mut self, changes: &[(StateKey, Option<StateValue>)]) {
        for (key, value) in changes {
            match (key, value) {
                (StateKey::Holdings(address), value) => {
                    let holdings =
                        if let Some(StateValue::Holdings(holdings)) = value { *holdings } else { Holdings::default() };
                    self.account(address).holdings = Some(holdings);
                }
                (StateKey::Identity(address), value) => {
                    let identity =
                        if let Some(StateValue::Identity(identity)) = value { *identity } else { Identity::ABSENT };
                    self.account(address).identity = Some(identity);
                }
                (StateKey::Slot(address, generation, slot), value) => {
                    let value = if let Some(StateValue::Slot(value)) = value { *value } else { U256::ZERO };
                    self.account(address).slots.push((*generation, *slot, value));
                }
                (StateKey::DeployedCode(hash), Some(StateValue::Code(code))) => {
                    self.codes.insert(*hash, code.clone());
                }
                // Neither is ever removed, nor written otherwise.
                (StateKey::Code(_) | StateKey::DeployedCode(_) | StateKey::BlockHash(_), _) => {}
            }
        }
    }

    fn add_journal(&mut self, state: &EvmState, clears_empty_accounts: bool) {
        for (address, account) in state {
            let Some(AfterJournal { after, is_wiped }) = AfterJournal::of(account, clears_empty_accounts) else {
                continue;
            };
            let generation = u32::from(is_wiped);
            let gone = Basics { balance: U256::ZERO, nonce: 0, code_hash: Identity::ABSENT.code_hash };
            let basics = after.unwrap_or(gone);
            if let Some(code) = account.info.code.as_ref().filter(|code| after.is_some() && !code.is_empty()) {
                self.codes.insert(basics.code_hash, code.clone());
            }
            let changed = self.account(address);
            changed.identity =
                Some(Identity { code_hash: basics.code_hash, generation, exists: after.is_some(), ..Identity::ABSENT });
            changed.holdings = Some(Holdings { balance: basics.balance, nonce: basics.nonce });
            // What the journal takes for the original is what the last transaction found. It clears the storage of an
            // account that is destroyed when it next loads it.
            let slots = account.storage.iter().filter(|_| after.is_some() || Canary::DestroyedBelow.sings());
            changed.slots.extend(slots.map(|(slot, value)| (generation, *slot, value.present_value)));
        }
    }
}
