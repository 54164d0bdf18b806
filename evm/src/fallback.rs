//! Plain revm for the stretches of a block that are not worth dividing, with one journal for all of them.
//!
//! A chain of dependent transactions is executed as fast as revm goes: the journal is the only cache, and nothing is
//! copied out of it between two stretches. The workers of a parallel stretch read the state key by key; what the journal
//! has of a key is what it is there. What such a stretch has changed when it is given up stays [below](Below) the journal,
//! which loads it from there like the rest; but what the journal has already is changed there, and so is an account whose code
//! or storage was replaced.
//!
//! Two things of the journal are to be known:
//! - It keeps no count of how often an account was created or destroyed. Generations need to be consistent within one
//!   parallel stretch only, so an account begins it in generation 1 where the journal says that its storage is wiped,
//!   and in generation 0 else.
//! - Before EIP-161 an account may exist without anything, which a kept journal cannot say of all accounts. Those forks
//!   keep the engine's own sequential path: see [`Fallback::suits`].

use std::mem;
use std::ops::Range;
use std::sync::OnceLock;

use alloy_primitives::{Address, B256, U256};
use revm::bytecode::Bytecode;
use revm::context::TxEnv;
use revm::context::result::EVMError;
use revm::database_interface::DatabaseRef;
use revm::primitives::hardfork::SpecId;
use revm::primitives::hash_map::Entry;
use revm::primitives::{AddressMap, B256Map};
use revm::state::{Account, EvmState, EvmStorageSlot, TransactionId};
use weft_engine::{Admitted, BlockError, Outcome};
use weft_storage::StorageError;

use crate::EvmEnv;
use crate::below::{Below, KeyChanges};
use crate::diff::Basics;
use crate::sequential::PlainMachine;
use crate::state::{Holdings, Identity, StateKey, StateValue};
use crate::vm::{EvmVm, TransactionOutput};

/// The state of a block on a journal of revm.
pub(crate) struct Fallback<'b, DB> {
    env: &'b EvmEnv,
    db: &'b DB,
    /// Every account that was loaded, as the last transaction has left it.
    state: EvmState,
    /// The next transaction, as the journal numbers them: what has another number is cold.
    next: TransactionId,
    /// The codes that count as deployed, once somebody asks.
    codes: OnceLock<B256Map<Bytecode>>,
    below: Below,
}

impl<'b, DB: DatabaseRef + Sync> Fallback<'b, DB> {
    pub(crate) fn new(env: &'b EvmEnv, db: &'b DB) -> Self {
        let (state, next) = (EvmState::default(), TransactionId::ZERO);
        Self { env, db, state, next, codes: OnceLock::new(), below: Below::default() }
    }

    /// Whether it gives what it should under the rules of `spec`.
    pub(crate) fn suits(spec: SpecId) -> bool {
        spec.is_enabled_in(SpecId::SPURIOUS_DRAGON)
    }

    /// What stretches that were given up have changed, and above it all accounts that were loaded, as
    /// [`sequential::Executed`](crate::sequential::Executed) has them.
    pub(crate) fn into_layers(self) -> (KeyChanges, EvmState) {
        (self.below.into_changes(), self.state)
    }

    fn codes(&self) -> &B256Map<Bytecode> {
        self.codes.get_or_init(|| {
            let codes = self.state.values().filter(|account| exists(account)).filter_map(deployed_code);
            codes.map(|(hash, code)| (hash, code.clone())).collect()
        })
    }

