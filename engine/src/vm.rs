//! The contract between the engine and a chain: what a virtual machine is given and what it gives back.

use std::fmt::Debug;
use std::hash::Hash;

use weft_mvmemory::{OutOfBounds, Value};

/// What the state is keyed by. `Ord` decides the order of the change set.
pub trait Key: Clone + Eq + Ord + Hash + Debug + Send + Sync + 'static {}
impl<T: Clone + Eq + Ord + Hash + Debug + Send + Sync + 'static> Key for T {}

/// The engine wants this execution to end now. Pass it up with `?`.
///
/// It is opaque on purpose: a virtual machine can neither make one nor learn why (a value that is still being
/// computed, a block that ended, a storage failure), so it cannot let a result depend on it. The view remembers the
/// reason: an execution that swallows a `Stop` is discarded all the same.
#[derive(Debug)]
#[must_use = "pass it up with `?`: the result of this execution is discarded"]
pub struct Stop(pub(crate) ());

impl Stop {
    /// For implementors of [`StateView`] outside this crate. A virtual machine has no use for it: an execution that
    /// ends with a stop which its view did not ask for is reported as
    /// [`BlockError::Stopped`](crate::BlockError::Stopped).
    #[expect(clippy::new_without_default, reason = "nothing should make one by default")]
    pub fn new() -> Self {
        Self(())
    }
}

/// Why an execution was stopped; known to the engine only.
#[derive(Debug)]
pub(crate) enum StopReason {
    /// The value is an estimate: the named unit will write it anew.
    Estimate(u32),
    /// Speculation went wrong; only an execution on committed values can tell what is true.
    Unresolvable,
    /// The block has ended or failed; nothing of this execution will be used.
    Halted,
    /// The storage failed to deliver a base value.
    Storage(weft_storage::StorageError),
}

/// Why [`StateView::add`] did not take a delta.
#[derive(Debug)]
pub enum AddError {
    /// The value would leave its range: the transaction sees the same here as in sequential execution.
    OutOfBounds,
    /// The engine ends this execution; pass it up.
    Stop(Stop),
}

impl From<Stop> for AddError {
    fn from(stop: Stop) -> Self {
        Self::Stop(stop)
    }
}

impl From<OutOfBounds> for AddError {
    fn from(_: OutOfBounds) -> Self {
        Self::OutOfBounds
    }
}

/// A point in a transaction's changes, to come back to with [`StateView::rollback`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checkpoint(usize);

impl Checkpoint {
    /// For implementors of [`StateView`]: the point after `changes` changes, or whatever else they count by.
    #[must_use]
    pub const fn after(changes: usize) -> Self {
        Self(changes)
    }

    /// What [`Checkpoint::after`] was given.
    #[must_use]
    pub const fn changes(self) -> usize {
        self.0
    }
}

/// The state as one transaction sees it: everything before it in the block, and its own changes.
///
/// Changes stay in the transaction's own buffer. They take effect only if the transaction ends with
/// [`Outcome::applied`]; a rejected transaction leaves nothing behind.
pub trait StateView<K, V: Value> {
    /// The value of `key`, or `None` where there is none. Within one execution it changes only by own changes.
    ///
    /// # Errors
    /// [`Stop`] when the engine ends this execution; pass it up with `?`.
    fn read(&mut self, key: &K) -> Result<Option<V>, Stop>;

    /// The value of `key` as [`read`](Self::read) gives it, or nothing where a transaction before this one has changed the
    /// key, or is about to, as far as is known: to read it then would mean to depend on that transaction. For a transaction that
    /// can do without the value, say because a delta that [fails](Value::apply) where the value is not as it should be
    /// does as well.
    ///
    /// Whether the answer is nothing depends on chance. The outcome and all changes must not.
    ///
    /// # Errors
    /// [`Stop`] when the engine ends this execution; pass it up with `?`.
    fn read_unless_contended(&mut self, key: &K) -> Result<Option<Option<V>>, Stop> {
        self.read(key).map(Some)
    }

    /// Sets `key` to `value`.
    fn write(&mut self, key: K, value: V);

    /// Removes the value of `key`.
    fn delete(&mut self, key: K);

    /// Applies a commutative delta to `key` without reading it: it conflicts with nobody who does not read the key.
    ///
    /// # Errors
    /// [`AddError::OutOfBounds`] where sequential execution would overflow or underflow (found at the latest in
    /// commit order, by executing the transaction again); [`AddError::Stop`] must be passed up.
    fn add(&mut self, key: K, delta: V::Delta) -> Result<(), AddError>;

    /// Marks where the transaction's changes stand now: a part of it that fails is undone with [`StateView::rollback`],
    /// and what came before stays.
    fn checkpoint(&mut self) -> Checkpoint;

