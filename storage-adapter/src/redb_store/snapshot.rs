//! A view of a redb store at one block.
//!
//! It keeps a read transaction's tables open, so that a read is one lookup in a B-tree and nothing else.

use std::cell::Cell;
use std::marker::PhantomData;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use redb::{Database, ReadOnlyTable, ReadableDatabase, ReadableTable, ReadableTableMetadata};

use super::{Marker, layout, redb_error};
use crate::{BlockHead, BlockRecord, OwnCodec, Snapshot, StateCodec, StateReader, StorageError};

thread_local! {
    // The bytes of the key that this thread reads: kept, so that a read does not allocate for its key.
    static KEY_BYTES: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// The state of a [`RedbStore`](super::RedbStore) after one block.
///
/// While it is held, the file's pages that it shows are not reused, and the database stays open and locked.
pub struct RedbSnapshot<K, V, C = OwnCodec> {
    head: Option<BlockHead>,
    state: ReadOnlyTable<&'static [u8], &'static [u8]>,
    blocks: ReadOnlyTable<u64, &'static [u8]>,
    path: Arc<Path>,
    // Below the tables, so that it is dropped after them: a table of a closed database can no longer be read.
    _database: Arc<Database>,
    marker: Marker<K, V, C>,
}

impl<K, V, C> std::fmt::Debug for RedbSnapshot<K, V, C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedbSnapshot").field("path", &self.path).field("head", &self.head).finish_non_exhaustive()
    }
}

impl<K, V, C> RedbSnapshot<K, V, C> {
    /// A view of what is committed now. Checks that the head and the block that it names agree.
    pub(super) fn take(database: &Arc<Database>, path: &Arc<Path>) -> Result<Self, StorageError> {
        let (head, state, blocks) = tables(database).map_err(|error| match error {
            Unreadable::Redb(error) => redb_error(path, || "open a snapshot".to_owned(), error),
            Unreadable::Bytes(reason) => StorageError::DamagedFile { path: path.to_path_buf(), reason },
        })?;
        let snapshot =
            Self { head, state, blocks, path: Arc::clone(path), _database: Arc::clone(database), marker: PhantomData };
        if let Some(head) = head
            && snapshot.block_digest(head.number)? != Some(head.digest)
        {
            let reason = format!("the last block, {}, is missing or has another digest", head.number);
            return Err(StorageError::DamagedFile { path: path.to_path_buf(), reason });
        }
        Ok(snapshot)
    }

    /// The block that this shows the state after.
    pub(super) fn last(&self) -> Option<BlockHead> {
        self.head
    }

    fn with_block<T>(&self, number: u64, decode: impl FnOnce(&[u8]) -> Option<T>) -> Result<Option<T>, StorageError> {
        let found = ReadableTable::get(&self.blocks, number)
            .map_err(|error| redb_error(&self.path, || format!("read block {number}"), error))?;
        let Some(bytes) = found else {
            return Ok(None);
        };
        let bytes = bytes.value();
        match decode(bytes) {
            Some(block) => Ok(Some(block)),
            None => Err(StorageError::corrupt(
                format!("block {number} in {}", self.path.display()),
                format!("{} bytes are too few for a digest", bytes.len()),
            )),
        }
    }

    fn block_digest(&self, number: u64) -> Result<Option<[u8; 32]>, StorageError> {
        self.with_block(number, |bytes| bytes.first_chunk().copied())
    }

    /// Adds to a decoder's error which entry of which file it is about.
    fn at_key(&self, key: &[u8], error: StorageError) -> StorageError {
        match error {
            StorageError::Corrupt { what, reason } => {
                StorageError::Corrupt { what: format!("{what} at key {} in {}", hex(key), self.path.display()), reason }
            }
            other => other,
        }
    }
}

enum Unreadable {
    Redb(redb::Error),
    Bytes(String),
}

impl<E: Into<redb::Error>> From<E> for Unreadable {
    fn from(error: E) -> Self {
        Self::Redb(error.into())
    }
}

type Tables = (Option<BlockHead>, ReadOnlyTable<&'static [u8], &'static [u8]>, ReadOnlyTable<u64, &'static [u8]>);

fn tables(database: &Database) -> Result<Tables, Unreadable> {
    let transaction = database.begin_read()?;
    let meta = transaction.open_table(layout::META)?;
    let head = match ReadableTable::get(&meta, layout::HEAD)? {
        None => None,
        Some(bytes) => Some(
            layout::decode_head(bytes.value())
                .ok_or_else(|| Unreadable::Bytes(format!("its head has {} bytes", bytes.value().len())))?,
        ),
    };
    Ok((head, transaction.open_table(layout::STATE)?, transaction.open_table(layout::BLOCKS)?))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold("0x".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

impl<K, V, C> StateReader<K, V> for RedbSnapshot<K, V, C>
where
    K: 'static,
    V: 'static,
    C: StateCodec<K, V>,
{
    fn read(&self, key: &K) -> Result<Option<V>, StorageError> {
        // Taken out for the time of the read, not borrowed: a codec that reads in turn finds an empty buffer.
        let mut bytes = KEY_BYTES.try_with(Cell::take).unwrap_or_default();
        bytes.clear();
        C::encode_key(key, &mut bytes);
        let result = match ReadableTable::get(&self.state, bytes.as_slice()) {
            Ok(None) => Ok(None),
            Ok(Some(value)) => C::decode_value(value.value()).map(Some).map_err(|error| self.at_key(&bytes, error)),
            Err(error) => Err(redb_error(&self.path, || format!("read key {}", hex(&bytes)), error)),
        };
        // Refused only while the thread ends; the buffer is freed then.
        let _ = KEY_BYTES.try_with(|kept| kept.set(bytes));
        result
    }
}

impl<K, V, C> Snapshot<K, V> for RedbSnapshot<K, V, C>
where
    K: 'static,
    V: 'static,
    C: StateCodec<K, V>,
{
    fn head(&self) -> Option<BlockHead> {
        self.head
    }

    fn block(&self, number: u64) -> Result<Option<BlockRecord>, StorageError> {
        self.with_block(number, |bytes| layout::decode_block(number, bytes))
    }

    fn entries(&self) -> Result<u64, StorageError> {
        self.state.len().map_err(|error| redb_error(&self.path, || "count the entries".to_owned(), error))
    }

    fn for_each(&self, visit: &mut dyn FnMut(&K, &V) -> ControlFlow<()>) -> Result<(), StorageError> {
        let failed = |error| redb_error(&self.path, || "iterate".to_owned(), error);
        for entry in self.state.iter().map_err(failed)? {
            let (key, value) = entry.map_err(failed)?;
            let bytes = key.value();
            let key = C::decode_key(bytes).map_err(|error| self.at_key(bytes, error))?;
            let value = C::decode_value(value.value()).map_err(|error| self.at_key(bytes, error))?;
            if visit(&key, &value).is_break() {
                break;
            }
        }
        Ok(())
    }
}
