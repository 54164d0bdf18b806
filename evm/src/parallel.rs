//! Whole blocks of Ethereum transactions on any revm database: one call.

use std::time::{Duration, Instant};

use revm::context::TxEnv;
use revm::context::result::{EVMError, ExecutionResult, InvalidTransaction};
use revm::database_interface::DatabaseRef;
use revm::state::EvmState;
use weft_engine::{BlockError, BlockPolicy, Config, Engine, Metrics, Mode};
use weft_storage::StorageError;

use crate::EvmEnv;
use crate::block_changes::{BlockChanges, Layers};
use crate::fallback::Fallback;
use crate::reader::DatabaseReader;
use crate::sequential::{PlainMachine, SequentialError};
use crate::state::StateKey;
use crate::units::{is_chain, is_short, unit_length_of};
use crate::vm::{EvmVm, TransactionOutput};

/// Why a block has no result.
#[derive(Debug, thiserror::Error)]
pub enum ParallelError {
    /// A transaction is invalid, and with it the block.
    #[error("transaction {transaction} is invalid: {source}")]
    Invalid {
        /// The transaction, by its index in the block.
        transaction: usize,
        /// What is wrong with it.
        source: InvalidTransaction,
    },
    /// A transaction cannot be executed in the block's environment.
    #[error("transaction {transaction} cannot be executed: {reason}")]
    Impossible {
        /// The transaction, by its index in the block.
        transaction: usize,
        /// What revm says.
        reason: String,
    },
    /// The database failed, or the machine did.
    #[error(transparent)]
    Block(#[from] BlockError),
}

/// Less than the engine's usual demand: transactions of Ethereum differ so much in length that a short window shows
/// little. Calls that only follow each other, and wait for each other as they should, come to nearly 100, and plain revm is
/// faster; with more than that, transfers with some conflicts were given up that are a fifth faster in parallel.
const WORTHWHILE_PERCENT: u32 = 100;

/// Units of cheap transactions grow to this length, if the configuration does not allow more.
const LONGEST_UNIT: usize = 64;

/// So long a window lasts at least.
const TRIAL_TIME: Duration = Duration::from_micros(200);

/// What a block gives.
#[derive(Debug)]
pub struct ParallelExecuted {
    /// One result a transaction, in order.
    pub results: Vec<ExecutionResult>,
    /// What the block changes.
    pub changes: BlockChanges,
    /// What it cost.
    pub metrics: Metrics<StateKey>,
}

/// Executes blocks of Ethereum transactions in parallel, with the result of executing them one after another.
#[derive(Debug)]
pub struct ParallelEvm {
    engine: Engine<EvmVm>,
    /// `None`: what suits the block.
    unit_length: Option<usize>,
    /// Whether blocks are divided that do not look worth it.
    divides_any: bool,
}

impl ParallelEvm {
    /// An engine with workers of its own, kept from block to block. The length of units is chosen for each block and
    /// changed while it runs, and [`Mode::Auto`] is no stricter than suits Ethereum: `worthwhile_percent` is at most 110, `trial_time` at least
    /// 200 µs.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self::with_units(config, None)
    }

    /// As [`new`](Self::new), with units of the configuration's length for every block.
    #[must_use]
    pub fn with_fixed_units(config: Config) -> Self {
        let unit_length = config.unit_length;
        Self::with_units(config, Some(unit_length))
    }

    /// With the configuration as it is: its units, its own demands in [`Mode::Auto`], and no look at a block to find out
    /// whether it is worth dividing. For whoever tests or measures the paths; on blocks of a chain [`new`](Self::new) is
    /// faster.
    #[must_use]
    pub fn with_exactly(config: Config) -> Self {
        let unit_length = Some(config.unit_length);
        Self { engine: Engine::new(Config { sort_changes: false, ..config }), unit_length, divides_any: true }
    }

    fn with_units(config: Config, unit_length: Option<usize>) -> Self {
        let worthwhile_percent = config.worthwhile_percent.min(WORTHWHILE_PERCENT);
        let trial_time = config.trial_time.max(TRIAL_TIME);
        // Whoever wants the changes wants them by account.
        let longest_unit = if unit_length.is_none() { config.longest_unit.max(LONGEST_UNIT) } else { 1 };
        let config = Config { worthwhile_percent, trial_time, longest_unit, sort_changes: false, ..config };
        Self { engine: Engine::new(config), unit_length, divides_any: false }
    }

