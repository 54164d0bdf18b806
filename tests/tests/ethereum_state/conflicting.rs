//! Blocks of cases that get in each other's way: one state of all their states, where the first to have an account wins.
//! What a contract was written for in its test is seldom what it meets here; that is as legal, and harder.

use alloy_primitives::{Address, U256};
use revm::context::TxEnv;

use crate::case::Case;
use crate::common::block::Block;
use crate::common::world::World;

/// Who sends the transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Senders {
    /// Who sends them in their tests. That is the same account in most: the block is one chain of nonces.
    AsTheyAre,
    /// An account for each transaction: they meet in the contracts and at the coinbase only.
    OneEach,
}

/// Contracts that were not written for each other may loop until the gas is gone. This ends soon enough.
const GAS_LIMIT: u64 = 12_000_000;

/// One block of the transactions of `cases`, in the environment of the first. Those that are not valid where they would
/// stand are left out.
pub(crate) fn block(cases: &[&Case], senders: Senders) -> Option<Block> {
    let mut env = cases.iter().find_map(|case| case.env.clone())?;
    env.block_env.gas_limit = u64::MAX;
    let transactions: Vec<(&Case, TxEnv)> = cases
        .iter()
        .enumerate()
        .filter_map(|(index, case)| {
            let mut tx = case.tx.clone().ok()?;
            tx.gas_limit = tx.gas_limit.min(GAS_LIMIT);
            if senders == Senders::OneEach {
                tx.caller = Address::with_last_byte(0x5e).create(index as u64);
            }
            Some((*case, tx))
        })
        .collect();
    let mut pre = World::default();
    for (case, _) in &transactions {
        pre.add_missing(&case.pre);
    }
    for (_, tx) in &transactions {
        fund(&mut pre, tx.caller);
    }
    let mut block = Block::new(env, pre);
    for (case, mut tx) in transactions {
        tx.nonce = block.next_nonce(&tx.caller);
        block.push(case.name.as_str(), tx);
    }
    (block.len() > 1).then_some(block)
}

/// Enough for every fee, and not so much that it could overflow.
fn fund(world: &mut World, address: Address) {
    let enough = U256::from(1) << 200;
    match world.accounts.get_mut(&address) {
        Some(account) => account.balance = account.balance.max(enough),
        None => world.insert(address, enough, 0, &alloy_primitives::Bytes::new(), []),
    }
}
