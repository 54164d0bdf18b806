//! What the random blocks must have in them, or they would show little.

use std::collections::BTreeSet;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use revm::context::result::{ExecutionResult, HaltReason};
use revm::primitives::hardfork::SpecId;

use crate::common::oracle;
use crate::program::{CONTRACTS, INITS, Target};
use crate::scene::Stage;
use crate::strategy::{Kind, scene};

/// What happened in a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Success,
    Revert,
    OutOfGas,
    OtherHalt,
    Logs,
    InvalidLeftOut,
    PoorSenderPays,
    /// A child that was not there is.
    ChildMade,
    /// A child that was there is not, or is empty again.
    ChildDestroyed,
    /// A child that was destroyed in this block is there again, with code.
    ChildMadeAgain,
    /// A contract that was destroyed in this block has money again.
    DestroyedAndPaid,
    StorageCleared,
    EmptyAccountRemoved,
    Delegated,
    DelegationEnded,
    BlobsPaid,
    CoinbaseSends,
}

fn events() -> BTreeSet<(bool, Event)> {
    let mut events = BTreeSet::new();
    let mut runner = TestRunner::deterministic();
    for _ in 0..3_000 {
        let scene = scene().new_tree(&mut runner).unwrap().current();
        let stage = Stage::new(&scene);
        let is_late = scene.spec.is_enabled_in(SpecId::CANCUN);
        let mut saw = |event| events.insert((is_late, event));
        let address = |target| stage.names.address(target).unwrap();
        let mut watched: Vec<_> = (0..CONTRACTS).map(|contract| address(Target::Contract(contract))).collect();
        for contract in 0..CONTRACTS {
            for init in 0..INITS {
                watched.extend([false, true].map(|salt| address(Target::Child(contract, init, salt))));
            }
        }
        let mut destroyed = BTreeSet::new();
        let mut world = stage.pre.clone();
        for action in &scene.actions {
            let before = world.clone();
            let tx = stage.transaction(action, |sender| world.accounts.get(&sender).map_or(0, |account| account.nonce));
            let caller = tx.caller;
            let Ok(result) = oracle::step(&stage.env, &mut world, tx) else {
                saw(Event::InvalidLeftOut);
                continue;
            };
            saw(match &result {
                ExecutionResult::Success { .. } => Event::Success,
                ExecutionResult::Revert { .. } => Event::Revert,
                ExecutionResult::Halt { reason: HaltReason::OutOfGas(_), .. } => Event::OutOfGas,
                ExecutionResult::Halt { .. } => Event::OtherHalt,
            });
            let mut if_so = |is_so: bool, event| is_so && saw(event);
            if_so(!result.logs().is_empty(), Event::Logs);
            if_so(caller == address(Target::Sender(4)), Event::PoorSenderPays);
            if_so(caller == stage.names.coinbase, Event::CoinbaseSends);
            if_so(matches!(action.kind, Kind::Blobs(_)) && is_late && action.to.is_ok(), Event::BlobsPaid);
            let empty = address(Target::Empty);
            let (was, is) = (before.accounts.contains_key(&empty), world.accounts.contains_key(&empty));
            if_so(was && !is, Event::EmptyAccountRemoved);
            for sender in (0..4).map(|sender| address(Target::Sender(sender))) {
                let code = |world: &crate::common::world::World| world.accounts[&sender].code_hash;
                let none = alloy_primitives::KECCAK256_EMPTY;
                if_so(code(&before) == none && code(&world) != none, Event::Delegated);
                if_so(code(&before) != none && code(&world) == none, Event::DelegationEnded);
            }
            for address in &watched {
                let has_code = |world: &crate::common::world::World| {
                    world
                        .accounts
                        .get(address)
                        .is_some_and(|account| account.code_hash != alloy_primitives::KECCAK256_EMPTY)
                };
                let (was, is) = (has_code(&before), has_code(&world));
                if was && !is {
                    destroyed.insert(*address);
                    if_so(true, Event::ChildDestroyed);
                }
                if_so(!was && is, Event::ChildMade);
                if_so(!was && is && destroyed.contains(address), Event::ChildMadeAgain);
                if let Some(account) = world.accounts.get(address) {
                    let is_paid = destroyed.contains(address) && !is && !account.balance.is_zero();
                    if_so(is_paid, Event::DestroyedAndPaid);
                    let had = before.accounts.get(address).map_or(0, |account| account.storage.len());
                    if_so(is && account.storage.len() < had, Event::StorageCleared);
                }
            }
        }
    }
    events
}

#[test]
fn random_blocks_have_everything_in_them() {
    use Event as E;
    let events = events();
    let both = [
        E::Success,
        E::OutOfGas,
        E::OtherHalt,
        E::Revert,
        E::Logs,
        E::InvalidLeftOut,
        E::PoorSenderPays,
        E::ChildMade,
        E::StorageCleared,
        E::EmptyAccountRemoved,
        E::CoinbaseSends,
    ];
    // EIP-6780 leaves nothing of the first, and the others came late.
    let early = [E::ChildDestroyed, E::ChildMadeAgain, E::DestroyedAndPaid];
    let late = [E::Delegated, E::DelegationEnded, E::BlobsPaid];
    let expected = both
        .into_iter()
        .flat_map(|event| [(false, event), (true, event)])
        .chain(early.map(|event| (false, event)))
        .chain(late.map(|event| (true, event)));
    let missing: Vec<_> = expected.filter(|event| !events.contains(event)).collect();
    assert!(missing.is_empty(), "never happened, (from Cancun on, what): {missing:?}");
}
