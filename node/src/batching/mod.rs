//! The design that weft replaces, as a baseline: transactions are grouped into batches by the accounts that they name,
//! and batches run one after another, the transactions of a batch in parallel.
//!
//! Two forms ([`Form`]): *as published* spawns one task a transaction behind a semaphore; *pooled* does the same grouping
//! on a kept pool, with nothing spawned. The published node left every block with a contract, energy or multisig
//! transaction to its sequential path; here both forms batch all types.
//!
//! The published design is unsound where a transaction touches more than it names. Here every transaction of a batch
//! records what it reads, and when the batch is merged, in order, one that has read what an earlier one of its batch
//! wrote is executed again on the merged state. All results therefore equal sequential execution.

#[cfg(test)]
mod batching_tests;
mod grouping;
mod merge;
mod view;

use std::sync::Arc;

use weft_engine::{BlockEnd, BlockError, BlockPolicy, KeyChange, Outcome, Vm, WorkerPool};
use weft_storage::StateReader;

pub use grouping::batches;
use merge::Merge;
use view::{Attempt, State, attempt};

/// A state that tasks of their own can read.
pub type SharedReader<V> = Arc<dyn StateReader<<V as Vm>::Key, <V as Vm>::Value> + Send + Sync>;

/// How the batches are executed.
#[derive(Debug, Clone)]
pub enum Form {
    /// As published: one spawned task a transaction, behind a semaphore with a permit a thread.
    Published(Arc<tokio::runtime::Runtime>),
    /// The same batches on a kept pool. A batch too small to be worth a wake-up runs on the calling thread.
    Pooled(Arc<WorkerPool>),
}

/// Batches smaller than this run on the calling thread in the pooled form: waking a worker costs more.
const WORTH_A_WAKE: usize = 4;

/// What a batched block gives. As [`weft_engine::BlockOutput`], without metrics of speculation.
#[derive(Debug)]
pub struct BatchedBlock<V: Vm> {
    /// Outcomes in order.
    pub outcomes: Vec<Outcome<V::Output>>,
    /// Changed keys in ascending order.
    pub changes: Vec<KeyChange<V::Key, V::Value>>,
    /// Where the block ended.
    pub end: BlockEnd,
    /// Number of batches.
    pub batches: usize,
    /// Executions, repeated ones included.
    pub executions: u64,
}

/// Executes a block in batches. `named` calls back with the keys that a transaction names: those of one batch are
/// disjoint.
///
/// # Errors
/// [`BlockError`] as the engine's own paths.
pub fn execute<V>(
    form: &Form,
    threads: usize,
    vm: &Arc<V>,
    reader: &SharedReader<V>,
    transactions: &Arc<[V::Transaction]>,
    policy: BlockPolicy,
    named: impl Fn(&V::Transaction, &mut dyn FnMut(V::Key)),
) -> Result<BatchedBlock<V>, BlockError>
where
    V: Vm + Send + Sync + 'static,
    V::Transaction: Send + Sync + 'static,
{
    let batches = batches(transactions, named);
    let mut merge = Merge::new(&**vm, reader, transactions, policy);
    for batch in &batches {
        let attempts: Vec<Attempt<V>> = match form {
            Form::Published(runtime) => spawned(runtime, threads, vm, reader, transactions, &merge, batch),
            Form::Pooled(pool) if batch.len() >= WORTH_A_WAKE && threads > 1 => {
                pooled(pool, threads, &**vm, reader, transactions, merge.state(), batch)
            }
            Form::Pooled(_) => {
                let run = |index| attempt(&**vm, &transactions[index], merge.state(), reader);
                batch.clone().map(run).collect()
            }
        };
        if merge.batch(batch.clone(), attempts)?.is_break() {
            break;
        }
    }
    Ok(merge.finish(batches.len()))
}

/// One task a transaction, as published.
fn spawned<V>(
    runtime: &tokio::runtime::Runtime,
    threads: usize,
    vm: &Arc<V>,
    reader: &SharedReader<V>,
    transactions: &Arc<[V::Transaction]>,
    merge: &Merge<'_, V>,
    batch: &std::ops::Range<usize>,
) -> Vec<Attempt<V>>
where
    V: Vm + Send + Sync + 'static,
    V::Transaction: Send + Sync + 'static,
{
    runtime.block_on(async {
        let permits = Arc::new(tokio::sync::Semaphore::new(threads));
        let mut tasks = Vec::with_capacity(batch.len());
        for index in batch.clone() {
            let (vm, reader, transactions) = (Arc::clone(vm), Arc::clone(reader), Arc::clone(transactions));
            let (state, permits) = (Arc::clone(merge.state()), Arc::clone(&permits));
            tasks.push(runtime.spawn(async move {
                // The semaphore is never closed: an error would only mean that the limit is gone.
                let _permit = permits.acquire_owned().await.ok();
                attempt(&*vm, &transactions[index], &state, &reader)
            }));
        }
        let mut attempts = Vec::with_capacity(tasks.len());
        for task in tasks {
            attempts.push(task.await.unwrap_or(Attempt::Failed));
        }
        attempts
    })
}

/// The transactions of a batch on the kept pool.
fn pooled<V: Vm>(
    pool: &WorkerPool,
    threads: usize,
    vm: &V,
    reader: &SharedReader<V>,
    transactions: &[V::Transaction],
    state: &Arc<State<V>>,
    batch: &std::ops::Range<usize>,
) -> Vec<Attempt<V>> {
    let results: Vec<parking_lot::Mutex<Attempt<V>>> =
        batch.clone().map(|_| parking_lot::Mutex::new(Attempt::Failed)).collect();
    let workers = threads.min(batch.len());
    // Large enough that claiming costs nothing, small enough that the workers end at about the same time.
    let chunk = (batch.len() / (workers * 8)).clamp(1, 64);
    pool.for_each(workers, batch.len(), chunk, |offset| {
        let done = attempt(vm, &transactions[batch.start + offset], state, reader);
        *results[offset].lock() = done;
    });
    results.into_iter().map(parking_lot::Mutex::into_inner).collect()
}
