//! A token without a compiler: the least that a transfer of one does on Ethereum, so that no contract has to be
//! installed to count its instructions.

use revm::bytecode::Bytecode;
use revm::context::TxEnv;
use revm::primitives::{Address, B256, Bytes, TxKind, U256, keccak256};
use revm::state::AccountInfo;

use crate::ethereum::database::MemoryDatabase;
use crate::ethereum::genesis::{Genesis, WorkloadError};
use crate::ethereum::{Block, environment};

const TOKEN: Address = Address::repeat_byte(0x70);
/// What everybody holds.
const HOLDING: u64 = 1_000_000;
/// More than a transfer to a new holder uses.
const GAS_LIMIT: u64 = 100_000;

/// Takes a receiver and an amount. The amount goes from the caller's slot to the receiver's, unchecked, and an event
/// says so; an account's slot is its address.
fn code() -> Bytecode {
    let topic = keccak256("Transfer(address,address,uint256)");
    let parts: [&[u8]; 3] = [
        &[
            0x60, 0x20, 0x35, // PUSH1 32, CALLDATALOAD: the amount
            0x80, 0x33, 0x54, 0x03, // DUP1, CALLER, SLOAD, SUB
            0x33, 0x55, // CALLER, SSTORE
            0x80, 0x5f, 0x35, 0x54, 0x01, // DUP1, PUSH0, CALLDATALOAD: the receiver, SLOAD, ADD
            0x5f, 0x35, 0x55, // PUSH0, CALLDATALOAD, SSTORE
            0x5f, 0x52, // PUSH0, MSTORE: the amount
            0x5f, 0x35, 0x33, 0x7f, // PUSH0, CALLDATALOAD, CALLER, PUSH32: the topic
        ],
        topic.as_slice(),
        &[0x60, 0x20, 0x5f, 0xa3, 0x00], // PUSH1 32, PUSH0, LOG3, STOP
    ];
    Bytecode::new_raw(Bytes::from(parts.concat()))
}

fn person(index: usize) -> Address {
    // Spread over all bits, as real addresses are.
    Address::from_word(keccak256(index.to_be_bytes()))
}

/// A block in which each of `transactions` holders sends something to the next but one, whose own transfer, two places
/// later, conflicts with it.
pub(super) fn block(transactions: usize) -> Result<Block, WorkloadError> {
    let mut genesis = Genesis::default();
    let people: Vec<Address> = (0..transactions + 2).map(person).collect();
    people.iter().for_each(|&person| genesis.fund(person));
    let mut database = genesis.finish()?;
    install(&mut database, &people);
    let transfer = |ends: &[Address]| TxEnv {
        caller: ends[0],
        kind: TxKind::Call(TOKEN),
        data: Bytes::from([B256::left_padding_from(ends[2].as_slice()), B256::from(U256::from(1))].concat()),
        gas_limit: GAS_LIMIT,
        gas_price: 1,
        ..TxEnv::default()
    };
    let transactions = people.windows(3).map(transfer).collect();
    Ok(Block { name: "token".to_owned(), env: environment(), database, transactions })
}

fn install(database: &mut MemoryDatabase, holders: &[Address]) {
    let code = code();
    let info = AccountInfo { nonce: 1, code_hash: code.hash_slow(), code: Some(code), ..AccountInfo::default() };
    database.insert(TOKEN, info);
    for holder in holders {
        database.set_storage(TOKEN, U256::from_be_bytes(holder.into_word().0), U256::from(HOLDING));
    }
}

#[cfg(test)]
mod tests {
    use weft_evm::{StateDiff, sequential};

    use super::*;

    #[test]
    fn a_transfer_moves_the_amount_and_says_so() {
        let block = block(4).expect("nothing of the set-up fails");
        let executed = sequential::execute(&block.env, &block.database, &block.transactions).expect("all valid");
        assert_eq!(executed.results.len(), 4);
        for (index, result) in executed.results.iter().enumerate() {
            assert!(result.is_success(), "{result:?}");
            let [log] = result.logs() else { panic!("one event a transfer") };
            assert_eq!(log.data.data.as_ref(), B256::from(U256::from(1)).as_slice());
            assert_eq!(log.topics()[1..], [person(index).into_word(), person(index + 2).into_word()]);
        }
        let diff =
            StateDiff::of_journal(&executed.state, &block.database, block.env.cfg_env.spec).expect("it is there");
        let slots = &diff.accounts[&TOKEN].slots;
        // The first two only pay, the last two only get; those between do both.
        assert_eq!(slots.len(), 4);
        let holding = |index: usize| slots[&U256::from_be_bytes(person(index).into_word().0)];
        assert_eq!([0, 1, 4, 5].map(holding), [HOLDING - 1, HOLDING - 1, HOLDING + 1, HOLDING + 1].map(U256::from));
    }
}
