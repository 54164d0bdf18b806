//! How much an account looks like one of many (spec 6, "Anti-Sybil risk").

use crate::state::AccountReputation;

use super::score::is_cooling_down;

/// Seconds of an hour, compared with block times as they are.
const HOUR: u64 = 60 * 60;
/// The sum from which an account is refused.
const LIMIT: u32 = 80;

/// What speaks against an account, in hundredths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Risk {
    pub(super) age: u32,
    pub(super) history: u32,
    pub(super) stake: u32,
    pub(super) score: u32,
    pub(super) cooldown: u32,
}

impl Risk {
    /// The risk at `now`, by the score that is stored.
    pub(super) const fn of(reputation: &AccountReputation, now: u64) -> Self {
        Self {
            age: match now.saturating_sub(reputation.created_at) / HOUR {
                0..24 => 40,
                24..168 => 20,
                _ => 0,
            },
            history: match reputation.transaction_count {
                0 => 30,
                1..5 => 15,
                _ => 0,
            },
            stake: match reputation.stake_amount {
                0 => 30,
                1..10_000 => 20,
                _ => 0,
            },
            score: match reputation.reputation_score {
                0..1_000 => 50,
                1_000..3_000 => 20,
                _ => 0,
            },
            cooldown: if is_cooling_down(reputation, now) { 10 } else { 0 },
        }
    }

    /// Whether the account may act.
    ///
    /// The old daemon added binary fractions in this order and refused from 0.8 on. Of the sums that are exactly 0.80
    /// those with the cooldown in them came out just below it, and passed: so they do here (spec 6).
    pub(super) const fn passes(self) -> bool {
        let sum = self.age + self.history + self.stake + self.score + self.cooldown;
        sum < LIMIT || (sum == LIMIT && self.cooldown > 0)
    }
}
