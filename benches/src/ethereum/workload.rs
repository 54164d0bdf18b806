//! The workloads by name, with the field's sizes.

use std::fmt;

use clap::ValueEnum;
use revm::context::TxEnv;
use weft_evm::EvmEnv;

use super::database::MemoryDatabase;
use super::genesis::WorkloadError;
use super::{erc20, hybrid, raw, swaps};

/// Transactions of 21,000 gas in 10⁹ gas.
const RAW: usize = 47_620;
/// Token transfers in 10⁹ gas, by the field's estimate.
const ERC20: usize = 33_628;
/// Swaps in 10⁹ gas, by the field's estimate.
const UNISWAP: usize = 6413;

/// A block to execute, on the state below it.
#[derive(Debug, Clone)]
pub struct Block<DB = MemoryDatabase> {
    /// Whose block it is.
    pub name: String,
    /// Fork and block.
    pub env: EvmEnv,
    /// The state below.
    pub database: DB,
    /// In order.
    pub transactions: Vec<TxEnv>,
}

/// A shape of conflicts, in ether, tokens or swaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Workload {
    /// Everybody pays himself.
    RawIndependent,
    /// Each pays the sender of the next transaction.
    RawChain,
    /// The first half is a chain, the second independent.
    RawHalfChained,
    /// One account pays everybody.
    RawOneSender,
    /// Everybody pays one account.
    RawOneReceiver,
    /// Both ends drawn from 100,000 accounts.
    RawRandom,
    /// The same, but 30 % of the draws fall on a tenth of the accounts.
    #[value(name = "raw-hot-30")]
    RawHot30,
    /// Everybody sends himself of one token.
    Erc20Independent,
    /// Ten tokens, each with 15 families of 15, who send to their own family.
    Erc20Clusters,
    /// One token, both ends drawn from 100,000 holders.
    Erc20OneToken,
    /// The same, but 30 % of the draws fall on a tenth of the holders.
    #[value(name = "erc20-hot-30")]
    Erc20Hot30,
    /// One token, each sends to the sender of the next transaction.
    Erc20Chain,
    /// The first half is a chain, the second independent.
    Erc20HalfChained,
    /// A pool, two tokens and a router for every swap.
    UniswapIndependent,
    /// One pool, its users drawn from 100,000 accounts.
    UniswapOnePool,
    /// The first half in one pool, the second each in its own.
    UniswapHalfChained,
    /// By gas 60 % ether, 20 % of three tokens and 20 % in two pools, from 100,000 accounts, one kind after the other.
    Hybrid,
    /// The same transactions, shuffled.
    HybridShuffled,
}

impl Workload {
    /// The field's number of transactions.
    #[must_use]
    pub const fn field_size(self) -> usize {
        match self {
            Self::RawIndependent
            | Self::RawChain
            | Self::RawHalfChained
            | Self::RawOneSender
            | Self::RawOneReceiver
            | Self::RawRandom
            | Self::RawHot30 => RAW,
            Self::Erc20Independent
            | Self::Erc20Clusters
            | Self::Erc20OneToken
            | Self::Erc20Hot30
            | Self::Erc20Chain
            | Self::Erc20HalfChained => ERC20,
            Self::UniswapIndependent | Self::UniswapOnePool | Self::UniswapHalfChained => UNISWAP,
            Self::Hybrid | Self::HybridShuffled => hybrid::Share::of(RAW, ERC20, UNISWAP).total(),
        }
    }

    /// Makes the block and the state below it.
    ///
    /// # Errors
    /// [`WorkloadError`], above all where the contracts are not installed.
    pub fn block(self, transactions: usize, seed: u64) -> Result<Block, WorkloadError> {
        use super::people::Draw::{Hot, Uniform};
        let (database, transactions) = match self {
            Self::RawIndependent => raw::along(transactions, 0, seed)?,
            Self::RawChain => raw::along(transactions, transactions, seed)?,
            Self::RawHalfChained => raw::along(transactions, transactions / 2, seed)?,
            Self::RawOneSender => raw::one_sender(transactions, seed)?,
            Self::RawOneReceiver => raw::one_receiver(transactions, seed)?,
            Self::RawRandom => raw::drawn(transactions, Uniform, seed)?,
            Self::RawHot30 => raw::drawn(transactions, Hot(0.3), seed)?,
            Self::Erc20Independent => erc20::along(transactions, 0, seed)?,
            Self::Erc20Clusters => erc20::clusters(transactions, seed)?,
            Self::Erc20OneToken => erc20::drawn(transactions, Uniform, seed)?,
            Self::Erc20Hot30 => erc20::drawn(transactions, Hot(0.3), seed)?,
            Self::Erc20Chain => erc20::along(transactions, transactions, seed)?,
            Self::Erc20HalfChained => erc20::along(transactions, transactions / 2, seed)?,
            Self::UniswapIndependent => swaps::pools(transactions, 0, seed)?,
            Self::UniswapOnePool => swaps::pools(transactions, transactions, seed)?,
            Self::UniswapHalfChained => swaps::pools(transactions, transactions / 2, seed)?,
            Self::Hybrid => hybrid::block(transactions, false, seed)?,
            Self::HybridShuffled => hybrid::block(transactions, true, seed)?,
        };
        Ok(Block { name: self.to_string(), env: super::environment(), database, transactions })
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value();
        formatter.write_str(value.as_ref().map_or("", |value| value.get_name()))
    }
}
