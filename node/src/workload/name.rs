//! Which workloads there are, and what they are called.

use std::str::FromStr;

use weft_ledger::rules::LedgerConfig;

/// Iterations of the independent contract calls: about 20 microseconds each, executed sequentially.
pub const ITERATIONS: u64 = 12_000;
/// The most: with more, a call would need more gas than the machine accepts.
const MOST_ITERATIONS: u64 = 1_000_000;
/// The fewest accounts of a workload that mixes types.
const FEWEST_MIXED: usize = 20;

/// What the transactions of a chain are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Workload {
    /// Transfers between two accounts drawn at random; with 2 accounts nearly a chain.
    P2p {
        /// Number of accounts.
        accounts: usize,
    },
    /// Every transfer has a sender and a receiver of its own.
    Independent,
    /// Every transfer has a sender of its own; all go to one account.
    SharedReceiver,
    /// One account sends everything: a pure chain.
    OneSender,
    /// Transfers between accounts drawn by a Zipf law: few are hot.
    Zipf {
        /// Number of accounts.
        accounts: usize,
        /// Exponent of the law; 0.99 is common.
        exponent: f64,
    },
    /// Every type of transaction without contracts and mining: transfers with one or several entries, TOS and energy
    /// fees, burns, multisig configurations and their use, freezing, delegating and unfreezing.
    Mixed {
        /// Number of accounts.
        accounts: usize,
    },
    /// Every call computes on a value of its own caller: nothing in common but counters that are added to.
    ContractIndependent {
        /// Iterations of the computation.
        iterations: u64,
    },
    /// Token transfers between two accounts drawn at random.
    ContractToken {
        /// Number of accounts.
        accounts: usize,
    },
    /// Swaps in constant-product pools, each by an account of its own.
    ContractPool {
        /// How many of a hundred swaps are in the one hot pool; each other one has a pool of its own. 100 is a pure
        /// chain.
        hot_percent: u8,
    },
    /// Every call reads and writes one counter: a pure chain.
    ContractCounter,
    /// Every call adds to one counter without reading it.
    ContractAdd,
    /// Every type of transaction that the ledger has: those of [`Workload::Mixed`], withdrawing, deployments with and
    /// without constructor, calls of every sample contract (some revert, some trap), and AI mining.
    All {
        /// Number of accounts.
        accounts: usize,
    },
}

/// The workloads of the project's tables: from no conflict at all to a pure chain, for transfers and for contracts, and
/// every type mixed.
pub const REPORTED: [Workload; 17] = [
    Workload::Independent,
    Workload::P2p { accounts: 10_000 },
    Workload::P2p { accounts: 1000 },
    Workload::P2p { accounts: 100 },
    Workload::P2p { accounts: 10 },
    Workload::P2p { accounts: 2 },
    Workload::SharedReceiver,
    Workload::OneSender,
    Workload::Zipf { accounts: 10_000, exponent: 0.99 },
    Workload::Mixed { accounts: 1000 },
    Workload::ContractIndependent { iterations: ITERATIONS },
    Workload::ContractToken { accounts: 1000 },
    Workload::ContractPool { hot_percent: 10 },
    Workload::ContractPool { hot_percent: 100 },
    Workload::ContractCounter,
    Workload::ContractAdd,
    Workload::All { accounts: 1000 },
];

impl Workload {
    /// Every form of a name, for the help of programs that take one.
    pub const NAMES: &str = "p2p-N, independent, shared-receiver, one-sender, zipf-N-EXPONENT, mixed-N, \
        contract-independent[-ITERATIONS], contract-token-N, contract-pool[-HOT_PERCENT], contract-counter, \
        contract-add or all-N, with N accounts (2 or more)";

    /// The switches of the ledger that the chain needs.
    #[must_use]
    pub fn ledger(&self) -> LedgerConfig {
        LedgerConfig { ai_mining: matches!(self, Self::All { .. }), ..LedgerConfig::default() }
    }

