//! Ethereum blocks from files: reading, replaying and checking them against their own headers.

pub mod chain;
#[cfg(feature = "fetch")]
pub mod fetch;
pub mod file;
pub mod input;
pub mod paths;
pub mod prestate;
pub mod receipts;
pub mod replay;
pub mod system;
