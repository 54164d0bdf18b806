//! Both forms of batching against the engine's sequential path.

use std::sync::Arc;

use proptest::prelude::*;
use weft_engine::{BlockEnd, BlockError, BlockPolicy, OnRejected, WorkerPool};

use super::{BatchedBlock, Form, SharedReader, batches, execute};
use crate::listed::{Base, Comparable, ListVm, Listed, Number, Op, any_op, base, comparable, names, sequential};

fn batched(
    form: &Form,
    base: &Base,
    block: &[Listed],
    policy: BlockPolicy,
) -> Result<BatchedBlock<ListVm>, BlockError> {
    let reader: SharedReader<ListVm> = Arc::new(base.clone());
    let named = |transaction: &Listed, name: &mut dyn FnMut(u8)| transaction.names.iter().for_each(|key| name(*key));
    execute(form, 4, &Arc::new(ListVm), &reader, &block.to_vec().into(), policy, named)
}

fn forms() -> [Form; 2] {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    [Form::Published(Arc::new(runtime)), Form::Pooled(Arc::new(WorkerPool::new(4)))]
}

/// Both forms give what sequential execution gives, under every policy that is not about gas. Returns that of the
/// default policy.
fn equal(base: &Base, block: &[Listed]) -> Comparable {
    let policies = [OnRejected::SkipInvalid, OnRejected::RejectBlock];
    let results =
        policies.map(|on_rejected| equal_with(&forms(), base, block, BlockPolicy { on_rejected, gas_limit: None }));
    let [_, rejecting] = results;
    rejecting
}

fn equal_with(forms: &[Form], base: &Base, block: &[Listed], policy: BlockPolicy) -> Comparable {
    let expected = sequential(base, block, policy);
    for form in forms {
        let got = batched(form, base, block, policy).map_err(comparable);
        let got = got.map(|block| (block.outcomes, block.changes, block.end));
        assert_eq!(got, expected, "{form:?}, {policy:?}, {block:?}");
    }
    expected
}

/// A transfer as an account machine makes it: the sender is read and written, the receiver credited unread.
fn transfer(from: u8, to: u8, left: u64) -> Listed {
    names(&[from, to], &[Op::Read(from), Op::Write(from, left), Op::Add(to, 10)])
}

#[test]
fn credits_to_a_shared_receiver_are_all_counted() {
    let unnamed: Vec<Listed> =
        (1..40).map(|sender| names(&[sender], &[Op::Read(sender), Op::Write(sender, 1), Op::Add(0, 10)])).collect();
    let named: Vec<Listed> = (1..40).map(|sender| transfer(sender, 0, 1)).collect();
    for block in [unnamed, named] {
        let (_, changes, _) = equal(&base(&[(0, 5)]), &block).unwrap();
        assert_eq!(changes[0], (0, Some(Number(5 + 39 * 10))));
    }
}

#[test]
fn a_chain_that_returns_to_its_start_and_a_repeated_sender_keep_their_order() {
    let copy = |from, to| names(&[from, to], &[Op::Copy(from, to)]);
    let block: Vec<Listed> = (0..9).map(|at| copy(at % 3, (at + 1) % 3)).collect();
    let (_, changes, _) = equal(&base(&[(0, 100)]), &block).unwrap();
    assert_eq!(changes, [(0, Some(Number(109))), (1, Some(Number(107))), (2, Some(Number(108)))]);

    let repeated: Vec<Listed> = (0..6).map(|_| copy(7, 7)).collect();
    assert_eq!(equal(&base(&[]), &repeated).unwrap().1, [(7, Some(Number(6)))]);
}

#[test]
fn a_receiver_that_first_appears_in_the_block_sends_in_it() {
    let block = [transfer(1, 9, 0), names(&[9, 2], &[Op::Read(9), Op::Write(9, 3), Op::Add(2, 7)]), transfer(1, 9, 0)];
    let (outcomes, changes, _) = equal(&base(&[(1, 10)]), &block).unwrap();
    assert_eq!(outcomes[1].output, [Some(10)]);
    assert_eq!(changes, [(1, Some(Number(0))), (2, Some(Number(7))), (9, Some(Number(13)))]);
}

#[test]
fn what_is_read_without_being_named_is_executed_again() {
    // All in one batch by their names; each reads what the one before wrote.
    let block: Vec<Listed> = (0..20).map(|at| names(&[100 + at], &[Op::Copy(at, at + 1)])).collect();
    let base = base(&[(0, 1000)]);
    assert_eq!(equal(&base, &block).unwrap().1.last(), Some(&(20, Some(Number(1020)))));
    for form in forms() {
        let batched = batched(&form, &base, &block, BlockPolicy::default()).unwrap();
        assert_eq!(batched.batches, 1);
        // The first stands; the others were read from the state before the batch.
        assert_eq!(batched.executions, 20 + 19);
    }
}

