//! Ethereum as a weft virtual machine: revm, unmodified, on the engine's multi-version memory.

pub mod sequential;

pub use alloy_evm::EvmEnv;
