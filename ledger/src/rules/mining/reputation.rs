//! How records change with what a miner does (spec 6).

use crate::state::{AccountReputation, Miner, MinerRecord};

use super::limits::PASSING_SCORE;

/// Highest miner reputation.
const MAX_REPUTATION: u16 = 1_000;
/// Reputation for publishing a task, and for having it completed.
pub(super) const FOR_TASK: i16 = 5;
/// Reputation for an answer, and for the one that completes a task.
pub(super) const FOR_ANSWER: i16 = 10;
/// Reputation for a validation, and for a good score of the answer that completes a task.
pub(super) const FOR_VALIDATION: i16 = 3;
/// Reputation for a bad score of the answer that completes a task.
pub(super) const FOR_MISJUDGEMENT: i16 = -2;

/// Adds to a miner's reputation, within its range.
pub(super) fn change(miner: &mut Miner, by: i16) {
    miner.reputation = miner.reputation.saturating_add_signed(by).min(MAX_REPUTATION);
}

/// Notes an action for history and cooldown.
pub(super) const fn note_action(reputation: &mut AccountReputation, now: u64) {
    reputation.last_submission_time = now;
    reputation.transaction_count = reputation.transaction_count.saturating_add(1);
}

/// Notes a validation for the accuracy bonus.
pub(super) const fn note_validation(reputation: &mut AccountReputation, score: u8) {
    reputation.total_validations = reputation.total_validations.saturating_add(1);
    if score >= PASSING_SCORE {
        reputation.successful_validations = reputation.successful_validations.saturating_add(1);
    }
}

/// What a completion does for the submitter of the best answer.
pub(super) fn reward_submitter(record: &mut MinerRecord, reward: u64) {
    change(&mut record.miner, FOR_ANSWER);
    record.reputation.total_rewards_earned = record.reputation.total_rewards_earned.saturating_add(reward);
}

/// What a completion does for, or against, somebody who gave the best answer this score.
pub(super) fn settle_validator(record: &mut MinerRecord, score: u8) {
    change(&mut record.miner, if score >= PASSING_SCORE { FOR_VALIDATION } else { FOR_MISJUDGEMENT });
    note_validation(&mut record.reputation, score);
}
