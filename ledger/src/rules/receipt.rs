//! What the ledger tells of a transaction and of a block.

use crate::error::TosError;

use super::Payout;

/// What became of one transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    /// Success, or the first rule that failed (spec 4.1).
    pub result: Result<(), TosError>,
    /// TOS paid, in atomic units; 0 for a failure and where energy pays.
    pub fee: u64,
    /// TOS burned, in atomic units.
    pub burned: u64,
}

impl Receipt {
    /// A failure: nothing paid, nothing burned (spec 4.6).
    #[must_use]
    pub const fn failure(error: TosError) -> Self {
        Self { result: Err(error), fee: 0, burned: 0 }
    }
}

/// Sums over one block's receipts, and its reward.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BlockTotals {
    /// Transactions that succeeded.
    pub accepted: u64,
    /// Transactions that failed.
    pub rejected: u64,
    /// Fees of this block, atomic units. Each fee counts once (spec 10, item 18).
    pub fees: u128,
    /// Burned in this block, atomic units.
    pub burned: u128,
    /// New supply, atomic units (spec 7.3). This and what follows is 0 where blocks are not rewarded.
    pub emitted: u128,
    /// What the miner got, atomic units: of the reward, the fees, and of the gas.
    pub miner: u128,
    /// What the developer got, atomic units.
    pub developer: u128,
}

impl BlockTotals {
    /// Sums up the receipts. The rewards are not theirs: [`with_payout`](Self::with_payout).
    #[must_use]
    pub fn of<'a>(receipts: impl IntoIterator<Item = &'a Receipt>) -> Self {
        receipts.into_iter().fold(Self::default(), |mut totals, receipt| {
            let accepted = u64::from(receipt.result.is_ok());
            totals.accepted += accepted;
            totals.rejected += 1 - accepted;
            totals.fees += u128::from(receipt.fee);
            totals.burned += u128::from(receipt.burned);
            totals
        })
    }

    /// These totals with the reward of the block, whose fees and gas earned the miner `earned`.
    #[must_use]
    pub fn with_payout(self, payout: &Payout, earned: u128) -> Self {
        let reward = payout.reward();
        Self {
            emitted: u128::from(reward.emitted),
            miner: u128::from(reward.miner).saturating_add(earned),
            developer: u128::from(reward.developer),
            ..self
        }
    }
}
