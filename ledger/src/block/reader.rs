//! Reads chain files, one block at a time.

use std::io::{self, Read};
use std::sync::Arc;

use crate::signed::WireBytes;
use crate::types::Hash;
use crate::wire::Reader;

use super::Block;
use super::chain_file::{ChainFileError, HEADER_BYTES, MAGIC, MAX_BODY_BYTES, MAX_TRANSACTION_BYTES, VERSION};

/// Reads blocks one after another. Give it a buffered source.
///
/// Memory grows with what the file really holds, never with what its counts claim.
#[derive(Debug)]
pub struct BlockReader<R> {
    input: R,
    chain_id: u8,
    offset: u64,
    last: Option<(u64, Hash)>,
    failed: bool,
}

impl<R: Read> BlockReader<R> {
    /// Reads the file's head.
    ///
    /// # Errors
    /// [`ChainFileError`] when it is no chain file of this version.
    pub fn new(input: R) -> Result<Self, ChainFileError> {
        let mut reader = Self { input, chain_id: 0, offset: 0, last: None, failed: false };
        let mut head = Vec::new();
        reader.fill(&mut head, 12, "the file's head")?;
        let (magic, rest) = head.split_at(MAGIC.len());
        if magic != MAGIC {
            return Err(ChainFileError::Magic);
        }
        let version = u16::from_be_bytes([rest[0], rest[1]]);
        if version != VERSION || rest[3] != 0 {
            return Err(ChainFileError::Version(version));
        }
        reader.chain_id = rest[2];
        Ok(reader)
    }

    /// The chain that the blocks belong to.
    #[must_use]
    pub const fn chain_id(&self) -> u8 {
        self.chain_id
    }

    /// Bytes read so far.
    #[must_use]
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// The next block with its id, or `None` at the end of the file.
    ///
    /// # Errors
    /// [`ChainFileError`]; nothing can be read after one.
    pub fn next_block(&mut self) -> Result<Option<(Block, Hash)>, ChainFileError> {
        let start = self.offset;
        let mut bytes = Vec::new();
        if self.read_up_to(&mut bytes, HEADER_BYTES)? == 0 {
            return Ok(None);
        }
        if bytes.len() < HEADER_BYTES {
            return Err(ChainFileError::Truncated { offset: self.offset, what: "a block's header" });
        }
        let truncated = ChainFileError::Truncated { offset: start, what: "a block's header" };
        let Ok((number, timestamp, parent, count, body)) = parse_header(&bytes) else { return Err(truncated) };
        if body > MAX_BODY_BYTES {
            let offset = start + (HEADER_BYTES - 8) as u64;
            return Err(ChainFileError::TooLarge { offset, what: "body bytes", value: body, max: MAX_BODY_BYTES });
        }
        self.fill(&mut bytes, HEADER_BYTES + body as usize, "a block's body")?;
        let id = crate::crypto::hash(&bytes);
        let mut checksum = Vec::new();
        self.fill(&mut checksum, 32, "a block's checksum")?;
        if checksum != id.0 {
            return Err(ChainFileError::Checksum { offset: start, number });
        }
        let follows = match self.last {
            None if number == 0 => Some("number"),
            Some((last, _)) if last.checked_add(1) != Some(number) => Some("number"),
            Some((_, last_id)) if parent != last_id => Some("parent"),
            _ => None,
        };
        if let Some(what) = follows {
            return Err(ChainFileError::Order { offset: start, number, what });
        }
        let transactions = split(bytes.into(), count, start, number)?;
        self.last = Some((number, id));
        Ok(Some((Block { chain_id: self.chain_id, number, timestamp, parent, transactions }, id)))
    }

    /// Reads until `buffer` holds `target` bytes; the end of the file is an error.
    fn fill(&mut self, buffer: &mut Vec<u8>, target: usize, what: &'static str) -> Result<(), ChainFileError> {
        self.read_up_to(buffer, target)?;
        if buffer.len() < target {
            return Err(ChainFileError::Truncated { offset: self.offset, what });
        }
        Ok(())
    }

    /// Reads until `buffer` holds `target` bytes or the file ends; gives how many bytes came.
    fn read_up_to(&mut self, buffer: &mut Vec<u8>, target: usize) -> Result<usize, ChainFileError> {
        let missing = (target - buffer.len()) as u64;
        // `read_to_end` grows the buffer by what arrives.
        let read = (&mut self.input).take(missing).read_to_end(buffer);
        let read = read.map_err(|source: io::Error| ChainFileError::Io { offset: self.offset, source })?;
        self.offset += read as u64;
        Ok(read)
    }
}

impl<R: Read> Iterator for BlockReader<R> {
    type Item = Result<(Block, Hash), ChainFileError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let next = self.next_block();
        self.failed = next.is_err();
        next.transpose()
    }
}

type Header = (u64, u64, Hash, u32, u64);

fn parse_header(bytes: &[u8]) -> Result<Header, crate::wire::DecodeError> {
    let mut r = Reader::new(bytes);
    Ok((r.u64()?, r.u64()?, Hash(r.array()?), r.u32()?, r.u64()?))
}

/// Cuts header and body into transactions, without copying.
fn split(bytes: Arc<[u8]>, count: u32, start: u64, number: u64) -> Result<Vec<WireBytes>, ChainFileError> {
    let mut r = Reader::new(&bytes);
    let misfit = |at: usize| ChainFileError::Body { offset: start + at as u64, number };
    r.bytes(HEADER_BYTES).map_err(|error| misfit(error.offset))?;
    let mut transactions = Vec::with_capacity(r.capacity(count as usize, 4));
    for _ in 0..count {
        let at = r.offset();
        let length = r.u32().map_err(|error| misfit(error.offset))? as usize;
        if length > MAX_TRANSACTION_BYTES {
            return Err(ChainFileError::TooLarge {
                offset: start + at as u64,
                what: "transaction bytes",
                value: length as u64,
                max: MAX_TRANSACTION_BYTES as u64,
            });
        }
        let from = r.offset();
        r.bytes(length).map_err(|error| misfit(error.offset))?;
        transactions.extend(WireBytes::slice(&bytes, from..from + length));
    }
    let end = r.offset();
    r.finish().map_err(|_| misfit(end))?;
    Ok(transactions)
}
