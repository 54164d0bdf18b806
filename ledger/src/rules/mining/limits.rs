//! The numbers of spec 6 that depend on nothing but the difficulty, and those that depend on nothing at all.

use std::ops::RangeInclusive;

use crate::wire::Difficulty;

/// Least registration fee, atomic units.
pub const MIN_REGISTRATION_FEE: u64 = 1_000_000_000;
/// Farthest deadline from now: 30 days in seconds, compared with block times as they are.
pub const MAX_DEADLINE_DISTANCE: u64 = 30 * 24 * 60 * 60;
/// Shortest description and answer, in bytes.
pub const MIN_TEXT_BYTES: usize = 10;
/// Longest description and answer, in bytes. The wire carries no more than 255 (spec 2.6).
pub const MAX_TEXT_BYTES: usize = 2048;
/// Least score of a good answer, of 100.
pub const PASSING_SCORE: u8 = 70;
/// Highest score.
pub(super) const MAX_SCORE: u8 = 100;

/// Whether a description or an answer has an allowed length.
pub(super) fn is_text_length(text: &str) -> bool {
    (MIN_TEXT_BYTES..=MAX_TEXT_BYTES).contains(&text.len())
}

/// Rewards of a task, atomic units.
pub(super) const fn rewards(difficulty: Difficulty) -> RangeInclusive<u64> {
    match difficulty {
        Difficulty::Beginner => 5_000_000_000..=15_000_000_000,
        Difficulty::Intermediate => 15_000_000_000..=50_000_000_000,
        Difficulty::Advanced => 50_000_000_000..=200_000_000_000,
        Difficulty::Expert => 200_000_000_000..=500_000_000_000,
    }
}

/// Stakes of an answer to a task with this reward: 10% to 50%, rounded down.
pub(super) const fn stakes(reward: u64) -> RangeInclusive<u64> {
    reward / 10..=reward / 2
}

/// Least miner reputation (0 to 1000) for publishing.
pub(super) const fn publisher_reputation(difficulty: Difficulty) -> u16 {
    match difficulty {
        Difficulty::Beginner => 200,
        Difficulty::Intermediate => 400,
        Difficulty::Advanced => 600,
        Difficulty::Expert => 800,
    }
}

/// Least miner reputation for answering.
pub(super) const fn submitter_reputation(difficulty: Difficulty) -> u16 {
    publisher_reputation(difficulty) - 100
}

/// Least miner reputation for judging.
pub(super) const fn validator_reputation(difficulty: Difficulty) -> u16 {
    publisher_reputation(difficulty) - 50
}

/// Least score (0 to 10000) for taking part in any way.
pub(super) const fn participation_score(difficulty: Difficulty) -> u64 {
    match difficulty {
        Difficulty::Beginner => 1_000,
        Difficulty::Intermediate => 3_000,
        Difficulty::Advanced => 5_000,
        Difficulty::Expert => 7_000,
    }
}
