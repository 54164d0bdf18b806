//! The command line.

mod compare;
mod conformance;
mod contracts;
#[cfg(feature = "fetch")]
mod fetch;
mod generate;
mod genesis;
mod names;
mod plot;
mod replay;
mod replay_report;
mod rewards;
mod run;
mod simulate;
mod simulate_plot;
mod simulate_report;
mod summary;
mod svg;
mod table;

use std::error::Error;
use std::io::Write;
use std::process::ExitCode;

use clap::builder::RangedU64ValueParser;
use clap::{Parser, Subcommand, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use weft_node::workload::Workload;

/// An error for a person to read.
type CliError = Box<dyn Error>;

/// Executes ordered blocks of transactions on all cores, with the sequential result.
#[derive(Debug, Parser)]
#[command(version, about, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Executes a chain of blocks in parallel on a database, and shows that the result is the sequential one
    Run(run::Arguments),
    /// Writes a chain of signed blocks to a file
    Generate(generate::Arguments),
    /// Runs TOS conformance vectors through the parallel path
    Conformance(conformance::Arguments),
    /// Measures sequential, batching, dag and optimistic execution side by side
    Compare(compare::Arguments),
    /// Writes files of Ethereum blocks, with all that their execution reads, from a JSON-RPC node
    #[cfg(feature = "fetch")]
    Fetch(fetch::Arguments),
    /// Replays Ethereum blocks in parallel, and checks them against their headers and sequential execution
    Replay(replay::Arguments),
    /// Executes blocks on 1 to 128 simulated cores: the real scheduler and memory, in virtual time
    Simulate(simulate::Arguments),
}

/// How blocks are executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ModeArgument {
    /// One transaction after another
    Sequential,
    /// In batches grouped by the accounts that transactions name, on a kept pool
    Batching,
    /// Optimistically, whatever the size of the block
    Optimistic,
    /// Optimistically where it can pay
    Auto,
}

pub(crate) fn run() -> Result<ExitCode, CliError> {
    match Cli::parse().command {
        Command::Run(arguments) => run::run(&arguments),
        Command::Generate(arguments) => generate::run(&arguments),
        Command::Conformance(arguments) => conformance::run(&arguments),
        Command::Compare(arguments) => compare::run(&arguments),
        #[cfg(feature = "fetch")]
        Command::Fetch(arguments) => fetch::run(&arguments),
        Command::Replay(arguments) => replay::run(&arguments),
        Command::Simulate(arguments) => simulate::run(&arguments),
    }
}

/// Prints a command's result. A reader who has seen enough and closed the pipe is no error.
fn print(text: &str) -> Result<(), CliError> {
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}

/// Takes numbers from 1 to `most`.
fn from_one_to(most: u64) -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..=most)
}

/// A number that may be 0.
fn up_to(most: u64) -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(0..=most)
}

/// Threads: more than any machine has cores would only fail to start.
fn threads() -> RangedU64ValueParser<usize> {
    from_one_to(1024)
}

/// Transactions of a block: whatever their type, so many are within the limits of the file format.
fn transactions() -> RangedU64ValueParser<usize> {
    from_one_to(1_000_000)
}

/// Transactions of a block of `workload`, where not so many are `given`: contract calls take much longer than transfers.
fn block_length(given: Option<usize>, workload: Workload) -> usize {
    given.unwrap_or(if workload.calls_contracts() { 2000 } else { 10_000 })
}

/// All cores.
fn default_threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// A progress bar on standard error; invisible where that is no terminal, or with `--json`.
fn progress_bar(length: u64, what: &str, json: bool) -> ProgressBar {
    let bar = if json { ProgressBar::hidden() } else { ProgressBar::new(length) };
    bar.set_length(length);
    let style = ProgressStyle::with_template("{prefix} {wide_bar} {pos}/{len} {msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.set_prefix(what.to_owned());
    bar
}

/// `1234567` as `1,234,567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

impl From<ModeArgument> for weft_node::conformance::VectorMode {
    fn from(mode: ModeArgument) -> Self {
        match mode {
            ModeArgument::Sequential => Self::Sequential,
            ModeArgument::Batching => Self::Batching,
            ModeArgument::Optimistic => Self::Optimistic,
            ModeArgument::Auto => Self::Auto,
        }
    }
}
