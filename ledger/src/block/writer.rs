//! Writes chain files.

use std::io::Write;

use crate::types::Hash;

use super::Block;
use super::chain_file::{ChainFileError, HEADER_BYTES, MAGIC, MAX_BODY_BYTES, MAX_TRANSACTION_BYTES, VERSION};

/// Writes blocks one after another, each following the one before.
#[derive(Debug)]
pub struct BlockWriter<W> {
    out: W,
    chain_id: u8,
    offset: u64,
    last: Option<(u64, Hash)>,
}

impl<W: Write> BlockWriter<W> {
    /// Starts a file for the blocks of one chain.
    ///
    /// # Errors
    /// [`ChainFileError::Io`].
    pub fn new(out: W, chain_id: u8) -> Result<Self, ChainFileError> {
        let mut writer = Self { out, chain_id, offset: 0, last: None };
        writer.put(&MAGIC)?;
        writer.put(&VERSION.to_be_bytes())?;
        writer.put(&[chain_id, 0])?;
        Ok(writer)
    }

    /// Appends `block` and gives its id, which the next block names as parent.
    ///
    /// # Errors
    /// [`ChainFileError::Order`] when it is not the next block of this chain, [`ChainFileError::TooLarge`],
    /// [`ChainFileError::Io`].
    pub fn write(&mut self, block: &Block) -> Result<Hash, ChainFileError> {
        let number = block.number;
        let order = |what| ChainFileError::Order { offset: self.offset, number, what };
        if block.chain_id != self.chain_id {
            return Err(order("chain id"));
        }
        if number == 0 {
            return Err(order("number"));
        }
        if let Some((last, id)) = self.last {
            if last.checked_add(1) != Some(number) {
                return Err(order("number"));
            }
            if block.parent != id {
                return Err(order("parent"));
            }
        }
        let body: u64 = block.transactions.iter().map(|wire| 4 + wire.as_slice().len() as u64).sum();
        self.check("body bytes", body, MAX_BODY_BYTES)?;
        self.check("transactions", block.transactions.len() as u64, u64::from(u32::MAX))?;
        let mut bytes = Vec::with_capacity(HEADER_BYTES + body as usize + 32);
        bytes.extend_from_slice(&number.to_be_bytes());
        bytes.extend_from_slice(&block.timestamp.to_be_bytes());
        bytes.extend_from_slice(&block.parent.0);
        bytes.extend_from_slice(&(block.transactions.len() as u32).to_be_bytes());
        bytes.extend_from_slice(&body.to_be_bytes());
        for wire in &block.transactions {
            let wire = wire.as_slice();
            self.check("transaction bytes", wire.len() as u64, MAX_TRANSACTION_BYTES as u64)?;
            bytes.extend_from_slice(&(wire.len() as u32).to_be_bytes());
            bytes.extend_from_slice(wire);
        }
        let id = crate::crypto::hash(&bytes);
        bytes.extend_from_slice(&id.0);
        self.put(&bytes)?;
        self.last = Some((number, id));
        Ok(id)
    }

    /// Flushes and gives back the underlying writer.
    ///
    /// # Errors
    /// [`ChainFileError::Io`].
    pub fn finish(mut self) -> Result<W, ChainFileError> {
        let offset = self.offset;
        self.out.flush().map_err(|source| ChainFileError::Io { offset, source })?;
        Ok(self.out)
    }

    fn check(&self, what: &'static str, value: u64, max: u64) -> Result<(), ChainFileError> {
        if value > max {
            return Err(ChainFileError::TooLarge { offset: self.offset, what, value, max });
        }
        Ok(())
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), ChainFileError> {
        let offset = self.offset;
        self.out.write_all(bytes).map_err(|source| ChainFileError::Io { offset, source })?;
        self.offset += bytes.len() as u64;
        Ok(())
    }
}
