//! Lean revm and weft on one block, side by side.
//!
//! *Lean* is revm's own journal as the only cache, results kept, nothing cloned. Both sides end with all results and
//! the changes of the block in memory: lean's are what the journal holds, weft's are sorted and only what differs. Their
//! runs alternate, so that a slow moment of the machine hits both; short blocks are run several times before the other side's
//! turn.
//!
//! Two cores are seldom twice one: they share caches and memory, and on a rented machine perhaps one core's units. So there is
//! a third turn, of as many lean runs *side by side* as weft has threads: they share nothing but the machine, so what they
//! gain over one after another is what the machine has to give at that moment. Weft's speed-up by that changes less from one
//! minute to the next than the speed-up itself.

use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use serde::Serialize;
use weft_engine::{Config, Mode};
use weft_evm::ParallelEvm;
use weft_node::compare::median;

use super::Block;
use super::weft::{Database, ExecuteError, Weft, lean, lean_diff};
use crate::allocator;
use crate::timing::{Cost, timed, timed_often};

/// How to measure.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Threads of weft.
    pub threads: usize,
    /// Measured pairs of runs, after one that is checked.
    pub repeat: usize,
    /// The path that weft takes.
    pub mode: Mode,
    /// Consecutive transactions that weft schedules as one. `None`: what suits the block.
    pub unit_length: Option<usize>,
    /// Whether weft's changes are made into revm's state maps, too, and that is counted.
    pub evm_state: bool,
}

/// Why there are no figures.
#[derive(Debug, thiserror::Error)]
pub enum MeasureError<E: std::error::Error + 'static> {
    /// A block is not executed.
    #[error("{block}: {source}")]
    Execute {
        /// The block.
        block: String,
        /// Who does not execute it, and why.
        source: ExecuteError<E>,
    },
    /// Weft's result is not lean's.
    #[error("{block}: weft and revm differ: {what}")]
    Differs {
        /// The block.
        block: String,
        /// Where.
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
    /// What the machine has to give: as many lean runs side by side as weft has threads, times as fast as one after another.
    pub side_by_side: f64,
    /// What weft makes of it: its speed-up by that, round by round, the middle one.
    pub share: f64,
    /// Executions a transaction.
    pub executions: f64,
}

/// Measures one block.
///
/// # Errors
/// [`MeasureError`], above all where weft's result is not lean's.
pub fn measure<DB: Database>(block: &Block<DB>, plan: &Plan) -> Result<Figures, MeasureError<DB::Error>> {
    let config = Config {
        mode: plan.mode,
        max_parallel_threads: plan.threads,
        unit_length: plan.unit_length.unwrap_or(Config::default().unit_length),
        ..Config::default()
    };
    let evm = if plan.unit_length.is_some() { ParallelEvm::with_fixed_units(config) } else { ParallelEvm::new(config) };
    let weft = Weft::new(evm, plan.evm_state);
    let failed = |source| MeasureError::Execute { block: block.name.clone(), source };
    let checked = check(block, &weft)?;
    let (executed, once) = timed(|| lean(block));
    drop(executed.map_err(failed)?);
    let runs = runs_of_a_sample(once.wall);
    let (mut lean_costs, mut weft_costs, mut executions, mut side_by_side) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for round in 0..plan.repeat.max(1) * 2 {
        // Who is first alternates as well.
        if (round + round / 2) % 2 == 0 {
            let (_, cost) = timed_often(runs, || lean(block)).map_err(failed)?;
            lean_costs.push(cost);
        } else {
            let (executed, cost) = timed_often(runs, || weft.execute(block)).map_err(failed)?;
            executions.push(executed.metrics.executions_per_unit());
            weft_costs.push(cost);
        }
        if round % 2 == 1 {
            side_by_side.push(lean_side_by_side(block, plan.threads, runs).map_err(failed)?);
        }
    }
    let count = block.transactions.len().max(1) as f64;
    let ratios: Vec<f64> =
        lean_costs.iter().zip(&weft_costs).map(|(lean, weft)| lean.seconds() / weft.seconds()).collect();
    // One by the other: lean alone has no part in it.
    let shares =
        weft_costs.iter().zip(&side_by_side).map(|(weft, seconds)| seconds / (weft.seconds() * plan.threads as f64));
    let share = median(shares.collect());
    let gains =
        lean_costs.iter().zip(&side_by_side).map(|(lean, seconds)| lean.seconds() * plan.threads as f64 / seconds);
    let side_by_side = median(gains.collect());
    let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
    let greatest = ratios.iter().copied().fold(0.0, f64::max);
    let side = |costs: &[Cost], peak_bytes| Side {
        milliseconds: median(costs.iter().map(Cost::seconds).collect()) * 1e3,
        core_micros: median(costs.iter().map(|cost| cost.cpu.as_secs_f64()).collect()) * 1e6 / count,
        cores: median(costs.iter().map(Cost::cores).collect()),
        peak_bytes,
    };
    Ok(Figures {
        block: block.name.clone(),
        transactions: block.transactions.len(),
        gas: checked.gas,
        failed: checked.failed,
        changes: checked.changes,
        lean: side(&lean_costs, checked.peaks[0]),
        weft: side(&weft_costs, checked.peaks[1]),
        speed_up: (median(ratios), least, greatest),
        side_by_side,
        share,
        executions: median(executions),
    })
}

