//! The strongest baseline: a block is executed by its *exact* dependency graph, which is known beforehand.
//!
//! The batching designs ([`crate::batching`]) know the accounts that transactions name. This one is given the complete
//! read and write sets of every transaction, down to single keys, with additions marked as such. It numbers the keys,
//! puts every transaction on the lowest level above all with which it conflicts (read after write, write after read,
//! write after write; additions conflict with reads and writes, not with each other), and executes level by level on the
//! kept pool, the transactions of a level in parallel. Nothing is executed twice, nothing is validated, nothing waits but
//! for the end of a level.
//!
//! # What it knows that no node knows
//!
//! - The sets are *exact*: they are recorded by executing the same block on the same state beforehand
//!   ([`weft_engine::recording`]), and nothing of that is counted. Access lists that users declare are supersets, made on
//!   an older state, and cost bytes, fees and checks. Where a transaction touches more than it declared, this executor
//!   gives up.
//! - Where a block ends early, the recording knows it: what would never be executed is not.
//!
//! What a node would have to do even with such lists is counted as *analysis*: to number the keys and to find levels and
//! places. A figure without it shows what perfect knowledge alone is worth.
//!
//! # What makes it strong
//!
//! - Every version of a value has its own place, written once: no locks, nothing shared that changes, nothing to merge
//!   between levels, and no hashing while transactions run. The places are kept from block to block.
//! - Additions have places, too, and are summed up once for whoever reads the key next.
//! - All levels are one job of the pool. Levels too narrow to be shared are done by one worker in one go, without
//!   wake-ups; between others, workers look for a while before they sleep.
//! - Where the analysis finds no level worth sharing, a chain above all, the block takes the plain sequential path.
//!
//! # What it leaves to others
//!
//! - An addition to what was written in the block waits for the writer, as conflicts are usually defined, though its place
//!   would let it pass. Waiting for values that are read, and for nothing else, would make a quarter fewer levels of
//!   transfers among few accounts; on two cores those levels are too narrow to be shared either way.
//! - It ends a level before it begins the next one, and does not know how long a transaction takes.
//! - Values from before the block are read when they are first needed, not ahead.

mod executor;
mod graph;
mod levels;
mod phases;
mod versions;
mod view;

#[cfg(test)]
mod dag_tests;

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use weft_engine::recording::BlockAccess;
use weft_engine::{
    Admission, Admitted, BlockEnd, BlockError, BlockPolicy, Changes, Config, Engine, Mode, Outcome, Vm, WorkerPool,
};
use weft_storage::StateReader;

pub use executor::DagExecutor;
use graph::Graph;
use phases::Phases;
pub use versions::Places;
use versions::Versions;
use view::Failure;

/// Who executes, and when sharing pays.
#[derive(Debug, Clone, Copy)]
pub struct Workers<'p> {
    /// The kept pool.
    pub pool: &'p WorkerPool,
    /// So many of its workers.
    pub threads: usize,
    /// Levels of fewer transactions are executed by one worker: sharing costs more than it gives.
    pub worth_sharing: usize,
}

/// What a block gives. As [`weft_engine::BlockOutput`], with the levels in place of metrics of speculation.
#[derive(Debug)]
pub struct DagBlock<V: Vm> {
    /// Outcomes in order.
    pub outcomes: Vec<Outcome<V::Output>>,
    /// Changed keys in ascending order.
    pub changes: Changes<V>,
    /// Where the block ended.
    pub end: BlockEnd,
    /// Number of levels.
    pub levels: usize,
    /// What the analysis took: numbering the keys, finding levels and places. One thread does it.
    pub analysis: Duration,
}

