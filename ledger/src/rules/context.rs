//! What the rules are told from outside: the switches, and the block's surroundings.

use crate::types::{Address, Hash};
use crate::wire::Era;

use super::contract::ContractIds;
use super::energy_constants::{BLOCKS_PER_DAY, BLOCKS_PER_DAY_DEVNET};

/// When a credit can be spent (spec 7.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CreditVisibility {
    /// By later transactions of the same block.
    #[default]
    Immediate,
    /// After the block. It needs [`DeferredReader`](super::DeferredReader) as the block's base and
    /// [`finish_block`](super::finish_block) at its end.
    Deferred,
}

/// When a block's reward is credited (spec 7.3). Fees and gas are credited after the transactions in either order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RewardOrder {
    /// Before the transactions, as in the older era. With [`CreditVisibility::Immediate`] the block's own transactions
    /// can spend it; with [`CreditVisibility::Deferred`] it makes the accounts exist for them, and no more.
    Before,
    /// After the transactions, which see nothing of it.
    After,
}

/// The switches of the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LedgerConfig {
    /// When a credit can be spent.
    pub credit_visibility: CreditVisibility,
    /// Whether [`Counter::Fees`](crate::state::Counter::Fees) is kept. The receipts carry the fees in any case;
    /// without the counter a block of transfers shares no key at all.
    pub fee_counter: bool,
    /// Whether and when blocks are rewarded (spec 7.3). With `None` nobody is credited for a block, neither its
    /// reward nor its fees, and the supply stays as it is. With an order, accepted blocks need a
    /// [`Payout`](super::Payout), and their [`BlockContext`] says who is credited.
    pub rewards: Option<RewardOrder>,
    /// How a contract's id is derived.
    pub contract_ids: ContractIds,
    /// Whether the AI mining era is on (spec 2.6, 6). Off, its transactions fail with 0x0100, as they do where they are
    /// decoded in [`Era::Standard`].
    pub ai_mining: bool,
}

impl Default for LedgerConfig {
    /// The vector rules: immediate credits, fees counted, nobody rewarded (spec 7.1), no AI mining.
    fn default() -> Self {
        Self {
            credit_visibility: CreditVisibility::Immediate,
            fee_counter: true,
            rewards: None,
            contract_ids: ContractIds::ModuleHash,
            ai_mining: false,
        }
    }
}

impl LedgerConfig {
    /// The era that transactions for this ledger are to be decoded in.
    #[must_use]
    pub const fn era(&self) -> Era {
        if self.ai_mining { Era::AiMining } else { Era::Standard }
    }
}

/// The surroundings of a block. By default those of the first block of a mainnet without rewards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BlockContext {
    /// 0 mainnet, 1 testnet, 2 stagenet, 3 devnet.
    pub chain_id: u8,
    /// The global height before the block (spec 5.4): a successful block raises it by one.
    pub height: u64,
    /// The block's time, from its header, in milliseconds. Contracts see it in seconds. Of the rules only those of AI
    /// mining read it, and they rely on its not decreasing from block to block ([`mining`](super::mining)).
    pub timestamp: u64,
    /// The block's hash. Contracts see it.
    pub hash: Hash,
    /// Who made the block. Read with [`LedgerConfig::rewards`] only, like what follows.
    pub miner: Address,
    /// Who gets the developer's share of its reward.
    pub developer: Address,
    /// For a side block, the number of earlier side blocks of its height (spec 7.3); `None` on the main chain.
    pub side_blocks: Option<u32>,
}

impl BlockContext {
    /// Blocks of a day on this chain (spec 5.4).
    #[must_use]
    pub const fn blocks_per_day(&self) -> u64 {
        if self.chain_id == 3 { BLOCKS_PER_DAY_DEVNET } else { BLOCKS_PER_DAY }
    }
}
