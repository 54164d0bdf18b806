//! Runs one side of an Ethereum block again and again, for a profiler:
//! `perf record target/release/examples/evm_profile WORKLOAD lean|weft|auto THREADS UNIT_LENGTH ROUNDS`; a unit length
//! of 0 is what suits the block.

#![expect(clippy::print_stdout, reason = "an example prints")]

use std::error::Error;
use std::time::Instant;

use clap::ValueEnum as _;
use weft_benches::allocator::{self, Allocator};
use weft_benches::ethereum::Workload;
use weft_engine::{Config, Mode};
use weft_evm::{ParallelEvm, sequential};
use weft_node::compare::median;

#[global_allocator]
static ALLOCATOR: Allocator = allocator::ALLOCATOR;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [workload, side, threads, unit_length, rounds] = &arguments[..] else {
        return Err("usage: evm_profile WORKLOAD lean|weft|auto THREADS UNIT_LENGTH ROUNDS".into());
    };
    let workload = Workload::from_str(workload, true)?;
    let block = workload.block(workload.field_size(), 1)?;
    let mode = if side == "auto" { Mode::Auto } else { Mode::Optimistic };
    let config = Config { mode, max_parallel_threads: threads.parse()?, ..Config::default() };
    let evm = match unit_length.parse()? {
        0 => ParallelEvm::new(config),
        unit_length => ParallelEvm::with_fixed_units(Config { unit_length, ..config }),
    };
    let mut micros = Vec::new();
    for _ in 0..rounds.parse()? {
        let transactions = block.transactions.clone();
        let begun = Instant::now();
        if side == "lean" {
            sequential::execute(&block.env, &block.database, transactions)?;
        } else {
            evm.execute(&block.env, &block.database, &block.transactions)?;
        }
        micros.push(begun.elapsed().as_secs_f64() * 1e6 / block.transactions.len() as f64);
    }
    let least = micros.iter().copied().fold(f64::INFINITY, f64::min);
    println!("{:.3} µs a transaction, {least:.3} at best", median(micros));
    Ok(())
}