    /// The engine.
    #[must_use]
    pub fn engine(&self) -> &Engine<EvmVm> {
        &self.engine
    }

    /// Executes `transactions` in order, as far as anybody can tell, on the state that `db` gives.
    ///
    /// In [`Mode::Auto`] what is not worth executing in parallel is executed by plain revm, as fast as that goes; before
    /// EIP-161 by the engine's own sequential path. A block with an invalid transaction has no result, and the block's gas
    /// limit is the caller's to check.
    ///
    /// # Errors
    /// [`ParallelError`] where a transaction is invalid, the database fails, or revm panics.
    pub fn execute<DB: DatabaseRef + Sync>(
        &self,
        env: &EvmEnv,
        db: &DB,
        transactions: &[TxEnv],
    ) -> Result<ParallelExecuted, ParallelError> {
        if !self.is_worth_dividing(env, transactions) {
            return execute_alone(env, db, transactions);
        }
        let vm = EvmVm::new(env.clone());
        let reader = DatabaseReader::new(db);
        let unit_length = self.unit_length.unwrap_or_else(|| unit_length_of(transactions));
        // Blocks of one chain differ as much from each other as from those of another.
        self.engine.forget_trials();
        let spec = env.cfg_env.spec;
        let (block, below, journal) = if self.engine.config().mode == Mode::Auto && Fallback::<DB>::suits(spec) {
            let mut fallback = Fallback::new(env, db);
            let block = self.engine.execute_block_beside(&vm, &reader, transactions, unit_length, &mut fallback)?;
            let (below, journal) = fallback.into_layers();
            (block, below, journal)
        } else {
            let policy = BlockPolicy::default();
            let block =
                self.engine.execute_block_in_units(&vm, &reader, transactions, policy, unit_length, |_, _| {})?;
            (block, Vec::new(), EvmState::default())
        };
        let results = block.outcomes.into_iter().enumerate().map(|(transaction, outcome)| match outcome.output {
            TransactionOutput::Executed(result) => Ok(result),
            TransactionOutput::Invalid(source) => Err(ParallelError::Invalid { transaction, source }),
            TransactionOutput::Impossible(reason) => Err(ParallelError::Impossible { transaction, reason }),
        });
        // In the place of the outcomes: results are large, and memory that is written for the first time is slow.
        let results = results.collect::<Result<_, _>>()?;
        let changes = BlockChanges { layers: Layers { below, journal, last: block.changes }, spec };
        Ok(ParallelExecuted { results, changes, metrics: block.metrics })
    }

    /// Whether to divide the block, as far as its transactions show. How it goes shows on the way.
    fn is_worth_dividing(&self, env: &EvmEnv, transactions: &[TxEnv]) -> bool {
        let config = self.engine.config();
        let is_forced = config.mode == Mode::Optimistic;
        let looks_worth_it = || self.divides_any || (!is_short(transactions) && !is_chain(transactions, &env.cfg_env));
        is_forced || (config.is_parallel(transactions.len()) && looks_worth_it())
    }
}

/// Executes a block that is not worth dividing, with plain revm.
fn execute_alone<DB: DatabaseRef>(
    env: &EvmEnv,
    db: &DB,
    transactions: &[TxEnv],
) -> Result<ParallelExecuted, ParallelError> {
    let begun = Instant::now();
    let executed = PlainMachine::new(env, db).remembering_hashes().execute_all(transactions);
    let executed = executed.map_err(|SequentialError { transaction, source }| match source {
        EVMError::Transaction(source) => ParallelError::Invalid { transaction, source },
        EVMError::Database(error) => {
            let source = StorageError::backend("the revm database", "read", error);
            BlockError::Storage { transaction, source }.into()
        }
        other => ParallelError::Impossible { transaction, reason: other.to_string() },
    })?;
    let spec = env.cfg_env.spec;
    let count = transactions.len() as u64;
    let wall_time = begun.elapsed();
    let metrics = Metrics {
        transactions: count,
        units: count,
        executions: count,
        sequential_transactions: count,
        core_time: wall_time,
        wall_time,
        workers: 1,
        ..Metrics::default()
    };
    let changes = BlockChanges { layers: Layers::of_journal(executed.state), spec };
    Ok(ParallelExecuted { results: executed.results, changes, metrics })
}
