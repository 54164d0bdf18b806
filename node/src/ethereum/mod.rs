//! Ethereum blocks from files: reading, replaying and checking them against their own headers.

pub mod file;
