//! Swaps in Uniswap's pools.

use revm::context::TxEnv;
use revm::primitives::{Address, TxKind};

use super::genesis::Genesis;
use super::people::{ACCOUNTS, Draw, People};
use super::raw::Made;
use super::uniswap::{Pool, Swap, Uniswap};
use super::{GAS_PRICE, distinct};

/// What the field allows a swap.
const GAS_LIMIT: u64 = 200_000;

/// A swap through the pool's router.
pub(super) fn swap(genesis: &mut Genesis, pool: &Pool, trader: Address, swap: Swap) -> TxEnv {
    TxEnv {
        caller: trader,
        nonce: genesis.next_nonce(trader),
        kind: TxKind::Call(pool.router),
        data: pool.swap(trader, swap),
        gas_limit: GAS_LIMIT,
        gas_price: GAS_PRICE,
        ..TxEnv::default()
    }
}

/// What drawn traders sell to one pool, this way or that.
pub(super) fn drawn(chance: &mut People, people: &[Address], swaps: usize) -> Vec<(Address, Swap)> {
    let mut draw = || {
        let swap = if chance.is_head() { Swap::SellFirst } else { Swap::SellSecond };
        (chance.draw(people, Draw::Uniform), swap)
    };
    (0..swaps).map(|_| draw()).collect()
}

/// The first `shared` swaps are in one pool, every other one in a pool of its own.
pub(super) fn pools(transactions: usize, shared: usize, seed: u64) -> Made {
    let mut chance = People::new(seed);
    let mut genesis = Genesis::default();
    let uniswap = Uniswap::deploy(&mut genesis, &mut chance)?;
    // Who swaps in which pool what.
    let mut plan = Vec::with_capacity(transactions);
    if shared > 0 {
        let people = chance.addresses(ACCOUNTS);
        let swaps = drawn(&mut chance, &people, shared);
        let traders = distinct(swaps.iter().map(|&(trader, _)| trader));
        traders.iter().for_each(|&trader| genesis.fund(trader));
        let pool = uniswap.pool(&mut genesis, &mut chance)?;
        pool.admit(&mut genesis, &traders)?;
        plan.extend(swaps.into_iter().map(|(trader, swap)| (pool, trader, swap)));
    }
    for index in shared..transactions {
        let trader = chance.address();
        genesis.fund(trader);
        let pool = uniswap.pool(&mut genesis, &mut chance)?;
        pool.admit(&mut genesis, &[trader])?;
        plan.push((pool, trader, Swap::nth(index)));
    }
    let transactions = plan.iter().map(|&(pool, trader, kind)| swap(&mut genesis, &pool, trader, kind)).collect();
    Ok((genesis.finish()?, transactions))
}
