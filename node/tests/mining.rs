//! AI mining on a chain: every executor agrees on it, the database keeps it, and a chain without it refuses it.

mod common;

use std::ops::ControlFlow;
use std::sync::Arc;

use common::*;
use weft_engine::{Config, Mode, WorkerPool};
use weft_ledger::block::Block;
use weft_ledger::rules::LedgerConfig;
use weft_ledger::state::{Key, TaskStatus, Value};
use weft_ledger::wire::{AiMiningPayload, DecodeReason, Difficulty, Payload};
use weft_ledger::{COIN, Hash, MiningExport, SignedTransaction, crypto};
use weft_node::chain::{Chain, ImportError};
use weft_node::codec::{LedgerCodec, SCHEMA};
use weft_node::executor::{BatchingExecutor, BlockExecutor, ExecutorSettings, OptimisticExecutor, SequentialExecutor};
use weft_storage::{MemoryStore, RedbStore, StateStore};

/// Long after the heights that accounts begin at: nobody is too young.
const START: u64 = 10_000_000;
const REWARD: u64 = 5_000_000_000;

fn mining(settings: ExecutorSettings) -> ExecutorSettings {
    ExecutorSettings { ledger: LedgerConfig { ai_mining: true, ..settings.ledger }, ..settings }
}

fn executors(settings: ExecutorSettings) -> Vec<Box<dyn BlockExecutor>> {
    let pool = Arc::new(WorkerPool::new(4));
    let optimistic = |unit_length| {
        let config = Config { mode: Mode::Optimistic, max_parallel_threads: 4, unit_length, ..Config::default() };
        Box::new(OptimisticExecutor::with_pool(config, settings, Arc::clone(&pool)))
    };
    vec![
        Box::new(SequentialExecutor::new(settings)),
        Box::new(BatchingExecutor::published(4, settings).unwrap()),
        Box::new(BatchingExecutor::pooled(4, settings, Arc::clone(&pool))),
        optimistic(1),
        optimistic(3),
    ]
}

fn on(store: Arc<dyn StateStore<Key, Value>>, executor: Box<dyn BlockExecutor>) -> Chain {
    let chain = Chain::open(store, executor).unwrap();
    let accounts: Vec<_> = (1..=20).map(|seed| (seed, COIN)).collect();
    chain.initialise(&state(&accounts).into_iter().collect()).unwrap();
    chain
}

fn in_memory(executor: Box<dyn BlockExecutor>) -> Chain {
    on(Arc::new(MemoryStore::new()), executor)
}

fn next(chain: &Chain, timestamp: u64, transactions: &[SignedTransaction]) -> Block {
    Block {
        chain_id: CHAIN,
        number: chain.view().head().number + 1,
        timestamp,
        parent: chain.view().last_id().unwrap(),
        transactions: transactions.iter().map(|transaction| transaction.wire().to_vec().into()).collect(),
    }
}

fn export(chain: &Chain) -> MiningExport {
    let mut entries = Vec::new();
    let visit = &mut |key: &Key, value: &Value| {
        entries.push((*key, value.clone()));
        ControlFlow::Continue(())
    };
    chain.view().snapshot().for_each(visit).unwrap();
    MiningExport::of(entries)
}

fn mine(source: u64, nonce: u64, payload: AiMiningPayload) -> SignedTransaction {
    signed(source, nonce, Payload::AiMining(Box::new(payload)))
}

fn register(seed: u64) -> SignedTransaction {
    mine(seed, 0, AiMiningPayload::RegisterMiner { miner: addr(seed), registration_fee: 1_000_000_000 })
}

fn publish(seed: u64, id: u8) -> SignedTransaction {
    let payload = AiMiningPayload::PublishTask {
        task_id: Hash([id; 32]),
        reward_amount: REWARD,
        difficulty: Difficulty::Beginner,
        deadline: START + 10_000,
        description: "a task, described".into(),
    };
    mine(seed, 1, payload)
}

