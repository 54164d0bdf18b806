//! Contracts that call contracts (spec 8): what a callee is told, and which calls are refused.

use super::*;
use crate::contract::Trap;
use crate::contract::samples::{Sample, caller};

const NOT_FOUND: u64 = u64::MAX;
const REENTRANT: u64 = u64::MAX - 1;
const TOO_DEEP: u64 = u64::MAX - 2;
const TRAPPED: u64 = u64::MAX - 3;

/// Calls `contract`, and returns what it returned.
fn forward(contract: Hash, input: &[u8]) -> Module {
    let mut program = Program::new();
    let (contract, data, out) = (program.data(&contract.0), program.data(input), program.space(2048));
    program.sys("invoke", &[contract, data, input.len() as u64]);
    program.sys("get_return_data", &[out, 2048]);
    program.raw(&format!("mov64 r2, r0\nlddw r1, {out}\nsyscall set_return_data\nmov64 r0, 0\nexit"));
    module(program.text())
}

#[test]
fn what_a_callee_is_told() {
    let mut world = world();
    world.context.timestamp = 5000;
    let mut program = Program::new();
    program.note_start();
    for name in ["get_caller", "get_signer", "get_program_id"] {
        program.note_32(name);
    }
    program.deposit(&[0; 32]).own_balance().sys("get_block_timestamp", &[]).note();
    let callee = install(&mut world, 0xbb, &program.exit(0));
    let caller = install(&mut world, 0xaa, &forward(callee, b"input"));
    let payload = InvokeContractPayload { deposits: native(70), entry_id: 9, ..call(caller) };
    let told = returned(&mut world, payload);
    // Neither the entry nor the deposit of the transaction is the callee's.
    assert_eq!(told[..24], [5, 0, 0].map(u64::to_le_bytes).concat());
    assert_eq!(told[24..120], [[0xaa; 32], addr(SOURCE).0, [0xbb; 32]].concat());
    assert_eq!(told[120..], [0, 0, 5].map(u64::to_le_bytes).concat());
    assert_eq!(money(&world, account_of(caller)), Some(70));
}

#[test]
fn a_callee_of_a_constructor_is_called_like_any_other() {
    let mut world = world();
    let callee = install(&mut world, 0xbb, &Program::new().note_start().exit(0));
    let constructor = crate::wire::Constructor { max_gas: GAS, deposits: vec![] };
    let transaction = transaction(&world, deploy(&forward(callee, b"abc"), Some(constructor)));
    let receipt = contract_receipt(submit(&mut world, transaction).unwrap());
    assert_eq!(receipt.call.unwrap().return_data, [3, 0, 0].map(u64::to_le_bytes).concat());
}

/// After a call the caller is who it was.
#[test]
fn the_caller_is_itself_again() {
    let mut world = world();
    let callee = install(&mut world, 0xbb, &Program::new().write(b"k", b"callee").exit(0));
    let mut program = Program::new();
    program.deposit(&[0; 32]).call(&callee.0, b"").note_32("get_program_id").note_32("get_caller").deposit(&[0; 32]);
    let contract = install(&mut world, 0xaa, &program.write(b"k", b"caller").exit(0));
    let payload = InvokeContractPayload { deposits: native(70), ..call(contract) };
    let told = returned(&mut world, payload);
    assert_eq!(told[..16], [70, 0].map(u64::to_le_bytes).concat());
    assert_eq!(told[16..80], [[0xaa; 32], addr(SOURCE).0].concat());
    assert_eq!(told[80..], 70_u64.to_le_bytes());
    assert_eq!(stored(&world, contract, b"k").unwrap(), b"caller");
    assert_eq!(stored(&world, callee, b"k").unwrap(), b"callee");
}

#[test]
fn results_of_calls() {
    let mut world = world();
    let exits = |code| Program::new().exit(code);
    install(&mut world, 1, &exits(0));
    install(&mut world, 2, &exits(5));
    install(&mut world, 3, &Program::new().abort());
    install(&mut world, 4, &Module::new(*b"\x7fELF"));
    let mut program = Program::new();
    for id in 1..=5 {
        program.call(&[id; 32], b"");
    }
    let contract = install(&mut world, 0xaa, &program.exit(0));
    assert_eq!(numbers(&mut world, call(contract)), [0, 5, TRAPPED, TRAPPED, NOT_FOUND]);
}

