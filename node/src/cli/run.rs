//! `weft run`: the main job. A chain of blocks is executed on a database, beside sequential execution of the same.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use clap::Args;
use weft_engine::{Config, Mode, WorkerPool};
use weft_ledger::block::{Block, BlockReader};
use weft_ledger::contract::{ContractVm, Module, SbpfVm};
use weft_ledger::rules::LedgerConfig;
use weft_ledger::state::{Key, Value};
use weft_ledger::wire::{Era, Payload};
use weft_ledger::{Hash, SignedTransaction, hex};
use weft_node::chain::{Chain, ChainView, Genesis, SnapshotReader};
use weft_node::codec::{LedgerCodec, SCHEMA};
use weft_node::compare::median;
use weft_node::digest::genesis_digest;
use weft_node::executor::{
    BatchingExecutor, BlockExecutor, BlockInput, ExecutedBlock, ExecutorSettings, LONGEST_UNIT, OptimisticExecutor,
    SequentialExecutor, SharedState, UNIT_LENGTH,
};
use weft_node::workload::{Generator, Workload, WorkloadBuilder, block_id};
use weft_storage::{RedbStore, StateStore};

use super::rewards::RewardArguments;
use super::summary::{ASKED, Measured, Summary, Tally, in_a_table};
use super::{
    CliError, ModeArgument, default_threads, from_one_to, genesis, print, progress_bar, threads, transactions, up_to,
};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// A chain file (see `weft generate`); without one, blocks are generated
    #[arg(long)]
    file: Option<PathBuf>,
    /// The state that the chain file begins with; FILE.genesis.json if not given
    #[arg(long, requires = "file")]
    genesis: Option<PathBuf>,
    /// What to generate: p2p-N, independent, shared-receiver, one-sender, zipf-N-EXPONENT, mixed-N,
    /// contract-independent[-ITERATIONS], contract-token-N, contract-pool[-HOT_PERCENT], contract-counter,
    /// contract-add or all-N, with N accounts
    #[arg(long, default_value = "all-1000", conflicts_with = "file")]
    workload: Workload,
    /// Blocks to generate, or to take from the file at most (0: all of the file)
    #[arg(long, default_value_t = 10)]
    blocks: u64,
    /// Transactions of each generated block
    #[arg(long, default_value_t = 2000, value_parser = transactions(), conflicts_with = "file")]
    txs: usize,
    /// Seed of the generated chain
    #[arg(long, default_value_t = 1, conflicts_with = "file")]
    seed: u64,
    /// The database file; it is made if it does not exist, and continued if it does
    #[arg(long, default_value = "weft.redb")]
    db: PathBuf,
    /// Worker threads
    #[arg(long, default_value_t = default_threads(), value_parser = threads())]
    threads: usize,
    /// How blocks are executed
    #[arg(long, value_enum, default_value_t = ModeArgument::Auto)]
    mode: ModeArgument,
    /// How often each block is executed, on either path; the middle time counts
    #[arg(long, default_value_t = 1, value_parser = from_one_to(1_000_000))]
    repeat: usize,
    /// Transactions of a unit of speculation; if not given, 1 for blocks with more than 5 % contract calls, else 8
    #[arg(long, value_parser = from_one_to(1_000_000))]
    unit_length: Option<usize>,
    /// Threads that load what transactions are known to need, ahead of their parallel execution: for slow storage
    #[arg(long, value_name = "THREADS", default_value_t = 0, value_parser = up_to(1024))]
    prefetch: usize,
    #[command(flatten)]
    rewards: RewardArguments,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

/// Where the blocks come from.
enum Source {
    Generated(Box<Generator>),
    File { path: PathBuf, reader: Box<BlockReader<BufReader<File>>> },
}

impl Source {
    fn open(arguments: &Arguments, pool: &Arc<WorkerPool>) -> Result<(Self, Genesis, LedgerConfig), CliError> {
        let Some(path) = &arguments.file else {
            let generator = WorkloadBuilder::new(arguments.workload)
                .transactions(arguments.txs)
                .seed(arguments.seed)
                .pool(Arc::clone(pool))
                .build();
            let genesis = generator.genesis();
            return Ok((Self::Generated(Box::new(generator)), genesis, arguments.workload.ledger()));
        };
        let genesis_path = arguments.genesis.clone().unwrap_or_else(|| genesis::beside(path));
        let (genesis, ledger) = genesis::read(&genesis_path)?;
        let file = File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let reader = BlockReader::new(BufReader::new(file)).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok((Self::File { path: path.clone(), reader: Box::new(reader) }, genesis, ledger))
    }

