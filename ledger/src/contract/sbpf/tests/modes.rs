//! Compiled code and interpreter agree on every program: on the result, the gas, and what the host was asked.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use solana_sbpf::ebpf;

use super::*;

/// A part of a program; its instructions stay together.
#[derive(Debug, Clone)]
enum Piece {
    /// Any instructions without targets.
    Plain(Vec<[u8; 8]>),
    /// A jump or a call inside the program to the start of a piece.
    Jump {
        code: u8,
        registers: u8,
        immediate: i32,
        to: Index,
    },
    Call {
        to: Index,
    },
    /// Through a register; a bit off where `off` is not zero.
    CallRegister {
        to: Index,
        off: u8,
    },
}

fn instruction(code: u8, destination: u8, source: u8, offset: i16, immediate: i32) -> [u8; 8] {
    let mut bytes = [code, destination | (source << 4), 0, 0, 0, 0, 0, 0];
    bytes[2..4].copy_from_slice(&offset.to_le_bytes());
    bytes[4..].copy_from_slice(&immediate.to_le_bytes());
    bytes
}

fn load(register: u8, value: u64) -> [[u8; 8]; 2] {
    [instruction(ebpf::LD_DW_IMM, register, 0, 0, value as i32), instruction(0, 0, 0, 0, (value >> 32) as i32)]
}

/// Numbers that are interesting: small, at the limits, addresses, and any.
fn number() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => 0..300_u64,
        1 => select(vec![u64::MAX, 1 << 63, i64::MAX as u64, 1 << 31, u64::from(u32::MAX), 4096]),
        3 => (select(vec![0, 1 << 32, STACK, HEAP, INPUT]), 0..5000_u64).prop_map(|(base, at)| base + at),
        1 => any::<u64>(),
    ]
}

fn arithmetic() -> impl Strategy<Value = [u8; 8]> {
    let operation = select((0..=0xd0_u8).step_by(16).collect::<Vec<_>>());
    (operation, any::<bool>(), any::<bool>(), 0..8_u8, 0..10_u8, number()).prop_map(
        |(operation, wide, by_register, destination, source, number)| {
            let class = if wide { ebpf::BPF_ALU64_STORE } else { ebpf::BPF_ALU32_LOAD };
            let width = if wide { 64 } else { 32 };
            let number = number as i32;
            match operation {
                ebpf::BPF_NEG => instruction(class | operation, destination, 0, 0, 0),
                ebpf::BPF_END => {
                    let size = [16, 32, 64][number.rem_euclid(3) as usize];
                    instruction(if by_register { ebpf::BE } else { ebpf::LE }, destination, 0, 0, size)
                }
                // Most registers are zero: rarely a divisor.
                ebpf::BPF_DIV | ebpf::BPF_MOD if !by_register || number % 4 != 0 => {
                    instruction(class | operation, destination, 0, 0, number.max(1))
                }
                _ if by_register => instruction(class | operation | ebpf::BPF_X, destination, source, 0, 0),
                ebpf::BPF_LSH | ebpf::BPF_RSH | ebpf::BPF_ARSH => {
                    instruction(class | operation, destination, 0, 0, number.rem_euclid(width))
                }
                _ => instruction(class | operation, destination, 0, 0, number),
            }
        },
    )
}

/// Registers 8, 9 and 10 hold addresses at the start; the others sometimes.
fn access() -> impl Strategy<Value = [u8; 8]> {
    let kind = select(vec![ebpf::BPF_LDX, ebpf::BPF_ST, ebpf::BPF_STX]);
    let size = select(vec![ebpf::BPF_B, ebpf::BPF_H, ebpf::BPF_W, ebpf::BPF_DW]);
    let base = prop_oneof![30 => 8..=10_u8, 1 => 0..8_u8];
    let offset = prop_oneof![30 => 0..290_i16, 1 => any::<i16>()];
    (kind, size, base, 0..8_u8, offset, any::<i32>()).prop_map(|(kind, size, base, other, offset, immediate)| {
        let offset = if base == 10 { offset.wrapping_neg().wrapping_sub(8) } else { offset };
        // The input can only be read.
        let base = if base == 8 && kind != ebpf::BPF_LDX { 9 } else { base };
        match kind {
            ebpf::BPF_LDX => instruction(ebpf::BPF_MEM | kind | size, other, base, offset, 0),
            ebpf::BPF_ST => instruction(ebpf::BPF_MEM | kind | size, base, 0, offset, immediate),
            _ => instruction(ebpf::BPF_MEM | kind | size, base, other, offset, 0),
        }
    })
}

