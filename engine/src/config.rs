//! How a block is executed: what a node configures once, and what it says of each block.

use std::time::Duration;

/// Which path a block takes. All give the same result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// One transaction after another on the calling thread, without any multi-version bookkeeping.
    Sequential,
    /// Optimistically in parallel, however small the block is.
    Optimistic,
    /// In parallel where the configuration allows it and the block is large enough, and as long as it is worth it;
    /// sequentially where the block turns out to be a chain, or its transactions cheaper than their bookkeeping.
    #[default]
    Auto,
}

/// The configuration of an [`Engine`](crate::Engine).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Whether [`Mode::Auto`] may execute in parallel at all.
    pub enable_parallel_execution: bool,
    /// Workers, the calling thread included. Blocks with fewer units use fewer. At least 1.
    pub max_parallel_threads: usize,
    /// Blocks with fewer transactions are executed sequentially in [`Mode::Auto`].
    pub min_transactions_for_parallel: usize,
    /// The path that blocks take.
    pub mode: Mode,
    /// Consecutive transactions that are scheduled, validated and committed as one unit. 1 suits expensive
    /// transactions and hot keys; longer units make cheap transactions cheaper. Results never depend on it.
    pub unit_length: usize,
    /// Units may grow up to so many transactions while a block runs, where transactions are cheap and do not conflict;
    /// they begin with `unit_length` and never get shorter. No more than that: they keep their length.
    pub longest_unit: usize,
    /// Units after which [`Mode::Auto`] looks whether executing in parallel is worth it, again and again; short blocks
    /// are judged earlier.
    pub trial_units: u32,
    /// And so much time must have passed: what a few microseconds show may be chance.
    pub trial_time: Duration,
    /// How much work executing in parallel must get done for [`Mode::Auto`] to go on with it, in percent of what one
    /// worker does in the same time. The bookkeeping of the executions counts as work: somewhat more than 100 is
    /// needed to be faster. 0: it always goes on.
    pub worthwhile_percent: u32,
    /// Whether the change set is in ascending order of keys; else it is in no order, which saves sorting it. What it
    /// contains is the same.
    pub sort_changes: bool,
    /// How many of the most contended keys the metrics name. Finding them visits every key of the block: 0 saves that.
    pub hottest_keys: usize,
    /// Threads that load base values which transactions are known to need, while a block is executed in parallel and
    /// ahead of it: for storage that takes its time. They are more or less always blocked in it, so their number has
    /// nothing to do with that of the cores. 0: nothing is prefetched.
    pub prefetch_threads: usize,
    /// How many transactions ahead of those that have been begun they may be.
    pub prefetch_distance: usize,
}

impl Default for Config {
    /// All cores, one transaction a unit, `Auto` from 16 transactions on, no prefetching.
    fn default() -> Self {
        Self {
            enable_parallel_execution: true,
            max_parallel_threads: std::thread::available_parallelism().map_or(1, usize::from),
            min_transactions_for_parallel: 16,
            mode: Mode::Auto,
            unit_length: 1,
            longest_unit: 1,
            trial_units: 64,
            trial_time: Duration::ZERO,
            worthwhile_percent: 125,
            sort_changes: true,
            hottest_keys: 0,
            prefetch_threads: 0,
            prefetch_distance: 1024,
        }
    }
}

impl Config {
    /// Whether a block of `transactions` is executed in parallel. An empty one never is: the memory for it would be made
    /// for nothing.
    #[must_use]
    pub fn is_parallel(&self, transactions: usize) -> bool {
        match self.mode {
            Mode::Sequential => false,
            Mode::Optimistic => transactions > 0,
            Mode::Auto => {
                self.enable_parallel_execution
                    && self.max_parallel_threads > 1
                    && transactions >= self.min_transactions_for_parallel
            }
        }
    }
}

/// What a rejected transaction means for its block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnRejected {
    /// The first rejected transaction, in order, makes the whole block invalid: nothing of it counts.
    #[default]
    RejectBlock,
    /// A rejected transaction changes nothing; the block goes on without it.
    SkipInvalid,
}

/// The rules of one block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BlockPolicy {
    /// What a rejected transaction means.
    pub on_rejected: OnRejected,
    /// The block ends before the first transaction with which the gas used would exceed this. `None`: no limit.
    pub gas_limit: Option<u64>,
}
