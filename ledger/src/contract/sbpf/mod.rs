//! The machine that runs contracts: sBPF version 3, compiled or interpreted.
//!
//! A run is a function of the module, the call and the host's answers. The compiled code and the interpreter give the
//! same result, the same effects and the same gas, also where a run ends early: `solana-sbpf` checks the gas before
//! every instruction that can be seen from outside (memory access, system call, jump, exit), and counts exactly the
//! instructions up to the one that ended the run. A run's gas is therefore what it used until its end, however it ended;
//! one that is refused before it begins has used nothing, except that a budget above the limit counts as used.

mod cache;
mod context;
#[allow(unsafe_code)] // The only place; the module says why.
mod memory;
mod program;
mod syscalls;
#[cfg(test)]
mod tests;

use std::fmt;
use std::panic::resume_unwind;
use std::rc::Rc;
use std::sync::{Arc, LazyLock};

use arc_swap::Guard;
use solana_sbpf::ebpf::MM_INPUT_START;
use solana_sbpf::error::ProgramResult;
use solana_sbpf::vm::{ContextObject, EbpfVm, ExecutionMode};

use super::{ContractVm, Host, Limits, Module, Run, Trap};
use cache::{Cache, Known};
use context::Context;
use memory::Memory;
use program::{Program, ProgramRef};

/// How an [`SbpfVm`] works. Of these, only the limits change what a run gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SbpfSettings {
    /// What a contract may use.
    pub limits: Limits,
    /// Interpret even where compiling is possible.
    pub interpret: bool,
    /// Most bytes of compiled modules to keep.
    pub cache_bytes: usize,
    /// Most bytes to spend on remembering modules that cannot be executed.
    pub refused_bytes: usize,
}

impl Default for SbpfSettings {
    fn default() -> Self {
        Self { limits: Limits::default(), interpret: false, cache_bytes: 64 << 20, refused_bytes: 256 << 10 }
    }
}

/// The machine that runs contracts. It keeps what it has compiled, for all threads.
pub struct SbpfVm {
    settings: SbpfSettings,
    cache: Cache,
}

impl SbpfVm {
    /// A machine with a cache of its own.
    #[must_use]
    pub fn new(settings: SbpfSettings) -> Self {
        let cache = Cache::new(settings.cache_bytes, settings.refused_bytes);
        Self { settings, cache }
    }

    /// The machine of this process, with the default settings.
    #[must_use]
    pub fn shared() -> Arc<Self> {
        static SHARED: LazyLock<Arc<SbpfVm>> = LazyLock::new(|| Arc::new(SbpfVm::new(SbpfSettings::default())));
        Arc::clone(&SHARED)
    }

    /// The program of a module. Two threads that miss it at once both make one; either is as good.
    fn program(&self, module: &Module) -> Result<ProgramRef, Trap> {
        match self.cache.get(module.hash()) {
            Some(Known::Program(program)) => return Ok(program),
            Some(Known::Refused(why)) => return Err(Trap::NotExecutable(why)),
            None => {}
        }
        let program = self.load(module)?;
        let program = Arc::new(if self.settings.interpret { program } else { program.compile() });
        self.cache.keep(*module.hash(), &program);
        Ok(Rc::new(Guard::from_inner(program)))
    }

    fn load(&self, module: &Module) -> Result<Program, Trap> {
        Program::load(module.bytes()).map_err(|why| {
            self.cache.refuse(*module.hash(), &why);
            Trap::NotExecutable(why)
        })
    }

    fn execute(&self, program: ProgramRef, gas: u64, host: &mut dyn Host) -> Run {
        let call = &host.environment().call;
        let arguments =
            [MM_INPUT_START, call.input.len() as u64, u64::from(call.entry_id), u64::from(call.is_constructor)];
        let memory = match Memory::new(Rc::clone(&program), &call.input) {
            Ok(memory) => memory,
            Err(error) => return Run { gas_used: 0, end: Err(context::trap(error)) },
        };
        let mut context = Context::new(gas, self.settings.limits.clone(), memory);

        let executable = program.executable();
        let compiled = program.is_compiled();
        let mut frames = if compiled { Vec::new() } else { context.memory.take_frames() };
        let mut mode = if compiled { ExecutionMode::Jit } else { ExecutionMode::Interpreted };
        let mut vm = EbpfVm::new(
            Arc::clone(executable.get_loader()),
            executable.get_sbpf_version(),
            &mut context,
            executable.get_config().stack_size(),
        );
        vm.registers[1..=arguments.len()].copy_from_slice(&arguments);
        let (_, result) = context::with_host(host, || vm.execute_program(executable, &mut mode, &mut frames));
        drop(vm);
        context.memory.give_frames(frames);

        if let Some(payload) = context.take_panic() {
            drop(context);
            resume_unwind(payload);
        }
        let end = match result {
            ProgramResult::Ok(code) => Ok(code),
            ProgramResult::Err(error) => Err(context::trap(error)),
        };
        Run { gas_used: gas.saturating_sub(context.get_remaining()), end }
    }
}

impl ContractVm for SbpfVm {
    fn limits(&self) -> &Limits {
        &self.settings.limits
    }

    fn check(&self, module: &Module) -> Result<(), Trap> {
        let limit = self.settings.limits.code_bytes;
        if module.bytes().len() > limit {
            // It will never run. To look at it all the same would be work that a caller of it does not pay for.
            return Err(Trap::TooMuchCode { limit });
        }
        self.program(module).map(drop)
    }

    fn run(&self, module: &Module, gas: u64, host: &mut dyn Host) -> Run {
        let limits = &self.settings.limits;
        if gas > limits.gas {
            return Run { gas_used: gas, end: Err(Trap::Budget { limit: limits.gas }) };
        }
        let refused = |trap| Run { gas_used: 0, end: Err(trap) };
        if host.environment().call.input.len() > limits.input_bytes {
            return refused(Trap::TooMuchInput { limit: limits.input_bytes });
        }
        if !host.load_code(module.bytes().len(), limits) {
            return refused(Trap::TooMuchCode { limit: limits.code_bytes });
        }
        match self.program(module) {
            Ok(program) => self.execute(program, gas, host),
            Err(trap) => refused(trap),
        }
    }
}

impl fmt::Debug for SbpfVm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SbpfVm").field("settings", &self.settings).finish_non_exhaustive()
    }
}
