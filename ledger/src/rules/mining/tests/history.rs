//! Random histories: what the actors try, in terms of what there is by then.

use proptest::collection::vec;
use proptest::prelude::*;

use super::model::Model;
use super::world::{DAY, NOW, REWARDS, veteran};
use crate::crypto;
use crate::state::{AccountReputation, MinerRecord};
use crate::types::{Address, Hash};
use crate::wire::{AiMiningPayload, Difficulty};

/// How many take part.
pub(super) const ACTORS: u8 = 11;

pub(super) fn actor(number: u8) -> Address {
    Address([number + 1; 32])
}

/// One thing tried, or time passing.
#[derive(Debug, Clone)]
pub(super) enum Act {
    Register {
        who: u8,
        for_whom: u8,
        fee: u64,
    },
    Publish {
        who: u8,
        difficulty: Difficulty,
        reward: u64,
        deadline: i64,
        length: usize,
        new_id: bool,
    },
    Answer {
        who: u8,
        task: usize,
        stake: (u64, u64),
        length: usize,
        honest: bool,
    },
    Judge {
        who: u8,
        task: usize,
        answer: usize,
        score: u8,
    },
    /// A new block, so much later.
    Block {
        later: u64,
    },
}

fn who() -> impl Strategy<Value = u8> {
    0..ACTORS
}

/// `usual`, mostly.
fn mostly<T: std::fmt::Debug + Clone + 'static>(usual: T, others: Vec<T>) -> impl Strategy<Value = T> {
    prop_oneof![8 => Just(usual), 1 => proptest::sample::select(others)]
}

fn act() -> impl Strategy<Value = Act> {
    let register = (who(), mostly(0, vec![1]), mostly(1_000_000_000, vec![0, 999_999_999, u64::MAX]))
        .prop_map(|(who, other, fee)| Act::Register { who, for_whom: (who + other) % ACTORS, fee });
    let deadline = proptest::sample::select(vec![0, 1, 900, 3_600, 20_000, 86_400, 2_592_000, 2_592_000, 2_592_001]);
    let length = || mostly(20, vec![0, 9, 10, 255]);
    let difficulty = mostly(0, vec![1, 2, 3]).prop_map(|number| Difficulty::ALL[number]);
    let publish = (who(), difficulty, mostly(0, vec![1, u64::MAX]), deadline, length(), mostly(true, vec![false]))
        .prop_map(|(who, difficulty, more, deadline, length, new_id)| {
            let reward = REWARDS[difficulty as usize].wrapping_add(more);
            Act::Publish { who, difficulty, reward, deadline, length, new_id }
        });
    // A part of the reward, and something on top.
    let stake = mostly((4, 0), vec![(10, 0), (2, 0), (2, 1), (11, 0), (1, 0), (1, u64::MAX)]);
    let answer = (who(), 0..4_usize, stake, length(), mostly(true, vec![false]))
        .prop_map(|(who, task, stake, length, honest)| Act::Answer { who, task, stake, length, honest });
    let score = prop_oneof![4 => 70..=100_u8, 4 => 50..=69_u8, 1 => any::<u8>()];
    let judge = (who(), 0..4_usize, 0..3_usize, score).prop_map(|(who, task, answer, score)| Act::Judge {
        who,
        task,
        answer,
        score,
    });
    let block =
        proptest::sample::select(vec![0, 0, 1, 50, 300, 899, 900, 900, 1_800, 1_800, 3_600, 3_600, 20_000, DAY])
            .prop_map(|later| Act::Block { later });
    prop_oneof![1 => register, 3 => publish, 7 => answer, 12 => judge, 6 => block]
}

