//! Executes an ordered block of transactions on all cores and gives, bit for bit, what executing them one after
//! another gives (Block-STM, arXiv 2203.06871).
//!
//! Nobody declares conflicts. Transactions run speculatively on a multi-version memory that records what they read;
//! what turns out to have read a stale value runs again; commits come in order. A chain implements [`Vm`] and hands
//! over its state as a [`StateReader`](weft_storage::StateReader); an [`Engine`] gives back outcomes and a change set.
//!
//! ```
//! use weft_engine::{BlockPolicy, Config, Engine, NoDelta, OutOfBounds, Outcome, StateView, Stop, Value, Vm};
//! use weft_storage::{StateReader, StorageError};
//!
//! #[derive(Clone, Debug, PartialEq)]
//! struct Number(u64);
//!
//! impl Value for Number {
//!     type Delta = NoDelta; // nothing is added without being read
//!     fn apply(_: Option<&Self>, delta: &NoDelta) -> Result<Self, OutOfBounds> {
//!         match *delta {}
//!     }
//!     fn combine(first: &NoDelta, _: &NoDelta) -> Result<NoDelta, OutOfBounds> {
//!         match *first {}
//!     }
//! }
//!
//! /// "Add the first key's number to the second's."
//! struct Accumulate;
//!
//! impl Vm for Accumulate {
//!     type Transaction = (&'static str, &'static str);
//!     type Key = &'static str;
//!     type Value = Number;
//!     type Output = u64;
//!
//!     fn execute<S: StateView<&'static str, Number>>(
//!         &self,
//!         (from, to): &Self::Transaction,
//!         state: &mut S,
//!     ) -> Result<Outcome<u64>, Stop> {
//!         let from = state.read(from)?.map_or(0, |n| n.0);
//!         let sum = from + state.read(to)?.map_or(0, |n| n.0);
//!         state.write(to, Number(sum));
//!         Ok(Outcome::applied(sum, 0))
//!     }
//! }
//!
//! struct Ones;
//! impl StateReader<&'static str, Number> for Ones {
//!     fn read(&self, _: &&'static str) -> Result<Option<Number>, StorageError> {
//!         Ok(Some(Number(1)))
//!     }
//! }
//!
//! let engine = Engine::new(Config { min_transactions_for_parallel: 2, ..Config::default() });
//! let block = [("a", "b"), ("b", "c"), ("c", "a")]; // each depends on the one before
//! let output = engine.execute_block(&Accumulate, &Ones, &block, BlockPolicy::default())?;
//! assert_eq!(output.changes, [("a", Some(Number(4))), ("b", Some(Number(2))), ("c", Some(Number(3)))]);
//! # Ok::<(), weft_engine::BlockError>(())
//! ```
//!
//! # How a block runs
//!
//! Workers ask the scheduler for tasks. An *execution* runs a unit (a run of consecutive transactions, by default a
//! single one) on an overlay of its own and publishes what it wrote; a *validation* compares what it read with what it
//! would read now; the *commit* moves over validated units in order, turns deltas into values, applies the block
//! policy and streams the outcomes. What cannot be decided speculatively (a panic, a storage failure, a delta that
//! leaves its range) is executed once more at the commit frontier, on final values: only there it counts.
//!
//! # What a `Vm` must know
//!
//! - It may be called several times for one transaction, with reads that no sequential execution gives. It must not
//!   keep state of its own. A panic on such reads is caught and discarded; the panic hook prints it all the same.
//! - A panic that sequential execution meets too is [`BlockError::Panicked`], with the transaction's index.
//! - A machine that loops without touching its view must call [`StateView::poll`] now and then.

#![forbid(unsafe_code)]

mod adaptive;
mod admission;
mod announce;
mod block;
mod canary;
mod changes;
mod commit;
mod config;
mod declared_chain;
mod engine;
mod error;
mod fallback;
mod head_start;
mod metrics;
mod overlay;
mod parallel;
mod patience;
mod prefetch;
mod progress;
mod rare;
mod record;
pub mod recording;
mod rest;
mod resume;
mod scratch;
mod sequential;
pub mod simulation;
mod sizing;
#[cfg(test)]
mod test_value;
mod view;
mod vm;
mod work_time;

pub use admission::{Admission, Admitted, BlockEnd};
pub use changes::Changes;
pub use config::{BlockPolicy, Config, Mode, OnRejected};
pub use engine::{BlockOutput, Engine};
pub use error::BlockError;
pub use fallback::Fallback;
pub use metrics::Metrics;
pub use vm::{AddError, Checkpoint, Key, Outcome, RareKind, StateView, Stop, Touch, Verdict, Vm};
pub use weft_mvmemory::{Change, KeyChange, NoDelta, OutOfBounds, Value};
pub use weft_scheduler::WorkerPool;
