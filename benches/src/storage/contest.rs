//! Runs of several contenders, interleaved, so that a slow moment of the machine hits all of them. Every run must give
//! the digest of the first contender's.

use std::time::{Duration, Instant};

use serde::Serialize;
use weft_ledger::{Hash, TosError};
use weft_node::chain::ImportError;
use weft_node::compare::median;
use weft_node::executor::ExecuteError;
use weft_storage::StorageError;

use crate::timing::process_time;

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
pub enum ContestError {
    /// A contender gives another result than the first one.
    #[error("{what}: {contender} gives the digest {got}, expected {expected}")]
    Differs {
        /// What is measured.
        what: String,
        /// Who differs.
        contender: String,
        /// The first contender's.
        expected: Hash,
        /// Its own.
        got: Hash,
    },
    /// A generated block is rejected.
    #[error("transaction {transaction} of a generated block is rejected: {error}")]
    Rejected {
        /// Its position.
        transaction: usize,
        /// Its error.
        error: TosError,
    },
    /// An executor has no result.
    #[error(transparent)]
    Execute(#[from] ExecuteError),
    /// A block cannot be imported.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// The storage fails.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A file cannot be prepared.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// One run.
#[derive(Debug, Clone, Copy)]
pub struct Run {
    /// What it gave.
    pub digest: Hash,
    /// Wall-clock time, in seconds.
    pub seconds: f64,
    /// CPU time of the process, in seconds.
    pub cpu: f64,
    /// Reads of the storage, or bytes that came from the device: whatever the contest counts.
    pub counted: u64,
}

/// Who takes part.
pub struct Contender<'c> {
    /// What it is called where it differs.
    pub label: String,
    /// A run of it.
    pub run: Box<dyn FnMut() -> Result<Run, ContestError> + 'c>,
}

/// The middle of a contender's runs.
#[derive(Debug, Clone, Serialize)]
pub struct Middle {
    /// Wall-clock time, in milliseconds.
    pub milliseconds: f64,
    /// Times as fast as the first contender: the middle of all pairs of runs of one round.
    pub speed_up: f64,
    /// The least speed-up of all pairs.
    pub least: f64,
    /// The greatest.
    pub greatest: f64,
    /// Cores in use on average.
    pub cores: f64,
    /// What was counted, see [`Run::counted`].
    pub counted: f64,
}

/// Runs all contenders `repeat` times, at least once, after a run that does not count. Gives a figure for each of them,
/// in their order.
///
/// # Errors
/// [`ContestError`], above all where a result differs.
pub fn contest(what: &str, mut contenders: Vec<Contender<'_>>, repeat: usize) -> Result<Vec<Middle>, ContestError> {
    let mut runs: Vec<Vec<Run>> = contenders.iter().map(|_| Vec::with_capacity(repeat)).collect();
    let mut first = None;
    for round in 0..=repeat.max(1) {
        for (contender, runs) in contenders.iter_mut().zip(&mut runs) {
            let run = (contender.run)()?;
            let expected = *first.get_or_insert(run.digest);
            if run.digest != expected {
                let (what, contender) = (what.to_owned(), contender.label.clone());
                return Err(ContestError::Differs { what, contender, expected, got: run.digest });
            }
            if round > 0 {
                runs.push(run);
            }
        }
    }
    Ok(runs.iter().map(|own| middle(own, &runs[0])).collect())
}

/// The middle of `runs` beside those of `first`, which were made in the same rounds.
#[must_use]
pub fn middle(runs: &[Run], first: &[Run]) -> Middle {
    let of = |figure: &dyn Fn(&Run) -> f64| median(runs.iter().map(figure).collect());
    let pairs: Vec<f64> = runs.iter().zip(first).map(|(own, first)| first.seconds / own.seconds).collect();
    Middle {
        milliseconds: of(&|run| run.seconds * 1e3),
        speed_up: median(pairs.clone()),
        least: pairs.iter().copied().fold(f64::INFINITY, f64::min),
        greatest: pairs.iter().copied().fold(0.0, f64::max),
        cores: of(&|run| run.cpu / run.seconds),
        counted: of(&|run| run.counted as f64),
    }
}

/// Wall-clock and CPU time.
pub struct Stopwatch {
    wall: Instant,
    cpu: Duration,
}

impl Stopwatch {
    /// Starts one.
    #[must_use]
    pub fn start() -> Self {
        Self { wall: Instant::now(), cpu: process_time() }
    }

    /// The run that ends now.
    #[must_use]
    pub fn run(&self, digest: Hash, counted: u64) -> Run {
        let cpu = process_time().saturating_sub(self.cpu).as_secs_f64();
        Run { digest, seconds: self.wall.elapsed().as_secs_f64(), cpu, counted }
    }
}
