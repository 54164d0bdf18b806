//! Contracts on every executor (spec 5.5, 5.6, 7.2, 8): what calls leave and what they do not, deployments, money, and
//! storage that fails in the middle of a call. The machine itself is tested with the ledger; items 29 to 35 of spec 10
//! in `tests/past_defects`.

#[path = "../common/mod.rs"]
mod common;

mod deployments;
mod endings;
mod faults;
mod money;
mod sums;
