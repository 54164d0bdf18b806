//! The blocks by which the parallel-EVM field compares: ether, ERC-20 tokens and Uniswap V3 in its shapes and sizes,
//! and real Ethereum blocks.
//!
//! All states are made by executing transactions (see [`genesis`]), from a seed: the same name, size and seed is the
//! same block everywhere.

mod abi;
pub mod artifacts;
pub mod database;
mod erc20;
pub mod genesis;
mod hybrid;
pub mod mainnet;
pub mod measure;
mod people;
mod raw;
mod swaps;
mod token;
mod uniswap;
mod weft;
pub mod workload;

use std::collections::HashSet;

use revm::primitives::{Address, U256};
use weft_evm::EvmEnv;

pub use database::MemoryDatabase;
pub use workload::{Block, Workload};

/// Who gets the fees.
pub const BENEFICIARY: Address = Address::repeat_byte(0xbe);

/// What contract calls pay a gas, in wei: every transaction pays the beneficiary.
const GAS_PRICE: u128 = 3_000_000_007;

/// A block of the newest fork, with no base fee and no limit.
#[must_use]
pub fn environment() -> EvmEnv {
    let mut env: EvmEnv = EvmEnv::default();
    env.block_env.beneficiary = BENEFICIARY;
    env.block_env.number = U256::from(2);
    // Later than the set-up's block: the first swap in a pool writes an observation, as it does in practice.
    env.block_env.timestamp = U256::from(13);
    env
}

/// The block before that, in which states are set up.
fn set_up() -> EvmEnv {
    let mut env = environment();
    env.block_env.number = U256::from(1);
    env.block_env.timestamp = U256::from(1);
    env
}

/// Everybody once, in the order of the first appearance.
fn distinct(people: impl Iterator<Item = Address>) -> Vec<Address> {
    let mut known = HashSet::new();
    people.filter(|&person| known.insert(person)).collect()
}
