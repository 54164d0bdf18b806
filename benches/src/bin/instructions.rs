//! What `benches/count-instructions` calls: executes a scenario for callgrind to count, and compares what it has counted
//! with what was accepted last.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a report prints")]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{fs, io};

use clap::{Parser, Subcommand, ValueEnum};
use comfy_table::presets::ASCII_MARKDOWN;
use comfy_table::{CellAlignment, Table};
use weft_benches::allocator::{self, Allocator};
use weft_benches::instructions::{
    Counts, Line, Scenario, TOLERANCE_PERCENT, Verdict, compare, is_accepted, total_of_callgrind,
};

#[global_allocator]
static ALLOCATOR: Allocator = allocator::ALLOCATOR;

/// Counts instructions, together with callgrind. `benches/count-instructions` does all of it.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Prints the names of all scenarios
    List,
    /// Executes a scenario
    Run { scenario: Scenario },
    /// Compares what callgrind has counted with what was accepted; fails where a count has risen too much
    Compare {
        /// What callgrind has written, files called SCENARIO.1, SCENARIO.2 ...; the least count of a scenario is taken
        counted: PathBuf,
        /// The counts that were accepted last
        accepted: PathBuf,
        /// What has compiled this
        #[arg(long)]
        compiler: String,
        /// Accepts what was counted: writes it to the file
        #[arg(long)]
        accept: bool,
    },
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::List => {
            Scenario::value_variants().iter().for_each(|scenario| println!("{scenario}"));
            Ok(true)
        }
        Command::Run { scenario } => run(scenario).map(|()| true),
        Command::Compare { counted, accepted, compiler, accept } => check(&counted, &accepted, compiler, accept),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("instructions: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(scenario: Scenario) -> Result<(), Box<dyn Error>> {
    Ok(scenario.prepare()?.run()?)
}

/// Whether nothing has to be accepted (any more).
fn check(counted: &Path, accepted: &Path, compiler: String, accept: bool) -> Result<bool, Box<dyn Error>> {
    let counted = read_counted(counted, compiler)?;
    let known = read_accepted(accepted)?;
    let lines = compare(&known, &counted);
    println!("{}", table(&lines));
    if accept {
        let json = serde_json::to_string_pretty(&counted)?;
        fs::write(accepted, json + "\n").map_err(|error| format!("{}: {error}", accepted.display()))?;
        println!("accepted: {}", accepted.display());
        return Ok(true);
    }
    if known.compiler != counted.compiler {
        println!("accepted with {:?}, counted with {:?}", known.compiler, counted.compiler);
    }
    let is_accepted = is_accepted(&lines);
    if !is_accepted {
        println!("a count has risen by more than {TOLERANCE_PERCENT} %, or is not known: see why, or accept it with");
        println!("    benches/count-instructions --accept");
    } else if lines.iter().any(|line| line.verdict() == Verdict::Fell) {
        println!("a count has fallen: accept it with benches/count-instructions --accept, so that it stays there");
    }
    Ok(is_accepted)
}

/// A count for every scenario: the least of its files, which are numbered from 1 on.
fn read_counted(folder: &Path, compiler: String) -> Result<Counts, Box<dyn Error>> {
    let mut counts = Counts { compiler, ..Counts::default() };
    for scenario in Scenario::value_variants() {
        let file = |run: usize| folder.join(format!("{scenario}.{run}"));
        let mut least = read_total(&file(1))?;
        for path in (2..).map(file).take_while(|path| path.exists()) {
            least = least.min(read_total(&path)?);
        }
        let each = (least as f64 / scenario.transactions() as f64).round() as u64;
        counts.instructions_per_transaction.insert(scenario.to_string(), each);
    }
    Ok(counts)
}

fn read_total(path: &Path) -> Result<u64, String> {
    let failed = |error: &dyn Error| format!("{}: {error}", path.display());
    total_of_callgrind(&fs::read_to_string(path).map_err(|error| failed(&error))?).map_err(|error| failed(&error))
}

/// Nothing, where nothing was ever accepted.
fn read_accepted(path: &Path) -> Result<Counts, Box<dyn Error>> {
    match fs::read_to_string(path) {
        Ok(json) => Ok(serde_json::from_str(&json).map_err(|error| format!("{}: {error}", path.display()))?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Counts::default()),
        Err(error) => Err(format!("{}: {error}", path.display()).into()),
    }
}

fn table(lines: &[Line]) -> Table {
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN);
    table.set_header(["instructions a transaction", "accepted", "now", "change", ""]);
    let count = |count: Option<u64>| count.map_or_else(|| "-".to_owned(), |count| count.to_string());
    for line in lines {
        let verdict = match line.verdict() {
            Verdict::Same => "",
            Verdict::Fell => "fell",
            Verdict::Rose => "ROSE",
            Verdict::New => "NEW",
            Verdict::Gone => "GONE",
        };
        table.add_row([
            line.scenario.clone(),
            count(line.accepted),
            count(line.counted),
            line.percent().map_or_else(String::new, |percent| format!("{percent:+.2} %")),
            verdict.to_owned(),
        ]);
    }
    for column in table.column_iter_mut().skip(1).take(3) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}
