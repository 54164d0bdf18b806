//! A chain on a database: imports blocks one after another and answers readers at any moment.

mod import;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use weft_ledger::block::{Block, BlockDecodeError, BlockReader, ChainFileError};
use weft_ledger::rules::BlockContext;
use weft_ledger::state::{Key, Value};
use weft_ledger::{Address, Hash, TosError};
use weft_storage::{BlockHead, Snapshot, StateReader, StateStore, StorageError};

use crate::digest::{genesis_digest, state_digest};
use crate::executor::{BlockExecutor, ExecuteError, ExecutedBlock};

/// The state that a chain begins with.
pub type Genesis = Vec<(Key, Value)>;

/// Why a block was not imported. The chain stays at its last block.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The chain has no genesis.
    #[error("the database holds no chain: it has to be initialised first")]
    Empty,
    /// The block does not follow the chain's last one.
    #[error("block {got} does not follow the chain's last block: expected {expected}")]
    NotNext {
        /// The number that follows.
        expected: u64,
        /// The block's number.
        got: u64,
    },
    /// A transaction does not decode: error 0x0100.
    #[error("block {block}: {source}")]
    Decode {
        /// The block's number.
        block: u64,
        /// Which transaction, and what is wrong with it.
        #[source]
        source: BlockDecodeError,
    },
    /// The block names another parent than the chain's last block.
    #[error("block {block} names the parent {got}, but the chain's last block is {expected}")]
    Parent {
        /// The block's number.
        block: u64,
        /// The id of the chain's last block; zero for the genesis.
        expected: Hash,
        /// The parent that the block names.
        got: Hash,
    },
    /// The block belongs to another chain.
    #[error("block {block} is of chain {got}, but the chain's blocks are of chain {expected}")]
    ChainId {
        /// The block's number.
        block: u64,
        /// The chain id of the chain's last block.
        expected: u8,
        /// The block's.
        got: u8,
    },
    /// The block is older than the one before it. Rules that look at the time rely on its not going back (AI mining).
    #[error("block {block} is of time {got}, before the last block's {last}")]
    Time {
        /// The block's number.
        block: u64,
        /// The time of the chain's last block.
        last: u64,
        /// The block's.
        got: u64,
    },
    /// The block gives another result than the caller knows it to give. It was not committed.
    #[error("block {block}: the digest is {got}, expected {expected}")]
    Digest {
        /// The block's number.
        block: u64,
        /// What the caller expects.
        expected: Hash,
        /// What execution gives.
        got: Hash,
    },
    /// The block does not fit the format in which it is kept.
    #[error("block {block}: {source}")]
    Encode {
        /// The block's number.
        block: u64,
        /// What does not fit.
        #[source]
        source: ChainFileError,
    },
    /// A transaction fails, and with it the block.
    #[error("block {block} is rejected: transaction {transaction} fails with {error}")]
    Rejected {
        /// The block's number.
        block: u64,
        /// The first failing transaction.
        transaction: usize,
        /// Its error.
        error: TosError,
    },
    /// The block holds more than its gas allows.
    #[error("block {block} exceeds its gas limit with transaction {transaction}")]
    GasLimit {
        /// The block's number.
        block: u64,
        /// The first transaction that does not fit.
        transaction: usize,
    },
    /// The block could not be executed.
    #[error("block {block}: {source}")]
    Execute {
        /// The block's number.
        block: u64,
        /// Why.
        #[source]
        source: ExecuteError,
    },
    /// The database failed.
    #[error("block {block}: {source}")]
    Storage {
        /// The block's number; 0 for the genesis.
        block: u64,
        /// What the database said.
        #[source]
        source: StorageError,
    },
}

/// A block that is on the chain now, and what it took to get it there.
#[derive(Debug)]
pub struct ImportedBlock {
    /// What it gave.
    pub block: ExecutedBlock,
    /// Decoding its transactions.
    pub decode: Duration,
    /// Writing its changes durably.
    pub commit: Duration,
}

/// Who is credited for blocks where blocks are rewarded (spec 7.3): a block does not say it itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Beneficiaries {
    /// Who gets the miner's share of the reward, and the fees.
    pub miner: Address,
    /// Who gets the developer's share.
    pub developer: Address,
}

/// A chain of blocks on a store.
pub struct Chain {
    store: Arc<dyn StateStore<Key, Value>>,
    executor: Box<dyn BlockExecutor>,
    beneficiaries: Beneficiaries,
    /// One block at a time. Readers never take it.
    import: Mutex<()>,
}

impl Chain {
    /// The chain that `store` holds, or an empty one.
    ///
    /// # Errors
    /// [`StorageError`] when the store cannot be read.
    pub fn open(
        store: Arc<dyn StateStore<Key, Value>>,
        executor: Box<dyn BlockExecutor>,
    ) -> Result<Self, StorageError> {
        store.last_block()?;
        Ok(Self { store, executor, beneficiaries: Beneficiaries::default(), import: Mutex::new(()) })
    }

    /// The same chain, whose blocks are credited to `beneficiaries` from now on. It means something to an executor
    /// with [rewards](weft_ledger::rules::LedgerConfig::rewards) only.
    #[must_use]
    pub fn with_beneficiaries(self, beneficiaries: Beneficiaries) -> Self {
        Self { beneficiaries, ..self }
    }

    /// The surroundings in which this chain executes `block`, whose id is `hash`.
    #[must_use]
    pub fn context(&self, block: &Block, hash: Hash) -> BlockContext {
        let Beneficiaries { miner, developer } = self.beneficiaries;
        BlockContext { hash, miner, developer, ..block.context() }
    }

