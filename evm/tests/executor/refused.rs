//! Blocks that are not valid: both factories say the same of them, and nothing of them is written.

use alloy_evm::block::{BlockExecutionError, BlockValidationError};
use alloy_primitives::Bytes;

use crate::chain::{Block, sender};
use crate::import::refused;

fn payments(block: &mut Block, number: u8) {
    for index in 0..number {
        block.call(sender(index), sender(index + 1), 1, Bytes::new());
    }
}

/// The limit of the transaction that does not fit, and what there was for it.
fn limits(error: &BlockExecutionError) -> (u64, u64) {
    let BlockExecutionError::Validation(BlockValidationError::TransactionGasLimitMoreThanAvailableBlockGas {
        transaction_gas_limit,
        block_available_gas,
    }) = error
    else {
        panic!("{error:?}")
    };
    (*transaction_gas_limit, *block_available_gas)
}

fn is_about_a_nonce(error: &BlockExecutionError) -> bool {
    let BlockExecutionError::Validation(BlockValidationError::InvalidTx { error, .. }) = error else { return false };
    error.to_string().contains("nonce")
}

#[test]
fn a_limit_beyond_what_is_left_of_the_block() {
    let mut block = Block::cancun();
    payments(&mut block, 4);
    block.odd(sender(5), 29_990_000, 0);
    payments(&mut block, 2);
    assert_eq!(limits(&refused(&block)), (29_990_000, 30_000_000 - 4 * 21_000));
}

#[test]
fn a_limit_beyond_the_block() {
    let mut block = Block::shanghai();
    payments(&mut block, 2);
    block.odd(sender(5), 30_000_001, 0);
    assert_eq!(limits(&refused(&block)), (30_000_001, 30_000_000 - 2 * 21_000));
}

#[test]
fn a_nonce_in_the_middle() {
    let mut block = Block::byzantium();
    payments(&mut block, 4);
    block.odd(sender(5), 21_000, 1);
    payments(&mut block, 4);
    assert!(is_about_a_nonce(&refused(&block)));
}

#[test]
fn the_first_of_two_faults_counts() {
    let mut block = Block::cancun();
    payments(&mut block, 2);
    block.odd(sender(5), 29_990_000, 0);
    block.odd(sender(6), 21_000, 1);
    assert_eq!(limits(&refused(&block)).0, 29_990_000);

    let mut block = Block::cancun();
    payments(&mut block, 2);
    block.odd(sender(6), 21_000, 1);
    block.odd(sender(5), 29_990_000, 0);
    assert!(is_about_a_nonce(&refused(&block)));
}
