//! Events (spec 5.6, 8): at most 1000 in a transaction, and only of what succeeded.

use super::*;
use crate::rules::MAX_GAS_USAGE_PER_TX;

/// The machine's most: events are cheap, a thousand are not.
const MOST_GAS: u64 = 10_000_000;

fn roomy(contract: Hash) -> InvokeContractPayload {
    InvokeContractPayload { max_gas: MOST_GAS, ..call(contract) }
}

impl Program {
    /// So many events of one byte.
    fn events(&mut self, byte: u8, count: u64) -> &mut Self {
        let data = self.data(&[byte]);
        let label = format!("again_{data}");
        self.raw(&format!("lddw r7, {count}\nlddw r8, {data}\n{label}:\nmov64 r2, r8\nmov64 r3, 1"));
        self.raw(&format!("syscall log0\nsub64 r7, 1\njne r7, 0, {label}"))
    }
}

/// How many events of each byte there are, in their order.
fn counts(receipt: &CallReceipt) -> Vec<(u8, usize)> {
    let mut counts: Vec<(u8, usize)> = Vec::new();
    for event in &receipt.events {
        match counts.last_mut() {
            Some((byte, count)) if *byte == event.data[0] => *count += 1,
            _ => counts.push((event.data[0], 1)),
        }
    }
    counts
}

#[test]
fn an_event_says_who_and_what() {
    let mut world = world();
    let mut program = Program::new();
    let topics = program.data(&[[1; 32], [2; 32]].concat());
    let data = program.data(b"data");
    program.sys("log2", &[topics, data, 4]).sys("log0", &[topics, data, 0]);
    let contract = install(&mut world, 0xaa, &program.exit(0));
    let receipt = run(&mut world, call(contract));
    let [first, second] = receipt.events.as_slice() else { panic!("{receipt:?}") };
    assert_eq!((first.contract, second.contract), (contract, contract));
    assert_eq!(first.topics.as_slice(), [Hash([1; 32]), Hash([2; 32])]);
    assert_eq!((&*first.data, &*second.data, second.topics.len()), (b"data".as_slice(), b"".as_slice(), 0));
}

#[test]
fn a_thousand_and_one_reject_the_transaction() {
    for mode in MODES {
        let mut world = world_in(mode);
        let most = install(&mut world, 0xaa, &Program::new().events(1, 1000).exit(0));
        let more = install(&mut world, 0xbb, &Program::new().write(b"k", b"v").events(1, 1001).exit(0));
        let receipt = run(&mut world, roomy(most));
        assert_eq!(counts(&receipt), [(1, 1000)]);
        let payload = InvokeContractPayload { deposits: native(5), ..roomy(more) };
        assert_eq!(rejected(&world, invoke(payload)), TosError::InvalidPayload);
    }
}

/// What did not succeed has no events, so it has not too many.
#[test]
fn too_many_events_of_a_call_that_fails_do_not_matter() {
    let mut world = world();
    let reverts = install(&mut world, 0xaa, &Program::new().events(1, 1001).exit(4));
    let traps = install(&mut world, 0xbb, &Program::new().events(1, 1001).abort());
    let receipt = run(&mut world, roomy(reverts));
    assert_eq!((receipt.end, receipt.events.len()), (CallEnd::Reverted { code: 4 }, 0));
    assert!(matches!(run(&mut world, roomy(traps)).end, CallEnd::Trapped(_)));
}

#[test]
fn events_of_calls_that_succeed_count() {
    let mut world = world();
    let callee = install(&mut world, 0xbb, &Program::new().events(2, 400).exit(0));
    let caller = |last| Program::new().events(1, 300).call(&callee.0, b"").events(3, last).exit(0);
    let most = install(&mut world, 0xaa, &caller(300));
    let more = install(&mut world, 0xac, &caller(301));
    let receipt = run(&mut world, roomy(most));
    assert_eq!(counts(&receipt), [(1, 300), (2, 400), (3, 300)]);
    assert_eq!((receipt.events[299].contract, receipt.events[300].contract), (most, callee));
    assert_eq!(rejected(&world, invoke(roomy(more))), TosError::InvalidPayload);
}

/// Also where they went over the limit for a while, so that some of them were never kept.
#[test]
fn events_of_calls_that_fail_do_not_count() {
    let mut world = world();
    let reverts = install(&mut world, 0xbb, &Program::new().events(2, 990).exit(1));
    let traps = install(&mut world, 0xbc, &Program::new().events(2, 990).abort());
    for callee in [reverts, traps] {
        let caller = |last| {
            let mut program = Program::new();
            program.events(1, 500).call(&callee.0, b"").events(3, last);
            program.exit(0)
        };
        let most = install(&mut world, 0xaa, &caller(500));
        let more = install(&mut world, 0xac, &caller(501));
        assert_eq!(counts(&run(&mut world, roomy(most))), [(1, 500), (3, 500)]);
        assert_eq!(rejected(&world, invoke(roomy(more))), TosError::InvalidPayload);
    }
}

#[test]
fn too_many_events_of_a_constructor_reject_the_deployment() {
    let world = world();
    let constructor = |max_gas| Some(crate::wire::Constructor { max_gas, deposits: vec![] });
    let most = Program::new().events(1, 1000).exit(0);
    let more = Program::new().events(1, 1001).exit(0);
    assert_eq!(rejected(&world, deploy(&more, constructor(MOST_GAS))), TosError::InvalidPayload);
    let accepted = |module: &Module, max_gas| {
        submit(&mut world.clone(), transaction(&world, deploy(module, constructor(max_gas)))).unwrap()
    };
    assert_eq!(contract_receipt(accepted(&most, MOST_GAS)).call.unwrap().events.len(), 1000);
    // It does not run at all.
    assert_eq!(contract_receipt(accepted(&more, MAX_GAS_USAGE_PER_TX)).call.unwrap().events, []);
}
