//! `weft conformance`: TOS vector files, through the parallel path.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;
use weft_node::conformance::{Tally, VectorRunner};

use super::{CliError, ModeArgument, default_threads, progress_bar};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Vector files, or folders of them
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Worker threads
    #[arg(long, default_value_t = default_threads())]
    threads: usize,
    /// How the transactions are executed
    #[arg(long, value_enum, default_value_t = ModeArgument::Optimistic)]
    mode: ModeArgument,
    /// How often every vector is run
    #[arg(long, default_value_t = 1)]
    repeat: usize,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report<'a> {
    files: Vec<FileReport<'a>>,
    passed: usize,
    failed: usize,
    not_supported: usize,
}

#[derive(Serialize)]
struct FileReport<'a> {
    file: String,
    #[serde(flatten)]
    tally: &'a Tally,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, CliError> {
    let mut files = Vec::new();
    for path in &arguments.paths {
        collect(path, &mut files)?;
    }
    if files.is_empty() {
        return Err("no vector files there".into());
    }
    let mut runner = VectorRunner::new(arguments.mode.into(), arguments.threads);
    let bar = progress_bar(files.len() as u64, "vectors", arguments.json);
    let mut tallies = Vec::new();
    for file in files {
        let mut tally = runner.run_file(&file)?;
        for _ in 1..arguments.repeat {
            // A vector that fails once has failed.
            tally.merge(&runner.run_file(&file)?);
        }
        bar.inc(1);
        tallies.push((file, tally));
    }
    bar.finish_and_clear();

    let sum = |count: fn(&Tally) -> usize| tallies.iter().map(|(_, tally)| count(tally)).sum::<usize>();
    let (passed, failed) = (sum(|t| t.passed), sum(|t| t.failed.len()));
    let not_supported = sum(|t| t.not_supported.len());
    if arguments.json {
        let files = tallies.iter().map(|(file, tally)| FileReport { file: file.display().to_string(), tally });
        let report = Report { files: files.collect(), passed, failed, not_supported };
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        for (file, tally) in &tallies {
            print_file(file, tally);
        }
        println!();
        if not_supported > 0 {
            println!("{passed} passed, {failed} failed, {not_supported} skipped");
        } else {
            println!("{passed} passed, {failed} failed");
        }
    }
    if passed + failed + not_supported == 0 {
        return Err("the files hold no vectors".into());
    }
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print_file(file: &Path, tally: &Tally) {
    let mut line = format!("{}: {} passed", file.display(), tally.passed);
    if !tally.failed.is_empty() {
        line += &format!(", {} FAILED", tally.failed.len());
    }
    if !tally.not_supported.is_empty() {
        line += &format!(", {} not supported yet", tally.not_supported.len());
    }
    println!("{line}");
    for (name, reason) in &tally.failed {
        println!("    FAILED {name}: {reason}");
    }
    for (name, why) in &tally.not_supported {
        println!("    not supported: {name} ({why})");
    }
}

/// The JSON files below `path`, sorted.
fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<(), CliError> {
    let named = |error: std::io::Error| format!("{}: {error}", path.display());
    if path.is_dir() {
        let mut entries: Vec<PathBuf> = std::fs::read_dir(path)
            .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect())
            .map_err(named)?;
        entries.sort_unstable();
        for entry in entries {
            if entry.is_dir() || entry.extension().is_some_and(|extension| extension == "json") {
                collect(&entry, files)?;
            }
        }
    } else {
        std::fs::metadata(path).map_err(named)?;
        files.push(path.to_owned());
    }
    Ok(())
}
