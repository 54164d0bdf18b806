//! The ways to execute a block: plain revm with one journal, and weft in parallel.

use std::fmt;

use revm::context::TxEnv;
use revm::context::result::{EVMError, ExecutionResult, InvalidTransaction};
use weft_engine::{Config, Mode};
use weft_evm::{EvmEnv, ParallelError, ParallelEvm, StateDiff, sequential};

use super::world::World;

/// A way to execute a block.
#[derive(Debug)]
pub(crate) enum Path {
    /// [`sequential::execute`].
    Sequential,
    /// [`ParallelEvm`], with what it is called.
    Parallel(ParallelEvm, String),
}

/// What a block gives: one result a transaction, and the state afterwards.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) results: Vec<ExecutionResult>,
    pub(crate) world: World,
}

/// Why a block gives nothing.
#[derive(Debug)]
pub(crate) enum Refused {
    /// A transaction, by its index, is invalid.
    Invalid(usize, InvalidTransaction),
    /// Something that must not happen.
    Failed(String),
}

impl Path {
    /// Optimistically, however short the block is.
    pub(crate) fn parallel(threads: usize, unit_length: usize) -> Self {
        Self::prefetching(threads, unit_length, 0)
    }

    /// The same, with `prefetch_threads` threads that load ahead.
    pub(crate) fn prefetching(threads: usize, unit_length: usize, prefetch_threads: usize) -> Self {
        let config = Config {
            mode: Mode::Optimistic,
            max_parallel_threads: threads,
            min_transactions_for_parallel: 0,
            unit_length,
            prefetch_threads,
            ..Config::default()
        };
        Self::Parallel(
            ParallelEvm::with_fixed_units(config),
            format!("parallel, {threads} threads, units of {unit_length}, {prefetch_threads} prefetching"),
        )
    }

    /// Parallel stretches of some `trial_units`, and after those that do not get done `worthwhile_percent` of what one
    /// worker would, plain revm.
    pub(crate) fn alternating(trial_units: u32, unit_length: usize, worthwhile_percent: u32) -> Self {
        let config = Config {
            mode: Mode::Auto,
            max_parallel_threads: 2,
            min_transactions_for_parallel: 1,
            unit_length,
            trial_units,
            worthwhile_percent,
            ..Config::default()
        };
        let name = format!("trials of {trial_units} units of {unit_length}, {worthwhile_percent} %");
        Self::Parallel(ParallelEvm::with_exactly(config), name)
    }

    /// As a block that is not worth dividing.
    pub(crate) fn not_divided() -> Self {
        let config = Config { mode: Mode::Sequential, ..Config::default() };
        Self::Parallel(ParallelEvm::new(config), "not divided".to_owned())
    }

    /// Executes a block on `pre`.
    pub(crate) fn execute(&self, env: &EvmEnv, pre: &World, transactions: &[TxEnv]) -> Result<Outcome, Refused> {
        let mut world = pre.clone();
        let results = match self {
            Self::Sequential => {
                let executed = sequential::execute(env, pre, transactions).map_err(|error| match error.source {
                    EVMError::Transaction(invalid) => Refused::Invalid(error.transaction, invalid),
                    other => Refused::Failed(other.to_string()),
                })?;
                let Ok(diff) = StateDiff::of_journal(&executed.state, pre, env.cfg_env.spec);
                let infos = executed.state.values().map(|account| &account.info);
                let codes = infos.filter_map(|info| Some((info.code_hash, info.code.as_ref()?)));
                world.apply(&diff, codes.filter(|(_, code)| !code.is_empty()));
                executed.results
            }
            Self::Parallel(evm, _) => {
                let executed = evm.execute(env, pre, transactions).map_err(|error| match error {
                    ParallelError::Invalid { transaction, source } => Refused::Invalid(transaction, source),
                    other => Refused::Failed(other.to_string()),
                })?;
                let Ok(diff) = executed.changes.diff(pre);
                let codes = executed.changes.codes();
                world.apply(&diff, codes.iter().map(|(hash, code)| (*hash, code)));
                // The same changes as one of revm's databases takes them.
                let Ok(states) = executed.changes.evm_states(pre);
                let mut committed = pre.clone();
                for state in &states {
                    committed.commit(state);
                }
                if let [first, ..] = committed.differences(&world).as_slice() {
                    return Err(Refused::Failed(format!("committed and applied, {first}")));
                }
                executed.results
            }
        };
        Ok(Outcome { results, world })
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sequential => f.write_str("sequential"),
            Self::Parallel(_, name) => f.write_str(name),
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(transaction, invalid) => write!(f, "transaction {transaction} is invalid: {invalid:?}"),
            Self::Failed(reason) => f.write_str(reason),
        }
    }
}
