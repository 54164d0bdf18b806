//! Plain revm, one transaction after another: the oracle that the parallel path is compared with, and the baseline that
//! it has to beat.
//!
//! It is as fast as revm goes: the journal is the only cache, it is kept from one transaction to the next, and nothing
//! is cloned. Nothing of weft is used here.
//!
//! # What the journal says in the end
//!
//! revm means its journal to be emptied after every transaction. One that is kept marks accounts in a way that its
//! databases do not expect: an account that is destroyed by one transaction and paid by a later one is there in the end,
//! with its balance, and still marked as destroyed. To commit [`Executed::state`] would remove it. Use
//! [`StateDiff::of_journal`](crate::StateDiff::of_journal), which looks at which transaction has destroyed it.
//!
//! # Before EIP-161
//!
//! Up to Tangerine Whistle an account may be there without anything, and that is not the same as not being there: it is
//! another state, and a call costs less. A kept journal does not tell the two apart: an account that one transaction
//! destroys and a later one loads begins anew there, as an empty account that exists. Such a block comes out wrong here;
//! compare it with an execution that commits after every transaction.

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
    /// Not to be committed as it stands: see [the module](self).
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