    /// Goes on after the last block of the chain.
    fn resume(&mut self, view: &ChainView) -> Result<(), CliError> {
        match self {
            Self::Generated(generator) => Ok(generator.resume(view, view.last_id()?)?),
            // Blocks that the chain has are passed over as they are read.
            Self::File { .. } => Ok(()),
        }
    }

    fn next(&mut self, after: u64) -> Result<Option<Block>, CliError> {
        match self {
            Self::Generated(generator) => Ok(Some(generator.next_block())),
            Self::File { path, reader } => loop {
                let next = reader.next_block().map_err(|error| format!("{}: {error}", path.display()))?;
                match next {
                    Some((block, _)) if block.number <= after => {}
                    Some((block, _)) => return Ok(Some(block)),
                    None => return Ok(None),
                }
            },
        }
    }
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, CliError> {
    let start = Instant::now();
    let pool = Arc::new(WorkerPool::new(arguments.threads));
    let (mut source, genesis, ledger) = Source::open(arguments, &pool)?;
    let store: RedbStore<Key, Value, LedgerCodec> = RedbStore::open(&arguments.db, SCHEMA)?;
    let store: Arc<dyn StateStore<Key, Value>> = Arc::new(store);
    let settings = arguments.rewards.settings(ledger);
    let executor: Arc<dyn BlockExecutor> = executor(arguments, settings, &pool).into();
    let chain =
        Chain::open(store, Box::new(Arc::clone(&executor)))?.with_beneficiaries(arguments.rewards.beneficiaries());
    begin(&chain, &genesis, &arguments.db)?;
    compile(genesis.iter().filter_map(|(_, value)| match value {
        Value::Contract(module) => Some(module),
        _ => None,
    }));
    source.resume(&chain.view())?;
    let sequential = (arguments.mode != ModeArgument::Sequential).then(|| SequentialExecutor::new(settings));

    let mut summary = Summary {
        database: arguments.db.display().to_string(),
        executor: executor.name().to_owned(),
        threads: arguments.threads,
        first_block: chain.view().head().number + 1,
        ..Summary::default()
    };
    let mut tally = Tally::paying(arguments.rewards.paid());
    let wanted = if arguments.file.is_some() && arguments.blocks == 0 { u64::MAX } else { arguments.blocks };
    let bar = progress_bar(if wanted == u64::MAX { 0 } else { wanted }, "blocks", arguments.json);
    let mut blocks = Vec::new();
    while (blocks.len() as u64) < wanted {
        let Some(block) = source.next(chain.view().head().number)? else { break };
        let measured = one_block(&chain, &block, &*executor, sequential.as_ref(), arguments.repeat, &mut tally);
        blocks.push(measured.map_err(|error| match &arguments.file {
            Some(path) => format!("{}: {error}", path.display()).into(),
            None => error,
        })?);
        bar.inc(1);
    }
    bar.finish_and_clear();

    let view = chain.view();
    summary.last_block = view.head().number;
    summary.blocks = blocks.len() as u64;
    summary.block_digest = hex::encode(&view.head().digest);
    summary.state_digest = hex::encode(&view.state_digest()?.0);
    tally.complete(&blocks, &mut summary);
    summary.seconds = start.elapsed().as_secs_f64();
    if arguments.json {
        print(&serde_json::to_string_pretty(&summary)?)?;
    } else {
        print(&in_a_table(&summary))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn executor(arguments: &Arguments, settings: ExecutorSettings, pool: &Arc<WorkerPool>) -> Box<dyn BlockExecutor> {
    let optimistic = |mode| {
        let config = Config {
            mode,
            max_parallel_threads: arguments.threads,
            unit_length: arguments.unit_length.unwrap_or(UNIT_LENGTH),
            longest_unit: if arguments.unit_length.is_none() { LONGEST_UNIT } else { 1 },
            hottest_keys: ASKED,
            prefetch_threads: arguments.prefetch,
            ..Config::default()
        };
        let executor = OptimisticExecutor::with_pool(config, settings, Arc::clone(pool));
        Box::new(if arguments.unit_length.is_none() { executor.with_units_by_block() } else { executor })
    };
    match arguments.mode {
        ModeArgument::Sequential => Box::new(SequentialExecutor::new(settings)),
        ModeArgument::Batching => Box::new(BatchingExecutor::pooled(arguments.threads, settings, Arc::clone(pool))),
        ModeArgument::Optimistic => optimistic(Mode::Optimistic),
        ModeArgument::Auto => optimistic(Mode::Auto),
    }
}

/// Gives an empty database its genesis, and makes sure that another one holds the same chain.
fn begin(chain: &Chain, genesis: &Genesis, db: &Path) -> Result<(), CliError> {
    let view = chain.view();
    if view.is_empty() {
        return Ok(chain.initialise(genesis)?);
    }
    let expected = genesis_digest(genesis);
    let found = view.block(0)?.map(|record| Hash(record.digest));
    if found == Some(expected) {
        return Ok(());
    }
    Err(format!(
        "{}: the database holds another chain (its genesis has the digest {}, these blocks begin at {expected}); \
         choose another --db, or the workload and seed that it was made with",
        db.display(),
        found.map_or_else(|| "none".to_owned(), |digest| digest.to_string()),
    )
    .into())
}

/// Compiles contracts before anything is measured: the machine keeps what it has compiled, so that whichever path came
/// first would pay for all.
fn compile<'a>(modules: impl Iterator<Item = &'a Module>) {
    // That a module cannot be executed is for its calls to say.
    modules.for_each(|module| drop(SbpfVm::shared().check(module)));
}

/// What a block deploys.
fn modules(block: &Block, era: Era) -> Result<Vec<Module>, CliError> {
    let transactions = decode(block, era)?;
    let deployed = transactions.into_iter().filter_map(|signed| match &signed.transaction().payload {
        Payload::DeployContract(payload) => Some(payload.module.clone()),
        _ => None,
    });
    Ok(deployed.collect())
}

fn decode(block: &Block, era: Era) -> Result<Vec<SignedTransaction>, CliError> {
    Ok(block.decode_transactions_in(era).map_err(|error| format!("block {}: {error}", block.number))?)
}

/// Executes a block on both paths, compares, and only then commits it.
fn one_block(
    chain: &Chain,
    block: &Block,
    executor: &dyn BlockExecutor,
    sequential: Option<&SequentialExecutor>,
    repeat: usize,
    tally: &mut Tally,
) -> Result<Measured, CliError> {
    compile(modules(block, executor.era())?.iter());
    let view = chain.view();
    let state: SharedState = Arc::new(SnapshotReader(view.snapshot()));
    let input = || -> Result<BlockInput, CliError> {
        // Decoded anew for every run: what is known of signatures is remembered with the transaction.
        let transactions = decode(block, executor.era())?;
        let parent_digest = Hash(view.head().digest);
        let context = chain.context(block, block_id(block));
        Ok(BlockInput { context, transactions: transactions.into(), parent_digest })
    };
    let seconds = |executed: &ExecutedBlock| (executed.costs.signatures + executed.costs.execution).as_secs_f64();
    let (mut alone, mut together) = (Vec::new(), Vec::new());
    let mut expected = None;
    let mut agreed = |name: &str, digest: Hash| -> Result<Hash, CliError> {
        let expected = *expected.get_or_insert(digest);
        if digest == expected {
            return Ok(expected);
        }
        Err(format!("block {}: {name} gives the digest {digest}, expected {expected}", block.number).into())
    };
    let mut digest = None;
    for round in 0..repeat {
        if let Some(sequential) = sequential {
            let executed = sequential.execute(&input()?, &state)?;
            digest = Some(agreed(sequential.name(), executed.digest)?);
            alone.push(seconds(&executed));
        }
        // The last run is the import's.
        if round + 1 < repeat {
            let executed = executor.execute(&input()?, &state)?;
            digest = Some(agreed(executor.name(), executed.digest)?);
            together.push(seconds(&executed));
        }
    }
    let imported = match digest {
        Some(digest) => chain.import_expecting(block, digest)?,
        None => chain.import(block)?,
    };
    together.push(seconds(&imported.block));
    tally.compared += u64::from(sequential.is_some());
    tally.add(&imported.block);
    Ok(Measured {
        transactions: block.transactions.len() as u64,
        sequential: (!alone.is_empty()).then(|| median(alone)),
        parallel: median(together),
        commit: imported.commit.as_secs_f64(),
    })
}
