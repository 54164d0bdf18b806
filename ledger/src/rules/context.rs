//! What the rules are told from outside: the switches, and the block's surroundings.

use crate::types::Hash;

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

/// The switches of the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LedgerConfig {
    /// When a credit can be spent.
    pub credit_visibility: CreditVisibility,
    /// Whether [`Counter::Fees`](crate::state::Counter::Fees) is kept. The receipts carry the fees in any case;
    /// without the counter a block of transfers shares no key at all.
    pub fee_counter: bool,
}

impl Default for LedgerConfig {
    /// The vector rules: immediate credits, fees counted.
    fn default() -> Self {
        Self { credit_visibility: CreditVisibility::Immediate, fee_counter: true }
    }
}

/// The surroundings of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BlockContext {
    /// 0 mainnet, 1 testnet, 2 stagenet, 3 devnet.
    pub chain_id: u8,
    /// The global height before the block (spec 5.4): a successful block raises it by one.
    pub height: u64,
    /// The block's time, from its header, in milliseconds. Contracts see it in seconds; no rule of spec 5 reads it
    /// (spec 10, item 45).
    pub timestamp: u64,
    /// The block's hash. Contracts see it.
    pub hash: Hash,
}

impl BlockContext {
    /// Blocks of a day on this chain (spec 5.4).
    #[must_use]
    pub const fn blocks_per_day(&self) -> u64 {
        if self.chain_id == 3 { BLOCKS_PER_DAY_DEVNET } else { BLOCKS_PER_DAY }
    }
}
