//! Prints what slow storage costs a block, and what workers beyond the cores and prefetching win back; and what the
//! import of signed blocks into a database takes. With `--json FILE` also as JSON.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a report prints")]

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use comfy_table::presets::ASCII_MARKDOWN;
use comfy_table::{CellAlignment, Table};
use weft_benches::allocator::{self, Allocator};
use weft_benches::arguments;
use weft_benches::storage::{BesideSequential, Setup, cold, import, latency};
use weft_node::workload::Workload;

#[global_allocator]
static ALLOCATOR: Allocator = allocator::ALLOCATOR;

/// Measures weft on slow storage.
#[derive(Debug, Parser)]
struct Arguments {
    /// Only these sections
    sections: Vec<Section>,
    /// Workloads [default: independent, p2p-1000 and contract-token-1000; independent and p2p-10000 for the import]
    #[arg(long, value_delimiter = ',')]
    workloads: Vec<Workload>,
    /// Transactions of a block
    #[arg(long, default_value_t = 10_000, value_parser = arguments::at_least_one())]
    txs: usize,
    /// Delays of a read, in microseconds
    #[arg(long, value_delimiter = ',', default_values_t = [0, 20, 100])]
    delays: Vec<u64>,
    /// Numbers of workers
    #[arg(long, value_delimiter = ',', default_values_t = [1, 2, 4, 8, 16, 32], value_parser = arguments::threads())]
    workers: Vec<usize>,
    /// Numbers of threads that prefetch
    #[arg(long, value_delimiter = ',', default_values_t = [0, 16], value_parser = arguments::threads_or_none())]
    prefetch: Vec<usize>,
    /// How many transactions they may be ahead
    #[arg(long, default_value_t = 1024)]
    distance: usize,
    /// Transactions of a unit [default: what suits the block]
    #[arg(long, value_parser = arguments::at_least_one())]
    unit_length: Option<usize>,
    /// Accounts of the cold database that the block has nothing to do with
    #[arg(long, default_value_t = 300_000)]
    others: usize,
    /// Where databases are made; should be a disk
    #[arg(long, default_value = ".")]
    folder: PathBuf,
    /// Blocks of the import
    #[arg(long, default_value_t = 5, value_parser = arguments::at_least_one())]
    blocks: usize,
    /// Threads of weft in the import
    #[arg(long, default_value_t = 2, value_parser = arguments::threads())]
    threads: usize,
    /// Measured runs; the middle one counts
    #[arg(long, default_value_t = 5, value_parser = arguments::at_least_one())]
    repeat: usize,
    /// Seed of the workloads
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Also writes the figures to this file, as JSON
    #[arg(long)]
    json: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Section {
    /// A block in memory, every read delayed
    Latency,
    /// A block on a database file that is not in memory
    Cold,
    /// A stream of signed blocks into a database
    Import,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("storage: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let sections =
        if arguments.sections.is_empty() { Section::value_variants() } else { arguments.sections.as_slice() };
    let folder = tempfile::tempdir_in(&arguments.folder)?;
    println!("allocator {}; medians of {} interleaved runs", allocator::NAME, arguments.repeat);
    let mut json = serde_json::Map::new();
    for section in sections {
        let (name, figures) = match section {
            Section::Latency => ("latency", serde_json::to_value(delayed(arguments)?)?),
            Section::Cold => ("cold", serde_json::to_value(from_cold(arguments, folder.path())?)?),
            Section::Import => ("import", serde_json::to_value(imports(arguments, folder.path())?)?),
        };
        json.insert(name.to_owned(), figures);
    }
    if let Some(path) = &arguments.json {
        std::fs::write(path, serde_json::to_string_pretty(&json)?)
            .map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(())
}

/// The workloads that were asked for, or `all`.
fn workloads(arguments: &Arguments, all: &[&str]) -> Result<Vec<Workload>, Box<dyn Error>> {
    if !arguments.workloads.is_empty() {
        return Ok(arguments.workloads.clone());
    }
    Ok(all.iter().map(|name| name.parse()).collect::<Result<_, _>>()?)
}

const BLOCKS: [&str; 3] = ["independent", "p2p-1000", "contract-token-1000"];

fn setups(arguments: &Arguments) -> Vec<Setup> {
    let (distance, unit_length) = (arguments.distance, arguments.unit_length);
    let of = |prefetch: usize| {
        arguments.workers.iter().map(move |&workers| Setup { workers, prefetch, distance, unit_length })
    };
    arguments.prefetch.iter().copied().flat_map(of).collect()
}

fn delayed(arguments: &Arguments) -> Result<Vec<latency::Figures>, Box<dyn Error>> {
    println!("\nstorage in memory, every read delayed; times as fast as sequential with the same delay\n");
    let mut all = Vec::new();
    for workload in workloads(arguments, &BLOCKS)? {
        for &delay in &arguments.delays {
            all.push(latency::measure(&latency::Plan {
                workload,
                transactions: arguments.txs,
                delay: Duration::from_micros(delay),
                setups: setups(arguments),
                repeat: arguments.repeat,
                seed: arguments.seed,
            })?);
        }
    }
    let mut table = table(arguments, "delay, µs", "reads");
    for row in &all {
        rows(&mut table, &row.workload, &format!("{:.0}", row.delay_micros), &row.figures, 1.0);
    }
    println!("{}", aligned(table));
    Ok(all)
}

fn from_cold(arguments: &Arguments, folder: &std::path::Path) -> Result<Vec<cold::Figures>, Box<dyn Error>> {
    println!("\nredb, opened anew for every run, its file dropped from the page cache; times as fast as sequential\n");
    let mut all = Vec::new();
    for workload in workloads(arguments, &BLOCKS)? {
        let plan = cold::Plan {
            workload,
            transactions: arguments.txs,
            others: arguments.others,
            setups: setups(arguments),
            repeat: arguments.repeat,
            seed: arguments.seed,
        };
        all.push(cold::measure(&plan, folder)?);
    }
    let mut table = table(arguments, "file, MB", "MB from the device");
    for row in &all {
        rows(&mut table, &row.workload, &format!("{:.0}", row.file_bytes as f64 / 1e6), &row.figures, 1e-6);
    }
    println!("{}", aligned(table));
    Ok(all)
}

fn table(arguments: &Arguments, what: &str, counted: &str) -> Table {
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN);
    let mut header = vec!["block".to_owned(), what.to_owned(), "sequential, ms".to_owned(), counted.to_owned()];
    header.push("prefetching".to_owned());
    header.extend(arguments.workers.iter().map(|workers| format!("× {workers} workers")));
    header.push("cores, most workers".to_owned());
    table.set_header(header);
    table
}

/// One row a number of threads that prefetch.
fn rows(table: &mut Table, block: &str, what: &str, figures: &BesideSequential, scale: f64) {
    let mut from = figures.setups.as_slice();
    while let Some(first) = from.first() {
        let (same, rest) = from.split_at(from.iter().take_while(|other| other.prefetch == first.prefetch).count());
        from = rest;
        let mut row = vec![
            block.to_owned(),
            what.to_owned(),
            format!("{:.1}", figures.sequential.milliseconds),
            format!("{:.0}", figures.sequential.counted * scale),
            first.prefetch.to_string(),
        ];
        row.extend(same.iter().map(|measured| format!("{:.2}", measured.middle.speed_up)));
        row.extend(same.last().map(|measured| format!("{:.2}", measured.middle.cores)));
        table.add_row(row);
    }
}

fn imports(arguments: &Arguments, folder: &std::path::Path) -> Result<Vec<import::Figures>, Box<dyn Error>> {
    println!("\nimport of {} signed blocks into redb, each committed durably\n", arguments.blocks);
    let mut all = Vec::new();
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN);
    table.set_header([
        "blocks",
        "txs",
        "way",
        "ms/block",
        "speed-up",
        "min..max",
        "cores",
        "decode",
        "signatures",
        "execution",
        "commit",
    ]);
    for workload in workloads(arguments, &["independent", "p2p-10000"])? {
        let plan = import::Plan {
            workload,
            transactions: arguments.txs,
            blocks: arguments.blocks,
            threads: arguments.threads,
            repeat: arguments.repeat,
            seed: arguments.seed,
        };
        let figures = import::measure(&plan, folder)?;
        for way in &figures.ways {
            let mut row = vec![
                figures.workload.clone(),
                figures.transactions.to_string(),
                way.name.clone(),
                format!("{:.1}", way.stream.milliseconds / figures.blocks as f64),
                format!("{:.2}", way.stream.speed_up),
                format!("{:.2}..{:.2}", way.stream.least, way.stream.greatest),
                format!("{:.2}", way.stream.cores),
            ];
            row.extend(way.parts.iter().map(|part| format!("{part:.1}")));
            table.add_row(row);
        }
        all.push(figures);
    }
    println!("{}", aligned(table));
    Ok(all)
}

fn aligned(mut table: Table) -> Table {
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}
