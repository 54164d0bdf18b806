//! [`WeftBlockExecutorFactory`](weft_evm::WeftBlockExecutorFactory) in the place of alloy-evm's own factory: on the same
//! blocks both give the same receipts, gas, requests, changes and errors.

#[path = "../common/mod.rs"]
mod common;

mod chain;
mod delegated;
mod destroyed;
mod import;
mod refused;
mod rewards;
mod system;
mod written;
