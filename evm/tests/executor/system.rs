//! System calls before and after the transactions, withdrawals, requests.

use alloy_eips::eip4895::Withdrawal;
use alloy_eips::{eip2935, eip4788, eip6110, eip7002, eip7251};
use alloy_primitives::{Address, B256, Bytes, U256, b256};
use revm::bytecode::opcode as op;

use crate::chain::{Block, COINBASE, PRICE, sender};
use crate::common::asm::Asm;
use crate::import::accepted;

const READER: Address = Address::repeat_byte(0xaa);

/// Asks `contract` for what it has under the block's `key`, keeps the answer in slot 0 and logs it.
fn reader(contract: Address, key: &[u8]) -> Bytes {
    let mut code = Asm::default();
    code.ops(key).push(0).op(op::MSTORE);
    code.push(32).push(32).push(32).push(0).push(0).push_address(contract).op(op::GAS).op(op::CALL).op(op::POP);
    code.push(32).op(op::MLOAD).push(0).op(op::SSTORE);
    code.push(32).push(32).op(op::LOG0);
    code.finish()
}

fn withdrawal(index: u64, address: Address, amount: u64) -> Withdrawal {
    Withdrawal { index, validator_index: index, address, amount }
}

#[test]
fn a_cancun_block_has_a_beacon_root_blobs_and_withdrawals() {
    let mut block = Block::cancun();
    block.deploy(eip4788::BEACON_ROOTS_ADDRESS, &eip4788::BEACON_ROOTS_CODE);
    let nobody = Address::repeat_byte(0xf1);
    let withdrawals = [(nobody, 5), (sender(1), 7), (COINBASE, 1), (nobody, 6), (Address::repeat_byte(0xf2), 0)];
    let numbered = (0..).zip(withdrawals).map(|(index, (address, amount))| withdrawal(index, address, amount));
    block.withdrawals = Some(numbered.collect());
    for index in 0..6 {
        block.tip(sender(index), sender(index + 1), 2);
        block.call(sender(index), nobody, 1, Bytes::new());
    }
    block.blobs(sender(7), sender(8), 2);
    block.blobs(sender(8), nobody, 1);
    let (result, written) = accepted(&block);
    assert_eq!(result.receipts.len(), 14);
    assert_eq!(result.gas_used, 14 * 21_000);
    assert_eq!(result.blob_gas_used, 3 << 17);
    assert!(result.requests.is_empty());
    let balance = |address| written.changes[&address].basics.unwrap().unwrap().balance;
    assert_eq!(balance(nobody), U256::from(11 * 1_000_000_000_u64 + 6));
    // One wei a unit of gas of those with blobs, two of those with a tip, and three above the base fee of the others.
    let fees = 21_000 * (2 + 6 * 2 + 6 * (PRICE as u64 - 7));
    assert_eq!(balance(COINBASE), U256::from(1_000_000_000 + fees));
    assert_eq!(written.changes[&eip4788::BEACON_ROOTS_ADDRESS].slots.len(), 2);
}

#[test]
fn a_transaction_reads_the_beacon_root_that_the_system_call_has_written() {
    let mut block = Block::cancun();
    block.deploy(eip4788::BEACON_ROOTS_ADDRESS, &eip4788::BEACON_ROOTS_CODE);
    block.deploy(READER, &reader(eip4788::BEACON_ROOTS_ADDRESS, &[op::TIMESTAMP]));
    for index in 0..4 {
        block.call(sender(index), READER, 0, Bytes::new());
    }
    let (result, written) = accepted(&block);
    let root = block.beacon_root.unwrap();
    assert!(result.receipts.iter().all(|receipt| receipt.logs()[0].data.data == Bytes::from(root.0)));
    assert_eq!(written.changes[&READER].slots[&U256::ZERO], U256::from_be_bytes(root.0));
}

#[test]
fn a_transaction_reads_the_parent_hash_that_the_system_call_has_written() {
    let mut block = Block::prague();
    deploy_prague(&mut block);
    let parent = [op::PUSH1, 1, op::NUMBER, op::SUB];
    block.deploy(READER, &reader(eip2935::HISTORY_STORAGE_ADDRESS, &parent));
    block.call(sender(0), READER, 0, Bytes::new());
    block.call(sender(1), READER, 0, Bytes::new());
    let (_, written) = accepted(&block);
    assert_eq!(written.changes[&READER].slots[&U256::ZERO], U256::from_be_bytes(Block::PARENT_HASH.0));
}

