//! What the tests that cross weft's crates share: a virtual machine whose programs depend on everything that they read,
//! and ways to run a block on every path.

pub mod program;
pub mod run;
