//! One transaction: it finds its values at the places that the analysis has named, keeps its changes to itself, and
//! leaves them at their own places when it has ended.

use smallvec::SmallVec;
use weft_engine::recording::Access;
use weft_engine::{AddError, Change, Checkpoint, Outcome, StateView, Stop, Value, Verdict, Vm};
use weft_storage::{StateReader, StorageError};

use super::graph::Planned;
use super::versions::Versions;

/// The running transaction's own changes, one place for each of its accesses.
type Own<V> = SmallVec<[Option<Change<V>>; 4]>;

/// Why a transaction has no result.
#[derive(Debug)]
pub(super) enum Failure {
    /// It touches what it has not declared.
    Undeclared,
    /// The storage has failed.
    Storage(StorageError),
    /// The machine stopped, though nobody asked it to.
    Stopped,
}

struct DagView<'b, V: Vm, R: ?Sized> {
    versions: &'b Versions<'b, V, R>,
    accesses: &'b [(V::Key, Access)],
    planned: &'b [Planned],
    own: Own<V::Value>,
    /// The access that was looked for last: the next one is the same or the next in most cases.
    last: usize,
    /// The changes at each checkpoint. Copies: few transactions take any, and those change little.
    checkpoints: Vec<Own<V::Value>>,
    failed: Option<Failure>,
}

impl<V: Vm, R: StateReader<V::Key, V::Value> + ?Sized> DagView<'_, V, R> {
    fn stop(&mut self, failure: Failure) -> Stop {
        self.failed.get_or_insert(failure);
        Stop::new()
    }

    fn find(&mut self, key: &V::Key) -> Result<usize, Stop> {
        let count = self.accesses.len();
        for at in (self.last..count).chain(0..self.last) {
            if self.accesses[at].0 == *key {
                self.last = at;
                return Ok(at);
            }
        }
        Err(self.stop(Failure::Undeclared))
    }

    /// The value that the transaction finds.
    fn before(&mut self, at: usize) -> Result<Option<V::Value>, Stop> {
        match self.versions.value(self.planned[at].before) {
            Ok(value) => Ok(value.clone()),
            Err(failure) => Err(self.stop(failure)),
        }
    }

    fn read_at(&mut self, at: usize) -> Result<Option<V::Value>, Stop> {
        match &self.own[at] {
            Some(Change::Set(value)) => Ok(value.clone()),
            None if self.accesses[at].1.reads() => self.before(at),
            // To read what one has added to is declared as reading.
            _ => Err(self.stop(Failure::Undeclared)),
        }
    }

    fn set(&mut self, key: &V::Key, value: Option<V::Value>) {
        // A failure is remembered.
        let Ok(at) = self.find(key) else { return };
        if self.accesses[at].1.writes() {
            self.load_base(at);
            self.own[at] = Some(Change::Set(value));
        } else {
            let _failed = self.stop(Failure::Undeclared);
        }
    }

    /// Whether a change changes anything shows beside the value from before the block: fetched here, in parallel.
    fn load_base(&mut self, at: usize) {
        if let Err(failure) = self.versions.load_base(self.planned[at].before) {
            let _failed = self.stop(failure);
        }
    }
}

impl<V: Vm, R: StateReader<V::Key, V::Value> + ?Sized> StateView<V::Key, V::Value> for DagView<'_, V, R> {
    fn read(&mut self, key: &V::Key) -> Result<Option<V::Value>, Stop> {
        let at = self.find(key)?;
        self.read_at(at)
    }

    fn write(&mut self, key: V::Key, value: V::Value) {
        self.set(&key, Some(value));
    }

    fn delete(&mut self, key: V::Key) {
        self.set(&key, None);
    }

    fn add(&mut self, key: V::Key, delta: <V::Value as Value>::Delta) -> Result<(), AddError> {
        let at = self.find(&key)?;
        if self.accesses[at].1 == Access::Add {
            // It is known to fit: one that does not is declared as reading.
            let sum = match &self.own[at] {
                Some(Change::Add(first)) => V::Value::combine(first, &delta),
                _ => Ok(delta),
            };
            let Ok(sum) = sum else { return Err(self.stop(Failure::Undeclared).into()) };
            self.load_base(at);
            self.own[at] = Some(Change::Add(sum));
            return Ok(());
        }
        let value = self.read_at(at)?;
        let value = V::Value::apply(value.as_ref(), &delta)?;
        self.set(&key, Some(value));
        Ok(())
    }

    fn checkpoint(&mut self) -> Checkpoint {
        self.checkpoints.push(self.own.clone());
        Checkpoint::after(self.checkpoints.len() - 1)
    }

    fn rollback(&mut self, checkpoint: Checkpoint) -> Result<(), Stop> {
        // The checkpoint stays: the transaction may come back to it again.
        self.checkpoints.truncate(checkpoint.changes() + 1);
        if let Some(own) = self.checkpoints.last() {
            self.own.clone_from(own);
        }
        Ok(())
    }

    fn poll(&mut self) -> Result<(), Stop> {
        if self.failed.is_some() { Err(Stop::new()) } else { Ok(()) }
    }
}

/// Executes one transaction and leaves its changes where those above look for them.
pub(super) fn execute<V: Vm, R: StateReader<V::Key, V::Value> + ?Sized>(
    vm: &V,
    transaction: &V::Transaction,
    versions: &Versions<'_, V, R>,
    accesses: &[(V::Key, Access)],
    planned: &[Planned],
) -> Result<Outcome<V::Output>, Failure> {
    let own = SmallVec::new();
    let mut view = DagView { versions, accesses, planned, own, last: 0, checkpoints: Vec::new(), failed: None };
    view.own.resize_with(accesses.len(), || None);
    let executed = vm.execute(transaction, &mut view);
    if let Some(failure) = view.failed {
        return Err(failure);
    }
    let Ok(outcome) = executed else { return Err(Failure::Stopped) };
    let is_applied = outcome.verdict == Verdict::Applied;
    for ((own, (_, access)), planned) in view.own.iter_mut().zip(accesses).zip(planned) {
        match own.take().filter(|_| is_applied) {
            Some(Change::Set(value)) => versions.set(planned.after, value),
            Some(Change::Add(delta)) => versions.add(planned.after, delta),
            // What was declared and not done leaves what was there.
            None if access.writes() => versions.set(planned.after, versions.value(planned.before)?.clone()),
            None => {}
        }
    }
    Ok(outcome)
}
