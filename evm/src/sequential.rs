//! Plain revm, one transaction after another: the oracle that the parallel path is compared with, and the baseline that
//! it has to beat.
//!
//! It is as fast as revm goes: the journal is the only cache, it is kept from one transaction to the next, and nothing
//! is cloned. Nothing of weft is used here.

use revm::context::result::{EVMError, ExecutionResult};
use revm::context::{Context, TxEnv};
use revm::database_interface::{DatabaseRef, WrapDatabaseRef};
use revm::state::EvmState;
use revm::{ExecuteEvm, MainBuilder, MainContext};

use crate::EvmEnv;

/// What a list of transactions gives.
#[derive(Debug)]
pub struct Executed {
    /// One result a transaction, in order.
    pub results: Vec<ExecutionResult>,
    /// Every account that was loaded, as it is afterwards. Only what is touched and differs from its original is a change.
    pub state: EvmState,
}

/// Why a list of transactions has no result.
#[derive(Debug, thiserror::Error)]
#[error("transaction {transaction}: {source}")]
pub struct SequentialError<E: std::error::Error + 'static> {
    /// The transaction, by its index.
    pub transaction: usize,
    /// What revm says.
    pub source: EVMError<E>,
}

/// Executes `transactions` in order on the state that `db` gives.
///
/// # Errors
/// [`SequentialError`] where a transaction is invalid or the database fails.
pub fn execute<DB: DatabaseRef>(
    env: &EvmEnv,
    db: DB,
    transactions: impl IntoIterator<Item = TxEnv>,
) -> Result<Executed, SequentialError<DB::Error>> {
    let mut evm = Context::mainnet()
        .with_db(WrapDatabaseRef(db))
        .with_cfg(env.cfg_env.clone())
        .with_block(env.block_env.clone())
        .build_mainnet();
    let mut results = Vec::new();
    for (transaction, tx) in transactions.into_iter().enumerate() {
        let result = evm.transact_one(tx).map_err(|source| SequentialError { transaction, source })?;
        results.push(result);
    }
    Ok(Executed { results, state: evm.finalize() })
}