#[test]
fn a_contract_that_runs_is_not_called() {
    let mut world = world();
    // Directly.
    let contract = install(&mut world, 0xaa, &Program::new().call(&[0xaa; 32], b"").write(b"k", b"v").exit(0));
    assert_eq!(numbers(&mut world, call(contract)), [REENTRANT]);
    assert_eq!(stored(&world, contract, b"k").unwrap(), b"v");
    // By a contract that it calls; one that is not running any more may be called again.
    let callee = install(&mut world, 0xbb, &Program::new().call(&[0xaa; 32], b"").call(&[0xcc; 32], b"").exit(0));
    install(&mut world, 0xcc, &Program::new().exit(7));
    let mut program = Program::new();
    program.call(&callee.0, b"");
    let out = program.space(16);
    program.sys("get_return_data", &[out, 16]);
    for at in [out, out + 8] {
        program.raw(&format!("lddw r1, {at}\nldxdw r0, [r1+0]")).note();
    }
    program.call(&callee.0, b"").call(&[0xcc; 32], b"").call(&[0xcc; 32], b"");
    let contract = install(&mut world, 0xaa, &program.exit(0));
    assert_eq!(numbers(&mut world, call(contract)), [0, REENTRANT, 7, 0, 7, 7]);
}

/// The sample that calls calls itself, and the end of a chain the beginning.
#[test]
fn samples_in_a_circle() {
    let mut world = world();
    let ids: Vec<_> = (1..=3).map(|id| install(&mut world, id, &Sample::Caller.module())).collect();
    let number = |world: &World, contract, key: Vec<u8>| {
        u64::from_le_bytes(stored(world, contract, &key).unwrap().try_into().unwrap())
    };
    let circle = caller::chain(caller::OnFailure::Ignore, &[ids[1], ids[2], ids[0]], b"");
    assert_eq!(run(&mut world, call_with(ids[0], &circle)).end, CallEnd::Success);
    let after: Vec<_> = ids.iter().map(|id| number(&world, *id, caller::after_key())).collect();
    assert_eq!(after, [0, 0, REENTRANT]);
    let receipt = run(&mut world, call_with(ids[0], &caller::call_self(caller::OnFailure::Propagate, b"")));
    assert_eq!(receipt.end, CallEnd::Reverted { code: caller::NO_EXIT_CODE });
    assert_eq!(receipt.return_data[..8], REENTRANT.to_le_bytes());
    assert_eq!(number(&world, ids[0], caller::before_key()), 1, "the second call was undone");
}

/// Calls the first id of its input with the rest of it, and stores what that gave.
fn link() -> Module {
    module(
        "jeq r2, 0, done\nmov64 r3, r2\nsub64 r3, 32\nmov64 r2, r1\nadd64 r2, 32\nsyscall invoke\n\
         mov64 r6, r10\nadd64 r6, -16\nstxdw [r6+0], r0\nstb [r6+8], 'r'\nmov64 r1, r6\nadd64 r1, 8\nmov64 r2, 1\n\
         mov64 r3, r6\nmov64 r4, 8\nsyscall storage_write\ndone:\nmov64 r0, 0\nexit",
    )
}

#[test]
fn at_most_64_contracts_in_one_another() {
    let mut world = world();
    let ids: Vec<_> = (1..=66).map(|id| install(&mut world, id, &link())).collect();
    let chain = |length: usize| -> Vec<u8> { ids[1..length].iter().flat_map(|id| id.0).collect() };
    let payload = |length| InvokeContractPayload { max_gas: 2_000_000, ..call_with(ids[0], &chain(length)) };
    let stored = |world: &World| -> Vec<u64> {
        let read = |id: &Hash| stored(world, *id, b"r").map(|value| u64::from_le_bytes(value.try_into().unwrap()));
        ids.iter().map_while(read).collect()
    };
    let mut fits = world.clone();
    assert_eq!(run(&mut fits, payload(64)).end, CallEnd::Success);
    // The last one calls nobody.
    assert_eq!(stored(&fits), [0; 63]);
    for length in [65, 66] {
        let mut world = world.clone();
        assert_eq!(run(&mut world, payload(length)).end, CallEnd::Success);
        let mut results = vec![0; 63];
        results.push(TOO_DEEP);
        assert_eq!(stored(&world), results);
    }
}

