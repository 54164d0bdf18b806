//! weft behind the traits by which nodes run blocks: alloy-evm's [`BlockExecutor`] and its factory.
//!
//! A node swaps its factory for [`WeftBlockExecutorFactory`], which wraps the one it had. Everything around the
//! transactions is the wrapped executor's: system calls before and after, rewards, withdrawals, requests, receipts.
//! The transactions of [`execute_block`](BlockExecutor::execute_block) run in parallel. Transactions that are given one
//! by one, as when a block is being built, run as they always did.

use std::cmp::min;
use std::fmt::Debug;

use alloy_consensus::{Transaction, TransactionEnvelope, TxReceipt};
use alloy_eips::Encodable2718;
use alloy_evm::block::{
    BlockExecutionError, BlockExecutionResult, BlockExecutor, BlockExecutorFactory, BlockValidationError, ExecutableTx,
    ExecutableTxParts, GasOutput, StateDB, SystemCaller,
};
use alloy_evm::eth::receipt_builder::ReceiptBuilder;
use alloy_evm::eth::spec::EthExecutorSpec;
use alloy_evm::eth::{EthBlockExecutionCtx, EthBlockExecutor, EthBlockExecutorFactory, EthTxResult};
use alloy_evm::{EthEvmFactory, Evm, EvmFactory, FromRecoveredTx, FromTxWithEncoded, RecoveredTx};
use alloy_primitives::{B256, Log};
use revm::Inspector;
use revm::context::result::{HaltReason, ResultAndState};
use revm::context::{BlockEnv, Cfg, TxEnv};
use revm::context_interface::Block;
use revm::database::CacheDB;
use revm::database_interface::DatabaseRef;
use revm::primitives::hardfork::SpecId;
use revm::state::EvmState;

use crate::EvmEnv;
use crate::parallel::{ParallelError, ParallelEvm, ParallelExecuted};

/// Gives states that several threads can read at once. The database that an executor is given cannot: it belongs to the
/// thread that runs the block.
pub trait ParentState: Send + Sync + 'static {
    /// A state.
    type State: DatabaseRef + Sync + Debug;

    /// The state after the block with this hash, which must be what the executor's own database shows. `None` where
    /// there is no such view: the block is then executed sequentially.
    ///
    /// # Errors
    /// When the storage fails. The block is then not executed.
    fn after(&self, parent: B256) -> Result<Option<Self::State>, BlockExecutionError>;
}

/// Makes executors that run the transactions of a block in parallel.
#[derive(Debug)]
pub struct WeftBlockExecutorFactory<R, Spec, P, F = EthEvmFactory> {
    inner: EthBlockExecutorFactory<R, Spec, F>,
    evm: ParallelEvm,
    parents: P,
}

impl<R, Spec, P, F> WeftBlockExecutorFactory<R, Spec, P, F> {
    /// Executors as those of `inner`, which run transactions on `evm` and read the state from `parents`.
    pub const fn new(inner: EthBlockExecutorFactory<R, Spec, F>, evm: ParallelEvm, parents: P) -> Self {
        Self { inner, evm, parents }
    }

    /// The chain's rules.
    pub const fn spec(&self) -> &Spec {
        self.inner.spec()
    }
}

/// Executes one block.
pub struct WeftBlockExecutor<'a, E, Spec, R: ReceiptBuilder, P> {
    inner: EthBlockExecutor<'a, E, &'a Spec, &'a R>,
    evm: &'a ParallelEvm,
    parents: &'a P,
}

impl<R, Spec, P, F> BlockExecutorFactory for WeftBlockExecutorFactory<R, Spec, P, F>
where
    R: ReceiptBuilder<Transaction: Transaction + Encodable2718, Receipt: TxReceipt<Log = Log>>,
    Spec: EthExecutorSpec,
    F: EvmFactory<Spec = SpecId, BlockEnv = BlockEnv, HaltReason = HaltReason, Tx = TxEnv>,
    TxEnv: FromRecoveredTx<R::Transaction> + FromTxWithEncoded<R::Transaction>,
    <R::Transaction as TransactionEnvelope>::TxType: Send + 'static,
    P: ParentState,
    Self: 'static,
{
    type EvmFactory = F;
    type ExecutionCtx<'a> = EthBlockExecutionCtx<'a>;
    type Transaction = R::Transaction;
    type Receipt = R::Receipt;
    type TxExecutionResult = EthTxResult<HaltReason, <R::Transaction as TransactionEnvelope>::TxType>;
    type Executor<'a, DB: StateDB, I: Inspector<F::Context<DB>>> = WeftBlockExecutor<'a, F::Evm<DB, I>, Spec, R, P>;

    fn evm_factory(&self) -> &F {
        self.inner.evm_factory()
    }

    fn create_executor<'a, DB, I>(
        &'a self,
        evm: F::Evm<DB, I>,
        ctx: EthBlockExecutionCtx<'a>,
    ) -> Self::Executor<'a, DB, I>
    where
        DB: StateDB,
        I: Inspector<F::Context<DB>>,
    {
        let inner = EthBlockExecutor::new(evm, ctx, self.inner.spec(), self.inner.receipt_builder());
        WeftBlockExecutor { inner, evm: &self.evm, parents: &self.parents }
    }
}

