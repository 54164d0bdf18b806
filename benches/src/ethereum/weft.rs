//! The two sides of a comparison: plain revm and weft.

use revm::context::result::ExecutionResult;
use revm::database_interface::DatabaseRef;
use revm::state::EvmState;
use weft_engine::Metrics;
use weft_evm::sequential::{self, Executed, SequentialError};
use weft_evm::{BlockChanges, ParallelError, ParallelEvm, StateDiff, StateKey};

use super::Block;

/// A database that both sides can execute on.
pub trait Database: DatabaseRef<Error: std::error::Error + 'static> + Sync {}

impl<DB: DatabaseRef<Error: std::error::Error + 'static> + Sync> Database for DB {}

/// Why a side has no result.
#[derive(Debug, thiserror::Error)]
pub enum ExecuteError<E: std::error::Error + 'static> {
    /// Plain revm.
    #[error("lean revm: {0}")]
    Lean(#[from] SequentialError<E>),
    /// Weft.
    #[error("weft: {0}")]
    Weft(#[from] ParallelError),
    /// The state below cannot be read.
    #[error("the state below: {0}")]
    Database(E),
}

/// Plain revm: the journal is the only cache, results are kept, nothing is cloned.
pub(super) fn lean<DB: Database>(block: &Block<DB>) -> Result<Executed, ExecuteError<DB::Error>> {
    Ok(sequential::execute(&block.env, &block.database, &block.transactions)?)
}

/// What plain revm changes.
pub(super) fn lean_diff<DB: Database>(
    block: &Block<DB>,
    executed: &Executed,
) -> Result<StateDiff, ExecuteError<DB::Error>> {
    StateDiff::of_journal(&executed.state, &block.database, block.env.cfg_env.spec).map_err(ExecuteError::Database)
}

/// Weft, configured.
#[derive(Debug)]
pub(super) struct Weft {
    evm: ParallelEvm,
    evm_state: bool,
}

/// What weft makes of a block.
#[derive(Debug)]
pub(super) struct WeftExecuted {
    pub(super) results: Vec<ExecutionResult>,
    pub(super) changes: BlockChanges,
    /// The changes as revm's state maps, where they are asked for.
    _states: Option<[EvmState; 2]>,
    pub(super) metrics: Metrics<StateKey>,
}

impl Weft {
    /// `evm_state`: whether the changes are also to be made into revm's state maps.
    pub(super) fn new(evm: ParallelEvm, evm_state: bool) -> Self {
        Self { evm, evm_state }
    }

    pub(super) fn execute<DB: Database>(&self, block: &Block<DB>) -> Result<WeftExecuted, ExecuteError<DB::Error>> {
        let executed = self.evm.execute(&block.env, &block.database, &block.transactions)?;
        let states = self.evm_state.then(|| executed.changes.evm_states(&block.database));
        let _states = states.transpose().map_err(ExecuteError::Database)?;
        Ok(WeftExecuted { results: executed.results, changes: executed.changes, _states, metrics: executed.metrics })
    }

    /// What weft changes.
    pub(super) fn diff<DB: Database>(
        block: &Block<DB>,
        executed: &WeftExecuted,
    ) -> Result<StateDiff, ExecuteError<DB::Error>> {
        executed.changes.diff(&block.database).map_err(ExecuteError::Database)
    }
}
