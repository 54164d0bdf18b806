//! In commit order: which transactions become part of the block, and where it ends. Shared by all paths, also by
//! executors outside this crate, so that they cannot differ.

use crate::config::{BlockPolicy, OnRejected};
use crate::vm::{Outcome, Verdict};

/// Where and why a block ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockEnd {
    /// All transactions were executed.
    Complete,
    /// The block is invalid because of this transaction; it changes nothing. The last outcome says why.
    Rejected {
        /// The first rejected transaction, by its index in the block.
        transaction: usize,
    },
    /// The gas limit is reached: the block consists of the transactions before this one.
    GasLimit {
        /// The first transaction that is not part of the block.
        transaction: usize,
    },
}

/// What to do with a transaction's outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admitted {
    /// It is part of the block.
    Yes,
    /// It is recorded, and with it the block ends as invalid.
    RejectsBlock,
    /// The block ends before it.
    No,
}

/// Applies a [`BlockPolicy`] to outcomes, in order.
#[derive(Debug, Clone, Copy)]
pub struct Admission {
    policy: BlockPolicy,
    gas_used: u64,
}

impl Admission {
    /// At the beginning of a block.
    #[must_use]
    pub fn new(policy: BlockPolicy) -> Self {
        Self { policy, gas_used: 0 }
    }

    /// What a speculative execution may assume: nothing is known of the gas used below it.
    pub(crate) fn without_gas_limit(policy: BlockPolicy) -> Self {
        Self::new(BlockPolicy { gas_limit: None, ..policy })
    }

    /// Gas used by the transactions that are part of the block so far.
    #[must_use]
    pub fn gas_used(&self) -> u64 {
        self.gas_used
    }

    /// What becomes of the next transaction, in order.
    pub fn admit<O>(&mut self, outcome: &Outcome<O>) -> Admitted {
        if outcome.verdict == Verdict::Rejected && self.policy.on_rejected == OnRejected::RejectBlock {
            return Admitted::RejectsBlock;
        }
        let gas_used = self.gas_used.saturating_add(outcome.gas_used);
        if self.policy.gas_limit.is_some_and(|limit| gas_used > limit) {
            return Admitted::No;
        }
        self.gas_used = gas_used;
        Admitted::Yes
    }
}
