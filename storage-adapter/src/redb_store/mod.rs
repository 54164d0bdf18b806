//! The default store on disk: redb, one file.
//!
//! Guarantees: a block is one redb transaction with immediate durability, so a crash at any moment leaves the file at
//! a whole block; readers work on published snapshots and never wait for a commit; a file that is locked, foreign, of
//! another version or damaged is refused with an error that names it.

mod batch;
mod layout;
mod open;
mod snapshot;

use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use redb::{Database, Durability};

use crate::block::check_next;
use crate::{
    BlockCommit, BlockHead, OwnCodec, Snapshot, StateCodec, StateReader, StateStore, StateWriter, StorageError,
};
use batch::Batch;

pub use open::RedbOptions;
pub use snapshot::RedbSnapshot;

/// The name of this backend in errors.
const BACKEND: &str = "redb";

/// Names the types without owning any of them: what is stored are bytes, so sending a store sends no `K`.
type Marker<K, V, C> = PhantomData<fn() -> (K, V, C)>;

/// A [`StateStore`] in a redb file.
///
/// `C` says how keys and values become bytes; by default they know themselves ([`StorageCodec`](crate::StorageCodec)).
/// The file stays locked until the store and every snapshot of it are dropped.
pub struct RedbStore<K, V, C = OwnCodec> {
    published: ArcSwap<RedbSnapshot<K, V, C>>,
    // The head that the file has. It may be ahead of the published one only after `StorageError::Unpublished`, and
    // keeps the same block from being applied twice then. Its lock puts writers in line; readers never take it.
    durable: Mutex<Option<BlockHead>>,
    database: Arc<Database>,
    path: Arc<Path>,
    quick_repair: bool,
    marker: Marker<K, V, C>,
}

impl<K, V, C> std::fmt::Debug for RedbStore<K, V, C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedbStore").field("path", &self.path).finish_non_exhaustive()
    }
}

impl<K, V, C> RedbStore<K, V, C> {
    /// Opens the database at `path`, or creates it, with the default [`RedbOptions`].
    ///
    /// `schema` names the kind and version of the keys and values, such as `"tos-ledger/1"`. It is written into a new
    /// file, and has to be the same ever after.
    ///
    /// # Errors
    /// As [`open_with`](Self::open_with).
    pub fn open(path: impl AsRef<Path>, schema: &str) -> Result<Self, StorageError> {
        Self::open_with(path, schema, &RedbOptions::default())
    }

    /// Opens the database at `path`.
    ///
    /// A database that was not shut down cleanly is brought back to its last committed block. A new one is built in a
    /// file beside `path`, with `.creating` behind its name, and renamed once it is whole; a leftover of that name is
    /// replaced.
    ///
    /// # Errors
    /// All of them name the file: [`StorageError::Locked`], [`StorageError::NotADatabase`],
    /// [`StorageError::DamagedFile`], [`StorageError::LayoutVersion`], [`StorageError::SchemaMismatch`], and
    /// [`StorageError::Backend`] where the file cannot be read, written or created.
    pub fn open_with(path: impl AsRef<Path>, schema: &str, options: &RedbOptions) -> Result<Self, StorageError> {
        let path: Arc<Path> = Arc::from(path.as_ref());
        let database = open::open(&path, schema, options)?;
        Self::from_database(database, path, options.quick_repair)
    }

    /// A store on a database whose layout has been checked.
    fn from_database(database: Database, path: Arc<Path>, quick_repair: bool) -> Result<Self, StorageError> {
        let database = Arc::new(database);
        let first = RedbSnapshot::take(&database, &path)?;
        Ok(Self {
            durable: Mutex::new(first.last()),
            published: ArcSwap::from_pointee(first),
            database,
            path,
            quick_repair,
            marker: PhantomData,
        })
    }

    /// The last committed block, as a view that does not change any more.
    #[must_use]
    pub fn snapshot(&self) -> Arc<RedbSnapshot<K, V, C>> {
        self.published.load_full()
    }

