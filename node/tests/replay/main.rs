//! Ethereum blocks from files: what is read, what is executed, and that nothing passes that should not.

#[path = "../common/ethereum.rs"]
mod ethereum;
mod faults;
mod input;
mod mainnet;
mod prestate;
mod verdicts;
