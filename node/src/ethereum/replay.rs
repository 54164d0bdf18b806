//! A block on both paths, checked against its own header and one against the other.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use alloy_primitives::Address;
use revm::context::result::ExecutionResult;
use revm::primitives::hardfork::SpecId;
use weft_evm::StateDiff;

use super::input::BlockInput;
use super::paths::{ExecutionPath, PathError, PathOutcome, SequentialPath};
use super::receipts::{HeaderMismatch, mismatches, receipts};

/// So many receipts of a block are reported that differ: one that is wrong may change all that follow.
const MOST_RECEIPTS: usize = 3;

/// Which of the two executions is spoken of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Plain revm.
    Sequential,
    /// weft.
    Parallel,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sequential => "sequential",
            Self::Parallel => "parallel",
        })
    }
}

/// What is wrong with a block's execution.
#[derive(Debug, thiserror::Error)]
pub enum Finding {
    /// It has no outcome.
    #[error("{side}: {source}")]
    Failed {
        /// Whose execution.
        side: Side,
        /// Why.
        source: PathError,
    },
    /// The header says otherwise.
    #[error("{side}: {mismatch}")]
    Header {
        /// Whose receipts.
        side: Side,
        /// What differs.
        mismatch: HeaderMismatch,
    },
    /// There is not one result a transaction.
    #[error("{side}: {actual} results for {expected} transactions")]
    Results {
        /// Whose results.
        side: Side,
        /// Transactions.
        expected: usize,
        /// Results.
        actual: usize,
    },
    /// A transaction ends in another way in parallel.
    #[error("transaction {transaction}: {what}")]
    Receipt {
        /// The transaction, by its index.
        transaction: usize,
        /// What differs.
        what: String,
    },
    /// Something is left in another state in parallel.
    #[error("sequential and parallel differ in {accounts} accounts: {first}")]
    State {
        /// In how many accounts, their storage included.
        accounts: usize,
        /// The first difference, by address and slot: what is right, and what the parallel path left.
        first: String,
    },
}

/// What came of a block.
#[derive(Debug)]
pub struct Replay {
    /// The block's number.
    pub number: u64,
    /// The rules that it was executed by.
    pub spec: SpecId,
    /// Its transactions.
    pub transactions: usize,
    /// The gas that its header states.
    pub gas: u64,
    /// The middle time of the sequential executions.
    pub sequential: Duration,
    /// What was measured of the parallel path, where it was taken.
    pub parallel: Option<ParallelFigures>,
    /// What is wrong; nothing, if all is as it should be.
    pub findings: Vec<Finding>,
}

/// What was measured of the parallel path.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ParallelFigures {
    /// The middle time.
    pub time: Duration,
    /// Executions per transaction, over all runs.
    pub executions: f64,
}

impl Replay {
    /// Nothing is wrong.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.findings.is_empty()
    }

    /// How much faster the parallel path is.
    #[must_use]
    pub fn speed_up(&self) -> Option<f64> {
        self.parallel.map(|parallel| speed_up(self.sequential, parallel.time))
    }
}

/// How many times the second fits into the first.
#[must_use]
pub fn speed_up(sequential: Duration, parallel: Duration) -> f64 {
    if parallel.is_zero() { 1.0 } else { sequential.as_secs_f64() / parallel.as_secs_f64() }
}

/// Replays blocks, one after another.
pub struct Replayer {
    parallel: Option<Box<dyn ExecutionPath>>,
    repeat: usize,
}

impl fmt::Debug for Replayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replayer").field("repeat", &self.repeat).finish_non_exhaustive()
    }
}

impl Replayer {
    /// One that compares `parallel`, where it is given, with sequential execution, and measures `repeat` times.
    #[must_use]
    pub fn new(parallel: Option<Box<dyn ExecutionPath>>, repeat: usize) -> Self {
        Self { parallel, repeat: repeat.max(1) }
    }

    /// Executes a block on both paths in turns and checks every execution; stops at the first run with a finding.
    #[must_use]
    pub fn replay(&self, input: &BlockInput) -> Replay {
        let mut runs = Runs::default();
        let mut findings = Vec::new();
        // One run ahead of the measured ones: it pays for cold caches, and is checked like the others.
        for run in 0..=self.repeat {
            match self.pair(input, run) {
                Ok((sequential, parallel)) => {
                    findings = check(input, &sequential, parallel.as_ref());
                    runs.add(&sequential, parallel.as_ref());
                }
                Err(failed) => findings.push(failed),
            }
            if !findings.is_empty() {
                break;
            }
            if run == 0 {
                runs.forget_times();
            }
        }
        let executions = runs.executions as f64 / runs.executed.max(1) as f64;
        let parallel = |time| ParallelFigures { time, executions };
        Replay {
            number: input.header.number,
            spec: input.spec(),
            transactions: input.transactions.len(),
            gas: input.header.gas_used,
            sequential: median(&mut runs.sequential).unwrap_or_default(),
            parallel: median(&mut runs.parallel).map(parallel),
            findings,
        }
    }