#[test]
fn a_repeated_execution_may_touch_other_keys_than_the_first() {
    let block = [
        names(&[1], &[Op::Write(1, 7)]),
        names(&[2], &[Op::RejectIf(1, 6), Op::Write(2, 1), Op::Copy(1, 3)]),
        names(&[3], &[Op::Read(3), Op::Read(2), Op::Delete(2)]),
    ];
    let (outcomes, changes, _) = equal(&base(&[(1, 6), (2, 9)]), &block).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(outcomes[2].output, [Some(8), Some(1)]);
    assert_eq!(changes, [(1, Some(Number(7))), (2, None), (3, Some(Number(8)))]);
}

#[test]
fn an_overflow_in_the_middle_hits_the_transaction_that_it_hits_in_order() {
    let credit = |sender: u8| names(&[sender], &[Op::Write(sender, 1), Op::Add(0, 10)]);
    let block: Vec<Listed> = (1..=6).map(credit).collect();
    let (outcomes, changes, end) = equal(&base(&[(0, u64::MAX - 35)]), &block).unwrap();
    assert_eq!(end, BlockEnd::Rejected { transaction: 3 });
    assert_eq!((outcomes.len(), changes.len()), (4, 0));
}

#[test]
fn a_counter_one_below_its_end_takes_one_more() {
    let burn = |sender: u8, amount| names(&[sender], &[Op::Write(sender, 1), Op::Add(0, amount)]);
    let block = [burn(1, 1), burn(2, 0), burn(3, 1), burn(4, 1)];
    let (_, _, end) = equal(&base(&[(0, u64::MAX - 1)]), &block).unwrap();
    assert_eq!(end, BlockEnd::Rejected { transaction: 2 });
}

#[test]
fn a_delta_that_does_not_fit_shows_even_where_nothing_of_it_is_left() {
    // Each adds what does not fit any more and then overwrites, deletes, rejects or goes on.
    for last in [Op::Write(0, 3), Op::Delete(0), Op::Reject, Op::Read(0), Op::Add(0, 1), Op::Gas(1)] {
        let block =
            [names(&[1], &[Op::Add(0, 10)]), names(&[2], &[Op::TryAdd(0, 10), last]), names(&[3], &[Op::Read(0)])];
        equal(&base(&[(0, u64::MAX - 15)]), &block).ok();
        equal(&base(&[(0, u64::MAX - 5)]), &block).ok();
    }
}

#[test]
fn a_panic_counts_only_on_what_is_true_in_order() {
    // Alone, the second one panics; after the first it does not.
    let block = [names(&[1], &[Op::Write(1, 8)]), names(&[2], &[Op::PanicIf(1, 7), Op::Write(2, 1)])];
    assert!(equal(&base(&[(1, 7)]), &block).is_ok());
    // The other way round the panic is real, with the transaction's index in the block, not in its batch.
    let block = [
        names(&[1], &[Op::Write(5, 1)]),
        names(&[1], &[Op::Write(1, 7)]),
        names(&[2], &[Op::PanicIf(1, 7)]),
        names(&[3], &[Op::Write(3, 1)]),
    ];
    let error = equal(&base(&[]), &block).unwrap_err();
    assert!(error.contains("Panicked { transaction: 2, message: \"key 1 holds 7\""), "{error}");
}

#[test]
fn nothing_after_the_end_of_a_block_counts() {
    let block = [names(&[1], &[Op::Reject]), names(&[2], &[Op::PanicIf(2, 5)]), names(&[3], &[Op::Read(66)])];
    let broken = Base { broken: Some(66), ..base(&[(2, 5)]) };
    let rejecting = equal_with(&forms(), &broken, &block, BlockPolicy::default()).unwrap();
    assert_eq!(rejecting.2, BlockEnd::Rejected { transaction: 0 });
}

#[test]
fn a_storage_failure_names_the_transaction_that_meets_it_in_order() {
    let touches = [
        Op::Read(66),
        Op::Write(66, 1),
        Op::Delete(66),
        Op::Add(66, 1),
        Op::TryAdd(66, 1),
        Op::Copy(66, 1),
        Op::SwallowRead(66),
    ];
    for touch in touches {
        for then in [Op::Gas(1), Op::Reject] {
            let block = [names(&[1], &[Op::Write(1, 1)]), names(&[2], &[touch, then]), names(&[3], &[Op::Read(66)])];
            let error = equal(&Base { broken: Some(66), ..Base::default() }, &block).unwrap_err();
            assert!(error.starts_with("Storage { transaction: 1"), "{touch:?}: {error}");
        }
    }
    // One that only a stale value leads to is none.
    let block = [names(&[1], &[Op::Write(1, 1)]), names(&[2], &[Op::RejectIf(1, 1), Op::Read(66)])];
    let broken = Base { broken: Some(66), ..Base::default() };
    let skipping = BlockPolicy { on_rejected: OnRejected::SkipInvalid, gas_limit: None };
    assert!(equal_with(&forms(), &broken, &block, skipping).is_ok());
}