fn answer(seed: u64, id: u8) -> SignedTransaction {
    let payload = AiMiningPayload::SubmitAnswer {
        task_id: Hash([id; 32]),
        answer_content: "an answer".repeat(2).into(),
        answer_hash: crypto::hash("an answer".repeat(2).as_bytes()),
        stake_amount: REWARD / 4,
    };
    mine(seed, 1, payload)
}

fn judge(chain: &Chain, seed: u64, nonce: u64, id: u8, score: u8) -> SignedTransaction {
    let answer_id = export(chain).tasks[&Hash([id; 32])].submitted_answers[0].answer_id;
    mine(seed, nonce, AiMiningPayload::ValidateAnswer { task_id: Hash([id; 32]), answer_id, validation_score: score })
}

/// Registrations, three tasks, and judgements in blocks where they meet each other: one task is completed, one is
/// judged after its deadline before the sweep, one after it.
fn history(chain: &Chain) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut import = |timestamp, transactions: &[SignedTransaction]| {
        let block = next(chain, timestamp, transactions);
        chain.import(&block).unwrap();
        blocks.push(block);
    };
    import(START, &(1..=14).map(register).collect::<Vec<_>>());
    import(START + 1, &[publish(1, 1), answer(4, 1), publish(2, 2), answer(5, 2), publish(3, 3), answer(6, 3)]);
    // The third judgement completes the first task, and changes the records of all who had a part in it.
    let judgements = [
        judge(chain, 7, 1, 1, 60),
        judge(chain, 8, 1, 2, 50),
        judge(chain, 9, 1, 1, 69),
        judge(chain, 10, 1, 1, 100),
        signed(15, 0, pay(16, 5)),
        judge(chain, 11, 1, 1, 0),
    ];
    import(START + 2, &judgements);
    // Past the deadline: the second task is judged by the first transaction, the third after it.
    let late = [judge(chain, 12, 1, 2, 100), register(17), judge(chain, 13, 1, 3, 100), judge(chain, 14, 1, 3, 90)];
    import(START + 10_001, &late);
    blocks
}

#[test]
fn all_executors_agree_on_a_chain_with_mining() {
    for settings in [mining(rejecting()), mining(deferred(rejecting()))] {
        let reference = in_memory(Box::new(SequentialExecutor::new(settings)));
        let blocks = history(&reference);
        let (head, expected) = (reference.view().head(), export(&reference));
        let status = |id: u8| expected.tasks[&Hash([id; 32])].status;
        assert_eq!([1, 2, 3].map(status), [TaskStatus::Completed, TaskStatus::Expired, TaskStatus::Expired]);
        let statistics = expected.statistics;
        assert_eq!((statistics.total_tasks, statistics.total_miners), (3, 15));
        assert_eq!(statistics.active_tasks, 2, "only the third was ended by a sweep");
        assert_eq!(expected.account_reputations[&addr(4)].total_rewards_earned, REWARD);

        for executor in executors(settings) {
            let name = executor.name();
            let chain = in_memory(executor);
            blocks.iter().for_each(|block| drop(chain.import(block).unwrap_or_else(|error| panic!("{name}: {error}"))));
            assert_eq!(chain.view().head(), head, "{name}");
            assert_eq!(export(&chain), expected, "{name}");
        }
    }
}

#[test]
fn the_database_keeps_miners_and_tasks() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chain.redb");
    let open = || -> Arc<RedbStore<Key, Value, LedgerCodec>> { Arc::new(RedbStore::open(&path, SCHEMA).unwrap()) };
    let executor = || executors(mining(rejecting())).remove(3);
    let chain = on(open(), executor());
    history(&chain);
    let (head, before) = (chain.view().head(), export(&chain));
    drop(chain);
    let again = Chain::open(open(), executor()).unwrap();
    assert_eq!((again.view().head(), export(&again)), (head, before));
}

#[test]
fn a_chain_without_mining_refuses_it() {
    for executor in executors(rejecting()) {
        let chain = in_memory(executor);
        let error = chain.import(&next(&chain, START, &[register(1)])).unwrap_err();
        let ImportError::Decode { block: 1, source } = error else { panic!("{error}") };
        assert_eq!((source.index, source.source.reason), (0, DecodeReason::Opcode(6)));
    }
}
