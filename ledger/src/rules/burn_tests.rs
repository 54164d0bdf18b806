//! Burns (spec 5.2).

use crate::error::TosError;
use crate::state::{Counter, Key, Value};
use crate::testing::{FEE, World};
use crate::types::Hash;
use crate::wire::{BurnPayload, Payload};

fn burn(amount: u64) -> Payload {
    Payload::Burn(BurnPayload { asset: Hash::default(), amount })
}

#[test]
fn burning_lowers_the_balance_and_raises_the_counter() {
    let mut world = World::new(&[(2, 1_000_000)]);
    world.state.insert(Key::Counter(Counter::TotalSupply), Value::Counter(77));
    let receipt = world.act(2, burn(10)).unwrap();
    assert_eq!((receipt.fee, receipt.burned), (FEE, 10));
    assert_eq!(world.balance(2), 1_000_000 - 10 - FEE);
    assert_eq!(world.counter(Counter::TotalBurned), 10);
    assert_eq!(world.counter(Counter::TotalSupply), 77);
}

#[test]
fn amounts_are_checked_in_order() {
    let mut world = World::new(&[(2, 1_000_000)]);
    assert_eq!(world.act(2, burn(0)), Err(TosError::InvalidAmount));
    assert_eq!(world.act(2, burn(u64::MAX)), Err(TosError::InvalidFormat));
    assert_eq!(world.act(2, burn(1_000_000 - FEE + 1)), Err(TosError::InsufficientBalance));
    assert!(world.act(2, burn(1_000_000 - FEE)).is_ok());
}

#[test]
fn an_overflowing_counter_rejects_the_burn() {
    let mut world = World::new(&[(2, 1_000_000)]);
    world.state.insert(Key::Counter(Counter::TotalBurned), Value::Counter(u64::MAX - 1));
    let before = world.clone();
    assert_eq!(world.act(2, burn(2)), Err(TosError::Overflow));
    assert_eq!(world, before);
    assert!(world.act(2, burn(1)).is_ok());
    assert_eq!(world.act(2, burn(1)), Err(TosError::Overflow));
}
