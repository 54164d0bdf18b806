//! What publishing, answering and judging ask of a miner alike (spec 6, step B).

use crate::error::TosError;
use crate::state::MinerRecord;
use crate::wire::Difficulty;

use super::anti_sybil::Risk;
use super::limits::participation_score;
use super::require;
use super::score::{is_cooling_down, score};

/// Checks the miner's reputation, cooldown, score and risk, in this order, and stores the score of now. `stake` is
/// that of an answer: it is stored before the score is computed, which it is a part of.
pub(super) fn admit(
    record: &mut MinerRecord,
    difficulty: Difficulty,
    least_reputation: u16,
    stake: Option<u64>,
    now: u64,
) -> Result<(), TosError> {
    require(record.miner.reputation >= least_reputation)?;
    let reputation = &mut record.reputation;
    // By the score of the last action, not of now.
    require(!is_cooling_down(reputation, now))?;
    if let Some(stake) = stake {
        reputation.stake_amount = stake;
    }
    reputation.reputation_score = score(reputation, now);
    require(reputation.reputation_score >= participation_score(difficulty))?;
    require(Risk::of(reputation, now).passes())
}
