//! Optimistic parallel execution of an ordered block of transactions.
mod admission;
mod block;
mod canary;
mod config;
mod engine;
mod error;
mod metrics;
mod overlay;
mod record;
mod sequential;
mod view;
mod vm;

pub use admission::BlockEnd;
pub use config::{BlockPolicy, Config, Mode, OnRejected};
pub use engine::{BlockOutput, Engine};
pub use error::BlockError;
pub use metrics::Metrics;
pub use vm::{AddError, Key, Outcome, StateView, Stop, Touch, Verdict, Vm};
pub use weft_mvmemory::{Change, KeyChange, NoDelta, OutOfBounds, Value};
pub use weft_scheduler::WorkerPool;
