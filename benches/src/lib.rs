//! What weft is measured by: the workloads and block sizes of the project's tables.
//!
//! `cargo run --release -p weft-benches --bin report` measures all of them side by side and prints one table;
//! `cargo bench -p weft-benches` runs criterion over the same executors, for comparing two versions of the code.

use weft_node::workload::Workload;

/// The workloads of the tables: from no conflict at all to a pure chain.
pub const WORKLOADS: [Workload; 10] = [
    Workload::Independent,
    Workload::P2p { accounts: 10_000 },
    Workload::P2p { accounts: 1000 },
    Workload::P2p { accounts: 100 },
    Workload::P2p { accounts: 10 },
    Workload::P2p { accounts: 2 },
    Workload::SharedReceiver,
    Workload::OneSender,
    Workload::Zipf { accounts: 10_000, exponent: 0.99 },
    Workload::Mixed { accounts: 1000 },
];

/// Transactions of a block.
pub const BLOCK_SIZES: [usize; 2] = [1000, 10_000];
