//! Workloads: chains of valid, signed blocks with a known amount of conflict. The same seed gives the same chain.
//!
//! Every block is drawn from a random stream of its own number, so that a generator can go on with a chain that it
//! finds on disk: what it has to know of the accounts it reads from there.

mod accounts;
mod all;
mod calls;
mod contracts;
mod deploys;
mod mining;
mod mixed;
mod name;

use std::sync::Arc;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha12Rng;
use rand_distr::{Distribution, Zipf};
use weft_engine::WorkerPool;
use weft_ledger::block::{Block, BlockWriter};
use weft_ledger::rules::BlockContext;
use weft_ledger::state::{Account, Key, Value};
use weft_ledger::wire::Transaction;
use weft_ledger::{Address, COIN, Hash, SignedTransaction};
use weft_storage::StorageError;

use crate::chain::{ChainView, Genesis};
use accounts::Accounts;
use all::Scene;
pub use name::{ITERATIONS, REPORTED, UnknownWorkload, Workload};

/// The chain that generated blocks belong to: the devnet.
pub const CHAIN_ID: u8 = 3;

/// What every account starts with, in atomic units.
const START_BALANCE: u64 = 1_000_000 * COIN;
/// Pays for every transaction that a workload makes.
const FEE: u64 = 100_000;

/// Makes a [`Generator`].
#[derive(Debug, Clone)]
pub struct WorkloadBuilder {
    workload: Workload,
    transactions: usize,
    seed: u64,
    signed: bool,
    pool: Option<Arc<WorkerPool>>,
}

impl WorkloadBuilder {
    /// Blocks of 1000 signed transactions, seed 1.
    #[must_use]
    pub fn new(workload: Workload) -> Self {
        Self { workload, transactions: 1000, seed: 1, signed: true, pool: None }
    }

    /// Transactions of each block.
    #[must_use]
    pub fn transactions(mut self, transactions: usize) -> Self {
        self.transactions = transactions;
        self
    }

    /// The seed of everything random.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Leaves signatures out, and marks the transactions as not to be checked: for measuring execution alone.
    #[must_use]
    pub fn unsigned(mut self) -> Self {
        self.signed = false;
        self
    }

    /// Makes keys and signatures on this pool.
    #[must_use]
    pub fn pool(mut self, pool: Arc<WorkerPool>) -> Self {
        self.pool = Some(pool);
        self
    }

    /// The generator, at the first block.
    #[must_use]
    pub fn build(self) -> Generator {
        let count = self.workload.accounts(self.transactions);
        let accounts = Accounts::new(count, self.seed, self.pool.as_deref());
        Generator { builder: self, accounts, number: 0, parent: Hash([0; 32]) }
    }
}

/// Gives the blocks of a chain, one after another.
#[derive(Debug)]
pub struct Generator {
    builder: WorkloadBuilder,
    accounts: Accounts,
    number: u64,
    parent: Hash,
}

impl Generator {
    /// The state that the chain begins with.
    #[must_use]
    pub fn genesis(&self) -> Genesis {
        let workload = self.builder.workload;
        let pays_with_energy = matches!(workload, Workload::Mixed { .. } | Workload::All { .. });
        let account = |address: Address| {
            let energy = if pays_with_energy { 1_000_000 } else { 0 };
            let account = Account { balance: START_BALANCE, energy, ..Account::default() };
            (Key::Account(address), Value::Account(account))
        };
        let mut genesis: Genesis = self.accounts.addresses().map(account).collect();
        match workload {
            Workload::All { .. } => calls::genesis(&self.accounts, &mut genesis),
            _ => contracts::genesis(workload, &self.accounts, &mut genesis),
        }
        genesis
    }

    /// The surroundings of the block that was made last.
    #[must_use]
    pub fn context(&self) -> BlockContext {
        let height = self.number.saturating_sub(1);
        let timestamp = match self.builder.workload {
            Workload::All { .. } => all::START + height * all::INTERVAL,
            _ => self.number,
        };
        BlockContext { chain_id: CHAIN_ID, height, timestamp, ..BlockContext::default() }
    }

    /// Goes on after the last block of a chain that was generated with the same settings.
    ///
    /// # Errors
    /// [`StorageError`] when the chain cannot be read.
    pub fn resume(&mut self, view: &ChainView, parent: Hash) -> Result<(), StorageError> {
        self.number = view.head().number;
        self.parent = parent;
        self.accounts.resume(view)
    }

