//! One transaction after another, each by an EVM of its own on what the one before has committed. Slow, and without
//! anything that could be wrongly kept: not even revm's journal outlives a transaction.

use std::convert::Infallible;

use revm::context::result::{EVMError, ExecutionResult};
use revm::context::{Context, TxEnv};
use revm::database_interface::WrapDatabaseRef;
use revm::{ExecuteEvm, MainBuilder, MainContext};
use weft_evm::EvmEnv;

use super::world::World;

/// Executes one transaction and commits what it changed. An invalid one changes nothing.
pub(crate) fn step(env: &EvmEnv, world: &mut World, tx: TxEnv) -> Result<ExecutionResult, EVMError<Infallible>> {
    let mut evm = Context::mainnet()
        .with_db(WrapDatabaseRef(&*world))
        .with_cfg(env.cfg_env.clone())
        .with_block(env.block_env.clone())
        .build_mainnet();
    let executed = evm.transact(tx)?;
    world.commit(&executed.state);
    Ok(executed.result)
}
