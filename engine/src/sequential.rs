//! The plain path: one transaction after another on a cache of the state, with no multi-version bookkeeping. It is the
//! oracle of all other paths, the baseline that they are measured against, and what tiny blocks take.

use std::panic::{AssertUnwindSafe, catch_unwind};

use ahash::RandomState;
use hashbrown::HashTable;
use weft_mvmemory::Value;
use weft_storage::{StateReader, StorageError};

use crate::admission::{Admission, Admitted, BlockEnd};
use crate::config::BlockPolicy;
use crate::engine::BlockOutput;
use crate::error::{BlockError, panic_message};
use crate::metrics::{Metrics, Stopwatch};
use crate::vm::{AddError, Checkpoint, Key, Outcome, StateView, Stop, Verdict, Vm};

/// A key's value before the block, after the last applied transaction, and after the running one.
struct Cell<K, V> {
    key: K,
    base: Option<V>,
    current: Option<V>,
    pending: Option<Option<V>>,
}

/// The state during a sequential block.
struct SequentialState<'r, K, V, R> {
    reader: &'r R,
    hasher: RandomState,
    index: HashTable<u32>,
    cells: Vec<Cell<K, V>>,
    /// Cells that the running transaction has changed.
    touched: Vec<u32>,
    /// What the running transaction's changes since its first checkpoint have replaced, in order.
    replaced: Vec<(u32, Option<Option<V>>)>,
    has_checkpoint: bool,
}

impl<'r, K: Key, V: Value, R: StateReader<K, V>> SequentialState<'r, K, V, R> {
    fn new(reader: &'r R, transactions: usize) -> Self {
        let expected = transactions * 2;
        Self {
            reader,
            hasher: RandomState::new(),
            index: HashTable::with_capacity(expected),
            cells: Vec::with_capacity(expected),
            touched: Vec::new(),
            replaced: Vec::new(),
            has_checkpoint: false,
        }
    }

    /// The cell of `key`, read from storage if it is new.
    fn cell(&mut self, key: &K) -> Result<u32, StorageError> {
        let hash = self.hasher.hash_one(key);
        let cells = &self.cells;
        if let Some(at) = self.index.find(hash, |&at| cells[at as usize].key == *key) {
            return Ok(*at);
        }
        let base = self.reader.read(key)?;
        let at = self.cells.len() as u32;
        self.cells.push(Cell { key: key.clone(), base: base.clone(), current: base, pending: None });
        let (cells, hasher) = (&self.cells, &self.hasher);
        self.index.insert_unique(hash, at, |&at| hasher.hash_one(&cells[at as usize].key));
        Ok(at)
    }

    fn set(&mut self, at: u32, value: Option<V>) {
        let replaced = self.cells[at as usize].pending.replace(value);
        if replaced.is_none() {
            self.touched.push(at);
        }
        if self.has_checkpoint {
            self.replaced.push((at, replaced));
        }
    }

    fn checkpoint(&mut self) -> usize {
        self.has_checkpoint = true;
        self.replaced.len()
    }

    fn rollback(&mut self, checkpoint: usize) {
        while self.replaced.len() > checkpoint
            && let Some((at, replaced)) = self.replaced.pop()
        {
            self.cells[at as usize].pending = replaced;
        }
    }

    /// Ends the running transaction: its changes count, or they are forgotten.
    fn settle(&mut self, applied: bool) {
        self.replaced.clear();
        self.has_checkpoint = false;
        for at in self.touched.drain(..) {
            let cell = &mut self.cells[at as usize];
            if let Some(value) = cell.pending.take().filter(|_| applied) {
                cell.current = value;
            }
        }
    }

    fn into_changes(self) -> Vec<(K, Option<V>)> {
        let changed = self.cells.into_iter().filter(|cell| cell.current != cell.base);
        let mut changes: Vec<_> = changed.map(|cell| (cell.key, cell.current)).collect();
        changes.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        changes
    }
}

/// The view of the running transaction. It remembers a storage failure, whatever the virtual machine makes of it.
struct SequentialView<'s, 'r, K, V, R> {
    state: &'s mut SequentialState<'r, K, V, R>,
    failed: Option<StorageError>,
}

