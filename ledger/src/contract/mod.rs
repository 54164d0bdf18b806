//! Contracts: what a machine that runs them must give ([`ContractVm`]), and what it is given ([`Host`]).
//!
//! The machine knows memory, instructions and gas; the host knows the state. Everything that a contract reads or
//! changes outside its own memory goes through the host, and from there through the transaction's view: contract
//! storage, balances and code are versioned like any other key.
//!
//! [`SbpfVm`] is the implementation: eBPF modules as ELF files, compiled where the platform allows it. The system
//! calls, their arguments and their prices are listed in `docs/contracts.md` (spec 8).

mod assemble;
mod host;
mod limits;
mod module;
pub mod samples;
mod sbpf;

#[cfg(test)]
mod samples_tests;

pub use assemble::{AssembleError, assemble};
pub use host::{
    BlockData, CallData, Environment, Event, Host, Interrupted, InvokeError, Invoked, StorageFull, TransferError,
};
pub use limits::Limits;
pub use module::Module;
pub use sbpf::{SbpfSettings, SbpfVm};

use std::fmt::Debug;

/// Why a contract ended without an exit code. All gas of the transaction's call is consumed then (spec 5.6).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trap {
    /// The module is no executable ELF file: what is wrong, in the words of the loader.
    #[error("the module cannot be executed: {0}")]
    NotExecutable(String),
    /// More code than one transaction may load.
    #[error("more than {limit} bytes of code in one transaction")]
    TooMuchCode {
        /// The limit, in bytes.
        limit: usize,
    },
    /// More input than a contract takes.
    #[error("more than {limit} bytes of input")]
    TooMuchInput {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The budget is above what the machine accepts.
    #[error("a budget of more than {limit} compute units")]
    Budget {
        /// The limit, in compute units.
        limit: u64,
    },
    /// The gas is used up.
    #[error("out of gas")]
    OutOfGas,
    /// The contract did what it may not: an invalid access, a division by zero, a wrong argument of a system call.
    #[error("{0}")]
    Fault(String),
    /// The host wants the execution to end. The host knows why; nothing of it counts.
    #[error("interrupted")]
    Interrupted,
}

/// What running a contract gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Compute units used, at most the budget. With [`Trap::Interrupted`] it means nothing.
    pub gas_used: u64,
    /// The program's exit code (0 is success, anything else a revert), or why there is none.
    pub end: Result<u64, Trap>,
}

/// A machine that runs contracts.
///
/// A run is a deterministic function of the module, the call and what the host answers: the result and the gas are the
/// same on every platform and in every mode of execution.
pub trait ContractVm: Debug + Send + Sync + 'static {
    /// What a contract may use.
    fn limits(&self) -> &Limits;

    /// Whether `module` can be executed, and why not. Remembers what it has learned, so that the first run is not slow.
    ///
    /// # Errors
    /// [`Trap::NotExecutable`]; [`Trap::TooMuchCode`] where the module alone is longer than [`Limits::code_bytes`],
    /// whatever is in it.
    fn check(&self, module: &Module) -> Result<(), Trap>;

    /// Runs `module` with a budget of `gas` compute units. The call itself and its surroundings are the host's to tell.
    ///
    /// Panics of the host pass through to the caller.
    fn run(&self, module: &Module, gas: u64, host: &mut dyn Host) -> Run;
}
