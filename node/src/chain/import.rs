//! How a block gets onto the chain: it is prepared (decoded, its signatures checked), executed on the state that its
//! parent left, and committed. Of a stream of blocks one is prepared while the one before it is written.

use std::borrow::Borrow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use weft_engine::{BlockEnd, WorkerPool};
use weft_ledger::block::{Block, BlockWriter, ChainFileError};
use weft_ledger::rules::BlockContext;
use weft_ledger::state::{Counter, Key, Value};
use weft_ledger::{Hash, SignedTransaction};
use weft_storage::{BlockCommit, StateReader};

use super::{Chain, ImportError, ImportedBlock, SnapshotReader};
use crate::executor::{BlockInput, ExecutedBlock, SharedState};

/// What can be done with a block before its parent is on the chain.
struct Prepared {
    number: u64,
    parent: Hash,
    context: BlockContext,
    transactions: Vec<SignedTransaction>,
    /// As it will be kept, with its id, if it can be.
    kept: Result<(Vec<u8>, Hash), ChainFileError>,
    decode: Duration,
    signatures: Duration,
    encode: Duration,
}

/// A block that is to be committed.
struct Executed {
    number: u64,
    block: ExecutedBlock,
    body: Vec<u8>,
    decode: Duration,
    encode: Duration,
}

impl Chain {
    /// Executes a block and commits it durably, or leaves the chain as it is.
    ///
    /// # Errors
    /// [`ImportError`].
    pub fn import(&self, block: &Block) -> Result<ImportedBlock, ImportError> {
        self.import_if(block, None)
    }

    /// As [`import`](Self::import), of a block whose digest is known: with another one it is not committed.
    ///
    /// # Errors
    /// [`ImportError`], [`ImportError::Digest`] among them.
    pub fn import_expecting(&self, block: &Block, digest: Hash) -> Result<ImportedBlock, ImportError> {
        self.import_if(block, Some(digest))
    }

    fn import_if(&self, block: &Block, digest: Option<Hash>) -> Result<ImportedBlock, ImportError> {
        let _import = self.import.lock();
        let prepared = self.prepare(block, false)?;
        self.commit(self.execute(prepared, digest)?)
    }

    /// Imports blocks one after another, as [`import`](Self::import) does, and hands out each when it is durable. While
    /// one is written to disk the next one is decoded and its signatures are checked, where the executor checks them
    /// beforehand. Nobody else imports meanwhile; readers see block after block.
    ///
    /// # Errors
    /// [`ImportError`] of the first block that fails. All before it have been handed out and are on the chain.
    pub fn import_all<B: Borrow<Block> + Sync>(
        &self,
        blocks: impl IntoIterator<Item = B>,
        mut imported: impl FnMut(ImportedBlock),
    ) -> Result<(), ImportError> {
        let _import = self.import.lock();
        // One of the two is this thread; the other one lasts as long as the stream.
        let stages = WorkerPool::new(2);
        let mut blocks = blocks.into_iter();
        let Some(first) = blocks.next() else { return Ok(()) };
        let mut prepared = self.prepare(first.borrow(), true)?;
        loop {
            let executed = Mutex::new(Some(self.execute(prepared, None)?));
            let next = blocks.next();
            let (committed, following) = (Mutex::new(None), Mutex::new(None));
            stages.run(2, |stage| {
                if stage == 0 {
                    *following.lock() = next.as_ref().map(|block| self.prepare(block.borrow(), true));
                } else if let Some(executed) = executed.lock().take() {
                    *committed.lock() = Some(self.commit(executed));
                }
            });
            if let Some(committed) = committed.into_inner() {
                imported(committed?);
            }
            let Some(following) = following.into_inner() else { return Ok(()) };
            prepared = following?;
        }
    }

