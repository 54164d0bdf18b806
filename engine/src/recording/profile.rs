//! A block's accesses and the times of its transactions together.

use std::time::Duration;

use weft_storage::StateReader;

use super::access::BlockAccess;
use super::critical_path::CriticalPath;
use super::recorder::record;
use super::timing::time_transactions;
use crate::config::BlockPolicy;
use crate::engine::BlockOutput;
use crate::error::BlockError;
use crate::vm::{Key, Vm};

/// What the transactions of a block touch, and how long each takes.
#[derive(Debug, Clone)]
pub struct Profile<K> {
    accesses: BlockAccess<K>,
    /// The time of each transaction; none where nothing was measured.
    times: Vec<Duration>,
}

impl<K: Key> Profile<K> {
    /// Executes the block sequentially: once to see what depends on what, and `measured` times to see how long each
    /// transaction takes; the middle one counts, of an even number the longer of the two. Gives the block's output as
    /// well.
    ///
    /// # Errors
    /// [`BlockError`] when there is no sequential result.
    pub fn of<V: Vm<Key = K>, R: StateReader<K, V::Value>>(
        vm: &V,
        reader: &R,
        transactions: &[V::Transaction],
        policy: BlockPolicy,
        measured: usize,
    ) -> Result<(Self, BlockOutput<V>), BlockError> {
        let (accesses, output) = record(vm, reader, transactions, policy)?;
        let mut runs: Vec<Vec<Duration>> = Vec::with_capacity(measured);
        for _ in 0..measured {
            runs.push(time_transactions(vm, reader, transactions, policy)?);
        }
        let middle_of = |transaction| {
            // A machine that is not deterministic may end a block earlier in one run than in another.
            let mut times: Vec<Duration> = runs.iter().filter_map(|run| run.get(transaction)).copied().collect();
            times.sort_unstable();
            times.get(times.len() / 2).copied().unwrap_or_default()
        };
        let times = (0..accesses.transactions()).map(middle_of).collect();
        Ok((Self { accesses, times }, output))
    }

    /// How long a transaction takes, if it was executed and times were measured; else no time.
    #[must_use]
    pub fn time_of(&self, transaction: usize) -> Duration {
        self.times.get(transaction).copied().unwrap_or_default()
    }

    /// What no schedule can beat where transactions take `time_of` their index, and read after `read_percent` of that.
    pub fn critical_path(&self, time_of: impl Fn(usize) -> Duration, read_percent: u32) -> CriticalPath {
        CriticalPath::of(&self.accesses, time_of, read_percent)
    }
}
