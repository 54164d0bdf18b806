//! What the ledger tells of a transaction and of a block.

use crate::contract::{Event, Trap};
use crate::error::TosError;
use crate::types::Hash;

use super::Payout;

/// What became of one transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Success, or the first rule that failed (spec 4.1).
    pub result: Result<(), TosError>,
    /// TOS paid, in atomic units; 0 for a failure and where energy pays.
    pub fee: u64,
    /// TOS burned by a burn transaction, in atomic units. What of a call's gas is burned stands in its receipt.
    pub burned: u64,
    /// What became of the contract that was deployed or called. Boxed: nearly all receipts have none.
    pub contract: Option<Box<ContractReceipt>>,
}

/// What a deployment or a call did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContractReceipt {
    /// Which contract.
    pub contract: Hash,
    /// The call; `None` for a deployment without constructor.
    pub call: Option<CallReceipt>,
}

/// What a call of a contract did (spec 5.6). The transaction succeeds whatever the end is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallReceipt {
    /// How it ended. Unless it succeeded, nothing of it is left but this receipt and the gas.
    pub end: CallEnd,
    /// Gas used, in atomic units: with a trap all that was offered.
    pub gas_used: u64,
    /// Of which so much was burned; the rest is the miner's.
    pub gas_burned: u64,
    /// What the contract returned; kept for a revert too.
    pub return_data: Vec<u8>,
    /// What the contract and those that it called announced, in order; none unless it succeeded.
    pub events: Vec<Event>,
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallEnd {
    /// With exit code 0.
    Success,
    /// With another exit code: the contract's own refusal.
    Reverted {
        /// The exit code.
        code: u64,
    },
    /// Without exit code.
    Trapped(Trap),
}

impl Receipt {
    /// The gas that the transaction's call used, in atomic units.
    #[must_use]
    pub fn gas_used(&self) -> u64 {
        self.contract.as_ref().and_then(|contract| contract.call.as_ref()).map_or(0, |call| call.gas_used)
    }

    /// A failure: nothing paid, nothing burned (spec 4.6).
    #[must_use]
    pub const fn failure(error: TosError) -> Self {
        Self { result: Err(error), fee: 0, burned: 0, contract: None }
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
