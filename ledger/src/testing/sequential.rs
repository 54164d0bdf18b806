//! The plainest execution there is: one transaction after another, on a map. For tests; the integration test of the
//! vectors includes it too.

use std::collections::BTreeMap;

use weft_engine::{AddError, Checkpoint, Outcome, StateView, Stop, Value, Vm};

/// The state of a block so far, and the changes of one transaction on top.
struct MapView<'a, K, V> {
    state: &'a BTreeMap<K, V>,
    block: &'a BTreeMap<K, Option<V>>,
    own: BTreeMap<K, Option<V>>,
    checkpoints: Vec<BTreeMap<K, Option<V>>>,
    reads: usize,
}

impl<K: Ord + Clone, V: Value> MapView<'_, K, V> {
    fn current(&self, key: &K) -> Option<V> {
        match self.own.get(key).or_else(|| self.block.get(key)) {
            Some(changed) => changed.clone(),
            None => self.state.get(key).cloned(),
        }
    }
}

impl<K: Ord + Clone, V: Value> StateView<K, V> for MapView<'_, K, V> {
    fn read(&mut self, key: &K) -> Result<Option<V>, Stop> {
        self.reads += 1;
        Ok(self.current(key))
    }

    fn write(&mut self, key: K, value: V) {
        self.own.insert(key, Some(value));
    }

    fn delete(&mut self, key: K) {
        self.own.insert(key, None);
    }

    fn add(&mut self, key: K, delta: V::Delta) -> Result<(), AddError> {
        let value = V::apply(self.current(&key).as_ref(), &delta)?;
        self.own.insert(key, Some(value));
        Ok(())
    }

    fn checkpoint(&mut self) -> Checkpoint {
        self.checkpoints.push(self.own.clone());
        Checkpoint::after(self.checkpoints.len() - 1)
    }

    fn rollback(&mut self, checkpoint: Checkpoint) -> Result<(), Stop> {
        // The checkpoint stays: the transaction may come back to it again.
        self.own = self.checkpoints[checkpoint.changes()].clone();
        self.checkpoints.truncate(checkpoint.changes() + 1);
        Ok(())
    }

    fn poll(&mut self) -> Result<(), Stop> {
        Ok(())
    }
}

/// What one transaction did.
pub(crate) struct Step<V: Vm> {
    /// Its end.
    pub(crate) outcome: Outcome<V::Output>,
    /// Its changes; empty when it was rejected.
    pub(crate) changes: BTreeMap<V::Key, Option<V::Value>>,
    /// How many keys it read.
    #[allow(dead_code)]
    pub(crate) reads: usize,
}

/// Executes one transaction on `state` with the `block`'s changes so far.
pub(crate) fn execute_one<V: Vm>(
    vm: &V,
    transaction: &V::Transaction,
    state: &BTreeMap<V::Key, V::Value>,
    block: &BTreeMap<V::Key, Option<V::Value>>,
) -> Step<V> {
    let mut view = MapView { state, block, own: BTreeMap::new(), checkpoints: Vec::new(), reads: 0 };
    let outcome = vm.execute(transaction, &mut view).expect("this view never stops");
    let MapView { own, reads, .. } = view;
    let applied = outcome.verdict == weft_engine::Verdict::Applied;
    Step { outcome, changes: if applied { own } else { BTreeMap::new() }, reads }
}

/// Executes a block that its first rejected transaction rejects whole: the outputs so far, and no changes.
#[allow(clippy::type_complexity)]
pub(crate) fn execute_block<V: Vm>(
    vm: &V,
    transactions: &[V::Transaction],
    state: &BTreeMap<V::Key, V::Value>,
) -> (Vec<V::Output>, BTreeMap<V::Key, Option<V::Value>>) {
    let (mut outputs, mut block) = (Vec::new(), BTreeMap::new());
    for transaction in transactions {
        let Step { outcome, changes, .. } = execute_one(vm, transaction, state, &block);
        outputs.push(outcome.output);
        if outcome.verdict == weft_engine::Verdict::Rejected {
            return (outputs, BTreeMap::new());
        }
        block.extend(changes);
    }
    (outputs, block)
}
