//! Instructions of a transaction, counted by callgrind: the figure of the engine's cost that is the same on every run.
//!
//! `benches/count-instructions` counts the [scenarios](Scenario) one by one and compares them with what was accepted
//! last, in `benches/instructions.json`. Every scenario has one worker and no clock in it, so that nothing but the code
//! and the compiler decides. What is left to chance are the seeds of hash tables: a few tenths of a percent, and now and
//! then a key for which a table has to grow. So every scenario is counted several times, and the least count is taken.

mod counts;
mod scenario;
mod token;

pub use counts::{Counts, CountsError, Line, TOLERANCE_PERCENT, Verdict, compare, is_accepted, total_of_callgrind};
pub use scenario::{Prepared, Scenario, ScenarioError};