#[test]
fn the_gas_of_the_callee_counts() {
    let mut world = world();
    let callee = install(&mut world, 0xbb, &module("mov64 r0, 0\nmov64 r0, 0\nexit"));
    let caller = "lddw r1, 0x400000000\nmov64 r2, r1\nmov64 r3, 0\nsyscall invoke\nmov64 r0, 0\nexit";
    let contract = install(&mut world, 0xaa, &module(caller));
    let offer = |max_gas| InvokeContractPayload { max_gas, ..call_with(contract, &callee.0) };
    let needed = 6 + 10_000 + 3;
    let receipt = run(&mut world, offer(GAS));
    assert_eq!((receipt.end, receipt.gas_used), (CallEnd::Success, needed));
    assert_eq!(run(&mut world, offer(needed)).end, CallEnd::Success);
    // Too little for what comes after the call, and too little for the callee.
    for max_gas in [needed - 1, needed - 3] {
        let before = world.clone();
        assert_eq!(run(&mut world, offer(max_gas)).end, CallEnd::Trapped(Trap::OutOfGas));
        assert_eq!(world, with_gas_paid(&before, max_gas));
    }
}

/// A callee may use up everything: then the caller has nothing left to go on with.
#[test]
fn a_callee_that_uses_up_all_gas() {
    let mut world = world();
    install(&mut world, 0xbb, &module("again: ja again"));
    let contract = install(&mut world, 0xaa, &Program::new().write(b"k", b"v").call(&[0xbb; 32], b"").exit(0));
    let before = world.clone();
    let receipt = run(&mut world, call(contract));
    assert_eq!((receipt.end, receipt.gas_used), (CallEnd::Trapped(Trap::OutOfGas), GAS));
    assert_eq!(world, with_gas_paid(&before, GAS));
}

/// A contract of exactly so many bytes that exits with 0.
fn of_size(bytes: usize) -> Module {
    let with = |padding: usize| module(&format!(".ascii PAD, \"{}\"\nmov64 r0, 0\nexit", "x".repeat(padding)));
    let module = with(bytes - with(8).bytes().len() + 8);
    assert_eq!(module.bytes().len(), bytes);
    module
}

#[test]
fn code_of_all_calls_is_limited() {
    let limit = 128 * 1024;
    let mut program = Program::new();
    program.call(&[1; 32], b"").call(&[2; 32], b"").call(&[2; 32], b"").call(&[3; 32], b"");
    let contract = program.exit(0);
    let left = limit - contract.bytes().len();
    let half = left / 16 * 8;
    for (first, second, results) in [
        // Exactly the limit; then nothing more, not even the smallest.
        (left - half, half, [0, 0, TRAPPED, TRAPPED]),
        // Eight bytes too many: the second cannot be called, nor anything after it.
        (left - half + 8, half, [0, TRAPPED, TRAPPED, TRAPPED]),
        // Each call counts, also of what has been called before.
        (8 * 100, left / 24 * 8, [0, 0, 0, TRAPPED]),
    ] {
        let mut world = world();
        let contract = install(&mut world, 0xaa, &contract);
        install(&mut world, 1, &of_size(first));
        install(&mut world, 2, &of_size(second));
        install(&mut world, 3, &of_size(half));
        assert_eq!(numbers(&mut world, call(contract)), results);
        // The next transaction starts anew.
        assert_eq!(numbers(&mut world, call(contract)), results);
        assert_eq!(run(&mut world, call(Hash([3; 32]))).end, CallEnd::Success);
    }
}

#[test]
fn code_of_others() {
    let mut world = world();
    let other = install(&mut world, 0xbb, &Module::new(*b"\x7fELF and more"));
    let mut program = Program::new();
    let (there, none, out) = (program.data(&other.0), program.data(&[1; 32]), program.space(16));
    program.sys("get_external_code_size", &[there]).note().sys("get_external_code_size", &[none]).note();
    program.sys("get_external_code_copy", &[there, 5, 3, out]).note();
    program.raw(&format!("lddw r1, {out}\nldxdw r0, [r1+0]")).note();
    let contract = install(&mut world, 0xaa, &program.exit(0));
    assert_eq!(numbers(&mut world, call(contract)), [13, u64::MAX, 3, u64::from_le_bytes(*b"and\0\0\0\0\0")]);
}
