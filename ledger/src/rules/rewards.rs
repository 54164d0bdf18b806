//! What a block is worth, and to whom (spec 7.3): numbers only. [`Payout`](super::Payout) brings them to the accounts.

use crate::types::COIN;

use super::BlockContext;

/// Most atomic units there will ever be (spec 7.3).
pub const MAX_SUPPLY: u64 = 184_000_000 * COIN;
/// The part of the supply that is left over, as a shift, of which a block's reward is computed (spec 7.3).
pub const EMISSION_SHIFT: u32 = 20;
/// A block's time in milliseconds, the same in all eras (spec 7.3).
pub const BLOCK_TIME_MS: u64 = 1000;
/// What the base reward is divided by, once for every second of a block's time (spec 7.3).
pub const REWARD_DIVISOR: u64 = 180;
/// From this height on the developer gets the smaller share (spec 7.3).
pub const DEVELOPER_CHANGE_HEIGHT: u64 = 15_768_000;
/// Percent of the gas used that is burned; the miner gets the rest (spec 5.6, 7.3).
pub const GAS_BURN_PERCENT: u64 = 30;

/// `floor(amount * percent / 100)`; `percent` is at most 100, so no step leaves 64 bits.
const fn percent_of(amount: u64, percent: u64) -> u64 {
    amount / 100 * percent + amount % 100 * percent / 100
}

/// What is left to emit, shifted (spec 7.3): the reward before block time and divisor. 0 when nothing is left.
#[must_use]
pub const fn base_reward(emitted: u64) -> u64 {
    MAX_SUPPLY.saturating_sub(emitted) >> EMISSION_SHIFT
}

/// The reward of a block on the main chain after `emitted` atomic units (spec 7.3).
///
/// Never more than what is left of [`MAX_SUPPLY`], whatever the block time: with [`BLOCK_TIME_MS`] that is no limit.
#[must_use]
pub fn block_reward(emitted: u64, block_time_ms: u64) -> u64 {
    let scaled = u128::from(base_reward(emitted)) * u128::from(block_time_ms) / 1000 / u128::from(REWARD_DIVISOR);
    u64::try_from(scaled).unwrap_or(u64::MAX).min(MAX_SUPPLY.saturating_sub(emitted))
}

/// Percent of the reward that a side block gets, after so many earlier side blocks of its height (spec 7.3).
#[must_use]
pub const fn side_block_percent(earlier: u32) -> u64 {
    match earlier {
        0 => 30,
        1 => 15,
        2 => 7,
        _ => 5,
    }
}

/// Percent of the reward that the developer gets in the block with this height (spec 7.3).
#[must_use]
pub const fn developer_percent(height: u64) -> u64 {
    if height < DEVELOPER_CHANGE_HEIGHT { 10 } else { 5 }
}

/// What the miner gets of the gas that a transaction used; the rest is burned (spec 5.6, 7.3).
#[must_use]
pub const fn miner_gas_share(gas_used: u64) -> u64 {
    gas_used - percent_of(gas_used, GAS_BURN_PERCENT)
}

/// The reward of one block, without fees and gas. `miner + developer == emitted`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BlockReward {
    /// New atomic units.
    pub emitted: u64,
    /// The miner's share of them.
    pub miner: u64,
    /// The developer's.
    pub developer: u64,
}

impl BlockReward {
    /// The reward of the block of `context` after `emitted` atomic units (spec 7.3).
    ///
    /// The developer's share goes by the block's own height, which is one more than the height before it.
    #[must_use]
    pub fn of(emitted: u64, context: &BlockContext) -> Self {
        let full = block_reward(emitted, BLOCK_TIME_MS);
        let reward = context.side_blocks.map_or(full, |earlier| percent_of(full, side_block_percent(earlier)));
        let developer = percent_of(reward, developer_percent(context.height.saturating_add(1)));
        Self { emitted: reward, miner: reward - developer, developer }
    }
}
