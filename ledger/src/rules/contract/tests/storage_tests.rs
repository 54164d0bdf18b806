//! Storage of contracts (spec 8), from the system call to the state.

use super::*;

const NONE: u64 = u64::MAX;

#[test]
fn a_namespace_per_contract() {
    let mut world = world();
    let writer = |value: &[u8]| Program::new().read("storage_read", b"k").write(b"k", value).exit(0);
    let first = install(&mut world, 0xaa, &writer(b"first"));
    let second = install(&mut world, 0xab, &writer(b"second"));
    assert_eq!(numbers(&mut world, call(first)), [NONE, 0]);
    assert_eq!(numbers(&mut world, call(second)), [NONE, 0]);
    assert_eq!(stored(&world, first, b"k").unwrap(), b"first");
    assert_eq!(stored(&world, second, b"k").unwrap(), b"second");
    let bytes = u64::from_le_bytes(*b"first\0\0\0");
    assert_eq!(numbers(&mut world, call(first)), [5, bytes]);
}

#[test]
fn values_come_and_go() {
    let mut world = world();
    store(&mut world, Hash([0xaa; 32]), b"old", b"x");
    let mut program = Program::new();
    program.write(b"k", b"one").read("storage_read", b"k").write(b"k", b"two2").read("storage_read", b"k");
    program.write(b"k", b"").read("storage_read", b"k").read("storage_read", b"old");
    let old = program.data(b"old");
    program.sys("storage_delete", &[old, 3]).read("storage_read", b"old").write(b"", b"no key");
    program.sys("storage_delete", &[old, 2]).read("storage_read", b"");
    let contract = install(&mut world, 0xaa, &program.exit(0));
    let before = world.clone();
    let word = |text: &[u8; 8]| u64::from_le_bytes(*text);
    let read = numbers(&mut world, call(contract));
    assert_eq!(read[..4], [3, word(b"one\0\0\0\0\0"), 4, word(b"two2\0\0\0\0")]);
    assert_eq!(read[4..], [NONE, 0, 1, u64::from(b'x'), NONE, 0, 6, word(b"no key\0\0")]);
    // An empty value is no value: the state has no such key.
    let mut expected = with_gas_paid(&before, paid_gas(&world));
    expected.state.remove(&Key::Storage(storage_slot(&contract, b"old")));
    store(&mut expected, contract, b"", b"no key");
    assert_eq!(world, expected);
}

#[test]
fn additions() {
    let number = |value: u64| value.to_le_bytes().to_vec();
    for (before, amount, code, after) in [
        (None, 5, 0, Some(number(5))),
        (None, 0, 0, Some(number(0))),
        (Some(number(7)), 5, 0, Some(number(12))),
        (Some(number(u64::MAX - 5)), 5, 0, Some(number(u64::MAX))),
        (Some(number(u64::MAX - 4)), 5, 1, Some(number(u64::MAX - 4))),
        (Some(b"1234567".to_vec()), 5, 1, Some(b"1234567".to_vec())),
        (Some(b"123456789".to_vec()), 0, 1, Some(b"123456789".to_vec())),
    ] {
        let mut world = world();
        let module = Program::new().add(b"n", amount).write(b"done", b"!").exit(0);
        let contract = install(&mut world, 0xaa, &module);
        if let Some(before) = &before {
            store(&mut world, contract, b"n", before);
        }
        // The contract goes on.
        assert_eq!(numbers(&mut world, call(contract)), [code]);
        assert_eq!(stored(&world, contract, b"n"), after);
        assert_eq!(stored(&world, contract, b"done").unwrap(), b"!");
    }
}

#[test]
fn additions_among_other_changes() {
    let mut world = world();
    let mut program = Program::new();
    program.add(b"n", 5).add(b"n", 6).read("storage_read", b"n");
    program.write(b"n", &40_u64.to_le_bytes()).add(b"n", 2).add(b"n", u64::MAX).read("storage_read", b"n");
    program.write(b"n", b"").add(b"n", 3).read("storage_read", b"n").write(b"n", b"text").add(b"n", 1);
    let contract = install(&mut world, 0xaa, &program.exit(0));
    assert_eq!(numbers(&mut world, call(contract)), [0, 0, 8, 11, 0, 1, 8, 42, 0, 8, 3, 1]);
    assert_eq!(stored(&world, contract, b"n").unwrap(), b"text");
}

/// An addition reads nothing of the state: two calls that only add have no read of the key in common.
#[test]
fn an_addition_reads_nothing() {
    let mut world = world();
    let reads = |world: &World, contract| {
        let signed = sign(SOURCE, transaction(world, invoke(call(contract))));
        sequential::execute_one(&world.vm(), &signed, &world.state, &BTreeMap::new()).reads
    };
    let idle = install(&mut world, 0xaa, &Program::new().exit(0));
    let adder = install(&mut world, 0xbb, &Program::new().add(b"n", 5).exit(0));
    let reader = install(&mut world, 0xcc, &Program::new().read("storage_read", b"n").exit(0));
    let idle = reads(&world, idle);
    assert_eq!((reads(&world, adder), reads(&world, reader)), (idle, idle + 1));
}

fn transient(program: &mut Program, key: &[u8], value: &[u8]) {
    let arguments = [program.data(key), key.len() as u64, program.data(value), value.len() as u64];
    program.sys("tstore", &arguments);
}

#[test]
fn transient_storage_ends_with_the_call() {
    let mut world = world();
    let mut program = Program::new();
    program.read("tload", b"t");
    transient(&mut program, b"t", b"x");
    program.read("tload", b"t").read("storage_read", b"t");
    transient(&mut program, b"t", b"");
    program.read("tload", b"t");
    transient(&mut program, b"t", b"y");
    let module = program.exit(0);
    let contract = install(&mut world, 0xaa, &module);
    let before = world.clone();
    for _ in 0..2 {
        assert_eq!(numbers(&mut world, call(contract)), [NONE, 0, 1, u64::from(b'x'), NONE, 0, NONE, 0]);
    }
    assert_eq!(world.state.len(), before.state.len() + 2, "two counters are new");
}

/// Of two calls of one contract in a transaction, and of caller and callee.
#[test]
fn transient_storage_is_not_shared() {
    let mut world = world();
    // Fails if there is something; leaves something.
    let mut program = Program::new();
    program
        .read("tload", b"t")
        .raw("lddw r1, 0x300000000\nldxdw r1, [r1+0]\njeq r1, -1, good\nmov64 r0, 1\nexit\ngood:");
    transient(&mut program, b"t", b"callee");
    let callee = install(&mut world, 0xbb, &program.exit(0));
    let mut program = Program::new();
    transient(&mut program, b"t", b"caller");
    program.call(&callee.0, b"").call(&callee.0, b"").read("tload", b"t");
    let caller = install(&mut world, 0xaa, &program.exit(0));
    assert_eq!(numbers(&mut world, call(caller)), [0, 0, 6, u64::from_le_bytes(*b"caller\0\0")]);
}
