//! Every row of the table in `docs/contracts.md`: result, effect, exact price, errors. Storage and hashing are in files of
//! their own.

use sha2::Digest;

use super::*;
use crate::contract::Event;
use crate::types::{Address, Hash};

pub(super) const NONE: u64 = u64::MAX;

pub(super) struct Seen {
    pub(super) code: u64,
    /// What the call itself cost, besides its instruction.
    pub(super) price: u64,
    /// The start of the heap afterwards.
    pub(super) out: Vec<u8>,
    pub(super) host: FakeHost,
}

/// Calls with `input` at hand, then looks at `out` bytes of the heap.
pub(super) fn observe(host: &FakeHost, name: &str, arguments: [u64; 5], input: &[u8], out: u64) -> Seen {
    let mut host = host.clone();
    host.environment.call.input = input.to_vec();
    let look = call("log0", [0, HEAP, out, 0, 0]);
    let source = format!("{}mov64 r6, r0\n{look}mov64 r0, r6\nexit", call(name, arguments));
    let (run, mut host) = run_with(&module(&source), GAS, &host);
    let code = run.end.unwrap_or_else(|trap| panic!("{name} {arguments:x?}: {trap}"));
    let Event { contract, topics, data } = host.world.events.pop().expect("the look is an event");
    assert_eq!((contract, topics.len()), (host.environment.call.contract, 0));
    host.asked.pop();
    let price = run.gas_used - 15 - 375 - out.saturating_sub(256) / 4;
    Seen { code, price, out: data.into(), host }
}

/// Calls, and demands a fault.
#[track_caller]
pub(super) fn faults(name: &str, arguments: [u64; 5], what: &str) {
    let mut host = FakeHost::default();
    host.environment.call.input = vec![1; 5000];
    host.world.storage.insert(vec![1; 4], vec![2; 64]);
    host.world.transient.insert(vec![1; 4], vec![2; 64]);
    host.contracts.insert([1; 32], module("exit"));
    let (run, host) = run_with(&module(&format!("{}exit", call(name, arguments))), GAS, &host);
    assert_fault(&run, what);
    assert_eq!(host.world.events.len(), 0);
}

pub(super) const BAD: u64 = 0x9_0000_0000;
pub(super) const ACCESS: &str = "invalid access";

/// The page and the machine know the same calls.
#[test]
fn the_table_is_complete() {
    let page = include_str!("../../../../../docs/contracts.md");
    let table =
        page.split("| name |").nth(1).and_then(|rest| rest.split("\n\n").next()).expect("the page has the table");
    let mut names: Vec<_> = table
        .lines()
        .skip(2)
        .filter_map(|row| row.split('|').nth(1))
        .flat_map(|names| names.split('`').skip(1).step_by(2))
        .collect();
    assert!(names.contains(&"log0") && names.contains(&"log4"));
    names.extend(["log1", "log2", "log3"]);
    let mut expected: Vec<_> = names.iter().map(|name| name.as_bytes().to_vec()).collect();
    let mut known: Vec<_> = loader().get_function_registry().iter().map(|(_, (name, _))| name.to_vec()).collect();
    expected.sort();
    known.sort();
    assert_eq!(known, expected);
}

fn described() -> FakeHost {
    let mut host = FakeHost::default();
    let environment = &mut host.environment;
    environment.block.hash = Hash([1; 32]);
    environment.block.height = 70_000;
    environment.block.timestamp = 1 << 40;
    environment.transaction = Hash([2; 32]);
    environment.signer = Address([3; 32]);
    environment.call.caller = Address([4; 32]);
    host
}

#[test]
fn environment() {
    let host = described();
    let random: [u8; 32] = {
        let (height, time) = (70_000_u64.to_le_bytes(), (1_u64 << 40).to_le_bytes());
        sha3::Keccak256::digest([&[1; 32][..], &height, &time, &[2; 32]].concat()).into()
    };
    let rows = [
        ("get_caller", [4; 32]),
        ("get_signer", [3; 32]),
        ("get_program_id", [0xc0; 32]),
        ("get_block_hash", [1; 32]),
        ("get_tx_hash", [2; 32]),
        ("get_instant_random", random),
    ];
    for (name, bytes) in rows {
        let seen = observe(&host, name, [HEAP, 0, 0, 0, 0], &[], 32);
        assert_eq!((seen.code, seen.price, seen.out.as_slice()), (0, 100, bytes.as_slice()), "{name}");
        faults(name, [BAD, 0, 0, 0, 0], ACCESS);
        faults(name, [INPUT, 0, 0, 0, 0], ACCESS);
        faults(name, [HEAP + 32768 - 31, 0, 0, 0, 0], ACCESS);
    }
    for (name, number) in [("get_block_height", 70_000), ("get_topoheight", 70_000), ("get_block_timestamp", 1 << 40)] {
        let seen = observe(&host, name, [0; 5], &[], 0);
        assert_eq!((seen.code, seen.price), (number, 100), "{name}");
    }
}

