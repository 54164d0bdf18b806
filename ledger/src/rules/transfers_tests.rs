//! Transfers (spec 5.1).

use std::collections::BTreeMap;

use smallvec::smallvec;

use crate::error::TosError;
use crate::rules::transfers::{MAX_EXTRA_DATA_BYTES, MAX_EXTRA_DATA_TOTAL_BYTES};
use crate::state::{Account, Key};
use crate::testing::sequential::{execute_block, execute_one};
use crate::testing::{FEE, World, addr, pay, sign, transfer, unsigned};
use crate::types::Hash;
use crate::wire::{Payload, Transaction, Transfer};

fn world() -> World {
    World::new(&[(2, 1_000_000), (3, 7)])
}

fn fails(world: &World, payload: Payload) -> TosError {
    let mut after = world.clone();
    let error = after.act(2, payload).unwrap_err();
    assert_eq!(&after, world, "a failure changes nothing");
    error
}

fn noted(destination: u64, extra: usize) -> Transfer {
    Transfer { extra_data: Some(vec![1; extra].into()), ..transfer(addr(destination), 1) }
}

#[test]
fn money_moves_and_existing_balances_are_added_to() {
    let mut world = world();
    world.act(2, pay(3, 50)).unwrap();
    assert_eq!((world.balance(2), world.balance(3)), (1_000_000 - 50 - FEE, 57));
    assert_eq!((world.account(2).nonce, world.account(3).nonce), (1, 0));
}

#[test]
fn a_transfer_of_nothing_creates_the_account() {
    let mut world = world();
    world.act(2, pay(4, 0)).unwrap();
    assert_eq!(world.account(4), Account::default());
}

#[test]
fn one_destination_may_repeat() {
    let mut world = world();
    world
        .act(2, Payload::Transfers(smallvec![transfer(addr(4), 1), transfer(addr(3), 2), transfer(addr(4), 3)]))
        .unwrap();
    assert_eq!((world.balance(4), world.balance(3)), (4, 9));
}

#[test]
fn any_asset_moves_tos() {
    let mut world = world();
    let entry = Transfer { asset: Hash([9; 32]), ..transfer(addr(3), 5) };
    world.act(2, Payload::Transfers(smallvec![entry])).unwrap();
    assert_eq!(world.balance(3), 12);
}

#[test]
fn oneself_is_no_destination() {
    assert_eq!(fails(&world(), pay(2, 1)), TosError::SelfOperation);
    // The first failing entry decides.
    let entries = smallvec![noted(3, MAX_EXTRA_DATA_BYTES + 1), transfer(addr(2), 1)];
    assert_eq!(fails(&world(), Payload::Transfers(entries)), TosError::InvalidPayload);
}

#[test]
fn sums_that_overflow_are_a_fee_error() {
    let entries = smallvec![transfer(addr(3), u64::MAX), transfer(addr(4), 1)];
    assert_eq!(fails(&world(), Payload::Transfers(entries)), TosError::InsufficientFee);
    assert_eq!(fails(&world(), pay(3, u64::MAX - FEE + 1)), TosError::InsufficientFee);
    assert_eq!(fails(&world(), pay(3, u64::MAX - FEE)), TosError::InsufficientBalance);
}

#[test]
fn the_balance_covers_amounts_and_fee_exactly() {
    assert_eq!(fails(&world(), pay(3, 1_000_000 - FEE + 1)), TosError::InsufficientBalance);
    let mut world = world();
    world.act(2, pay(3, 1_000_000 - FEE)).unwrap();
    assert_eq!(world.balance(2), 0);
}

#[test]
fn notes_are_limited_each_and_together() {
    let mut rich = world();
    rich.edit(2, |account| account.balance = u64::MAX / 2);
    let many = |count, extra| Payload::Transfers((0..count).map(|_| noted(3, extra)).collect());
    assert_eq!(fails(&rich, many(1, MAX_EXTRA_DATA_BYTES + 1)), TosError::InvalidPayload);
    let full = MAX_EXTRA_DATA_TOTAL_BYTES / MAX_EXTRA_DATA_BYTES;
    let submit = |world: &mut World, count: usize| {
        let transaction = Transaction { fee: 1_000_000, ..unsigned(2, many(count, MAX_EXTRA_DATA_BYTES)) };
        world.submit(2, transaction)
    };
    assert_eq!(submit(&mut rich, full + 1), Err(TosError::InvalidPayload));
    assert!(submit(&mut rich, full).is_ok());
}

#[test]
fn an_overflowing_credit_undoes_the_whole_transaction() {
    let mut world = world();
    world.set(4, Account { balance: u64::MAX - 2, ..Account::default() });
    // The first credit fits, the second does not.
    let entries = smallvec![transfer(addr(3), 1), transfer(addr(4), 2), transfer(addr(4), 1)];
    assert_eq!(fails(&world, Payload::Transfers(entries)), TosError::Overflow);
}

#[test]
fn only_the_source_is_read() {
    let world = world();
    let signed = sign(2, unsigned(2, Payload::Transfers(smallvec![transfer(addr(3), 1), transfer(addr(4), 1)])));
    let step = execute_one(&world.vm(), &signed, &world.state, &BTreeMap::new());
    assert_eq!(step.reads, 1);
    assert_eq!(step.changes.len(), 4, "source, two receivers, the fee counter");
}

#[test]
fn a_receiver_can_spend_and_starts_at_nonce_zero() {
    let world = world();
    let first = sign(2, unsigned(2, pay(4, 300_000)));
    let second = sign(4, unsigned(4, pay(3, 100)));
    let (receipts, changes) = execute_block(&world.vm(), &[first.clone(), second.clone()], &world.state);
    assert!(receipts.iter().all(|receipt| receipt.result.is_ok()));
    assert!(changes.contains_key(&Key::Account(addr(4))));
    let (receipts, changes) = execute_block(&world.vm(), &[second, first], &world.state);
    assert_eq!(receipts[0].result, Err(TosError::AccountNotFound));
    assert!(changes.is_empty());
}