fn system_call() -> impl Strategy<Value = Piece> {
    let name = select(vec![
        "get_caller",
        "get_block_height",
        "get_instant_random",
        "get_input_data",
        "get_deposit",
        "storage_read",
        "storage_write",
        "storage_delete",
        "storage_add",
        "tload",
        "tstore",
        "get_balance",
        "transfer",
        "invoke",
        "invoke",
        "get_return_data",
        "set_return_data",
        "get_external_code_size",
        "get_external_code_hash",
        "get_external_code_copy",
        "log0",
        "log1",
        "log4",
        "log",
        "log_u64",
        "log_pubkey",
        "log_compute_units",
        "blake3",
        "sha256",
        "keccak256",
        "ripemd160",
        "abort",
    ]);
    let sane = || prop_oneof![Just(INPUT), Just(HEAP), Just(HEAP + 100), 0..64_u64];
    let arguments = prop_oneof![
        6 => [Just(INPUT).boxed(), (0..40_u64).boxed(), Just(HEAP).boxed(), (0..40_u64).boxed(), Just(0).boxed()],
        3 => [sane().boxed(), sane().boxed(), sane().boxed(), sane().boxed(), sane().boxed()],
        1 => [number().boxed(), number().boxed(), number().boxed(), number().boxed(), number().boxed()],
    ];
    (name, arguments).prop_map(|(name, arguments)| {
        let mut code: Vec<_> = (1..).zip(arguments).flat_map(|(register, value)| load(register, value)).collect();
        code.push(instruction(ebpf::CALL_IMM, 0, 0, 0, hash_symbol_name(name.as_bytes()) as i32));
        Piece::Plain(code)
    })
}

fn jump() -> impl Strategy<Value = Piece> {
    let condition = select(vec![0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0xa0, 0xb0, 0xc0, 0xd0_u8]);
    let class = select(vec![ebpf::BPF_JMP64, ebpf::BPF_JMP32]);
    let conditional = (condition, class, any::<bool>(), 0..8_u8, 0..10_u8, number(), any::<Index>()).prop_map(
        |(condition, class, by_register, destination, source, number, to)| {
            let code = condition | class | if by_register { ebpf::BPF_X } else { ebpf::BPF_K };
            let registers = destination | if by_register { source << 4 } else { 0 };
            Piece::Jump { code, registers, immediate: if by_register { 0 } else { number as i32 }, to }
        },
    );
    let always = any::<Index>().prop_map(|to| Piece::Jump { code: ebpf::JA, registers: 0, immediate: 0, to });
    prop_oneof![8 => conditional, 1 => always]
}

fn piece() -> impl Strategy<Value = Piece> {
    prop_oneof![
        8 => vec(arithmetic(), 1..6).prop_map(Piece::Plain),
        4 => vec(access(), 1..4).prop_map(Piece::Plain),
        2 => (0..8_u8, number()).prop_map(|(register, value)| Piece::Plain(load(register, value).to_vec())),
        4 => system_call(),
        4 => jump(),
        1 => any::<Index>().prop_map(|to| Piece::Call { to }),
        1 => (any::<Index>(), 0..20_u8).prop_map(|(to, off)| Piece::CallRegister { to, off: off / 10 * 8 }),
        1 => Just(Piece::Plain(vec![instruction(ebpf::EXIT, 0, 0, 0, 0)])),
    ]
}

