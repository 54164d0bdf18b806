//! Freezing, delegating, unfreezing, withdrawing (spec 5.4).

use std::sync::Arc;

use crate::COIN;
use crate::error::TosError;
use crate::rules::freeze::{energy_for, frozen_minus, frozen_plus};
use crate::state::{Counter, EnergyRecords, EnergyResource, FreezeRecord, Key, PendingUnfreeze, Value};
use crate::testing::{World, addr};
use crate::wire::{Delegation, EnergyPayload, Payload};

fn world() -> World {
    World::new(&[(2, 10 * COIN), (3, 0), (4, 0)])
}

fn freeze(amount: u64, days: u32) -> Payload {
    Payload::Energy(EnergyPayload::FreezeTos { amount, days })
}

fn delegate(entries: &[(u64, u64)], days: u32) -> Payload {
    let delegations =
        entries.iter().map(|(seed, amount)| Delegation { delegatee: addr(*seed), amount: *amount }).collect();
    Payload::Energy(EnergyPayload::FreezeTosDelegate { delegations, days })
}

fn unfreeze(amount: u64) -> Payload {
    Payload::Energy(EnergyPayload::UnfreezeTos { amount, from_delegation: false, record_index: None, delegatee: None })
}

const WITHDRAW: Payload = Payload::Energy(EnergyPayload::WithdrawUnfrozen);

fn fails(world: &World, payload: Payload) -> TosError {
    let mut after = world.clone();
    let error = after.act(2, payload).unwrap_err();
    assert_eq!(&after, world, "a failure changes nothing");
    error
}

fn resource(energy: u64, frozen_tos: u64, pending: &[(u64, u64)]) -> EnergyResource {
    let pending = pending
        .iter()
        .map(|(amount, expire_height)| PendingUnfreeze {
            amount: *amount,
            expire_height: *expire_height,
            from_delegation: false,
        })
        .collect();
    EnergyResource { energy, frozen_tos, records: Arc::new(EnergyRecords { pending, ..EnergyRecords::default() }) }
}

#[test]
fn frozen_totals_are_whole_and_saturate() {
    assert_eq!(frozen_plus(COIN + 7, 2 * COIN), 3 * COIN);
    assert_eq!(frozen_plus(u64::MAX, COIN), u64::MAX);
    // Just below the maximum the fraction is dropped instead.
    let whole = u64::MAX / COIN * COIN;
    assert_eq!(frozen_plus(whole - COIN + 5, COIN), whole);
    assert_eq!(frozen_minus(3 * COIN + 9, COIN), Some(2 * COIN));
    assert_eq!(frozen_minus(COIN - 1, COIN), None);
    assert_eq!(energy_for(u64::MAX, 365), u64::MAX / COIN * 730);
}

#[test]
fn freezing_gives_energy_and_appends_a_record() {
    let mut world = world();
    world.act(2, freeze(2 * COIN, 7)).unwrap();
    world.act(2, freeze(COIN, 7)).unwrap();
    let account = world.account(2);
    assert_eq!((account.balance, account.frozen, account.energy), (7 * COIN, 3 * COIN, 42));
    let resource = world.energy(2);
    assert_eq!((resource.frozen_tos, resource.energy), (3 * COIN, 42));
    // Devnet: ten blocks a day, from height 100. Equal durations are not merged.
    let record = |amount, energy_gained| FreezeRecord { amount, energy_gained, freeze_height: 100, unlock_height: 170 };
    assert_eq!(resource.records.freeze, [record(2 * COIN, 28), record(COIN, 14)]);
    assert_eq!(world.counter(Counter::TotalEnergy), 42);
}

#[test]
fn days_count_otherwise_on_other_chains() {
    let mut context = world().context;
    assert_eq!(context.blocks_per_day(), 10);
    context.chain_id = 0;
    assert_eq!(context.blocks_per_day(), 86_400);
}

