//! A block as a store sees it: a number, a digest, opaque bytes and the state changes.

use crate::StorageError;

/// Which block a store or a snapshot stands at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BlockHead {
    /// Height; the genesis state is 0.
    pub number: u64,
    /// The digest that the caller committed the block with. Stores keep it and never interpret it.
    pub digest: [u8; 32],
}

/// A committed block, as it is found by its number.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BlockRecord {
    /// Height; the genesis state is 0.
    pub number: u64,
    /// The digest that the caller committed the block with.
    pub digest: [u8; 32],
    /// The caller's own record of the block, opaque to the store; may be empty, and is for the genesis.
    pub body: Vec<u8>,
}

impl BlockRecord {
    /// Number and digest alone.
    #[must_use]
    pub fn head(&self) -> BlockHead {
        BlockHead { number: self.number, digest: self.digest }
    }
}

/// One block to commit: all of it becomes visible and durable at once, or none of it.
#[derive(Debug)]
pub struct BlockCommit<'a, K, V> {
    /// Height; has to be the last committed block's plus one.
    pub number: u64,
    /// Digest of the block or of the state after it, as the caller defines it.
    pub digest: [u8; 32],
    /// The caller's own record of the block, given back by number; may be empty.
    pub body: &'a [u8],
    /// The new value of every changed key, `None` where the key is deleted. Keys ascend strictly. Deleting a key that
    /// is not there changes nothing.
    pub changes: &'a [(K, Option<V>)],
}

// Derived, these would ask for `K: Clone`, though only references are copied.
impl<K, V> Clone for BlockCommit<'_, K, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K, V> Copy for BlockCommit<'_, K, V> {}

/// Refuses a block that does not follow `last`.
pub(crate) fn check_next(last: Option<BlockHead>, got: u64) -> Result<(), StorageError> {
    let Some(last) = last else {
        return Err(StorageError::NotInitialised { got });
    };
    // A chain of 2^64 blocks is not refused as such: there is no number left that a caller could give.
    match last.number.checked_add(1) {
        Some(expected) if expected == got => Ok(()),
        Some(expected) => Err(StorageError::NotNext { expected, got }),
        None => Err(StorageError::NotNext { expected: u64::MAX, got }),
    }
}
