//! Executes blocks with both factories.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use alloy_consensus::{ReceiptEnvelope, TxEnvelope};
use alloy_evm::block::{BlockExecutionError, BlockExecutionResult, BlockExecutor, BlockExecutorFactory};
use alloy_evm::eth::receipt_builder::AlloyReceiptBuilder;
use alloy_evm::eth::spec::EthSpec;
use alloy_evm::eth::{EthBlockExecutionCtx, EthBlockExecutorFactory};
use alloy_evm::{EthEvmFactory, EvmFactory};
use alloy_primitives::{Address, B256, U256};
use revm::bytecode::Bytecode;
use revm::database::states::bundle_state::BundleRetention;
use revm::database::{BundleState, State};
use revm::database_interface::{DatabaseRef, WrapDatabaseRef};
use revm::state::AccountInfo;
use weft_engine::{Config, Mode};
use weft_evm::{ParallelEvm, ParentState, WeftBlockExecutorFactory};

use crate::chain::Block;
use crate::common::world::World;
use crate::written::Written;

/// What a block gives.
pub(crate) struct Imported {
    pub(crate) result: Result<BlockExecutionResult<ReceiptEnvelope>, BlockExecutionError>,
    /// What a node would write: nothing where the block was refused.
    pub(crate) bundle: BundleState,
}

/// Gives the states that a test shows, and counts the accounts that are read from them.
struct Parents {
    state: Option<Counted>,
}

#[derive(Debug, Clone)]
struct Counted {
    world: World,
    reads: Arc<AtomicUsize>,
}

impl ParentState for Parents {
    type State = Counted;

    fn after(&self, parent: B256) -> Result<Option<Counted>, BlockExecutionError> {
        assert_eq!(parent, Block::PARENT_HASH);
        Ok(self.state.clone())
    }
}

impl DatabaseRef for Counted {
    type Error = std::convert::Infallible;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>, Self::Error> {
        // Relaxed: it is looked at when all threads are done.
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.world.basic_ref(address)
    }

    fn code_by_hash_ref(&self, code_hash: B256) -> Result<Bytecode, Self::Error> {
        self.world.code_by_hash_ref(code_hash)
    }

    fn storage_ref(&self, address: Address, slot: U256) -> Result<U256, Self::Error> {
        self.world.storage_ref(address, slot)
    }

    fn block_hash_ref(&self, number: u64) -> Result<B256, Self::Error> {
        self.world.block_hash_ref(number)
    }
}

/// How the transactions of a block are handed over.
#[derive(Debug, Clone, Copy)]
enum Handing {
    /// All at once.
    AsBlock,
    /// As where a block is being built.
    OneByOne,
}

fn plain() -> EthBlockExecutorFactory {
    EthBlockExecutorFactory::new(AlloyReceiptBuilder::default(), EthSpec::mainnet(), EthEvmFactory::default())
}

fn import<F>(factory: &F, block: &Block, handing: Handing) -> Imported
where
    F: for<'a> BlockExecutorFactory<
            EvmFactory = EthEvmFactory,
            ExecutionCtx<'a> = EthBlockExecutionCtx<'a>,
            Transaction = TxEnvelope,
            Receipt = ReceiptEnvelope,
        >,
{
    let database = WrapDatabaseRef(block.pre.clone());
    let mut state = State::builder().with_database(database).with_bundle_update().build();
    let evm = factory.evm_factory().create_evm(&mut state, block.env.clone());
    let mut executor = factory.create_executor(evm, block.context());
    let result = match handing {
        Handing::AsBlock => executor.execute_block(&block.transactions),
        Handing::OneByOne => (|| {
            executor.apply_pre_execution_changes()?;
            for transaction in &block.transactions {
                executor.execute_transaction(transaction)?;
            }
            executor.apply_post_execution_changes()
        })(),
    };
    if result.is_ok() {
        state.merge_transitions(BundleRetention::Reverts);
    }
    Imported { result, bundle: state.take_bundle() }
}

/// Executes a block with both factories, and with weft's in all the ways that it has.
fn everywhere(block: &Block) -> (Imported, Vec<(String, Imported)>) {
    let mut imported = Vec::new();
    let threads = [1, 2, 4].map(|threads| (threads, true, Handing::AsBlock));
    let other = [(2, false, Handing::AsBlock), (2, true, Handing::OneByOne)];
    for (threads, is_shown, handing) in threads.into_iter().chain(other) {
        let reads = Arc::new(AtomicUsize::new(0));
        let state = is_shown.then(|| Counted { world: block.pre.clone(), reads: Arc::clone(&reads) });
        let config = Config { mode: Mode::Optimistic, max_parallel_threads: threads, ..Config::default() };
        let factory = WeftBlockExecutorFactory::new(plain(), ParallelEvm::new(config), Parents { state });
        let name = format!("{threads} threads, parent {}, {handing:?}", if is_shown { "shown" } else { "hidden" });
        let outcome = import(&factory, block, handing);
        let is_parallel = reads.load(Ordering::Relaxed) > 0;
        assert_eq!(is_parallel, is_shown && matches!(handing, Handing::AsBlock), "{name}: parallel");
        imported.push((name, outcome));
    }
    (import(&plain(), block, Handing::AsBlock), imported)
}

/// Asserts that both factories give the same for a block, and gives it.
pub(crate) fn accepted(block: &Block) -> (BlockExecutionResult<ReceiptEnvelope>, Written) {
    let (expected, others) = everywhere(block);
    let result = expected.result.expect("the block is valid");
    let written = Written::new(&expected.bundle, &block.pre);
    for (name, imported) in others {
        match imported.result {
            Ok(other) => assert_eq!(other, result, "{name}"),
            Err(error) => panic!("{name}: {error}"),
        }
        assert_eq!(Written::new(&imported.bundle, &block.pre), written, "{name}");
    }
    (result, written)
}

/// Asserts that both factories refuse a block, with the same error and nothing to write, and gives the error.
pub(crate) fn refused(block: &Block) -> BlockExecutionError {
    let (expected, others) = everywhere(block);
    let Err(error) = expected.result else { panic!("the block is not valid") };
    for (name, imported) in others {
        let Err(other) = imported.result else { panic!("{name}: not refused") };
        assert_eq!(other.to_string(), error.to_string(), "{name}");
        assert_eq!(format!("{other:?}"), format!("{error:?}"), "{name}");
        assert!(imported.bundle.is_empty(), "{name}: {:?}", imported.bundle);
    }
    assert!(expected.bundle.is_empty());
    error
}