#[test]
fn freeze_amounts_and_durations_have_limits() {
    let world = world();
    for amount in [0, COIN / 2, COIN + 1] {
        assert_eq!(fails(&world, freeze(amount, 7)), TosError::InvalidAmount);
    }
    for days in [0, 2, 366] {
        assert_eq!(fails(&world, freeze(COIN, days)), TosError::InvalidFormat);
    }
    assert_eq!(fails(&world, freeze(11 * COIN, 7)), TosError::InsufficientBalance);
    for (amount, days) in [(COIN, 3), (10 * COIN, 365)] {
        assert!(world.clone().act(2, freeze(amount, days)).is_ok());
    }
}

#[test]
fn there_is_no_limit_of_records() {
    let mut world = World::new(&[(2, 100 * COIN)]);
    for _ in 0..40 {
        world.act(2, freeze(COIN, 3)).unwrap();
    }
    assert_eq!(world.energy(2).records.freeze.len(), 40);
}

#[test]
fn each_energy_sum_can_overflow() {
    let mut full_account = world();
    full_account.edit(2, |account| account.energy = u64::MAX - 5);
    assert_eq!(fails(&full_account, freeze(COIN, 3)), TosError::Overflow);

    let mut full_resource = world();
    full_resource.set_energy(2, resource(u64::MAX - 5, 0, &[]));
    assert_eq!(fails(&full_resource, freeze(COIN, 3)), TosError::Overflow);

    let mut full_total = world();
    full_total.state.insert(Key::Counter(Counter::TotalEnergy), Value::Counter(u64::MAX - 5));
    assert_eq!(fails(&full_total, freeze(COIN, 3)), TosError::Overflow);
    assert_eq!(fails(&full_total, delegate(&[(3, COIN)], 3)), TosError::Overflow);

    let mut late = world();
    late.context.height = u64::MAX - 20;
    assert_eq!(fails(&late, freeze(COIN, 3)), TosError::Overflow);
}

#[test]
fn delegating_gives_the_energy_to_others() {
    let mut world = world();
    world.set_energy(4, resource(5, 0, &[]));
    world.act(2, delegate(&[(3, COIN), (4, 2 * COIN)], 10)).unwrap();
    let source = world.account(2);
    assert_eq!((source.balance, source.frozen, source.energy), (7 * COIN, 3 * COIN, 0));
    let own = world.energy(2);
    assert_eq!((own.frozen_tos, own.energy, own.records.delegated.len()), (3 * COIN, 0, 2));
    assert_eq!(own.records.delegated[1].delegatee, addr(4));
    assert_eq!((own.records.delegated[1].energy_gained, own.records.delegated[1].unlock_height), (40, 200));
    // Nobody gets a resource by it, but an existing one grows.
    assert_eq!((world.account(3).energy, world.account(3).has_energy), (20, false));
    assert_eq!((world.account(4).energy, world.energy(4).energy), (40, 45));
    assert_eq!(world.counter(Counter::TotalEnergy), 60);
}

