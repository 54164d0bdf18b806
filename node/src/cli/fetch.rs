//! `weft fetch`: block files from a node.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use tokio::runtime;
use weft_node::ethereum::chain::Fork;
use weft_node::ethereum::fetch::{FetchSettings, Fetched, Fetcher};

use super::{CliError, grouped, print, progress_bar};

/// What a shell expects of a program that was interrupted.
const INTERRUPTED: u8 = 130;

/// More blocks are a mistake in a range.
const MOST_BLOCKS: u64 = 1_000_000;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Numbers, ranges like 100..110 or 100-110 with both ends, or latest
    #[arg(required = true, value_name = "BLOCK")]
    blocks: Vec<Blocks>,
    /// The node: an http or https URL
    #[arg(long, value_name = "URL")]
    rpc: String,
    /// The folder that files are written to, as NUMBER.json.gz
    #[arg(long, short, default_value = ".", value_name = "FOLDER")]
    out: PathBuf,
    /// Does not compress: NUMBER.json
    #[arg(long)]
    plain: bool,
    /// Fetches blocks whose file is there again
    #[arg(long)]
    overwrite: bool,
    /// The fork that the blocks are of, on any chain but mainnet: london, shanghai, cancun, prague, osaka
    #[arg(long, value_name = "NAME")]
    fork: Option<Fork>,
    /// Does not ask the node's tracer for the state, but asks for each account and slot
    #[arg(long)]
    no_trace: bool,
    /// How often a request that was interrupted or put off is repeated
    #[arg(long, default_value_t = 5, value_name = "N", value_parser = clap::value_parser!(u32).range(..=100))]
    retries: u32,
    /// How long the node may take to answer a request
    #[arg(long, default_value_t = 60, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    timeout: u64,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

/// One argument's blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Blocks {
    Range { first: u64, last: u64 },
    Latest,
}

impl FromStr for Blocks {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |digits: &str| {
            // Only digits: u64's own parser takes a sign.
            let digits = if digits.bytes().all(|byte| byte.is_ascii_digit()) { digits } else { "" };
            digits.parse::<u64>().map_err(|_| "neither a number, nor a range A..B or A-B, nor latest".to_owned())
        };
        if text == "latest" {
            return Ok(Self::Latest);
        }
        let (first, last) = match text.split_once("..").or_else(|| text.split_once('-')) {
            Some((first, last)) => (number(first)?, number(last)?),
            None => (number(text)?, number(text)?),
        };
        if first > last {
            return Err(format!("the range ends ahead of its beginning: {first} is more than {last}"));
        }
        if last - first >= MOST_BLOCKS {
            return Err(format!("more than {} blocks", grouped(MOST_BLOCKS)));
        }
        Ok(Self::Range { first, last })
    }
}

/// What has become of a block.
struct Outcome {
    block: u64,
    path: PathBuf,
    /// None where the file was there before.
    fetched: Option<Fetched>,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, CliError> {
    std::fs::create_dir_all(&arguments.out).map_err(|error| format!("{}: {error}", arguments.out.display()))?;
    let runtime = runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let result = runtime.block_on(unless_interrupted(fetch_all(arguments)));
    // An execution that waits for the node is not waited for.
    runtime.shutdown_background();
    match result {
        Some(outcomes) => {
            report(arguments, &outcomes?)?;
            Ok(ExitCode::SUCCESS)
        }
        None => {
            eprintln!("weft: interrupted: what was written is whole");
            Ok(ExitCode::from(INTERRUPTED))
        }
    }
}

/// Nothing where Ctrl-C comes first. A file is written between two points at which that is looked at, so that there is never
/// a part of one.
async fn unless_interrupted<T>(work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        done = work => Some(done),
        Ok(()) = tokio::signal::ctrl_c() => None,
    }
}

