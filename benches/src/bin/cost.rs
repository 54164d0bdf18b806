//! Prints what the engine adds to a synthetic transaction of any cost, from which cost on it is the faster way, and what
//! it does with chains, hot keys and tiny blocks; with `--json FILE` also as JSON. Every run must give the sequential
//! result, else it ends with a failure.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a report prints")]

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use comfy_table::presets::ASCII_MARKDOWN;
use comfy_table::{CellAlignment, Table};
use weft_benches::allocator::{self, Allocator};
use weft_benches::arguments;
use weft_benches::synthetic::{
    BreakEven, Calibration, Case, Contender, Figures, MeasureError, Measurement, Pattern, Plan, Point, Target,
    break_even, measure,
};
use weft_engine::Mode;

#[global_allocator]
static ALLOCATOR: Allocator = allocator::ALLOCATOR;

/// Measures what the engine costs.
#[derive(Debug, Parser)]
struct Arguments {
    /// Threads of weft, where it has more than one
    #[arg(long, default_value_t = 2, value_parser = arguments::threads())]
    threads: usize,
    /// Measured rounds; the middle one counts
    #[arg(long, default_value_t = 15, value_parser = arguments::at_least_one())]
    repeat: usize,
    /// Transactions of a block; fewer where they would take longer than 50 ms, but not fewer than 1000
    #[arg(long, default_value_t = 10_000, value_parser = arguments::at_least_one())]
    txs: usize,
    /// Optimistic execution is measured with units of one transaction, and of this many; auto with this many
    #[arg(long, default_value_t = 16, value_parser = arguments::at_least_one())]
    unit_length: usize,
    /// What is measured against sequential execution; sequential execution itself shows how far chance goes
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Path::Optimistic, Path::Auto])]
    mode: Vec<Path>,
    /// The work of a transaction, in microseconds
    #[arg(long, value_delimiter = ',', default_values_t = [0.0, 0.5, 1.0, 2.0, 5.0, 20.0, 100.0])]
    work: Vec<f64>,
    /// Seed of the blocks
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Also writes the figures to this file, as JSON
    #[arg(long)]
    json: Option<PathBuf>,
}

/// How weft decides whether to execute in parallel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Path {
    /// Always in parallel
    Optimistic,
    /// As it finds worthwhile
    Auto,
    /// Never in parallel
    Sequential,
}

/// What is not to be exceeded by the work of one block, in microseconds.
const BLOCK_MICROS: f64 = 50_000.0;
/// Fewer transactions are no block to measure on.
const FEWEST: usize = 1000;
/// Fewer cores than this share of the threads are too few to measure on.
const ENOUGH_CORES: f64 = 0.9;
/// Tiny blocks are measured so many microseconds at a time.
const TINY_MICROS: f64 = 3000.0;
/// What a tiny block's transaction takes beside its work, about, in microseconds: it only decides how many are measured
/// at a time.
const TINY_AROUND: f64 = 0.5;

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cost: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let work = work(arguments)?;
    let plan = Plan {
        calibration: Calibration::measure(),
        repeat: arguments.repeat,
        seed: arguments.seed,
        contenders: contenders(arguments),
    };
    println!(
        "synthetic transactions, 4 reads and 3 writes; {} threads; allocator {}; medians of {} interleaved rounds; {:.0} \
         steps of work a microsecond",
        arguments.threads,
        allocator::NAME,
        plan.repeat,
        plan.calibration.steps_per_micro(),
    );
    let full = |pattern, work_micros: f64| {
        let affordable = (BLOCK_MICROS / work_micros.max(f64::EPSILON)) as usize;
        let transactions = arguments.txs.min(affordable.max(FEWEST));
        Case { pattern, work_micros, transactions, blocks: 1 }
    };
    let by_work = |pattern| work.iter().map(move |&work_micros| full(pattern, work_micros));

    let independent = section("independent", by_work(Pattern::Independent), &plan)?;
    let is_known = !independent.iter().any(|measured| is_disturbed(measured, &plan));
    let crossings = if is_known { crossings(&independent, &plan) } else { Vec::new() };
    if !is_known {
        println!("break-even: unknown, because there were fewer cores than threads");
    }
    for (contender, crossing) in &crossings {
        println!("break-even, {contender}: {}", sentence(crossing));
    }
    let chain = section("chain: each reads what the one before wrote", by_work(Pattern::Chain), &plan)?;
    let hot = [
        Pattern::Chain,
        Pattern::HintedChain,
        Pattern::Relay,
        Pattern::Random(10),
        Pattern::Random(100),
        Pattern::Random(1000),
        Pattern::Random(10_000),
        Pattern::Add,
    ];
    let hot = section("hot keys, 1 µs", hot.map(|pattern| full(pattern, 1.0)), &plan)?;
    for measured in hot.iter().filter(|measured| measured.case.pattern == Pattern::Chain) {
        measured.figures.iter().for_each(|figures| println!("{}", verdict(figures)));
    }
    let tiny = [1, 10].into_iter().flat_map(|transactions| {
        [0.0, 1.0, 20.0].map(|work_micros| {
            let micros = transactions as f64 * (work_micros + TINY_AROUND);
            let blocks = (TINY_MICROS / micros).ceil() as usize;
            Case { pattern: Pattern::Independent, work_micros, transactions, blocks }
        })
    });
    let tiny = section("tiny blocks, independent", tiny, &plan)?;
    let all = || [&independent, &chain, &hot, &tiny].into_iter().flatten();
    let disturbed = all().filter(|measured| is_disturbed(measured, &plan)).count();
    if disturbed > 0 {
        println!(
            "\n{disturbed} of {} rows were measured with fewer cores than threads (cores given): something else was \
             running, and their speed-ups are too low",
            all().count()
        );
    }

    if let Some(path) = &arguments.json {
        let break_even: Vec<_> = crossings
            .into_iter()
            .map(|(contender, crossing)| serde_json::json!({ "contender": contender, "break_even": crossing }))
            .collect();
        let json = serde_json::json!({
            "allocator": allocator::NAME,
            "threads": arguments.threads,
            "repeat": plan.repeat,
            "steps_per_micro": plan.calibration.steps_per_micro(),
            "independent": independent,
            "break_even": break_even,
            "chain": chain,
            "hot": hot,
            "tiny": tiny,
        });
        std::fs::write(path, serde_json::to_string_pretty(&json)?)
            .map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(())
}

