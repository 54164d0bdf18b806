//! Runs one side of an Ethereum block again and again, for a profiler:
//! `perf record target/release/examples/evm_profile BLOCK lean|weft|auto THREADS UNIT_LENGTH ROUNDS`; the block is the
//! name of a workload, or the folder of a block file of which the first is taken; a unit length of 0 is what suits it.

#![expect(clippy::print_stdout, reason = "an example prints")]

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use clap::ValueEnum as _;
use revm::database_interface::DatabaseRef;
use weft_benches::allocator::{self, Allocator};
use weft_benches::ethereum::{Block, Workload, mainnet};
use weft_engine::{Config, Metrics, Mode};
use weft_evm::{ParallelEvm, sequential};
use weft_node::compare::median;

#[global_allocator]
static ALLOCATOR: Allocator = allocator::ALLOCATOR;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [block, side, threads, unit_length, rounds] = &arguments[..] else {
        return Err("usage: evm_profile BLOCK lean|weft|auto THREADS UNIT_LENGTH ROUNDS".into());
    };
    let mode = if side == "auto" { Mode::Auto } else { Mode::Optimistic };
    let config = Config { mode, max_parallel_threads: threads.parse()?, ..Config::default() };
    let evm = match unit_length.parse()? {
        0 => ParallelEvm::new(config),
        unit_length => ParallelEvm::with_fixed_units(Config { unit_length, ..config }),
    };
    let evm = (side != "lean").then_some(evm);
    let rounds = rounds.parse()?;
    let folder = Path::new(block);
    if folder.is_dir() {
        let files = mainnet::files(folder, 1)?.into_iter().next().ok_or("no block file")?;
        return run(&mainnet::read(&files)?.ok_or("no block")?, evm.as_ref(), rounds);
    }
    let workload = Workload::from_str(block, true)?;
    run(&workload.block(workload.field_size(), 1)?, evm.as_ref(), rounds)
}

/// Plain revm where there is no `evm`.
fn run<DB: DatabaseRef<Error: Error + 'static> + Sync>(
    block: &Block<DB>,
    evm: Option<&ParallelEvm>,
    rounds: usize,
) -> Result<(), Box<dyn Error>> {
    let mut micros = Vec::new();
    let mut last = None;
    for _ in 0..rounds {
        let begun = Instant::now();
        match evm {
            None => drop(sequential::execute(&block.env, &block.database, &block.transactions)?),
            Some(evm) => last = Some(evm.execute(&block.env, &block.database, &block.transactions)?.metrics),
        }
        micros.push(begun.elapsed().as_secs_f64() * 1e6 / block.transactions.len() as f64);
    }
    let least = micros.iter().copied().fold(f64::INFINITY, f64::min);
    println!("{:.3} µs a transaction, {least:.3} at best", median(micros));
    if let Some(metrics) = last {
        let Metrics { transactions, sequential_transactions, units, executions, .. } = metrics;
        println!(
            "{units} units for {transactions} transactions, {sequential_transactions} of them one after another; {executions} executions"
        );
    }
    Ok(())
}
