//! Score, cooldown and what taking part needs (spec 6).

use super::super::participation::admit;
use super::super::score::{cooldown, is_cooling_down, score};
use super::world::*;
use crate::error::TosError;
use crate::state::AccountReputation;
use crate::wire::Difficulty;

fn of(days: u64, transaction_count: u64, stake_amount: u64) -> AccountReputation {
    let created_at = NOW - days * DAY;
    AccountReputation { created_at, transaction_count, stake_amount, ..AccountReputation::default() }
}

#[test]
fn every_share_is_rounded_down_and_has_a_limit() {
    // Days, transactions, stake: score.
    let cases = [
        ((0, 0, 0), 0),
        ((1, 0, 0), 99),
        ((7, 0, 0), 699),
        ((30, 0, 0), 3_000),
        ((89, 0, 0), 3_000),
        ((0, 1, 0), 40),
        ((0, 99, 0), 3_960),
        ((0, 100, 0), 4_000),
        ((0, u64::MAX, 0), 4_000),
        ((0, 0, 99), 0),
        ((0, 0, 399), 0),
        ((0, 0, 400), 1),
        ((0, 0, 333_399), 999),
        ((0, 0, 333_400), 1_000),
        ((0, 0, 1_000_000), 3_000),
        ((0, 0, u64::MAX), 3_000),
        ((1, 1, 1_000), 99 + 40 + 3),
    ];
    for ((days, count, stake), expected) in cases {
        assert_eq!(score(&of(days, count, stake), NOW), expected, "{days} {count} {stake}");
    }
}

#[test]
fn a_day_is_over_with_its_last_second() {
    let mut reputation = of(30, 0, 0);
    reputation.created_at += 1;
    assert_eq!(score(&reputation, NOW), 9_666 * 3_000 / 10_000);
    // An account from the future is of age 0.
    assert_eq!(score(&AccountReputation { created_at: u64::MAX, ..AccountReputation::default() }, NOW), 0);
}

#[test]
fn more_than_ninety_days_count_extra() {
    assert_eq!(score(&of(90, 0, 0), NOW), 3_000);
    assert_eq!(score(&of(91, 0, 0), NOW), 4_000);
}

#[test]
fn accuracy_counts_from_the_eleventh_validation_on() {
    let bonus = |successful_validations, total_validations| {
        score(&AccountReputation { successful_validations, total_validations, ..of(0, 0, 0) }, NOW)
    };
    assert_eq!(bonus(10, 10), 0);
    assert_eq!(bonus(11, 11), 2_000);
    assert_eq!(bonus(16, 20), 0);
    assert_eq!(bonus(17, 20), 500);
    assert_eq!(bonus(10, 12), 333);
    assert_eq!(bonus(u64::MAX, 11), 2_000, "even if the numbers contradict each other");
    assert_eq!(bonus(0, u64::MAX), 0);
}

#[test]
fn the_score_ends_at_ten_thousand() {
    let best = AccountReputation { successful_validations: 11, total_validations: 11, ..of(91, 100, 1_000_000) };
    assert_eq!(score(&best, NOW), 10_000);
}

#[test]
fn cooldowns_have_four_lengths() {
    let cases = [
        (0, 3_600),
        (2_999, 3_600),
        (3_000, 1_800),
        (6_999, 1_800),
        (7_000, 900),
        (8_999, 900),
        (9_000, 300),
        (10_000, 300),
    ];
    for (score, expected) in cases {
        assert_eq!(cooldown(score), expected, "{score}");
        let last = |ago| AccountReputation {
            transaction_count: 1,
            reputation_score: score,
            last_submission_time: NOW - ago,
            ..AccountReputation::default()
        };
        assert!(is_cooling_down(&last(expected - 1), NOW));
        assert!(!is_cooling_down(&last(expected), NOW));
    }
    let first = AccountReputation { last_submission_time: NOW, ..AccountReputation::default() };
    assert!(!is_cooling_down(&first, NOW), "the first action never waits");
    let future = AccountReputation { last_submission_time: NOW + 9, transaction_count: 1, ..first };
    assert!(is_cooling_down(&future, NOW));
}

#[test]
fn every_difficulty_needs_its_score() {
    // Days, transactions, and a stake that is one point of score short and just enough.
    let cases = [
        (Difficulty::Beginner, 7, 0, 100_399, 100_400),
        (Difficulty::Intermediate, 7, 50, 100_399, 100_400),
        (Difficulty::Advanced, 7, 100, 100_399, 100_400),
        (Difficulty::Expert, 30, 99, 13_399, 13_400),
    ];
    for (difficulty, days, count, short, enough) in cases {
        let with = |stake| {
            let mut record = veteran();
            record.reputation = of(days, count, stake);
            let result = admit(&mut record, difficulty, 0, None, NOW);
            (result, record.reputation.reputation_score)
        };
        let least = [1_000, 3_000, 5_000, 7_000][difficulty as usize];
        assert_eq!(with(short), (Err(TosError::InvalidPayload), least - 1), "{difficulty:?}");
        assert_eq!(with(enough), (Ok(()), least), "{difficulty:?}");
    }
}

#[test]
fn the_cooldown_is_that_of_the_stored_score() {
    let mut record = veteran();
    record.reputation.last_submission_time = NOW - 300;
    assert_eq!(admit(&mut record.clone(), Difficulty::Expert, 0, None, NOW), Ok(()));
    // The score of now would be the same, but the one of the last action was lower.
    record.reputation.reputation_score = 8_999;
    assert_eq!(admit(&mut record, Difficulty::Expert, 0, None, NOW), Err(TosError::InvalidPayload));
}

#[test]
fn the_stake_of_an_answer_counts_for_its_own_score() {
    let mut record = veteran();
    record.reputation = of(30, 0, 0);
    assert!(admit(&mut record.clone(), Difficulty::Intermediate, 0, Some(u64::MAX), NOW).is_ok());
    record.reputation = of(29, 25, 1_000_000);
    assert!(admit(&mut record.clone(), Difficulty::Advanced, 0, None, NOW).is_ok());
    assert!(admit(&mut record, Difficulty::Advanced, 0, Some(1), NOW).is_err());
}
