//! Multi-version memory of one block: for every key the versions that the units of the block have written, estimates
//! where a unit is about to write again, commutative deltas, and the base value from before the block.
//!
//! A *unit* is whatever is scheduled as one, numbered in block order: a transaction, or a run of consecutive ones.
//! This crate knows neither who schedules the units nor what they mean.
//!
//! ```
//! use weft_mvmemory::{Change, MvMemory, Origin, OutOfBounds, Read, Value};
//!
//! #[derive(Clone, PartialEq, Debug)]
//! struct Balance(u64);
//!
//! impl Value for Balance {
//!     type Delta = u64; // a credit
//!     fn apply(base: Option<&Self>, credit: &u64) -> Result<Self, OutOfBounds> {
//!         base.map_or(0, |b| b.0).checked_add(*credit).map(Balance).ok_or(OutOfBounds)
//!     }
//!     fn combine(first: &u64, second: &u64) -> Result<u64, OutOfBounds> {
//!         first.checked_add(*second).ok_or(OutOfBounds)
//!     }
//! }
//!
//! let mut memory = MvMemory::<&str, Balance>::new();
//! let alice = memory.intern(&"alice");
//! let from_storage = |_: &&str| Ok::<_, ()>(Some(Balance(10)));
//!
//! memory.base(alice, from_storage).unwrap();
//! memory.write(alice, 1, 0, Change::Add(5)); // unit 1 credits her and conflicts with nobody
//! assert_eq!(memory.read(alice, 1), Read::Value(Some(Balance(10)), Origin::Base));
//! assert_eq!(memory.read(alice, 2), Read::Value(Some(Balance(15)), Origin::Resolved));
//!
//! memory.mark_estimate(alice, 1); // unit 1 was aborted: whoever reads above waits for it
//! assert_eq!(memory.read(alice, 2), Read::Estimate(1));
//! memory.write(alice, 1, 1, Change::Add(7));
//!
//! memory.materialise(alice, 1, from_storage).unwrap().unwrap(); // in commit order
//! assert_eq!(memory.finish(2, from_storage).unwrap(), [("alice", Some(Balance(17)))]);
//! ```
//!
//! Guarantees, each with a test of its name: two keys never alias, whatever their hashes; the base value is read once
//! per block and key; a version's stamp changes only when its content does, so a re-execution that writes the same
//! value invalidates nobody; a delta that leaves its range is found when it is materialised, in commit order.

#![deny(unsafe_code)] // Two files say why they need it.

mod arena;
mod canary;
mod fetch;
mod location;
mod memory;
mod once;
mod sync;
mod table;
mod value;
mod versions;

pub use arena::Reserve;
pub use location::Announced;
pub use memory::{KeyChange, MvMemory, Part};
pub use table::LocationId;
pub use value::{NoDelta, OutOfBounds, Value};
pub use versions::{Change, Origin, Read};

#[cfg(all(test, loom))]
mod loom_tests;
#[cfg(all(test, not(loom)))]
mod memory_tests;
