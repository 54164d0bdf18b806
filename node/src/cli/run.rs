//! `weft run`: the main job. A chain of blocks is executed on a database, beside sequential execution of the same.

use std::collections::HashMap;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use serde::Serialize;
use weft_engine::{Config, Mode, WorkerPool};
use weft_ledger::block::{Block, BlockReader};
use weft_ledger::state::{Key, Value};
use weft_ledger::{Hash, hex};
use weft_node::chain::{Chain, ChainView, Genesis, SnapshotReader};
use weft_node::codec::{LedgerCodec, SCHEMA};
use weft_node::compare::median;
use weft_node::executor::{
    BatchingExecutor, BlockExecutor, BlockInput, ExecutedBlock, OptimisticExecutor, SequentialExecutor, SharedState,
    UNIT_LENGTH,
};
use weft_node::workload::{Generator, Workload, WorkloadBuilder, block_id};
use weft_storage::{RedbStore, StateStore};

use super::rewards::{Paid, RewardArguments};
use super::{
    CliError, ModeArgument, default_threads, from_one_to, genesis, grouped, print, progress_bar, table, threads,
    transactions,
};

/// Keys that the summary names.
const HOTTEST: usize = 3;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// A chain file (see `weft generate`); without one, blocks are generated
    #[arg(long)]
    file: Option<PathBuf>,
    /// The state that the chain file begins with; FILE.genesis.json if not given
    #[arg(long, requires = "file")]
    genesis: Option<PathBuf>,
    /// What to generate: p2p-N, independent, shared-receiver, one-sender, zipf-N-EXPONENT or mixed-N, with N accounts
    #[arg(long, default_value = "p2p-1000", conflicts_with = "file")]
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
    /// Transactions of a unit of speculation
    #[arg(long, default_value_t = UNIT_LENGTH, value_parser = from_one_to(1_000_000))]
    unit_length: usize,
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
    fn open(arguments: &Arguments, pool: &Arc<WorkerPool>) -> Result<(Self, Genesis), CliError> {
        let Some(path) = &arguments.file else {
            let generator = WorkloadBuilder::new(arguments.workload)
                .transactions(arguments.txs)
                .seed(arguments.seed)
                .pool(Arc::clone(pool))
                .build();
            let genesis = generator.genesis();
            return Ok((Self::Generated(Box::new(generator)), genesis));
        };
        let genesis_path = arguments.genesis.clone().unwrap_or_else(|| genesis::beside(path));
        let genesis = genesis::read(&genesis_path)?;
        let file = File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let reader = BlockReader::new(BufReader::new(file)).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok((Self::File { path: path.clone(), reader: Box::new(reader) }, genesis))
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

/// What was measured of one block.
struct Measured {
    transactions: u64,
    sequential: Option<f64>,
    parallel: f64,
    commit: f64,
}

#[derive(Default, Serialize)]
struct Summary {
    database: String,
    executor: String,
    threads: usize,
    first_block: u64,
    last_block: u64,
    blocks: u64,
    transactions: u64,
    /// Signatures and execution.
    transactions_per_second: f64,
    /// Signatures, execution and durable commit.
    imported_per_second: f64,
    /// Signatures and execution, one after another.
    sequential_per_second: Option<f64>,
    speed_up: Option<f64>,
    executions_per_transaction: f64,
    validations_per_transaction: f64,
    cores: f64,
    hottest_keys: Vec<(String, usize)>,
    /// Only where blocks are rewarded.
    #[serde(skip_serializing_if = "Option::is_none")]
    rewards: Option<Paid>,
    block_digest: String,
    state_digest: String,
    equal_to_sequential: Option<bool>,
    seconds: f64,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, CliError> {
    let start = Instant::now();
    let pool = Arc::new(WorkerPool::new(arguments.threads));
    let (mut source, genesis) = Source::open(arguments, &pool)?;
    let store: RedbStore<Key, Value, LedgerCodec> = RedbStore::open(&arguments.db, SCHEMA)?;
    let store: Arc<dyn StateStore<Key, Value>> = Arc::new(store);
    let executor: Arc<dyn BlockExecutor> = executor(arguments, &pool).into();
    let chain =
        Chain::open(store, Box::new(Arc::clone(&executor)))?.with_beneficiaries(arguments.rewards.beneficiaries());
    begin(&chain, &genesis, &arguments.db)?;
    source.resume(&chain.view())?;
    let sequential =
        (arguments.mode != ModeArgument::Sequential).then(|| SequentialExecutor::new(arguments.rewards.settings()));

    let mut summary = Summary {
        database: arguments.db.display().to_string(),
        executor: executor.name().to_owned(),
        threads: arguments.threads,
        first_block: chain.view().head().number + 1,
        ..Summary::default()
    };
    let mut tally = Tally { paid: arguments.rewards.paid(), ..Tally::default() };
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

fn executor(arguments: &Arguments, pool: &Arc<WorkerPool>) -> Box<dyn BlockExecutor> {
    let settings = arguments.rewards.settings();
    let optimistic = |mode| {
        let config = Config {
            mode,
            max_parallel_threads: arguments.threads,
            unit_length: arguments.unit_length,
            hottest_keys: HOTTEST * 4,
            ..Config::default()
        };
        Box::new(OptimisticExecutor::with_pool(config, settings, Arc::clone(pool)))
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
    let expected = weft_ledger::state_digest(&genesis.iter().cloned().collect());
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

/// Executes a block on both paths, compares, and only then commits it.
fn one_block(
    chain: &Chain,
    block: &Block,
    executor: &dyn BlockExecutor,
    sequential: Option<&SequentialExecutor>,
    repeat: usize,
    tally: &mut Tally,
) -> Result<Measured, CliError> {
    let view = chain.view();
    let state: SharedState = Arc::new(SnapshotReader(view.snapshot()));
    let input = || -> Result<BlockInput, CliError> {
        // Decoded anew for every run: what is known of signatures is remembered with the transaction.
        let transactions =
            block.decode_transactions_in(executor.era()).map_err(|error| format!("block {}: {error}", block.number))?;
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

/// Sums over the blocks.
#[derive(Default)]
struct Tally {
    compared: u64,
    executions: u64,
    validations: u64,
    cpu: Duration,
    wall: Duration,
    keys: HashMap<Key, usize>,
    paid: Option<Paid>,
}

impl Tally {
    fn add(&mut self, block: &ExecutedBlock) {
        let metrics = &block.costs.metrics;
        // The engine counts units; a unit's transactions are executed together.
        let per_unit = metrics.transactions as f64 / metrics.units.max(1) as f64;
        self.executions += (metrics.executions as f64 * per_unit) as u64;
        self.validations += (metrics.validations as f64 * per_unit) as u64;
        if let Some(paid) = &mut self.paid {
            paid.add(&block.totals);
        }
        self.cpu += block.costs.cpu;
        self.wall += block.costs.signatures + block.costs.execution;
        for (key, writers) in &metrics.hottest_keys {
            *self.keys.entry(*key).or_default() += writers;
        }
    }

    fn complete(self, blocks: &[Measured], summary: &mut Summary) {
        let sum = |part: fn(&Measured) -> f64| blocks.iter().map(part).sum::<f64>();
        summary.transactions = blocks.iter().map(|block| block.transactions).sum();
        let count = summary.transactions as f64;
        let parallel = sum(|block| block.parallel);
        // Of no blocks there are no rates: 0, since JSON knows no NaN.
        let rate = |amount: f64, of: f64| if of > 0.0 { amount / of } else { 0.0 };
        summary.transactions_per_second = rate(count, parallel);
        summary.imported_per_second = rate(count, parallel + sum(|block| block.commit));
        if !blocks.is_empty() && blocks.iter().all(|block| block.sequential.is_some()) {
            let sequential = sum(|block| block.sequential.unwrap_or_default());
            summary.sequential_per_second = Some(rate(count, sequential));
            summary.speed_up = Some(rate(sequential, parallel));
            summary.equal_to_sequential = Some(self.compared == summary.blocks);
        }
        summary.executions_per_transaction = rate(self.executions as f64, count);
        summary.validations_per_transaction = rate(self.validations as f64, count);
        summary.cores = rate(self.cpu.as_secs_f64(), self.wall.as_secs_f64());
        summary.rewards = self.paid;
        let mut keys: Vec<_> = self.keys.into_iter().collect();
        keys.sort_unstable_by_key(|(key, writers)| (std::cmp::Reverse(*writers), *key));
        keys.truncate(HOTTEST);
        summary.hottest_keys = keys.into_iter().map(|(key, writers)| (name(&key), writers)).collect();
    }
}

fn name(key: &Key) -> String {
    match key {
        Key::Counter(counter) => format!("counter {counter:?}"),
        Key::Account(address) => format!("account {}…", &hex::encode(&address.0)[..16]),
        Key::Energy(address) => format!("energy of {}…", &hex::encode(&address.0)[..16]),
        Key::Multisig(address) => format!("multisig of {}…", &hex::encode(&address.0)[..16]),
        Key::Storage(slot) => format!("storage {}…", &hex::encode(&slot.0)[..16]),
        Key::Contract(id) => format!("contract {}…", &hex::encode(&id.0)[..16]),
        Key::Miner(address) => format!("miner {}…", &hex::encode(&address.0)[..16]),
        Key::MiningTask(id) => format!("task {}…", &hex::encode(&id.0)[..16]),
        Key::PendingCredit(address) => format!("credits of {}…", &hex::encode(&address.0)[..16]),
    }
}

fn in_a_table(summary: &Summary) -> String {
    if summary.blocks == 0 {
        return format!("{}: nothing to do; the chain ends at block {}", summary.database, summary.last_block);
    }
    let per_second = |rate: f64| format!("{} transactions/s", grouped(rate as u64));
    let mut pairs = vec![
        ("database", summary.database.clone()),
        (
            "blocks",
            format!(
                "{} to {}: {} transactions",
                grouped(summary.first_block),
                grouped(summary.last_block),
                grouped(summary.transactions)
            ),
        ),
        ("executed by", format!("{}, {} threads, {:.2} cores busy", summary.executor, summary.threads, summary.cores)),
        ("signatures and execution", per_second(summary.transactions_per_second)),
    ];
    if let Some(rate) = summary.sequential_per_second {
        pairs.push(("the same, sequentially", per_second(rate)));
    }
    if let Some(speed_up) = summary.speed_up {
        pairs.push(("speed-up over sequential", format!("{speed_up:.2} ×")));
    }
    pairs.push(("with durable commit", per_second(summary.imported_per_second)));
    pairs.push(("executions per transaction", format!("{:.3}", summary.executions_per_transaction)));
    if summary.validations_per_transaction > 0.0 {
        pairs.push(("validations per transaction", format!("{:.3}", summary.validations_per_transaction)));
    }
    for (at, (key, writers)) in summary.hottest_keys.iter().enumerate() {
        let label = if at == 0 { "hottest keys" } else { "" };
        pairs.push((label, format!("{key}  written by {} units", grouped(*writers as u64))));
    }
    pairs.extend(summary.rewards.iter().flat_map(Paid::rows));
    pairs.push(("digest of the chain", summary.block_digest.clone()));
    pairs.push(("digest of the state", summary.state_digest.clone()));
    if let Some(equal) = summary.equal_to_sequential {
        let verdict = if equal { "yes, in every block" } else { "NO" };
        pairs.push(("parallel = sequential", verdict.to_owned()));
    }
    pairs.push(("in all", format!("{:.1} s", summary.seconds)));
    table::of_pairs(&pairs).to_string()
}
