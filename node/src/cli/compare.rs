//! `weft compare`: the executors side by side.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use comfy_table::CellAlignment;
use comfy_table::presets::ASCII_MARKDOWN;
use weft_node::compare::{Comparison, Figures, Plan, compare};
use weft_node::executor::UNIT_LENGTH;
use weft_node::workload::{REPORTED, Workload};

use super::svg::PictureFile;
use super::{
    CliError, block_length, default_threads, from_one_to, plot, print, progress_bar, table, threads, transactions,
    up_to,
};

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
    /// Delay of every storage read, in microseconds, up to a second
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=1_000_000))]
    storage_latency: u64,
    /// Threads that load what transactions are known to need, ahead of their optimistic execution
    #[arg(long, value_name = "THREADS", default_value_t = 0, value_parser = up_to(1024))]
    prefetch: usize,
    /// Also writes the speed-ups to this file, as a plot in SVG
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Prints one table in Markdown, with a row a workload
    #[arg(long, conflicts_with = "json")]
    markdown: bool,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

impl Arguments {
    fn plan(&self, workload: Workload) -> Plan {
        Plan {
            workload,
            transactions: block_length(self.txs, workload),
            threads: self.threads,
            repeat: self.repeat,
            seed: self.seed,
            unit_length: self.unit_length,
            signed: self.signed,
            storage_latency: Duration::from_micros(self.storage_latency),
            prefetch: self.prefetch,
        }
    }
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, CliError> {
    let workloads = if arguments.workloads.is_empty() { &REPORTED[..] } else { &arguments.workloads };
    let plans: Vec<Plan> = workloads.iter().map(|workload| arguments.plan(*workload)).collect();
    let runs: usize = plans.iter().map(|plan| plan.executors() * (plan.repeat + 1)).sum();
    let svg = arguments.svg.as_deref().map(PictureFile::create).transpose()?;
    let bar = progress_bar(runs as u64, "runs", arguments.json);
    let mut comparisons = Vec::new();
    for plan in &plans {
        comparisons.push(compare(plan, |executor| {
            bar.set_message(format!("{}, {executor}", plan.workload));
            bar.inc(1);
        })?);
    }
    bar.finish_and_clear();
    if let Some(file) = svg {
        file.write(&plot::speed_ups(&comparisons, arguments.threads, arguments.signed))?;
    }
    if arguments.json {
        print(&serde_json::to_string_pretty(&comparisons)?)?;
    } else if arguments.markdown {
        print(&in_markdown(&comparisons))?;
    } else {
        print(&format!("{}\n{}\n{NOTES}", in_a_table(&comparisons), against_baselines(&comparisons)))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Below the tables.
const NOTES: &str = "\
bound: how many times as fast as sequential anything can be on these threads, by the longest chain of dependent
transactions. dag: levels by exact read and write sets that it is told beforehand; no node has them. peak B/tx: allocated
at the peak of an executor's first block. Every run gave the sequential digest.";

fn in_a_table(comparisons: &[Comparison]) -> String {
    let mut table = table::with_header(&[
        "workload",
        "block",
        "bound",
        "executor",
        "tx/s",
        "× sequential",
        "of the bound",
        "executions/tx",
        "cores",
        "core-µs/tx",
        "peak B/tx",
        "batches, levels",
    ]);
    if let Some(executors) = table.column_mut(3) {
        executors.set_cell_alignment(CellAlignment::Left);
    }
    for comparison in comparisons {
        for (at, figures) in comparison.figures.iter().enumerate() {
            let of_workload = |text: String| if at == 0 { text } else { String::new() };
            table.add_row([
                of_workload(comparison.workload.clone()),
                of_workload(super::grouped(comparison.transactions as u64)),
                of_workload(format!("{:.2}", comparison.bound)),
                figures.executor.clone(),
                super::grouped(figures.per_second as u64),
                format!("{:.2}", figures.speed_up),
                format!("{:.0} %", figures.of_bound * 100.0),
                format!("{:.2}", figures.executions),
                format!("{:.2}", figures.cores),
                format!("{:.2}", figures.core_micros),
                peak(figures),
                if figures.batches > 0 { figures.batches.to_string() } else { String::new() },
            ]);
        }
    }
    table.to_string()
}

/// How many times as fast as each baseline *auto* is.
fn against_baselines(comparisons: &[Comparison]) -> String {
    let names = comparisons.iter().flat_map(Comparison::against_baselines).map(|(baseline, _)| baseline);
    let count = comparisons.first().map_or(0, |first| first.against_baselines().count());
    let names: Vec<String> = names.take(count).map(|baseline| format!("auto ÷ {baseline}")).collect();
    let header: Vec<&str> = std::iter::once("workload").chain(names.iter().map(String::as_str)).collect();
    let mut table = table::with_header(&header);
    for comparison in comparisons {
        let ratios = comparison.against_baselines().map(|(_, ratio)| format!("{ratio:.2}"));
        table.add_row(std::iter::once(comparison.workload.clone()).chain(ratios));
    }
    table.to_string()
}

/// One row a workload: the speed-ups of all executors, and what else there is to say of the last, *auto*.
fn in_markdown(comparisons: &[Comparison]) -> String {
    let executors = comparisons.first().map_or(&[][..], |first| &first.figures[..]);
    let mut header: Vec<String> = ["workload", "block", "bound", "sequential, tx/s"].map(String::from).into();
    header.extend(executors.iter().skip(1).map(|figures| format!("× {}", figures.executor)));
    let of_auto = ["of the bound", "executions/tx", "cores", "core-µs/tx", "peak B/tx"];
    header.extend(of_auto.map(|column| format!("{column}, auto")));
    let mut table = table::with_header(&header.iter().map(String::as_str).collect::<Vec<_>>());
    table.load_style(ASCII_MARKDOWN);
    for comparison in comparisons {
        let mut row = vec![
            comparison.workload.clone(),
            super::grouped(comparison.transactions as u64),
            format!("{:.2}", comparison.bound),
        ];
        row.extend(comparison.figures.first().map(|sequential| super::grouped(sequential.per_second as u64)));
        row.extend(comparison.figures.iter().skip(1).map(|figures| format!("{:.2}", figures.speed_up)));
        if let Some(auto) = comparison.figures.last() {
            row.push(format!("{:.0} %", auto.of_bound * 100.0));
            row.extend([auto.executions, auto.cores, auto.core_micros].map(|figure| format!("{figure:.2}")));
            row.push(peak(auto));
        }
        table.add_row(row);
    }
    table.to_string()
}

fn peak(figures: &Figures) -> String {
    figures.peak_bytes.map_or_else(|| "-".to_owned(), |bytes| super::grouped(bytes as u64))
}
