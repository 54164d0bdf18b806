//! A module that can run: loaded, verified, compiled.

use std::rc::Rc;
use std::sync::Arc;

use arc_swap::Guard;
use solana_sbpf::elf::Executable;
use solana_sbpf::program::{BuiltinProgram, SBPFVersion};
use solana_sbpf::verifier::{LocalVerifier, RequisiteVerifier};
use solana_sbpf::vm::Config;

use super::context::Context;
use super::syscalls;

/// Frames of a program's stack: the entry's, and one for each function inside another.
pub(super) const CALL_FRAMES: usize = 64;
/// Bytes of a frame.
pub(super) const STACK_FRAME_BYTES: usize = 4096;

/// A program that is kept alive, by a run and by the run's memory. An `Arc` would count its references in memory that
/// threads share.
pub(super) type ProgramRef = Rc<Guard<Arc<Program>>>;

/// A module that can run.
pub(super) struct Program {
    executable: Executable<Context>,
    compiled: bool,
    bytes: usize,
}

impl Program {
    /// Loads and verifies the ELF file.
    ///
    /// # Errors
    /// What is wrong with the module.
    pub(super) fn load(elf: &[u8]) -> Result<Self, String> {
        // Each program has a loader of its own. Every run counts a reference to it: contracts that run at the same
        // time would do so in one place.
        let loader = Arc::new(loader());
        let loader_bytes = loader.mem_size();
        let executable = Executable::load(elf, loader).map_err(|error| error.to_string())?;
        executable.verify::<RequisiteVerifier>().map_err(|error| error.to_string())?;
        // The second one refuses system calls that there are not.
        executable.verify::<LocalVerifier>().map_err(|error| error.to_string())?;
        let bytes = executable.mem_size().saturating_add(loader_bytes);
        Ok(Self { executable, compiled: false, bytes })
    }

    /// Compiles it to machine code, where that is possible. Otherwise it will be interpreted.
    #[must_use]
    pub(super) fn compile(mut self) -> Self {
        // A failure is no error: the interpreter gives the same results, only later.
        #[cfg(all(target_arch = "x86_64", not(target_os = "windows")))]
        if self.executable.jit_compile().is_ok() {
            let code = self.executable.get_compiled_program().map_or(0, |code| code.mem_size());
            self.bytes = self.bytes.saturating_add(code);
            self.compiled = true;
        }
        self
    }

    /// Whether there is machine code of it.
    pub(super) fn is_compiled(&self) -> bool {
        self.compiled
    }

    /// What the machine executes.
    pub(super) fn executable(&self) -> &Executable<Context> {
        &self.executable
    }

    /// Bytes of memory that it takes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

/// The machine's settings and the system calls.
pub(super) fn loader() -> BuiltinProgram<Context> {
    let mut loader = BuiltinProgram::new_loader(Config {
        max_call_depth: CALL_FRAMES,
        stack_frame_size: STACK_FRAME_BYTES,
        enable_address_translation: true,
        // Version 3 has none; said here because the other versions would.
        enable_stack_frame_gaps: false,
        // Longest stretch of code without a check of the gas. Memory accesses, calls and jumps check too, so this
        // only bounds how long arithmetic runs on; what a run gives and costs does not depend on it.
        instruction_meter_checkpoint_distance: 1000,
        enable_instruction_meter: true,
        enable_symbol_and_section_labels: false,
        reject_broken_elfs: true,
        // Machine code is made from strangers' bytes: constants are masked and addresses vary, so that nobody can
        // place code of his own inside. Neither changes what a program computes or what it costs; they take a percent
        // of the time.
        noop_instruction_rate: 256,
        sanitize_user_provided_values: true,
        optimize_rodata: true,
        // One region for each 4 GiB of addresses: finding it is a shift.
        aligned_memory_mapping: true,
        enabled_sbpf_versions: SBPFVersion::V3..=SBPFVersion::V3,
    });
    syscalls::register(&mut loader);
    loader
}
