//! The summary of `weft run`: what is counted over the blocks, and how it is shown.

use std::collections::HashMap;
use std::time::Duration;

use serde::Serialize;
use weft_ledger::state::{Counter, Key};
use weft_node::executor::ExecutedBlock;

use super::contracts::Contracts;
use super::names::Names;
use super::rewards::Paid;
use super::{grouped, table};

/// Keys that the summary names. The chain's counters are none of them: every transaction adds to some, and nobody waits
/// for that.
const HOTTEST: usize = 5;
/// Keys that the engine is asked for, of each block.
pub(super) const ASKED: usize = HOTTEST * 4 + Counter::ALL.len();

/// What was measured of one block.
pub(super) struct Measured {
    pub(super) transactions: u64,
    pub(super) sequential: Option<f64>,
    pub(super) parallel: f64,
    pub(super) commit: f64,
}

/// What a run gave.
#[derive(Default, Serialize)]
pub(super) struct Summary {
    pub(super) database: String,
    pub(super) executor: String,
    pub(super) threads: usize,
    pub(super) first_block: u64,
    pub(super) last_block: u64,
    pub(super) blocks: u64,
    pub(super) transactions: u64,
    /// Signatures and execution.
    pub(super) transactions_per_second: f64,
    /// Signatures, execution and durable commit.
    pub(super) imported_per_second: f64,
    /// Signatures and execution, one after another.
    pub(super) sequential_per_second: Option<f64>,
    pub(super) speed_up: Option<f64>,
    pub(super) executions_per_transaction: f64,
    pub(super) validations_per_transaction: f64,
    pub(super) cores: f64,
    pub(super) hottest_keys: Vec<(String, usize)>,
    /// Only where there were any.
    #[serde(skip_serializing_if = "Contracts::is_empty")]
    pub(super) contracts: Contracts,
    /// Only where blocks are rewarded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) rewards: Option<Paid>,
    pub(super) block_digest: String,
    pub(super) state_digest: String,
    pub(super) equal_to_sequential: Option<bool>,
    pub(super) seconds: f64,
}

/// Sums over the blocks.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) compared: u64,
    executions: u64,
    validations: u64,
    cpu: Duration,
    wall: Duration,
    keys: HashMap<Key, usize>,
    paid: Option<Paid>,
    contracts: Contracts,
}

impl Tally {
    /// One that counts what is paid, where anything is.
    pub(super) fn paying(paid: Option<Paid>) -> Self {
        Self { paid, ..Self::default() }
    }

    pub(super) fn add(&mut self, block: &ExecutedBlock) {
        let metrics = &block.costs.metrics;
        // The engine counts units; a unit's transactions are executed together.
        let per_unit = metrics.transactions as f64 / metrics.units.max(1) as f64;
        self.executions += (metrics.executions as f64 * per_unit) as u64;
        self.validations += (metrics.validations as f64 * per_unit) as u64;
        if let Some(paid) = &mut self.paid {
            paid.add(&block.totals);
        }
        self.contracts.add(block);
        self.cpu += block.costs.cpu;
        self.wall += block.costs.signatures + block.costs.execution;
        let hot = metrics.hottest_keys.iter().filter(|(key, _)| !matches!(key, Key::Counter(_)));
        for (key, writers) in hot {
            *self.keys.entry(*key).or_default() += writers;
        }
    }

    pub(super) fn complete(self, blocks: &[Measured], summary: &mut Summary) {
        let sum = |part: fn(&Measured) -> f64| blocks.iter().map(part).sum::<f64>();
        summary.transactions = blocks.iter().map(|block| block.transactions).sum();
        let count = summary.transactions as f64;
        let parallel = sum(|block| block.parallel);
        // Of no blocks there are no rates: 0, since JSON knows no NaN.
        let rate = |amount: f64, of: f64| if of > 0.0 { amount / of } else { 0.0 };
        summary.transactions_per_second = rate(count, parallel);
        summary.imported_per_second = rate(count, parallel + sum(|block| block.commit));
        if !blocks.is_empty() && blocks.iter().all(|block| block.sequential.is_some()) {
            let sequential = sum(|block| block.sequential.unwrap_or_default());
            summary.sequential_per_second = Some(rate(count, sequential));
            summary.speed_up = Some(rate(sequential, parallel));
            summary.equal_to_sequential = Some(self.compared == summary.blocks);
        }
        summary.executions_per_transaction = rate(self.executions as f64, count);
        summary.validations_per_transaction = rate(self.validations as f64, count);
        summary.cores = rate(self.cpu.as_secs_f64(), self.wall.as_secs_f64());
        summary.rewards = self.paid;
        summary.contracts = self.contracts;
        let mut keys: Vec<_> = self.keys.into_iter().collect();
        keys.sort_unstable_by_key(|(key, writers)| (std::cmp::Reverse(*writers), *key));
        keys.truncate(HOTTEST);
        let names = Names::new();
        summary.hottest_keys = keys.into_iter().map(|(key, writers)| (names.of(&key), writers)).collect();
    }
}

/// The summary for people.
pub(super) fn in_a_table(summary: &Summary) -> String {
    if summary.blocks == 0 {
        return format!("{}: nothing to do; the chain ends at block {}", summary.database, summary.last_block);
    }
    let per_second = |rate: f64| format!("{} transactions/s", grouped(rate as u64));
    let mut pairs = vec![
        ("database", summary.database.clone()),
        (
            "blocks",
            format!(
                "{} to {}: {} transactions",
                grouped(summary.first_block),
                grouped(summary.last_block),
                grouped(summary.transactions)
            ),
        ),
        ("executed by", format!("{}, {} threads, {:.2} cores busy", summary.executor, summary.threads, summary.cores)),
        ("signatures and execution", per_second(summary.transactions_per_second)),
    ];
    if let Some(rate) = summary.sequential_per_second {
        pairs.push(("the same, sequentially", per_second(rate)));
    }
    if let Some(speed_up) = summary.speed_up {
        pairs.push(("speed-up over sequential", format!("{speed_up:.2} ×")));
    }
    pairs.push(("with durable commit", per_second(summary.imported_per_second)));
    pairs.push(("executions per transaction", format!("{:.3}", summary.executions_per_transaction)));
    if summary.validations_per_transaction > 0.0 {
        pairs.push(("validations per transaction", format!("{:.3}", summary.validations_per_transaction)));
    }
    for (at, (key, writers)) in summary.hottest_keys.iter().enumerate() {
        let label = if at == 0 { "hottest keys" } else { "" };
        pairs.push((label, format!("{key}  written by {} units", grouped(*writers as u64))));
    }
    if !summary.contracts.is_empty() {
        pairs.extend(summary.contracts.rows());
    }
    pairs.extend(summary.rewards.iter().flat_map(Paid::rows));
    pairs.push(("digest of the chain", summary.block_digest.clone()));
    pairs.push(("digest of the state", summary.state_digest.clone()));
    if let Some(equal) = summary.equal_to_sequential {
        let verdict = if equal { "yes, in every block" } else { "NO" };
        pairs.push(("parallel = sequential", verdict.to_owned()));
    }
    pairs.push(("in all", format!("{:.1} s", summary.seconds)));
    table::of_pairs(&pairs).to_string()
}
