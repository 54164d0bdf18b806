//! Anti-Sybil risk (spec 6): hundredths give what binary fractions gave.

use super::super::anti_sybil::Risk;
use super::super::participation::admit;
use super::world::*;
use crate::error::TosError;
use crate::state::AccountReputation;
use crate::wire::Difficulty;

#[test]
fn every_sum_is_judged_as_with_binary_fractions() {
    let (mut at_the_limit, mut passing_at_the_limit) = (0, 0);
    for age in [0, 20, 40] {
        for history in [0, 15, 30] {
            for stake in [0, 20, 30] {
                for score in [0, 20, 50] {
                    for cooldown in [0, 10] {
                        let terms = [age, history, stake, score, cooldown];
                        let sum = terms.iter().fold(0.0, |sum, term| sum + f64::from(*term) / 100.0);
                        let risk = Risk { age, history, stake, score, cooldown };
                        assert_eq!(risk.passes(), sum < 0.8, "{risk:?}");
                        if terms.iter().sum::<u32>() == 80 {
                            at_the_limit += 1;
                            passing_at_the_limit += u32::from(risk.passes());
                        }
                    }
                }
            }
        }
    }
    assert_eq!(passing_at_the_limit, 8, "spec 6 counts them");
    assert!(at_the_limit > passing_at_the_limit);
}

fn reputation(age: u64, transaction_count: u64, stake_amount: u64, reputation_score: u64) -> AccountReputation {
    AccountReputation {
        created_at: NOW - age,
        transaction_count,
        stake_amount,
        reputation_score,
        ..AccountReputation::default()
    }
}

#[test]
fn every_term_has_its_limits() {
    let hour = 3_600;
    let age = |age| Risk::of(&reputation(age, 0, 0, 0), NOW).age;
    assert_eq!([0, 24 * hour - 1, 24 * hour, 168 * hour - 1, 168 * hour].map(age), [40, 40, 20, 20, 0]);
    let history = |count| Risk::of(&reputation(0, count, 0, 0), NOW).history;
    assert_eq!([0, 1, 4, 5, u64::MAX].map(history), [30, 15, 15, 0, 0]);
    let stake = |stake| Risk::of(&reputation(0, 0, stake, 0), NOW).stake;
    assert_eq!([0, 1, 9_999, 10_000, u64::MAX].map(stake), [30, 20, 20, 0, 0]);
    let score = |score| Risk::of(&reputation(0, 0, 0, score), NOW).score;
    assert_eq!([0, 999, 1_000, 2_999, 3_000].map(score), [50, 50, 20, 20, 0]);
    let cooldown = |ago| {
        let last_submission_time = NOW - ago;
        Risk::of(&AccountReputation { last_submission_time, ..reputation(0, 1, 0, 0) }, NOW).cooldown
    };
    assert_eq!([0, 3_599, 3_600].map(cooldown), [10, 10, 0]);
}

/// Exactly 80 without the cooldown: refused. One more step of any term's limit: taken.
#[test]
fn a_risk_of_eighty_is_refused() {
    let with = |age: u64, stake| {
        let mut record = veteran();
        record.reputation = reputation(age, 25, stake, 0);
        admit(&mut record, Difficulty::Beginner, 0, None, NOW)
    };
    // 40 for the age, 20 for the stake, 20 for a score of 1029.
    assert_eq!(with(DAY - 1, 9_999), Err(TosError::InvalidPayload));
    assert_eq!(with(DAY, 9_999), Ok(()));
    assert_eq!(with(DAY - 1, 10_000), Ok(()));
}

/// Exactly 80 with the cooldown: taken, as the old daemon's fractions had it.
#[test]
fn a_risk_of_eighty_with_the_cooldown_in_it_passes() {
    let with = |age: u64, stake| {
        let mut record = veteran();
        // 40 or more for the age, 30 for no stake. The stored score lets it act after 900, that of now not before 1800.
        record.reputation =
            AccountReputation { last_submission_time: NOW - 1_000, ..reputation(age, 75, stake, 7_000) };
        let result = admit(&mut record, Difficulty::Beginner, 0, None, NOW);
        assert_eq!(record.reputation.reputation_score, 3_000);
        assert_eq!(Risk::of(&record.reputation, NOW).cooldown, 10);
        result
    };
    assert_eq!(with(DAY - 1, 0), Ok(()));
}
