//! The state before the block, from any revm database.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};

use alloy_primitives::{Address, B256, U256};
use parking_lot::RwLock;
use revm::bytecode::Bytecode;
use revm::database_interface::DatabaseRef;
use revm::primitives::{HashMap, KECCAK_EMPTY};
use revm::state::AccountInfo;
use weft_storage::{StateReader, StorageError};

use crate::canary::Canary;
use crate::state::{Holdings, Identity, StateKey, StateValue};

/// Accounts that a thread remembers: the parties of the transaction at hand, and contracts that are called again and
/// again. A power of two.
const REMEMBERED: usize = 256;

/// Numbers the readers of this process, so that a thread knows whose accounts it remembers.
static NEXT_READER: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static RECENT: RefCell<RecentAccounts> = const { RefCell::new(RecentAccounts(Vec::new())) };
}

/// What an account holds and is.
type ReadAccount = (Holdings, Identity);

/// An account that a reader has read; `None`: there is none.
#[derive(Clone, Copy)]
struct Recent {
    reader: u64,
    address: Address,
    account: Option<ReadAccount>,
}

/// The accounts that a thread has read last, each at a place that its address decides. An account is several keys, its
/// identity is read by everybody who calls it, and its place in a large database is far away.
struct RecentAccounts(Vec<Option<Recent>>);

impl RecentAccounts {
    /// Addresses are hashes, or chosen by somebody who gains nothing from a slow lookup: no need to hash them again.
    fn place(address: Address) -> usize {
        usize::from(u16::from_be_bytes([address[18], address[19]])) % REMEMBERED
    }

    fn find(&self, reader: u64, address: Address) -> Option<Option<ReadAccount>> {
        let recent = self.0.get(Self::place(address))?.as_ref()?;
        ((recent.reader == reader || Canary::OldAccounts.sings()) && recent.address == address)
            .then_some(recent.account)
    }

    fn remember(&mut self, recent: Recent) {
        if self.0.is_empty() {
            self.0.resize(REMEMBERED, None);
        }
        self.0[Self::place(recent.address)] = Some(recent);
    }
}

/// Reads keys from a revm database.
pub(crate) struct DatabaseReader<'d, DB> {
    db: &'d DB,
    number: u64,
    /// Code that came with an account. A database that gives it so need not find it by its hash.
    codes: RwLock<HashMap<B256, Bytecode>>,
}

impl<'d, DB: DatabaseRef> DatabaseReader<'d, DB> {
    pub(crate) fn new(db: &'d DB) -> Self {
        // Relaxed: only that no two readers get one number matters.
        Self { db, number: NEXT_READER.fetch_add(1, Ordering::Relaxed), codes: RwLock::new(HashMap::default()) }
    }

    /// What an account holds and is. Who reads one of both reads the other next.
    fn account(&self, address: Address) -> Result<Option<ReadAccount>, StorageError> {
        if let Some(known) = RECENT.with_borrow(|recent| recent.find(self.number, address)) {
            return Ok(known);
        }
        let account = self
            .load(address)?
            .map(|info| (Holdings { balance: info.balance, nonce: info.nonce }, self.identity(info)));
        RECENT.with_borrow_mut(|recent| recent.remember(Recent { reader: self.number, address, account }));
        Ok(account)
    }

    fn load(&self, address: Address) -> Result<Option<AccountInfo>, StorageError> {
        self.db.basic_ref(address).map_err(|error| failed(format!("account {address}"), error))
    }

    fn identity(&self, info: AccountInfo) -> Identity {
        let was_funded = !info.balance.is_zero() || info.nonce > 0;
        // A hash of zero is revm's word for an account without code, too.
        let code_hash = if info.code_hash.is_zero() { KECCAK_EMPTY } else { info.code_hash };
        if code_hash != KECCAK_EMPTY
            && let Some(code) = info.code
            && !self.codes.read().contains_key(&code_hash)
        {
            self.codes.write().insert(code_hash, code);
        }
        Identity { code_hash, generation: 0, is_deployed: false, exists: true, was_funded }
    }

    fn code(&self, hash: &B256) -> Result<Bytecode, StorageError> {
        if let Some(code) = self.codes.read().get(hash) {
            return Ok(code.clone());
        }
        self.db.code_by_hash_ref(*hash).map_err(|error| failed(format!("code {hash}"), error))
    }
}

fn failed(what: String, error: impl std::error::Error + Send + Sync + 'static) -> StorageError {
    StorageError::backend("the revm database", format!("read {what}"), error)
}

/// The value of a number that is not kept where it is zero.
fn unless_zero(number: U256, value: impl FnOnce(U256) -> StateValue) -> Option<StateValue> {
    (!number.is_zero()).then(|| value(number))
}

impl<DB: DatabaseRef + Sync> StateReader<StateKey, StateValue> for DatabaseReader<'_, DB> {
    fn read(&self, key: &StateKey) -> Result<Option<StateValue>, StorageError> {
        Ok(match key {
            StateKey::Holdings(address) => self.account(*address)?.and_then(|(holdings, _)| holdings.into_value()),
            StateKey::Identity(address) => self.account(*address)?.map(|(_, identity)| StateValue::Identity(identity)),
            StateKey::Slot(address, 0, slot) => {
                let value = self.db.storage_ref(*address, *slot);
                unless_zero(
                    value.map_err(|error| failed(format!("slot {slot} of {address}"), error))?,
                    StateValue::Slot,
                )
            }
            // Created in this block: it begins empty.
            StateKey::Slot(..) => None,
            // Deployed in this block: not a matter of the database.
            StateKey::DeployedCode(_) => None,
            StateKey::Code(hash) => Some(StateValue::Code(self.code(hash)?)),
            StateKey::BlockHash(number) => {
                let hash = self.db.block_hash_ref(*number);
                Some(StateValue::BlockHash(hash.map_err(|error| failed(format!("hash of block {number}"), error))?))
            }
        })
    }
}
