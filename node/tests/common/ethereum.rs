//! Block files made by hand: signed transactions, a header that is right, and what is wrong with it on request.

#![allow(dead_code, reason = "each test binary uses its part of it")]

use std::collections::BTreeMap;

use alloy_consensus::proofs::calculate_receipt_root;
use alloy_consensus::transaction::Recovered;
use alloy_consensus::{
    Eip658Value, Header, Receipt, ReceiptEnvelope, SignableTransaction, TxEip1559, TxEnvelope, TxLegacy, TxReceipt,
};
use alloy_primitives::{Address, B256, Bloom, Bytes, Log, Signature, TxKind, U256, address, keccak256};
use alloy_rpc_types_eth::{Block, BlockTransactions, Header as RpcHeader, Transaction};
use k256::ecdsa::SigningKey;
use weft_node::ethereum::file::{BlockFile, PrestateAccount};

/// A contract that emits an empty log with one topic, 7, and writes 7 to slot 1:
/// `PUSH1 7, PUSH1 0, PUSH1 0, LOG1, PUSH1 7, PUSH1 1, SSTORE`.
pub(crate) const LOGGING: Address = address!("00000000000000000000000000000000000c0de1");
const LOGGING_CODE: &[u8] = &[0x60, 7, 0x60, 0, 0x60, 0, 0xa1, 0x60, 7, 0x60, 1, 0x55];
/// What a call of it costs where its account and slot are cold and the slot empty (Berlin to Cancun): 21,000 for the
/// transaction, five pushes of 3, 750 for the log, 22,100 for the slot.
pub(crate) const LOGGING_GAS: u64 = 21_000 + 15 + 750 + 22_100;
/// The same where the slot holds what is written: 100 for warm, 2,100 for cold.
pub(crate) const LOGGING_AGAIN_GAS: u64 = 21_000 + 15 + 750 + 2_200;

/// London, with nothing special about it.
pub(crate) const LONDON: u64 = 13_000_000;
/// Spurious Dragon: the last fork before receipts have a status.
pub(crate) const BEFORE_BYZANTIUM: u64 = 4_000_000;

const ETHER: u64 = 1_000_000_000_000_000_000;
const MINER: Address = address!("00000000000000000000000000000000000000ff");

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32].into()).unwrap()
}

/// The address of a key.
pub(crate) fn account(seed: u8) -> Address {
    let point = key(seed).verifying_key().to_encoded_point(false);
    Address::from_slice(&keccak256(&point.as_bytes()[1..])[12..])
}

fn signature(seed: u8, hash: B256) -> Signature {
    key(seed).sign_prehash_recoverable(hash.as_slice()).unwrap().into()
}

fn from(seed: u8, envelope: TxEnvelope) -> Transaction {
    Transaction {
        inner: Recovered::new_unchecked(envelope, account(seed)),
        block_hash: None,
        block_number: None,
        transaction_index: None,
        effective_gas_price: None,
        block_timestamp: None,
    }
}

/// A payment or a call, of the first type there was.
pub(crate) fn legacy(seed: u8, nonce: u64, to: Address) -> Transaction {
    let tx = TxLegacy {
        chain_id: Some(1),
        nonce,
        gas_price: 1_000_000_000,
        gas_limit: 100_000,
        to: TxKind::Call(to),
        value: U256::from(nonce),
        input: Bytes::new(),
    };
    let signature = signature(seed, tx.signature_hash());
    from(seed, tx.into_signed(signature).into())
}

/// The same with fees as of London.
pub(crate) fn london(seed: u8, nonce: u64, to: Address) -> Transaction {
    let tx = TxEip1559 {
        chain_id: 1,
        nonce,
        gas_limit: 100_000,
        max_fee_per_gas: 1_000_000_000,
        max_priority_fee_per_gas: 1,
        to: TxKind::Call(to),
        value: U256::ZERO,
        ..TxEip1559::default()
    };
    let signature = signature(seed, tx.signature_hash());
    from(seed, tx.into_signed(signature).into())
}

/// A block of these transactions, from accounts that have an ether each. Its header is right for gas `gas_used`, bloom and
/// root that are not there yet.
pub(crate) fn block(number: u64, transactions: Vec<Transaction>) -> BlockFile {
    let header = Header {
        number,
        timestamp: 1_600_000_000,
        beneficiary: MINER,
        gas_limit: 30_000_000,
        base_fee_per_gas: (number >= 12_965_000).then_some(7),
        difficulty: U256::from(1),
        receipts_root: calculate_receipt_root::<ReceiptEnvelope>(&[]),
        ..Header::default()
    };
    let rich = PrestateAccount { balance: U256::from(ETHER), ..PrestateAccount::default() };
    let mut prestate: BTreeMap<_, _> = (1..=9).map(|seed| (account(seed), rich.clone())).collect();
    prestate.insert(LOGGING, PrestateAccount { code: LOGGING_CODE.into(), ..PrestateAccount::default() });
    let block = Block {
        header: RpcHeader::new(header),
        transactions: BlockTransactions::Full(transactions),
        ..Block::default()
    };
    BlockFile { chain: None, block, prestate, block_hashes: BTreeMap::new() }
}

/// A block whose header is right: a payment, a call that logs and writes, the same again, of two types.
pub(crate) fn right() -> BlockFile {
    let transactions = vec![legacy(1, 0, account(2)), legacy(2, 0, LOGGING), london(3, 0, LOGGING)];
    let mut file = block(LONDON, transactions);
    let log = Log::new_unchecked(LOGGING, vec![U256::from(7).into()], Bytes::new());
    let receipt = |cumulative_gas_used, logs| {
        Receipt { status: Eip658Value::Eip658(true), cumulative_gas_used, logs }.with_bloom()
    };
    // By hand, not by what is tested.
    let gas = [21_000, 21_000 + LOGGING_GAS, 21_000 + LOGGING_GAS + LOGGING_AGAIN_GAS];
    let receipts = [
        ReceiptEnvelope::Legacy(receipt(gas[0], vec![])),
        ReceiptEnvelope::Legacy(receipt(gas[1], vec![log.clone()])),
        ReceiptEnvelope::Eip1559(receipt(gas[2], vec![log])),
    ];
    let header = &mut file.block.header.inner;
    header.gas_used = gas[2];
    header.logs_bloom = receipts.iter().fold(Bloom::ZERO, |all, receipt| all | receipt.bloom());
    header.receipts_root = calculate_receipt_root(&receipts);
    file
}

/// A block without transactions whose header is right.
pub(crate) fn empty() -> BlockFile {
    block(LONDON, vec![])
}
