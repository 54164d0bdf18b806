//! Contracts that are destroyed, paid and made anew within a block, before Cancun: what is wiped, and what takes it
//! back.

use alloy_primitives::{Address, Bytes, U256};
use revm::primitives::hardfork::SpecId;

use crate::chain::{Block, sender};
use crate::common::phoenix::{FACTORY, child, factory, init, runtime};
use crate::import::accepted;
use crate::written::Change;

/// A transaction of a block.
enum Step {
    Count,
    Pay,
    Destroy,
    Create,
}

/// A block in which a contract that is there already, or not, sees `steps`; and what becomes of it.
fn after(is_there: bool, steps: &[Step]) -> Option<Change> {
    after_in(Block::shanghai(), is_there, steps)
}

fn after_in(mut block: Block, is_there: bool, steps: &[Step]) -> Option<Change> {
    block.deploy(FACTORY, &factory());
    if is_there {
        let storage = [(0, 5), (1, 7), (2, 9)].map(|(slot, value)| (U256::from(slot), U256::from(value)));
        block.pre.insert(child(), U256::from(40), 1, &runtime(), storage);
    }
    for (index, step) in (0..).zip(steps) {
        let from = sender(index);
        match step {
            Step::Count => block.call(from, child(), 0, Bytes::new()),
            // The contract counts those that pay, too.
            Step::Pay => block.call(from, child(), 3, Bytes::new()),
            Step::Destroy => block.call(from, child(), 2, vec![1]),
            Step::Create => block.call(from, FACTORY, 1, init()),
        }
    }
    let (result, mut written) = accepted(&block);
    assert!(result.receipts.iter().all(|receipt| receipt.status()));
    written.changes.remove(&child())
}

fn slots(slots: &[(u64, u64)]) -> std::collections::BTreeMap<U256, U256> {
    slots.iter().map(|(slot, value)| (U256::from(*slot), U256::from(*value))).collect()
}

#[test]
fn what_is_destroyed_is_wiped() {
    let change = after(true, &[Step::Count, Step::Destroy]).unwrap();
    assert_eq!(change, Change { basics: Some(None), is_wiped: true, slots: slots(&[]) });
}

#[test]
fn what_is_destroyed_and_made_anew_begins_with_empty_storage() {
    let change = after(true, &[Step::Count, Step::Destroy, Step::Create, Step::Count]).unwrap();
    assert!(change.is_wiped);
    assert_eq!(change.slots, slots(&[(0, 1), (1, 7)]));
    assert_eq!(change.basics.unwrap().unwrap().balance, U256::from(1));
}

#[test]
fn what_is_destroyed_and_paid_is_an_account_without_code() {
    let change = after(true, &[Step::Destroy, Step::Pay, Step::Count]).unwrap();
    assert!(change.is_wiped);
    assert_eq!(change.slots, slots(&[]));
    let basics = change.basics.unwrap().unwrap();
    assert_eq!((basics.balance, basics.nonce), (U256::from(3), 0));
}

#[test]
fn what_is_destroyed_paid_and_made_anew_has_what_it_was_paid() {
    let change = after(true, &[Step::Destroy, Step::Pay, Step::Create, Step::Pay, Step::Count]).unwrap();
    assert!(change.is_wiped);
    assert_eq!(change.slots, slots(&[(0, 2), (1, 7)]));
    assert_eq!(change.basics.unwrap().unwrap().balance, U256::from(3 + 1 + 3));
}

#[test]
fn what_is_destroyed_twice_is_gone() {
    let steps = [Step::Destroy, Step::Create, Step::Count, Step::Destroy];
    assert_eq!(after(true, &steps).unwrap(), Change { basics: Some(None), is_wiped: true, slots: slots(&[]) });
}

#[test]
fn what_is_made_and_destroyed_was_never_there() {
    assert_eq!(after(false, &[Step::Create, Step::Count, Step::Destroy]), None);
}

