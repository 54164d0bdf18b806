//! The state before a block: what is there, what is not, and what the protocol writes ahead of the transactions.

use std::collections::BTreeMap;

use alloy_eips::eip2935::HISTORY_STORAGE_ADDRESS;
use alloy_eips::eip4788::BEACON_ROOTS_ADDRESS;
use alloy_primitives::{Address, B256, Bytes, KECCAK256_EMPTY, U256, keccak256};
use revm::database_interface::DatabaseRef;
use weft_node::ethereum::file::PrestateAccount;
use weft_node::ethereum::input::BlockInput;
use weft_node::ethereum::prestate::{Prestate, PrestateError};

use crate::ethereum::block;

const HERE: Address = Address::repeat_byte(1);

fn word(number: u64) -> B256 {
    U256::from(number).into()
}

fn prestate(account: PrestateAccount) -> Prestate {
    Prestate::new(&BTreeMap::from([(HERE, account)]), &BTreeMap::from([(5, word(55))])).unwrap()
}

#[test]
fn it_gives_what_the_file_holds_and_nothing_else() {
    let code = Bytes::from_static(&[0x60, 0, 0x60, 0]);
    let state = prestate(PrestateAccount {
        balance: U256::from(3),
        nonce: 4,
        code: code.clone(),
        storage: BTreeMap::from([(word(1), word(9)), (word(2), B256::ZERO)]),
    });
    let info = state.basic_ref(HERE).unwrap().unwrap();
    let hash = keccak256(&code);
    assert_eq!((info.balance, info.nonce, info.code_hash), (U256::from(3), 4, hash));
    assert_eq!(info.code.unwrap().original_bytes(), code);
    assert_eq!(state.code_by_hash_ref(hash).unwrap().original_bytes(), code);
    assert!(state.code_by_hash_ref(KECCAK256_EMPTY).unwrap().is_empty());
    for (slot, value) in [(1, 9), (2, 0), (3, 0)] {
        assert_eq!(state.storage_ref(HERE, U256::from(slot)).unwrap(), U256::from(value), "slot {slot}");
    }
    let elsewhere = Address::repeat_byte(2);
    assert_eq!(state.basic_ref(elsewhere).unwrap(), None);
    assert_eq!(state.storage_ref(elsewhere, U256::from(1)).unwrap(), U256::ZERO);
    assert_eq!(state.block_hash_ref(5).unwrap(), word(55));
    assert_eq!(state.block_hash_ref(6), Err(PrestateError::BlockHash(6)));
}

#[test]
fn an_account_with_nothing_is_none() {
    assert_eq!(prestate(PrestateAccount::default()).basic_ref(HERE).unwrap(), None);
    let one_wei = PrestateAccount { balance: U256::from(1), ..PrestateAccount::default() };
    assert_eq!(prestate(one_wei).basic_ref(HERE).unwrap().unwrap().code_hash, KECCAK256_EMPTY);
}

#[test]
fn a_delegation_that_is_none_is_an_error() {
    let account = PrestateAccount { code: Bytes::from_static(&[0xef, 0x01, 0x00, 0x01]), ..PrestateAccount::default() };
    let error = Prestate::new(&BTreeMap::from([(HERE, account)]), &BTreeMap::new()).unwrap_err();
    assert_eq!(error.address, HERE);
    assert!(error.to_string().contains(&HERE.to_string()), "{error}");
}

/// `PUSH0, CALLDATALOAD, PUSH1 3, SSTORE`: keeps what it is called with.
const KEEPS: &[u8] = &[0x5f, 0x35, 0x60, 3, 0x55];

#[test]
fn the_protocol_s_calls_come_before_the_transactions() {
    for (timestamp, beacon, history) in
        [(1_681_338_455, 0, 0), (1_710_338_135, 7, 0), (1_746_612_311, 7, 8), (1_764_798_551, 7, 8)]
    {
        let mut file = block(24_000_000, vec![]);
        let header = &mut file.block.header.inner;
        header.timestamp = timestamp;
        header.parent_beacon_block_root = Some(word(7));
        header.parent_hash = word(8);
        header.excess_blob_gas = Some(0);
        for contract in [BEACON_ROOTS_ADDRESS, HISTORY_STORAGE_ADDRESS] {
            file.prestate.insert(contract, PrestateAccount { code: KEEPS.into(), ..PrestateAccount::default() });
        }
        let state = BlockInput::new(file, 1).unwrap().prestate;
        for (contract, value) in [(BEACON_ROOTS_ADDRESS, beacon), (HISTORY_STORAGE_ADDRESS, history)] {
            let slot = state.storage_ref(contract, U256::from(3)).unwrap();
            assert_eq!(slot, U256::from(value), "{contract} at {timestamp}");
        }
    }
}

#[test]
fn a_contract_that_the_file_lacks_is_not_called_into_being() {
    let mut file = block(24_000_000, vec![]);
    let header = &mut file.block.header.inner;
    header.timestamp = 1_746_612_311;
    header.parent_beacon_block_root = Some(word(7));
    header.excess_blob_gas = Some(0);
    let state = BlockInput::new(file, 1).unwrap().prestate;
    for contract in [BEACON_ROOTS_ADDRESS, HISTORY_STORAGE_ADDRESS] {
        assert_eq!(state.basic_ref(contract).unwrap(), None);
    }
}