    /// Whether contracts are called. Blocks of such workloads are measured with fewer transactions: a call takes as
    /// long as ten or a hundred transfers.
    #[must_use]
    pub const fn calls_contracts(&self) -> bool {
        matches!(
            self,
            Self::ContractIndependent { .. }
                | Self::ContractToken { .. }
                | Self::ContractPool { .. }
                | Self::ContractCounter
                | Self::ContractAdd
                | Self::All { .. }
        )
    }

    /// How many accounts the chain has whose blocks have so many transactions.
    pub(super) fn accounts(&self, transactions: usize) -> usize {
        let accounts = match *self {
            Self::P2p { accounts }
            | Self::Zipf { accounts, .. }
            | Self::Mixed { accounts }
            | Self::ContractToken { accounts }
            | Self::All { accounts } => accounts,
            Self::Independent => transactions * 2,
            Self::SharedReceiver | Self::OneSender => transactions + 1,
            Self::ContractIndependent { .. }
            | Self::ContractPool { .. }
            | Self::ContractCounter
            | Self::ContractAdd => transactions,
        };
        accounts.max(2)
    }
}

impl std::fmt::Display for Workload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = match self {
            Self::P2p { accounts } => format!("p2p-{accounts}"),
            Self::Independent => "independent".to_owned(),
            Self::SharedReceiver => "shared-receiver".to_owned(),
            Self::OneSender => "one-sender".to_owned(),
            Self::Zipf { accounts, exponent } => format!("zipf-{accounts}-{exponent}"),
            Self::Mixed { accounts } => format!("mixed-{accounts}"),
            Self::ContractIndependent { iterations: ITERATIONS } => "contract-independent".to_owned(),
            Self::ContractIndependent { iterations } => format!("contract-independent-{iterations}"),
            Self::ContractToken { accounts } => format!("contract-token-{accounts}"),
            Self::ContractPool { hot_percent: 100 } => "contract-pool".to_owned(),
            Self::ContractPool { hot_percent } => format!("contract-pool-{hot_percent}"),
            Self::ContractCounter => "contract-counter".to_owned(),
            Self::ContractAdd => "contract-add".to_owned(),
            Self::All { accounts } => format!("all-{accounts}"),
        };
        f.pad(&name)
    }
}

/// A name that is no workload.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no workload is called {0:?}: {names}", names = Workload::NAMES)]
pub struct UnknownWorkload(String);

impl FromStr for Workload {
    type Err = UnknownWorkload;

    fn from_str(name: &str) -> Result<Self, UnknownWorkload> {
        parse(name).ok_or_else(|| UnknownWorkload(name.to_owned()))
    }
}

fn parse(name: &str) -> Option<Workload> {
    let accounts = |text: &str| text.parse().ok().filter(|n| (2..=10_000_000).contains(n));
    let parts: Vec<&str> = name.split('-').collect();
    Some(match parts[..] {
        ["p2p", n] => Workload::P2p { accounts: accounts(n)? },
        ["mixed", n] => Workload::Mixed { accounts: accounts(n)?.max(FEWEST_MIXED) },
        ["zipf", n, exponent] => {
            let exponent = exponent.parse().ok().filter(|e| (0.0..=10.0).contains(e))?;
            Workload::Zipf { accounts: accounts(n)?, exponent }
        }
        ["independent"] => Workload::Independent,
        ["shared", "receiver"] => Workload::SharedReceiver,
        ["one", "sender"] => Workload::OneSender,
        ["contract", "independent"] => Workload::ContractIndependent { iterations: ITERATIONS },
        ["contract", "independent", iterations] => {
            let iterations = iterations.parse().ok().filter(|n| *n <= MOST_ITERATIONS)?;
            Workload::ContractIndependent { iterations }
        }
        ["contract", "token", n] => Workload::ContractToken { accounts: accounts(n)? },
        ["contract", "pool"] => Workload::ContractPool { hot_percent: 100 },
        ["contract", "pool", percent] => {
            let hot_percent = percent.parse().ok().filter(|percent| *percent <= 100)?;
            Workload::ContractPool { hot_percent }
        }
        ["contract", "counter"] => Workload::ContractCounter,
        ["contract", "add"] => Workload::ContractAdd,
        ["all", n] => Workload::All { accounts: accounts(n)?.max(FEWEST_MIXED) },
        _ => return None,
    })
}