/// Miners of long standing, new ones, and some at a limit each; `None` is not registered.
fn miner() -> impl Strategy<Value = Option<MinerRecord>> {
    let old = AccountReputation { reputation_score: 7_000, ..veteran().reputation };
    let young = AccountReputation {
        transaction_count: 75,
        created_at: NOW,
        last_submission_time: NOW - 1_000,
        reputation_score: 7_000,
        ..AccountReputation::default()
    };
    let not_so_young = AccountReputation {
        transaction_count: 25,
        created_at: NOW - 2 * DAY,
        last_submission_time: NOW - 1_800,
        reputation_score: 3_000,
        ..AccountReputation::default()
    };
    let archetypes = vec![
        AccountReputation { transaction_count: 0, ..old },
        AccountReputation { transaction_count: 4, created_at: NOW - DAY + 1, ..old },
        AccountReputation { transaction_count: 100, created_at: NOW - 90 * DAY, ..old },
        AccountReputation { successful_validations: 9, total_validations: 10, ..old },
        AccountReputation { transaction_count: 10, stake_amount: 333_400, created_at: NOW - DAY, ..old },
        // Too little of everything.
        AccountReputation {
            transaction_count: 1,
            stake_amount: 5,
            created_at: NOW - DAY,
            ..AccountReputation::default()
        },
        // Risks of exactly 80 and above: young, a small stake or none, a score of 1000 and something.
        AccountReputation {
            transaction_count: 25,
            stake_amount: 9_999,
            created_at: NOW,
            ..AccountReputation::default()
        },
        AccountReputation { transaction_count: 25, created_at: NOW, ..AccountReputation::default() },
        // Exactly 80 with a cooldown that only the score of now brings: 40 and 30, or 20, 30 and 20.
        young,
        young,
        AccountReputation { last_submission_time: NOW - 900, ..young },
        not_so_young,
        not_so_young,
        AccountReputation { last_submission_time: NOW - 3_000, ..not_so_young },
    ];
    let reputation = prop_oneof![2 => Just(veteran().reputation), 1 => proptest::sample::select(archetypes)];
    let standing = prop_oneof![
        4 => Just(900_u16),
        2 => proptest::sample::select(vec![0, 99, 100, 149, 150, 195, 199, 200, 399, 500, 998, 1_000]),
    ];
    let record = (reputation, standing).prop_map(|(reputation, standing)| {
        let mut record = MinerRecord { reputation, ..veteran() };
        record.miner.reputation = standing;
        Some(record)
    });
    prop_oneof![1 => Just(None), 5 => record]
}

pub(super) fn history() -> impl Strategy<Value = (Vec<Option<MinerRecord>>, Vec<Act>)> {
    (vec(miner(), usize::from(ACTORS)), vec(act(), 1..200))
}

impl Act {
    /// What it is on the state of `model` at `now`; `None` for a new block. `tasks` are the ids so far.
    pub(super) fn payload(&self, model: &Model, tasks: &mut Vec<Hash>, now: u64) -> Option<(u8, AiMiningPayload)> {
        let recent = |tasks: &[Hash], back: usize| {
            tasks.iter().rev().nth(back).or_else(|| tasks.last()).copied().unwrap_or(Hash([0xee; 32]))
        };
        Some(match self {
            Self::Block { .. } => return None,
            Self::Register { who, for_whom, fee } => {
                (*who, AiMiningPayload::RegisterMiner { miner: actor(*for_whom), registration_fee: *fee })
            }
            Self::Publish { who, difficulty, reward, deadline, length, new_id } => {
                let task_id = if *new_id || tasks.is_empty() {
                    let id = crypto::hash(&tasks.len().to_be_bytes());
                    tasks.push(id);
                    id
                } else {
                    recent(tasks, 0)
                };
                let payload = AiMiningPayload::PublishTask {
                    task_id,
                    reward_amount: *reward,
                    difficulty: *difficulty,
                    deadline: now.saturating_add_signed(*deadline),
                    description: "d".repeat(*length).into(),
                };
                (*who, payload)
            }
            Self::Answer { who, task, stake, length, honest } => {
                let task_id = recent(tasks, *task);
                let reward = model.object.tasks.get(&task_id).map_or(0, |task| task.reward_amount);
                let content = "a".repeat(*length);
                let hashed = if *honest { content.as_bytes() } else { b"something else" };
                let payload = AiMiningPayload::SubmitAnswer {
                    task_id,
                    answer_hash: crypto::hash(hashed),
                    answer_content: content.into(),
                    stake_amount: (reward / stake.0).wrapping_add(stake.1),
                };
                (*who, payload)
            }
            Self::Judge { who, task, answer, score } => {
                let task_id = recent(tasks, *task);
                let answers = model.object.tasks.get(&task_id).map_or(&[][..], |task| &task.submitted_answers);
                // Past the last one it is the first, so that scores gather.
                let chosen = answers.get(*answer).or(answers.first());
                let answer_id = chosen.map_or(Hash([0xdd; 32]), |answer| answer.answer_id);
                (*who, AiMiningPayload::ValidateAnswer { task_id, answer_id, validation_score: *score })
            }
        })
    }
}