#[test]
fn a_rejected_transaction_leaves_nothing_behind() {
    let block = [
        names(&[1], &[Op::Write(1, 1), Op::Delete(2), Op::Add(3, 1), Op::Reject]),
        names(&[2], &[Op::Read(1), Op::Read(2), Op::Read(3), Op::Write(4, 4)]),
    ];
    let base = base(&[(2, 2)]);
    let skipping = BlockPolicy { on_rejected: OnRejected::SkipInvalid, gas_limit: None };
    let (outcomes, changes, end) = equal_with(&forms(), &base, &block, skipping).unwrap();
    assert_eq!((end, changes), (BlockEnd::Complete, vec![(4, Some(Number(4)))]));
    assert_eq!(outcomes[1].output, [None, Some(2), None]);
    let (outcomes, changes, end) = equal(&base, &block).unwrap();
    assert_eq!((outcomes.len(), changes.len(), end), (1, 0, BlockEnd::Rejected { transaction: 0 }));
}

#[test]
fn the_gas_limit_ends_the_block_where_it_ends_in_order() {
    // The last but one uses gas only after what the one before it has written.
    let spend = |key: u8, gas| names(&[key], &[Op::Write(key, 1), Op::Gas(gas)]);
    let block = [spend(1, 10), spend(2, 10), names(&[3], &[Op::RejectIf(2, 1), Op::Gas(99)]), spend(4, 5), spend(5, 1)];
    for on_rejected in [OnRejected::SkipInvalid, OnRejected::RejectBlock] {
        for limit in 0..30 {
            equal_with(&forms(), &base(&[]), &block, BlockPolicy { on_rejected, gas_limit: Some(limit) }).unwrap();
        }
    }
    let skipping = BlockPolicy { on_rejected: OnRejected::SkipInvalid, gas_limit: Some(25) };
    let (_, changes, end) = equal_with(&forms(), &base(&[]), &block, skipping).unwrap();
    assert_eq!((changes.len(), end), (3, BlockEnd::GasLimit { transaction: 4 }));
}

#[test]
fn a_value_that_is_back_where_it_was_is_no_change() {
    let block = [
        names(&[1], &[Op::Write(1, 5), Op::Write(2, 5), Op::Write(3, 1)]),
        names(&[2], &[Op::Write(1, 7), Op::Delete(2), Op::Delete(3)]),
        names(&[3], &[Op::Read(4), Op::Write(5, 5)]),
    ];
    assert_eq!(equal(&base(&[(1, 7), (4, 4), (5, 5)]), &block).unwrap().1, []);
}

#[test]
fn an_empty_block_is_complete() {
    assert_eq!(equal(&base(&[(1, 1)]), &[]).unwrap(), (Vec::new(), Vec::new(), BlockEnd::Complete));
}

#[test]
fn transactions_are_grouped_until_the_first_common_name() {
    type Case<'c> = (&'c [&'c [u8]], &'c [(usize, usize)]);
    let table: [Case<'_>; 7] = [
        (&[], &[]),
        (&[&[1]], &[(0, 1)]),
        (&[&[1], &[2], &[3]], &[(0, 3)]),
        // Grouping is in order: what conflicts begins a new batch, and nothing moves past it.
        (&[&[1], &[1], &[2]], &[(0, 1), (1, 3)]),
        (&[&[1, 2], &[3, 4], &[4, 5], &[1, 2]], &[(0, 2), (2, 4)]),
        // Naming a key twice is no conflict with oneself, and naming none is none with anybody.
        (&[&[1, 1], &[], &[2, 1]], &[(0, 2), (2, 3)]),
        (&[&[1], &[1], &[1]], &[(0, 1), (1, 2), (2, 3)]),
    ];
    for (named, expected) in table {
        let groups = batches(named, |keys: &&[u8], name: &mut dyn FnMut(u8)| keys.iter().for_each(|key| name(*key)));
        let groups: Vec<_> = groups.into_iter().map(|group| (group.start, group.end)).collect();
        assert_eq!(groups, expected, "{named:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_block_gives_what_it_gives_in_order(
        block in prop::collection::vec(
            (prop::collection::vec(0..8_u8, 0..3), prop::collection::vec(any_op(), 0..5)), 0..12),
        numbers in prop::collection::btree_map(0..5_u8, prop_oneof![0..3_u64, Just(u64::MAX - 1)], 0..5),
        broken in prop::option::weighted(0.1, 0..5_u8),
        gas_limit in prop::option::of(0..8_u64),
        skips in any::<bool>(),
    ) {
        // Made once: threads cost more than these blocks.
        static FORMS: std::sync::OnceLock<[Form; 2]> = std::sync::OnceLock::new();
        let block: Vec<Listed> = block.into_iter().map(|(names, ops)| Listed { names, ops }).collect();
        let on_rejected = if skips { OnRejected::SkipInvalid } else { OnRejected::RejectBlock };
        let policy = BlockPolicy { on_rejected, gas_limit };
        equal_with(FORMS.get_or_init(forms), &Base { numbers, broken }, &block, policy).ok();
    }
}
