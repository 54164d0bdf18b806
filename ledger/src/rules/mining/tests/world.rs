//! A world with miners in it.

use std::sync::Arc;

use crate::error::TosError;
use crate::rules::Receipt;
use crate::state::{AccountReputation, Counter, Key, Miner, MinerRecord, MiningTask, Value};
use crate::testing::{World, addr};
use crate::types::{COIN, Hash};
use crate::wire::{AiMiningPayload, Difficulty, Payload};
use crate::{MiningExport, MiningStatistics, crypto};

/// The time of the first block: long enough after 0 for old accounts.
pub(super) const NOW: u64 = 10_000_000;
/// A day in the rules' unit.
pub(super) const DAY: u64 = 86_400;
/// Rewards that are allowed, by difficulty.
pub(super) const REWARDS: [u64; 4] = [5_000_000_000, 15_000_000_000, 50_000_000_000, 200_000_000_000];

/// A miner who may do everything.
pub(super) fn veteran() -> MinerRecord {
    MinerRecord {
        miner: Miner {
            registration_fee: 1_000_000_000,
            registered_at: 0,
            tasks_published: 0,
            answers_submitted: 0,
            validations_performed: 0,
            reputation: 900,
        },
        reputation: AccountReputation {
            created_at: 0,
            transaction_count: 100,
            stake_amount: 1_000_000_000,
            reputation_score: 10_000,
            ..AccountReputation::default()
        },
    }
}

/// Accounts 2 to 9; 2 to 7 are veterans.
pub(super) fn world() -> World {
    let accounts: Vec<_> = (2..10).map(|seed| (seed, COIN)).collect();
    let mut world = World::new(&accounts);
    world.config.ai_mining = true;
    world.context.timestamp = NOW;
    for seed in 2..8 {
        set_miner(&mut world, seed, veteran());
    }
    world
}

pub(super) fn set_miner(world: &mut World, seed: u64, record: MinerRecord) {
    world.state.insert(Key::Miner(addr(seed)), Value::Miner(Arc::new(record)));
}

pub(super) fn record(world: &World, seed: u64) -> MinerRecord {
    match world.state.get(&Key::Miner(addr(seed))) {
        Some(Value::Miner(record)) => **record,
        other => panic!("no miner: {other:?}"),
    }
}

pub(super) fn task(world: &World, id: u8) -> Arc<MiningTask> {
    match world.state.get(&Key::MiningTask(Hash([id; 32]))) {
        Some(Value::MiningTask(task)) => Arc::clone(task),
        other => panic!("no task: {other:?}"),
    }
}

pub(super) fn export(world: &World) -> MiningExport {
    MiningExport::of(world.state.iter().map(|(key, value)| (*key, value.clone())))
}

pub(super) fn statistics(world: &World) -> MiningStatistics {
    export(world).statistics
}

pub(super) fn act(world: &mut World, seed: u64, payload: AiMiningPayload) -> Result<Receipt, TosError> {
    world.act(seed, Payload::AiMining(Box::new(payload)))
}

/// Executes what must fail, and must change nothing.
pub(super) fn fails(world: &World, seed: u64, payload: AiMiningPayload) {
    let mut after = world.clone();
    assert_eq!(act(&mut after, seed, payload), Err(TosError::InvalidPayload));
    assert_eq!(&after, world, "a failure changes nothing");
}

/// Executes what must succeed, on a copy.
pub(super) fn works(world: &World, seed: u64, payload: AiMiningPayload) -> World {
    let mut after = world.clone();
    act(&mut after, seed, payload).unwrap();
    after
}

/// Lets time pass until nobody has to wait.
pub(super) fn wait(world: &mut World, time: u64) {
    world.context.timestamp += time;
    world.context.height += 1;
}

pub(super) fn register(seed: u64) -> AiMiningPayload {
    AiMiningPayload::RegisterMiner { miner: addr(seed), registration_fee: 1_000_000_000 }
}

pub(super) fn publish(id: u8, difficulty: Difficulty) -> AiMiningPayload {
    AiMiningPayload::PublishTask {
        task_id: Hash([id; 32]),
        reward_amount: REWARDS[difficulty as usize],
        difficulty,
        deadline: NOW + 10 * DAY,
        description: "a task, described".into(),
    }
}

pub(super) fn answer(id: u8, difficulty: Difficulty, content: &str) -> AiMiningPayload {
    AiMiningPayload::SubmitAnswer {
        task_id: Hash([id; 32]),
        answer_content: content.into(),
        answer_hash: crypto::hash(content.as_bytes()),
        stake_amount: REWARDS[difficulty as usize] / 4,
    }
}

/// A judgement of the answer at `position`.
pub(super) fn judge(world: &World, id: u8, position: usize, score: u8) -> AiMiningPayload {
    AiMiningPayload::ValidateAnswer {
        task_id: Hash([id; 32]),
        answer_id: task(world, id).answers[position].answer_id,
        validation_score: score,
    }
}

/// Task 1 of miner 2, answered by miner 3; nobody has to wait.
pub(super) fn answered(difficulty: Difficulty) -> World {
    let mut world = world();
    act(&mut world, 2, publish(1, difficulty)).unwrap();
    act(&mut world, 3, answer(1, difficulty, "the first answer")).unwrap();
    wait(&mut world, 3_600);
    world
}

pub(super) fn clock(world: &World) -> u64 {
    world.counter(Counter::MiningClock)
}
