//! Which form of plain revm is the fastest, and so the baseline: `lean [--scale N] [--repeat N] [WORKLOAD...]` prints
//! the CPU time that each takes, which other work on the machine disturbs less than it does wall-clock time.

#![expect(clippy::print_stdout, reason = "an example prints")]

use std::error::Error;
use std::time::Duration;

use clap::Parser;
use comfy_table::Table;
use comfy_table::presets::ASCII_MARKDOWN;
use revm::bytecode::Bytecode;
use revm::context::TxEnv;
use revm::context::result::ExecutionResult;
use revm::database::states::bundle_state::BundleRetention;
use revm::database::{CacheDB, State};
use revm::database_interface::{DatabaseCommit, DatabaseRef, WrapDatabaseRef};
use revm::primitives::{Address, AddressMap, B256, U256};
use revm::state::{Account, AccountInfo};
use revm::{Context, Database, ExecuteCommitEvm, ExecuteEvm, MainBuilder, MainContext};
use rustix::time::{ClockId, clock_gettime};
use weft_benches::allocator::{self, Allocator};
use weft_benches::ethereum::database::MissingError;
use weft_benches::ethereum::{Block, MemoryDatabase, Workload};
use weft_evm::sequential;
use weft_node::compare::median;

#[global_allocator]
static ALLOCATOR: Allocator = allocator::ALLOCATOR;

/// Measures the forms of plain revm.
#[derive(Debug, Parser)]
struct Arguments {
    /// Only these workloads
    workloads: Vec<Workload>,
    /// Measured runs of each form
    #[arg(long, default_value_t = 9)]
    repeat: usize,
    /// Blocks of this many times the field's number of transactions
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
}

/// Executes a block and forgets it; gives the CPU time until all results and the final state are there.
type Form = fn(&Block) -> Result<Duration, Box<dyn Error>>;

const FORMS: [(&str, Form); 6] = [
    ("journal", journal),
    ("journal, reserved", journal_reserved),
    ("CacheDB, a commit each", cache_db),
    ("State, a commit each", |block| state(block, false)),
    ("State, with bundle", |block| state(block, true)),
    ("own map, a commit each", own_map),
];

fn now() -> Duration {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0))
}

/// The journal is the cache.
fn journal(block: &Block) -> Result<Duration, Box<dyn Error>> {
    let start = now();
    let executed = sequential::execute(&block.env, &block.database, &block.transactions)?;
    let taken = now() - start;
    drop(executed);
    Ok(taken)
}

/// The same, with room for an account a transaction from the beginning.
fn journal_reserved(block: &Block) -> Result<Duration, Box<dyn Error>> {
    let transactions = block.transactions.clone();
    let start = now();
    let mut evm = Context::mainnet()
        .with_db(WrapDatabaseRef(&block.database))
        .with_cfg(block.env.cfg_env.clone())
        .with_block(block.env.block_env.clone())
        .build_mainnet();
    evm.ctx.journaled_state.inner.state.reserve(transactions.len());
    let mut results = Vec::with_capacity(transactions.len());
    for transaction in transactions {
        results.push(evm.transact_one(transaction)?);
    }
    let state = evm.finalize();
    let taken = now() - start;
    drop((results, state));
    Ok(taken)
}

fn committed<DB>(
    database: &mut DB,
    block: &Block,
    transactions: Vec<TxEnv>,
) -> Result<Vec<ExecutionResult>, Box<dyn Error>>
where
    DB: Database<Error: std::error::Error + 'static> + DatabaseCommit,
{
    let mut evm = Context::mainnet()
        .with_db(database)
        .with_cfg(block.env.cfg_env.clone())
        .with_block(block.env.block_env.clone())
        .build_mainnet();
    let mut results = Vec::with_capacity(transactions.len());
    for transaction in transactions {
        results.push(evm.transact_commit(transaction)?);
    }
    Ok(results)
}

