//! `weft generate`: a chain of signed blocks, as a file.

use std::fs::File;
use std::io::BufWriter;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use weft_engine::WorkerPool;
use weft_ledger::block::BlockWriter;
use weft_node::workload::{CHAIN_ID, Workload, WorkloadBuilder};

use super::{CliError, default_threads, genesis, grouped, print, progress_bar, threads, transactions};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The file to write; the state that the chain begins with goes beside it, as FILE.genesis.json
    #[arg(long, short)]
    out: PathBuf,
    /// p2p-N, independent, shared-receiver, one-sender, zipf-N-EXPONENT, mixed-N,
    /// contract-independent[-ITERATIONS], contract-token-N, contract-pool[-HOT_PERCENT], contract-counter,
    /// contract-add or all-N, with N accounts
    #[arg(long, default_value = "p2p-1000")]
    workload: Workload,
    /// Blocks
    #[arg(long, default_value_t = 10)]
    blocks: u64,
    /// Transactions of each block
    #[arg(long, default_value_t = 2000, value_parser = transactions())]
    txs: usize,
    /// Seed of everything random: the same seed gives the same file
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Worker threads, for signing
    #[arg(long, default_value_t = default_threads(), value_parser = threads())]
    threads: usize,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, CliError> {
    let path = &arguments.out;
    let named = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let pool = Arc::new(WorkerPool::new(arguments.threads));
    let mut generator =
        WorkloadBuilder::new(arguments.workload).transactions(arguments.txs).seed(arguments.seed).pool(pool).build();
    let genesis = generator.genesis();

    // Under another name until it is whole: a file of that name is never half a chain.
    let mut draft = path.as_os_str().to_owned();
    draft.push(".partial");
    let draft = PathBuf::from(draft);
    let file = File::create(&draft).map_err(|error| named(&error))?;
    let mut writer = BlockWriter::new(BufWriter::new(file), CHAIN_ID).map_err(|error| named(&error))?;
    let bar = progress_bar(arguments.blocks, "blocks", arguments.json);
    for _ in 0..arguments.blocks {
        writer.write(&generator.next_block()).map_err(|error| named(&error))?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    let file = writer.finish().map_err(|error| named(&error))?;
    let file = file.into_inner().map_err(|error| named(&error))?;
    file.sync_all().map_err(|error| named(&error))?;
    // Only now: the genesis of an earlier file of that name stays with its chain until there is a new one.
    let genesis_path = genesis::beside(path);
    genesis::write(&genesis_path, &genesis, &arguments.workload.ledger())?;
    std::fs::rename(&draft, path).map_err(|error| named(&error))?;

    let transactions = arguments.blocks.saturating_mul(arguments.txs as u64);
    if arguments.json {
        let report = serde_json::json!({
            "file": path, "genesis": genesis_path, "workload": arguments.workload.to_string(),
            "blocks": arguments.blocks, "transactions": transactions,
        });
        print(&format!("{report:#}"))?;
    } else {
        print(&format!(
            "{}: {} blocks of {}, {} transactions in all; genesis in {}",
            path.display(),
            arguments.blocks,
            arguments.workload,
            grouped(transactions),
            genesis_path.display()
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}
