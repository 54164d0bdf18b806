//! `weft conformance`: TOS vector files, through the parallel path.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;
use weft_node::conformance::{Tally, VectorRunner};

use super::{CliError, ModeArgument, default_threads, from_one_to, print, progress_bar, threads};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Vector files, or folders of them
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Worker threads
    #[arg(long, default_value_t = default_threads(), value_parser = threads())]
    threads: usize,
    /// How the transactions are executed
    #[arg(long, value_enum, default_value_t = ModeArgument::Optimistic)]
    mode: ModeArgument,
    /// How often every vector is run
    #[arg(long, default_value_t = 1, value_parser = from_one_to(1_000_000))]
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
        let paths: Vec<String> = arguments.paths.iter().map(|path| path.display().to_string()).collect();
        return Err(format!("{}: no vector files there", paths.join(", ")).into());
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
        print(&serde_json::to_string_pretty(&report)?)?;
    } else {
        let mut lines: Vec<String> = tallies.iter().flat_map(|(file, tally)| lines_of(file, tally)).collect();
        let skipped = if not_supported > 0 { format!(", {not_supported} skipped") } else { String::new() };
        lines.push(format!("\n{passed} passed, {failed} failed{skipped}"));
        print(&lines.join("\n"))?;
    }
    if passed + failed + not_supported == 0 {
        return Err("the files hold no vectors".into());
    }
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A line a file, and one for each vector that did not pass.
fn lines_of(file: &Path, tally: &Tally) -> Vec<String> {
    let mut line = format!("{}: {} passed", file.display(), tally.passed);
    if !tally.failed.is_empty() {
        line += &format!(", {} FAILED", tally.failed.len());
    }
    if !tally.not_supported.is_empty() {
        line += &format!(", {} not supported yet", tally.not_supported.len());
    }
    let mut lines = vec![line];
    lines.extend(tally.failed.iter().map(|(name, reason)| format!("    FAILED {name}: {reason}")));
    lines.extend(tally.not_supported.iter().map(|(name, why)| format!("    not supported: {name} ({why})")));
    lines
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
