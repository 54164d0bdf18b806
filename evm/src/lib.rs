//! Ethereum as a weft virtual machine: revm, unmodified, on the engine's multi-version memory.

mod access;
mod changes;
mod commit;
mod database;
mod diff;
mod executor;
mod journal;
mod machine;
mod parallel;
mod reader;
pub mod sequential;
mod state;
mod transfer;
mod vm;

pub use alloy_evm::EvmEnv;
pub use diff::{AccountDiff, Basics, StateDiff};
pub use executor::{ParentState, WeftBlockExecutor, WeftBlockExecutorFactory};
pub use parallel::{BlockChanges, ParallelError, ParallelEvm, ParallelExecuted};
pub use state::{Holdings, Identity, StateKey, StateValue};
pub use vm::{EvmVm, TransactionOutput};