/// Why a block has no result.
#[derive(Debug, thiserror::Error)]
pub enum DagError {
    /// A transaction does something else than was declared, or there is none where one was declared.
    #[error("transaction {transaction} does not do what was declared for it")]
    Undeclared {
        /// Its index in the block.
        transaction: usize,
    },
    /// As the engine's own paths.
    #[error(transparent)]
    Block(#[from] BlockError),
}

impl DagError {
    fn new(transaction: usize, failure: Failure) -> Self {
        match failure {
            Failure::Undeclared => Self::Undeclared { transaction },
            Failure::Storage(source) => BlockError::Storage { transaction, source }.into(),
            Failure::Stopped => BlockError::Stopped { transaction }.into(),
        }
    }
}

/// Executes a block whose accesses are known. `places` is any, and best the same for every block.
///
/// # Errors
/// [`DagError`], where the block does not do what `access` says, unless it is executed sequentially, where that does not
/// matter; where `access` has more transactions than the block; or where the storage fails.
///
/// # Panics
/// When the machine does: with its panic.
pub fn execute<V: Vm<Output: Sync>, R: StateReader<V::Key, V::Value> + Sync>(
    workers: Workers<'_>,
    vm: &V,
    reader: &R,
    transactions: &[V::Transaction],
    access: &BlockAccess<V::Key>,
    policy: BlockPolicy,
    places: &mut Places<V>,
) -> Result<DagBlock<V>, DagError> {
    if access.transactions() > transactions.len() {
        return Err(DagError::Undeclared { transaction: transactions.len() });
    }
    let watch = Instant::now();
    let graph = Graph::new(access);
    let analysis = watch.elapsed();
    let threads = workers.threads.clamp(1, workers.pool.workers());
    let phases = Phases::new(&graph.levels, threads, workers.worth_sharing);
    if !phases.are_shared() {
        let sequential = Config { mode: Mode::Sequential, max_parallel_threads: 1, ..Config::default() };
        let output = Engine::new(sequential).execute_block(vm, reader, transactions, policy)?;
        let (outcomes, changes, end) = (output.outcomes, output.changes, output.end);
        return Ok(DagBlock { outcomes, changes, end, levels: graph.levels.len(), analysis });
    }
    places.prepare(&graph);
    let versions: Versions<'_, V, R> = Versions { places, graph: &graph, block: access, reader };
    let outcomes = run(vm, transactions, &versions, phases, Workers { threads, ..workers })?;
    let (outcomes, end) = admit(policy, transactions.len(), outcomes)?;
    if let BlockEnd::GasLimit { transaction } = end {
        let (accesses, planned) = (access.of(transaction), &graph.planned[access.range(transaction)]);
        let versions: Versions<'_, V, R> = Versions { places, graph: &graph, block: access, reader };
        let before = versions.before_writes(accesses, planned);
        places.withdraw(accesses, planned, before.map_err(|failure| DagError::new(transaction, failure))?);
    }
    let changes = match end {
        BlockEnd::Rejected { .. } => Vec::new(),
        BlockEnd::Complete | BlockEnd::GasLimit { .. } => {
            let versions: Versions<'_, V, R> = Versions { places, graph: &graph, block: access, reader };
            // All values are there: what can still fail is a sum, of which nobody knows whose it is.
            versions.changes().map_err(|failure| DagError::new(outcomes.len(), failure))?
        }
    };
    Ok(DagBlock { outcomes, changes, end, levels: graph.levels.len(), analysis })
}

/// Executes all transactions of which something is known; gives their outcomes in order.
fn run<V: Vm<Output: Sync>, R: StateReader<V::Key, V::Value> + Sync>(
    vm: &V,
    transactions: &[V::Transaction],
    versions: &Versions<'_, V, R>,
    phases: Phases,
    workers: Workers<'_>,
) -> Result<impl Iterator<Item = Outcome<V::Output>> + use<V, R>, DagError> {
    let Versions { block, graph, .. } = *versions;
    let outcomes: Vec<OnceLock<Outcome<V::Output>>> = (0..block.transactions()).map(|_| OnceLock::new()).collect();
    let failure: Mutex<Option<(usize, Failure)>> = Mutex::new(None);
    phases.run(workers.pool, workers.threads, |at| {
        let transaction = graph.order[at] as usize;
        let (accesses, planned) = (block.of(transaction), &graph.planned[block.range(transaction)]);
        match view::execute(vm, &transactions[transaction], versions, accesses, planned) {
            Ok(outcome) => drop(outcomes[transaction].set(outcome)),
            Err(error) => {
                // Those above fail, too, because of this one: the lowest is the cause.
                let mut failure = failure.lock();
                if failure.as_ref().is_none_or(|(lowest, _)| transaction < *lowest) {
                    *failure = Some((transaction, error));
                }
            }
        }
    });
    match failure.into_inner() {
        Some((transaction, failure)) => Err(DagError::new(transaction, failure)),
        None => Ok(outcomes.into_iter().filter_map(OnceLock::into_inner)),
    }
}

/// Applies the block policy, in order. The block must end where the accesses do.
fn admit<O>(
    policy: BlockPolicy,
    transactions: usize,
    executed: impl Iterator<Item = Outcome<O>>,
) -> Result<(Vec<Outcome<O>>, BlockEnd), DagError> {
    let mut admission = Admission::new(policy);
    let mut outcomes = Vec::with_capacity(transactions);
    let mut executed = executed.enumerate();
    let mut end = BlockEnd::Complete;
    for (transaction, outcome) in executed.by_ref() {
        match admission.admit(&outcome) {
            Admitted::Yes => outcomes.push(outcome),
            Admitted::RejectsBlock => {
                outcomes.push(outcome);
                end = BlockEnd::Rejected { transaction };
                break;
            }
            Admitted::No => {
                end = BlockEnd::GasLimit { transaction };
                break;
            }
        }
    }
    match executed.next() {
        Some((transaction, _)) => Err(DagError::Undeclared { transaction }),
        None if end == BlockEnd::Complete && outcomes.len() < transactions => {
            Err(DagError::Undeclared { transaction: outcomes.len() })
        }
        None => Ok((outcomes, end)),
    }
}
