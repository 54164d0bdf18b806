//! Blocks as a node gives them to an executor.

use alloy_consensus::transaction::Recovered;
use alloy_consensus::{
    BlobTransactionSidecarVariant, Header, Signed, TxEip1559, TxEip4844, TxEip4844Variant, TxEip7702, TxEnvelope,
    TxLegacy,
};
use alloy_eips::eip4895::Withdrawal;
use alloy_eips::eip7702::Authorization;
use alloy_evm::eth::EthBlockExecutionCtx;
use alloy_primitives::{Address, B256, Bytes, Signature, TxKind, U256};
use k256::ecdsa::SigningKey;
use revm::context::{BlockEnv, CfgEnv};
use revm::primitives::hardfork::SpecId;
use weft_evm::EvmEnv;

use crate::common::world::World;

/// What every transaction pays for a unit of gas.
pub(crate) const PRICE: u128 = 10;

pub(crate) const COINBASE: Address = Address::repeat_byte(0xc0);

/// A block of Ethereum's main chain, on a state of one's own.
#[derive(Debug, Clone)]
pub(crate) struct Block {
    pub(crate) env: EvmEnv,
    pub(crate) beacon_root: Option<B256>,
    pub(crate) ommers: Vec<Header>,
    pub(crate) withdrawals: Option<Vec<Withdrawal>>,
    pub(crate) transactions: Vec<Recovered<TxEnvelope>>,
    /// The state before it.
    pub(crate) pre: World,
}

impl Block {
    pub(crate) const PARENT_HASH: B256 = B256::repeat_byte(0x9a);

    /// A block with this number and time, at which the chain has the rules of `spec`.
    pub(crate) fn new(spec: SpecId, number: u64, timestamp: u64) -> Self {
        let cfg = CfgEnv::new_with_spec(spec);
        let mut block = BlockEnv {
            number: U256::from(number),
            beneficiary: COINBASE,
            timestamp: U256::from(timestamp),
            gas_limit: 30_000_000,
            basefee: if spec.is_enabled_in(SpecId::LONDON) { 7 } else { 0 },
            difficulty: U256::from(2),
            prevrandao: Some(B256::repeat_byte(0x77)),
            ..BlockEnv::default()
        };
        if spec.is_enabled_in(SpecId::CANCUN) {
            block.set_blob_excess_gas_and_price(0, cfg.blob_base_fee_update_fraction());
        }
        let mut pre = World::default();
        for index in 0..10 {
            pre.insert(sender(index), U256::from(10).pow(U256::from(18)), 0, &Bytes::new(), []);
        }
        Self {
            env: EvmEnv::new(cfg, block),
            beacon_root: spec.is_enabled_in(SpecId::CANCUN).then_some(B256::repeat_byte(0xbe)),
            ommers: Vec::new(),
            withdrawals: None,
            transactions: Vec::new(),
            pre,
        }
    }

    pub(crate) fn byzantium() -> Self {
        Self::new(SpecId::BYZANTIUM, 4_500_000, 1_510_000_000)
    }

    pub(crate) fn shanghai() -> Self {
        Self::new(SpecId::SHANGHAI, 17_100_000, 1_682_000_000)
    }

    pub(crate) fn cancun() -> Self {
        Self::new(SpecId::CANCUN, 19_500_000, 1_711_000_000)
    }

    pub(crate) fn prague() -> Self {
        Self::new(SpecId::PRAGUE, 22_500_000, 1_748_000_000)
    }

