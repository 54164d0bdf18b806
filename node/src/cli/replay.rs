//! `weft replay`: Ethereum blocks from files, on plain revm and on weft.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use weft_engine::Mode;
use weft_node::ethereum::input::BlockInput;
use weft_node::ethereum::paths::{ExecutionPath, ParallelPath};
use weft_node::ethereum::replay::Replayer;

use super::replay_report::{Entry, Report};
use super::{CliError, default_threads, from_one_to, print, progress_bar, threads};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Block files (JSON, gzip'd or not), or folders of them
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Worker threads
    #[arg(long, default_value_t = default_threads(), value_parser = threads())]
    threads: usize,
    /// How the transactions are executed
    #[arg(long, value_enum, default_value_t = ReplayMode::Optimistic)]
    mode: ReplayMode,
    /// Measured runs of every block on each path, all of them checked; the middle one counts
    #[arg(long, default_value_t = 1, value_parser = from_one_to(1_000_000))]
    repeat: usize,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

/// How blocks are replayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ReplayMode {
    /// On plain revm only, checked against the headers
    Sequential,
    /// Every block in parallel, however small it is
    Optimistic,
    /// In parallel where it can pay, as a node would
    Auto,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, CliError> {
    let mut files = Vec::new();
    for path in &arguments.paths {
        collect(path, &mut files)?;
    }
    if files.is_empty() {
        let paths: Vec<String> = arguments.paths.iter().map(|path| path.display().to_string()).collect();
        return Err(format!("{}: no block files there", paths.join(", ")).into());
    }
    let parallel = |mode| Some(Box::new(ParallelPath::new(mode, arguments.threads)) as Box<dyn ExecutionPath>);
    let parallel = match arguments.mode {
        ReplayMode::Sequential => None,
        ReplayMode::Optimistic => parallel(Mode::Optimistic),
        ReplayMode::Auto => parallel(Mode::Auto),
    };
    let replayer = Replayer::new(parallel, arguments.repeat);
    let bar = progress_bar(files.len() as u64, "blocks", arguments.json);
    let mut entries = Vec::new();
    for file in &files {
        bar.set_message(file.file_name().unwrap_or_default().to_string_lossy().into_owned());
        // One that cannot be read is a failure like others: the rest is replayed nevertheless.
        entries.push(match BlockInput::read(file, arguments.threads) {
            Ok(input) => Entry::replayed(file, &replayer.replay(&input)),
            Err(error) => Entry::unreadable(file, &error),
        });
        bar.inc(1);
    }
    bar.finish_and_clear();
    let report = Report::new(entries);
    print(&if arguments.json { serde_json::to_string_pretty(&report)? } else { report.in_a_table() })?;
    Ok(if report.failed() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The block files below `path`, by number where their names begin with one.
fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<(), CliError> {
    let named = |error: std::io::Error| format!("{}: {error}", path.display());
    if path.is_dir() {
        let mut entries: Vec<PathBuf> = std::fs::read_dir(path)
            .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect())
            .map_err(named)?;
        entries.sort_by_cached_key(|entry| (number(entry), entry.clone()));
        for entry in entries {
            if entry.is_dir() || is_block_file(&entry) {
                collect(&entry, files)?;
            }
        }
    } else {
        std::fs::metadata(path).map_err(named)?;
        files.push(path.to_owned());
    }
    Ok(())
}

fn is_block_file(path: &Path) -> bool {
    let name = path.to_string_lossy();
    name.ends_with(".json") || name.ends_with(".json.gz")
}

fn number(path: &Path) -> Option<u64> {
    let name = path.file_name()?.to_string_lossy();
    let digits = name.find(|character: char| !character.is_ascii_digit()).unwrap_or(name.len());
    name[..digits].parse().ok()
}
