//! What miners got, and the fork that moved the DAO's ether.

use alloy_consensus::Header;
use alloy_evm::eth::dao_fork::{DAO_HARDFORK_ACCOUNTS, DAO_HARDFORK_BENEFICIARY};
use alloy_primitives::{Address, Bytes, U256};
use revm::bytecode::opcode as op;
use revm::primitives::hardfork::SpecId;

use crate::chain::{Block, COINBASE, PRICE, sender};
use crate::common::asm::Asm;
use crate::import::accepted;
use crate::written::Written;

fn balance(written: &Written, address: Address) -> U256 {
    written.changes[&address].basics.flatten().map_or(U256::ZERO, |basics| basics.balance)
}

fn ether(amount: u64) -> U256 {
    U256::from(amount) * U256::from(10).pow(U256::from(18))
}

#[test]
fn a_mined_block_pays_its_miner_and_those_of_its_ommers() {
    let mut block = Block::byzantium();
    let miners = [Address::repeat_byte(0xd1), Address::repeat_byte(0xd2)];
    block.ommers = (1..)
        .zip(miners)
        .map(|(distance, beneficiary)| Header { number: 4_500_000 - distance, beneficiary, ..Header::default() })
        .collect();
    for index in 0..6 {
        block.call(sender(index), sender(index + 1), 1, Bytes::new());
    }
    block.call(sender(7), miners[1], 5, Bytes::new());
    let (result, written) = accepted(&block);
    assert_eq!(result.gas_used, 7 * 21_000);
    let thirty_seconds = ether(3) / U256::from(32);
    let fees = U256::from(7 * 21_000 * PRICE);
    assert_eq!(balance(&written, COINBASE), ether(3) + thirty_seconds * U256::from(2) + fees);
    assert_eq!(balance(&written, miners[0]), ether(3) * U256::from(7) / U256::from(8));
    assert_eq!(balance(&written, miners[1]), ether(3) * U256::from(6) / U256::from(8) + U256::from(5));
}

#[test]
fn the_block_of_the_dao_fork_moves_what_its_transactions_have_left() {
    let mut block = Block::new(SpecId::HOMESTEAD, 1_920_000, 1_469_000_000);
    let accounts = DAO_HARDFORK_ACCOUNTS;
    block.pre.insert(accounts[0], U256::from(100), 0, &Bytes::new(), []);
    block.pre.insert(accounts[2], U256::ZERO, 0, &Bytes::new(), []);
    // It pays three wei, from what it has and was paid just before, to whoever calls it.
    let mut code = Asm::default();
    code.push(0).push(0).push(0).push(0).push(3).op(op::CALLER).push(50_000).op(op::CALL);
    block.pre.insert(accounts[1], U256::from(2), 1, &code.finish(), [(U256::from(1), U256::from(1))]);
    block.call(sender(0), accounts[1], 20, Bytes::new());
    block.call(sender(1), accounts[0], 7, Bytes::new());
    block.call(sender(2), accounts[1], 0, Bytes::new());
    block.call(sender(3), DAO_HARDFORK_BENEFICIARY, 1, Bytes::new());
    block.call(sender(4), accounts[3], 4, Bytes::new());
    block.call(sender(5), Address::repeat_byte(0xee), 0, Bytes::new());
    let (result, written) = accepted(&block);
    assert_eq!(balance(&written, DAO_HARDFORK_BENEFICIARY), U256::from(107 + 2 + 20 - 6 + 1 + 4));
    assert_eq!(balance(&written, accounts[0]), U256::ZERO);
    assert_eq!(balance(&written, accounts[1]), U256::ZERO);
    assert!(!written.changes[&accounts[1]].is_wiped);
    assert_eq!(balance(&written, COINBASE) % ether(5), U256::from(PRICE) * U256::from(result.gas_used));
}
