//! What the tests of the Ethereum paths share: a state that changes can be applied to, an oracle that keeps nothing from
//! one transaction to the next, and the comparison of every path with it.

#![allow(dead_code, reason = "each test binary uses its part of it")]

pub(crate) mod asm;
pub(crate) mod block;
pub(crate) mod env;
pub(crate) mod oracle;
pub(crate) mod path;
pub(crate) mod phoenix;
pub(crate) mod troubled;
pub(crate) mod world;
