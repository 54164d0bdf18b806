//! What the protocol does to the state ahead of a block's transactions.
//!
//! From Cancun on the root of the parent beacon block is written to a contract (EIP-4788), from Prague on the parent's
//! hash to another (EIP-2935). A file's prestate holds what the block's transactions touch: where a contract is not among
//! it, no transaction of the block can see what the call would write, and the call is left out.
//!
//! What the protocol does after the transactions (block rewards, withdrawals, requests) changes no receipt and cannot be
//! checked with a prestate; block files hold neither the ommers' headers nor the accounts that are credited. It is left
//! out, and so is the DAO's irregular state change, which is of one block.

use alloy_consensus::Header;
use alloy_eips::eip2935::HISTORY_STORAGE_ADDRESS;
use alloy_eips::eip4788::BEACON_ROOTS_ADDRESS;
use alloy_primitives::Address;
use revm::context::Context;
use revm::database_interface::WrapDatabaseRef;
use revm::primitives::hardfork::SpecId;
use revm::{MainBuilder, MainContext, SystemCallEvm};
use weft_evm::{EvmEnv, StateDiff};

use super::prestate::{Prestate, PrestateError};

/// Why the protocol's own calls fail.
#[derive(Debug, thiserror::Error)]
pub enum SystemCallError {
    /// A header from Cancun on without the root that has to be written.
    #[error("the header has no parent beacon block root")]
    NoBeaconRoot,
    /// The call to a contract gives an error.
    #[error("the protocol's call to {contract}: {message}")]
    Call {
        /// The contract.
        contract: Address,
        /// What revm says.
        message: String,
    },
    /// The prestate lacks what a call reads.
    #[error(transparent)]
    Prestate(#[from] PrestateError),
}

/// Makes the calls that precede the transactions of the block with `header`.
///
/// # Errors
/// [`SystemCallError`] where the header lacks what is to be written, or revm fails.
pub fn before_transactions(env: &EvmEnv, header: &Header, prestate: &mut Prestate) -> Result<(), SystemCallError> {
    // The first block has no parent.
    if header.number == 0 {
        return Ok(());
    }
    let spec = env.cfg_env.spec;
    if spec.is_enabled_in(SpecId::PRAGUE) {
        call(env, HISTORY_STORAGE_ADDRESS, header.parent_hash.0, prestate)?;
    }
    if spec.is_enabled_in(SpecId::CANCUN) {
        let root = header.parent_beacon_block_root.ok_or(SystemCallError::NoBeaconRoot)?;
        call(env, BEACON_ROOTS_ADDRESS, root.0, prestate)?;
    }
    Ok(())
}

fn call(env: &EvmEnv, contract: Address, data: [u8; 32], prestate: &mut Prestate) -> Result<(), SystemCallError> {
    if prestate.account(&contract).is_none() {
        return Ok(());
    }
    let mut evm = Context::mainnet()
        .with_db(WrapDatabaseRef(&*prestate))
        .with_cfg(env.cfg_env.clone())
        .with_block(env.block_env.clone())
        .build_mainnet();
    let called = evm
        .system_call(contract, data.into())
        .map_err(|error| SystemCallError::Call { contract, message: error.to_string() })?;
    // A call that fails is none: its state has nothing.
    let diff = StateDiff::of_journal(&called.state, prestate, env.cfg_env.spec)?;
    prestate.set_slots(&diff);
    Ok(())
}
