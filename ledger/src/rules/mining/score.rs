//! The score of an account, and how often it may act with it (spec 6, "Reputation score").

use crate::state::AccountReputation;

/// 1.0 in the units of a score.
const ONE: u128 = 10_000;
/// Seconds of a day, compared with block times as they are.
const DAY: u64 = 24 * 60 * 60;

/// The score at `now`, 0 to 10000: 30% age, 40% history, 30% stake, and two bonuses.
pub(super) fn score(reputation: &AccountReputation, now: u64) -> u64 {
    let days = now.saturating_sub(reputation.created_at) / DAY;
    let age = part_of(days, 30);
    let history = part_of(reputation.transaction_count, 100);
    let stake = part_of(reputation.stake_amount, 1_000_000);
    // Every share is rounded down by itself.
    let base = age * 3_000 / ONE + history * 4_000 / ONE + stake * 3_000 / ONE;
    let long_term = if days > 90 { 1_000 } else { 0 };
    // At most ONE, so it fits.
    (base + accuracy_bonus(reputation) + long_term).min(ONE) as u64
}

/// `value / full`, at most 1.0.
fn part_of(value: u64, full: u64) -> u128 {
    (u128::from(value) * ONE / u128::from(full)).min(ONE)
}

/// What accuracy above 80% adds, once there are more than ten validations.
fn accuracy_bonus(reputation: &AccountReputation) -> u128 {
    if reputation.total_validations <= 10 {
        return 0;
    }
    let accuracy = u128::from(reputation.successful_validations) * ONE / u128::from(reputation.total_validations);
    accuracy.saturating_sub(8_000).min(2_000)
}

/// Time between two actions of an account with this score.
pub(super) const fn cooldown(score: u64) -> u64 {
    match score {
        9_000.. => 300,
        7_000.. => 900,
        3_000.. => 1_800,
        _ => 3_600,
    }
}

/// Whether the account, with the score that is stored, must wait. The first action never has to.
pub(super) const fn is_cooling_down(reputation: &AccountReputation, now: u64) -> bool {
    reputation.transaction_count > 0
        && now.saturating_sub(reputation.last_submission_time) < cooldown(reputation.reputation_score)
}
