//! What the transactions of a block touch, how long each of them takes, and what follows from both: how fast any way of
//! executing the block could be.
//!
//! A block is executed sequentially, behind a view that notes every access ([`record`]) or beside a clock
//! ([`time_transactions`]). No node could do that before it executes a block. It is for measuring: it stands for access
//! lists that come with the transactions, it gives simulated cores the times of real executions, and it says what no
//! schedule can beat ([`CriticalPath`]).

mod access;
mod critical_path;
mod profile;
mod recorder;
#[cfg(test)]
mod recorder_tests;
mod timing;

pub use access::{Access, BlockAccess};
pub use critical_path::CriticalPath;
pub use profile::Profile;
pub use recorder::record;
pub use timing::{clock_time, time_transactions};