    /// The database file.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.path.to_path_buf()
    }

    /// Writes one block in one transaction and publishes it. `durable` is the head so far, already checked.
    fn write(
        &self,
        durable: &mut Option<BlockHead>,
        head: BlockHead,
        body: &[u8],
        batch: &Batch,
    ) -> Result<(), StorageError> {
        let number = head.number;
        self.transact(head, body, batch)
            .map_err(|error| redb_error(&self.path, || format!("commit block {number}"), error))?;
        *durable = Some(head);
        match RedbSnapshot::take(&self.database, &self.path) {
            Ok(snapshot) => {
                self.published.store(Arc::new(snapshot));
                Ok(())
            }
            Err(source) => Err(StorageError::Unpublished { number, source: Box::new(source) }),
        }
    }

    // Leaving early drops the transaction, which rolls it back.
    fn transact(&self, head: BlockHead, body: &[u8], batch: &Batch) -> Result<(), redb::Error> {
        let mut transaction = self.database.begin_write()?;
        transaction.set_durability(Durability::Immediate)?;
        transaction.set_quick_repair(self.quick_repair);
        {
            let mut state = transaction.open_table(layout::STATE)?;
            for (key, value) in batch.iter() {
                match value {
                    Some(value) => drop(state.insert(key, value)?),
                    None => drop(state.remove(key)?),
                }
            }
            let record = layout::encode_block(&head, body);
            transaction.open_table(layout::BLOCKS)?.insert(head.number, record.as_slice())?;
            transaction.open_table(layout::META)?.insert(layout::HEAD, layout::encode_head(&head).as_slice())?;
        }
        transaction.commit()?;
        Ok(())
    }
}

/// Says in this crate's words what redb failed with, while it did `operation` on the file at `path`.
fn redb_error(path: &Path, operation: impl FnOnce() -> String, error: impl Into<redb::Error>) -> StorageError {
    match error.into() {
        redb::Error::Corrupted(reason) => StorageError::DamagedFile { path: path.to_path_buf(), reason },
        error => StorageError::backend(BACKEND, format!("{} in {}", operation(), path.display()), error),
    }
}

impl<K, V, C> StateReader<K, V> for RedbStore<K, V, C>
where
    K: 'static,
    V: 'static,
    C: StateCodec<K, V>,
{
    fn read(&self, key: &K) -> Result<Option<V>, StorageError> {
        self.published.load().read(key)
    }
}

impl<K, V, C> StateWriter<K, V> for RedbStore<K, V, C>
where
    K: 'static,
    V: 'static,
    C: StateCodec<K, V>,
{
    fn initialise(&self, entries: &[(K, V)], digest: [u8; 32]) -> Result<(), StorageError> {
        let batch = Batch::encode::<K, V, C>(0, entries.iter().map(|(key, value)| (key, Some(value))))?;
        let mut durable = self.durable.lock();
        if let Some(last) = *durable {
            return Err(StorageError::AlreadyInitialised { last: last.number });
        }
        self.write(&mut durable, BlockHead { number: 0, digest }, &[], &batch)
    }

    fn commit(&self, block: BlockCommit<'_, K, V>) -> Result<(), StorageError> {
        // Encoded before the lock is taken, so that writers wait for each other's disk only.
        let changes = block.changes.iter().map(|(key, value)| (key, value.as_ref()));
        let batch = Batch::encode::<K, V, C>(block.number, changes)?;
        let mut durable = self.durable.lock();
        check_next(*durable, block.number)?;
        let head = BlockHead { number: block.number, digest: block.digest };
        self.write(&mut durable, head, block.body, &batch)
    }

    fn last_block(&self) -> Result<Option<BlockHead>, StorageError> {
        Ok(self.published.load().last())
    }
}

impl<K, V, C> StateStore<K, V> for RedbStore<K, V, C>
where
    K: 'static,
    V: 'static,
    C: StateCodec<K, V>,
{
    fn snapshot(&self) -> Arc<dyn Snapshot<K, V>> {
        self.published.load_full()
    }
}

#[cfg(test)]
#[path = "../redb_fault_tests.rs"]
mod fault_tests;