    /// What an executor is told of the block besides its environment.
    pub(crate) fn context(&self) -> EthBlockExecutionCtx<'_> {
        EthBlockExecutionCtx {
            parent_hash: Self::PARENT_HASH,
            parent_beacon_block_root: self.beacon_root,
            ommers: &self.ommers,
            withdrawals: self.withdrawals.as_deref().map(Into::into),
            extra_data: Bytes::new(),
            tx_count_hint: None,
            slot_number: None,
        }
    }

    /// Puts a contract there.
    pub(crate) fn deploy(&mut self, address: Address, code: &Bytes) {
        self.pre.insert(address, U256::ZERO, 1, code, []);
    }

    fn next_nonce(&self, sender: Address) -> u64 {
        self.transactions.iter().filter(|transaction| transaction.signer() == sender).count() as u64
    }

    fn push(&mut self, transaction: impl Into<TxEnvelope>, sender: Address) {
        // Who has signed is not an executor's business.
        self.transactions.push(Recovered::new_unchecked(transaction.into(), sender));
    }

    fn legacy(&self, from: Address, to: TxKind, value: u64, input: Bytes) -> TxLegacy {
        TxLegacy {
            chain_id: Some(1),
            nonce: self.next_nonce(from),
            gas_price: PRICE,
            gas_limit: 1_000_000,
            to,
            value: U256::from(value),
            input,
        }
    }

    /// Adds a transaction that calls or pays `to`.
    pub(crate) fn call(&mut self, from: Address, to: Address, value: u64, input: impl Into<Bytes>) {
        self.push(signed(self.legacy(from, TxKind::Call(to), value, input.into())), from);
    }

    /// Adds a transaction that creates a contract, and says where.
    pub(crate) fn create(&mut self, from: Address, value: u64, init: Bytes) -> Address {
        let transaction = self.legacy(from, TxKind::Create, value, init);
        let address = from.create(transaction.nonce);
        self.push(signed(transaction), from);
        address
    }

    /// Adds a payment whose limit of gas or whose nonce is not what it should be.
    pub(crate) fn odd(&mut self, from: Address, gas_limit: u64, skipped_nonces: u64) {
        let mut transaction = self.legacy(from, TxKind::Call(Address::repeat_byte(0xee)), 1, Bytes::new());
        transaction.gas_limit = gas_limit;
        transaction.nonce += skipped_nonces;
        self.push(signed(transaction), from);
    }

    /// Adds a transaction that pays a priority fee.
    pub(crate) fn tip(&mut self, from: Address, to: Address, tip: u128) {
        let transaction = TxEip1559 {
            chain_id: 1,
            nonce: self.next_nonce(from),
            gas_limit: 100_000,
            max_fee_per_gas: PRICE,
            max_priority_fee_per_gas: tip,
            to: TxKind::Call(to),
            value: U256::from(3),
            ..TxEip1559::default()
        };
        self.push(signed(transaction), from);
    }

    /// Adds a transaction with blobs.
    pub(crate) fn blobs(&mut self, from: Address, to: Address, blobs: u8) {
        let hash = |blob| {
            let mut hash = B256::with_last_byte(blob);
            hash[0] = 1;
            hash
        };
        let transaction = TxEip4844 {
            chain_id: 1,
            nonce: self.next_nonce(from),
            gas_limit: 100_000,
            max_fee_per_gas: PRICE,
            max_priority_fee_per_gas: 1,
            to,
            blob_versioned_hashes: (0..blobs).map(hash).collect(),
            max_fee_per_blob_gas: 3,
            ..TxEip4844::default()
        };
        self.push(signed(TxEip4844Variant::<BlobTransactionSidecarVariant>::TxEip4844(transaction)), from);
    }

    /// Adds a transaction of `from` by which the account of `key` delegates to `delegate`.
    pub(crate) fn delegate(&mut self, from: Address, key: &SigningKey, nonce: u64, delegate: Address) {
        let authorization = Authorization { chain_id: U256::from(1), address: delegate, nonce };
        let signature = key.sign_prehash_recoverable(authorization.signature_hash().as_slice());
        let transaction = TxEip7702 {
            chain_id: 1,
            nonce: self.next_nonce(from),
            gas_limit: 200_000,
            max_fee_per_gas: PRICE,
            max_priority_fee_per_gas: 1,
            to: Address::from_private_key(key),
            authorization_list: vec![authorization.into_signed(signature.expect("a key signs").into())],
            ..TxEip7702::default()
        };
        self.push(signed(transaction), from);
    }
}

fn signed<T>(transaction: T) -> Signed<T> {
    Signed::new_unhashed(transaction, Signature::test_signature())
}

/// Somebody with a balance.
pub(crate) fn sender(index: u8) -> Address {
    Address::repeat_byte(0x10 + index)
}
