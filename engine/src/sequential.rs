//! The plain path: one transaction after another on a cache of the state, with no multi-version bookkeeping. It is the
//! oracle of all other paths, the baseline that they are measured against, and what tiny blocks take.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use ahash::RandomState;
use hashbrown::HashTable;
use weft_mvmemory::{KeyChange, Value};
use weft_storage::{StateReader, StorageError};

use crate::admission::{Admitted, BlockEnd};
use crate::config::BlockPolicy;
use crate::engine::BlockOutput;
use crate::error::{BlockError, panic_message};
use crate::fallback::Fallback;
use crate::metrics::{Metrics, Stopwatch};
use crate::progress::Progress;
use crate::vm::{AddError, Checkpoint, Key, Outcome, StateView, Stop, Verdict, Vm};

/// A key's value before the block, after the last applied transaction, and after the running one.
struct Cell<K, V> {
    key: K,
    base: Option<V>,
    current: Option<V>,
    pending: Option<Option<V>>,
}

/// The state during a block, as far as it was touched.
pub(crate) struct SequentialState<K, V> {
    hasher: RandomState,
    index: HashTable<u32>,
    cells: Vec<Cell<K, V>>,
    /// Cells that the running transaction has changed.
    touched: Vec<u32>,
    /// What the running transaction's changes since its first checkpoint have replaced, in order.
    replaced: Vec<(u32, Option<Option<V>>)>,
    has_checkpoint: bool,
}

impl<K: Key, V: Value> SequentialState<K, V> {
    /// Nothing is touched.
    pub(crate) fn new() -> Self {
        Self {
            hasher: RandomState::new(),
            index: HashTable::new(),
            cells: Vec::new(),
            touched: Vec::new(),
            replaced: Vec::new(),
            has_checkpoint: false,
        }
    }

    /// About so many transactions are going to touch it.
    fn reserve(&mut self, transactions: usize) {
        let expected = transactions * 2;
        self.cells.reserve(expected);
        let (cells, hasher) = (&self.cells, &self.hasher);
        self.index.reserve(expected, |&at| hasher.hash_one(&cells[at as usize].key));
    }

    fn find(&self, hash: u64, key: &K) -> Option<u32> {
        self.index.find(hash, |&at| self.cells[at as usize].key == *key).copied()
    }

    fn insert(&mut self, hash: u64, cell: Cell<K, V>) -> u32 {
        let at = self.cells.len() as u32;
        self.cells.push(cell);
        let (cells, hasher) = (&self.cells, &self.hasher);
        self.index.insert_unique(hash, at, |&at| hasher.hash_one(&cells[at as usize].key));
        at
    }

    /// The cell of `key`, read from storage if it is new.
    fn cell<R: StateReader<K, V>>(&mut self, key: &K, reader: &R) -> Result<u32, StorageError> {
        let hash = self.hasher.hash_one(key);
        if let Some(at) = self.find(hash, key) {
            return Ok(at);
        }
        let base = reader.read(key)?;
        Ok(self.insert(hash, Cell { key: key.clone(), base: base.clone(), current: base, pending: None }))
    }

    /// The value of `key` after the last applied transaction, if it was touched.
    pub(crate) fn current(&self, key: &K) -> Option<&Option<V>> {
        if self.cells.is_empty() {
            return None;
        }
        self.find(self.hasher.hash_one(key), key).map(|at| &self.cells[at as usize].current)
    }

    /// Takes over what another path has made of `key`. `base` is what that path found.
    pub(crate) fn take_over(&mut self, key: K, base: Option<V>, current: Option<V>) {
        let hash = self.hasher.hash_one(&key);
        match self.find(hash, &key) {
            Some(at) => self.cells[at as usize].current = current,
            // Nobody had touched it, so what was found is what was there before the block.
            None => {
                self.insert(hash, Cell { key, base, current, pending: None });
            }
        }
    }

    /// All changes, with those of a path that came last on top. In no order.
    pub(crate) fn into_unsorted_below(mut self, mut last: Vec<KeyChange<K, V>>) -> Vec<KeyChange<K, V>> {
        if !self.cells.is_empty() {
            last.retain_mut(|(key, value)| {
                let Some(at) = self.find(self.hasher.hash_one(&*key), key) else { return true };
                self.cells[at as usize].current = value.take();
                false
            });
        }
        last.extend(self.into_unsorted());
        last
    }

    /// All changes, with those of a path that came last on top, whose list is sorted. Ascending.
    pub(crate) fn into_changes_below(self, last: Vec<KeyChange<K, V>>) -> Vec<KeyChange<K, V>> {
        if last.is_empty() {
            return self.into_changes();
        }
        let mut own: Vec<_> = self.cells.into_iter().filter(|cell| cell.current != cell.base).collect();
        if own.is_empty() {
            return last;
        }
        own.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        let mut changes = Vec::with_capacity(own.len() + last.len());
        let mut own = own.into_iter().peekable();
        for (key, value) in last {
            while let Some(cell) = own.next_if(|cell| cell.key < key) {
                changes.push((cell.key, cell.current));
            }
            match own.next_if(|cell| cell.key == key) {
                // It may have come back to what it was before the block.
                Some(cell) if cell.base == value => {}
                _ => changes.push((key, value)),
            }
        }
        changes.extend(own.map(|cell| (cell.key, cell.current)));
        changes
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

    fn into_unsorted(self) -> impl Iterator<Item = KeyChange<K, V>> {
        let changed = self.cells.into_iter().filter(|cell| cell.current != cell.base);
        changed.map(|cell| (cell.key, cell.current))
    }

    fn into_changes(self) -> Vec<KeyChange<K, V>> {
        let mut changes: Vec<_> = self.into_unsorted().collect();
        changes.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        changes
    }
}

/// The view of the running transaction. It remembers a storage failure, whatever the virtual machine makes of it.
struct SequentialView<'s, K, V, R> {
    state: &'s mut SequentialState<K, V>,
    reader: &'s R,
    failed: Option<StorageError>,
}