#[test]
fn input_data() {
    let input: Vec<u8> = (0..600).map(|byte| byte as u8).collect();
    let host = FakeHost::default();
    let rows =
        [(0, 600, 600, 186), (590, 100, 10, 100), (600, 1, 0, 100), (u64::MAX, u64::MAX, 0, 100), (1, 3, 3, 100)];
    for (offset, length, copied, price) in rows {
        let seen = observe(&host, "get_input_data", [offset, length, HEAP, 0, 0], &input, copied);
        assert_eq!((seen.code, seen.price), (copied, price));
        assert_eq!(seen.out, input[offset.min(600) as usize..][..copied as usize]);
    }
    faults("get_input_data", [0, 8, BAD, 0, 0], ACCESS);
}

#[test]
fn deposit() {
    let mut host = FakeHost::default();
    host.deposits.insert([9; 32], 77);
    let seen = observe(&host, "get_deposit", [INPUT, 0, 0, 0, 0], &[9; 32], 0);
    assert_eq!((seen.code, seen.price), (77, 100));
    assert_eq!(observe(&host, "get_deposit", [INPUT, 0, 0, 0, 0], &[8; 32], 0).code, 0);
    faults("get_deposit", [BAD, 0, 0, 0, 0], ACCESS);
}

#[test]
fn balances() {
    let mut host = FakeHost::default();
    host.world.balances.extend([([0xc0; 32], 100), ([1; 32], u64::MAX)]);
    let seen = observe(&host, "get_balance", [INPUT, 0, 0, 0, 0], &[0xc0; 32], 0);
    assert_eq!((seen.code, seen.price), (100, 500));
    assert_eq!(observe(&host, "get_balance", [INPUT, 0, 0, 0, 0], &[9; 32], 0).code, 0);
    faults("get_balance", [BAD, 0, 0, 0, 0], ACCESS);

    let rows = [
        (0xc0, 2, 60, 0, 40),
        (1, 2, 1, 1, 100),
        (0xc0, 0xc0, 1, 2, 100),
        (0xc0, 2, 101, 3, 100),
        (0xc0, 1, 1, 4, 100),
    ];
    for (from, to, amount, code, left) in rows {
        let input = [[from; 32], [to; 32]].concat();
        let seen = observe(&host, "transfer", [INPUT, INPUT + 32, amount, 0, 0], &input, 0);
        assert_eq!((seen.code, seen.price), (code, 5000));
        assert_eq!(seen.host.world.balances[&[0xc0; 32]], left);
    }
    faults("transfer", [BAD, INPUT, 1, 0, 0], ACCESS);
    faults("transfer", [INPUT, BAD, 1, 0, 0], ACCESS);
}

#[test]
fn return_data() {
    let host = FakeHost::default();
    for (length, price) in [(0, 100), (5, 100), (4096, 1060)] {
        let seen = observe(&host, "set_return_data", [INPUT, length, 0, 0, 0], &[6; 4096], 0);
        assert_eq!((seen.code, seen.price, seen.host.world.returned.len()), (0, price, length as usize));
    }
    faults("set_return_data", [INPUT, 4097, 0, 0, 0], "return data of 4097 bytes");
    faults("set_return_data", [BAD, 1, 0, 0, 0], ACCESS);
    // Nothing was invoked yet.
    let seen = observe(&host, "get_return_data", [BAD, 100, 0, 0, 0], &[], 0);
    assert_eq!((seen.code, seen.price), (0, 100));
}

