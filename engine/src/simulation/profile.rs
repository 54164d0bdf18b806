//! What a block's transactions depend on and how long they take, seen in one sequential run: what no schedule can beat.

use std::time::{Duration, Instant};

use ahash::RandomState;
use hashbrown::HashMap;
use parking_lot::Mutex;
use weft_mvmemory::Value;
use weft_storage::StateReader;

use crate::config::BlockPolicy;
use crate::engine::BlockOutput;
use crate::error::BlockError;
use crate::sequential;
use crate::vm::{AddError, Checkpoint, Outcome, StateView, Stop, Verdict, Vm};

/// How a transaction has touched a key. What it does to a key that it has read, or written, changes nothing any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    /// Read; or added to where the addition failed, or where it met an own change: its result depends on what was there.
    Read,
    /// Added to without reading: in any order with other additions.
    Added,
    /// Read before, and changed.
    ReadAndWritten,
    /// Written without reading.
    Written,
}

/// One transaction of a [`Profile`].
#[derive(Debug, Clone, Default)]
struct Transaction {
    /// Keys by number.
    accesses: Vec<(u32, Access)>,
    times: Vec<Duration>,
}

/// How long the transactions of a block take, one after another, and which of them truly depend on which: a transaction
/// depends on those that wrote what it reads, and on those that added to it since. Additions and writes that nobody reads
/// in between depend on nothing.
#[derive(Debug, Clone)]
pub struct Profile {
    transactions: Vec<Transaction>,
    keys: usize,
}

/// What is being recorded.
struct Recording<K> {
    keys: HashMap<K, u32, RandomState>,
    transactions: Vec<Transaction>,
    running: Transaction,
}

/// Records what `inner` does.
struct Recorder<'v, V: Vm> {
    inner: &'v V,
    recording: Mutex<Recording<V::Key>>,
}

struct RecordingView<'s, S, K> {
    inner: &'s mut S,
    recording: &'s mut Recording<K>,
}

impl<K: crate::vm::Key> Recording<K> {
    fn note(&mut self, key: &K, access: Access) {
        let keys = self.keys.len() as u32;
        let number = match self.keys.get(key) {
            Some(number) => *number,
            None => *self.keys.entry(key.clone()).or_insert(keys),
        };
        match self.running.accesses.iter_mut().find(|known| known.0 == number) {
            None => self.running.accesses.push((number, access)),
            Some((_, known)) => {
                *known = match (*known, access) {
                    (Access::Read | Access::ReadAndWritten, Access::Read) => *known,
                    (Access::Read | Access::ReadAndWritten, _) => Access::ReadAndWritten,
                    (Access::Added, Access::Added) => Access::Added,
                    (Access::Added, Access::Read) => Access::ReadAndWritten,
                    (Access::Added | Access::Written, _) => Access::Written,
                }
            }
        }
    }
}

impl<K: crate::vm::Key, T: Value, S: StateView<K, T>> StateView<K, T> for RecordingView<'_, S, K> {
    fn read(&mut self, key: &K) -> Result<Option<T>, Stop> {
        self.recording.note(key, Access::Read);
        self.inner.read(key)
    }

    fn write(&mut self, key: K, value: T) {
        self.recording.note(&key, Access::Written);
        self.inner.write(key, value);
    }

    fn delete(&mut self, key: K) {
        self.recording.note(&key, Access::Written);
        self.inner.delete(key);
    }

    fn add(&mut self, key: K, delta: T::Delta) -> Result<(), AddError> {
        let added = self.inner.add(key.clone(), delta);
        self.recording.note(&key, if added.is_ok() { Access::Added } else { Access::Read });
        added
    }

    fn checkpoint(&mut self) -> Checkpoint {
        self.inner.checkpoint()
    }

    fn rollback(&mut self, checkpoint: Checkpoint) -> Result<(), Stop> {
        // What was changed and undone still counts as changed: rare, and never too few dependencies.
        self.inner.rollback(checkpoint)
    }

    fn poll(&mut self) -> Result<(), Stop> {
        self.inner.poll()
    }
}

impl<V: Vm> Vm for Recorder<'_, V> {
    type Transaction = V::Transaction;
    type Key = V::Key;
    type Value = V::Value;
    type Output = V::Output;

    fn execute<S: StateView<V::Key, V::Value>>(
        &self,
        transaction: &V::Transaction,
        state: &mut S,
    ) -> Result<Outcome<V::Output>, Stop> {
        let recording = &mut *self.recording.lock();
        recording.running = Transaction::default();
        let outcome = self.inner.execute(transaction, &mut RecordingView { inner: state, recording });
        let mut done = std::mem::take(&mut recording.running);
        if outcome.as_ref().is_ok_and(|outcome| outcome.verdict == Verdict::Rejected) {
            for (_, access) in &mut done.accesses {
                *access = Access::Read;
            }
        }
        recording.transactions.push(done);
        outcome
    }
}

