//! Uniswap V3 as it is deployed: factory, position manager, routers, and pools of two tokens with liquidity.

use revm::primitives::{Address, Bytes, U256};

use super::abi::{self, Word};
use super::artifacts::Contract;
use super::genesis::{Genesis, WorkloadError};
use super::people::People;
use super::token::Token;

/// 0.3 %, in millionths.
const FEE: u64 = 3000;

/// The position covers nearly every price; a multiple of the fee's tick spacing.
const TICKS: i32 = 600_000;

/// What the provider puts into a pool, of either token.
const LIQUIDITY: U256 = U256::from_limbs([7_000_000_000_000_000_000, 0, 0, 0]);

/// Of Uniswap, what all pools of a workload share.
#[derive(Debug)]
pub(super) struct Uniswap {
    /// Deploys, provides the liquidity and issues the tokens.
    provider: Address,
    factory: Address,
    positions: Address,
    token: Bytes,
    router: Bytes,
}

/// A pool of two tokens, with the router that its users call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pool {
    tokens: [Token; 2],
    pub(super) router: Address,
}

/// What is asked of a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Swap {
    /// So much of the first token for whatever that gives.
    SellFirst,
    /// So much of the second token.
    SellSecond,
    /// So much of the first token, whatever it costs.
    BuyFirst,
    /// So much of the second token.
    BuySecond,
}

impl Swap {
    /// The kinds in turn.
    pub(super) const fn nth(index: usize) -> Self {
        match index % 4 {
            0 => Self::SellFirst,
            1 => Self::SellSecond,
            2 => Self::BuyFirst,
            _ => Self::BuySecond,
        }
    }
}

impl Uniswap {
    pub(super) fn deploy(genesis: &mut Genesis, people: &mut People) -> Result<Self, WorkloadError> {
        let provider = people.address();
        let factory = genesis.deploy(provider, Contract::Factory.initcode()?)?;
        // Neither wrapped ether nor a descriptor of positions is ever called.
        let (ether, descriptor) = (people.address(), people.address());
        let positions = abi::deploy(&Contract::PositionManager.initcode()?, &[&factory, &ether, &descriptor]);
        let positions = genesis.deploy(provider, positions)?;
        let (token, router) = (Contract::Token.initcode()?, Contract::Router.initcode()?);
        Ok(Self { provider, factory, positions, token, router })
    }

    /// A pool with two tokens and a router of its own, which nobody else's code shares.
    pub(super) fn pool(&self, genesis: &mut Genesis, people: &mut People) -> Result<Pool, WorkloadError> {
        let ether = people.address();
        let router = genesis.deploy(self.provider, abi::deploy(&self.router, &[&self.factory, &ether]))?;
        let mut tokens =
            [Token::deploy(genesis, &self.token, self.provider)?, Token::deploy(genesis, &self.token, self.provider)?];
        tokens.sort_unstable_by_key(|token| token.address);
        for token in tokens {
            token.approve(genesis, self.provider, self.positions)?;
        }
        let [first, second] = tokens.map(|token| token.address);
        // One for one: the square root of the price, with 96 binary places.
        let price = U256::from(1) << 96;
        let create = abi::call(
            "createAndInitializePoolIfNecessary(address,address,uint24,uint160)",
            &[&first, &second, &FEE, &price],
        );
        genesis.call(self.provider, self.positions, create)?;
        let mint: [&dyn Word; 11] = [
            &first,
            &second,
            &FEE,
            &-TICKS,
            &TICKS,
            &LIQUIDITY,
            &LIQUIDITY,
            &U256::ZERO,
            &U256::ZERO,
            &self.provider,
            &U256::MAX,
        ];
        let signature = "mint((address,address,uint24,int24,int24,uint256,uint256,uint256,uint256,address,uint256))";
        genesis.call(self.provider, self.positions, abi::call(signature, &mint))?;
        Ok(Pool { tokens, router })
    }
}

impl Pool {
    /// Gives everybody both tokens and lets the router spend them.
    pub(super) fn admit(&self, genesis: &mut Genesis, traders: &[Address]) -> Result<(), WorkloadError> {
        for token in &self.tokens {
            token.fund(genesis, traders)?;
            traders.iter().try_for_each(|&trader| token.approve(genesis, trader, self.router))?;
        }
        Ok(())
    }

    /// The call of the router that swaps.
    pub(super) fn swap(&self, trader: Address, swap: Swap) -> Bytes {
        let [first, second] = self.tokens.map(|token| token.address);
        let (paid, bought) = match swap {
            Swap::SellFirst | Swap::BuySecond => (first, second),
            Swap::SellSecond | Swap::BuyFirst => (second, first),
        };
        let (function, amount, bound) = match swap {
            Swap::SellFirst | Swap::SellSecond => ("exactInputSingle", U256::from(2000), U256::ZERO),
            Swap::BuyFirst | Swap::BuySecond => ("exactOutputSingle", U256::from(1000), U256::from(2000)),
        };
        let signature = format!("{function}((address,address,uint24,address,uint256,uint256,uint256,uint160))");
        abi::call(&signature, &[&paid, &bought, &FEE, &trader, &U256::MAX, &amount, &bound, &U256::ZERO])
    }
}
