//! The dag baseline against the engine's sequential path, with exact sets and with wrong ones.

use proptest::prelude::*;
use weft_engine::recording::Access::{Add, Read, ReadWrite, Write};
use weft_engine::recording::{Access, BlockAccess, record};
use weft_engine::{BlockEnd, BlockPolicy, OnRejected, WorkerPool};

use super::{DagError, Places, Workers, execute};
use crate::listed::{Base, Comparable, ListVm, Listed, Number, Op, any_op, base, comparable, names, sequential};

const SKIPPING: BlockPolicy = BlockPolicy { on_rejected: OnRejected::SkipInvalid, gas_limit: None };

fn pool() -> &'static WorkerPool {
    static POOL: std::sync::OnceLock<WorkerPool> = std::sync::OnceLock::new();
    POOL.get_or_init(|| WorkerPool::new(4))
}

fn declared(
    base: &Base,
    block: &[Listed],
    access: &BlockAccess<u8>,
    policy: BlockPolicy,
    threads: usize,
    places: &mut Places<ListVm>,
) -> Result<Comparable, DagError> {
    // Every level is shared, so that nothing takes the sequential path but what has one thread only.
    let workers = Workers { pool: pool(), threads, worth_sharing: 1 };
    match execute(workers, &ListVm, base, block, access, policy, places) {
        Ok(done) => Ok(Ok((done.outcomes, done.changes, done.end))),
        Err(DagError::Block(error)) => Ok(Err(comparable(error))),
        Err(error) => Err(error),
    }
}

/// Gives what sequential execution gives, on one thread and on several, in places that are used again.
fn equal(base: &Base, block: &[Listed], policy: BlockPolicy) -> Comparable {
    let expected = sequential(base, block, policy);
    match record(&ListVm, base, block, policy) {
        Err(error) => assert_eq!(Err(comparable(error)), expected),
        Ok((access, _)) => {
            let mut places = Places::default();
            for threads in [4, 1, 2] {
                let got = declared(base, block, &access, policy, threads, &mut places);
                assert_eq!(got.unwrap(), expected, "{threads} threads, {policy:?}, {block:?}, {access:?}");
            }
        }
    }
    expected
}

#[test]
fn chains_and_shared_receivers_are_what_they_are_in_order() {
    let copy = |from, to| names(&[], &[Op::Copy(from, to)]);
    let chain: Vec<Listed> = (0..9).map(|at| copy(at % 3, (at + 1) % 3)).collect();
    let (_, changes, _) = equal(&base(&[(0, 100)]), &chain, SKIPPING).unwrap();
    assert_eq!(changes, [(0, Some(Number(109))), (1, Some(Number(107))), (2, Some(Number(108)))]);

    let mut shared: Vec<Listed> =
        (1..40).map(|sender| names(&[], &[Op::Copy(sender, sender), Op::Add(0, 10)])).collect();
    shared.insert(20, names(&[], &[Op::Read(0)]));
    let (outcomes, changes, _) = equal(&base(&[(0, 5)]), &shared, SKIPPING).unwrap();
    assert_eq!((changes[0].clone(), &outcomes[20].output), ((0, Some(Number(395))), &vec![Some(205)]));
}

#[test]
fn what_does_not_happen_leaves_what_was_there() {
    let block = [
        names(&[], &[Op::Write(1, 1), Op::Delete(2), Op::Add(3, 1), Op::Reject]),
        names(&[], &[Op::Read(1), Op::Read(2), Op::Read(3), Op::UndoneWrite(2, 9), Op::UndoneAdd(3, 9)]),
        names(&[], &[Op::Read(2), Op::Read(3), Op::Write(4, 4)]),
    ];
    let (outcomes, changes, _) = equal(&base(&[(2, 2)]), &block, SKIPPING).unwrap();
    assert_eq!(changes, [(4, Some(Number(4)))]);
    assert_eq!(outcomes[2].output, [Some(2), None]);
    let (outcomes, changes, end) = equal(&base(&[(2, 2)]), &block, BlockPolicy::default()).unwrap();
    assert_eq!((outcomes.len(), changes.len(), end), (1, 0, BlockEnd::Rejected { transaction: 0 }));
}