impl<K: Key, V: Value, R: StateReader<K, V>> SequentialView<'_, K, V, R> {
    fn cell(&mut self, key: &K) -> Result<u32, Stop> {
        self.state.cell(key, self.reader).map_err(|error| {
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

impl<K: Key, V: Value, R: StateReader<K, V>> StateView<K, V> for SequentialView<'_, K, V, R> {
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

/// Executes `transactions` in order on the state that `reader` gives. `on_commit` sees every outcome as it becomes part
/// of the block.
pub(crate) fn execute<V: Vm, R: StateReader<V::Key, V::Value>>(
    vm: &V,
    reader: &R,
    transactions: &[V::Transaction],
    policy: BlockPolicy,
    sort: bool,
    on_commit: impl FnMut(usize, &Outcome<V::Output>),
) -> Result<BlockOutput<V>, BlockError> {
    let watch = Stopwatch::start();
    let mut state = SequentialState::new();
    let mut progress: Progress<V, _> = Progress::new(policy, transactions.len(), on_commit);
    execute_stretch(vm, reader, transactions, 0..transactions.len(), &mut state, |index, outcome| {
        progress.commit(index, outcome)
    })?;
    let Progress { admission, outcomes, end, .. } = progress;
    let changes = match end {
        BlockEnd::Rejected { .. } => Vec::new(),
        BlockEnd::Complete | BlockEnd::GasLimit { .. } if sort => state.into_changes(),
        BlockEnd::Complete | BlockEnd::GasLimit { .. } => state.into_unsorted().collect(),
    };
    let executions = outcomes.len() as u64;
    let metrics = Metrics {
        transactions: transactions.len() as u64,
        units: transactions.len() as u64,
        executions,
        sequential_transactions: executions,
        core_time: watch.cpu(),
        wall_time: watch.wall(),
        workers: 1,
        ..Metrics::default()
    };
    Ok(BlockOutput { outcomes, changes, end, gas_used: admission.gas_used(), metrics })
}

/// Executes a stretch of the block in order, on what `state` has of it and else on `reader`, and hands every outcome to
/// `commit`, up to where that says that the block has ended.
fn execute_stretch<V, R>(
    vm: &V,
    reader: &R,
    transactions: &[V::Transaction],
    stretch: Range<usize>,
    state: &mut SequentialState<V::Key, V::Value>,
    mut commit: impl FnMut(usize, Outcome<V::Output>) -> Admitted,
) -> Result<(), BlockError>
where
    V: Vm,
    R: StateReader<V::Key, V::Value>,
{
    state.reserve(stretch.len());
    for index in stretch {
        let mut view = SequentialView { state: &mut *state, reader, failed: None };
        let executed = catch_unwind(AssertUnwindSafe(|| vm.execute(&transactions[index], &mut view)));
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
        let is_applied = outcome.verdict == Verdict::Applied;
        let admitted = commit(index, outcome);
        state.settle(admitted == Admitted::Yes && is_applied);
        if admitted != Admitted::Yes {
            break;
        }
    }
    Ok(())
}

/// This path as what a block falls back on.
pub(crate) struct SequentialPath<'b, V: Vm, R> {
    vm: &'b V,
    reader: &'b R,
    pub(crate) state: SequentialState<V::Key, V::Value>,
}

impl<'b, V: Vm, R> SequentialPath<'b, V, R> {
    pub(crate) fn new(vm: &'b V, reader: &'b R) -> Self {
        Self { vm, reader, state: SequentialState::new() }
    }
}

impl<V: Vm, R: StateReader<V::Key, V::Value>> Fallback<V> for SequentialPath<'_, V, R> {
    /// The key, what was found there, and what it has become.
    type TakenOver = (V::Key, Option<V::Value>, Option<V::Value>);

    fn current(&self, key: &V::Key) -> Option<Option<V::Value>> {
        self.state.current(key).cloned()
    }

    fn execute(
        &mut self,
        transactions: &[V::Transaction],
        stretch: Range<usize>,
        mut commit: impl FnMut(Outcome<V::Output>) -> Admitted,
    ) -> Result<(), BlockError> {
        let state = &mut self.state;
        execute_stretch(self.vm, self.reader, transactions, stretch, state, |_, outcome| commit(outcome))
    }

    fn taken_over(key: V::Key, base: &Option<V::Value>, last: Option<V::Value>) -> Self::TakenOver {
        (key, base.clone(), last)
    }

    fn take_over(&mut self, changes: Vec<Self::TakenOver>) -> Result<(), BlockError> {
        for (key, base, current) in changes {
            self.state.take_over(key, base, current);
        }
        Ok(())
    }
}
