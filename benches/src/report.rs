//! Prints every workload's figures, all executors side by side, as one table; with `--json FILE` also as JSON.

#![expect(clippy::print_stdout, reason = "a report prints")]

use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use comfy_table::presets::ASCII_MARKDOWN;
use comfy_table::{CellAlignment, Table};
use weft_benches::allocator::{self, Allocator};
use weft_benches::{WORKLOADS, block_sizes};
use weft_node::compare::{Comparison, Plan, compare};
use weft_node::executor::UNIT_LENGTH;
use weft_node::workload::Workload;

#[global_allocator]
static ALLOCATOR: Allocator = allocator::ALLOCATOR;

/// Measures sequential, batching and optimistic execution over all workloads.
#[derive(Debug, Parser)]
struct Arguments {
    /// Only these workloads
    workloads: Vec<Workload>,
    /// Worker threads of the parallel executors
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Measured runs of each executor; the middle one counts
    #[arg(long, default_value_t = 21)]
    repeat: usize,
    /// Only blocks of this many transactions
    #[arg(long)]
    txs: Option<usize>,
    /// Makes, checks and counts signatures; else only execution counts
    #[arg(long)]
    signed: bool,
    /// The optimistic executor is measured with units of one transaction, and of this many
    #[arg(long, default_value_t = UNIT_LENGTH)]
    unit_length: usize,
    /// Also writes the figures to this file, as JSON
    #[arg(long)]
    json: Option<PathBuf>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let workloads = if arguments.workloads.is_empty() { WORKLOADS.to_vec() } else { arguments.workloads.clone() };
    let mut comparisons = Vec::new();
    // The small blocks of all workloads first, then the large ones.
    for size in 0..arguments.txs.map_or(2, |_| 1) {
        for &workload in &workloads {
            let transactions = arguments.txs.unwrap_or(block_sizes(&workload)[size]);
            let plan = Plan {
                workload,
                transactions,
                threads: arguments.threads,
                repeat: arguments.repeat.max(1),
                seed: 1,
                unit_length: arguments.unit_length,
                signed: arguments.signed,
                storage_latency: Duration::ZERO,
                prefetch: 0,
            };
            comparisons.push(compare(&plan, |_| {})?);
        }
    }
    println!("{}", table(&comparisons));
    if let Some(path) = &arguments.json {
        std::fs::write(path, serde_json::to_string_pretty(&comparisons)?)
            .map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(())
}

/// One row a workload and size; speed-ups over sequential.
fn table(comparisons: &[Comparison]) -> Table {
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN);
    let executors = comparisons.first().map_or(&[][..], |first| &first.figures[1..]);
    let mut header = vec!["workload".to_owned(), "block".to_owned(), "sequential, tx/s".to_owned()];
    header.extend(executors.iter().map(|figures| format!("× {}", figures.executor)));
    header.extend(["executions/unit", "validations/unit", "cores", "core-µs/tx", "cores, auto"].map(String::from));
    table.set_header(header);
    for comparison in comparisons {
        let figures = &comparison.figures;
        let mut row = vec![
            comparison.workload.clone(),
            comparison.transactions.to_string(),
            format!("{:.0}", figures[0].per_second),
        ];
        row.extend(figures[1..].iter().map(|figures| format!("{:.2}", figures.speed_up)));
        // Of the optimistic executor with the most threads and units of one transaction.
        let is_plain = |name: &str| name.starts_with("optimistic") && !name.contains("units");
        if let Some(last) = figures.iter().rfind(|figures| is_plain(&figures.executor)) {
            row.push(format!("{:.3}", last.executions));
            row.push(format!("{:.3}", last.validations));
            row.push(format!("{:.2}", last.cores));
            row.push(format!("{:.2}", last.core_micros));
        }
        row.extend(figures.last().map(|auto| format!("{:.2}", auto.cores)));
        table.add_row(row);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}
