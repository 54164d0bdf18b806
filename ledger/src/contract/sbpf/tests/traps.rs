//! Runs that end without an exit code.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::*;

fn end(gas_used: u64, trap: Trap) -> Run {
    Run { gas_used, end: Err(trap) }
}

#[test]
fn modules_that_are_none() {
    let exit = text("exit");
    let cases: [(Vec<u8>, &str); 9] = [
        (Vec::new(), ""),
        (b"\x7fELF".to_vec(), ""),
        (exit.clone(), ""),
        (elf(&[], &[]), ""),
        (elf(&[], &text("syscall 12345\nexit")), "Invalid syscall code 12345"),
        (elf(&[], &text(&format!("syscall {}\nexit", hash_symbol_name(b"vrf_random") as i32))), "Invalid syscall"),
        (elf(&[], &[0xff, 0, 0, 0, 0, 0, 0, 0]), "unknown eBPF opcode"),
        (elf(&[], &[0x05, 0, 5, 0, 0, 0, 0, 0]), "jump out of code"),
        (
            {
                let mut old = elf(&[], &exit);
                old[48] = 2;
                old
            },
            "",
        ),
    ];
    for (bytes, what) in cases {
        let module = Module::new(bytes);
        let (run, host) = run_with(&module, GAS, &FakeHost::default());
        assert_eq!((run.gas_used, host.loaded), (0, module.bytes().len()));
        let Err(Trap::NotExecutable(text)) = &run.end else { panic!("{run:?}") };
        assert!(text.contains(what), "{text}");
        for interpret in [false, true] {
            assert_eq!(machine(interpret).check(&module).map_err(Err), Err(run.end.clone()));
        }
    }
    assert_eq!(machine(false).check(&module("exit")), Ok(()));
}

#[test]
fn limits() {
    let program = module("mov64 r0, 3\nexit");
    let mut host = FakeHost::default();
    assert_eq!(run_with(&program, 10_000_000, &host).0, ok(2, 3));
    assert_eq!(run_with(&program, 10_000_001, &host).0, end(10_000_001, Trap::Budget { limit: 10_000_000 }));
    assert_eq!(run_with(&program, u64::MAX, &host).0, end(u64::MAX, Trap::Budget { limit: 10_000_000 }));

    host.environment.call.input = vec![0; 1_000_000];
    assert_eq!(run_with(&program, GAS, &host).0, ok(2, 3));
    host.environment.call.input.push(0);
    assert_eq!(run_with(&program, GAS, &host).0, end(0, Trap::TooMuchInput { limit: 1_000_000 }));
    host.environment.call.input.clear();

    host.loaded = 128 * 1024 - program.bytes().len();
    assert_eq!(run_with(&program, GAS, &host).0, ok(2, 3));
    host.loaded += 1;
    assert_eq!(run_with(&program, GAS, &host).0, end(0, Trap::TooMuchCode { limit: 128 * 1024 }));
}

/// With every budget the gas ends at the same instruction, in both modes.
#[test]
fn out_of_gas() {
    let lines = "mov64 r6, 4\nlddw r1, 0x300000000\nstdw [r1+0], 1\nsub64 r6, 1\nldxdw r2, [r1+0]\nadd64 r7, r2\njne r6, 0, -5\ncall function_f\nmov64 r0, r7\nexit\nfunction_f:\nmov64 r7, 9\nexit";
    let program = module(lines);
    let (whole, _) = run_with(&program, GAS, &FakeHost::default());
    assert_eq!(whole.end, Ok(4));
    for gas in 0..whole.gas_used {
        assert_eq!(run_with(&program, gas, &FakeHost::default()).0, end(gas, Trap::OutOfGas));
    }
    assert_eq!(run_with(&program, whole.gas_used, &FakeHost::default()).0, whole);
    assert_eq!(run_with(&module("ja -1"), 12_345, &FakeHost::default()).0, end(12_345, Trap::OutOfGas));
}

