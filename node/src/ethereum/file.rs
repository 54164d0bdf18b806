//! A file with one Ethereum block and all that its execution reads: plain or gzip'd JSON.
//!
//! The block is what `eth_getBlockByNumber(n, true)` returns; the prestate has the shape of geth's `prestateTracer`.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_rpc_types_eth::Block;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};

use super::chain::Chain;

/// The first bytes of everything that gzip has written (RFC 1952, section 2.3.1).
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// An account as it was before the block.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrestateAccount {
    /// In wei.
    #[serde(default)]
    pub balance: U256,
    /// Transactions sent, or contracts created.
    #[serde(default)]
    pub nonce: u64,
    /// The code; empty where there is none.
    #[serde(default, skip_serializing_if = "has_no_code")]
    pub code: Bytes,
    /// Slots that the block touches.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub storage: BTreeMap<B256, B256>,
}

fn has_no_code(code: &Bytes) -> bool {
    code.is_empty()
}

/// A block with what its execution reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockFile {
    /// Which chain the block is of, and by which rules it was executed; mainnet's where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chain: Option<Chain>,
    /// Header, full transactions, withdrawals.
    pub block: Block,
    /// Every account that the block touches, before the block.
    pub prestate: BTreeMap<Address, PrestateAccount>,
    /// Hashes of ancestors that `BLOCKHASH` asks for, by number.
    #[serde(default, rename = "blockHashes")]
    pub block_hashes: BTreeMap<u64, B256>,
}

/// Why a block file cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum BlockFileError {
    /// The file system fails.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What failed.
        source: io::Error,
    },
    /// The bytes are not a block file.
    #[error("{path}: {source}", path = path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong, with line and column.
        source: serde_json::Error,
    },
}

impl BlockFile {
    /// Reads a block file, gzip'd or not.
    ///
    /// # Errors
    /// [`BlockFileError`] where the file cannot be read or is not a block file.
    pub fn read(path: &Path) -> Result<Self, BlockFileError> {
        let io = |source| BlockFileError::Io { path: path.to_owned(), source };
        let mut bytes = Vec::new();
        BufReader::new(File::open(path).map_err(io)?).read_to_end(&mut bytes).map_err(io)?;
        if bytes.starts_with(&GZIP_MAGIC) {
            let mut plain = Vec::new();
            GzDecoder::new(bytes.as_slice()).read_to_end(&mut plain).map_err(io)?;
            bytes = plain;
        }
        serde_json::from_slice(&bytes).map_err(|source| BlockFileError::Format { path: path.to_owned(), source })
    }

    /// Writes a block file, gzip'd where the name ends in `.gz`: whole or not at all.
    ///
    /// # Errors
    /// [`BlockFileError::Io`] where the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), BlockFileError> {
        let io = |source| BlockFileError::Io { path: path.to_owned(), source };
        let format = |source| BlockFileError::Format { path: path.to_owned(), source };
        let bytes = serde_json::to_vec(self).map_err(format)?;
        // Under another name first: whoever sees the name sees the whole file.
        let mut unfinished = path.as_os_str().to_owned();
        unfinished.push(".part");
        let unfinished = PathBuf::from(unfinished);
        let written = write_file(&unfinished, &bytes, path.extension().is_some_and(|extension| extension == "gz"))
            .and_then(|()| fs::rename(&unfinished, path));
        written.map_err(|source| {
            // Nobody asked for a part of a file. If that fails as well, what is told is why there is no whole one.
            let _ = fs::remove_file(&unfinished);
            io(source)
        })
    }
}

fn write_file(path: &Path, bytes: &[u8], compress: bool) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    if compress {
        let mut gzip = GzEncoder::new(&mut file, Compression::best());
        gzip.write_all(bytes)?;
        gzip.finish()?;
    } else {
        file.write_all(bytes)?;
    }
    file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
}