    /// One execution on each path; who begins alternates, since the second finds warmer caches.
    fn pair(&self, input: &BlockInput, run: usize) -> Result<(PathOutcome, Option<PathOutcome>), Finding> {
        let failed = |side| move |source| Finding::Failed { side, source };
        let sequential = || SequentialPath.execute(input).map_err(failed(Side::Sequential));
        let Some(path) = &self.parallel else { return Ok((sequential()?, None)) };
        let parallel = || path.execute(input).map_err(failed(Side::Parallel));
        // What sequential execution cannot do is the block's fault, whoever finds out: the oracle is asked first.
        if run == 0 || !run.is_multiple_of(2) {
            let sequential = sequential()?;
            Ok((sequential, Some(parallel()?)))
        } else {
            let parallel = parallel()?;
            Ok((sequential()?, Some(parallel)))
        }
    }
}

/// The times of a block's runs.
#[derive(Debug, Default)]
struct Runs {
    sequential: Vec<Duration>,
    parallel: Vec<Duration>,
    executions: u64,
    executed: u64,
}

impl Runs {
    fn add(&mut self, sequential: &PathOutcome, parallel: Option<&PathOutcome>) {
        self.sequential.push(sequential.time);
        if let Some(parallel) = parallel {
            self.parallel.push(parallel.time);
            self.executions += parallel.executions;
            self.executed += parallel.results.len() as u64;
        }
    }

    fn forget_times(&mut self) {
        self.sequential.clear();
        self.parallel.clear();
    }
}

fn median(times: &mut [Duration]) -> Option<Duration> {
    times.sort_unstable();
    times.get(times.len() / 2).copied()
}

fn check(input: &BlockInput, sequential: &PathOutcome, parallel: Option<&PathOutcome>) -> Vec<Finding> {
    let mut findings = against_header(input, Side::Sequential, &sequential.results);
    let Some(parallel) = parallel else { return findings };
    // Where the oracle fails the header, the same of the parallel path says nothing new.
    if findings.is_empty() {
        findings.extend(against_header(input, Side::Parallel, &parallel.results));
    }
    let pairs = sequential.results.iter().zip(&parallel.results).enumerate();
    let differing = pairs.filter_map(|(transaction, (expected, actual))| {
        difference(expected, actual).map(|what| Finding::Receipt { transaction, what })
    });
    findings.extend(differing.take(MOST_RECEIPTS));
    if let Some(first) = sequential.diff.first_difference(&parallel.diff) {
        let accounts = differing_accounts(&sequential.diff, &parallel.diff);
        findings.push(Finding::State { accounts, first });
    }
    findings
}

fn differing_accounts(expected: &StateDiff, actual: &StateDiff) -> usize {
    let addresses: BTreeSet<&Address> = expected.accounts.keys().chain(actual.accounts.keys()).collect();
    addresses.into_iter().filter(|address| expected.accounts.get(*address) != actual.accounts.get(*address)).count()
}

fn against_header(input: &BlockInput, side: Side, results: &[ExecutionResult]) -> Vec<Finding> {
    let (expected, actual) = (input.transactions.len(), results.len());
    if expected != actual {
        return vec![Finding::Results { side, expected, actual }];
    }
    let receipts = receipts(&input.types, results);
    let mismatches = mismatches(&input.header, input.spec(), &receipts);
    mismatches.into_iter().map(|mismatch| Finding::Header { side, mismatch }).collect()
}

/// What differs between the results of a transaction: its receipt, and what no receipt shows.
fn difference(expected: &ExecutionResult, actual: &ExecutionResult) -> Option<String> {
    if expected == actual {
        return None;
    }
    let ending = |result: &ExecutionResult| match result {
        ExecutionResult::Success { reason, .. } => format!("success ({reason:?})"),
        ExecutionResult::Revert { .. } => "reverted".to_owned(),
        ExecutionResult::Halt { reason, .. } => format!("halted ({reason:?})"),
    };
    let (of_expected, of_actual) = (ending(expected), ending(actual));
    Some(if of_expected != of_actual {
        format!("{of_actual} instead of {of_expected}")
    } else if expected.tx_gas_used() != actual.tx_gas_used() {
        format!("{} gas instead of {}", actual.tx_gas_used(), expected.tx_gas_used())
    } else if expected.logs() != actual.logs() {
        let pairs = expected.logs().iter().zip(actual.logs());
        match pairs.enumerate().find(|(_, (expected, actual))| expected != actual) {
            Some((at, (expected, actual))) => format!("log {at}: {actual:?} instead of {expected:?}"),
            None => format!("{} logs instead of {}", actual.logs().len(), expected.logs().len()),
        }
    } else if expected.gas() != actual.gas() {
        format!("{:?} instead of {:?}", actual.gas(), expected.gas())
    } else {
        format!("its output is {:?} instead of {:?}", actual.output(), expected.output())
    })
}