    /// An account in the journal that a parallel stretch has changed.
    fn changed(&mut self, address: Address) -> Result<&mut Account, BlockError> {
        let account = match self.state.entry(address) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                let info = self.db.basic_ref(address).map_err(|error| {
                    let what = format!("read account {address}");
                    BlockError::Changes(StorageError::backend("the revm database", what, error))
                })?;
                let info = self.below.account(address, info);
                let mut account = info.map_or_else(|| Account::new_not_existing(self.next), Account::from);
                account.transaction_id = self.next;
                new.insert(account)
            }
        };
        if account.is_selfdestructed_locally() {
            // As the journal does when it is next loaded.
            account.selfdestruct();
            account.unmark_selfdestructed_locally();
        }
        account.mark_touch();
        Ok(account)
    }

    fn take_identity(
        &mut self,
        address: Address,
        identity: Identity,
        code: Option<Bytecode>,
    ) -> Result<(), BlockError> {
        let account = self.changed(address)?;
        if identity.generation > generation(account) {
            account.storage.clear();
            // Whether it was created or only destroyed: its storage is not the database's any more.
            account.mark_created();
        }
        if Basics::from(&account.info).code_hash != identity.code_hash {
            account.info.code_hash = identity.code_hash;
            account.info.code = if identity.has_code() { code } else { Some(Bytecode::default()) };
        }
        Ok(())
    }
}

/// The generation that the storage of an account in the journal belongs to.
fn generation(account: &Account) -> u32 {
    u32::from(account.is_selfdestructed() || account.is_created())
}

/// Whether an account in the journal exists, from EIP-161 on.
fn exists(account: &Account) -> bool {
    let was_cleared = account.is_touched() || account.is_loaded_as_not_existing();
    let is_gone = account.is_selfdestructed_locally() || (account.is_empty() && was_cleared);
    !is_gone
}

/// The code of an account in the journal, with its hash, that may have been deployed in this block: an account that no
/// transaction has touched has the one that it had, and a code that is deployed after all is among the changes.
fn deployed_code(account: &Account) -> Option<(B256, &Bytecode)> {
    let code = account.info.code.as_ref().filter(|code| account.is_touched() && !code.is_empty())?;
    Some((account.info.code_hash, code))
}

fn holdings(account: &Account) -> Holdings {
    if exists(account) {
        Holdings { balance: account.info.balance, nonce: account.info.nonce }
    } else {
        Holdings::default()
    }
}

fn identity(account: &Account) -> Option<Identity> {
    let generation = generation(account);
    if !exists(account) {
        return (generation > 0).then_some(Identity { generation, ..Identity::ABSENT });
    }
    Some(Identity {
        code_hash: Basics::from(&account.info).code_hash,
        generation,
        // Else it is the database's.
        is_deployed: deployed_code(account).is_some(),
        exists: true,
        // What is meant is the state before the block. For those who ask, the one before the stretch does as well.
        was_funded: !holdings(account).is_empty(),
    })
}