/// Lean on as many threads at the same time, each with the whole block to itself; the seconds that one run takes there.
fn lean_side_by_side<DB: Database>(
    block: &Block<DB>,
    threads: usize,
    runs: u32,
) -> Result<f64, ExecuteError<DB::Error>> {
    let begin = Barrier::new(threads);
    thread::scope(|scope| {
        let work = || {
            begin.wait();
            timed_often(runs, || lean(block)).map(|(_, cost)| cost.seconds())
        };
        let working: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let mut seconds = 0.0;
        for thread in working {
            seconds += thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        }
        Ok(seconds / threads as f64)
    })
}

/// A sample is no shorter than this, as far as that takes no more runs than some: a block of one transfer takes 2.5 µs, and run
/// once it shows how long the caches take to get from one side to the other.
const SAMPLE: Duration = Duration::from_micros(200);
const MOST_RUNS: u128 = 50;

/// How often to run a block for one sample that plain revm executes in so much time.
fn runs_of_a_sample(lean: Duration) -> u32 {
    SAMPLE.as_nanos().div_ceil(lean.as_nanos().max(1)).clamp(1, MOST_RUNS) as u32
}

/// What the first run of each side shows.
struct Checked {
    gas: u64,
    failed: usize,
    changes: (usize, usize),
    /// Lean's and weft's.
    peaks: [usize; 2],
}

/// Both sides once, with memory counted; they must agree.
fn check<DB: Database>(block: &Block<DB>, weft: &Weft) -> Result<Checked, MeasureError<DB::Error>> {
    let failed = |source| MeasureError::Execute { block: block.name.clone(), source };
    let differs = |what| MeasureError::Differs { block: block.name.clone(), what };
    let (expected, lean_peak) = allocator::peak(|| lean(block));
    let expected = expected.map_err(failed)?;
    let (got, weft_peak) = allocator::peak(|| weft.execute(block));
    let got = got.map_err(failed)?;
    let count = expected.results.len().max(got.results.len());
    if let Some(index) = (0..count).find(|&index| expected.results.get(index) != got.results.get(index)) {
        return Err(differs(format!("result of transaction {index}")));
    }
    let diff = lean_diff(block, &expected).map_err(failed)?;
    let got = Weft::diff(block, &got).map_err(failed)?;
    if let Some(difference) = diff.first_difference(&got) {
        return Err(differs(difference));
    }
    Ok(Checked {
        gas: expected.results.iter().map(|result| result.tx_gas_used()).sum(),
        failed: expected.results.iter().filter(|result| !result.is_success()).count(),
        changes: (diff.accounts.len(), diff.accounts.values().map(|account| account.slots.len()).sum()),
        peaks: [lean_peak, weft_peak],
    })
}
