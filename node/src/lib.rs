//! The node side of weft: TOS blocks are executed by one of three executors behind one trait, and a chain keeps them on
//! a database.
//!
//! ```
//! use std::sync::Arc;
//! use weft_node::chain::Chain;
//! use weft_node::executor::{ExecutorSettings, OptimisticExecutor};
//! use weft_node::workload::{Workload, WorkloadBuilder};
//! use weft_storage::MemoryStore;
//!
//! let mut generator = WorkloadBuilder::new(Workload::P2p { accounts: 10 }).transactions(20).build();
//! let store = Arc::new(MemoryStore::new());
//! let executor = OptimisticExecutor::new(weft_engine::Config::default(), ExecutorSettings::default());
//! let chain = Chain::open(store, Box::new(executor))?;
//! chain.initialise(&generator.genesis())?;
//!
//! let imported = chain.import(&generator.next_block())?;
//! assert!(imported.block.results().all(|result| result.is_success()));
//! assert_eq!(chain.view().head().number, 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod batching;
pub mod chain;
pub mod codec;
pub mod compare;
pub mod conformance;
pub mod dag;
pub mod digest;
pub mod ethereum;
pub mod executor;
#[cfg(test)]
mod listed;
pub mod memory;
mod rewards;
pub mod simulate;
mod units;
pub mod workload;
