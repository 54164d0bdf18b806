//! ValidateAnswer (spec 6, B.4).

use super::world::*;
use crate::state::{Key, MiningTask, TaskStatus, Value};
use crate::testing::addr;
use crate::types::Hash;
use crate::wire::{AiMiningPayload, Difficulty};

#[test]
fn a_score_is_recorded_and_averaged_downwards() {
    let mut world = answered(Difficulty::Beginner);
    let judgement = judge(&world, 1, 0, 69);
    act(&mut world, 4, judgement).unwrap();
    let judgement = judge(&world, 1, 0, 70);
    act(&mut world, 5, judgement).unwrap();
    let task = task(&world, 1);
    let answer = &task.answers[0];
    assert_eq!((answer.average_score(), task.status), (Some(69), TaskStatus::Active));
    let scores: Vec<_> = answer.validation_scores.iter().map(|s| (s.validator, s.score, s.validated_at)).collect();
    assert_eq!(scores, [(addr(4), 69, 101), (addr(5), 70, 101)]);
    for (seed, good) in [(4, 0), (5, 1)] {
        let record = record(&world, seed);
        assert_eq!((record.miner.validations_performed, record.miner.reputation), (1, 903));
        assert_eq!((record.reputation.total_validations, record.reputation.successful_validations), (1, good));
        assert_eq!(record.reputation.transaction_count, 101);
        assert_eq!(record.reputation.last_submission_time, NOW + 3_600);
    }
}

#[test]
fn scores_end_at_a_hundred() {
    let world = answered(Difficulty::Beginner);
    for score in [101, 255] {
        fails(&world, 4, judge(&world, 1, 0, score));
    }
    for score in [0, 100] {
        works(&world, 4, judge(&world, 1, 0, score));
    }
}

#[test]
fn a_validator_is_a_miner_without_a_stake_in_the_matter_who_judges_once() {
    let world = answered(Difficulty::Beginner);
    for seed in [2, 3, 8] {
        fails(&world, seed, judge(&world, 1, 0, 50));
    }
    let mut judged = works(&world, 4, judge(&world, 1, 0, 50));
    fails(&judged, 4, judge(&judged, 1, 0, 50));
    wait(&mut judged, 3_600);
    fails(&judged, 4, judge(&judged, 1, 0, 50));
    works(&judged, 5, judge(&judged, 1, 0, 50));
}

#[test]
fn the_answer_must_exist_and_the_task_not_be_cancelled() {
    let mut world = answered(Difficulty::Beginner);
    let (unknown, known) = (Hash([9; 32]), task(&world, 1).answers[0].answer_id);
    let of = |task_id, answer_id| AiMiningPayload::ValidateAnswer { task_id, answer_id, validation_score: 50 };
    fails(&world, 4, of(unknown, known));
    fails(&world, 4, of(Hash([1; 32]), unknown));
    let cancelled = MiningTask { status: TaskStatus::Cancelled, ..MiningTask::clone(&task(&world, 1)) };
    let judgement = judge(&world, 1, 0, 50);
    works(&world, 4, judgement.clone());
    world.state.insert(Key::MiningTask(Hash([1; 32])), Value::MiningTask(cancelled.into()));
    fails(&world, 4, judgement);
}

#[test]
fn a_validator_needs_reputation() {
    for (difficulty, least) in Difficulty::ALL.into_iter().zip([150, 350, 550, 750]) {
        let mut world = answered(difficulty);
        let mut record = veteran();
        record.miner.reputation = least - 1;
        set_miner(&mut world, 4, record);
        fails(&world, 4, judge(&world, 1, 0, 50));
        record.miner.reputation = least;
        set_miner(&mut world, 4, record);
        works(&world, 4, judge(&world, 1, 0, 50));
    }
}
