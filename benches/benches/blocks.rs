//! Criterion over every workload and executor: for comparing two versions of the code. The ratios of the README come
//! from the report, which interleaves the executors.

use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use weft_benches::{WORKLOADS, block_sizes, ethereum};
use weft_engine::{Config, Mode, WorkerPool};
use weft_evm::{ParallelEvm, sequential};
use weft_ledger::rules::LedgerConfig;
use weft_ledger::{Hash, SignedTransaction};
use weft_node::chain::SnapshotReader;
use weft_node::executor::{
    BatchingExecutor, BlockExecutor, BlockInput, ExecutorSettings, OptimisticExecutor, SequentialExecutor, SharedState,
};
use weft_node::workload::WorkloadBuilder;
use weft_storage::{MemoryStore, StateStore, StateWriter};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Every executor on 2 workers, for a ledger.
fn executors(ledger: LedgerConfig) -> [(&'static str, Box<dyn BlockExecutor>); 5] {
    let settings = ExecutorSettings { ledger, ..ExecutorSettings::default() };
    let pool = Arc::new(WorkerPool::new(2));
    let optimistic = |threads| -> Box<dyn BlockExecutor> {
        let config = Config { mode: Mode::Optimistic, max_parallel_threads: threads, ..Config::default() };
        Box::new(OptimisticExecutor::with_pool(config, settings, Arc::clone(&pool)))
    };
    let published = BatchingExecutor::published(2, settings).expect("the runtime gets its threads");
    [
        ("sequential", Box::new(SequentialExecutor::new(settings))),
        ("published", Box::new(published)),
        ("pooled", Box::new(BatchingExecutor::pooled(2, settings, Arc::clone(&pool)))),
        ("optimistic-1", optimistic(1)),
        ("optimistic-2", optimistic(2)),
    ]
}

fn blocks(criterion: &mut Criterion) {
    for workload in WORKLOADS {
        let executors = executors(workload.ledger());
        for transactions in block_sizes(&workload) {
            let mut generator = WorkloadBuilder::new(workload).transactions(transactions).unsigned().build();
            let store = MemoryStore::new();
            let mut genesis = generator.genesis();
            genesis.sort_unstable_by_key(|entry| entry.0);
            store.initialise(&genesis, [0; 32]).expect("a fresh store takes its genesis");
            let state: SharedState = Arc::new(SnapshotReader(StateStore::snapshot(&store)));
            let block: Arc<[SignedTransaction]> = generator.next_transactions().into();
            let input = BlockInput { context: generator.context(), transactions: block, parent_digest: Hash([0; 32]) };
            let mut group = criterion.benchmark_group(format!("{workload}/{transactions}"));
            group.throughput(Throughput::Elements(transactions as u64)).sample_size(20);
            for (name, executor) in &executors {
                group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
                    bencher.iter(|| executor.execute(&input, &state).expect("the workload executes"));
                });
            }
            group.finish();
        }
    }
}

/// Ethereum on both sides, on blocks that need no contracts; `ethereum` measures all of them in full size.
fn ethereum_blocks(criterion: &mut Criterion) {
    let config = Config { mode: Mode::Optimistic, max_parallel_threads: 2, ..Config::default() };
    let weft = ParallelEvm::new(config);
    for workload in [ethereum::Workload::RawIndependent, ethereum::Workload::RawChain] {
        let block = workload.block(1000, 1).expect("ether needs no contracts");
        let mut group = criterion.benchmark_group(format!("ethereum/{workload}"));
        group.throughput(Throughput::Elements(1000)).sample_size(20);
        group.bench_function("lean", |bencher| {
            bencher.iter_with_large_drop(|| {
                sequential::execute(&block.env, &block.database, &block.transactions).expect("all are valid")
            });
        });
        group.bench_function("weft-2", |bencher| {
            bencher.iter_with_large_drop(|| {
                weft.execute(&block.env, &block.database, &block.transactions).expect("all are valid")
            });
        });
        group.finish();
    }
}

criterion_group!(benches, blocks, ethereum_blocks);
criterion_main!(benches);
