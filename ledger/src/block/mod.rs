//! Blocks, and chains of blocks as a file.
//!
//! The file starts with [`MAGIC`], a version (u16), the chain id (u8) and a zero byte. Then block after block: number
//! (u64), timestamp (u64), parent (32), transaction count (u32), body length (u64), the body, and a BLAKE3 checksum
//! (32) over everything from the number on. The body is, for each transaction, its length (u32) and its wire bytes.
//! The checksum is the block's id, which its successor names as parent. All integers are big-endian.

mod chain_file;
mod reader;
mod writer;

#[cfg(test)]
mod block_tests;

pub use chain_file::{ChainFileError, MAGIC, MAX_BODY_BYTES, MAX_TRANSACTION_BYTES, VERSION};
pub use reader::BlockReader;
pub use writer::BlockWriter;

use thiserror::Error;

use crate::rules::BlockContext;
use crate::signed::{SignedTransaction, WireBytes};
use crate::types::Hash;
use crate::wire::{DecodeError, Era};

/// An ordered list of transactions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// 0 mainnet, 1 testnet, 2 stagenet, 3 devnet.
    pub chain_id: u8,
    /// From 1: the global height after the block.
    pub number: u64,
    /// The block's time, in milliseconds: see [`BlockContext::timestamp`] for who reads it.
    pub timestamp: u64,
    /// Id of the block before; zero for the first.
    pub parent: Hash,
    /// Wire bytes, in order.
    pub transactions: Vec<WireBytes>,
}

/// A transaction of a block that does not decode. The block is rejected with 0x0100 (spec 7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("transaction {index}: {source}")]
pub struct BlockDecodeError {
    /// Position in the block, from 0.
    pub index: usize,
    /// What is wrong with it.
    pub source: DecodeError,
}

impl Block {
    /// The surroundings that its transactions run in. Who is rewarded for it is no part of the block.
    #[must_use]
    pub fn context(&self) -> BlockContext {
        let height = self.number.saturating_sub(1);
        BlockContext { chain_id: self.chain_id, height, timestamp: self.timestamp, ..BlockContext::default() }
    }

    /// Decodes all transactions as those of [`Era::Standard`]; they share the block's bytes.
    ///
    /// # Errors
    /// [`BlockDecodeError`] for the first that does not decode.
    pub fn decode_transactions(&self) -> Result<Vec<SignedTransaction>, BlockDecodeError> {
        self.decode_transactions_in(Era::Standard)
    }

    /// Decodes all transactions as those of `era` (spec 2.6); they share the block's bytes.
    ///
    /// # Errors
    /// [`BlockDecodeError`] for the first that does not decode.
    pub fn decode_transactions_in(&self, era: Era) -> Result<Vec<SignedTransaction>, BlockDecodeError> {
        self.transactions
            .iter()
            .enumerate()
            .map(|(index, wire)| {
                SignedTransaction::decode_in(era, wire.clone()).map_err(|source| BlockDecodeError { index, source })
            })
            .collect()
    }
}
