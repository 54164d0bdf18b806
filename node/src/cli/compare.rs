//! `weft compare`: the executors side by side.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use weft_node::compare::{Comparison, Plan, compare};
use weft_node::executor::UNIT_LENGTH;
use weft_node::workload::{REPORTED, Workload};

use super::{CliError, default_threads, from_one_to, print, progress_bar, table, threads, transactions, up_to};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Workloads; all that the project reports on, if none is named. There are p2p-N, independent, shared-receiver,
    /// one-sender, zipf-N-EXPONENT, mixed-N, contract-independent[-ITERATIONS], contract-token-N,
    /// contract-pool[-HOT_PERCENT], contract-counter, contract-add and all-N, with N accounts
    #[arg(value_name = "WORKLOAD")]
    workloads: Vec<Workload>,
    /// Transactions of the block; 10000 if not given, 2000 where contracts are called
    #[arg(long, value_parser = transactions())]
    txs: Option<usize>,
    /// Worker threads of the parallel executors
    #[arg(long, default_value_t = default_threads(), value_parser = threads())]
    threads: usize,
    /// Measured runs of each executor; the middle one counts
    #[arg(long, default_value_t = 9, value_parser = from_one_to(1_000_000))]
    repeat: usize,
    /// Seed of the workloads
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Makes, checks and counts signatures; else only execution counts
    #[arg(long)]
    signed: bool,
    /// The optimistic executor is measured with units of one transaction, and of this many
    #[arg(long, default_value_t = UNIT_LENGTH, value_parser = from_one_to(1_000_000))]
    unit_length: usize,
    /// Delay of every storage read, in microseconds
    #[arg(long, default_value_t = 0)]
    storage_latency: u64,
    /// Threads that load what transactions are known to need, ahead of their optimistic execution
    #[arg(long, value_name = "THREADS", default_value_t = 0, value_parser = up_to(1024))]
    prefetch: usize,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, CliError> {
    let mut workloads = arguments.workloads.clone();
    if workloads.is_empty() {
        workloads = REPORTED.to_vec();
    }
    let executors = 4 + usize::from(arguments.threads > 1) + usize::from(arguments.unit_length > 1);
    let runs = workloads.len() * (arguments.repeat + 1) * executors;
    let bar = progress_bar(runs as u64, "runs", arguments.json);
    let mut comparisons = Vec::new();
    for workload in workloads {
        let plan = Plan {
            workload,
            transactions: arguments.txs.unwrap_or(if workload.calls_contracts() { 2000 } else { 10_000 }),
            threads: arguments.threads,
            repeat: arguments.repeat,
            seed: arguments.seed,
            unit_length: arguments.unit_length,
            signed: arguments.signed,
            storage_latency: Duration::from_micros(arguments.storage_latency),
            prefetch: arguments.prefetch,
        };
        comparisons.push(compare(&plan, |executor| {
            bar.set_message(format!("{workload}, {executor}"));
            bar.inc(1);
        })?);
    }
    bar.finish_and_clear();
    if arguments.json {
        print(&serde_json::to_string_pretty(&comparisons)?)?;
    } else {
        print(&in_a_table(&comparisons))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn in_a_table(comparisons: &[Comparison]) -> String {
    let mut table = table::with_header(&[
        "workload",
        "block",
        "executor",
        "ms",
        "tx/s",
        "× sequential",
        "cores",
        "core-µs/tx",
        "executions/unit",
        "validations/unit",
        "batches",
    ]);
    for comparison in comparisons {
        for (at, figures) in comparison.figures.iter().enumerate() {
            let batches = if figures.batches > 0 { figures.batches.to_string() } else { String::new() };
            table.add_row([
                if at == 0 { comparison.workload.clone() } else { String::new() },
                if at == 0 { super::grouped(comparison.transactions as u64) } else { String::new() },
                figures.executor.clone(),
                format!("{:.2}", figures.milliseconds),
                super::grouped(figures.per_second as u64),
                format!("{:.2}", figures.speed_up),
                format!("{:.2}", figures.cores),
                format!("{:.2}", figures.core_micros),
                format!("{:.2}", figures.executions),
                format!("{:.2}", figures.validations),
                batches,
            ]);
        }
    }
    format!("{table}\nEvery run gave the sequential digest.")
}