async fn fetch_all(arguments: &Arguments) -> Result<Vec<Outcome>, CliError> {
    let settings = FetchSettings {
        retries: arguments.retries,
        timeout: Duration::from_secs(arguments.timeout),
        trace: !arguments.no_trace,
        fork: arguments.fork,
        ..FetchSettings::default()
    };
    let fetcher = Fetcher::connect(&arguments.rpc, &settings).await?;
    let mut numbers: Vec<u64> = Vec::new();
    for blocks in &arguments.blocks {
        match *blocks {
            Blocks::Range { first, last } => numbers.extend(first..=last),
            Blocks::Latest => numbers.push(fetcher.latest().await?),
        }
    }
    let bar = progress_bar(numbers.len() as u64, "blocks", arguments.json);
    let mut outcomes = Vec::with_capacity(numbers.len());
    for block in numbers {
        bar.set_message(block.to_string());
        let path = path_of(&arguments.out, block, arguments.plain);
        let fetched = if path.exists() && !arguments.overwrite {
            None
        } else {
            let fetched = fetcher.fetch(block).await?;
            fetched.file.write(&path)?;
            Some(fetched)
        };
        outcomes.push(Outcome { block, path, fetched });
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(outcomes)
}

fn path_of(folder: &Path, block: u64, plain: bool) -> PathBuf {
    folder.join(if plain { format!("{block}.json") } else { format!("{block}.json.gz") })
}

fn report(arguments: &Arguments, outcomes: &[Outcome]) -> Result<(), CliError> {
    if arguments.json {
        let blocks: Vec<_> = outcomes
            .iter()
            .map(|Outcome { block, path, fetched }| match fetched {
                None => serde_json::json!({ "block": block, "file": path, "skipped": true }),
                Some(fetched) => serde_json::json!({
                    "block": block, "file": path, "skipped": false,
                    "transactions": fetched.file.block.transactions.len(),
                    "accounts": fetched.file.prestate.len(),
                    "slots": slots(fetched), "requests": fetched.requests, "traced": fetched.traced,
                }),
            })
            .collect();
        return print(&serde_json::to_string_pretty(&blocks)?);
    }
    let lines: Vec<String> = outcomes
        .iter()
        .map(|Outcome { path, fetched, .. }| match fetched {
            None => format!("{}: is there already, and kept", path.display()),
            Some(fetched) => format!(
                "{}: {} transactions, {} accounts, {} slots; {} requests{}",
                path.display(),
                grouped(fetched.file.block.transactions.len() as u64),
                grouped(fetched.file.prestate.len() as u64),
                grouped(slots(fetched)),
                grouped(fetched.requests),
                if fetched.traced { ", with the node's tracer" } else { "" }
            ),
        })
        .collect();
    print(&lines.join("\n"))
}

fn slots(fetched: &Fetched) -> u64 {
    fetched.file.prestate.values().map(|account| account.storage.len() as u64).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(text: &str) -> Result<Blocks, String> {
        text.parse()
    }

    #[test]
    fn blocks_are_numbers_ranges_with_both_ends_or_the_latest() {
        assert_eq!(blocks("17"), Ok(Blocks::Range { first: 17, last: 17 }));
        assert_eq!(blocks("17..19"), Ok(Blocks::Range { first: 17, last: 19 }));
        assert_eq!(blocks("17-17"), Ok(Blocks::Range { first: 17, last: 17 }));
        assert_eq!(blocks("latest"), Ok(Blocks::Latest));
    }

    #[test]
    fn what_is_no_block_is_refused_with_a_reason() {
        for text in ["", "0x11", "-5", "5-", "..", "5...6", "+5", "1..2..3", "99999999999999999999", "Latest"] {
            let error = blocks(text).unwrap_err();
            assert_eq!(error, "neither a number, nor a range A..B or A-B, nor latest", "{text}");
        }
        assert_eq!(blocks("19..17").unwrap_err(), "the range ends ahead of its beginning: 19 is more than 17");
        assert_eq!(blocks("0..1000000").unwrap_err(), "more than 1,000,000 blocks");
        assert_eq!(blocks("0..18446744073709551615").unwrap_err(), "more than 1,000,000 blocks");
    }
}
