//! The import of a stream of signed blocks: decoding, signatures, execution and the durable commit of each.

use std::path::Path;
use std::sync::Arc;

use serde::Serialize;
use weft_engine::{Config, Mode, WorkerPool};
use weft_ledger::block::Block;
use weft_node::chain::{Chain, Genesis, ImportedBlock};
use weft_node::codec::{LedgerCodec, SCHEMA};
use weft_node::compare::median;
use weft_node::executor::{BlockExecutor, ExecutorSettings, OptimisticExecutor, SequentialExecutor, UNIT_LENGTH};
use weft_node::workload::{Workload, WorkloadBuilder};
use weft_storage::RedbStore;

use super::contest::{ContestError, Middle, Run, Stopwatch, middle};

/// What to measure.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The blocks.
    pub workload: Workload,
    /// Transactions of each.
    pub transactions: usize,
    /// How many blocks are imported one after another.
    pub blocks: usize,
    /// Threads of weft.
    pub threads: usize,
    /// Measured imports of the whole stream, into a new database each; at least one, after one that is not measured.
    pub repeat: usize,
    /// Seed of the workload.
    pub seed: u64,
}

/// What was measured.
#[derive(Debug, Clone, Serialize)]
pub struct Figures {
    /// The blocks.
    pub workload: String,
    /// Transactions of each.
    pub transactions: usize,
    /// How many they are.
    pub blocks: usize,
    /// Every way of importing them, sequential execution first.
    pub ways: Vec<Way>,
}

/// A way of importing a stream of blocks.
#[derive(Debug, Clone, Serialize)]
pub struct Way {
    /// What it is called.
    pub name: String,
    /// Of the whole stream.
    pub stream: Middle,
    /// Of a block, in milliseconds: decoding, checking signatures beforehand, execution, commit. They may overlap.
    pub parts: [f64; 4],
}

/// How blocks are imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Sequential,
    OneByOne,
    Overlapping,
}

impl Kind {
    fn name(self, threads: usize) -> String {
        match self {
            Self::Sequential => "sequential".to_owned(),
            Self::OneByOne => format!("weft, {threads} threads"),
            Self::Overlapping => format!("weft, {threads} threads, overlapping"),
        }
    }
}

/// Measures all ways beside each other, on databases in `folder`.
///
/// # Errors
/// [`ContestError`], above all where a result differs.
pub fn measure(plan: &Plan, folder: &Path) -> Result<Figures, ContestError> {
    let pool = Arc::new(WorkerPool::new(plan.threads));
    let builder = WorkloadBuilder::new(plan.workload).transactions(plan.transactions).seed(plan.seed);
    let mut generator = builder.pool(Arc::clone(&pool)).build();
    let genesis = generator.genesis();
    let blocks: Vec<Block> = (0..plan.blocks).map(|_| generator.next_block()).collect();
    let settings = ExecutorSettings { ledger: plan.workload.ledger(), ..ExecutorSettings::default() };
    let config =
        Config { mode: Mode::Auto, max_parallel_threads: plan.threads, unit_length: UNIT_LENGTH, ..Config::default() };
    let weft = OptimisticExecutor::with_pool(config, settings, pool).with_units_by_block();
    let (sequential, weft): (Arc<dyn BlockExecutor>, Arc<dyn BlockExecutor>) =
        (Arc::new(SequentialExecutor::new(settings)), Arc::new(weft));

    let kinds = [Kind::Sequential, Kind::OneByOne, Kind::Overlapping];
    let mut runs = kinds.map(|_| Vec::new());
    let mut parts = kinds.map(|_| Vec::new());
    let mut expected = None;
    for round in 0..=plan.repeat.max(1) {
        for (at, kind) in kinds.into_iter().enumerate() {
            let executor = if kind == Kind::Sequential { &sequential } else { &weft };
            let (run, imported) = import(kind, executor, &genesis, &blocks, folder)?;
            let expected = *expected.get_or_insert(run.digest);
            if run.digest != expected {
                let (what, contender) = (plan.workload.to_string(), kind.name(plan.threads));
                return Err(ContestError::Differs { what, contender, expected, got: run.digest });
            }
            if round > 0 {
                runs[at].push(run);
                parts[at].extend(imported);
            }
        }
    }
    let ways = kinds.into_iter().enumerate().map(|(at, kind)| {
        let of = |part: usize| median(parts[at].iter().map(|parts: &[f64; 4]| parts[part]).collect());
        Way { name: kind.name(plan.threads), stream: middle(&runs[at], &runs[0]), parts: [of(0), of(1), of(2), of(3)] }
    });
    let ways = ways.collect();
    let (workload, transactions) = (plan.workload.to_string(), plan.transactions);
    Ok(Figures { workload, transactions, blocks: plan.blocks, ways })
}

/// Imports all blocks into a new database. Counts bytes of the database file.
fn import(
    kind: Kind,
    executor: &Arc<dyn BlockExecutor>,
    genesis: &Genesis,
    blocks: &[Block],
    folder: &Path,
) -> Result<(Run, Vec<[f64; 4]>), ContestError> {
    let path = folder.join("import.redb");
    let store: RedbStore<_, _, LedgerCodec> = RedbStore::open(&path, SCHEMA)?;
    let chain = Chain::open(Arc::new(store), Box::new(Arc::clone(executor)))?;
    chain.initialise(genesis)?;
    let watch = Stopwatch::start();
    let imported: Vec<ImportedBlock> = match kind {
        Kind::Sequential | Kind::OneByOne => {
            blocks.iter().map(|block| chain.import(block)).collect::<Result<_, _>>()?
        }
        Kind::Overlapping => {
            let mut imported = Vec::with_capacity(blocks.len());
            chain.import_all(blocks, |block| imported.push(block))?;
            imported
        }
    };
    let bytes = std::fs::metadata(&path)?.len();
    let digest = weft_ledger::Hash(chain.view().head().digest);
    let run = watch.run(digest, bytes);
    drop(chain);
    std::fs::remove_file(path)?;
    let milliseconds = |imported: &ImportedBlock| {
        let costs = &imported.block.costs;
        [imported.decode, costs.signatures, costs.execution, imported.commit].map(|part| part.as_secs_f64() * 1e3)
    };
    Ok((run, imported.iter().map(milliseconds).collect()))
}
