//! The two ends of a task, and what the sweep of the old daemon would have made of them (spec 6, step C).

use super::world::*;
use crate::state::TaskStatus;
use crate::testing::World;
use crate::wire::Difficulty;
use crate::{ExportedTask, MiningExport, MiningStatistics};

fn exported(world: &World) -> ExportedTask {
    export(world).tasks.into_values().next().unwrap()
}

fn judged(world: &mut World, seed: u64, position: usize, score: u8) {
    let judgement = judge(world, 1, position, score);
    act(world, seed, judgement).unwrap();
}

/// Reputation, rewards, good and all validations.
fn standing(world: &World, seed: u64) -> (u16, u64, u64, u64) {
    let record = record(world, seed);
    let reputation = record.reputation;
    let validations = (reputation.successful_validations, reputation.total_validations);
    (record.miner.reputation, reputation.total_rewards_earned, validations.0, validations.1)
}

#[test]
fn an_average_of_seventy_completes_and_settles_with_everybody() {
    let mut world = answered(Difficulty::Beginner);
    judged(&mut world, 4, 0, 60);
    judged(&mut world, 5, 0, 79);
    assert_eq!(exported(&world).status, TaskStatus::Active, "69 is not enough");
    // 60, 79 and 71 are 70 each.
    judged(&mut world, 6, 0, 71);
    let task = exported(&world);
    assert_eq!((task.status, task.rewards_processed), (TaskStatus::Completed, true));
    assert_eq!(task.submitted_answers[0].average_score, Some(70));
    // Publisher: 5 for the task, 5 more now. Submitter: 10 and 10. Validators: 3, then 3 or -2.
    assert_eq!(standing(&world, 2), (910, 0, 0, 0));
    assert_eq!(standing(&world, 3), (920, 5_000_000_000, 0, 0));
    assert_eq!(standing(&world, 4), (901, 0, 0, 2));
    assert_eq!(standing(&world, 5), (906, 0, 2, 2));
    assert_eq!(standing(&world, 6), (906, 0, 2, 2));
    // Nobody but the last validator acted.
    assert_eq!(record(&world, 3).reputation.transaction_count, 101);
    // The old daemon's sweep came too late to count it.
    let statistics = statistics(&world);
    assert_eq!(statistics, MiningStatistics { total_tasks: 1, active_tasks: 1, ..MiningStatistics::default() });
}

#[test]
fn rewards_are_settled_once() {
    let mut world = answered(Difficulty::Beginner);
    judged(&mut world, 4, 0, 100);
    let before = [2, 3, 4].map(|seed| standing(&world, seed));
    judged(&mut world, 5, 0, 90);
    assert_eq!([2, 3, 4].map(|seed| standing(&world, seed)), before);
    assert_eq!(standing(&world, 5), (903, 0, 1, 1));
    assert_eq!(exported(&world).submitted_answers[0].average_score, Some(95));
    // A bad score does not undo it, nor does the deadline.
    judged(&mut world, 6, 0, 0);
    wait(&mut world, 20 * DAY);
    act(&mut world, 8, register(8)).unwrap();
    let task = exported(&world);
    assert_eq!((task.status, task.submitted_answers[0].average_score), (TaskStatus::Completed, Some(63)));
    assert_eq!(statistics(&world).active_tasks, 1);
}

#[test]
fn the_best_answer_is_rewarded() {
    let mut world = answered(Difficulty::Beginner);
    act(&mut world, 4, answer(1, Difficulty::Beginner, "a second answer")).unwrap();
    judged(&mut world, 5, 0, 40);
    judged(&mut world, 6, 1, 75);
    assert_eq!(exported(&world).status, TaskStatus::Completed);
    assert_eq!(standing(&world, 3).1, 0);
    assert_eq!(standing(&world, 4).1, 5_000_000_000);
    assert_eq!(standing(&world, 5), (903, 0, 0, 1), "who judged another answer is not concerned");
    let task = task(&world, 1);
    assert_eq!(task.best_answer().unwrap().submitter, crate::testing::addr(4));
}

#[test]
fn of_equals_the_last_answer_is_the_best() {
    let mut world = answered(Difficulty::Beginner);
    act(&mut world, 4, answer(1, Difficulty::Beginner, "a second answer")).unwrap();
    assert_eq!(task(&world, 1).best_answer(), None);
    judged(&mut world, 5, 0, 40);
    assert_eq!(task(&world, 1).best_answer().unwrap().submitter, crate::testing::addr(3));
    judged(&mut world, 6, 1, 40);
    assert_eq!(task(&world, 1).best_answer().unwrap().submitter, crate::testing::addr(4));
}

#[test]
fn a_bad_validator_does_not_fall_below_zero() {
    let mut record = veteran();
    record.miner.reputation = 1;
    super::super::reputation::settle_validator(&mut record, 69);
    assert_eq!(record.miner.reputation, 0);
}

/// Any success after the deadline expires the task, and takes it from the active ones.
#[test]
fn a_task_expires_with_the_next_success_and_not_before() {
    let mut world = answered(Difficulty::Beginner);
    world.context.timestamp = NOW + 10 * DAY;
    act(&mut world, 8, register(8)).unwrap();
    assert_eq!(exported(&world).status, TaskStatus::Active, "at the deadline");
    wait(&mut world, 1);
    assert_eq!(exported(&world).status, TaskStatus::Active, "nothing has happened since");
    fails(&world, 8, register(8));
    act(&mut world, 9, register(9)).unwrap();
    let task = exported(&world);
    assert_eq!((task.status, task.rewards_processed), (TaskStatus::Expired, false));
    assert_eq!(statistics(&world).active_tasks, 0);
}

/// Good scores after the deadline complete nothing; who came first decides whether the task is counted as active.
#[test]
fn a_task_past_its_deadline_is_not_completed_by_a_good_score() {
    let mut late = answered(Difficulty::Beginner);
    wait(&mut late, 20 * DAY);
    let mut swept = works(&late, 8, register(8));
    assert_eq!(statistics(&swept).active_tasks, 0);
    for (world, active) in [(&mut late, 1), (&mut swept, 0)] {
        judged(world, 4, 0, 100);
        let task = exported(world);
        assert_eq!((task.status, task.rewards_processed), (TaskStatus::Expired, false));
        assert_eq!(statistics(world).active_tasks, active);
        assert_eq!(standing(world, 3).1, 0);
        assert_eq!(standing(world, 4), (903, 0, 1, 1));
        // And later ones change nothing about it.
        wait(world, DAY);
        judged(world, 5, 0, 100);
        assert_eq!((exported(world).status, statistics(world).active_tasks), (TaskStatus::Expired, active));
    }
}

#[test]
fn at_the_deadline_a_good_score_still_completes() {
    let mut world = answered(Difficulty::Beginner);
    world.context.timestamp = NOW + 10 * DAY;
    judged(&mut world, 4, 0, 70);
    assert_eq!(exported(&world).status, TaskStatus::Completed);
}

/// The export takes entries in any order, and passes a failing one on.
#[test]
fn the_export_needs_no_order() {
    let mut world = answered(Difficulty::Beginner);
    wait(&mut world, 20 * DAY);
    act(&mut world, 8, register(8)).unwrap();
    let backwards = world.state.iter().rev().map(|(key, value)| (*key, value.clone()));
    assert_eq!(MiningExport::of(backwards), export(&world));
    assert_eq!(exported(&world).status, TaskStatus::Expired);
    let failing = world.state.iter().map(|(key, value)| Ok((*key, value.clone()))).chain([Err("gone")]);
    assert_eq!(MiningExport::try_of(failing), Err("gone"));
}
