//! What is counted.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::hint::black_box;
use std::sync::Arc;

use clap::ValueEnum;
use weft_engine::{BlockEnd, BlockPolicy, Config, Engine, Mode};
use weft_evm::ParallelEvm;
use weft_ledger::Hash;
use weft_node::chain::SnapshotReader;
use weft_node::executor::{
    BlockExecutor, BlockInput, ExecutorSettings, OptimisticExecutor, SequentialExecutor, SharedState, UNIT_LENGTH,
};
use weft_node::workload::{Workload, WorkloadBuilder};
use weft_storage::{MemoryStore, StateStore, StateWriter};

use super::token;
use crate::ethereum;
use crate::synthetic::{Base, Pattern, Synthetic};

/// Executions that are not counted: memory is recycled and tables have their size after them, as in a node.
const WARM_UP: usize = 2;
/// Length of the units that are called long.
const LONG_UNITS: usize = 16;

/// A block that is executed by one worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Scenario {
    /// Synthetic transactions without work that share nothing, one a unit.
    EngineIndependent,
    /// The same, in long units.
    EngineIndependentUnits,
    /// Each reads what the one before wrote.
    EngineChain,
    /// The same, and every transaction says beforehand what it writes.
    EngineHintedChain,
    /// All add to one counter.
    EngineAdd,
    /// The engine's plain sequential path, on transactions that share nothing.
    EngineSequential,
    /// Transfers of TOS between accounts of their own, in units as the node makes them.
    TosTransfers,
    /// The same, sequentially.
    TosTransfersSequential,
    /// Transfers of ether that share nothing.
    EvmRaw,
    /// Transfers of a token on Ethereum.
    EvmToken,
}

/// A scenario cannot be executed, or not all of its transactions succeed.
#[derive(Debug, thiserror::Error)]
#[error("{scenario}: {reason}")]
pub struct ScenarioError {
    scenario: Scenario,
    reason: Box<dyn Error + Send + Sync>,
}

type Executed = Result<Box<dyn Any>, Box<dyn Error + Send + Sync>>;

/// A scenario that is set up and warm.
pub struct Prepared {
    scenario: Scenario,
    execute: Box<dyn Fn() -> Executed>,
}

impl fmt::Debug for Prepared {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Prepared").field("scenario", &self.scenario).finish_non_exhaustive()
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value();
        formatter.write_str(value.as_ref().map_or("", |value| value.get_name()))
    }
}

/// The instructions of this function are those that callgrind counts: its name is known to `benches/count-instructions`.
#[inline(never)]
fn counted_execution(execute: &dyn Fn() -> Executed) -> Executed {
    // Not the last thing that happens here: else it would be a jump out of the function.
    black_box(execute())
}

impl Prepared {
    /// Executes the block once.
    ///
    /// # Errors
    /// [`ScenarioError`] where it is not executed as it should be.
    pub fn run(&self) -> Result<(), ScenarioError> {
        // What the block gave is dropped outside of what is counted.
        counted_execution(&*self.execute).map(drop).map_err(|reason| self.scenario.failed(reason))
    }
}

impl Scenario {
    /// Transactions of the block. So many that their keys, three or four each, are just above a power of two: the memory's
    /// table is a quarter full then. In a fuller one the seed of its hash decides whether a key finds no place in the
    /// first level, and the count is one of two.
    #[must_use]
    pub const fn transactions(self) -> usize {
        match self {
            Self::EngineIndependent | Self::EngineIndependentUnits | Self::EngineAdd | Self::EngineSequential => 8300,
            Self::EngineChain | Self::EngineHintedChain => 11_000,
            Self::TosTransfers | Self::TosTransfersSequential => 5600,
            Self::EvmRaw | Self::EvmToken => 2100,
        }
    }