    /// Gives an empty chain its first state, as block 0.
    ///
    /// # Errors
    /// [`ImportError::Storage`], also when the chain is not empty.
    pub fn initialise(&self, genesis: &Genesis) -> Result<(), ImportError> {
        let _import = self.import.lock();
        let mut sorted = genesis.clone();
        sorted.sort_by_key(|entry| entry.0);
        let digest = genesis_digest(genesis);
        self.store.initialise(&sorted, digest.0).map_err(|source| ImportError::Storage { block: 0, source })
    }

    fn view_of(&self, snapshot: &Arc<dyn Snapshot<Key, Value>>) -> ChainView {
        ChainView { snapshot: Arc::clone(snapshot) }
    }

    /// The state after the last committed block. It never changes and never waits for a block that executes.
    #[must_use]
    pub fn view(&self) -> ChainView {
        ChainView { snapshot: self.store.snapshot() }
    }
}

impl std::fmt::Debug for Chain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Chain")
            .field("executor", &self.executor.name())
            .field("head", &self.store.snapshot().head())
            .finish()
    }
}

/// A snapshot as the executors read it.
#[derive(Clone)]
pub struct SnapshotReader(pub Arc<dyn Snapshot<Key, Value>>);

impl std::fmt::Debug for SnapshotReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("SnapshotReader").field(&self.0.head()).finish()
    }
}

impl StateReader<Key, Value> for SnapshotReader {
    fn read(&self, key: &Key) -> Result<Option<Value>, StorageError> {
        self.0.read(key)
    }
}

/// The chain at one block.
#[derive(Clone)]
pub struct ChainView {
    snapshot: Arc<dyn Snapshot<Key, Value>>,
}

impl ChainView {
    /// Number and digest of the block; number 0 and a zero digest for an empty chain.
    #[must_use]
    pub fn head(&self) -> BlockHead {
        self.snapshot.head().unwrap_or(BlockHead { number: 0, digest: [0; 32] })
    }

    /// Whether the chain has no genesis yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.snapshot.head().is_none()
    }

    /// The snapshot itself, for executing blocks on it.
    #[must_use]
    pub fn snapshot(&self) -> Arc<dyn Snapshot<Key, Value>> {
        Arc::clone(&self.snapshot)
    }

    /// Balance of an account in atomic units; 0 for an account that does not exist.
    ///
    /// # Errors
    /// [`StorageError`] when the database cannot be read.
    pub fn balance(&self, address: &Address) -> Result<u64, StorageError> {
        Ok(self.account(address)?.map_or(0, |account| account.balance))
    }

    /// The nonce that the account's next transaction must carry; 0 for an account that does not exist.
    ///
    /// # Errors
    /// [`StorageError`] when the database cannot be read.
    pub fn nonce(&self, address: &Address) -> Result<u64, StorageError> {
        Ok(self.account(address)?.map_or(0, |account| account.nonce))
    }

    /// An account.
    ///
    /// # Errors
    /// [`StorageError`] when the database cannot be read.
    pub fn account(&self, address: &Address) -> Result<Option<weft_ledger::state::Account>, StorageError> {
        match self.snapshot.read(&Key::Account(*address))? {
            Some(Value::Account(account)) => Ok(Some(account)),
            Some(_) => Err(StorageError::corrupt(format!("account {address}"), "not an account")),
            None => Ok(None),
        }
    }

    /// A block of the chain, by number. `None` beyond the last; block 0 has no transactions.
    ///
    /// # Errors
    /// [`StorageError`] when the database cannot be read.
    pub fn block(&self, number: u64) -> Result<Option<weft_storage::BlockRecord>, StorageError> {
        self.snapshot.block(number)
    }

    /// The id of the last block, which the next one names as its parent; zero after the genesis.
    ///
    /// # Errors
    /// [`StorageError`] when the database cannot be read, or the block in it has no id.
    pub fn last_id(&self) -> Result<Hash, StorageError> {
        Ok(self.last_block()?.1)
    }

    /// Chain id and id of the last block. The genesis has no chain id, and zero as its id.
    fn last_block(&self) -> Result<(Option<u8>, Hash), StorageError> {
        let number = self.head().number;
        if number == 0 {
            return Ok((None, Hash([0; 32])));
        }
        let corrupt = || StorageError::corrupt(format!("block {number}"), "it is not kept as a chain file");
        let body = self.snapshot.block(number)?.ok_or_else(corrupt)?.body;
        // A block is kept as a chain file of its own: its head names the chain, and its end is the block's id.
        let chain_id = BlockReader::new(&*body).map_err(|_| corrupt())?.chain_id();
        let id = body.last_chunk::<32>().ok_or_else(corrupt)?;
        Ok((Some(chain_id), Hash(*id)))
    }

    /// The ledger's state digest (spec 3.3). Visits the whole state.
    ///
    /// # Errors
    /// [`StorageError`] when the database cannot be read.
    pub fn state_digest(&self) -> Result<Hash, StorageError> {
        state_digest(&*self.snapshot)
    }

    /// Number of accounts. Visits the whole state.
    ///
    /// # Errors
    /// [`StorageError`] when the database cannot be read.
    pub fn accounts(&self) -> Result<u64, StorageError> {
        let mut accounts = 0;
        self.snapshot.for_each(&mut |key, _| {
            accounts += u64::from(matches!(key, Key::Account(_)));
            ControlFlow::Continue(())
        })?;
        Ok(accounts)
    }
}

impl std::fmt::Debug for ChainView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChainView").field("head", &self.head()).finish()
    }
}
