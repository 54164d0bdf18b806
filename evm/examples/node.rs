//! A node imports blocks with whatever executes them: it is generic over alloy-evm's [`BlockExecutorFactory`]. To
//! execute in parallel, [`EthBlockExecutorFactory`] goes out and [`WeftBlockExecutorFactory`] comes in, which wraps it
//! and is told where several threads can read the state before a block. Nothing else changes, and both nodes end up with
//! the same receipts and the same state.

use std::error::Error;
use std::sync::{Arc, RwLock};

use alloy_consensus::transaction::Recovered;
use alloy_consensus::{ReceiptEnvelope, Signed, TxEnvelope, TxLegacy};
use alloy_eips::eip4895::Withdrawal;
use alloy_evm::block::{BlockExecutionError, BlockExecutionResult, BlockExecutor, BlockExecutorFactory};
use alloy_evm::eth::receipt_builder::AlloyReceiptBuilder;
use alloy_evm::eth::spec::EthSpec;
use alloy_evm::eth::{EthBlockExecutionCtx, EthBlockExecutorFactory};
use alloy_evm::{EthEvmFactory, EvmFactory};
use alloy_primitives::{Address, B256, Bytes, Signature, TxKind, U256, keccak256};
use revm::context::{BlockEnv, CfgEnv};
use revm::database::states::bundle_state::BundleRetention;
use revm::database::{BundleState, CacheDB, EmptyDB, State};
use revm::database_interface::WrapDatabaseRef;
use revm::primitives::hardfork::SpecId;
use revm::state::AccountInfo;
use weft_engine::Config;
use weft_evm::{EvmEnv, ParallelEvm, ParentState, WeftBlockExecutorFactory};

type Accounts = CacheDB<EmptyDB>;

/// The node's database: the state after its last block, and that block's hash.
#[derive(Debug, Clone)]
struct Store(Arc<RwLock<(B256, Arc<Accounts>)>>);

impl Store {
    fn new(genesis: Accounts) -> Self {
        Self(Arc::new(RwLock::new((B256::ZERO, Arc::new(genesis)))))
    }

    fn last(&self) -> (B256, Arc<Accounts>) {
        self.0.read().expect("no writer panics").clone()
    }

    /// Writes what a block has changed.
    fn write(&self, hash: B256, bundle: &BundleState) {
        let mut accounts = Accounts::clone(&self.last().1);
        for (address, account) in &bundle.state {
            if account.was_destroyed() || account.info.is_none() {
                accounts.cache.accounts.remove(address);
            }
            let Some(info) = &account.info else { continue };
            accounts.insert_account_info(*address, info.clone());
            for (slot, value) in &account.storage {
                accounts.insert_account_storage(*address, *slot, value.present_value).expect("nothing is read");
            }
        }
        *self.0.write().expect("no writer panics") = (hash, Arc::new(accounts));
    }
}

/// This is all that weft asks of a node: its state, for several threads.
impl ParentState for Store {
    type State = Arc<Accounts>;

    fn after(&self, parent: B256) -> Result<Option<Self::State>, BlockExecutionError> {
        let (hash, accounts) = self.last();
        Ok((hash == parent).then_some(accounts))
    }
}

struct Block {
    hash: B256,
    parent: B256,
    env: EvmEnv,
    transactions: Vec<Recovered<TxEnvelope>>,
    withdrawals: Vec<Withdrawal>,
}

struct Node<F> {
    executors: F,
    store: Store,
}

impl<F> Node<F>
where
    F: for<'a> BlockExecutorFactory<
            EvmFactory = EthEvmFactory,
            ExecutionCtx<'a> = EthBlockExecutionCtx<'a>,
            Transaction = TxEnvelope,
            Receipt = ReceiptEnvelope,
        >,
{
    fn import(&self, block: &Block) -> Result<BlockExecutionResult<ReceiptEnvelope>, BlockExecutionError> {
        let database = WrapDatabaseRef(self.store.last().1);
        let mut state = State::builder().with_database(database).with_bundle_update().build();
        let evm = self.executors.evm_factory().create_evm(&mut state, block.env.clone());
        let context = EthBlockExecutionCtx {
            parent_hash: block.parent,
            parent_beacon_block_root: Some(B256::ZERO),
            ommers: &[],
            withdrawals: Some(block.withdrawals.as_slice().into()),
            extra_data: Bytes::new(),
            tx_count_hint: Some(block.transactions.len()),
            slot_number: None,
        };
        let result = self.executors.create_executor(evm, context).execute_block(&block.transactions)?;
        state.merge_transitions(BundleRetention::Reverts);
        self.store.write(block.hash, &state.take_bundle());
        Ok(result)
    }
}

fn person(number: u64) -> Address {
    Address::from_word(keccak256(number.to_be_bytes()))
}

fn genesis() -> Accounts {
    let mut accounts = Accounts::default();
    for number in 0..100 {
        accounts.insert_account_info(person(number), AccountInfo::from_balance(U256::from(10).pow(U256::from(18))));
    }
    accounts
}

/// Everybody pays somebody, and somebody is paid by the protocol.
fn block(number: u64, parent: B256) -> Block {
    let payment = |from: u64| {
        let payment = TxLegacy {
            chain_id: Some(1),
            nonce: number - 1,
            gas_price: 10,
            gas_limit: 21_000,
            to: TxKind::Call(person((from + number) % 120)),
            value: U256::from(from),
            input: Bytes::new(),
        };
        let signed = Signed::new_unhashed(payment, Signature::test_signature());
        Recovered::new_unchecked(TxEnvelope::Legacy(signed), person(from))
    };
    let block = BlockEnv {
        number: U256::from(19_500_000 + number),
        timestamp: U256::from(1_711_000_000 + 12 * number),
        beneficiary: Address::repeat_byte(0xc0),
        gas_limit: 30_000_000,
        basefee: 7,
        ..BlockEnv::default()
    };
    Block {
        hash: keccak256(number.to_be_bytes()),
        parent,
        env: EvmEnv::new(CfgEnv::new_with_spec(SpecId::CANCUN), block),
        transactions: (0..100).map(payment).collect(),
        withdrawals: vec![Withdrawal { address: person(number), amount: 1, ..Withdrawal::default() }],
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let ethereum = || {
        let receipts = AlloyReceiptBuilder::default();
        EthBlockExecutorFactory::new(receipts, EthSpec::mainnet(), EthEvmFactory::default())
    };
    let sequential = Node { executors: ethereum(), store: Store::new(genesis()) };

    let store = Store::new(genesis());
    let weft = WeftBlockExecutorFactory::new(ethereum(), ParallelEvm::new(Config::default()), store.clone());
    let parallel = Node { executors: weft, store };

    let mut parent = B256::ZERO;
    for number in 1..=3 {
        let block = block(number, parent);
        let result = parallel.import(&block)?;
        assert_eq!(result, sequential.import(&block)?);
        assert_eq!(result.gas_used, 100 * 21_000);
        parent = block.hash;
    }
    let (accounts, expected) = (parallel.store.last().1, sequential.store.last().1);
    assert_eq!(accounts.cache.accounts.len(), 100 + 3 + 1, "with three who had nothing, and the miner");
    for (address, account) in &expected.cache.accounts {
        assert_eq!(accounts.cache.accounts.get(address).map(|account| &account.info), Some(&account.info), "{address}");
    }
    Ok(())
}

#[test]
fn both_nodes_agree() {
    main().expect("both import all blocks");
}