/// The contracts that the system calls of Prague go to.
pub(crate) fn contracts() -> [(Address, &'static Bytes); 4] {
    [
        (eip4788::BEACON_ROOTS_ADDRESS, &eip4788::BEACON_ROOTS_CODE),
        (eip2935::HISTORY_STORAGE_ADDRESS, &eip2935::HISTORY_STORAGE_CODE),
        (eip7002::WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS, &eip7002::WITHDRAWAL_REQUEST_PREDEPLOY_CODE),
        (eip7251::CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS, &eip7251::CONSOLIDATION_REQUEST_PREDEPLOY_CODE),
    ]
}

fn deploy_prague(block: &mut Block) {
    for (address, code) in contracts() {
        block.deploy(address, code);
    }
}

#[test]
fn a_prague_block_collects_what_its_transactions_request() {
    let mut block = Block::prague();
    deploy_prague(&mut block);
    for index in 0..3 {
        let mut request = vec![index; 48];
        request.extend(u64::from(index).to_be_bytes());
        block.call(sender(index), eip7002::WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS, 1, request);
        block.call(sender(index), eip7251::CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS, 1, vec![index; 96]);
    }
    // Without a fee: refused by the contract, and no request.
    block.call(sender(4), eip7002::WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS, 0, vec![9; 56]);
    block.withdrawals = Some(vec![withdrawal(0, sender(0), 3)]);
    let (result, _) = accepted(&block);
    let requests: Vec<_> = result.requests.iter().map(|request| (request[0], request.len() - 1)).collect();
    // At most two consolidations a block: the third waits.
    assert_eq!(requests, [(1, 3 * (20 + 48 + 8)), (2, 2 * (20 + 48 + 48))]);
    let succeeded: Vec<_> = result.receipts.iter().map(|receipt| receipt.status()).collect();
    assert_eq!(succeeded, [true, true, true, true, true, true, false]);
}

/// The data of a deposit event, as Solidity encodes it.
fn deposit(index: u8) -> Vec<u8> {
    let word = |number: u64| B256::from(U256::from(number));
    let fields = [vec![1 + index; 48], vec![2; 32], vec![3; 8], vec![4; 96], vec![index; 8]];
    let mut head = Vec::new();
    let mut tail = Vec::new();
    for field in fields {
        head.extend(word(5 * 32 + tail.len() as u64));
        tail.extend(word(field.len() as u64));
        tail.extend(&field);
        tail.resize(tail.len().next_multiple_of(32), 0);
    }
    head.extend(tail);
    head
}

#[test]
fn deposits_are_found_in_the_receipts() {
    const DEPOSIT: B256 = b256!("0x649bbc62d0e31342afea4e5cd82d4049e7e1ee912fc0889aa790803be39038c5");
    let mut block = Block::prague();
    deploy_prague(&mut block);
    let mut code = Asm::default();
    code.op(op::CALLDATASIZE).push(0).push(0).op(op::CALLDATACOPY);
    code.push(U256::from_be_bytes(DEPOSIT.0)).op(op::CALLDATASIZE).push(0).op(op::LOG1);
    block.deploy(eip6110::MAINNET_DEPOSIT_CONTRACT_ADDRESS, &code.finish());
    for index in 0..3 {
        block.call(sender(index), eip6110::MAINNET_DEPOSIT_CONTRACT_ADDRESS, 5, deposit(index));
    }
    let (result, _) = accepted(&block);
    let [request] = result.requests.iter().as_slice() else { panic!("{:?}", result.requests) };
    assert_eq!((request[0], request.len() - 1), (0, 3 * (48 + 32 + 8 + 96 + 8)));
    assert_eq!([request[1], request[193], request[385]], [1, 2, 3], "in order");
}

#[test]
fn a_block_without_transactions_has_its_system_calls() {
    let mut block = Block::prague();
    deploy_prague(&mut block);
    block.pre.insert(READER, U256::from(1), 0, &Bytes::new(), []);
    block.withdrawals = Some(vec![withdrawal(0, READER, 3)]);
    let (result, written) = accepted(&block);
    assert_eq!(result.gas_used, 0);
    assert_eq!(written.changes[&eip2935::HISTORY_STORAGE_ADDRESS].slots.len(), 1);
    assert_eq!(written.changes[&READER].basics.unwrap().unwrap().balance, U256::from(3_000_000_001_u64));
}