#[test]
fn faults() {
    let rows = [
        ("mov64 r1, 0\ndiv64 r0, r1\nexit", 2, "a division by zero"),
        ("mov64 r1, 0\ndiv32 r0, r1\nexit", 2, "a division by zero"),
        ("mov64 r1, 0\nmod64 r0, r1\nexit", 2, "a division by zero"),
        ("mov64 r1, 0\nmod32 r0, r1\nexit", 2, "a division by zero"),
        ("mov64 r1, 0\nldxb r0, [r1+0]\nexit", 2, "an invalid access of 1 bytes at 0x0"),
        ("mov64 r0, 0", 2, "the code ends without an exit"),
        ("mov64 r1, 8\ncallx r1\nexit", 2, "a call to where no code is"),
        ("lddw r1, 0x100000020\ncallx r1\nexit", 2, "a call to where no code is"),
        // Into the second half of the first instruction.
        ("lddw r1, 0x100000008\ncallx r1\nexit", 3, "an unknown instruction"),
        ("call 5\nexit", 1, "an unknown instruction"),
        ("function_f:\nja 0\ncall function_f\nexit", 128, "too many functions in one another"),
    ];
    for (source, gas, what) in rows {
        let run = run(source);
        assert_fault(&run, what);
        assert_eq!(run.gas_used, gas, "{source}");
    }
}

/// A program that asks the host seven times, and is polled on the way.
fn talkative() -> Module {
    let mut source = String::new();
    source += &call("storage_read", [INPUT, 4, HEAP, 8, 0]);
    source += &call("storage_write", [INPUT, 4, INPUT, 4, 0]);
    source += &call("storage_add", [INPUT, 3, 1, 0, 0]);
    source += &call("get_balance", [INPUT, 0, 0, 0, 0]);
    source += &call("transfer", [INPUT, INPUT + 32, 0, 0, 0]);
    source += &call("invoke", [INPUT, INPUT, 0, 0, 0]);
    source += &call("get_external_code_size", [INPUT, 0, 0, 0, 0]);
    source += &call("get_block_height", [0; 5]).repeat(30);
    module(&(source + "exit"))
}

fn talkative_host() -> FakeHost {
    let mut host = FakeHost::default();
    host.environment.call.input = vec![1; 64];
    host.contracts
        .insert([1; 32], module(&format!("{}mov64 r0, 0\nexit", call("storage_delete", [INPUT, 0, 0, 0, 0]))));
    host
}

#[test]
fn interruptions() {
    let host = talkative_host();
    let (run, after) = run_with(&talkative(), GAS, &host);
    assert_eq!(run.end, Ok(0));
    // The inner contract's call, and two polls of 37 system calls.
    assert_eq!(after.asked.len(), 7 + 1 + 2, "{:?}", after.asked);
    for at in 0..after.asked.len() {
        let host = FakeHost { interrupt_at: Some(at), ..host.clone() };
        let (run, after) = run_with(&talkative(), GAS, &host);
        assert_eq!((run.end, after.asked.len()), (Err(Trap::Interrupted), at + 1), "{:?}", after.asked.last());
    }
}

#[test]
fn panics_of_the_host() {
    let host = talkative_host();
    for (at, interpret) in (0..10).flat_map(|at| [(at, false), (at, true)]) {
        let mut host = FakeHost { panic_at: Some(at), machine: machine(interpret), ..host.clone() };
        let run = || machine(interpret).run(&talkative(), GAS, &mut host);
        let payload = catch_unwind(AssertUnwindSafe(run)).expect_err("the host panics");
        assert_eq!(payload.downcast_ref::<&str>(), Some(&"the host panics"));
        assert_eq!(host.asked.len(), at + 1);
    }
    // Nothing of it remains.
    assert_eq!(run_with(&talkative(), GAS, &host).0.end, Ok(0));
}
