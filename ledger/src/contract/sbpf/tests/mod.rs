//! Tests of the machine, in both modes of execution.

mod bounds;
mod cache;
mod hashing;
mod host;
mod malformed;
mod modes;
mod nested;
mod storage;
mod syscalls;
mod threads;
mod traps;

use std::sync::{Arc, LazyLock};

use solana_sbpf::assembler::assemble;
use solana_sbpf::ebpf::{
    MM_BYTECODE_START, MM_HEAP_START, MM_INPUT_START, MM_RODATA_START, MM_STACK_START, hash_symbol_name,
};

use super::program::loader;
use super::{SbpfSettings, SbpfVm};
use crate::contract::{ContractVm, Module, Run, Trap};
use host::FakeHost;

const INPUT: u64 = MM_INPUT_START;
const HEAP: u64 = MM_HEAP_START;
const STACK: u64 = MM_STACK_START;

/// More than any program of the tests needs.
const GAS: u64 = 1_000_000;

/// The instructions of a program in the assembly of `solana-sbpf`.
fn text(source: &str) -> Vec<u8> {
    let executable = assemble(source, Arc::new(loader())).unwrap_or_else(|error| panic!("{error}\n{source}"));
    executable.get_text_bytes().1.to_vec()
}

/// The smallest ELF file that the strict loader takes.
fn elf(rodata: &[u8], text: &[u8]) -> Vec<u8> {
    let mut rodata = rodata.to_vec();
    rodata.resize(rodata.len().next_multiple_of(8), 0);
    let headers: &[(u32, u64, &[u8])] = &[(4, MM_RODATA_START, &rodata), (1, MM_BYTECODE_START, text)];
    let headers = if rodata.is_empty() { &headers[1..] } else { headers };
    let mut offset = 64 + 56 * headers.len() as u64;

    let mut file = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    file.extend(3_u16.to_le_bytes()); // a shared object
    file.extend(247_u16.to_le_bytes()); // BPF
    file.extend(1_u32.to_le_bytes()); // version of the file format
    file.extend(MM_BYTECODE_START.to_le_bytes()); // entry
    file.extend(64_u64.to_le_bytes()); // program headers
    file.extend(0_u64.to_le_bytes()); // no sections
    file.extend(3_u32.to_le_bytes()); // flags: sBPF version 3
    for field in [64_u16, 56, headers.len() as u16, 64, 0, 0] {
        file.extend(field.to_le_bytes());
    }
    for (flags, address, bytes) in headers {
        file.extend(1_u32.to_le_bytes()); // to be loaded
        file.extend(flags.to_le_bytes());
        for field in [offset, *address, *address, bytes.len() as u64, bytes.len() as u64, 8] {
            file.extend(field.to_le_bytes());
        }
        offset += bytes.len() as u64;
    }
    for (_, _, bytes) in headers {
        file.extend(*bytes);
    }
    file
}

/// Sets registers 1 to 5 and calls: six instructions.
fn call(name: &str, arguments: [u64; 5]) -> String {
    let set = |(register, value): (usize, u64)| format!("lddw r{register}, {:#x}\n", value);
    let set: String = (1..).zip(arguments).map(set).collect();
    // By number: the assembler takes some names for registers.
    format!("{set}syscall {}\n", hash_symbol_name(name.as_bytes()) as i32)
}

fn module(source: &str) -> Module {
    Module::new(elf(&[], &text(source)))
}

fn module_with(rodata: &[u8], source: &str) -> Module {
    Module::new(elf(rodata, &text(source)))
}

fn machine(interpret: bool) -> Arc<SbpfVm> {
    static MACHINES: LazyLock<[Arc<SbpfVm>; 2]> = LazyLock::new(|| {
        [false, true].map(|interpret| Arc::new(SbpfVm::new(SbpfSettings { interpret, ..SbpfSettings::default() })))
    });
    Arc::clone(&MACHINES[usize::from(interpret)])
}

/// Runs `module` in both modes and demands the same of both: result, gas, and what the host was asked.
fn run_with(module: &Module, gas: u64, host: &FakeHost) -> (Run, FakeHost) {
    let [compiled, interpreted] = [false, true].map(|interpret| {
        let mut host = host.clone();
        host.machine = machine(interpret);
        let run = machine(interpret).run(module, gas, &mut host);
        (run, host)
    });
    assert_eq!(compiled.0, interpreted.0);
    assert_eq!(compiled.1.world, interpreted.1.world);
    assert_eq!(compiled.1.asked, interpreted.1.asked);
    compiled
}

fn run(source: &str) -> Run {
    run_with(&module(source), GAS, &FakeHost::default()).0
}

fn ok(gas_used: u64, code: u64) -> Run {
    Run { gas_used, end: Ok(code) }
}

#[track_caller]
fn assert_fault(run: &Run, what: &str) {
    match &run.end {
        Err(Trap::Fault(text)) if text.contains(what) => {}
        other => panic!("a fault with {what:?} expected, not {other:?}"),
    }
}

#[test]
fn registers_at_the_start() {
    let mut host = FakeHost::default();
    host.environment.call.input = vec![7; 5];
    host.environment.call.entry_id = 9;
    host.environment.call.is_constructor = true;
    for (register, value) in [(1, 0x4_0000_0000), (2, 5), (3, 9), (4, 1), (5, 0), (0, 0), (9, 0), (10, 0x2_0000_1000)] {
        let program = module(&format!("mov64 r0, r{register}\nexit"));
        assert_eq!(run_with(&program, GAS, &host).0, ok(2, value), "r{register}");
    }
}
