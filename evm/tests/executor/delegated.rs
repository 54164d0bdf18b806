//! Accounts that delegate to contracts (EIP-7702): what they are is in the bundle as code.

use alloy_primitives::{Address, Bytes, U256};
use k256::ecdsa::SigningKey;
use revm::bytecode::opcode as op;

use crate::chain::{Block, sender};
use crate::common::asm::Asm;
use crate::import::accepted;

const COUNTER: Address = Address::repeat_byte(0xa1);
const OTHER: Address = Address::repeat_byte(0xa2);

/// Counts its calls, by `step`, in slot 0.
fn counter(step: u8) -> Bytes {
    let mut code = Asm::default();
    code.push(0).op(op::SLOAD).push(step).op(op::ADD).push(0).op(op::SSTORE);
    code.finish()
}

fn block() -> (Block, SigningKey, Address) {
    let mut block = Block::prague();
    for (address, code) in crate::system::contracts() {
        block.deploy(address, code);
    }
    block.deploy(COUNTER, &counter(1));
    block.deploy(OTHER, &counter(16));
    let key = SigningKey::from_slice(&[7; 32]).expect("a number below the order");
    let authority = Address::from_private_key(&key);
    (block, key, authority)
}

fn designator(delegate: Address) -> Bytes {
    [&[0xef, 0x01, 0x00], delegate.as_slice()].concat().into()
}

#[test]
fn an_account_that_was_not_there_delegates() {
    let (mut block, key, authority) = block();
    // Those who authorize and those who call count.
    block.delegate(sender(0), &key, 0, COUNTER);
    block.call(sender(1), authority, 3, Bytes::new());
    block.call(sender(2), authority, 0, Bytes::new());
    let (_, written) = accepted(&block);
    let change = &written.changes[&authority];
    assert_eq!(change.slots[&U256::ZERO], U256::from(3));
    let basics = change.basics.unwrap().unwrap();
    assert_eq!((basics.balance, basics.nonce), (U256::from(3), 1));
    assert_eq!(written.codes.values().collect::<Vec<_>>(), [&designator(COUNTER)]);
}

#[test]
fn an_account_changes_its_mind_within_a_block() {
    let (mut block, key, authority) = block();
    block.pre.insert(authority, U256::from(50), 4, &designator(OTHER), [(U256::from(1), U256::from(1))]);
    block.call(sender(0), authority, 0, Bytes::new());
    block.delegate(sender(1), &key, 4, COUNTER);
    block.call(sender(2), authority, 0, Bytes::new());
    block.delegate(sender(3), &key, 5, Address::ZERO);
    block.call(sender(4), authority, 0, Bytes::new());
    let (_, written) = accepted(&block);
    let change = &written.changes[&authority];
    assert_eq!(change.slots.iter().collect::<Vec<_>>(), [(&U256::ZERO, &U256::from(16 + 1 + 1))]);
    assert_eq!(change.basics.unwrap().unwrap().nonce, 6);
    assert!(!change.is_wiped);
    assert!(written.codes.is_empty(), "{:?}", written.codes);
}