impl<E, Spec, R, P> BlockExecutor for WeftBlockExecutor<'_, E, Spec, R, P>
where
    E: Evm<DB: StateDB, Spec = SpecId, BlockEnv = BlockEnv, HaltReason = HaltReason, Tx = TxEnv>,
    TxEnv: FromRecoveredTx<R::Transaction> + FromTxWithEncoded<R::Transaction>,
    Spec: EthExecutorSpec,
    R: ReceiptBuilder<Transaction: Transaction + Encodable2718, Receipt: TxReceipt<Log = Log>>,
    <R::Transaction as TransactionEnvelope>::TxType: Send + 'static,
    P: ParentState,
{
    type Transaction = R::Transaction;
    type Receipt = R::Receipt;
    type Evm = E;
    type Result = EthTxResult<HaltReason, <R::Transaction as TransactionEnvelope>::TxType>;

    fn apply_pre_execution_changes(&mut self) -> Result<(), BlockExecutionError> {
        self.inner.apply_pre_execution_changes()
    }

    fn execute_transaction_without_commit(
        &mut self,
        tx: impl ExecutableTx<Self>,
    ) -> Result<Self::Result, BlockExecutionError> {
        self.inner.execute_transaction_without_commit(tx.into_parts())
    }

    fn commit_transaction(&mut self, output: Self::Result) -> GasOutput {
        self.inner.commit_transaction(output)
    }

    fn finish(self) -> Result<(E, BlockExecutionResult<R::Receipt>), BlockExecutionError> {
        self.inner.finish()
    }

    fn evm_mut(&mut self) -> &mut E {
        self.inner.evm_mut()
    }

    fn evm(&self) -> &E {
        self.inner.evm()
    }

    fn receipts(&self) -> &[R::Receipt] {
        self.inner.receipts()
    }

    /// Executes the block, its transactions in parallel. Inspectors do not see them, precompiles are the fork's own, and
    /// what is committed to the database is the changes of all transactions at once.
    fn execute_block(
        mut self,
        transactions: impl IntoIterator<Item = impl ExecutableTx<Self>>,
    ) -> Result<BlockExecutionResult<R::Receipt>, BlockExecutionError> {
        self.apply_pre_execution_changes()?;
        let Some(parent) = self.parents.after(self.inner.ctx.parent_hash)? else {
            for tx in transactions {
                self.execute_transaction(tx)?;
            }
            return self.apply_post_execution_changes();
        };
        let (envs, transactions): (Vec<TxEnv>, Vec<_>) =
            transactions.into_iter().map(ExecutableTxParts::into_parts).unzip();
        let env = EvmEnv::new(self.inner.evm.cfg_env().clone(), self.inner.evm.block().clone());
        let state = self.after_system_calls(&parent, &env)?;
        let executed = self.evm.execute(&env, &state, &envs);
        let ParallelExecuted { results, changes, .. } = match executed {
            Ok(executed) => executed,
            // So far nothing was changed. What is wrong with the block is what sequential execution finds.
            Err(ParallelError::Invalid { .. } | ParallelError::Impossible { .. }) => {
                for tx in envs.into_iter().zip(transactions) {
                    self.execute_transaction(tx)?;
                }
                return self.apply_post_execution_changes();
            }
            Err(error @ ParallelError::Block(_)) => return Err(BlockExecutionError::other(error)),
        };
        for (tx, result) in transactions.iter().zip(results) {
            let tx = tx.tx();
            self.check_gas_limit(tx)?;
            // Its changes are committed below, with all others.
            self.inner.commit_transaction(EthTxResult {
                result: ResultAndState { result, state: EvmState::default() },
                blob_gas_used: tx.blob_gas_used().unwrap_or_default(),
                tx_type: tx.tx_type(),
            });
        }
        changes
            .commit(&state, self.inner.evm.db_mut())
            .map_err(|error| BlockExecutionError::msg(format!("reading what the block has changed: {error}")))?;
        self.apply_post_execution_changes()
    }
}

impl<E, Spec, R, P> WeftBlockExecutor<'_, E, Spec, R, P>
where
    E: Evm<DB: StateDB, Spec = SpecId, BlockEnv = BlockEnv>,
    Spec: EthExecutorSpec,
    R: ReceiptBuilder<Transaction: Transaction>,
    P: ParentState,
{
    /// The state that the first transaction finds: the parent's, and on it what the system calls before the
    /// transactions have done.
    fn after_system_calls<'p>(
        &self,
        parent: &'p P::State,
        env: &EvmEnv,
    ) -> Result<CacheDB<&'p P::State>, BlockExecutionError> {
        let mut evm = EthEvmFactory::default().create_evm(CacheDB::new(parent), env.clone());
        let mut system = SystemCaller::new(self.inner.spec);
        system.apply_blockhashes_contract_call(self.inner.ctx.parent_hash, &mut evm)?;
        system.apply_beacon_root_contract_call(self.inner.ctx.parent_beacon_block_root, &mut evm)?;
        Ok(evm.into_db())
    }

    /// A transaction's gas limit must fit into what the transactions before it have left of the block's.
    fn check_gas_limit(&self, tx: &R::Transaction) -> Result<(), BlockExecutionError> {
        let cfg = self.inner.evm.cfg_env();
        let limit = self.inner.evm.block().gas_limit();
        let (used, needed) = if cfg.enable_amsterdam_eip8037 {
            (self.inner.block_regular_gas_used, min(tx.gas_limit(), cfg.tx_gas_limit_cap()))
        } else {
            (self.inner.cumulative_tx_gas_used, min(tx.gas_limit(), cfg.tx_gas_limit_cap()))
        };
        let mut available = limit.saturating_sub(used);
        let mut fits = needed <= available;
        if fits && cfg.enable_amsterdam_eip8037 && !self.inner.skip_state_gas_capacity_check {
            available = limit.saturating_sub(self.inner.block_state_gas_used);
            fits = tx.gas_limit() <= available;
        }
        if fits {
            return Ok(());
        }
        Err(BlockValidationError::TransactionGasLimitMoreThanAvailableBlockGas {
            transaction_gas_limit: tx.gas_limit(),
            block_available_gas: available,
        }
        .into())
    }
}
