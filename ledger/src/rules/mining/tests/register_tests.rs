//! RegisterMiner (spec 6, B.1).

use super::world::*;
use crate::state::{AccountReputation, Counter, Miner, MinerRecord};
use crate::testing::{FEE, addr};
use crate::types::COIN;
use crate::wire::AiMiningPayload;

fn with_fee(registration_fee: u64) -> AiMiningPayload {
    AiMiningPayload::RegisterMiner { miner: addr(8), registration_fee }
}

#[test]
fn a_registration_makes_both_records_and_moves_no_money_but_the_fee() {
    let mut world = world();
    act(&mut world, 8, with_fee(7_000_000_000)).unwrap();
    let miner = Miner {
        registration_fee: 7_000_000_000,
        registered_at: 100,
        tasks_published: 0,
        answers_submitted: 0,
        validations_performed: 0,
        reputation: 500,
    };
    let reputation = AccountReputation {
        created_at: 100,
        stake_amount: 7_000_000_000,
        reputation_score: 3_000,
        ..AccountReputation::default()
    };
    assert_eq!(record(&world, 8), MinerRecord { miner, reputation });
    assert_eq!((world.balance(8), world.account(8).nonce), (COIN - FEE, 1));
    assert_eq!((world.counter(Counter::MiningMiners), world.counter(Counter::MiningTasks)), (1, 0));
    assert_eq!(clock(&world), NOW);
}

#[test]
fn a_registration_is_for_oneself_once_and_not_too_cheap() {
    let world = world();
    fails(&world, 8, with_fee(999_999_999));
    works(&world, 8, with_fee(1_000_000_000));
    works(&world, 8, with_fee(u64::MAX));
    fails(&world, 9, with_fee(1_000_000_000));
    let registered = works(&world, 8, register(8));
    fails(&registered, 8, register(8));
}
