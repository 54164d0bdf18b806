//! A block of everything: ether, tokens and swaps.

use revm::primitives::Address;

use super::genesis::Genesis;
use super::people::{ACCOUNTS, Draw, People};
use super::raw::Made;
use super::token::Token;
use super::uniswap::{Pool, Swap, Uniswap};
use super::{distinct, erc20, raw, swaps};

/// Tokens of the block.
const TOKENS: usize = 3;
/// Pools of the block.
const POOLS: usize = 2;

/// How many transactions are of which kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Share {
    raw: usize,
    erc20: usize,
    swaps: usize,
}

impl Share {
    /// 60 %, 20 % and 20 % of what fills a block of one kind.
    pub(super) const fn of(raw: usize, erc20: usize, swaps: usize) -> Self {
        Self { raw: raw * 6 / 10, erc20: erc20 / 5, swaps: swaps / 5 }
    }

    pub(super) const fn total(self) -> usize {
        self.raw + self.erc20 + self.swaps
    }

    /// The same proportions in a block of `transactions`.
    fn scaled(self, transactions: usize) -> Self {
        let scale = |part: usize| part * transactions / self.total().max(1);
        let (erc20, swaps) = (scale(self.erc20), scale(self.swaps));
        Self { raw: transactions - erc20 - swaps, erc20, swaps }
    }
}

/// A transaction before it has its nonce.
#[derive(Debug, Clone, Copy)]
enum Step {
    Ether((Address, Address)),
    Token(Token, (Address, Address)),
    Swap(Pool, Address, Swap),
}

/// `whole` in so many nearly equal parts.
fn parts(whole: usize, count: usize) -> impl Iterator<Item = usize> {
    (0..count).map(move |index| whole / count + usize::from(index < whole % count))
}

/// One kind after the other, or shuffled.
pub(super) fn block(transactions: usize, shuffled: bool, seed: u64) -> Made {
    use super::workload::Workload::{Erc20OneToken, RawRandom, UniswapOnePool};
    let full = Share::of(RawRandom.field_size(), Erc20OneToken.field_size(), UniswapOnePool.field_size());
    let share = full.scaled(transactions);
    let mut chance = People::new(seed);
    let mut genesis = Genesis::default();
    let people = chance.addresses(ACCOUNTS);
    people.iter().for_each(|&person| genesis.fund(person));
    let pair = |chance: &mut People| (chance.draw(&people, Draw::Uniform), chance.draw(&people, Draw::Uniform));

    let mut plan = Vec::with_capacity(transactions);
    plan.extend((0..share.raw).map(|_| Step::Ether(pair(&mut chance))));
    for part in parts(share.erc20, TOKENS) {
        let ends: Vec<_> = (0..part).map(|_| pair(&mut chance)).collect();
        let holders = distinct(ends.iter().flat_map(|&(from, to)| [from, to]));
        let token = erc20::token(&mut genesis, &mut chance, &holders)?;
        plan.extend(ends.into_iter().map(|ends| Step::Token(token, ends)));
    }
    let uniswap = Uniswap::deploy(&mut genesis, &mut chance)?;
    for part in parts(share.swaps, POOLS) {
        let drawn = swaps::drawn(&mut chance, &people, part);
        let pool = uniswap.pool(&mut genesis, &mut chance)?;
        pool.admit(&mut genesis, &distinct(drawn.iter().map(|&(trader, _)| trader)))?;
        plan.extend(drawn.into_iter().map(|(trader, swap)| Step::Swap(pool, trader, swap)));
    }
    if shuffled {
        for index in (1..plan.len()).rev() {
            plan.swap(index, chance.below(index + 1));
        }
    }
    // Nonces follow the final order.
    let transactions = plan.into_iter().map(|step| match step {
        Step::Ether((from, to)) => raw::transfer(&mut genesis, from, to),
        Step::Token(token, (from, to)) => erc20::transfer(&mut genesis, &token, from, to),
        Step::Swap(pool, trader, swap) => swaps::swap(&mut genesis, &pool, trader, swap),
    });
    let transactions = transactions.collect();
    Ok((genesis.finish()?, transactions))
}
