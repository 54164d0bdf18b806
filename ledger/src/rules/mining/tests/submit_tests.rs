//! SubmitAnswer (spec 6, B.3).

use super::world::*;
use crate::crypto;
use crate::state::{Key, MiningTask, TaskStatus, Value};
use crate::testing::{FEE, World, addr};
use crate::types::{COIN, Hash};
use crate::wire::{AiMiningPayload, Difficulty};

const TEXT: &str = "the first answer";

fn published(difficulty: Difficulty) -> World {
    works(&world(), 2, publish(1, difficulty))
}

fn with_stake(difficulty: Difficulty, stake_amount: u64) -> AiMiningPayload {
    match answer(1, difficulty, TEXT) {
        AiMiningPayload::SubmitAnswer { task_id, answer_content, answer_hash, .. } => {
            AiMiningPayload::SubmitAnswer { task_id, answer_content, answer_hash, stake_amount }
        }
        other => other,
    }
}

#[test]
fn an_answer_is_recorded_with_its_id_and_its_stake() {
    let mut world = published(Difficulty::Expert);
    act(&mut world, 3, answer(1, Difficulty::Expert, TEXT)).unwrap();
    let task = task(&world, 1);
    let [answer] = &task.answers[..] else { panic!("{task:?}") };
    let hash = crypto::hash(TEXT.as_bytes());
    let id = [&[1; 32][..], &addr(3).0, &hash.0, &100_u64.to_be_bytes(), &NOW.to_be_bytes()].concat();
    assert_eq!(answer.answer_id, crypto::hash(&id));
    assert_eq!((&*answer.answer_content, answer.answer_hash, answer.submitter), (TEXT, hash, addr(3)));
    assert_eq!((answer.stake_amount, answer.submitted_at), (50_000_000_000, 100));
    assert_eq!((answer.average_score(), answer.validation_scores.len()), (None, 0));
    let record = record(&world, 3);
    assert_eq!((record.miner.answers_submitted, record.miner.reputation), (1, 910));
    assert_eq!((record.reputation.stake_amount, record.reputation.last_submission_time), (50_000_000_000, NOW));
    assert_eq!(record.reputation.transaction_count, 101);
    assert_eq!(world.balance(3), COIN - FEE, "the stake is not taken");
}

#[test]
fn stakes_are_a_tenth_to_a_half_of_the_reward() {
    // An odd reward, so that both limits round down.
    let mut world = world();
    let odd = AiMiningPayload::PublishTask {
        task_id: Hash([1; 32]),
        reward_amount: 5_000_000_019,
        difficulty: Difficulty::Beginner,
        deadline: NOW + 9,
        description: "a task, described".into(),
    };
    act(&mut world, 2, odd).unwrap();
    for stake in [0, 500_000_000, 2_500_000_010, u64::MAX] {
        fails(&world, 3, with_stake(Difficulty::Beginner, stake));
    }
    for stake in [500_000_001, 2_500_000_009] {
        works(&world, 3, with_stake(Difficulty::Beginner, stake));
    }
}

#[test]
fn a_submitter_needs_reputation() {
    for (difficulty, least) in Difficulty::ALL.into_iter().zip([100, 300, 500, 700]) {
        let mut world = published(difficulty);
        let mut record = veteran();
        record.miner.reputation = least - 1;
        set_miner(&mut world, 3, record);
        fails(&world, 3, answer(1, difficulty, TEXT));
        record.miner.reputation = least;
        set_miner(&mut world, 3, record);
        works(&world, 3, answer(1, difficulty, TEXT));
    }
}

#[test]
fn answers_are_taken_up_to_the_deadline() {
    let mut world = published(Difficulty::Beginner);
    world.context.timestamp = NOW + 10 * DAY;
    works(&world, 3, answer(1, Difficulty::Beginner, TEXT));
    world.context.timestamp += 1;
    fails(&world, 3, answer(1, Difficulty::Beginner, TEXT));
    // Swept or not.
    let swept = works(&world, 8, register(8));
    fails(&swept, 3, answer(1, Difficulty::Beginner, TEXT));
}

#[test]
fn only_active_tasks_take_answers() {
    for status in [TaskStatus::Expired, TaskStatus::Completed, TaskStatus::Cancelled] {
        let mut world = published(Difficulty::Beginner);
        let other = MiningTask { status, ..MiningTask::clone(&task(&world, 1)) };
        world.state.insert(Key::MiningTask(Hash([1; 32])), Value::MiningTask(other.into()));
        fails(&world, 3, answer(1, Difficulty::Beginner, TEXT));
    }
}

#[test]
fn an_answer_is_the_submitters_only_one_to_the_task_of_somebody_else() {
    let world = published(Difficulty::Beginner);
    fails(&world, 8, answer(1, Difficulty::Beginner, TEXT));
    fails(&world, 3, answer(2, Difficulty::Beginner, TEXT));
    let mut rested = world.clone();
    wait(&mut rested, 3_600);
    fails(&rested, 2, answer(1, Difficulty::Beginner, TEXT));

    let mut answered = works(&world, 3, answer(1, Difficulty::Beginner, TEXT));
    works(&answered, 4, answer(1, Difficulty::Beginner, TEXT));
    wait(&mut answered, 3_600);
    fails(&answered, 3, answer(1, Difficulty::Beginner, "another answer"));
}

#[test]
fn the_content_has_its_hash_and_a_length() {
    let world = published(Difficulty::Beginner);
    for text in ["", "nine byte"] {
        fails(&world, 3, answer(1, Difficulty::Beginner, text));
    }
    for text in ["ten bytes!", &"x".repeat(255)] {
        works(&world, 3, answer(1, Difficulty::Beginner, text));
    }
    let wrong = AiMiningPayload::SubmitAnswer {
        task_id: Hash([1; 32]),
        answer_content: TEXT.into(),
        answer_hash: crypto::hash(b"another answer"),
        stake_amount: 1_000_000_000,
    };
    fails(&world, 3, wrong);
}
