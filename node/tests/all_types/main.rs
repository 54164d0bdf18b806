//! Random blocks over all types of transactions, valid and invalid mixed, on few accounts and contracts: every executor
//! gives the same receipts, changes, digest and end. `PROPTEST_CASES` says how many.

#[path = "../common/mod.rs"]
mod common;
mod coverage;
mod generator;
mod world;

use std::sync::Arc;
use std::time::Duration;

use common::*;
use generator::{Action, actions};
use proptest::prelude::*;
use weft_engine::{BlockPolicy, Config, Mode, OnRejected};
use weft_ledger::SignedTransaction;
use weft_ledger::rules::{BlockContext, ContractIds, CreditVisibility, LedgerConfig, RewardOrder};
use weft_node::dag::DagExecutor;
use weft_node::executor::{
    BatchingExecutor, BlockExecutor, ExecutorSettings, OptimisticExecutor, SequentialExecutor, SharedState,
};
use weft_storage::LatencyReader;
use world::World;

/// What a block is executed under.
#[derive(Debug, Clone, Copy)]
struct Case {
    settings: ExecutorSettings,
    context: BlockContext,
    near_the_end: bool,
    /// Failing transactions before this one are left out, so that not every block is rejected at once.
    clean_until: usize,
    slow: bool,
}

fn case() -> impl Strategy<Value = Case> {
    let policy = prop_oneof![3 => Just(OnRejected::SkipInvalid), 2 => Just(OnRejected::RejectBlock)];
    let gas_limit = prop_oneof![9 => Just(None), 1 => (0..200_000_u64).prop_map(Some)];
    let rewards = prop_oneof![Just(None), Just(Some(RewardOrder::Before)), Just(Some(RewardOrder::After))];
    let switches = (any::<bool>(), any::<bool>(), any::<bool>(), prop::bool::weighted(0.2), prop::bool::weighted(0.1));
    let clean_until = prop_oneof![Just(0), 0..40_usize, Just(usize::MAX)];
    (policy, gas_limit, rewards, switches, (1..=10_u64, 1..=10_u64), clean_until).prop_map(
        |(on_rejected, gas_limit, rewards, switches, (miner, developer), clean_until)| {
            let (deferred, by_deployer, fee_counter, near_the_end, slow) = switches;
            let ledger = LedgerConfig {
                credit_visibility: if deferred { CreditVisibility::Deferred } else { CreditVisibility::Immediate },
                fee_counter,
                rewards,
                contract_ids: if by_deployer { ContractIds::Deployer } else { ContractIds::ModuleHash },
                ai_mining: true,
            };
            let settings = ExecutorSettings { ledger, policy: BlockPolicy { on_rejected, gas_limit } };
            let context = BlockContext { miner: addr(miner), developer: addr(developer), ..world::context() };
            Case { settings, context, near_the_end, clean_until, slow }
        },
    )
}

/// Every executor but the sequential one. Made for each block: only the published form has threads of its own.
fn others(settings: ExecutorSettings) -> Vec<Contender> {
    let pool = pool();
    let published = BatchingExecutor::published(4, settings).unwrap();
    let pooled = BatchingExecutor::pooled(4, settings, Arc::clone(pool));
    let mut made: Vec<Contender> = vec![
        ("batching (published)".to_owned(), Box::new(published)),
        ("batching (pooled)".to_owned(), Box::new(pooled)),
        ("dag".to_owned(), Box::new(DagExecutor::new(4, settings, Arc::clone(pool)))),
    ];
    for (threads, unit_length) in [1, 2, 4, 8].into_iter().flat_map(|threads| [1, 3, 8].map(|unit| (threads, unit))) {
        let config = Config { mode: Mode::Optimistic, max_parallel_threads: threads, unit_length, ..Config::default() };
        let executor = OptimisticExecutor::with_pool(config, settings, Arc::clone(pool));
        made.push((format!("optimistic, {threads} threads, units of {unit_length}"), Box::new(executor)));
    }
    made.push(alternating(settings));
    made
}

/// A block's result, or in words why there is none.
fn run(
    executor: &dyn BlockExecutor,
    case: &Case,
    state: &SharedState,
    transactions: &[SignedTransaction],
) -> Result<Comparable, String> {
    let block = executor.execute(&input_in(case.context, transactions), state);
    block.map(|block| comparable(&block)).map_err(|error| error.to_string())
}

fn sequentially(case: &Case, start: &State, transactions: &[SignedTransaction]) -> Result<Comparable, String> {
    let state: SharedState = Arc::new(MapReader(start.clone()));
    run(&SequentialExecutor::new(case.settings), case, &state, transactions)
}

fn check(case: &Case, actions: &[Action]) -> Result<(), TestCaseError> {
    let world = World::new(case.settings.ledger.contract_ids, case.near_the_end);
    let transactions = world.transactions(case, actions);
    let expected = sequentially(case, &world.state, &transactions);
    let state: SharedState = if case.slow {
        Arc::new(LatencyReader::new(MapReader(world.state), Duration::from_micros(2)))
    } else {
        Arc::new(MapReader(world.state))
    };
    for (name, executor) in &others(case.settings) {
        match (run(&**executor, case, &state, &transactions), &expected) {
            (Ok(got), Ok(expected)) => assert_same(name, &got, expected),
            (got, expected) => prop_assert_eq!(&got, expected, "{}", name),
        }
    }
    if let Ok(block) = &expected {
        prop_assert!(block.changes.is_sorted_by(|a, b| a.0 < b.0));
    }
    Ok(())
}

/// A number for a quick run; a long one is asked for.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(150)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_block_gives_the_same_on_every_executor(case in case(), actions in actions()) {
        check(&case, &actions)?;
    }
}
