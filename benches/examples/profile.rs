//! Runs one executor on one workload again and again, for a profiler:
//! `perf record -g target/release/examples/profile WORKLOAD sequential|optimistic THREADS UNIT_LENGTH ROUNDS`. Blocks
//! of 10,000 transactions; of 2,000 where contracts are called.

#![expect(clippy::print_stdout, reason = "an example prints")]

use std::error::Error;
use std::sync::Arc;

use weft_engine::{Config, Mode};
use weft_ledger::{Hash, SignedTransaction};
use weft_node::chain::SnapshotReader;
use weft_node::compare::median;
use weft_node::executor::{BlockExecutor, BlockInput, Costs, ExecutorSettings, OptimisticExecutor, SharedState};
use weft_node::workload::{Workload, WorkloadBuilder};
use weft_storage::{MemoryStore, StateStore, StateWriter};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [workload, mode, threads, unit_length, rounds] = &arguments[..] else {
        return Err("usage: profile WORKLOAD sequential|optimistic THREADS UNIT_LENGTH ROUNDS".into());
    };
    let workload: Workload = workload.parse()?;
    let config = Config {
        mode: if mode == "sequential" { Mode::Sequential } else { Mode::Optimistic },
        max_parallel_threads: threads.parse()?,
        unit_length: unit_length.parse()?,
        ..Config::default()
    };
    let count = if workload.calls_contracts() { 2000 } else { 10_000 };
    let mut generator = WorkloadBuilder::new(workload).transactions(count).unsigned().build();
    let store = MemoryStore::new();
    let mut genesis = generator.genesis();
    genesis.sort_unstable_by_key(|entry| entry.0);
    store.initialise(&genesis, [0; 32])?;
    let state: SharedState = Arc::new(SnapshotReader(StateStore::snapshot(&store)));
    let transactions: Arc<[SignedTransaction]> = generator.next_transactions().into();
    let input = BlockInput { context: generator.context(), transactions, parent_digest: Hash([0; 32]) };
    let settings = ExecutorSettings { ledger: workload.ledger(), ..ExecutorSettings::default() };
    let executor = OptimisticExecutor::new(config, settings);
    let (mut wall, mut cpu) = (Vec::new(), Vec::new());
    let mut last = None;
    for _ in 0..rounds.parse()? {
        let executed = executor.execute(&input, &state)?;
        wall.push(executed.costs.execution.as_secs_f64() * 1e9 / count as f64);
        cpu.push(executed.costs.cpu.as_secs_f64() * 1e9 / count as f64);
        last = Some(executed.costs);
    }
    let metrics = last.map(|costs: Costs| costs.metrics).unwrap_or_default();
    println!(
        "{:.0} ns a transaction, {:.0} ns of CPU; {} executions, {} validations, {} aborts, {} suspensions",
        median(wall),
        median(cpu),
        metrics.executions,
        metrics.validations,
        metrics.aborts,
        metrics.suspensions
    );
    Ok(())
}