/// The costs that are asked for, ascending.
fn work(arguments: &Arguments) -> Result<Vec<f64>, String> {
    let mut work = arguments.work.clone();
    if let Some(wrong) = work.iter().find(|micros| !(0.0..=1e6).contains(*micros)) {
        return Err(format!("a transaction's work is 0 to 1,000,000 µs, not {wrong}"));
    }
    work.sort_unstable_by(f64::total_cmp);
    Ok(work)
}

/// One thread and several, each with short units and with long ones, and auto.
fn contenders(arguments: &Arguments) -> Vec<Contender> {
    let threads = arguments.threads;
    let mut contenders = Vec::new();
    for path in &arguments.mode {
        let (mode, threads) = match path {
            Path::Optimistic => (Mode::Optimistic, if threads == 1 { vec![1] } else { vec![1, threads] }),
            Path::Auto => (Mode::Auto, vec![threads]),
            Path::Sequential => (Mode::Sequential, vec![1]),
        };
        for threads in threads {
            let lengths = match mode {
                Mode::Optimistic => [1, arguments.unit_length],
                Mode::Auto | Mode::Sequential => [arguments.unit_length; 2],
            };
            for unit_length in lengths {
                let contender = Contender { mode, threads, unit_length };
                if !contenders.contains(&contender) {
                    contenders.push(contender);
                }
            }
        }
    }
    contenders
}

/// Measures all cases and prints their table.
fn section(title: &str, cases: impl IntoIterator<Item = Case>, plan: &Plan) -> Result<Vec<Measurement>, MeasureError> {
    let measured: Result<Vec<_>, _> = cases.into_iter().map(|case| measure(&case, plan)).collect();
    let measured = measured?;
    println!("\n{title}\n\n{}", table(&measured, plan));
    Ok(measured)
}

/// Whether something else was running on the cores.
fn is_disturbed(measured: &Measurement, plan: &Plan) -> bool {
    let threads = plan.contenders.iter().map(|contender| contender.threads).max().unwrap_or(1);
    measured.cores_given < ENOUGH_CORES * threads as f64
}

/// From which cost on each contender with several threads is faster.
fn crossings(measured: &[Measurement], plan: &Plan) -> Vec<(String, BreakEven)> {
    let contenders = plan.contenders.iter().enumerate();
    let parallel = contenders.filter(|(_, contender)| contender.mode == Mode::Optimistic && contender.threads > 1);
    let crossing = |(at, contender): (usize, &Contender)| {
        let points: Vec<Point> = measured.iter().filter_map(|measured| measured.point(at)).collect();
        (contender.name(), break_even(&points))
    };
    parallel.map(crossing).collect()
}

fn sentence(crossing: &BreakEven) -> String {
    match crossing {
        BreakEven::BelowAll => "faster at every cost".to_owned(),
        BreakEven::At { work_micros, sequential_micros } => {
            format!("{work_micros:.2} µs of work, {sequential_micros:.2} µs sequentially")
        }
        BreakEven::AboveAll => "not faster at any cost".to_owned(),
    }
}

/// Whether the chain of 1 µs is as it should be.
fn verdict(figures: &Figures) -> String {
    let missed = Target::CHAIN.missed(figures);
    let verdict = if missed.is_empty() { "reached".to_owned() } else { format!("missed: {}", missed.join("; ")) };
    format!("the target for a chain, {}: {verdict}", figures.contender)
}

fn table(measured: &[Measurement], plan: &Plan) -> Table {
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN);
    // One thread shows what is added; several show what that is good for.
    let is_alone = |contender: &Contender| contender.mode == Mode::Optimistic && contender.threads == 1;
    let (alone, others): (Vec<_>, Vec<_>) =
        plan.contenders.iter().enumerate().partition(|(_, contender)| is_alone(contender));
    let mut header = ["pattern", "work µs", "txs", "cores given", "sequential µs/tx"].map(String::from).to_vec();
    header.extend(alone.iter().map(|(_, contender)| format!("core-ns/tx added, {}", contender.name())));
    for figure in ["×", "executions/tx,", "cores,"] {
        header.extend(others.iter().map(|(_, contender)| format!("{figure} {}", contender.name())));
    }
    table.set_header(header);
    for Measurement { case, sequential_micros, cores_given, figures } in measured {
        let mut row = vec![
            case.pattern.to_string(),
            case.work_micros.to_string(),
            case.transactions.to_string(),
            format!("{cores_given:.2}"),
            format!("{sequential_micros:.3}"),
        ];
        row.extend(alone.iter().map(|&(at, _)| format!("{:.0}", figures[at].added_core_nanos)));
        row.extend(others.iter().map(|&(at, _)| format!("{:.2}", figures[at].speed_up)));
        row.extend(others.iter().map(|&(at, _)| format!("{:.3}", figures[at].executions)));
        row.extend(others.iter().map(|&(at, _)| format!("{:.2}", figures[at].cores)));
        table.add_row(row);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}
