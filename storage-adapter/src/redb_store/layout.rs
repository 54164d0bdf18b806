//! What stands where in the file.
//!
//! | table | key | value |
//! |---|---|---|
//! | `weft.state` | encoded key | encoded value |
//! | `weft.blocks` | block number | digest (32 bytes), body |
//! | `weft.meta` | `layout` | version of this layout, u32 big-endian |
//! | | `schema` | the caller's schema, UTF-8 |
//! | | `head` | last block: number, u64 big-endian; digest (32 bytes). Missing before the genesis |

use redb::TableDefinition;

use crate::{BlockHead, BlockRecord};

/// The version of this layout. To be raised whenever a file of the old one would be misread.
pub(super) const VERSION: u32 = 1;

pub(super) const STATE: TableDefinition<'static, &[u8], &[u8]> = TableDefinition::new("weft.state");
pub(super) const BLOCKS: TableDefinition<'static, u64, &[u8]> = TableDefinition::new("weft.blocks");
pub(super) const META: TableDefinition<'static, &str, &[u8]> = TableDefinition::new("weft.meta");

pub(super) const LAYOUT: &str = "layout";
pub(super) const SCHEMA: &str = "schema";
pub(super) const HEAD: &str = "head";

pub(super) fn encode_head(head: &BlockHead) -> [u8; 40] {
    let mut bytes = [0; 40];
    bytes[..8].copy_from_slice(&head.number.to_be_bytes());
    bytes[8..].copy_from_slice(&head.digest);
    bytes
}

pub(super) fn decode_head(bytes: &[u8]) -> Option<BlockHead> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some(BlockHead { number: u64::from_be_bytes(*number), digest: rest.try_into().ok()? })
}

pub(super) fn encode_block(head: &BlockHead, body: &[u8]) -> Vec<u8> {
    [&head.digest, body].concat()
}

pub(super) fn decode_block(number: u64, bytes: &[u8]) -> Option<BlockRecord> {
    let (digest, body) = bytes.split_first_chunk()?;
    Some(BlockRecord { number, digest: *digest, body: body.to_vec() })
}