    /// Sets the scenario up and warms it.
    ///
    /// # Errors
    /// [`ScenarioError`] where it is not executed as it should be.
    pub fn prepare(self) -> Result<Prepared, ScenarioError> {
        let one_thread = |mode, unit_length| Config { mode, max_parallel_threads: 1, unit_length, ..Config::default() };
        let optimistic = |unit_length| one_thread(Mode::Optimistic, unit_length);
        let prepared = match self {
            Self::EngineIndependent => Ok(self.engine(Pattern::Independent, optimistic(1))),
            Self::EngineIndependentUnits => Ok(self.engine(Pattern::Independent, optimistic(LONG_UNITS))),
            Self::EngineChain => Ok(self.engine(Pattern::Chain, optimistic(1))),
            Self::EngineHintedChain => Ok(self.engine(Pattern::HintedChain, optimistic(1))),
            Self::EngineAdd => Ok(self.engine(Pattern::Add, optimistic(1))),
            Self::EngineSequential => Ok(self.engine(Pattern::Independent, one_thread(Mode::Sequential, 1))),
            Self::TosTransfers => {
                self.tos(OptimisticExecutor::new(optimistic(UNIT_LENGTH), ExecutorSettings::default()))
            }
            Self::TosTransfersSequential => self.tos(SequentialExecutor::new(ExecutorSettings::default())),
            Self::EvmRaw => ethereum::Workload::RawIndependent
                .block(self.transactions(), 1)
                .map(|block| evm(block, optimistic(1)))
                .map_err(Into::into),
            Self::EvmToken => {
                token::block(self.transactions()).map(|block| evm(block, optimistic(1))).map_err(Into::into)
            }
        };
        let execute = prepared.map_err(|reason| self.failed(reason))?;
        for _ in 0..WARM_UP {
            execute().map_err(|reason| self.failed(reason))?;
        }
        Ok(Prepared { scenario: self, execute })
    }

    fn failed(self, reason: Box<dyn Error + Send + Sync>) -> ScenarioError {
        ScenarioError { scenario: self, reason }
    }

    fn engine(self, pattern: Pattern, config: Config) -> Box<dyn Fn() -> Executed> {
        let block = pattern.block(self.transactions(), 1);
        let vm = Synthetic { steps: 0, has_hints: block.has_hints };
        let engine = Engine::new(config);
        Box::new(move || {
            let output = engine.execute_block(&vm, &Base, &block.transactions, BlockPolicy::default())?;
            match output.end {
                BlockEnd::Complete => Ok(Box::new(output)),
                BlockEnd::Rejected { transaction } | BlockEnd::GasLimit { transaction } => {
                    Err(format!("the block ends at transaction {transaction}").into())
                }
            }
        })
    }

    /// Without signatures.
    fn tos(
        self,
        executor: impl BlockExecutor + 'static,
    ) -> Result<Box<dyn Fn() -> Executed>, Box<dyn Error + Send + Sync>> {
        let builder = WorkloadBuilder::new(Workload::Independent).transactions(self.transactions());
        let mut generator = builder.unsigned().build();
        let store = MemoryStore::new();
        let mut genesis = generator.genesis();
        genesis.sort_unstable_by_key(|entry| entry.0);
        store.initialise(&genesis, [0; 32])?;
        let state: SharedState = Arc::new(SnapshotReader(StateStore::snapshot(&store)));
        let transactions = generator.next_transactions().into();
        let input = BlockInput { context: generator.context(), transactions, parent_digest: Hash([0; 32]) };
        Ok(Box::new(move || {
            let executed = executor.execute(&input, &state)?;
            match executed.rejection() {
                Some((transaction, error)) => Err(format!("transaction {transaction} is rejected: {error}").into()),
                None => Ok(Box::new(executed)),
            }
        }))
    }
}

fn evm(block: ethereum::Block, config: Config) -> Box<dyn Fn() -> Executed> {
    let evm = ParallelEvm::new(config);
    Box::new(move || {
        let executed = evm.execute(&block.env, &block.database, &block.transactions)?;
        match executed.results.iter().position(|result| !result.is_success()) {
            Some(transaction) => Err(format!("transaction {transaction} fails").into()),
            None => Ok(Box::new(executed)),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_is_executed() {
        for scenario in Scenario::value_variants() {
            let prepared = scenario.prepare().unwrap_or_else(|error| panic!("{error}"));
            prepared.run().unwrap_or_else(|error| panic!("{error}"));
        }
    }
}