/// Measures how long `inner` takes.
struct Timer<'v, V> {
    inner: &'v V,
    times: Mutex<Vec<Duration>>,
}

impl<V: Vm> Vm for Timer<'_, V> {
    type Transaction = V::Transaction;
    type Key = V::Key;
    type Value = V::Value;
    type Output = V::Output;

    fn execute<S: StateView<V::Key, V::Value>>(
        &self,
        transaction: &V::Transaction,
        state: &mut S,
    ) -> Result<Outcome<V::Output>, Stop> {
        let begun = Instant::now();
        let outcome = self.inner.execute(transaction, state);
        let took = begun.elapsed();
        self.times.lock().push(took);
        outcome
    }
}

impl Profile {
    /// Executes the block sequentially: once to see what depends on what, and `measured` times to see how long each
    /// transaction takes; the middle one counts. Gives the block's output as well.
    ///
    /// # Errors
    /// [`BlockError`] when there is no sequential result.
    pub fn of<V, R>(
        vm: &V,
        reader: &R,
        transactions: &[V::Transaction],
        policy: BlockPolicy,
        measured: usize,
    ) -> Result<(Self, BlockOutput<V>), BlockError>
    where
        V: Vm,
        R: StateReader<V::Key, V::Value>,
    {
        let recording =
            Recording { keys: HashMap::default(), transactions: Vec::new(), running: Transaction::default() };
        let recorder = Recorder { inner: vm, recording: Mutex::new(recording) };
        let output = sequential::execute(&recorder, reader, transactions, policy, true, |_, _| {})?;
        let recording = recorder.recording.into_inner();
        let mut profile = Self { transactions: recording.transactions, keys: recording.keys.len() };
        for _ in 0..measured {
            let timer = Timer { inner: vm, times: Mutex::new(Vec::with_capacity(transactions.len())) };
            sequential::execute(&timer, reader, transactions, policy, false, |_, _| {})?;
            for (transaction, took) in profile.transactions.iter_mut().zip(timer.times.into_inner()) {
                transaction.times.push(took);
            }
        }
        for transaction in &mut profile.transactions {
            transaction.times.sort_unstable();
        }
        let BlockOutput { outcomes, changes, end, gas_used, metrics } = output;
        Ok((profile, BlockOutput { outcomes, changes, end, gas_used, metrics }))
    }

    /// Transactions that were executed; fewer than the block has where it ended early.
    #[must_use]
    pub fn transactions(&self) -> usize {
        self.transactions.len()
    }

    /// How long a transaction takes, of those that were measured; else no time.
    #[must_use]
    pub fn time_of(&self, transaction: usize) -> Duration {
        let times = self.transactions.get(transaction).map_or(&[][..], |transaction| &transaction.times);
        times.get(times.len() / 2).copied().unwrap_or_default()
    }

    /// All transactions one after another, where each takes `time_of` its index.
    pub fn total(&self, time_of: impl Fn(usize) -> Duration) -> Duration {
        (0..self.transactions.len()).map(time_of).sum()
    }

    /// The longest chain of transactions that depend on each other, in time: with any number of cores the block takes no
    /// less than that. A transaction reads after `read_percent` of its time, and may begin so much earlier than what it
    /// reads is there.
    pub fn critical_path(&self, time_of: impl Fn(usize) -> Duration, read_percent: u32) -> Duration {
        // When the value of each key is there, as the transactions so far leave it.
        let mut there = vec![Duration::ZERO; self.keys];
        let mut longest = Duration::ZERO;
        for (at, transaction) in self.transactions.iter().enumerate() {
            let begins = transaction.accesses.iter().filter(|(_, access)| access.depends());
            let begins = begins.map(|(key, _)| there[*key as usize]).max().unwrap_or_default();
            let time = time_of(at);
            let until_read = time * read_percent.min(100) / 100;
            let ends = begins.max(until_read) + (time - until_read);
            for (key, access) in &transaction.accesses {
                let there = &mut there[*key as usize];
                match access {
                    Access::Read => {}
                    Access::Added => *there = ends.max(*there),
                    Access::ReadAndWritten | Access::Written => *there = ends,
                }
            }
            longest = longest.max(ends);
        }
        longest
    }
}

impl Access {
    const fn depends(self) -> bool {
        matches!(self, Self::Read | Self::ReadAndWritten)
    }
}
