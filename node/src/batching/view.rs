//! One transaction of a batch: it reads what the batches before have left, and keeps its changes to itself.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use ahash::AHashMap;
use smallvec::SmallVec;
use weft_engine::{AddError, Change, Checkpoint, Outcome, StateView, Stop, Value, Verdict, Vm};
use weft_storage::StateReader;

/// What the batches so far have read and written.
pub(super) type State<V> = AHashMap<<V as Vm>::Key, Cell<<V as Vm>::Value>>;

/// A key's value before the block and now.
#[derive(Debug, Clone)]
pub(super) struct Cell<V> {
    pub(super) base: Option<V>,
    pub(super) current: Option<V>,
}

/// Something of each of a few keys.
type PerKey<V, T> = SmallVec<[(<V as Vm>::Key, T); 4]>;

/// How an execution within a batch ended.
#[derive(Debug)]
pub(super) enum Attempt<V: Vm> {
    /// To its end.
    Done(Done<V>),
    /// With a panic or a storage failure: the merge executes the transaction again, on final values.
    Failed,
}

/// A transaction that ran to its end.
#[derive(Debug)]
pub(super) struct Done<V: Vm> {
    pub(super) outcome: Outcome<V::Output>,
    /// Keys that it read, with the values from before the block where they had to be fetched.
    pub(super) reads: SmallVec<[V::Key; 4]>,
    pub(super) fetched: PerKey<V, Option<V::Value>>,
    pub(super) changes: PerKey<V, Change<V::Value>>,
}

struct BatchView<'b, V: Vm, R: ?Sized> {
    state: &'b State<V>,
    reader: &'b R,
    reads: SmallVec<[V::Key; 4]>,
    fetched: PerKey<V, Option<V::Value>>,
    changes: PerKey<V, Change<V::Value>>,
    /// The changes at each checkpoint. Copies: few transactions take any, and those change little.
    checkpoints: Vec<PerKey<V, Change<V::Value>>>,
    failed: bool,
}

impl<V: Vm, R: StateReader<V::Key, V::Value> + ?Sized> BatchView<'_, V, R> {
    fn change_of(&self, key: &V::Key) -> Option<usize> {
        self.changes.iter().position(|(changed, _)| changed == key)
    }

    /// The value before this transaction.
    fn before(&mut self, key: &V::Key) -> Result<Option<V::Value>, Stop> {
        if !self.reads.contains(key) {
            self.reads.push(key.clone());
        }
        if let Some(cell) = self.state.get(key) {
            return Ok(cell.current.clone());
        }
        self.fetch(key)
    }

    /// The value from before the block, of a key that no batch has touched.
    fn fetch(&mut self, key: &V::Key) -> Result<Option<V::Value>, Stop> {
        if let Some((_, value)) = self.fetched.iter().find(|(fetched, _)| fetched == key) {
            return Ok(value.clone());
        }
        match self.reader.read(key) {
            Ok(value) => {
                self.fetched.push((key.clone(), value.clone()));
                Ok(value)
            }
            Err(_) => Err(self.stop()),
        }
    }

    /// Makes values of the deltas: what is dropped now does not reach the merge, but the transaction was told that its
    /// deltas fit, and may owe its outcome to that.
    fn read_added(&mut self) -> Result<(), Stop> {
        let added = self.changes.iter().filter(|(_, change)| matches!(change, Change::Add(_)));
        let added: Vec<_> = added.map(|(key, _)| key.clone()).collect();
        added.iter().try_for_each(|key| self.read(key).map(drop))
    }

    /// The merge finds out what is wrong.
    fn stop(&mut self) -> Stop {
        self.failed = true;
        Stop::new()
    }

    fn set(&mut self, key: V::Key, value: Option<V::Value>) {
        match self.change_of(&key) {
            Some(at) => {
                // A delta that is overwritten never reaches the merge, where it would be found not to fit.
                if matches!(self.changes[at].1, Change::Add(_)) && self.read(&key).is_err() {
                    return;
                }
                self.changes[at].1 = Change::Set(value);
            }
            None => {
                // The merge compares with the value from before the block: fetched here, in parallel. Where that
                // fails, it fails for this transaction, as sequentially.
                if !self.state.contains_key(&key) && self.fetch(&key).is_err() {
                    return;
                }
                self.changes.push((key, Change::Set(value)));
            }
        }
    }
}

