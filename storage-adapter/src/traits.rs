//! What the engine and the node ask of a state store.
//!
//! All traits are object safe. [`StateReader`] is all that the engine needs; a node that runs on any backend holds a
//! `dyn StateStore<K, V>`. A backend's own `snapshot` method returns its concrete type, so that who knows the backend
//! pays no dynamic call a read.

use std::ops::ControlFlow;
use std::sync::Arc;

use crate::{BlockCommit, BlockHead, BlockRecord, StorageError};

/// Reads committed state. Called from many workers at once.
pub trait StateReader<K, V>: Sync {
    /// The committed value of `key`, or `None` where there is none.
    ///
    /// # Errors
    /// [`StorageError`] when the backend fails or its bytes are corrupt.
    fn read(&self, key: &K) -> Result<Option<V>, StorageError>;
}

/// Commits blocks, one after another, each in one atomic and durable transaction.
///
/// Calls from several threads are put in line; readers are never held up by them.
pub trait StateWriter<K, V>: Sync {
    /// Puts the genesis state into an empty store, as block 0 with `digest` and an empty body.
    ///
    /// The keys of `entries` ascend strictly. When this returns, the state is as durable as the backend makes anything,
    /// and visible.
    ///
    /// # Errors
    /// [`StorageError::AlreadyInitialised`] when the store holds a block, [`StorageError::Unsorted`] when the keys do
    /// not ascend; otherwise as [`commit`](Self::commit). On an error the store is as it was.
    fn initialise(&self, entries: &[(K, V)], digest: [u8; 32]) -> Result<(), StorageError>;

    /// Commits one block: state, block record and head, all of it or nothing.
    ///
    /// When this returns, the block is as durable as the backend makes anything, and visible.
    ///
    /// # Errors
    /// - [`StorageError::NotNext`] when the number is not the last one's plus one, [`StorageError::NotInitialised`]
    ///   when there is no last one, [`StorageError::Unsorted`] when the keys do not ascend. The store is as it was.
    /// - [`StorageError::Backend`] when the database fails. Readers see the state before the block. Where the failure
    ///   struck in the last step, the disk may nevertheless hold the block; who reopens the store finds one or the
    ///   other whole, and [`last_block`](Self::last_block) says which.
    /// - [`StorageError::Unpublished`] when the block is durable but cannot be shown.
    fn commit(&self, block: BlockCommit<'_, K, V>) -> Result<(), StorageError>;

    /// The last committed block that readers see; `None` before the store is initialised.
    ///
    /// # Errors
    /// [`StorageError`] when the backend fails or its bytes are corrupt.
    fn last_block(&self) -> Result<Option<BlockHead>, StorageError>;
}

/// A view of one committed block that never changes: what is committed later does not show in it.
///
/// It neither blocks a running commit nor waits for one. Holding one keeps what it shows from being reclaimed (memory,
/// or pages of the file), so do not keep old ones longer than they are needed.
pub trait Snapshot<K, V>: StateReader<K, V> + Send {
    /// The block that this is the state after; `None` for a store that was never initialised.
    fn head(&self) -> Option<BlockHead>;

    /// The block with this number, or `None` when it is later than [`head`](Self::head).
    ///
    /// # Errors
    /// [`StorageError`] when the backend fails or its bytes are corrupt.
    fn block(&self, number: u64) -> Result<Option<BlockRecord>, StorageError>;

    /// How many keys have a value.
    ///
    /// # Errors
    /// [`StorageError`] when the backend fails.
    fn entries(&self) -> Result<u64, StorageError>;

    /// Hands every key and its value to `visit`, in ascending order of the keys, until it breaks.
    ///
    /// # Errors
    /// [`StorageError`] when the backend fails or its bytes are corrupt; `visit` has then seen what comes before.
    fn for_each(&self, visit: &mut dyn FnMut(&K, &V) -> ControlFlow<()>) -> Result<(), StorageError>;
}

/// A whole store: reads the last block, commits the next one, and hands out snapshots.
///
/// A read through the store itself sees the last block at that moment, so two reads may see different blocks. Who needs
/// one state throughout, as the engine does for the length of a block, reads through [`snapshot`](Self::snapshot).
pub trait StateStore<K, V>: StateReader<K, V> + StateWriter<K, V> + Send {
    /// The last committed block, as a view that does not change any more. Costs a few nanoseconds.
    fn snapshot(&self) -> Arc<dyn Snapshot<K, V>>;

    /// The block with this number, or `None` when there is none yet.
    ///
    /// # Errors
    /// [`StorageError`] when the backend fails or its bytes are corrupt.
    fn block(&self, number: u64) -> Result<Option<BlockRecord>, StorageError> {
        self.snapshot().block(number)
    }

    /// Hands every key and value of the last block to `visit`, in ascending order of the keys, until it breaks.
    ///
    /// # Errors
    /// As [`Snapshot::for_each`].
    fn for_each(&self, visit: &mut dyn FnMut(&K, &V) -> ControlFlow<()>) -> Result<(), StorageError> {
        self.snapshot().for_each(visit)
    }
}

impl<K, V, R: StateReader<K, V> + ?Sized> StateReader<K, V> for &R {
    fn read(&self, key: &K) -> Result<Option<V>, StorageError> {
        (**self).read(key)
    }
}

impl<K, V, R: StateReader<K, V> + Send + ?Sized> StateReader<K, V> for Arc<R> {
    fn read(&self, key: &K) -> Result<Option<V>, StorageError> {
        (**self).read(key)
    }
}

impl<K, V, R: StateReader<K, V> + ?Sized> StateReader<K, V> for Box<R> {
    fn read(&self, key: &K) -> Result<Option<V>, StorageError> {
        (**self).read(key)
    }
}
