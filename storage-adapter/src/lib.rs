//! State readers and writers for weft, and their backends.
//!
//! A store holds the state after its last block, and every block by number. A block goes in as one atomic transaction;
//! readers work on snapshots, which never change and never wait:
//!
//! ```
//! use weft_storage::{BlockCommit, MemoryStore, Snapshot, StateReader, StateStore, StateWriter};
//!
//! let store: MemoryStore<u64, u64> = MemoryStore::new();
//! store.initialise(&[(1, 100), (2, 50)], [0; 32])?;
//! let genesis = store.snapshot();
//!
//! // One block moves 30 from account 1 to account 3 and closes account 2.
//! let changes = [(1, Some(70)), (2, None), (3, Some(30))];
//! store.commit(BlockCommit { number: 1, digest: [1; 32], body: b"the block's own bytes", changes: &changes })?;
//!
//! assert_eq!(store.read(&3)?, Some(30));
//! assert_eq!(store.read(&2)?, None);
//! assert_eq!(store.block(1)?.map(|block| block.body), Some(b"the block's own bytes".to_vec()));
//! assert_eq!(genesis.read(&2)?, Some(50), "a snapshot keeps showing its own block");
//! # Ok::<(), weft_storage::StorageError>(())
//! ```
//!
//! | type | is |
//! |---|---|
//! | [`MemoryStore`] | a store in memory |
//! | [`RedbStore`] | a store on disk, in one file |
//! | [`LatencyReader`] | any reader, made slower by a given time, counting its reads |
//! | [`testing::FaultyReader`] | any reader, failing where a test wants it |
//!
//! What goes to disk needs a codec: implement [`StorageCodec`] on types of your own, or [`StateCodec`] for types of
//! others.

mod block;
mod codec;
mod error;
mod latency;
mod memory;
mod redb_store;
pub mod testing;
mod traits;

pub use block::{BlockCommit, BlockHead, BlockRecord};
pub use codec::{OwnCodec, StateCodec, StorageCodec};
pub use error::StorageError;
pub use latency::LatencyReader;
pub use memory::{MemoryKey, MemorySnapshot, MemoryStore};
pub use redb_store::{RedbOptions, RedbSnapshot, RedbStore};
pub use traits::{Snapshot, StateReader, StateStore, StateWriter};

#[cfg(test)]
mod codec_tests;
#[cfg(test)]
mod reader_tests;
#[cfg(test)]
mod redb_tests;
#[cfg(test)]
mod store_tests;