#[test]
fn a_checkpoint_can_be_come_back_to_again() {
    let block =
        [names(&[], &[Op::Write(1, 1), Op::UndoneTwice(2, 9), Op::UndoneTwice(1, 9)]), names(&[], &[Op::Read(1)])];
    let (outcomes, changes, _) = equal(&base(&[]), &block, SKIPPING).unwrap();
    assert_eq!((changes, &outcomes[1].output), (vec![(1, Some(Number(1)))], &vec![Some(1)]));
}

#[test]
fn the_transaction_that_the_gas_limit_ends_a_block_at_leaves_nothing() {
    let spend = |key: u8, gas| names(&[], &[Op::Write(key, 7), Op::Add(9, 1), Op::Gas(gas)]);
    // The last one writes, unread, what was added to before.
    let unread = names(&[], &[Op::Write(9, 77), Op::Gas(9)]);
    let block = [spend(1, 10), spend(1, 10), spend(2, 5), spend(1, 1), spend(4, 1), unread];
    for limit in 0..30 {
        let (outcomes, changes, _) =
            equal(&base(&[]), &block, BlockPolicy { gas_limit: Some(limit), ..SKIPPING }).unwrap();
        let total = changes.iter().find(|(key, _)| *key == 9).and_then(|(_, total)| total.clone());
        assert_eq!(total.map_or(0, |total| total.0), outcomes.len() as u64, "{limit}");
    }
}

#[test]
fn a_block_that_does_not_do_what_was_declared_has_no_result() {
    let numbers = base(&[(1, 1), (2, u64::MAX)]);
    let block = [names(&[], &[Op::Write(1, 5)]), names(&[], &[Op::Read(1), Op::Add(2, 1)])];
    type Declared<'d> = &'d [&'d [(u8, Access)]];
    let outcome = |accesses: Declared<'_>| {
        let access: BlockAccess<u8> = accesses.iter().map(|accesses| accesses.iter().copied()).collect();
        declared(&numbers, &block, &access, SKIPPING, 2, &mut Places::default())
    };
    let wrong: [(Declared<'_>, usize); 7] = [
        (&[&[], &[(1, Read), (2, Read)]], 0),
        (&[&[(1, Read)], &[(1, Read), (2, Read)]], 0),
        (&[&[(1, Write)], &[(2, Read)]], 1),
        (&[&[(1, Write)], &[(1, Add), (2, Read)]], 1),
        (&[&[(1, Write)], &[(1, Write), (2, Read)]], 1),
        // Too few transactions: nothing ends the block before the second.
        (&[&[(1, Write)]], 1),
        // Too many.
        (&[&[(1, Write)], &[(1, Read), (2, Read)], &[]], 2),
    ];
    for (accesses, culprit) in wrong {
        let error = outcome(accesses).unwrap_err();
        assert!(
            matches!(error, DagError::Undeclared { transaction } if transaction == culprit),
            "{error}: {accesses:?}"
        );
    }
    // More than is needed is as good as exact.
    let expected = sequential(&numbers, &block, SKIPPING);
    let generous: Declared<'_> = &[&[(7, ReadWrite), (1, ReadWrite)], &[(1, ReadWrite), (2, ReadWrite), (7, Add)]];
    for accesses in [&[&[(1, Write)][..], &[(1, Read), (2, Read)]], generous] {
        assert_eq!(outcome(accesses).unwrap(), expected);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_block_gives_what_it_gives_in_order(
        block in prop::collection::vec(prop::collection::vec(any_op(), 0..5), 0..16),
        numbers in prop::collection::btree_map(0..5_u8, prop_oneof![0..3_u64, Just(u64::MAX - 1)], 0..5),
        broken in prop::option::weighted(0.1, 0..5_u8),
        gas_limit in prop::option::of(0..8_u64),
        skips in any::<bool>(),
    ) {
        let block: Vec<Listed> = block.into_iter().map(|ops| Listed { names: Vec::new(), ops }).collect();
        let on_rejected = if skips { OnRejected::SkipInvalid } else { OnRejected::RejectBlock };
        equal(&Base { numbers, broken }, &block, BlockPolicy { on_rejected, gas_limit }).ok();
    }
}