    /// Decodes a block, and checks its signatures if that is to be done here and not with the execution.
    fn prepare(&self, block: &Block, checks_signatures: bool) -> Result<Prepared, ImportError> {
        let number = block.number;
        let start = Instant::now();
        let era = self.executor.era();
        let transactions =
            block.decode_transactions_in(era).map_err(|source| ImportError::Decode { block: number, source })?;
        let decode = start.elapsed();
        let start = Instant::now();
        if checks_signatures {
            self.executor.check_signatures(&transactions);
        }
        let signatures = start.elapsed();
        let start = Instant::now();
        let kept = encode_block(block);
        let id = kept.as_ref().map_or(Hash::default(), |(_, id)| *id);
        let (parent, context) = (block.parent, self.context(block, id));
        let encode = start.elapsed();
        Ok(Prepared { number, parent, context, transactions, kept, decode, signatures, encode })
    }

    /// Executes a block on the state that its parent left, if the chain's last block is its parent.
    fn execute(&self, prepared: Prepared, digest: Option<Hash>) -> Result<Executed, ImportError> {
        let Prepared { number, parent, context, transactions, kept, decode, signatures, encode } = prepared;
        let storage = |source| ImportError::Storage { block: number, source };
        let snapshot = self.store.snapshot();
        let head = snapshot.head().ok_or(ImportError::Empty)?;
        if head.number.checked_add(1) != Some(number) {
            return Err(ImportError::NotNext { expected: head.number.saturating_add(1), got: number });
        }
        let (chain_id, expected) = self.view_of(&snapshot).last_block().map_err(storage)?;
        if parent != expected {
            return Err(ImportError::Parent { block: number, expected, got: parent });
        }
        // A transaction is signed for one chain: a block must not choose for which.
        if let Some(expected) = chain_id.filter(|chain_id| *chain_id != context.chain_id) {
            return Err(ImportError::ChainId { block: number, expected, got: context.chain_id });
        }
        let last = match snapshot.read(&Key::Counter(Counter::Timestamp)).map_err(storage)? {
            Some(Value::Counter(last)) => last,
            _ => 0,
        };
        if context.timestamp < last {
            return Err(ImportError::Time { block: number, last, got: context.timestamp });
        }
        let (body, _) = kept.map_err(|source| ImportError::Encode { block: number, source })?;
        let input = BlockInput { context, transactions: transactions.into(), parent_digest: Hash(head.digest) };
        let state: SharedState = Arc::new(SnapshotReader(snapshot));
        let mut executed =
            self.executor.execute(&input, &state).map_err(|source| ImportError::Execute { block: number, source })?;
        if let Some((transaction, error)) = executed.rejection() {
            return Err(ImportError::Rejected { block: number, transaction, error });
        }
        if let BlockEnd::GasLimit { transaction } = executed.end {
            return Err(ImportError::GasLimit { block: number, transaction });
        }
        if let Some(expected) = digest.filter(|digest| *digest != executed.digest) {
            return Err(ImportError::Digest { block: number, expected, got: executed.digest });
        }
        executed.costs.signatures += signatures;
        Ok(Executed { number, block: executed, body, decode, encode })
    }

    fn commit(&self, executed: Executed) -> Result<ImportedBlock, ImportError> {
        let Executed { number, block, body, decode, encode } = executed;
        let start = Instant::now();
        self.store
            .commit(BlockCommit { number, digest: block.digest.0, body: &body, changes: &block.changes })
            .map_err(|source| ImportError::Storage { block: number, source })?;
        tracing::debug!(number, transactions = block.transactions().len(), "block committed");
        Ok(ImportedBlock { block, decode, commit: encode + start.elapsed() })
    }
}

/// A block as it is kept, a chain file of its own; and its id.
fn encode_block(block: &Block) -> Result<(Vec<u8>, Hash), ChainFileError> {
    let bytes: usize = block.transactions.iter().map(|wire| wire.as_slice().len() + 4).sum();
    let mut writer = BlockWriter::new(Vec::with_capacity(bytes + 256), block.chain_id)?;
    let id = writer.write(block)?;
    Ok((writer.finish()?, id))
}
