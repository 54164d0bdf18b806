//! The arguments of commands that reward blocks, and what they say of it.

use clap::{Args, ValueEnum};
use serde::Serialize;
use weft_ledger::Address;
use weft_ledger::rules::{BlockTotals, LedgerConfig, RewardOrder};
use weft_node::chain::Beneficiaries;
use weft_node::executor::ExecutorSettings;

use super::grouped;

#[derive(Debug, Args)]
pub(super) struct RewardArguments {
    /// Credits each block's reward before or after its transactions, and the fees after them; without it nobody is
    /// credited. A database has to be continued as it was begun
    #[arg(long, value_enum, requires_all = ["miner", "developer"])]
    rewards: Option<OrderArgument>,
    /// Who gets the miner's share and the fees: 64 hex digits
    #[arg(long, value_name = "ADDRESS", requires = "rewards", value_parser = Address::from_hex)]
    miner: Option<Address>,
    /// Who gets the developer's share: 64 hex digits
    #[arg(long, value_name = "ADDRESS", requires = "rewards", value_parser = Address::from_hex)]
    developer: Option<Address>,
}

/// When a block's reward is credited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum OrderArgument {
    /// The block's own transactions can spend it
    Before,
    /// The next block's transactions can spend it
    After,
}

impl RewardArguments {
    /// How the blocks of a chain with this ledger are executed.
    pub(super) fn settings(&self, ledger: LedgerConfig) -> ExecutorSettings {
        let rewards = self.rewards.map(|order| match order {
            OrderArgument::Before => RewardOrder::Before,
            OrderArgument::After => RewardOrder::After,
        });
        let ledger = LedgerConfig { rewards, ..ledger };
        ExecutorSettings { ledger, ..ExecutorSettings::default() }
    }

    /// Whom they are credited to.
    pub(super) fn beneficiaries(&self) -> Beneficiaries {
        Beneficiaries { miner: self.miner.unwrap_or_default(), developer: self.developer.unwrap_or_default() }
    }

    /// What there is to say of rewards: nothing where there are none.
    pub(super) fn paid(&self) -> Option<Paid> {
        self.rewards.map(|_| Paid::default())
    }
}

/// What the blocks of a run have paid, in atomic units.
#[derive(Debug, Default, Serialize)]
pub(super) struct Paid {
    emitted: u128,
    miner: u128,
    developer: u128,
}

impl Paid {
    /// Adds a block.
    pub(super) fn add(&mut self, totals: &BlockTotals) {
        self.emitted += totals.emitted;
        self.miner += totals.miner;
        self.developer += totals.developer;
    }

    /// The rows of the summary.
    pub(super) fn rows(&self) -> [(&'static str, String); 3] {
        // More than 64 bits hold is more than there can be.
        let units = |amount: u128| format!("{} atomic units", grouped(u64::try_from(amount).unwrap_or(u64::MAX)));
        [
            ("emitted", units(self.emitted)),
            ("to the miner, with fees", units(self.miner)),
            ("to the developer", units(self.developer)),
        ]
    }
}