#[test]
fn what_is_made_twice_is_there_once() {
    let steps = [Step::Pay, Step::Create, Step::Count, Step::Destroy, Step::Create, Step::Count, Step::Count];
    let change = after(false, &steps).unwrap();
    assert!(!change.is_wiped);
    assert_eq!(change.slots, slots(&[(0, 2), (1, 7)]));
    assert_eq!(change.basics.unwrap().unwrap().balance, U256::from(1));
}

/// Before EIP-161 a call without value brings an account back, as an empty one.
#[test]
fn what_is_destroyed_and_called_before_eip_161_is_there() {
    let tangerine = || Block::new(SpecId::TANGERINE, 2_500_000, 1_477_000_000);
    let change = after_in(tangerine(), true, &[Step::Count, Step::Destroy]).unwrap();
    assert_eq!(change, Change { basics: Some(None), is_wiped: true, slots: slots(&[]) });
    for (step, left) in [(Step::Count, 0), (Step::Pay, 3)] {
        let change = after_in(tangerine(), true, &[Step::Count, Step::Destroy, step, Step::Count]).unwrap();
        assert!(change.is_wiped);
        assert_eq!(change.slots, slots(&[]));
        let basics = change.basics.unwrap().unwrap();
        assert_eq!((basics.balance, basics.nonce), (U256::from(left), 0));
    }
}

#[test]
fn what_is_created_where_ether_was_sent_before_keeps_it() {
    let mut block = Block::shanghai();
    block.deploy(FACTORY, &factory());
    block.pre.insert(child(), U256::from(11), 0, &Bytes::new(), []);
    block.call(sender(0), FACTORY, 1, init());
    block.call(sender(1), child(), 3, Bytes::new());
    let created = block.create(sender(2), 5, init());
    block.call(sender(3), created, 0, Bytes::new());
    let (_, written) = accepted(&block);
    let balance = |address| written.changes[&address].basics.unwrap().unwrap().balance;
    assert_eq!(balance(child()), U256::from(11 + 1 + 3));
    assert_eq!(balance(created), U256::from(5));
    assert_eq!(written.changes[&created].slots, written.changes[&child()].slots);
    assert_eq!(written.codes.values().collect::<Vec<_>>(), [&runtime()]);
}

#[test]
fn what_is_empty_and_touched_is_cleared() {
    let [empty, absent] = [0xe1, 0xe2].map(Address::repeat_byte);
    let mut block = Block::byzantium();
    block.pre.insert(empty, U256::ZERO, 0, &Bytes::new(), []);
    for index in 0..3 {
        block.call(sender(index), empty, 0, Bytes::new());
        block.call(sender(index), absent, 0, Bytes::new());
    }
    let (_, written) = accepted(&block);
    assert_eq!(written.changes[&empty].basics, Some(None));
    assert!(!written.changes.contains_key(&absent));
}

/// Before EIP-161 being called is enough to be there, and being empty is no reason to go.
#[test]
fn what_was_not_there_and_is_touched_before_eip_161_is_there() {
    let [empty, absent, paid] = [0xe1, 0xe2, 0xe3].map(Address::repeat_byte);
    let mut block = Block::new(SpecId::TANGERINE, 2_500_000, 1_477_000_000);
    block.pre.insert(empty, U256::ZERO, 0, &Bytes::new(), []);
    for index in 0..3 {
        block.call(sender(index), empty, 0, Bytes::new());
        block.call(sender(index), absent, 0, Bytes::new());
        block.call(sender(index), paid, 1, Bytes::new());
    }
    let (_, written) = accepted(&block);
    assert!(!written.changes.contains_key(&empty));
    let basics = written.changes[&absent].basics.unwrap().unwrap();
    assert_eq!((basics.balance, basics.nonce), (U256::ZERO, 0));
    assert_eq!(written.changes[&paid].basics.unwrap().unwrap().balance, U256::from(3));
}
