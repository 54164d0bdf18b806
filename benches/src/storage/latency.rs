//! Storage with a delay: a block in memory, every read of which takes so long.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use weft_ledger::state::{Key, Value};
use weft_node::chain::SnapshotReader;
use weft_node::executor::{BlockExecutor, SharedState};
use weft_node::workload::Workload;
use weft_storage::{LatencyReader, MemoryStore, StateStore, StateWriter};

use super::contest::ContestError;
use super::{BesideSequential, Case, Setup, beside_sequential};

/// What to measure.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The block.
    pub workload: Workload,
    /// Its transactions.
    pub transactions: usize,
    /// Delay of every read.
    pub delay: Duration,
    /// Who is measured beside sequential execution.
    pub setups: Vec<Setup>,
    /// Measured runs of each, at least one.
    pub repeat: usize,
    /// Seed of the workload.
    pub seed: u64,
}

/// What was measured.
#[derive(Debug, Clone, Serialize)]
pub struct Figures {
    /// The block.
    pub workload: String,
    /// Its transactions.
    pub transactions: usize,
    /// Delay that was asked for, in microseconds.
    pub delay_micros: f64,
    /// What is counted are reads.
    #[serde(flatten)]
    pub figures: BesideSequential,
}

/// Measures all setups beside sequential execution with the same delay.
///
/// # Errors
/// [`ContestError`], above all where a result differs.
pub fn measure(plan: &Plan) -> Result<Figures, ContestError> {
    let case = Case::new(plan.workload, plan.transactions, plan.seed);
    let store: MemoryStore<Key, Value> = MemoryStore::new();
    store.initialise(&case.genesis, [0; 32])?;
    let reader = Arc::new(LatencyReader::new(SnapshotReader(StateStore::snapshot(&store)), plan.delay));
    let state: SharedState = Arc::clone(&reader) as SharedState;
    let run = |executor: &dyn BlockExecutor| case.run(executor, &state, || reader.reads());
    let figures = beside_sequential(&plan.workload.to_string(), &case, &plan.setups, plan.repeat, &run)?;
    Ok(Figures {
        workload: plan.workload.to_string(),
        transactions: plan.transactions,
        delay_micros: plan.delay.as_secs_f64() * 1e6,
        figures,
    })
}
