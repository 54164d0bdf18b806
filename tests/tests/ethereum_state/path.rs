//! The ways to execute a block: plain revm, weft in parallel, and one EVM a transaction.

use std::convert::Infallible;
use std::fmt;

use revm::context::TxEnv;
use revm::context::result::{EVMError, ExecutionResult};
use weft_engine::{Config, Mode};
use weft_evm::{EvmEnv, ParallelError, ParallelEvm, sequential};

use crate::common::oracle;
use crate::common::world::World;

/// A way to execute a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Path {
    /// [`oracle::step`] on every transaction.
    Stepwise,
    /// [`sequential::execute`].
    Sequential,
    /// Optimistically, however short the block is.
    Parallel { threads: usize, unit_length: usize },
}

/// What a block gives: one result a transaction, and the state afterwards.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) results: Vec<ExecutionResult>,
    pub(crate) world: World,
}

/// A block that is invalid, by its first invalid transaction.
#[derive(Debug)]
pub(crate) struct Rejected {
    pub(crate) transaction: usize,
    pub(crate) error: EVMError<Infallible>,
}

impl Path {
    /// Executes a block on `pre`.
    pub(crate) fn execute(self, env: &EvmEnv, pre: &World, transactions: &[TxEnv]) -> Result<Outcome, Rejected> {
        let mut world = pre.clone();
        let results = match self {
            Self::Stepwise => transactions
                .iter()
                .enumerate()
                .map(|(transaction, tx)| {
                    oracle::step(env, &mut world, tx.clone()).map_err(|error| Rejected { transaction, error })
                })
                .collect::<Result<_, _>>()?,
            Self::Sequential => {
                let executed = sequential::execute(env, pre, transactions.iter().cloned())
                    .map_err(|error| Rejected { transaction: error.transaction, error: error.source })?;
                world.commit(&executed.state);
                executed.results
            }
            Self::Parallel { threads, unit_length } => {
                let evm = ParallelEvm::new(config(threads, unit_length));
                let executed = evm.execute(env, pre, transactions).map_err(|error| match error {
                    ParallelError::Invalid { transaction, source } => {
                        Rejected { transaction, error: EVMError::Transaction(source) }
                    }
                    other => Rejected { transaction: 0, error: EVMError::Custom(other.to_string()) },
                })?;
                for state in executed.changes.evm_states(pre).unwrap() {
                    world.commit(&state);
                }
                executed.results
            }
        };
        Ok(Outcome { results, world })
    }
}

fn config(threads: usize, unit_length: usize) -> Config {
    Config {
        mode: Mode::Optimistic,
        max_parallel_threads: threads,
        min_transactions_for_parallel: 0,
        unit_length,
        ..Config::default()
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stepwise => f.write_str("stepwise"),
            Self::Sequential => f.write_str("sequential"),
            Self::Parallel { threads, unit_length } => write!(f, "parallel, {threads} threads, units of {unit_length}"),
        }
    }
}
