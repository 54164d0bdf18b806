//! What weft is measured by: the workloads and block sizes of the project's tables.
//!
//! `cargo run --release -p weft-benches --bin report` measures all of them side by side and prints one table;
//! `cargo bench -p weft-benches` runs criterion over the same executors, for comparing two versions of the code.
//! `--bin cost` measures what the engine adds to a transaction of any cost, and `benches/count-instructions` compares the
//! instructions of a transaction with those that were accepted.

pub mod allocator;
pub mod arguments;
pub mod ethereum;
pub mod instructions;
pub mod storage;
pub mod synthetic;
mod timing;

pub use weft_node::workload::REPORTED as WORKLOADS;

use weft_node::workload::Workload;

/// Transactions of a block of this workload. A contract call takes as long as ten or a hundred transfers, so that
/// fewer are as much work.
#[must_use]
pub const fn block_sizes(workload: &Workload) -> [usize; 2] {
    if workload.calls_contracts() { [1000, 2000] } else { [1000, 10_000] }
}
