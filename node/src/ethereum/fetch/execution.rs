//! A block's execution with plain revm over the state of a node: what it reads is the block's prestate.

use alloy_consensus::{Header, TxType};
use alloy_eips::eip2935::HISTORY_STORAGE_ADDRESS;
use alloy_eips::eip4788::BEACON_ROOTS_ADDRESS;
use alloy_eips::eip7002::WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS;
use alloy_eips::eip7251::CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS;
use alloy_primitives::{Address, Bytes};
use revm::context::result::{EVMError, ExecutionResult};
use revm::context::{Context, TxEnv};
use revm::database_interface::{DatabaseRef, WrapDatabaseRef};
use revm::primitives::hardfork::SpecId;
use revm::{ExecuteEvm, MainBuilder, MainContext, SystemCallEvm};
use weft_evm::EvmEnv;
use weft_evm::sequential::{self, SequentialError};

use super::remote_state::{RemoteState, RemoteStateError};
use crate::ethereum::chain::environment;
use crate::ethereum::file::BlockFile;
use crate::ethereum::prestate::{CodeError, Prestate, PrestateError};
use crate::ethereum::receipts::{HeaderMismatch, mismatches, receipts};
use crate::ethereum::system::{self, SystemCallError};

/// Why a block has no results.
#[derive(Debug, thiserror::Error)]
pub enum ExecutionError {
    /// A transaction is invalid, or something of the state is not known.
    #[error("transaction {transaction}: {source}")]
    Transaction {
        /// By its index.
        transaction: usize,
        /// What revm says.
        source: EVMError<RemoteStateError>,
    },
    /// One of the protocol's own calls.
    #[error("the protocol's call to {contract}: {source}")]
    SystemCall {
        /// The contract.
        contract: Address,
        /// What revm says.
        source: EVMError<RemoteStateError>,
    },
    /// An account that is credited without a transaction.
    #[error("{address}, which the protocol credits: {source}")]
    Credited {
        /// The account.
        address: Address,
        /// What is wrong.
        source: RemoteStateError,
    },
}

impl ExecutionError {
    /// What the state answered, where that is the reason.
    pub(super) fn state_error(&self) -> Option<&RemoteStateError> {
        match self {
            Self::Transaction { source: EVMError::Database(error), .. }
            | Self::SystemCall { source: EVMError::Database(error), .. }
            | Self::Credited { source: error, .. } => Some(error),
            _ => None,
        }
    }
}

/// Executes a block from the protocol's first call to its last credit.
///
/// `credited` are accounts that withdrawals and rewards go to: nothing here changes them, and whoever wants to do so needs
/// to know what they had.
pub(super) fn execute(
    env: &EvmEnv,
    header: &Header,
    transactions: Vec<TxEnv>,
    credited: &[Address],
    state: &RemoteState,
) -> Result<Vec<ExecutionResult>, ExecutionError> {
    let mut evm = Context::mainnet()
        .with_db(WrapDatabaseRef(state))
        .with_cfg(env.cfg_env.clone())
        .with_block(env.block_env.clone())
        .build_mainnet();
    let spec = env.cfg_env.spec;
    let mut before: Vec<(Address, Bytes)> = Vec::new();
    if spec.is_enabled_in(SpecId::PRAGUE) {
        before.push((HISTORY_STORAGE_ADDRESS, header.parent_hash.into()));
    }
    if let Some(root) = header.parent_beacon_block_root.filter(|_| spec.is_enabled_in(SpecId::CANCUN)) {
        before.push((BEACON_ROOTS_ADDRESS, root.into()));
    }
    let mut after = Vec::new();
    if spec.is_enabled_in(SpecId::PRAGUE) {
        after.extend([WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS, CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS]);
    }

    state.enter(None);
    for (contract, data) in before {
        evm.system_call_one(contract, data).map_err(|source| ExecutionError::SystemCall { contract, source })?;
    }
    let mut results = Vec::with_capacity(transactions.len());
    for (transaction, tx) in transactions.into_iter().enumerate() {
        state.enter(Some(transaction));
        let result = evm.transact_one(tx).map_err(|source| ExecutionError::Transaction { transaction, source })?;
        results.push(result);
    }
    state.enter(None);
    for contract in after {
        evm.system_call_one(contract, Bytes::new())
            .map_err(|source| ExecutionError::SystemCall { contract, source })?;
    }
    for &address in credited {
        state.basic_ref(address).map_err(|source| ExecutionError::Credited { address, source })?;
    }
    Ok(results)
}

/// Executes the block again, out of the file alone: what its header contradicts.
pub(super) fn contradictions(
    file: &BlockFile,
    transactions: &[TxEnv],
    types: &[TxType],
) -> Result<Vec<HeaderMismatch>, ReplayError> {
    let header = &file.block.header.inner;
    let env = environment(file.chain.as_ref(), header);
    let mut prestate = Prestate::new(&file.prestate, &file.block_hashes)?;
    system::before_transactions(&env, header, &mut prestate)?;
    let executed = sequential::execute(&env, &prestate, transactions)?;
    Ok(mismatches(header, env.cfg_env.spec, &receipts(types, &executed.results)))
}

/// Why a file that was put together cannot be executed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// A code in it is none.
    #[error(transparent)]
    Code(#[from] CodeError),
    /// One of the protocol's own calls.
    #[error(transparent)]
    SystemCall(#[from] SystemCallError),
    /// A transaction is invalid on what the file has, or the file lacks something.
    #[error(transparent)]
    Transaction(#[from] SequentialError<PrestateError>),
}
