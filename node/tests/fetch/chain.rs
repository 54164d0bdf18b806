//! Transactions of ours, signed by keys of ours, mined when the test says so.

use alloy_consensus::{SignableTransaction, TxEip1559, TxEip2930, TxEip7702, TxEnvelope, TxLegacy};
use alloy_eips::eip2718::Encodable2718;
use alloy_eips::eip2930::{AccessList, AccessListItem};
use alloy_eips::eip7702::{Authorization, SignedAuthorization};
use alloy_primitives::{Address, B256, Bytes, Signature, TxKind, U256, hex};
use k256::ecdsa::SigningKey;
use serde_json::{Value, json};

use super::http;

pub(crate) const CHAIN_ID: u64 = 31_337;
const GWEI: u128 = 1_000_000_000;

/// Someone who signs.
pub(crate) struct Account {
    key: SigningKey,
    pub(crate) address: Address,
    nonce: u64,
}

impl Account {
    /// The same seed gives the same account.
    pub(crate) fn new(seed: u8) -> Self {
        let key = SigningKey::from_slice(&[seed; 32]).unwrap();
        let address = Address::from_public_key(key.verifying_key());
        Self { key, address, nonce: 0 }
    }

    /// The address of what the next transaction creates.
    pub(crate) fn next_creation(&self) -> Address {
        self.address.create(self.nonce)
    }

    fn sign(&self, hash: B256) -> Signature {
        self.key.sign_prehash_recoverable(hash.as_slice()).unwrap().into()
    }

    fn next_nonce(&mut self) -> u64 {
        self.nonce += 1;
        self.nonce - 1
    }

    /// Lets an authority become what `delegate` is. It is used up by it, as by a transaction.
    pub(crate) fn authorize(&mut self, delegate: Address) -> SignedAuthorization {
        let authorization =
            Authorization { chain_id: U256::from(CHAIN_ID), address: delegate, nonce: self.next_nonce() };
        let signature = self.sign(authorization.signature_hash());
        authorization.into_signed(signature)
    }
}

/// What a transaction does, whatever its type.
pub(crate) struct Call {
    to: TxKind,
    value: u64,
    input: Bytes,
    gas_limit: u64,
}

impl Call {
    pub(crate) fn to(to: Address, input: Vec<u8>) -> Self {
        Self { to: TxKind::Call(to), value: 0, input: input.into(), gas_limit: 300_000 }
    }

    pub(crate) fn create(code: Vec<u8>) -> Self {
        Self { to: TxKind::Create, value: 0, input: code.into(), gas_limit: 500_000 }
    }

    pub(crate) fn value(self, value: u64) -> Self {
        Self { value, ..self }
    }

    pub(crate) fn gas(self, gas_limit: u64) -> Self {
        Self { gas_limit, ..self }
    }
}

/// A node that mines on demand.
pub(crate) struct Chain {
    pub(crate) url: String,
}

impl Chain {
    pub(crate) fn new(url: &str) -> Self {
        let chain = Self { url: url.to_owned() };
        chain.call("evm_setAutomine", json!([false]));
        chain
    }

    pub(crate) fn call(&self, method: &str, params: Value) -> Value {
        http::call(&self.url, method, &params)
    }

    pub(crate) fn number(&self) -> u64 {
        quantity(&self.call("eth_blockNumber", json!([])))
    }

    pub(crate) fn fund(&self, account: &Account) {
        self.call("anvil_setBalance", json!([account.address, U256::from(10u64).pow(U256::from(21))]));
    }

    /// Mines all that was sent since the last block; every transaction must have found its way into it.
    pub(crate) fn mine(&self, transactions: usize) -> u64 {
        self.call("evm_mine", json!([]));
        let block = self.call("eth_getBlockByNumber", json!(["latest", false]));
        assert_eq!(block["transactions"].as_array().unwrap().len(), transactions, "{block:#}");
        quantity(&block["number"])
    }

    /// How many of a block's transactions failed.
    pub(crate) fn failures(&self, block: u64) -> usize {
        let receipts = self.call("eth_getBlockReceipts", json!([format!("{block:#x}")]));
        receipts.as_array().unwrap().iter().filter(|receipt| receipt["status"] == "0x0").count()
    }

    fn send(&self, transaction: &TxEnvelope) {
        self.call("eth_sendRawTransaction", json!([hex::encode_prefixed(transaction.encoded_2718())]));
    }

    pub(crate) fn legacy(&self, from: &mut Account, call: Call) {
        let Call { to, value, input, gas_limit } = call;
        let tx = TxLegacy {
            chain_id: Some(CHAIN_ID),
            nonce: from.next_nonce(),
            gas_price: 20 * GWEI,
            gas_limit,
            to,
            value: U256::from(value),
            input,
        };
        let signature = from.sign(tx.signature_hash());
        self.send(&tx.into_signed(signature).into());
    }

    pub(crate) fn with_access_list(&self, from: &mut Account, call: Call, address: Address, storage_keys: Vec<B256>) {
        let Call { to, value, input, gas_limit } = call;
        let tx = TxEip2930 {
            chain_id: CHAIN_ID,
            nonce: from.next_nonce(),
            gas_price: 15 * GWEI,
            gas_limit,
            to,
            value: U256::from(value),
            access_list: AccessList(vec![AccessListItem { address, storage_keys }]),
            input,
        };
        let signature = from.sign(tx.signature_hash());
        self.send(&tx.into_signed(signature).into());
    }

    pub(crate) fn dynamic(&self, from: &mut Account, call: Call) {
        let Call { to, value, input, gas_limit } = call;
        let tx = TxEip1559 {
            chain_id: CHAIN_ID,
            nonce: from.next_nonce(),
            gas_limit,
            max_fee_per_gas: 50 * GWEI,
            max_priority_fee_per_gas: GWEI,
            to,
            value: U256::from(value),
            input,
            ..TxEip1559::default()
        };
        let signature = from.sign(tx.signature_hash());
        self.send(&tx.into_signed(signature).into());
    }

    pub(crate) fn delegating(&self, from: &mut Account, to: Address, authorizations: Vec<SignedAuthorization>) {
        let tx = TxEip7702 {
            chain_id: CHAIN_ID,
            nonce: from.next_nonce(),
            gas_limit: 300_000,
            max_fee_per_gas: 50 * GWEI,
            max_priority_fee_per_gas: GWEI,
            to,
            authorization_list: authorizations,
            ..TxEip7702::default()
        };
        let signature = from.sign(tx.signature_hash());
        self.send(&tx.into_signed(signature).into());
    }
}

pub(crate) fn quantity(value: &Value) -> u64 {
    u64::from_str_radix(value.as_str().unwrap().trim_start_matches("0x"), 16).unwrap()
}