/// Every transaction's changes go into a cache over the database.
fn cache_db(block: &Block) -> Result<Duration, Box<dyn Error>> {
    let transactions = block.transactions.clone();
    let start = now();
    let mut database = CacheDB::new(&block.database);
    let results = committed(&mut database, block, transactions)?;
    let taken = now() - start;
    drop((results, database));
    Ok(taken)
}

/// What reth executes on: a cache that also keeps, if asked, what every block has changed.
fn state(block: &Block, bundle: bool) -> Result<Duration, Box<dyn Error>> {
    let transactions = block.transactions.clone();
    let start = now();
    let builder = State::builder().with_database_ref(&block.database);
    let mut database = if bundle { builder.with_bundle_update().build() } else { builder.build() };
    let results = committed(&mut database, block, transactions)?;
    if bundle {
        database.merge_transitions(BundleRetention::Reverts);
    }
    let taken = now() - start;
    drop((results, database));
    Ok(taken)
}

/// A cache that is nothing but a map of what the journal gives.
struct OwnMap<'a> {
    database: &'a MemoryDatabase,
    accounts: AddressMap<Account>,
}

fn own_map(block: &Block) -> Result<Duration, Box<dyn Error>> {
    let transactions = block.transactions.clone();
    let start = now();
    let mut database = OwnMap { database: &block.database, accounts: AddressMap::default() };
    let results = committed(&mut database, block, transactions)?;
    let taken = now() - start;
    drop((results, database));
    Ok(taken)
}

impl Database for OwnMap<'_> {
    type Error = MissingError;

    fn basic(&mut self, address: Address) -> Result<Option<AccountInfo>, Self::Error> {
        match self.accounts.get(&address) {
            Some(account) => Ok((!account.is_empty()).then(|| account.info.clone())),
            None => self.database.basic_ref(address),
        }
    }

    fn code_by_hash(&mut self, hash: B256) -> Result<Bytecode, Self::Error> {
        DatabaseRef::code_by_hash_ref(self.database, hash)
    }

    fn storage(&mut self, address: Address, slot: U256) -> Result<U256, Self::Error> {
        match self.accounts.get(&address).and_then(|account| account.storage.get(&slot)) {
            Some(value) => Ok(value.present_value),
            None => DatabaseRef::storage_ref(self.database, address, slot),
        }
    }

    fn block_hash(&mut self, number: u64) -> Result<B256, Self::Error> {
        DatabaseRef::block_hash_ref(self.database, number)
    }
}

impl DatabaseCommit for OwnMap<'_> {
    fn commit(&mut self, changes: AddressMap<Account>) {
        for (address, account) in changes {
            match self.accounts.get_mut(&address) {
                Some(known) => {
                    known.info = account.info;
                    known.storage.extend(account.storage);
                }
                None => {
                    self.accounts.insert(address, account);
                }
            }
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let all = [Workload::RawIndependent, Workload::RawRandom, Workload::Erc20Independent, Workload::UniswapIndependent];
    let workloads = if arguments.workloads.is_empty() { &all[..] } else { &arguments.workloads };
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN);
    let mut header = vec!["CPU ms, middle (least)".to_owned(), "txs".to_owned()];
    header.extend(FORMS.iter().map(|(name, _)| (*name).to_owned()));
    table.set_header(header);
    for workload in workloads {
        let block = workload.block((workload.field_size() as f64 * arguments.scale).ceil() as usize, 1)?;
        let mut times = vec![Vec::new(); FORMS.len()];
        for round in 0..=arguments.repeat {
            for ((_, form), times) in FORMS.iter().zip(&mut times) {
                let taken = form(&block)?.as_secs_f64() * 1e3;
                if round > 0 {
                    times.push(taken);
                }
            }
        }
        let mut row = vec![block.name.clone(), block.transactions.len().to_string()];
        row.extend(times.into_iter().map(|times| {
            let least = times.iter().copied().fold(f64::INFINITY, f64::min);
            format!("{:.1} ({least:.1})", median(times))
        }));
        table.add_row(row);
    }
    println!("allocator {}\n{table}", allocator::NAME);
    Ok(())
}
