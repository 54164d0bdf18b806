//! Prints, for the blocks by which the parallel-EVM field compares, what weft gains over lean revm; with `--json FILE`
//! also as JSON. `benches/install-contracts` first.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a report prints")]

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use comfy_table::presets::ASCII_MARKDOWN;
use comfy_table::{CellAlignment, Table};
use weft_benches::allocator::{self, Allocator};
use weft_benches::ethereum::measure::{Figures, Plan, measure};
use weft_benches::ethereum::{Workload, mainnet};
use weft_engine::Mode;
use weft_node::compare::median;

#[global_allocator]
static ALLOCATOR: Allocator = allocator::ALLOCATOR;

/// Measures plain revm and weft on the field's blocks.
#[derive(Debug, Parser)]
struct Arguments {
    /// Only these workloads
    workloads: Vec<Workload>,
    /// Threads of weft
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Measured pairs of runs; the middle one counts
    #[arg(long, default_value_t = 11)]
    repeat: usize,
    /// Blocks of this many transactions
    #[arg(long, conflicts_with = "scale")]
    txs: Option<usize>,
    /// Blocks of this many times the field's number of transactions
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
    /// The path that weft takes
    #[arg(long, value_enum, default_value_t = Path::Optimistic)]
    mode: Path,
    /// Consecutive transactions that weft schedules as one [default: what suits the block]
    #[arg(long)]
    unit_length: Option<usize>,
    /// Weft's changes are made into revm's state maps as well, and that is counted
    #[arg(long)]
    evm_state: bool,
    /// Instead of the workloads the Ethereum blocks of this folder
    #[arg(long, conflicts_with_all = ["workloads", "txs", "scale", "seed"])]
    blocks: Option<PathBuf>,
    /// So many consecutive blocks of the folder are merged into one
    #[arg(long, default_value_t = 1, requires = "blocks")]
    merge: usize,
    /// Seed of the workloads
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Also writes the figures to this file, as JSON
    #[arg(long)]
    json: Option<PathBuf>,
}

