//! Contracts that call contracts.

use super::*;
use crate::types::Hash;

const TRAPPED: u64 = u64::MAX - 3;

/// Instructions of [`call`].
const CALL: u64 = 6;

fn calling(then: &str) -> Module {
    module(&format!("{}{then}exit", call("invoke", [INPUT, INPUT + 32, 3, 0, 0])))
}

/// A host whose call has [1; 32] and three more bytes as its input, and `callee` as contract [1; 32].
fn host_with(callee: &Module) -> FakeHost {
    let mut host = FakeHost::default();
    host.contracts.insert([1; 32], callee.clone());
    host.environment.call.input = vec![1; 35];
    host.world.storage.insert(b"k".to_vec(), b"old".to_vec());
    host
}

#[test]
fn exit_codes() {
    let writing = call("storage_write", [INPUT, 1, INPUT, 2, 0]);
    for (code, seen) in [(0, 0), (5, 5), (u64::MAX - 15, u64::MAX - 15), (u64::MAX - 14, TRAPPED), (u64::MAX, TRAPPED)]
    {
        let host = host_with(&module(&format!("{writing}lddw r0, {code:#x}\nexit")));
        let (run, after) = run_with(&calling(""), GAS, &host);
        assert_eq!(run, ok(CALL + 10_000 + (CALL + 5000 + 2) + 1, seen));
        assert_eq!(after.world.storage.contains_key([1].as_slice()), code == 0);
    }
}

/// A trap costs what was used until then, and the caller goes on.
#[test]
fn traps_inside() {
    for (callee, gas) in [
        ("mov64 r1, 0\ndiv64 r0, r1\nexit".to_owned(), 2),
        ("mov64 r1, 0\nmov64 r2, 0\nldxb r0, [r1+0]\nexit".to_owned(), 3),
        (format!("{}exit", call("abort", [0; 5])), CALL + 100),
        (format!("{}exit", call("storage_write", [INPUT, 257, INPUT, 2, 0])), CALL),
        (format!("{}exit", call("storage_write", [INPUT, 1, 0, 2, 0])), CALL + 5000),
    ] {
        let (run, _) = run_with(&calling("mov64 r6, r0\nmov64 r0, r6\n"), GAS, &host_with(&module(&callee)));
        assert_eq!(run, ok(CALL + 10_000 + gas + 3, TRAPPED), "{callee}");
    }
    // Not executable, too much code: nothing was used.
    let (run, _) = run_with(&calling(""), GAS, &host_with(&Module::new(*b"no")));
    assert_eq!(run, ok(CALL + 10_000 + 1, TRAPPED));
    let mut host = host_with(&module("exit"));
    host.loaded = 128 * 1024 - calling("").bytes().len();
    assert_eq!(run_with(&calling(""), GAS, &host).0, ok(CALL + 10_000 + 1, TRAPPED));
}

/// The callee may use all that is left; then nothing is left for the caller.
#[test]
fn out_of_gas_inside() {
    let (run, after) = run_with(&calling(""), 50_000, &host_with(&module("ja -1")));
    assert_eq!(run, Run { gas_used: 50_000, end: Err(Trap::OutOfGas) });
    assert_eq!(after.asked, [format!("invoke {} [1, 1, 1] {}", Hash([1; 32]), 50_000 - CALL - 10_000)]);
    // Just enough for both, and one too few.
    let host = host_with(&module("mov64 r0, 0\nexit"));
    assert_eq!(run_with(&calling(""), CALL + 10_003, &host).0, ok(CALL + 10_003, 0));
    assert_eq!(run_with(&calling(""), CALL + 10_002, &host).0.end, Err(Trap::OutOfGas));
    assert_eq!(run_with(&calling(""), CALL + 10_001, &host).0.end, Err(Trap::OutOfGas));
}

#[test]
fn refused_calls() {
    let mut host = host_with(&module("exit"));
    host.environment.call.input[0] = 2;
    assert_eq!(run_with(&calling(""), GAS, &host).0, ok(CALL + 10_000 + 1, u64::MAX));
    host.environment.call.input = vec![0xc0; 35];
    host.contracts.insert([0xc0; 32], module("exit"));
    assert_eq!(run_with(&calling(""), GAS, &host).0, ok(CALL + 10_000 + 1, u64::MAX - 1));

    let fault = |arguments| {
        let program = module(&format!("{}exit", call("invoke", arguments)));
        run_with(&program, GAS, &host_with(&module("exit"))).0
    };
    assert_fault(&fault([INPUT, INPUT, 1_000_001, 0, 0]), "an input of 1000001 bytes");
    assert_fault(&fault([INPUT, INPUT, 36, 0, 0]), "invalid access");
    assert_fault(&fault([INPUT + 4, INPUT, 0, 0, 0]), "invalid access");
    assert_fault(&fault([7, INPUT, 0, 0, 0]), "invalid access");
}

