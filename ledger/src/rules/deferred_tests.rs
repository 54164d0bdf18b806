//! Deferred credits and the end of a block (spec 7.1, 7.2).

use std::convert::Infallible;

use weft_storage::{StateReader, StorageError};

use crate::COIN;
use crate::error::TosError;
use crate::rules::{
    BlockContext, CreditVisibility, DeferredReader, FinishError, deferred_base, finish_block, merge_pending_credits,
};
use crate::signed::SignedTransaction;
use crate::state::{Account, ChangeSet, Counter, EnergyRecords, EnergyResource, Key, PendingUnfreeze, Value};
use crate::testing::sequential::execute_block;
use crate::testing::{FEE, World, addr, pay, sign, unsigned};
use crate::wire::{EnergyPayload, Payload, Transaction};

fn deferred(balances: &[(u64, u64)]) -> World {
    let mut world = World::new(balances);
    world.config.credit_visibility = CreditVisibility::Deferred;
    world
}

/// Executes a block on the base that this mode needs; an accepted one changes the world.
fn run(world: &mut World, block: &[SignedTransaction]) -> Result<(), (usize, TosError)> {
    let mut base = world.state.clone();
    for (key, value) in &world.state {
        if let (Key::Account(address), Some(pending)) = (key, deferred_base(Some(value))) {
            base.insert(Key::PendingCredit(*address), pending);
        }
    }
    let (receipts, mut changes) = execute_block(&world.vm(), block, &base);
    for (index, receipt) in receipts.iter().enumerate() {
        receipt.result.map_err(|error| (index, error))?;
    }
    finish_block(&world.context, &mut changes, |key| Ok::<_, Infallible>(world.state.get(key).cloned())).unwrap();
    assert!(!changes.keys().any(|key| matches!(key, Key::PendingCredit(_))));
    crate::state::apply_changes(&mut world.state, changes);
    Ok(())
}

fn payment(source: u64, nonce: u64, destination: u64, amount: u64) -> SignedTransaction {
    sign(source, Transaction { nonce, ..unsigned(source, pay(destination, amount)) })
}

#[test]
fn credits_arrive_after_the_block() {
    let mut world = deferred(&[(2, COIN), (3, FEE + 5)]);
    let block = [payment(2, 0, 3, 1000), payment(3, 0, 4, 5), payment(2, 1, 4, 0)];
    run(&mut world, &block).unwrap();
    assert_eq!((world.balance(2), world.balance(3), world.balance(4)), (COIN - 2 * FEE - 1000, 1000, 5));
    assert_eq!(world.counter(Counter::BlockHeight), 101);
}

#[test]
fn received_money_cannot_be_spent_in_the_block() {
    let block = [payment(2, 0, 3, 1000), payment(3, 0, 4, 6)];
    assert_eq!(run(&mut deferred(&[(2, COIN), (3, FEE + 5)]), &block), Err((1, TosError::InsufficientBalance)));
    let mut immediate = World::new(&[(2, COIN), (3, FEE + 5)]);
    run(&mut immediate, &block).unwrap();
    assert_eq!(immediate.balance(3), 999);
}

#[test]
fn a_receiver_exists_at_once_but_has_nothing_yet() {
    let mut world = deferred(&[(2, COIN)]);
    let block = [payment(2, 0, 3, COIN / 2), payment(3, 0, 4, 0)];
    assert_eq!(run(&mut world, &block), Err((1, TosError::InsufficientFee)));
    assert_eq!(run(&mut world, &block[1..]), Err((0, TosError::AccountNotFound)));
}

#[test]
fn an_overflow_belongs_to_the_first_whose_prefix_overflows() {
    // Account 4 spends in the block too, which must not make room: start and credits count.
    let mut world = deferred(&[(2, COIN), (3, COIN), (4, u64::MAX - 10)]);
    let block = [payment(4, 0, 2, 500), payment(2, 0, 4, 6), payment(3, 0, 4, 4), payment(2, 1, 4, 1)];
    assert_eq!(run(&mut world, &block), Err((3, TosError::Overflow)));
    run(&mut world, &block[..3]).unwrap();
    assert_eq!(world.balance(4), u64::MAX - 500 - FEE);
}

#[test]
fn a_withdrawal_is_a_credit_like_any_other() {
    let mut world = deferred(&[(2, FEE)]);
    let pending = vec![PendingUnfreeze { amount: COIN, expire_height: 0, from_delegation: false }];
    let records = EnergyRecords { pending, ..EnergyRecords::default() }.into();
    world.set_energy(2, EnergyResource { records, ..EnergyResource::default() });
    let withdraw = sign(2, unsigned(2, Payload::Energy(EnergyPayload::WithdrawUnfrozen)));
    let spend = payment(2, 1, 3, 1);
    assert_eq!(run(&mut world, &[withdraw.clone(), spend]), Err((1, TosError::InsufficientBalance)));
    run(&mut world, &[withdraw]).unwrap();
    assert_eq!(world.balance(2), COIN + FEE);
}

struct OneAccount;

impl StateReader<Key, Value> for OneAccount {
    fn read(&self, key: &Key) -> Result<Option<Value>, StorageError> {
        let account = Account { balance: 9, ..Account::default() };
        Ok((*key == Key::Account(addr(2))).then_some(Value::Account(account)))
    }
}

#[test]
fn the_reader_shows_start_balances() {
    let reader = DeferredReader(OneAccount);
    let pending = reader.read(&Key::PendingCredit(addr(2))).unwrap();
    assert_eq!(pending, deferred_base(OneAccount.read(&Key::Account(addr(2))).unwrap().as_ref()));
    assert!(pending.is_some());
    assert_eq!(reader.read(&Key::PendingCredit(addr(3))).unwrap(), None);
    assert_eq!(reader.read(&Key::Account(addr(3))).unwrap(), None);
}

#[test]
fn a_block_that_cannot_end_says_why() {
    let pending = |credits| crate::state::PendingCredits { start_balance: 0, credits };
    let changes =
        |credits| ChangeSet::from([(Key::PendingCredit(addr(2)), Some(Value::PendingCredit(pending(credits))))]);
    let account = |balance| Some(Value::Account(Account { balance, ..Account::default() }));
    let merge =
        |credits, base: Option<Value>| merge_pending_credits(&mut changes(credits), |_| Ok::<_, &str>(base.clone()));
    assert_eq!(merge(2, account(u64::MAX - 1)), Err(FinishError::CreditOverflow(addr(2))));
    assert_eq!(merge(1, account(u64::MAX - 1)), Ok(()));
    assert_eq!(merge(1, Some(Value::Counter(1))), Err(FinishError::Damaged(addr(2))));
    assert_eq!(merge_pending_credits(&mut changes(1), |_| Err("gone")), Err(FinishError::Base("gone")));
    let last = BlockContext { chain_id: 3, height: u64::MAX, ..BlockContext::default() };
    let end = finish_block(&last, &mut ChangeSet::new(), |_| Ok::<_, &str>(None));
    assert_eq!(end, Err(FinishError::Height(u64::MAX)));
}
