//! A run in progress: gas, memory, and why it ends early.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;

use scoped_tls_hkt::scoped_thread_local;
use solana_sbpf::error::EbpfError;
use solana_sbpf::memory_region::MemoryMapping;
use solana_sbpf::vm::ContextObject;

use crate::contract::{Host, Interrupted, Limits, Trap};

use super::memory::Memory;

scoped_thread_local! {
    // The machine keeps programs that know the type of their context, so the context cannot borrow the host. While a
    // system call has the host, nobody else does: a run inside puts its own host here.
    static mut HOST: for<'a> &'a mut (dyn Host + 'a)
}

/// System calls between two questions whether to go on.
const POLL_INTERVAL: u32 = 16;

/// Why a system call ends the run.
#[derive(Debug, thiserror::Error)]
pub(super) enum Stop {
    #[error("out of gas")]
    OutOfGas,
    #[error("{0}")]
    Fault(String),
    #[error("interrupted")]
    Interrupted,
    /// The host panicked; the context has the payload.
    #[error("the host panicked")]
    Panicked,
}

impl From<Interrupted> for Stop {
    fn from(_: Interrupted) -> Self {
        Self::Interrupted
    }
}

impl From<EbpfError> for Stop {
    fn from(error: EbpfError) -> Self {
        Self::Fault(describe(&error))
    }
}

/// The state of a run.
pub(super) struct Context {
    gas_left: u64,
    system_calls: u32,
    panic: Option<Box<dyn Any + Send>>,
    pub(super) limits: Limits,
    pub(super) memory: Memory,
    /// What the last called contract returned.
    pub(super) returned: Vec<u8>,
}

impl Context {
    pub(super) fn new(gas: u64, limits: Limits, memory: Memory) -> Self {
        Self { gas_left: gas, system_calls: 0, panic: None, limits, memory, returned: Vec::new() }
    }

    /// What made the host panic, if it did.
    pub(super) fn take_panic(&mut self) -> Option<Box<dyn Any + Send>> {
        self.panic.take()
    }

    /// Takes the price of something that is about to be done.
    ///
    /// # Errors
    /// [`Stop::OutOfGas`]; all gas is used then.
    pub(super) fn charge(&mut self, price: u64) -> Result<(), Stop> {
        let left = self.gas_left.checked_sub(price);
        self.gas_left = left.unwrap_or(0);
        left.map(|_| ()).ok_or(Stop::OutOfGas)
    }

    /// A system call. Nothing unwinds from here: the caller may be machine code.
    pub(super) fn system_call(
        &mut self,
        arguments: [u64; 5],
        function: impl FnOnce(&mut Self, &mut dyn Host, [u64; 5]) -> Result<u64, Stop>,
    ) -> Result<u64, Stop> {
        // What a panic leaves behind is not used: the run ends.
        let result = catch_unwind(AssertUnwindSafe(|| {
            HOST.with(|host| {
                self.system_calls = self.system_calls.wrapping_add(1);
                if self.system_calls.is_multiple_of(POLL_INTERVAL) {
                    host.poll()?;
                }
                function(self, host, arguments)
            })
        }));
        result.unwrap_or_else(|payload| {
            self.panic = Some(payload);
            Err(Stop::Panicked)
        })
    }
}

impl ContextObject for Context {
    fn consume(&mut self, amount: u64) {
        self.gas_left = self.gas_left.saturating_sub(amount);
    }

    fn get_remaining(&self) -> u64 {
        self.gas_left
    }

    fn active_mapping_ptr(&mut self) -> NonNull<MemoryMapping> {
        self.memory.mapping_ptr()
    }
}

/// Runs `run` with `host` as the host of its system calls.
pub(super) fn with_host<R>(host: &mut dyn Host, run: impl FnOnce() -> R) -> R {
    HOST.set(host, run)
}

/// Why the machine ended a run.
pub(super) fn trap(error: EbpfError) -> Trap {
    match error {
        EbpfError::ExceededMaxInstructions => Trap::OutOfGas,
        EbpfError::SyscallError(stop) => match stop.downcast::<Stop>().map(|stop| *stop) {
            Ok(Stop::OutOfGas) => Trap::OutOfGas,
            Ok(Stop::Interrupted) => Trap::Interrupted,
            Ok(stop @ (Stop::Fault(_) | Stop::Panicked)) => Trap::Fault(stop.to_string()),
            Err(other) => Trap::Fault(other.to_string()),
        },
        error => Trap::Fault(describe(&error)),
    }
}

/// A fault in words of our own: those of the machine may change with its version, and with the way of execution.
fn describe(error: &EbpfError) -> String {
    match error {
        EbpfError::AccessViolation(_, address, bytes, _) | EbpfError::StackAccessViolation(_, address, bytes, _) => {
            format!("an invalid access of {bytes} bytes at {address:#x}")
        }
        EbpfError::DivideByZero => "a division by zero".into(),
        EbpfError::DivideOverflow => "a division that overflows".into(),
        EbpfError::CallDepthExceeded => "too many functions in one another".into(),
        EbpfError::CallOutsideTextSegment => "a call to where no code is".into(),
        EbpfError::ExecutionOverrun => "the code ends without an exit".into(),
        EbpfError::UnsupportedInstruction | EbpfError::InvalidInstruction => "an unknown instruction".into(),
        _ => "the machine failed".into(),
    }
}