#[test]
fn price_of_the_input() {
    let program = module(&format!("{}exit", call("invoke", [INPUT, STACK, 1256, 0, 0])));
    let (run, _) = run_with(&program, GAS, &host_with(&module("mov64 r0, r2\nexit")));
    assert_eq!(run, ok(CALL + 10_250 + 2 + 1, 1256));
}

/// What a contract is told is its own again after the call.
#[test]
fn surroundings() {
    let callee = format!(
        "{}{}{}mov64 r0, 0\nexit",
        call("get_program_id", [HEAP, 0, 0, 0, 0]),
        call("get_caller", [HEAP + 32, 0, 0, 0, 0]),
        call("log0", [0, HEAP, 64, 0, 0]),
    );
    let then = format!("{}{}", call("get_program_id", [HEAP, 0, 0, 0, 0]), call("log0", [0, HEAP, 64, 0, 0]));
    let (_, after) = run_with(&calling(&then), GAS, &host_with(&module(&callee)));
    let [inner, outer] = after.world.events.as_slice() else { panic!("{:?}", after.world.events) };
    assert_eq!((&inner.data[..32], &inner.data[32..]), ([1; 32].as_slice(), [0xc0; 32].as_slice()));
    assert_eq!((&outer.data[..32], &outer.data[32..]), ([0xc0; 32].as_slice(), [0; 32].as_slice()));
    assert_eq!((inner.contract, outer.contract), (Hash([1; 32]), Hash([0xc0; 32])));
}

#[test]
fn return_data() {
    let callee = format!("{}mov64 r0, 9\nexit", call("set_return_data", [STACK, 1300, 0, 0, 0]));
    let host = host_with(&module(&callee));
    let inner = CALL + 100 + 261 + 2;
    for (capacity, extra) in [(10, 0), (256, 0), (1256, 250), (u64::MAX, 261)] {
        let (run, _) = run_with(&calling(&call("get_return_data", [HEAP, capacity, 0, 0, 0])), GAS, &host);
        assert_eq!(run, ok(CALL + 10_000 + inner + CALL + 100 + extra + 1, 1300));
    }
    // A capacity is no promise that there is so much memory; what does not fit in there is a fault.
    let (run, _) = run_with(&calling(&call("get_return_data", [HEAP + 32_000, 5000, 0, 0, 0])), GAS, &host);
    assert_fault(&run, "invalid access");
    // The next call replaces it, also one that fails.
    let twice = call("invoke", [INPUT + 1, INPUT, 0, 0, 0]) + &call("get_return_data", [HEAP, 99, 0, 0, 0]);
    let mut host = host;
    host.environment.call.input[32] = 3;
    assert_eq!(run_with(&calling(&twice), GAS, &host).0.end, Ok(0));
}

/// Contracts [1, 0, ..], [2, 0, ..] and so on, all the same; the input names the first.
fn host_with_chain(contract: &Module) -> FakeHost {
    let mut host = FakeHost::default();
    host.environment.call.input = [&[1; 1][..], &[0; 31]].concat();
    for number in 1..100 {
        let mut id = [0; 32];
        id[0] = number;
        host.contracts.insert(id, contract.clone());
    }
    host
}

/// Puts the name of the next contract into the heap: 10 instructions.
fn next_name() -> String {
    format!(
        "ldxdw r2, [r1+0]\nadd64 r2, 1\nlddw r6, {HEAP:#x}\nstxdw [r6+0], r2\nldxdw r2, [r1+8]\nstxdw [r6+8], r2\nldxdw r2, [r1+16]\nstxdw [r6+16], r2\nldxdw r2, [r1+24]\nstxdw [r6+24], r2\n"
    )
}

/// The most of the thread's own stack that contracts can use: 64 of them, each 64 functions deep.
#[test]
fn deepest() {
    let chain = module(&format!(
        "{}lddw r1, 62\ncall function_f\nexit\nfunction_f:\njeq r1, 0, 3\nsub64 r1, 1\ncall function_f\nexit\n{}exit",
        next_name(),
        call("invoke", [INPUT, HEAP, 32, 0, 0])
    ));
    let (run, after) = run_with(&chain, 10_000_000, &host_with_chain(&chain));
    // The innermost is told that it is too deep, which as an exit code looks like no code.
    assert_eq!((run.end, after.asked.len()), (Ok(TRAPPED), 64));
}

/// Each calls the next: 64 run, the 65th is refused.
#[test]
fn depth() {
    let chain = module(&format!(
        "{}{}mov64 r6, 3\nadd64 r6, r0\nmov64 r0, r6\nexit",
        next_name(),
        call("invoke", [INPUT, HEAP, 32, 0, 0])
    ));
    let host = host_with_chain(&chain);
    let (run, after) = run_with(&chain, 10_000_000, &host);
    // Each adds 3, but what it adds to is given only where it was no code that looks like an error.
    assert_eq!(after.asked.len(), 64);
    let each = 10 + CALL + 10_000 + 4;
    assert_eq!(run.gas_used, 64 * each);
    assert_eq!(run.end, Ok((u64::MAX - 2).wrapping_add(3 * 64)));
}
