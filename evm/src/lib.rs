//! Ethereum as a weft virtual machine: revm, unmodified, on the engine's multi-version memory.

mod access;
mod block_changes;
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
mod units;
mod vm;

pub use alloy_evm::EvmEnv;
pub use block_changes::BlockChanges;
pub use diff::{AccountDiff, Basics, StateDiff};
pub use executor::{ParentState, WeftBlockExecutor, WeftBlockExecutorFactory};
pub use parallel::{ParallelError, ParallelEvm, ParallelExecuted};
pub use state::{Holdings, Identity, StateKey, StateValue};
pub use vm::{EvmVm, TransactionOutput};