impl<DB: DatabaseRef + Sync> weft_engine::Fallback<EvmVm> for Fallback<'_, DB> {
    type TakenOver = (StateKey, Option<StateValue>);

    fn current(&self, key: &StateKey) -> Option<Option<StateValue>> {
        match key {
            StateKey::Holdings(address) => match self.state.get(address) {
                Some(account) => Some(holdings(account).into_value()),
                None => self.below.get(key).cloned(),
            },
            StateKey::Identity(address) => Some(identity(self.state.get(address)?).map(StateValue::Identity)),
            StateKey::Slot(address, of, slot) => {
                let Some(account) = self.state.get(address) else { return self.below.get(key).cloned() };
                let is_wiped = generation(account) > 0;
                if *of != generation(account) || account.is_selfdestructed_locally() {
                    return Some(None);
                }
                match account.storage.get(slot) {
                    Some(slot) => {
                        let value = slot.present_value;
                        Some((!value.is_zero()).then_some(StateValue::Slot(value)))
                    }
                    None if is_wiped => Some(None),
                    None => self.below.get(key).cloned(),
                }
            }
            StateKey::DeployedCode(hash) => self.codes().get(hash).map(|code| Some(StateValue::Code(code.clone()))),
            StateKey::Code(_) | StateKey::BlockHash(_) => None,
        }
    }

    fn execute(
        &mut self,
        transactions: &[TxEnv],
        stretch: Range<usize>,
        mut commit: impl FnMut(Outcome<TransactionOutput>) -> Admitted,
    ) -> Result<(), BlockError> {
        self.codes = OnceLock::new();
        let mut machine = PlainMachine::above(self.env, self.db, &self.below).remembering_hashes();
        let (state, next) = machine.kept();
        (*state, *next) = (mem::take(&mut self.state), self.next);
        for transaction in stretch {
            let outcome = match machine.execute(&transactions[transaction]) {
                Ok(result) => {
                    let gas_used = result.tx_gas_used();
                    Outcome::applied(TransactionOutput::Executed(result), gas_used)
                }
                Err(EVMError::Transaction(invalid)) => Outcome::rejected(TransactionOutput::Invalid(invalid)),
                Err(EVMError::Database(error)) => {
                    let source = StorageError::backend("the revm database", "read", error);
                    return Err(BlockError::Storage { transaction, source });
                }
                Err(other) => Outcome::rejected(TransactionOutput::Impossible(other.to_string())),
            };
            if commit(outcome) != Admitted::Yes {
                break;
            }
        }
        let (state, next) = machine.kept();
        (self.state, self.next) = (mem::take(state), *next);
        Ok(())
    }

    fn taken_over(key: StateKey, _: &Option<StateValue>, last: Option<StateValue>) -> Self::TakenOver {
        (key, last)
    }

    fn take_over(&mut self, changes: Vec<Self::TakenOver>) -> Result<(), BlockError> {
        // Before any account is changed: with the last account that has a code, the code is gone.
        let mut codes = B256Map::default();
        for (key, value) in &changes {
            match (key, value) {
                (_, Some(StateValue::Identity(Identity { code_hash, is_deployed: true, .. }))) => {
                    if let Some(code) = self.codes().get(code_hash) {
                        codes.insert(*code_hash, code.clone());
                    }
                }
                (StateKey::DeployedCode(hash), Some(StateValue::Code(code))) => {
                    codes.insert(*hash, code.clone());
                }
                _ => {}
            }
        }
        // What slots belong to, where the stretch has changed that.
        let mut generations = AddressMap::default();
        for (key, value) in &changes {
            if let (StateKey::Identity(address), Some(StateValue::Identity(identity))) = (key, value) {
                self.take_identity(*address, *identity, codes.get(&identity.code_hash).cloned())?;
                generations.insert(*address, identity.generation);
            }
        }
        self.below.reserve(changes.len());
        for (key, value) in changes {
            match key {
                StateKey::Holdings(address) if self.state.contains_key(&address) => {
                    let Holdings { balance, nonce } =
                        if let Some(StateValue::Holdings(holdings)) = value { holdings } else { Holdings::default() };
                    let info = &mut self.changed(address)?.info;
                    (info.balance, info.nonce) = (balance, nonce);
                }
                StateKey::Slot(address, of, slot) if let Some(account) = self.state.get(&address) => {
                    let last = generations.get(&address).copied().unwrap_or_else(|| generation(account));
                    if of != last {
                        continue;
                    }
                    // A journal asks for no slot of an account whose storage is wiped, nor for one that it has.
                    if generation(account) > 0 || account.storage.contains_key(&slot) {
                        let value = if let Some(StateValue::Slot(value)) = value { value } else { U256::ZERO };
                        let slot_after = EvmStorageSlot::new(value, self.next);
                        self.changed(address)?.storage.insert(slot, slot_after);
                    } else {
                        self.below.put(key, value);
                    }
                }
                StateKey::Holdings(_) | StateKey::Slot(..) => self.below.put(key, value),
                StateKey::Identity(_) | StateKey::Code(_) | StateKey::DeployedCode(_) | StateKey::BlockHash(_) => {}
            }
        }
        self.codes = OnceLock::new();
        // To the next transaction all of it is cold, and as it was before it.
        self.next.increment();
        Ok(())
    }
}