#[test]
fn external_code() {
    let mut host = FakeHost::default();
    let other = module_with(&[7; 1000], "exit");
    host.contracts.insert([1; 32], other.clone());
    let size = other.bytes().len() as u64;
    let ask = |name: &str, id: u8, arguments: [u64; 4], look| {
        let [a, b, c, d] = arguments;
        observe(&host, name, [INPUT, a, b, c, d], &[id; 32], look)
    };
    let seen = ask("get_external_code_size", 1, [0; 4], 0);
    assert_eq!((seen.code, seen.price), (size, 1000));
    let seen = ask("get_external_code_size", 2, [0; 4], 0);
    assert_eq!((seen.code, seen.price), (NONE, 1000));
    let seen = ask("get_external_code_hash", 1, [HEAP, 0, 0, 0], 32);
    assert_eq!((seen.code, seen.price, seen.out.as_slice()), (0, 1500, other.hash().0.as_slice()));
    let seen = ask("get_external_code_hash", 2, [HEAP, 0, 0, 0], 32);
    assert_eq!((seen.code, seen.price, seen.out.as_slice()), (NONE, 1500, [0; 32].as_slice()));
    let seen = ask("get_external_code_copy", 1, [1, 1000, HEAP, 0], 1000);
    assert_eq!((seen.code, seen.price, seen.out.as_slice()), (1000, 2186, &other.bytes()[1..1001]));
    let seen = ask("get_external_code_copy", 1, [size - 2, 1000, HEAP, 0], 2);
    assert_eq!((seen.code, seen.price, seen.out.as_slice()), (2, 2000, &other.bytes()[size as usize - 2..]));
    let seen = ask("get_external_code_copy", 1, [u64::MAX, u64::MAX, HEAP, 0], 0);
    assert_eq!((seen.code, seen.price), (0, 2000));
    let seen = ask("get_external_code_copy", 2, [0, 10, HEAP, 0], 0);
    assert_eq!((seen.code, seen.price), (NONE, 2000));
    faults("get_external_code_size", [BAD, 0, 0, 0, 0], ACCESS);
    faults("get_external_code_hash", [BAD, HEAP, 0, 0, 0], ACCESS);
    faults("get_external_code_hash", [INPUT, BAD, 0, 0, 0], ACCESS);
    faults("get_external_code_copy", [INPUT, 0, 8, BAD, 0], ACCESS);
}

#[test]
fn events() {
    let host = FakeHost::default();
    let input: Vec<u8> = (0..128).flat_map(|word| [word / 32 + 1]).chain(std::iter::repeat_n(9, 4096)).collect();
    for (topics, price) in [(0, 375), (1, 500), (2, 625), (3, 750), (4, 875_u64)] {
        let name = format!("log{topics}");
        for (length, extra) in [(0, 0), (10, 0), (4096, 960)] {
            let seen = observe(&host, &name, [INPUT, INPUT + 128, length, 0, 0], &input, 0);
            assert_eq!((seen.code, seen.price), (0, price + extra));
            let expected = Event {
                contract: Hash([0xc0; 32]),
                topics: (1..=topics as u8).map(|topic| Hash([topic; 32])).collect(),
                data: vec![9; length as usize].into(),
            };
            assert_eq!(seen.host.world.events, [expected]);
        }
        faults(&name, [INPUT, INPUT, 4097, 0, 0], "the data of an event of 4097 bytes");
        faults(&name, [INPUT, BAD, 1, 0, 0], ACCESS);
        if topics > 0 {
            faults(&name, [INPUT + 5000 - topics * 32 + 1, INPUT, 1, 0, 0], ACCESS);
        }
    }
}

#[test]
fn messages() {
    let host = FakeHost::default();
    let input = [b'a'; 1256];
    for (name, arguments, price) in [
        ("log", [INPUT, 0, 0, 0, 0], 100),
        ("log", [INPUT, 256, 0, 0, 0], 100),
        ("log", [INPUT, 1256, 0, 0, 0], 350),
        ("log_u64", [1, 2, 3, 4, 5], 100),
        ("log_pubkey", [INPUT, 0, 0, 0, 0], 100),
    ] {
        let seen = observe(&host, name, arguments, &input, 0);
        assert_eq!((seen.code, seen.price), (0, price), "{name}");
        assert_eq!((seen.host.asked.len(), seen.host.world), (0, FakeHost::default().world));
    }
    let seen = observe(&host, "log_compute_units", [0; 5], &[], 0);
    assert_eq!((seen.code, seen.price), (GAS - 6 - 100, 100));
    faults("log", [INPUT, 5001, 0, 0, 0], ACCESS);
    faults("log_pubkey", [BAD, 0, 0, 0, 0], ACCESS);
}

#[test]
fn abort() {
    let run = run(&format!("{}exit", call("abort", [0; 5])));
    assert_eq!(run.gas_used, 6 + 100);
    assert_fault(&run, "aborted");
}

/// With one unit less than a call needs, it has no effect, and all is used.
#[test]
fn the_price_comes_first() {
    let source = format!("{}exit", call("storage_write", [INPUT, 4, INPUT, 4, 0]));
    let mut host = FakeHost::default();
    host.environment.call.input = vec![1; 8];
    let (run, after) = run_with(&module(&source), 5006, &host);
    assert_eq!(run, Run { gas_used: 5006, end: Err(Trap::OutOfGas) });
    assert_eq!(after.asked.len(), 1);
    let (run, after) = run_with(&module(&source), 5005, &host);
    assert_eq!(run, Run { gas_used: 5005, end: Err(Trap::OutOfGas) });
    assert_eq!(after.asked.len(), 0);
}
