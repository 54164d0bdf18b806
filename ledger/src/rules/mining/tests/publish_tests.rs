//! PublishTask (spec 6, B.2).

use super::super::limits::is_text_length;
use super::world::*;
use crate::state::{Counter, TaskStatus};
use crate::testing::{FEE, addr};
use crate::types::{COIN, Hash};
use crate::wire::{AiMiningPayload, Difficulty};

fn with(reward_amount: u64, difficulty: Difficulty, deadline: u64, description: &str) -> AiMiningPayload {
    AiMiningPayload::PublishTask {
        task_id: Hash([1; 32]),
        reward_amount,
        difficulty,
        deadline,
        description: description.into(),
    }
}

#[test]
fn a_publication_makes_a_task_and_counts_it_twice_for_the_publisher() {
    let mut world = world();
    act(&mut world, 2, publish(1, Difficulty::Advanced)).unwrap();
    let task = task(&world, 1);
    assert_eq!((task.publisher, task.status, task.published_at), (addr(2), TaskStatus::Active, 100));
    assert_eq!((task.reward_amount, task.difficulty), (50_000_000_000, Difficulty::Advanced));
    assert_eq!((&*task.description, task.deadline), ("a task, described", NOW + 10 * DAY));
    assert!(task.answers.is_empty());
    let record = record(&world, 2);
    assert_eq!((record.miner.tasks_published, record.miner.reputation), (2, 905));
    assert_eq!((record.reputation.transaction_count, record.reputation.last_submission_time), (101, NOW));
    assert_eq!(record.reputation.reputation_score, 10_000);
    assert_eq!((world.counter(Counter::MiningTasks), world.counter(Counter::MiningMiners)), (1, 0));
    assert_eq!(world.balance(2), COIN - FEE, "the reward is not taken");
}

#[test]
fn rewards_have_a_range_for_each_difficulty() {
    let world = world();
    let ranges = [
        (5_000_000_000, 15_000_000_000),
        (15_000_000_000, 50_000_000_000),
        (50_000_000_000, 200_000_000_000),
        (200_000_000_000, 500_000_000_000),
    ];
    for (difficulty, (least, most)) in Difficulty::ALL.into_iter().zip(ranges) {
        let of = |reward| with(reward, difficulty, NOW + 1, "a task, described");
        for reward in [0, least - 1, most + 1, u64::MAX] {
            fails(&world, 2, of(reward));
        }
        for reward in [least, most] {
            works(&world, 2, of(reward));
        }
    }
}

#[test]
fn a_publisher_needs_reputation() {
    for (difficulty, least) in Difficulty::ALL.into_iter().zip([200, 400, 600, 800]) {
        let mut world = world();
        let mut record = veteran();
        record.miner.reputation = least - 1;
        set_miner(&mut world, 2, record);
        fails(&world, 2, publish(1, difficulty));
        record.miner.reputation = least;
        set_miner(&mut world, 2, record);
        works(&world, 2, publish(1, difficulty));
    }
}

#[test]
fn deadlines_are_after_now_and_within_thirty_days() {
    let of = |deadline| with(5_000_000_000, Difficulty::Beginner, deadline, "a task, described");
    let mut world = world();
    for deadline in [0, NOW - 1, NOW, NOW + 2_592_001, u64::MAX] {
        fails(&world, 2, of(deadline));
    }
    for deadline in [NOW + 1, NOW + 2_592_000] {
        works(&world, 2, of(deadline));
    }
    // Where now plus 30 days does not fit, nothing wraps.
    world.context.timestamp = u64::MAX - 5;
    works(&world, 2, of(u64::MAX));
    fails(&world, 2, of(u64::MAX - 5));
}

#[test]
fn descriptions_have_ten_bytes_or_more() {
    let world = world();
    let of = |description: &str| with(5_000_000_000, Difficulty::Beginner, NOW + 1, description);
    for text in ["", "nine byte"] {
        fails(&world, 2, of(text));
    }
    for text in ["ten bytes!", &"x".repeat(255), "ööööö"] {
        works(&world, 2, of(text));
    }
    // What the wire cannot carry is decided all the same.
    assert_eq!([9, 10, 2_048, 2_049].map(|length| is_text_length(&"x".repeat(length))), [false, true, true, false]);
}

#[test]
fn only_miners_publish_under_an_id_of_their_own_and_not_too_often() {
    let world = world();
    fails(&world, 8, publish(1, Difficulty::Beginner));
    let mut published = works(&world, 2, publish(1, Difficulty::Beginner));
    fails(&published, 3, publish(1, Difficulty::Beginner));
    works(&published, 3, publish(2, Difficulty::Beginner));
    wait(&mut published, 299);
    fails(&published, 2, publish(2, Difficulty::Beginner));
    wait(&mut published, 1);
    works(&published, 2, publish(2, Difficulty::Beginner));
}

#[test]
fn reputation_and_counts_stay_at_their_maxima() {
    let mut world = world();
    let mut full = veteran();
    full.miner.reputation = 996;
    full.miner.tasks_published = u32::MAX - 1;
    full.reputation.transaction_count = u64::MAX;
    set_miner(&mut world, 2, full);
    act(&mut world, 2, publish(1, Difficulty::Beginner)).unwrap();
    let record = record(&world, 2);
    assert_eq!((record.miner.reputation, record.miner.tasks_published), (1_000, u32::MAX));
    assert_eq!(record.reputation.transaction_count, u64::MAX);
}