/// How weft decides whether to execute in parallel.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Path {
    /// Always in parallel
    Optimistic,
    /// As it finds worthwhile
    Auto,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("ethereum: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether both sides executed every block, with the same result.
fn run(arguments: &Arguments) -> Result<bool, Box<dyn Error>> {
    let plan = Plan {
        threads: arguments.threads.max(1),
        repeat: arguments.repeat,
        mode: match arguments.mode {
            Path::Optimistic => Mode::Optimistic,
            Path::Auto => Mode::Auto,
        },
        unit_length: arguments.unit_length,
        evm_state: arguments.evm_state,
    };
    let (figures, failures) = match &arguments.blocks {
        Some(folder) => mainnet(folder, arguments.merge, &plan)?,
        None => workloads(arguments, &plan)?,
    };
    println!(
        "lean revm against weft, {:?}, {} threads, units of {}; allocator {}; medians of {} pairs\n",
        plan.mode,
        plan.threads,
        plan.unit_length.map_or_else(|| "what suits the block".to_owned(), |length| length.to_string()),
        allocator::NAME,
        plan.repeat
    );
    println!("{}", table(&figures));
    if arguments.blocks.is_some() {
        println!("\n{}", summary("all", &figures.iter().collect::<Vec<_>>()));
        let large: Vec<&Figures> = figures.iter().filter(|row| row.gas > LARGE).collect();
        println!("{}", summary("above 4 M gas", &large));
    }
    if let Some(path) = &arguments.json {
        let json = serde_json::json!({
            "allocator": allocator::NAME,
            "mode": format!("{:?}", plan.mode),
            "threads": plan.threads,
            "unit_length": plan.unit_length,
            "repeat": plan.repeat,
            "blocks": figures,
        });
        std::fs::write(path, serde_json::to_string_pretty(&json)?)
            .map_err(|error| format!("{}: {error}", path.display()))?;
    }
    for failure in &failures {
        eprintln!("{failure}");
    }
    Ok(failures.is_empty())
}

/// What was measured, and which blocks could not be.
type Measured = (Vec<Figures>, Vec<String>);

fn add<E: Error>(measured: &mut Measured, block: Result<Figures, E>) {
    match block {
        Ok(figures) => measured.0.push(figures),
        Err(error) => measured.1.push(error.to_string()),
    }
}

fn workloads(arguments: &Arguments, plan: &Plan) -> Result<Measured, Box<dyn Error>> {
    let all = Workload::value_variants();
    let workloads = if arguments.workloads.is_empty() { all } else { &arguments.workloads };
    let mut measured = Measured::default();
    for workload in workloads {
        let scaled = (workload.field_size() as f64 * arguments.scale).ceil() as usize;
        let block = workload.block(arguments.txs.unwrap_or(scaled), arguments.seed)?;
        add(&mut measured, measure(&block, plan));
    }
    Ok(measured)
}

fn mainnet(folder: &std::path::Path, merge: usize, plan: &Plan) -> Result<Measured, Box<dyn Error>> {
    let mut measured = Measured::default();
    for files in mainnet::files(folder, merge)? {
        match mainnet::read(&files)? {
            Some(block) if !block.transactions.is_empty() => add(&mut measured, measure(&block, plan)),
            _ => {}
        }
    }
    if measured.0.is_empty() && measured.1.is_empty() {
        let what = if merge > 1 { format!("{merge} consecutive blocks of one fork") } else { "block".to_owned() };
        return Err(format!("{}: no {what} with transactions", folder.display()).into());
    }
    Ok(measured)
}

/// Gas of the blocks by which others compare: short ones are executed before another thread is awake.
const LARGE: u64 = 4_000_000;

/// Some blocks together.
fn summary(which: &str, figures: &[&Figures]) -> String {
    if figures.is_empty() {
        return format!("{which}: no block");
    }
    let sum = |of: &dyn Fn(&Figures) -> f64| figures.iter().map(|row| of(row)).sum::<f64>();
    let (lean, weft) = (sum(&|row| row.lean.milliseconds), sum(&|row| row.weft.milliseconds));
    let side_by_side = sum(&|row| row.lean.milliseconds / row.side_by_side);
    let speed_ups = figures.iter().map(|row| row.speed_up.0);
    format!(
        "{which}: {} blocks, lean {lean:.1} ms, weft {weft:.1} ms: {:.2} times as fast; by block {:.2} to {:.2}, middle \
         {:.2}; lean side by side: {:.2}",
        figures.len(),
        lean / weft,
        speed_ups.clone().fold(f64::INFINITY, f64::min),
        speed_ups.clone().fold(0.0, f64::max),
        median(speed_ups.collect()),
        lean / side_by_side,
    )
}

fn table(figures: &[Figures]) -> Table {
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN);
    table.set_header([
        "block",
        "txs",
        "Mgas",
        "failed",
        "lean ms",
        "lean core-µs/tx",
        "weft ms",
        "speed-up",
        "min..max",
        "side by side",
        "of that",
        "executions/tx",
        "weft cores",
        "weft core-µs/tx",
        "lean MB",
        "weft MB",
    ]);
    for row in figures {
        let (middle, least, greatest) = row.speed_up;
        table.add_row([
            row.block.clone(),
            row.transactions.to_string(),
            format!("{:.1}", row.gas as f64 / 1e6),
            row.failed.to_string(),
            format!("{:.2}", row.lean.milliseconds),
            format!("{:.2}", row.lean.core_micros),
            format!("{:.2}", row.weft.milliseconds),
            format!("{middle:.2}"),
            format!("{least:.2}..{greatest:.2}"),
            format!("{:.2}", row.side_by_side),
            format!("{:.2}", row.share),
            format!("{:.3}", row.executions),
            format!("{:.2}", row.weft.cores),
            format!("{:.2}", row.weft.core_micros),
            format!("{:.1}", row.lean.peak_bytes as f64 / 1e6),
            format!("{:.1}", row.weft.peak_bytes as f64 / 1e6),
        ]);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}