    /// Undoes every change since `checkpoint`, which this transaction has taken and not rolled back behind. The values
    /// read in between are still reads of the transaction. A transaction may come back to a checkpoint more than once.
    ///
    /// # Errors
    /// [`Stop`] when the engine ends this execution; pass it up with `?`.
    fn rollback(&mut self, checkpoint: Checkpoint) -> Result<(), Stop>;

    /// Asks whether to go on. To be called now and then by a machine that computes for long without reading, so
    /// that a loop which only an inconsistent snapshot makes endless still ends.
    ///
    /// # Errors
    /// [`Stop`] when the engine ends this execution; pass it up with `?`.
    fn poll(&mut self) -> Result<(), Stop>;
}

/// What became of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Its changes are part of the block (this includes transactions that failed but paid, where a chain has them).
    Applied,
    /// It is invalid here: it changes nothing, and the block policy says what follows.
    Rejected,
}

/// The end of a transaction's execution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome<O> {
    /// What the chain wants to know of it: a receipt, an error code.
    pub output: O,
    /// Whether its changes count.
    pub verdict: Verdict,
    /// The gas that it used, for the block's gas limit. 0 where the chain has none.
    pub gas_used: u64,
}

impl<O> Outcome<O> {
    /// The transaction's changes are part of the block.
    pub fn applied(output: O, gas_used: u64) -> Self {
        Self { output, verdict: Verdict::Applied, gas_used }
    }

    /// The transaction is invalid and changes nothing.
    pub fn rejected(output: O) -> Self {
        Self { output, verdict: Verdict::Rejected, gas_used: 0 }
    }
}

/// How a transaction will touch a key, as a hint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Touch {
    /// It reads the key and writes it: it waits for whoever touches the key before it.
    Write,
    /// It only adds to the key, or [can do without its value](StateView::read_unless_contended): it waits for nobody, but
    /// whoever reads the key later waits for it.
    Add,
}

/// A kind of keys that hardly any block writes, see [`Vm::rare_kind`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RareKind(u8);

impl RareKind {
    /// One of eight kinds: numbers from 8 on begin again.
    #[must_use]
    pub const fn new(number: u8) -> Self {
        Self(number % 8)
    }

    pub(crate) const fn bit(self) -> u8 {
        1 << self.0
    }
}

/// A chain's transaction semantics.
///
/// `execute` must be a deterministic function of the transaction and of what it reads: no clock, no randomness, no
/// state of its own that changes. It can be called several times for one transaction, also with reads that no
/// sequential execution would give; whatever it then does (an error, a panic) is discarded by the engine.
pub trait Vm: Sync {
    /// One entry of the block.
    type Transaction: Sync;
    /// What the state is keyed by.
    type Key: Key;
    /// What the state holds.
    type Value: Value;
    /// What a transaction gives back.
    type Output: Clone + PartialEq + Debug + Send + 'static;

    /// Executes one transaction on `state`.
    ///
    /// # Errors
    /// Only the [`Stop`] that a call on `state` returned. A failing transaction is an [`Outcome`].
    fn execute<S: StateView<Self::Key, Self::Value>>(
        &self,
        transaction: &Self::Transaction,
        state: &mut S,
    ) -> Result<Outcome<Self::Output>, Stop>;

    /// Names keys that the transaction will surely touch, and how. A hint: it steers the scheduler around executions
    /// that are bound to be repeated. Wrong or missing hints cost time, never correctness.
    fn footprint(&self, transaction: &Self::Transaction, declare: &mut dyn FnMut(Self::Key, Touch)) {
        let _ = (transaction, declare);
    }

    /// How long the transaction may take, in whatever unit: it is only compared with the others of the block. 0 where
    /// nothing is known. A hint: a transaction that may take a large part of a block's time is begun before its turn, so
    /// that the block does not end with one worker executing it and all others waiting. If what it reads is changed by
    /// those before it, it has to run again.
    fn weight(&self, transaction: &Self::Transaction) -> u64 {
        let _ = transaction;
        0
    }

    /// The kind of `key`, if hardly any block writes keys of that kind. As long as a block has not, transactions read
    /// them straight from storage, each time, without any bookkeeping for the key: the reader should be quick for those
    /// that are read often. A hint: keys of such a kind may be written, and what has read them runs again.
    ///
    /// The same for a key at all times.
    fn rare_kind(&self, key: &Self::Key) -> Option<RareKind> {
        let _ = key;
        None
    }

    /// Names keys besides its [`footprint`](Self::footprint) that the transaction will read, or is likely to: their
    /// values are worth prefetching. Nobody waits for what is named here, and nobody but the threads that prefetch asks
    /// for it. A key that is not read costs a read of the storage.
    fn reads(&self, transaction: &Self::Transaction, declare: &mut dyn FnMut(Self::Key)) {
        let _ = (transaction, declare);
    }
}
