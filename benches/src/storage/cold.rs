//! A database whose file is cold: none of its pages is in the database's cache, nor in the operating system's.
//!
//! The store is opened anew for every run, and the system is asked to drop the file's pages (`POSIX_FADV_DONTNEED`),
//! which any user may ask for a file whose pages are all written. What the device or a hypervisor keeps is out of
//! anybody's reach. How many bytes the system had to fetch is counted: in a run that was not cold they are far fewer than
//! the block needs.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rustix::fs::{Advice, fadvise};
use serde::Serialize;
use weft_ledger::Address;
use weft_ledger::state::{Account, Key, Value};
use weft_node::chain::SnapshotReader;
use weft_node::codec::{LedgerCodec, SCHEMA};
use weft_node::executor::{BlockExecutor, SharedState};
use weft_node::workload::Workload;
use weft_storage::{RedbOptions, RedbStore, StateWriter};

use super::contest::{ContestError, Run};
use super::{BesideSequential, Case, Setup, beside_sequential};

type Store = RedbStore<Key, Value, LedgerCodec>;

/// What to measure.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The block.
    pub workload: Workload,
    /// Its transactions.
    pub transactions: usize,
    /// Accounts of the state that the block has nothing to do with.
    pub others: usize,
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
    /// Bytes of the database file.
    pub file_bytes: u64,
    /// What is counted are bytes that came from the device.
    #[serde(flatten)]
    pub figures: BesideSequential,
}

/// Measures all setups beside sequential execution, on a database in `folder`.
///
/// # Errors
/// [`ContestError`], above all where a result differs.
pub fn measure(plan: &Plan, folder: &Path) -> Result<Figures, ContestError> {
    let path = &folder.join("cold.redb");
    let case = Case::new(plan.workload, plan.transactions, plan.seed);
    let mut state = case.genesis.clone();
    let mut random = ChaCha8Rng::seed_from_u64(plan.seed);
    state.extend((0..plan.others).map(|_| {
        let account = Account { balance: 1, ..Account::default() };
        (Key::Account(Address(random.random())), Value::Account(account))
    }));
    state.sort_unstable_by_key(|entry| entry.0);
    Store::open(path, SCHEMA)?.initialise(&state, [0; 32])?;
    drop(state);
    File::open(path)?.sync_all()?;

    let run = |executor: &dyn BlockExecutor| -> Result<Run, ContestError> {
        // Checking every page would read them all.
        let options = RedbOptions { verify: false, ..RedbOptions::default() };
        let store = Store::open_with(path, SCHEMA, &options)?;
        File::open(path)?.sync_all()?;
        fadvise(File::open(path)?, 0, None, Advice::DontNeed).map_err(std::io::Error::from)?;
        let state: SharedState = Arc::new(SnapshotReader(store.snapshot()));
        case.run(executor, &state, bytes_read)
    };
    let figures = Figures {
        workload: plan.workload.to_string(),
        transactions: plan.transactions,
        file_bytes: std::fs::metadata(path)?.len(),
        figures: beside_sequential(&plan.workload.to_string(), &case, &plan.setups, plan.repeat, &run)?,
    };
    std::fs::remove_file(path)?;
    Ok(figures)
}

/// Bytes that this process has had fetched from a device so far; 0 where the system does not tell.
fn bytes_read() -> u64 {
    let Ok(counters) = std::fs::read_to_string("/proc/self/io") else { return 0 };
    let bytes = counters.lines().find_map(|line| line.strip_prefix("read_bytes: "));
    bytes.and_then(|bytes| bytes.parse().ok()).unwrap_or(0)
}
