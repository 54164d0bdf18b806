//! Finding out what the transactions of a block touch: by executing them one after another behind a view that notes it.

use parking_lot::Mutex;
use weft_mvmemory::Value;
use weft_storage::StateReader;

use super::access::{Access, BlockAccess};
use crate::config::BlockPolicy;
use crate::engine::BlockOutput;
use crate::error::BlockError;
use crate::sequential;
use crate::vm::{AddError, Checkpoint, Outcome, StateView, Stop, Verdict, Vm};

/// What the transactions of a block touch when they are executed one after another, up to where the block ends, and
/// what the block gives.
///
/// The accesses are those that the outcome depends on: reading an own change is no read, and an addition that was
/// refused is one. A transaction that undoes changes ([`StateView::rollback`]) is taken to touch all that it touched on
/// the way, and to read what it looks at later, own or not: that may be more than its outcome depends on.
///
/// # Errors
/// [`BlockError`] where sequential execution has no result.
pub fn record<V: Vm, R: StateReader<V::Key, V::Value>>(
    vm: &V,
    reader: &R,
    transactions: &[V::Transaction],
    policy: BlockPolicy,
) -> Result<(BlockAccess<V::Key>, BlockOutput<V>), BlockError> {
    let recorder = Recorder { inner: vm, block: Mutex::default() };
    let output = sequential::execute(&recorder, reader, transactions, policy, true, |_, _| {})?;
    // The same output, of the inner machine.
    let BlockOutput { outcomes, changes, end, gas_used, metrics } = output;
    Ok((recorder.block.into_inner(), BlockOutput { outcomes, changes, end, gas_used, metrics }))
}

/// A machine that notes what the other one touches.
struct Recorder<'v, V: Vm> {
    inner: &'v V,
    block: Mutex<BlockAccess<V::Key>>,
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
        let mut view = RecordingView { state, touched: Vec::new() };
        let outcome = self.inner.execute(transaction, &mut view)?;
        let accesses = view.touched.into_iter().map(|touched| (touched.key, touched.access));
        let mut block = self.block.lock();
        match outcome.verdict {
            Verdict::Applied => block.push(accesses),
            Verdict::Rejected => block.push_rejected(accesses),
        }
        Ok(outcome)
    }
}

/// A key as the running transaction has touched it so far.
struct Touched<K, V: Value> {
    key: K,
    access: Access,
    /// Whether the value is the transaction's own: reading it then is no read of the state.
    is_own: bool,
    /// All that was added, while only additions were made.
    added: Option<V::Delta>,
}

struct RecordingView<'s, S, K, V: Value> {
    state: &'s mut S,
    touched: Vec<Touched<K, V>>,
}

impl<S, K: Eq, V: Value> RecordingView<'_, S, K, V> {
    fn find(&mut self, key: &K) -> Option<&mut Touched<K, V>> {
        self.touched.iter_mut().find(|touched| touched.key == *key)
    }

    fn read_of(&mut self, key: K) {
        match self.find(&key) {
            Some(touched) if touched.is_own => {}
            Some(touched) => {
                touched.access = if touched.access == Access::Read { Access::Read } else { Access::ReadWrite };
                // What was added is applied to what was found: from here on the value is known.
                touched.added = None;
            }
            None => self.touched.push(Touched { key, access: Access::Read, is_own: false, added: None }),
        }
    }

    fn write_of(&mut self, key: K) {
        match self.find(&key) {
            Some(touched) => {
                // What is overwritten had to fit if it was added: that is a look at the value.
                let is_blind = touched.access == Access::Write;
                touched.access = if is_blind { Access::Write } else { Access::ReadWrite };
                (touched.is_own, touched.added) = (true, None);
            }
            None => self.touched.push(Touched { key, access: Access::Write, is_own: true, added: None }),
        }
    }

    /// An addition that fitted.
    fn add_of(&mut self, key: K, delta: V::Delta) {
        match self.find(&key) {
            Some(touched) if touched.is_own => {}
            Some(touched) => {
                // Additions that cannot be combined into one are applied to the value.
                let both = touched.added.as_ref().and_then(|first| V::combine(first, &delta).ok());
                touched.access = if both.is_some() { Access::Add } else { Access::ReadWrite };
                (touched.is_own, touched.added) = (both.is_none(), both);
            }
            None => self.touched.push(Touched { key, access: Access::Add, is_own: false, added: Some(delta) }),
        }
    }

    /// An addition that did not fit: the transaction has learnt something of the value.
    fn refused_addition_of(&mut self, key: K) {
        self.read_of(key);
    }
}

impl<K: Clone + Eq, V: Value, S: StateView<K, V>> StateView<K, V> for RecordingView<'_, S, K, V> {
    fn read(&mut self, key: &K) -> Result<Option<V>, Stop> {
        self.read_of(key.clone());
        self.state.read(key)
    }

    fn write(&mut self, key: K, value: V) {
        self.write_of(key.clone());
        self.state.write(key, value);
    }

    fn delete(&mut self, key: K) {
        self.write_of(key.clone());
        self.state.delete(key);
    }

    fn add(&mut self, key: K, delta: V::Delta) -> Result<(), AddError> {
        let added = self.state.add(key.clone(), delta.clone());
        match &added {
            Ok(()) => self.add_of(key, delta),
            Err(AddError::OutOfBounds) => self.refused_addition_of(key),
            Err(AddError::Stop(_)) => {}
        }
        added
    }

    fn checkpoint(&mut self) -> Checkpoint {
        self.state.checkpoint()
    }

    fn rollback(&mut self, checkpoint: Checkpoint) -> Result<(), Stop> {
        // What exactly is undone is not followed. On the safe side, no value counts as the transaction's own any more,
        // and no addition as one that another can be combined with.
        for touched in &mut self.touched {
            (touched.is_own, touched.added) = (false, None);
        }
        self.state.rollback(checkpoint)
    }

    fn poll(&mut self) -> Result<(), Stop> {
        self.state.poll()
    }
}