impl<V: Vm, R: StateReader<V::Key, V::Value> + ?Sized> StateView<V::Key, V::Value> for BatchView<'_, V, R> {
    fn read(&mut self, key: &V::Key) -> Result<Option<V::Value>, Stop> {
        let Some(at) = self.change_of(key) else { return self.before(key) };
        match self.changes[at].1.clone() {
            Change::Set(value) => Ok(value),
            Change::Add(delta) => {
                let before = self.before(key)?;
                let Ok(value) = V::Value::apply(before.as_ref(), &delta) else { return Err(self.stop()) };
                self.changes[at].1 = Change::Set(Some(value.clone()));
                Ok(Some(value))
            }
        }
    }

    fn write(&mut self, key: V::Key, value: V::Value) {
        self.set(key, Some(value));
    }

    fn delete(&mut self, key: V::Key) {
        self.set(key, None);
    }

    fn add(&mut self, key: V::Key, delta: <V::Value as Value>::Delta) -> Result<(), AddError> {
        match self.change_of(&key) {
            None if !self.reads.contains(&key) => {
                // The merge applies it to a value: fetched here, in parallel.
                if !self.state.contains_key(&key) {
                    self.fetch(&key)?;
                }
                self.changes.push((key, Change::Add(delta)));
                return Ok(());
            }
            Some(at) => {
                if let Change::Add(first) = &self.changes[at].1
                    && let Ok(both) = V::Value::combine(first, &delta)
                {
                    self.changes[at].1 = Change::Add(both);
                    return Ok(());
                }
            }
            None => {}
        }
        let value = self.read(&key)?;
        let value = V::Value::apply(value.as_ref(), &delta)?;
        self.set(key, Some(value));
        Ok(())
    }

    fn checkpoint(&mut self) -> Checkpoint {
        self.checkpoints.push(self.changes.clone());
        Checkpoint::after(self.checkpoints.len() - 1)
    }

    fn rollback(&mut self, checkpoint: Checkpoint) -> Result<(), Stop> {
        self.read_added()?;
        // The checkpoint stays: the transaction may come back to it again.
        self.checkpoints.truncate(checkpoint.changes() + 1);
        if let Some(changes) = self.checkpoints.last() {
            self.changes.clone_from(changes);
        }
        Ok(())
    }

    fn poll(&mut self) -> Result<(), Stop> {
        if self.failed { Err(Stop::new()) } else { Ok(()) }
    }
}

/// Executes one transaction on what the batches before it have left.
pub(super) fn attempt<V: Vm>(
    vm: &V,
    transaction: &V::Transaction,
    state: &Arc<State<V>>,
    reader: &super::SharedReader<V>,
) -> Attempt<V> {
    let mut view: BatchView<'_, V, _> = BatchView {
        state,
        reader: &**reader,
        reads: SmallVec::new(),
        fetched: SmallVec::new(),
        changes: SmallVec::new(),
        checkpoints: Vec::new(),
        failed: false,
    };
    let executed = catch_unwind(AssertUnwindSafe(|| vm.execute(transaction, &mut view)));
    if let Ok(Ok(outcome)) = &executed
        && outcome.verdict == Verdict::Rejected
    {
        // Where this fails, the view remembers it.
        let _failed = view.read_added();
        view.changes.clear();
    }
    match executed {
        Ok(Ok(outcome)) if !view.failed => {
            Attempt::Done(Done { outcome, reads: view.reads, fetched: view.fetched, changes: view.changes })
        }
        _ => Attempt::Failed,
    }
}
