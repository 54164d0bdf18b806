//! What the tests that cross weft's crates share: virtual machines whose transactions depend on everything that they
//! read, ways to force or to shake a schedule, and ways to run a block on every path.

pub mod delay;
pub mod gate;
pub mod program;
pub mod quiet;
pub mod run;
pub mod script;
pub mod watchdog;

/// The README's example, as a test.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct ReadMe;
