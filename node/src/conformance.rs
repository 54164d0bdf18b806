//! The ledger's conformance vectors, executed as blocks by the node's executors.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;
use weft_engine::{Config, Mode, WorkerPool};
use weft_ledger::conformance::{Execution, VectorError, VectorFile, Verdict};
use weft_ledger::rules::BlockContext;
use weft_ledger::state::{Counter, Key, Value};
use weft_ledger::{Hash, SignedTransaction};
use weft_storage::{StateReader, StorageError};

use crate::executor::{
    BatchingExecutor, BlockExecutor, BlockInput, ExecutorSettings, OptimisticExecutor, SequentialExecutor,
};

/// Which executor runs the vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VectorMode {
    /// [`SequentialExecutor`].
    Sequential,
    /// [`BatchingExecutor`], pooled.
    Batching,
    /// [`OptimisticExecutor`], however small the block is.
    Optimistic,
    /// [`OptimisticExecutor`] with [`Mode::Auto`].
    Auto,
}

/// What became of the vectors of a file, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Number of vectors that passed.
    pub passed: usize,
    /// Vectors that failed, with what differed.
    pub failed: Vec<(String, String)>,
    /// Vectors that the ledger has no rules for yet, with what is missing.
    pub not_supported: Vec<(String, String)>,
}

impl Tally {
    /// Adds a further run of the same vectors: one that fails in any run has failed.
    pub fn merge(&mut self, other: &Self) {
        for failure in &other.failed {
            if !self.failed.iter().any(|(name, _)| *name == failure.0) {
                self.failed.push(failure.clone());
                self.passed = self.passed.saturating_sub(1);
            }
        }
    }
}

/// Runs vector files on one executor.
pub struct VectorRunner {
    executor: Box<dyn BlockExecutor>,
}

impl VectorRunner {
    /// A runner with workers of its own.
    #[must_use]
    pub fn new(mode: VectorMode, threads: usize) -> Self {
        let settings = ExecutorSettings::default();
        let optimistic = |mode| {
            let config = Config { mode, max_parallel_threads: threads, ..Config::default() };
            Box::new(OptimisticExecutor::new(config, settings))
        };
        let executor: Box<dyn BlockExecutor> = match mode {
            VectorMode::Sequential => Box::new(SequentialExecutor::new(settings)),
            VectorMode::Batching => {
                Box::new(BatchingExecutor::pooled(threads, settings, Arc::new(WorkerPool::new(threads))))
            }
            VectorMode::Optimistic => optimistic(Mode::Optimistic),
            VectorMode::Auto => optimistic(Mode::Auto),
        };
        Self { executor }
    }

    /// Runs all vectors of a file.
    ///
    /// # Errors
    /// [`VectorError`] when the file cannot be read.
    pub fn run_file(&mut self, path: &Path) -> Result<Tally, VectorError> {
        let mut tally = Tally::default();
        for case in VectorFile::read(path)?.cases() {
            let executor = &self.executor;
            let mut execute = |transactions: &[SignedTransaction],
                               state: &BTreeMap<Key, Value>,
                               context: &BlockContext| {
                let block =
                    BlockInput { context: *context, transactions: transactions.into(), parent_digest: Hash([0; 32]) };
                let state: Arc<dyn StateReader<Key, Value> + Send + Sync> = Arc::new(MapState(state.clone()));
                let executed = executor.execute(&block, &state)?;
                let receipts = executed.receipts().cloned().collect();
                // The vectors' own rules decide on height and time: a single transaction is no block.
                let ends_block = |key: &Key| matches!(key, Key::Counter(Counter::BlockHeight | Counter::Timestamp));
                let changes = executed.changes.into_iter().filter(|(key, _)| !ends_block(key));
                Ok(Execution { receipts, changes: changes.collect() })
            };
            match case.run(&mut execute) {
                Verdict::Passed => tally.passed += 1,
                Verdict::Failed { reason } => tally.failed.push((case.name().to_owned(), reason)),
                Verdict::NotSupported { why } => tally.not_supported.push((case.name().to_owned(), why)),
            }
        }
        Ok(tally)
    }
}

impl std::fmt::Debug for VectorRunner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VectorRunner").field("executor", &self.executor.name()).finish()
    }
}

struct MapState(BTreeMap<Key, Value>);

impl StateReader<Key, Value> for MapState {
    fn read(&self, key: &Key) -> Result<Option<Value>, StorageError> {
        Ok(self.0.get(key).cloned())
    }
}
