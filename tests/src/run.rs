//! Running one block on a chosen path and comparing the results.

use std::collections::BTreeMap;

use weft_engine::{BlockEnd, BlockError, BlockPolicy, Config, Engine, KeyChange, Mode, Outcome, Vm};
use weft_storage::{StateReader, StorageError};

/// A state in a map.
#[derive(Debug, Clone)]
pub struct MapState<K, V>(pub BTreeMap<K, V>);

impl<K: Ord + Send + Sync, V: Clone + Send + Sync> StateReader<K, V> for MapState<K, V> {
    fn read(&self, key: &K) -> Result<Option<V>, StorageError> {
        Ok(self.0.get(key).cloned())
    }
}

/// The configuration of one run.
#[must_use]
pub fn config(mode: Mode, threads: usize, unit_length: usize) -> Config {
    Config { mode, max_parallel_threads: threads, unit_length, ..Config::default() }
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
    let mut streamed = Vec::new();
    let output = engine
        .execute_block_with(vm, state, block, policy, |index, _| streamed.push(index))
        .map_err(|error: BlockError| error.to_string())?;
    let (outcomes, changes, end, gas_used) = (output.outcomes, output.changes, output.end, output.gas_used);
    Ok(BlockResult { outcomes, changes, end, gas_used, streamed })
}
