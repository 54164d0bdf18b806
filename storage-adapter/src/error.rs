//! What can go wrong between the engine and a database.
//!
//! Each variant carries what its reader needs to act: the file, the key, the block. No backend lets a failure of its
//! own type, or a panic over damaged bytes, through to the caller.

use std::path::PathBuf;

/// A storage backend failed, or was asked for something that it must refuse.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// The backend failed while it did `operation`.
    #[error("{backend}: {operation}: {source}")]
    Backend {
        /// Name of the backend, such as `redb`.
        backend: &'static str,
        /// What it was asked to do, with the key or block where there is one.
        operation: String,
        /// The backend's own error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Stored bytes are not what they must be.
    #[error("corrupt {what}: {reason}")]
    Corrupt {
        /// What was read, with its key.
        what: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The block to commit does not follow the last one.
    #[error("block {got} does not follow the last committed block: expected {expected}")]
    NotNext {
        /// The number that would follow.
        expected: u64,
        /// The number that was given.
        got: u64,
    },
    /// A block was committed to a store that has no genesis yet.
    #[error("block {got} cannot be committed: the store holds no genesis state, initialise it first")]
    NotInitialised {
        /// The number that was given.
        got: u64,
    },
    /// A genesis state was given to a store that holds one already.
    #[error("the store cannot be initialised: it already holds blocks up to {last}")]
    AlreadyInitialised {
        /// The last committed block.
        last: u64,
    },
    /// The keys of a change set do not ascend strictly. Nothing of it was written.
    #[error("change {index} of block {number} is out of order: its key does not sort after the one before it")]
    Unsorted {
        /// The block that was to be committed.
        number: u64,
        /// Position, from 0, of the first change whose key is not greater than its predecessor's.
        index: usize,
    },
    /// The block is durable, but no view of it could be opened. Readers still see the block before it; the store has
    /// to be reopened.
    #[error("block {number} is committed, but cannot be read back until the store is reopened: {source}")]
    Unpublished {
        /// The block that is durable.
        number: u64,
        /// Why it cannot be read.
        #[source]
        source: Box<StorageError>,
    },
    /// The file is open elsewhere, in this process or in another.
    #[error("{}: the database is in use by another process, or is open twice in this one", path.display())]
    Locked {
        /// The database file.
        path: PathBuf,
    },
    /// The file is not a database of this store. It was not changed.
    #[error("{}: not a weft database: {reason}", path.display())]
    NotADatabase {
        /// The file that was to be opened.
        path: PathBuf,
        /// How that was found out.
        reason: String,
    },
    /// The file was a database of this store once, and is damaged.
    #[error("{}: the database is damaged: {reason}", path.display())]
    DamagedFile {
        /// The database file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The file is laid out by another version of this crate.
    #[error("{}: the database has layout version {found}, this program reads version {supported}", path.display())]
    LayoutVersion {
        /// The database file.
        path: PathBuf,
        /// The version that the file states.
        found: u32,
        /// The version that this crate reads and writes.
        supported: u32,
    },
    /// The file holds keys and values of another kind.
    #[error("{}: the database holds {found:?}, not {expected:?}", path.display())]
    SchemaMismatch {
        /// The database file.
        path: PathBuf,
        /// The schema that the file was created with.
        found: String,
        /// The schema that the caller asked for.
        expected: String,
    },
}

impl StorageError {
    /// A [`StorageError::Corrupt`], for use in decoders.
    ///
    /// `what` names the item and its key, `reason` says what is wrong with its bytes.
    pub fn corrupt(what: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Corrupt { what: what.into(), reason: reason.into() }
    }

    /// A [`StorageError::Backend`] of the backend named `backend`, which failed with `source` while it did `operation`.
    pub fn backend(
        backend: &'static str,
        operation: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Backend { backend, operation: operation.into(), source: source.into() }
    }
}
