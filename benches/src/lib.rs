//! What weft is measured by: the workloads and block sizes of the project's tables.
//!
//! `cargo run --release -p weft-benches --bin report` measures all of them side by side and prints one table;
//! `cargo bench -p weft-benches` runs criterion over the same executors, for comparing two versions of the code.

pub use weft_node::workload::REPORTED as WORKLOADS;

/// Transactions of a block.
pub const BLOCK_SIZES: [usize; 2] = [1000, 10_000];
