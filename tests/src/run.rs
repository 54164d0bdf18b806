//! Running one block on a chosen path and comparing the results.

use std::collections::BTreeMap;

use weft_engine::{BlockEnd, BlockError, BlockPolicy, Config, Engine, KeyChange, Metrics, Mode, Outcome, Vm};
use weft_storage::{StateReader, StorageError};

use crate::watchdog::Watched;

/// A state in a map.
#[derive(Debug, Clone)]
pub struct MapState<K, V>(pub BTreeMap<K, V>);

impl<K: Ord, V> Default for MapState<K, V> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Ord, V> FromIterator<(K, V)> for MapState<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        Self(entries.into_iter().collect())
    }
}

impl<K: Ord + Send + Sync, V: Clone + Send + Sync> StateReader<K, V> for MapState<K, V> {
    fn read(&self, key: &K) -> Result<Option<V>, StorageError> {
        Ok(self.0.get(key).cloned())
    }
}

/// The configuration of one run. In [`Mode::Auto`] every trial of executing in parallel fails, after two units: such a
/// block alternates between the paths.
#[must_use]
pub fn config(mode: Mode, threads: usize, unit_length: usize) -> Config {
    Config {
        mode,
        max_parallel_threads: threads,
        unit_length,
        min_transactions_for_parallel: 2,
        trial_units: 2,
        worthwhile_percent: u32::MAX,
        ..Config::default()
    }
}

/// Everything of a block's result that must be equal on all paths.
#[derive(Debug, PartialEq)]
pub struct BlockResult<V: Vm> {
    /// Outcomes in order.
    pub outcomes: Vec<Outcome<V::Output>>,
    /// The sorted change set.
    pub changes: Vec<KeyChange<V::Key, V::Value>>,
    /// Where the block ended.
    pub end: BlockEnd,
    /// Gas used.
    pub gas_used: u64,
    /// The outcomes in the order in which they were streamed.
    pub streamed: Vec<usize>,
}

/// Runs a block on `engine`, with what it cost.
///
/// # Errors
/// The engine's [`BlockError`].
pub fn run_with_metrics<V: Vm>(
    engine: &Engine<V>,
    vm: &V,
    state: &impl StateReader<V::Key, V::Value>,
    block: &[V::Transaction],
    policy: BlockPolicy,
) -> Result<(BlockResult<V>, Metrics<V::Key>), BlockError> {
    let _watched = Watched::begin();
    let mut streamed = Vec::new();
    let output = engine.execute_block_with(vm, state, block, policy, |index, _| streamed.push(index))?;
    let (outcomes, changes, end, gas_used) = (output.outcomes, output.changes, output.end, output.gas_used);
    Ok((BlockResult { outcomes, changes, end, gas_used, streamed }, output.metrics))
}

/// Runs a block on `engine`; an error as its text.
///
/// # Errors
/// The text of the [`BlockError`].
pub fn run_on<V: Vm>(
    engine: &Engine<V>,
    vm: &V,
    state: &impl StateReader<V::Key, V::Value>,
    block: &[V::Transaction],
    policy: BlockPolicy,
) -> Result<BlockResult<V>, String> {
    run_with_metrics(engine, vm, state, block, policy).map(|(result, _)| result).map_err(|error| error.to_string())
}

/// Runs a block on a new engine, in parallel, and compares the result with the sequential one.
///
/// # Panics
/// When the results differ, or there is none.
pub fn parallel_equals_sequential<V: Vm>(
    threads: usize,
    unit_length: usize,
    vm: &V,
    state: &impl StateReader<V::Key, V::Value>,
    block: &[V::Transaction],
    policy: BlockPolicy,
) -> (BlockResult<V>, Metrics<V::Key>) {
    let sequential = Engine::<V>::new(config(Mode::Sequential, 1, 1));
    let expected = run_with_metrics(&sequential, vm, state, block, policy).expect("a sequential result").0;
    let parallel = Engine::<V>::new(config(Mode::Optimistic, threads, unit_length));
    let (result, metrics) = run_with_metrics(&parallel, vm, state, block, policy).expect("a parallel result");
    // Compared by hand: a `Vm` need not be `Debug`, which `assert_eq` would ask of it.
    assert_eq!(result.end, expected.end, "threads {threads}, units of {unit_length}");
    assert_eq!(result.outcomes, expected.outcomes, "threads {threads}, units of {unit_length}");
    assert_eq!(result.changes, expected.changes, "threads {threads}, units of {unit_length}");
    assert_eq!(result.gas_used, expected.gas_used, "threads {threads}, units of {unit_length}");
    assert_eq!(result.streamed, expected.streamed, "threads {threads}, units of {unit_length}");
    (result, metrics)
}
