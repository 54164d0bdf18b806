//! The one place that knows how weft executes a block of Ethereum.

use revm::context::result::ExecutionResult;
use revm::database_interface::DatabaseRef;
use revm::state::EvmState;
use weft_engine::Config;
use weft_evm::sequential::{self, SequentialError};

use super::Block;

/// What weft has made of a block.
#[derive(Debug)]
pub(super) struct Executed {
    pub(super) results: Vec<ExecutionResult>,
    pub(super) state: EvmState,
    /// Executions of transactions, the speculative ones that were discarded included.
    pub(super) executions: u64,
}

/// Weft, configured.
#[derive(Debug)]
pub(super) struct Weft {
    /// The sequential path has nothing to configure.
    _config: Config,
}

impl Weft {
    pub(super) fn new(config: Config) -> Self {
        Self { _config: config }
    }

    pub(super) fn execute<DB>(&self, block: &Block<DB>) -> Result<Executed, SequentialError<DB::Error>>
    where
        DB: DatabaseRef<Error: std::error::Error + 'static> + Sync,
    {
        let executed = sequential::execute(&block.env, &block.database, block.transactions.iter().cloned())?;
        let executions = executed.results.len() as u64;
        Ok(Executed { results: executed.results, state: executed.state, executions })
    }
}
