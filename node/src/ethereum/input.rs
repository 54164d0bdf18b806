//! A block file as revm takes it: the block's environment and its transactions, with their senders.

use std::path::{Path, PathBuf};
use std::thread;

use alloy_consensus::crypto::RecoveryError;
use alloy_consensus::transaction::SignerRecoverable;
use alloy_consensus::{Header, TxType};
use alloy_evm::FromRecoveredTx;
use alloy_primitives::Address;
use alloy_rpc_types_eth::Transaction;
use revm::context::TxEnv;
use revm::primitives::hardfork::SpecId;
use weft_evm::EvmEnv;

use super::chain;
use super::file::{BlockFile, BlockFileError};
use super::prestate::{CodeError, Prestate};
use super::system::{self, SystemCallError};

/// A thread that recovers fewer senders than this costs more than it saves.
const SENDERS_PER_THREAD: usize = 16;

/// A block that is ready to be executed.
#[derive(Debug, Clone)]
pub struct BlockInput {
    /// What the block must reproduce.
    pub header: Header,
    /// The rules and the block, as the machine sees them.
    pub env: EvmEnv,
    /// In the block's order.
    pub transactions: Vec<TxEnv>,
    /// Of each transaction: its receipt has the same.
    pub types: Vec<TxType>,
    /// The state that the first transaction sees.
    pub prestate: Prestate,
}

/// Why a block file cannot be executed.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// It cannot be read.
    #[error(transparent)]
    File(#[from] BlockFileError),
    /// It can be read, and its block makes no sense.
    #[error("{path}: block {block}: {source}", path = path.display())]
    Block {
        /// The file.
        path: PathBuf,
        /// The block's number.
        block: u64,
        /// What is wrong.
        source: BlockError,
    },
}

/// What is wrong with a block that can be read.
#[derive(Debug, thiserror::Error)]
pub enum BlockError {
    /// It names its transactions, and does not hold them.
    #[error("its transactions are not there, only their hashes")]
    OnlyHashes,
    /// A signature belongs to no key.
    #[error("transaction {transaction}: {source}")]
    Signature {
        /// The transaction, by its index.
        transaction: usize,
        /// What is wrong with the signature.
        source: RecoveryError,
    },
    /// A transaction was signed by someone else.
    #[error("transaction {transaction}: is from {stated} by the file, and was signed by {signer}")]
    Sender {
        /// The transaction, by its index.
        transaction: usize,
        /// The sender in the file.
        stated: Address,
        /// The sender by the signature.
        signer: Address,
    },
    /// The prestate.
    #[error(transparent)]
    Code(#[from] CodeError),
    /// What the protocol does ahead of the transactions.
    #[error(transparent)]
    SystemCall(#[from] SystemCallError),
}

impl BlockInput {
    /// Reads a file and makes its block ready, with up to `threads` threads for the signatures.
    ///
    /// # Errors
    /// [`InputError`] where the file cannot be read or its block not be executed.
    pub fn read(path: &Path, threads: usize) -> Result<Self, InputError> {
        let file = BlockFile::read(path)?;
        let block = file.block.header.number;
        Self::new(file, threads).map_err(|source| InputError::Block { path: path.to_owned(), block, source })
    }

    /// Makes a block ready, with up to `threads` threads for the signatures.
    ///
    /// # Errors
    /// [`BlockError`] where the block makes no sense.
    pub fn new(file: BlockFile, threads: usize) -> Result<Self, BlockError> {
        let header = file.block.header.inner;
        let env = chain::environment(file.chain.as_ref(), &header);
        let mut prestate = Prestate::new(&file.prestate, &file.block_hashes)?;
        system::before_transactions(&env, &header, &mut prestate)?;
        // An empty list reads as one of hashes.
        if file.block.transactions.is_hashes() && !file.block.transactions.is_empty() {
            return Err(BlockError::OnlyHashes);
        }
        let signed: Vec<Transaction> = file.block.transactions.into_transactions_vec();
        let types = signed.iter().map(|transaction| transaction.inner.tx_type()).collect();
        let transactions = recovered(&signed, env.cfg_env.spec, threads)?;
        Ok(Self { header, env, transactions, types, prestate })
    }

    /// The rules that the block is executed by.
    #[must_use]
    pub fn spec(&self) -> SpecId {
        self.env.cfg_env.spec
    }
}

/// All transactions with the senders that their signatures give; the first that is wrong is the error.
fn recovered(signed: &[Transaction], spec: SpecId, threads: usize) -> Result<Vec<TxEnv>, BlockError> {
    let length = signed.len().div_ceil(threads.max(1)).max(SENDERS_PER_THREAD);
    let mut chunks = signed.chunks(length).enumerate().map(|(at, chunk)| (at * length, chunk));
    // This thread takes the first part, so that a short block needs no other.
    let first = chunks.next();
    let parts: Vec<Result<Vec<TxEnv>, BlockError>> = thread::scope(|scope| {
        let others: Vec<_> =
            chunks.map(|(start, chunk)| scope.spawn(move || recovered_from(start, chunk, spec))).collect();
        let first = first.map(|(start, chunk)| recovered_from(start, chunk, spec));
        let joined = others.into_iter().map(|other| match other.join() {
            Ok(part) => part,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        first.into_iter().chain(joined).collect()
    });
    let mut transactions = Vec::with_capacity(signed.len());
    for part in parts {
        transactions.extend(part?);
    }
    Ok(transactions)
}

fn recovered_from(start: usize, signed: &[Transaction], spec: SpecId) -> Result<Vec<TxEnv>, BlockError> {
    let of_one = |(at, transaction): (usize, &Transaction)| {
        let at = start + at;
        let envelope = transaction.inner.inner();
        // Until Homestead both forms of a signature were valid (EIP-2).
        let signer = if spec.is_enabled_in(SpecId::HOMESTEAD) {
            envelope.recover_signer()
        } else {
            envelope.recover_signer_unchecked()
        };
        let signer = signer.map_err(|source| BlockError::Signature { transaction: at, source })?;
        let stated = transaction.inner.signer();
        if signer != stated {
            return Err(BlockError::Sender { transaction: at, stated, signer });
        }
        Ok(TxEnv::from_recovered_tx(envelope, signer))
    };
    signed.iter().enumerate().map(of_one).collect()
}