/// Entries, days, and what is wrong with them.
type DelegationCase = (&'static [(u64, u64)], u32, TosError);

#[test]
fn delegations_are_checked_entry_by_entry() {
    let world = world();
    let cases: [DelegationCase; 10] = [
        (&[], 7, TosError::InvalidPayload),
        (&[(2, 0)], 2, TosError::InvalidFormat),
        (&[(2, 0)], 7, TosError::SelfOperation),
        (&[(3, COIN), (3, 0)], 7, TosError::InvalidPayload),
        (&[(9, 0)], 7, TosError::InvalidAmount),
        (&[(3, COIN + 1)], 7, TosError::InvalidAmount),
        (&[(3, COIN / 2)], 7, TosError::InvalidAmount),
        (&[(9, 100 * COIN)], 7, TosError::AccountNotFound),
        (&[(3, 6 * COIN), (4, 5 * COIN)], 7, TosError::InsufficientBalance),
        // The sum does not fit a balance at all.
        (&[(3, u64::MAX / COIN * COIN), (4, u64::MAX / COIN * COIN)], 7, TosError::InsufficientBalance),
    ];
    for (entries, days, error) in cases {
        assert_eq!(fails(&world, delegate(entries, days)), error, "{entries:?} {days}");
    }
    assert!(world.clone().act(2, delegate(&[(3, 5 * COIN), (4, 5 * COIN)], 7)).is_ok());
}

#[test]
fn a_delegatee_whose_energy_overflows_rejects_all() {
    let mut world = world();
    world.edit(4, |account| account.energy = u64::MAX);
    assert_eq!(fails(&world, delegate(&[(3, COIN), (4, COIN)], 7)), TosError::Overflow);
}

#[test]
fn unfreezing_moves_to_the_waiting_list_and_keeps_energy_and_records() {
    let mut world = world();
    world.act(2, freeze(3 * COIN, 7)).unwrap();
    world.act(2, unfreeze(COIN)).unwrap();
    let (account, resource) = (world.account(2), world.energy(2));
    assert_eq!((account.balance, account.frozen, account.energy), (7 * COIN, 2 * COIN, 42));
    assert_eq!((resource.frozen_tos, resource.energy, resource.records.freeze.len()), (2 * COIN, 42, 1));
    let pending = PendingUnfreeze { amount: COIN, expire_height: 240, from_delegation: false };
    assert_eq!(resource.records.pending, [pending]);
}

#[test]
fn unfreezing_is_checked() {
    let mut world = world();
    world.edit(2, |account| account.frozen = 2 * COIN);
    world.set_energy(2, resource(0, COIN, &[]));
    for amount in [0, COIN / 2, COIN + 1] {
        assert_eq!(fails(&world, unfreeze(amount)), TosError::InvalidAmount);
    }
    let stray = EnergyPayload::UnfreezeTos {
        amount: COIN,
        from_delegation: false,
        record_index: None,
        delegatee: Some(addr(3)),
    };
    assert_eq!(fails(&world, Payload::Energy(stray)), TosError::InvalidPayload);
    assert_eq!(fails(&world, unfreeze(3 * COIN)), TosError::InsufficientFrozen);
    assert_eq!(fails(&world, unfreeze(2 * COIN)), TosError::InsufficientFrozen, "the resource has less");

    world.set_energy(2, resource(0, 2 * COIN, &[(COIN, 900); 32]));
    assert_eq!(fails(&world, unfreeze(COIN)), TosError::InvalidPayload);
    world.set_energy(2, resource(0, 2 * COIN, &[(COIN, 900); 31]));
    assert!(world.act(2, unfreeze(COIN)).is_ok());
}

#[test]
fn without_a_resource_nothing_can_be_unfrozen() {
    let mut world = world();
    world.edit(2, |account| account.frozen = 2 * COIN);
    assert_eq!(fails(&world, unfreeze(COIN)), TosError::InsufficientFrozen);
}

#[test]
fn withdrawing_takes_what_has_expired() {
    let mut world = world();
    world.set_energy(2, resource(0, 0, &[(COIN, 100), (2 * COIN, 101), (4 * COIN, 99)]));
    world.act(2, WITHDRAW).unwrap();
    assert_eq!(world.balance(2), 15 * COIN);
    assert_eq!(world.energy(2).records.pending.len(), 1);
    // Nothing has expired now: a sum of 0 is a success.
    world.act(2, WITHDRAW).unwrap();
    assert_eq!((world.balance(2), world.account(2).nonce), (15 * COIN, 2));
}

#[test]
fn withdrawing_nothing_fails_and_overflow_changes_nothing() {
    assert_eq!(fails(&world(), WITHDRAW), TosError::InvalidPayload);
    let mut empty = world();
    empty.set_energy(2, resource(9, 0, &[]));
    assert_eq!(fails(&empty, WITHDRAW), TosError::InvalidPayload);

    let mut full = world();
    full.edit(2, |account| account.balance = u64::MAX - COIN + 1);
    full.set_energy(2, resource(0, 0, &[(COIN, 0)]));
    assert_eq!(fails(&full, WITHDRAW), TosError::Overflow);
    full.set_energy(2, resource(0, 0, &[(u64::MAX, 0), (1, 0)]));
    assert_eq!(fails(&full, WITHDRAW), TosError::Overflow);
}

#[test]
fn without_a_resource_everything_frozen_comes_back() {
    let mut world = world();
    world.edit(2, |account| account.frozen = 3 * COIN);
    world.act(2, WITHDRAW).unwrap();
    assert_eq!((world.balance(2), world.account(2).frozen), (13 * COIN, 0));
}