fn assembled(pieces: &[Piece]) -> Module {
    let prologue = [load(9, HEAP), load(8, INPUT)].concat();
    let length = |piece: &Piece| match piece {
        Piece::Plain(code) => code.len(),
        Piece::Jump { .. } | Piece::Call { .. } => 1,
        Piece::CallRegister { .. } => 3,
    };
    let starts: Vec<usize> = pieces
        .iter()
        .scan(prologue.len(), |next, piece| Some(std::mem::replace(next, *next + length(piece))))
        .collect();
    let mut code = prologue;
    for piece in pieces {
        let distance = |to: &Index| starts[to.index(starts.len())] as i64 - code.len() as i64 - 1;
        let new = match piece {
            Piece::Plain(code) => code.clone(),
            Piece::Jump { code, registers, immediate, to } => {
                vec![instruction(*code, registers & 15, registers >> 4, distance(to) as i16, *immediate)]
            }
            // A call to itself is refused.
            Piece::Call { to } if distance(to) == -1 => vec![instruction(ebpf::EXIT, 0, 0, 0, 0)],
            Piece::Call { to } => vec![instruction(ebpf::CALL_IMM, 0, 1, 0, distance(to) as i32)],
            Piece::CallRegister { to, off } => {
                let target = MM_BYTECODE_START + starts[to.index(starts.len())] as u64 * 8 + u64::from(*off);
                [&load(5, target)[..], &[instruction(ebpf::CALL_REG, 5, 0, 0, 0)]].concat()
            }
        };
        code.extend(new);
    }
    code.push(instruction(ebpf::EXIT, 0, 0, 0, 0));
    Module::new(elf(&[3; 64], &code.concat()))
}

fn program() -> impl Strategy<Value = Module> {
    vec(piece(), 1..40).prop_map(|pieces| assembled(&pieces))
}

fn gas() -> impl Strategy<Value = u64> {
    prop_oneof![1 => 0..200_u64, 2 => 0..20_000_u64, 3 => 0..400_000_u64]
}

/// A host whose input begins with the name of a contract, `callee`, and whose storage has something.
fn surrounded(callee: Module) -> FakeHost {
    let mut host = FakeHost::default();
    host.environment.call.input = (0..300).map(|byte| if byte < 32 { 1 } else { byte as u8 }).collect();
    host.contracts.insert([1; 32], callee);
    for length in 0..40 {
        host.world.storage.insert(vec![1; length], vec![length as u8; length * 12]);
        host.world.transient.insert(vec![1; length], vec![length as u8; 8]);
    }
    host.world.balances.insert([1; 32], 1 << 40);
    host
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn compiled_like_interpreted(program in program(), callee in program(), gas in gas()) {
        run_with(&program, gas, &surrounded(callee));
    }
}

/// The programs above do end in all ways, and do something before.
#[test]
fn the_programs_are_worth_running() {
    let mut runner = TestRunner::deterministic();
    let mut ends = std::collections::BTreeMap::<String, usize>::new();
    let (mut asked, mut units) = (0, 0);
    for _ in 0..600 {
        let (program, callee, gas) =
            (program(), program(), gas()).new_tree(&mut runner).expect("every program is one").current();
        let (run, host) = run_with(&program, gas, &surrounded(callee));
        let end = match run.end {
            Ok(0) => "success".into(),
            Ok(_) => "revert".into(),
            Err(Trap::Fault(text)) => text.split(" of ").next().unwrap_or_default().to_owned(),
            Err(other) => other.to_string(),
        };
        *ends.entry(end).or_default() += 1;
        asked += host.asked.len();
        units += run.gas_used;
    }
    let at_least = |end: &str, times| assert!(ends.get(end).is_some_and(|seen| *seen >= times), "{end}: {ends:?}");
    at_least("success", 30);
    at_least("revert", 30);
    at_least("out of gas", 30);
    at_least("an invalid access", 30);
    at_least("too many functions in one another", 3);
    at_least("a division by zero", 3);
    at_least("the contract aborted", 3);
    at_least("an unknown instruction", 1);
    assert!(!ends.keys().any(|end| end.starts_with("the module cannot")), "{ends:?}");
    assert!(asked > 600 && units > 600 * 1000, "{asked} questions, {units} units");
}
