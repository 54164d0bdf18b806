//! What reader and writer of a chain file share.

use std::io;

use thiserror::Error;

/// The first bytes of a chain file.
pub const MAGIC: [u8; 8] = *b"weftchn\n";
/// The version that is written and read.
pub const VERSION: u16 = 1;
/// Largest transaction, in bytes: the largest module with room for everything else.
pub const MAX_TRANSACTION_BYTES: usize = 16 * 1024 * 1024;
/// Largest body of a block, in bytes.
pub const MAX_BODY_BYTES: u64 = 1 << 30;

/// Size of a block's header, in bytes.
pub(super) const HEADER_BYTES: usize = 8 + 8 + 32 + 4 + 8;

/// Why a chain file cannot be read or written. Offsets are bytes from the start of the file.
#[derive(Debug, Error)]
pub enum ChainFileError {
    /// Reading or writing failed.
    #[error("byte {offset}: {source}")]
    Io {
        /// Where.
        offset: u64,
        /// Why.
        source: io::Error,
    },
    /// It is another kind of file.
    #[error("byte 0: not a chain file: it does not start with the magic bytes")]
    Magic,
    /// It is of another version.
    #[error("byte 8: chain file of version {0}; this program reads version {VERSION}")]
    Version(u16),
    /// The file ends inside something.
    #[error("byte {offset}: the file ends inside {what}")]
    Truncated {
        /// Where the missing part begins.
        offset: u64,
        /// What is incomplete.
        what: &'static str,
    },
    /// A length or count outside its limits.
    #[error("byte {offset}: {value} {what}, at most {max} are allowed")]
    TooLarge {
        /// Where.
        offset: u64,
        /// What is counted.
        what: &'static str,
        /// The number found.
        value: u64,
        /// The largest allowed.
        max: u64,
    },
    /// The transactions do not fill the body exactly.
    #[error("byte {offset}: the transactions do not fill the body of block {number}")]
    Body {
        /// Where.
        offset: u64,
        /// Which block.
        number: u64,
    },
    /// The bytes are not those that were written.
    #[error("byte {offset}: the checksum of block {number} does not match")]
    Checksum {
        /// Where the block begins.
        offset: u64,
        /// Which block.
        number: u64,
    },
    /// The block is not the next of the chain.
    #[error("byte {offset}: block {number} does not follow its predecessor: {what}")]
    Order {
        /// Where the block begins; for a writer, where it would.
        offset: u64,
        /// Which block.
        number: u64,
        /// Which field says so.
        what: &'static str,
    },
}
