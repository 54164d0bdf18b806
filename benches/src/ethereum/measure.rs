//! Lean revm and weft on one block, side by side.
//!
//! *Lean* is revm's own journal as the only cache, results kept, nothing cloned. Both sides end with all results and
//! the state after the block in memory. Their runs alternate, so that a slow moment of the machine hits both.

use std::time::{Duration, Instant};

use revm::database_interface::DatabaseRef;
use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;
use weft_engine::{Config, Mode};
use weft_evm::sequential::{self, SequentialError};
use weft_node::compare::median;

use super::Block;
use super::changes::changes;
use super::weft::Weft;
use crate::allocator;

/// How to measure.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Threads of weft.
    pub threads: usize,
    /// Measured pairs of runs, after one that is checked.
    pub repeat: usize,
    /// The path that weft takes.
    pub mode: Mode,
    /// Consecutive transactions that weft schedules as one.
    pub unit_length: usize,
}

/// Why there are no figures.
#[derive(Debug, thiserror::Error)]
pub enum MeasureError<E: std::error::Error + 'static> {
    /// A block is not executed.
    #[error("{block}, {side}: {source}")]
    Execute {
        /// The block.
        block: String,
        /// Who does not execute it.
        side: &'static str,
        /// Why.
        source: SequentialError<E>,
    },
    /// The state below cannot be read.
    #[error("{block}: {source}")]
    Database {
        /// The block.
        block: String,
        /// Why.
        source: E,
    },
    /// Weft's result is not lean's.
    #[error("{block}: weft's {what} differ from revm's")]
    Differs {
        /// The block.
        block: String,
        /// Results or changes, and where.
        what: String,
    },
}

/// One side's figures.
#[derive(Debug, Clone, Serialize)]
pub struct Side {
    /// Middle wall-clock time.
    pub milliseconds: f64,
    /// CPU time a transaction.
    pub core_micros: f64,
    /// Cores busy on average.
    pub cores: f64,
    /// The most memory in use beyond what was in use before, the result included.
    pub peak_bytes: usize,
}

/// What one block gives.
#[derive(Debug, Clone, Serialize)]
pub struct Figures {
    /// The block.
    pub block: String,
    /// Its transactions.
    pub transactions: usize,
    /// Gas that they use.
    pub gas: u64,
    /// Of them, those that revert or halt.
    pub failed: usize,
    /// Accounts and slots of the changes.
    pub changes: (usize, usize),
    /// Plain revm.
    pub lean: Side,
    /// Weft.
    pub weft: Side,
    /// Lean's time by weft's: middle, least and greatest of the pairs.
    pub speed_up: (f64, f64, f64),
    /// Executions a transaction.
    pub executions: f64,
}

/// One run's cost.
#[derive(Debug, Clone, Copy)]
struct Cost {
    wall: Duration,
    cpu: Duration,
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Cost) {
    let process = || {
        let now = clock_gettime(ClockId::ProcessCPUTime);
        Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0))
    };
    let (cpu, wall) = (process(), Instant::now());
    let result = work();
    let wall = wall.elapsed();
    (result, Cost { wall, cpu: process().saturating_sub(cpu) })
}

/// Measures one block.
///
/// # Errors
/// [`MeasureError`], above all where weft's result is not lean's.
pub fn measure<DB>(block: &Block<DB>, plan: &Plan) -> Result<Figures, MeasureError<DB::Error>>
where
    DB: DatabaseRef<Error: std::error::Error + 'static> + Sync,
{
    let weft = Weft::new(Config {
        mode: plan.mode,
        max_parallel_threads: plan.threads,
        unit_length: plan.unit_length,
        ..Config::default()
    });
    let failed = |side| move |source| MeasureError::Execute { block: block.name.clone(), side, source };
    let lean = |transactions| sequential::execute(&block.env, &block.database, transactions).map_err(failed("lean"));
    let parallel = || weft.execute(block).map_err(failed("weft"));

    let transactions = block.transactions.clone();
    let (expected, lean_peak) = allocator::peak(|| lean(transactions));
    let (got, weft_peak) = allocator::peak(parallel);
    let (expected, got) = (expected?, got?);
    if let Some(index) =
        (0..expected.results.len()).find(|&index| expected.results.get(index) != got.results.get(index))
    {
        return Err(MeasureError::Differs {
            block: block.name.clone(),
            what: format!("results of transaction {index}"),
        });
    }
    let changes = |state| {
        changes(&block.database, block.env.cfg_env.spec, state)
            .map_err(|source| MeasureError::Database { block: block.name.clone(), source })
    };
    let changed = changes(&expected.state)?;
    if changes(&got.state)? != changed {
        return Err(MeasureError::Differs { block: block.name.clone(), what: "changes".to_owned() });
    }
    let gas = expected.results.iter().map(|result| result.tx_gas_used()).sum();
    let unsuccessful = expected.results.iter().filter(|result| !result.is_success()).count();
    let size = (changed.len(), changed.values().map(|account| account.storage.len()).sum());
    drop((expected, got, changed));

    let (mut lean_costs, mut weft_costs, mut executions) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..plan.repeat.max(1) * 2 {
        // Who is first alternates as well.
        if (round + round / 2) % 2 == 0 {
            let transactions = block.transactions.clone();
            let (executed, cost) = timed(|| lean(transactions));
            executed?;
            lean_costs.push(cost);
        } else {
            let (executed, cost) = timed(parallel);
            executions.push(executed?.executions as f64);
            weft_costs.push(cost);
        }
    }
    let count = block.transactions.len().max(1) as f64;
    let seconds = |cost: &Cost| cost.wall.as_secs_f64().max(f64::EPSILON);
    let ratios: Vec<f64> =
        lean_costs.iter().zip(&weft_costs).map(|(lean, weft)| seconds(lean) / seconds(weft)).collect();
    let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
    let greatest = ratios.iter().copied().fold(0.0, f64::max);
    let side = |costs: &[Cost], peak_bytes| Side {
        milliseconds: median(costs.iter().map(seconds).collect()) * 1e3,
        core_micros: median(costs.iter().map(|cost| cost.cpu.as_secs_f64()).collect()) * 1e6 / count,
        cores: median(costs.iter().map(|cost| cost.cpu.as_secs_f64() / seconds(cost)).collect()),
        peak_bytes,
    };
    Ok(Figures {
        block: block.name.clone(),
        transactions: block.transactions.len(),
        gas,
        failed: unsuccessful,
        changes: size,
        lean: side(&lean_costs, lean_peak),
        weft: side(&weft_costs, weft_peak),
        speed_up: (median(ratios), least, greatest),
        executions: median(executions) / count,
    })
}