impl<K: Key, V: Value, R: StateReader<K, V>> SequentialView<'_, '_, K, V, R> {
    fn cell(&mut self, key: &K) -> Result<u32, Stop> {
        self.state.cell(key).map_err(|error| {
            self.failed.get_or_insert(error);
            Stop(())
        })
    }

    fn set(&mut self, key: &K, value: Option<V>) {
        if let Ok(at) = self.cell(key) {
            self.state.set(at, value);
        }
    }
}

impl<K: Key, V: Value, R: StateReader<K, V>> StateView<K, V> for SequentialView<'_, '_, K, V, R> {
    fn read(&mut self, key: &K) -> Result<Option<V>, Stop> {
        let at = self.cell(key)?;
        let cell = &self.state.cells[at as usize];
        Ok(cell.pending.as_ref().unwrap_or(&cell.current).clone())
    }

    fn write(&mut self, key: K, value: V) {
        self.set(&key, Some(value));
    }

    fn delete(&mut self, key: K) {
        self.set(&key, None);
    }

    fn add(&mut self, key: K, delta: V::Delta) -> Result<(), AddError> {
        let at = self.cell(&key)?;
        let cell = &self.state.cells[at as usize];
        let value = V::apply(cell.pending.as_ref().unwrap_or(&cell.current).as_ref(), &delta)?;
        self.state.set(at, Some(value));
        Ok(())
    }

    fn checkpoint(&mut self) -> Checkpoint {
        Checkpoint::after(self.state.checkpoint())
    }

    fn rollback(&mut self, checkpoint: Checkpoint) -> Result<(), Stop> {
        self.state.rollback(checkpoint.changes());
        Ok(())
    }

    fn poll(&mut self) -> Result<(), Stop> {
        if self.failed.is_some() { Err(Stop(())) } else { Ok(()) }
    }
}

/// Executes `transactions` in order on the state that `reader` gives. `commit` sees every outcome as it becomes part
/// of the block.
pub(crate) fn execute<V: Vm, R: StateReader<V::Key, V::Value>>(
    vm: &V,
    reader: &R,
    transactions: &[V::Transaction],
    policy: BlockPolicy,
    mut commit: impl FnMut(usize, &Outcome<V::Output>),
) -> Result<BlockOutput<V>, BlockError> {
    let watch = Stopwatch::start();
    let mut state = SequentialState::new(reader, transactions.len());
    let mut admission = Admission::new(policy);
    let mut outcomes = Vec::with_capacity(transactions.len());
    let mut end = BlockEnd::Complete;
    for (index, transaction) in transactions.iter().enumerate() {
        let mut view = SequentialView { state: &mut state, failed: None };
        let executed = catch_unwind(AssertUnwindSafe(|| vm.execute(transaction, &mut view)));
        if let Some(source) = view.failed {
            return Err(BlockError::Storage { transaction: index, source });
        }
        let outcome = match executed {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(Stop(()))) => return Err(BlockError::Stopped { transaction: index }),
            Err(panic) => {
                return Err(BlockError::Panicked { transaction: index, message: panic_message(&*panic) });
            }
        };
        let admitted = admission.admit(&outcome);
        state.settle(admitted == Admitted::Yes && outcome.verdict == Verdict::Applied);
        match admitted {
            Admitted::Yes => {
                commit(index, &outcome);
                outcomes.push(outcome);
            }
            Admitted::RejectsBlock => {
                outcomes.push(outcome);
                end = BlockEnd::Rejected { transaction: index };
                break;
            }
            Admitted::No => {
                end = BlockEnd::GasLimit { transaction: index };
                break;
            }
        }
    }
    let changes = match end {
        BlockEnd::Rejected { .. } => Vec::new(),
        BlockEnd::Complete | BlockEnd::GasLimit { .. } => state.into_changes(),
    };
    let executions = outcomes.len() as u64;
    let metrics = Metrics {
        transactions: transactions.len() as u64,
        units: transactions.len() as u64,
        executions,
        core_time: watch.cpu(),
        wall_time: watch.wall(),
        workers: 1,
        ..Metrics::default()
    };
    Ok(BlockOutput { outcomes, changes, end, gas_used: admission.gas_used(), metrics })
}