    /// The next block, in the wire format.
    ///
    /// # Panics
    /// Never for the transactions that workloads make: all of them encode.
    pub fn next_block(&mut self) -> Block {
        let transactions = self.next_transactions();
        let wires = transactions.iter().map(|transaction| transaction.wire().to_vec().into()).collect();
        let block = Block {
            chain_id: CHAIN_ID,
            number: self.number,
            timestamp: self.context().timestamp,
            parent: self.parent,
            transactions: wires,
        };
        self.parent = block_id(&block);
        block
    }

    /// The transactions of the next block.
    ///
    /// # Panics
    /// Never for the transactions that workloads make: all of them encode.
    pub fn next_transactions(&mut self) -> Vec<SignedTransaction> {
        self.number += 1;
        let drafts = self.drafts();
        let signed = self.builder.signed;
        let accounts = &self.accounts;
        let finish = |draft: &Draft| {
            let mut transaction = if signed {
                let mut transaction = draft.transaction.clone();
                accounts.co_sign(draft, &mut transaction);
                SignedTransaction::sign(transaction, accounts.key(draft.source)).expect(SHORT_LISTS)
            } else {
                SignedTransaction::from_transaction(draft.transaction.clone()).expect(SHORT_LISTS)
            };
            if !signed {
                transaction.trust();
            }
            transaction
        };
        match &self.builder.pool {
            Some(pool) if signed => {
                let done: Vec<_> = drafts.iter().map(|_| std::sync::OnceLock::new()).collect();
                pool.for_each(pool.workers(), drafts.len(), 16, |at| {
                    let _first = done[at].set(finish(&drafts[at]));
                });
                done.into_iter()
                    .map(|slot| slot.into_inner().expect("the pool visits every index before it returns"))
                    .collect()
            }
            _ => drafts.iter().map(finish).collect(),
        }
    }

    fn drafts(&mut self) -> Vec<Draft> {
        let mut random = ChaCha12Rng::seed_from_u64(self.builder.seed ^ self.number.rotate_left(32));
        let (workload, transactions) = (self.builder.workload, self.builder.transactions);
        let zipf = match workload {
            // The law has a point for each account; both are checked where a workload is made.
            Workload::Zipf { accounts, exponent } => Zipf::new(accounts as f64, exponent).ok(),
            _ => None,
        };
        let accounts = self.accounts.len();
        let mut scene = Scene::new(self.context(), self.builder.seed);
        (0..transactions)
            .map(|at| {
                let (from, to) = match workload {
                    Workload::P2p { .. } => two_of(accounts, || random.random_range(0..accounts)),
                    Workload::Zipf { .. } => two_of(accounts, || match &zipf {
                        Some(zipf) => (zipf.sample(&mut random) as usize - 1).min(accounts - 1),
                        None => random.random_range(0..accounts),
                    }),
                    Workload::Independent => (at * 2, at * 2 + 1),
                    Workload::SharedReceiver => (at + 1, 0),
                    Workload::OneSender => (0, at + 1),
                    Workload::Mixed { .. } => {
                        return mixed::draft(&mut self.accounts, self.number - 1, &mut random);
                    }
                    Workload::All { .. } => return scene.draft(&mut self.accounts, at, &mut random),
                    Workload::ContractIndependent { .. }
                    | Workload::ContractToken { .. }
                    | Workload::ContractPool { .. }
                    | Workload::ContractCounter
                    | Workload::ContractAdd => {
                        return contracts::draft(workload, &mut self.accounts, at, &mut random);
                    }
                };
                let amount = random.random_range(1..1000);
                self.accounts.transfer(from, &[(to, amount)])
            })
            .collect()
    }
}

/// Why every transaction of a workload encodes.
const SHORT_LISTS: &str = "a workload's lists are short enough for the wire format's counts";

/// Two different accounts; the second is moved by one where the draw gives the same twice.
fn two_of(accounts: usize, mut draw: impl FnMut() -> usize) -> (usize, usize) {
    let from = draw();
    let to = draw();
    (from, if to == from { (to + 1) % accounts } else { to })
}

/// A transaction before it is signed.
#[derive(Debug)]
pub(crate) struct Draft {
    source: usize,
    /// Accounts that sign as participants of the source's multisig configuration, with their ids.
    co_signers: Vec<(u8, usize)>,
    transaction: Transaction,
}

/// The id of a block: its checksum in a chain file, which its successor names as parent.
///
/// # Panics
/// Never for a block with a number and transactions within the limits of the file format.
#[must_use]
pub fn block_id(block: &Block) -> Hash {
    let id = BlockWriter::new(std::io::sink(), block.chain_id).and_then(|mut writer| writer.write(block));
    id.expect("a generated block is within the limits of the file format")
}
