//! Real Ethereum blocks from files, and consecutive ones merged into one.

use std::path::{Path, PathBuf};
use std::{fs, io};

use revm::context::TxEnv;
use revm::context::result::EVMError;
use revm::database_interface::WrapDatabaseRef;
use revm::{Context, ExecuteEvm, MainBuilder, MainContext};
use weft_evm::EvmEnv;
use weft_node::ethereum::file::{BlockFile, BlockFileError, PrestateAccount};
use weft_node::ethereum::input::{BlockError, BlockInput};
use weft_node::ethereum::prestate::{Prestate, PrestateError};

use super::Block;

/// Why a block cannot be measured.
#[derive(Debug, thiserror::Error)]
pub enum MainnetError {
    /// The folder cannot be read.
    #[error("{path}: {source}", path = path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file cannot be read.
    #[error(transparent)]
    File(#[from] BlockFileError),
    /// A block makes no sense.
    #[error("block {block}: {source}")]
    Block {
        /// The number of the block, the first one if several are merged.
        block: u64,
        /// What is wrong.
        source: BlockError,
    },
    /// The state below a merged block lacks something.
    #[error("merged into block {block}: {source}")]
    Merge {
        /// The number of the first block.
        block: u64,
        /// What is wrong.
        source: EVMError<PrestateError>,
    },
}

/// The block files of a folder by number; `merge` consecutive ones belong together, what is left over is not used.
///
/// # Errors
/// [`MainnetError::Folder`] where the folder cannot be read.
pub fn files(folder: &Path, merge: usize) -> Result<Vec<Vec<(u64, PathBuf)>>, MainnetError> {
    let failed = |source| MainnetError::Folder { path: folder.to_owned(), source };
    let mut numbered = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let number = name.strip_suffix(".gz").unwrap_or(name).strip_suffix(".json").and_then(|stem| stem.parse().ok());
        if let Some(number) = number {
            numbered.push((number, path));
        }
    }
    numbered.sort_unstable();
    let mut groups: Vec<Vec<(u64, PathBuf)>> = Vec::new();
    for file in numbered {
        match groups.last_mut() {
            Some(group) if group.len() < merge && group.last().is_some_and(|last| last.0 + 1 == file.0) => {
                group.push(file);
            }
            _ => groups.push(vec![file]),
        }
    }
    groups.retain(|group| group.len() == merge.max(1));
    Ok(groups)
}

/// Reads a block, or makes one of several: by the rules and on the state of the first, without the transactions that
/// are not valid then. None where the blocks are of different forks.
///
/// # Errors
/// [`MainnetError`] where a file cannot be read or a block makes no sense.
pub fn read(files: &[(u64, PathBuf)]) -> Result<Option<Block<Prestate>>, MainnetError> {
    let Some(((first, path), others)) = files.split_first() else { return Ok(None) };
    let (first, mut merged) = (*first, BlockFile::read(path)?);
    let input = |file| BlockInput::new(file, 1).map_err(|source| MainnetError::Block { block: first, source });
    if others.is_empty() {
        let input = input(merged)?;
        let (env, transactions) = (input.env, input.transactions);
        return Ok(Some(Block { name: first.to_string(), env, database: input.prestate, transactions }));
    }
    let spec = input(merged.clone())?.spec();
    let mut transactions = Vec::new();
    for (block, path) in others {
        let file = BlockFile::read(path)?;
        let failed = |source| MainnetError::Block { block: *block, source };
        let input = BlockInput::new(file.clone(), 1).map_err(failed)?;
        if input.spec() != spec {
            return Ok(None);
        }
        transactions.extend(input.transactions);
        absorb(&mut merged, file);
    }
    let input = input(merged)?;
    let all: Vec<TxEnv> = input.transactions.into_iter().chain(transactions).collect();
    let transactions =
        valid(&input.env, &input.prestate, &all).map_err(|source| MainnetError::Merge { block: first, source })?;
    let last = others.last().map_or(first, |file| file.0);
    let left_out = match all.len() - transactions.len() {
        0 => String::new(),
        count => format!(" without {count}"),
    };
    let name = format!("{first}-{last}{left_out}");
    Ok(Some(Block { name, env: input.env, database: input.prestate, transactions }))
}

/// Adds what only a later block touches to the state: it is still as it was before the first one. Prices become those
/// that every transaction can pay.
fn absorb(merged: &mut BlockFile, later: BlockFile) {
    for (address, account) in later.prestate {
        let known = merged.prestate.entry(address).or_insert_with(|| {
            // The slots follow.
            let storage = Default::default();
            PrestateAccount { storage, ..account.clone() }
        });
        for (slot, value) in account.storage {
            known.storage.entry(slot).or_insert(value);
        }
    }
    for (number, hash) in later.block_hashes {
        merged.block_hashes.entry(number).or_insert(hash);
    }
    let (header, later) = (&mut merged.block.header.inner, &later.block.header.inner);
    header.base_fee_per_gas = header.base_fee_per_gas.min(later.base_fee_per_gas);
    header.excess_blob_gas = header.excess_blob_gas.min(later.excess_blob_gas);
    header.gas_limit = header.gas_limit.max(later.gas_limit);
}

/// The transactions that are valid one after another.
fn valid(env: &EvmEnv, database: &Prestate, transactions: &[TxEnv]) -> Result<Vec<TxEnv>, EVMError<PrestateError>> {
    let mut evm = Context::mainnet()
        .with_db(WrapDatabaseRef(database))
        .with_cfg(env.cfg_env.clone())
        .with_block(env.block_env.clone())
        .build_mainnet();
    let mut valid = Vec::with_capacity(transactions.len());
    for transaction in transactions {
        match evm.transact_one(transaction.clone()) {
            Ok(_) => valid.push(transaction.clone()),
            // A reward or a withdrawal between the blocks is missing, or somebody's earlier transaction is.
            Err(EVMError::Transaction(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(valid)
}
