//! Merging a batch, in transaction order, into the state that the next batch reads.

use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use ahash::AHashSet;
use weft_engine::{
    Admission, Admitted, BlockEnd, BlockError, BlockPolicy, Change, Config, Engine, Mode, OnRejected, Value, Verdict,
    Vm,
};
use weft_storage::{StateReader, StorageError};

use super::view::{Attempt, Cell, Done, State};
use super::{BatchedBlock, SharedReader};

/// The block so far.
pub(super) struct Merge<'b, V: Vm> {
    vm: &'b V,
    reader: &'b SharedReader<V>,
    transactions: &'b [V::Transaction],
    admission: Admission,
    /// Shared with the tasks of a batch while it runs, and changed between batches only.
    state: Arc<State<V>>,
    block: BatchedBlock<V>,
    /// Executes single transactions again, on the merged state.
    sequential: Engine<V>,
}

/// The merged state as the sequential path reads it.
struct Merged<'s, V: Vm> {
    state: &'s State<V>,
    reader: &'s SharedReader<V>,
}

impl<V: Vm> StateReader<V::Key, V::Value> for Merged<'_, V> {
    fn read(&self, key: &V::Key) -> Result<Option<V::Value>, StorageError> {
        match self.state.get(key) {
            Some(cell) => Ok(cell.current.clone()),
            None => self.reader.read(key),
        }
    }
}

impl<'b, V: Vm> Merge<'b, V> {
    pub(super) fn new(
        vm: &'b V,
        reader: &'b SharedReader<V>,
        transactions: &'b [V::Transaction],
        policy: BlockPolicy,
    ) -> Self {
        let block = BatchedBlock {
            outcomes: Vec::with_capacity(transactions.len()),
            changes: Vec::new(),
            end: BlockEnd::Complete,
            batches: 0,
            executions: 0,
        };
        let config = Config { mode: Mode::Sequential, max_parallel_threads: 1, ..Config::default() };
        let (state, sequential) = (Arc::default(), Engine::new(config));
        Self { vm, reader, transactions, admission: Admission::new(policy), state, block, sequential }
    }

    /// What the batches so far have left.
    pub(super) fn state(&self) -> &Arc<State<V>> {
        &self.state
    }

    /// Merges a batch; breaks where the block ends.
    pub(super) fn batch(
        &mut self,
        batch: Range<usize>,
        attempts: Vec<Attempt<V>>,
    ) -> Result<ControlFlow<()>, BlockError> {
        // All tasks have ended: the state is ours alone. (`make_mut` would copy it otherwise, and stay right.)
        let mut written: AHashSet<V::Key> = AHashSet::with_capacity(batch.len() * 2);
        for (index, attempt) in batch.zip(attempts) {
            self.block.executions += 1;
            let flow = match attempt {
                Attempt::Done(done) if !done.reads.iter().any(|key| written.contains(key)) => {
                    self.take(index, done, &mut written)?
                }
                Attempt::Done(_) | Attempt::Failed => self.again(index, &mut written)?,
            };
            if flow.is_break() {
                return Ok(flow);
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Merges a transaction whose reads are what they would be in order.
    fn take(
        &mut self,
        index: usize,
        done: Done<V>,
        written: &mut AHashSet<V::Key>,
    ) -> Result<ControlFlow<()>, BlockError> {
        let state = Arc::make_mut(&mut self.state);
        for (key, base) in done.fetched {
            state.entry(key).or_insert_with(|| Cell { current: base.clone(), base });
        }
        let mut values = Vec::with_capacity(done.changes.len());
        for (key, change) in done.changes {
            let value = match change {
                Change::Set(value) => value,
                Change::Add(delta) => {
                    let before = state.get(&key).and_then(|cell| cell.current.as_ref());
                    match V::Value::apply(before, &delta) {
                        Ok(value) => Some(value),
                        Err(_) => return self.again(index, written),
                    }
                }
            };
            values.push((key, value));
        }
        self.admit(index, done.outcome, values, written)
    }

    /// Executes a transaction on the merged state and merges it.
    fn again(&mut self, index: usize, written: &mut AHashSet<V::Key>) -> Result<ControlFlow<()>, BlockError> {
        self.block.executions += 1;
        let merged: Merged<'_, V> = Merged { state: &self.state, reader: self.reader };
        let policy = BlockPolicy { on_rejected: OnRejected::SkipInvalid, gas_limit: None };
        let one = &self.transactions[index..=index];
        let mut output = self.sequential.execute_block(self.vm, &merged, one, policy).map_err(|error| {
            // The single transaction is number 0 of its own block.
            match error {
                BlockError::Storage { source, .. } => BlockError::Storage { transaction: index, source },
                BlockError::Panicked { message, .. } => BlockError::Panicked { transaction: index, message },
                BlockError::Stopped { .. } => BlockError::Stopped { transaction: index },
                other => other,
            }
        })?;
        let Some(outcome) = output.outcomes.pop() else { return Err(BlockError::Stopped { transaction: index }) };
        self.admit(index, outcome, output.changes, written)
    }

    /// Applies the block policy, and the changes if the transaction is part of the block.
    fn admit(
        &mut self,
        index: usize,
        outcome: weft_engine::Outcome<V::Output>,
        values: Vec<(V::Key, Option<V::Value>)>,
        written: &mut AHashSet<V::Key>,
    ) -> Result<ControlFlow<()>, BlockError> {
        match self.admission.admit(&outcome) {
            Admitted::Yes => {}
            Admitted::RejectsBlock => {
                self.block.outcomes.push(outcome);
                self.block.end = BlockEnd::Rejected { transaction: index };
                return Ok(ControlFlow::Break(()));
            }
            Admitted::No => {
                self.block.end = BlockEnd::GasLimit { transaction: index };
                return Ok(ControlFlow::Break(()));
            }
        }
        if outcome.verdict == Verdict::Applied {
            let state = Arc::make_mut(&mut self.state);
            for (key, value) in values {
                match state.get_mut(&key) {
                    Some(cell) => cell.current = value,
                    None => {
                        // From an execution that was repeated here: whether it is a change shows beside the old value.
                        let base = self.reader.read(&key);
                        let base = base.map_err(|source| BlockError::Storage { transaction: index, source })?;
                        state.insert(key.clone(), Cell { base, current: value });
                    }
                }
                written.insert(key);
            }
        }
        self.block.outcomes.push(outcome);
        Ok(ControlFlow::Continue(()))
    }

    /// The block's result.
    pub(super) fn finish(mut self, batches: usize) -> BatchedBlock<V> {
        self.block.batches = batches;
        if !matches!(self.block.end, BlockEnd::Rejected { .. }) {
            let state = Arc::unwrap_or_clone(self.state);
            let changed = state.into_iter().filter(|(_, cell)| cell.current != cell.base);
            self.block.changes = changed.map(|(key, cell)| (key, cell.current)).collect();
            self.block.changes.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        }
        self.block
    }
}
