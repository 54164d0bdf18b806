//! The dag baseline as a node's executor.

use std::sync::Arc;

use parking_lot::Mutex;
use weft_engine::recording::{BlockAccess, CriticalPath, clock_time, record, time_transactions};
use weft_engine::{Metrics, WorkerPool};
use weft_ledger::SignedTransaction;
use weft_ledger::rules::TosVm;
use weft_ledger::state::Key;
use weft_ledger::wire::Era;

use super::{DagError, Places, Workers};
use crate::executor::{
    BlockExecutor, BlockInput, CALL_UNIT_LENGTH, ExecuteError, ExecutedBlock, ExecutorSettings, SharedState, Stopwatch,
    check_signatures, complete, on_visible_state, unit_length_of,
};

/// Levels of fewer transfers are not shared: a transfer takes some 0.3 microseconds, handing over a level about one.
const TRANSFERS_WORTH_SHARING: usize = 16;

/// Levels of fewer contract calls are not shared: a single call takes longer than handing over a level.
const CALLS_WORTH_SHARING: usize = 2;

/// Executes blocks by the exact dependencies of their transactions. See [`crate::dag`] for what it knows that no node
/// knows.
#[derive(Debug)]
pub struct DagExecutor {
    threads: usize,
    settings: ExecutorSettings,
    pool: Arc<WorkerPool>,
    places: Mutex<Places<TosVm>>,
}

impl DagExecutor {
    /// An executor on `threads` workers of a shared pool.
    #[must_use]
    pub fn new(threads: usize, settings: ExecutorSettings, pool: Arc<WorkerPool>) -> Self {
        Self { threads: threads.max(1), settings, pool, places: Mutex::default() }
    }

    /// What the transactions of `block` touch on `state`. What is found out of their signatures is forgotten again.
    ///
    /// # Errors
    /// [`ExecuteError`] where sequential execution has no result.
    pub fn declare(&self, block: &BlockInput, state: &SharedState) -> Result<BlockAccess<Key>, ExecuteError> {
        let copies: Vec<SignedTransaction> = block.transactions.to_vec();
        let vm = TosVm::new(self.settings.ledger, block.context);
        let record = |state: &SharedState| record(&vm, state, &copies, self.settings.policy);
        let ((access, _output), _base) = on_visible_state(&self.settings, block, state, record)?;
        Ok(access)
    }

    /// What of `block` has to happen one after another, without signatures. Every transaction is timed `repeat` times, at
    /// least once; the shortest time counts, which is the one with the least of other programs in it.
    ///
    /// # Errors
    /// [`ExecuteError`] where sequential execution has no result.
    ///
    /// # Panics
    /// When `access` has more transactions than are executed: it is of another block.
    pub fn critical_path(
        &self,
        block: &BlockInput,
        state: &SharedState,
        access: &BlockAccess<Key>,
        repeat: usize,
    ) -> Result<CriticalPath, ExecuteError> {
        let mut copies: Vec<SignedTransaction> = block.transactions.to_vec();
        copies.iter_mut().for_each(SignedTransaction::trust);
        let vm = TosVm::new(self.settings.ledger, block.context);
        let time = |state: &SharedState| time_transactions(&vm, state, &copies, self.settings.policy);
        let mut shortest = on_visible_state(&self.settings, block, state, time)?.0;
        for _ in 1..repeat {
            let again = on_visible_state(&self.settings, block, state, time)?.0;
            shortest.iter_mut().zip(again).for_each(|(shortest, again)| *shortest = again.min(*shortest));
        }
        // Looking at the clock takes a good part of the time of a short transaction.
        let clock = clock_time();
        let time_of = |transaction: usize| shortest[transaction].saturating_sub(clock);
        Ok(CriticalPath::of(access, time_of, 0))
    }

    /// Executes `block` on `state`, whose transactions touch what `access` says. Only this is counted.
    ///
    /// # Errors
    /// [`ExecuteError`] when there is no result, above all when a transaction touches something else.
    pub fn execute_declared(
        &self,
        block: &BlockInput,
        state: &SharedState,
        access: &BlockAccess<Key>,
    ) -> Result<ExecutedBlock, ExecuteError> {
        let mut watch = Stopwatch::start();
        check_signatures(&self.pool, self.threads, &block.transactions);
        watch.signatures_end();
        let vm = TosVm::new(self.settings.ledger, block.context);
        let are_calls = unit_length_of(&block.transactions) == CALL_UNIT_LENGTH;
        let worth_sharing = if are_calls { CALLS_WORTH_SHARING } else { TRANSFERS_WORTH_SHARING };
        let workers = Workers { pool: &self.pool, threads: self.threads, worth_sharing };
        let mut places = self.places.lock();
        let (done, base) = on_visible_state(&self.settings, block, state, |state| {
            let (transactions, policy) = (&block.transactions, self.settings.policy);
            match super::execute(workers, &vm, state, transactions, access, policy, &mut places) {
                Ok(done) => Ok(Ok(done)),
                Err(DagError::Block(error)) => Err(error),
                Err(DagError::Undeclared { transaction }) => Ok(Err(ExecuteError::Undeclared { transaction })),
            }
        })?;
        let done = done?;
        let transactions = block.transactions.len() as u64;
        let executions = access.transactions() as u64;
        let metrics =
            Metrics { transactions, units: transactions, executions, workers: self.threads, ..Metrics::default() };
        let costs = crate::executor::Costs { analysis: done.analysis, ..watch.costs(done.levels, metrics) };
        complete(&self.settings, block, &base, done.outcomes, done.changes, done.end, costs)
    }
}

impl BlockExecutor for DagExecutor {
    fn name(&self) -> &'static str {
        "dag"
    }

    fn era(&self) -> Era {
        self.settings.ledger.era()
    }

    /// Finds out what the transactions touch, which is not counted, and executes them.
    fn execute(&self, block: &BlockInput, state: &SharedState) -> Result<ExecutedBlock, ExecuteError> {
        let access = self.declare(block, state)?;
        self.execute_declared(block, state, &access)
    }
}
