//! The samples are what they say: on both ways of execution, with equal results, states and gas.

mod world;

use proptest::collection::vec;
use proptest::prelude::*;

use super::samples::caller::OnFailure;
use super::samples::{
    BAD_INPUT, Sample, UNKNOWN_ENTRY, amm, caller, counter, gas_burner, many_reader, nft_mint, token, worker,
};
use super::{CallData, ContractVm, Event, Module, Run, SbpfSettings, SbpfVm, Trap};
use crate::types::{Address, Hash};
use world::{ALICE, BOB, CAROL, GAS, NOBODY, State, World, id, number, other_id};

/// One valid call of each entry, in the order of the entries.
fn calls(sample: Sample) -> Vec<Vec<u8>> {
    match sample {
        Sample::Token => vec![
            token::mint(&ALICE, 5),
            token::transfer(&BOB, 1),
            token::balance_of(&ALICE),
            token::approve(&ALICE, 2),
            token::transfer_from(&ALICE, &BOB, 1),
            token::allowance(&ALICE, &ALICE),
            token::total_supply(),
            token::owner(),
        ],
        Sample::Amm => {
            vec![amm::init(7, 1_000_000, 2_000_000), amm::swap(7, amm::Direction::AToB, 1000, 1), amm::reserves(7)]
        }
        Sample::Counter | Sample::AddCounter => vec![counter::increment(7, 3), counter::get(7)],
        Sample::NftMint => vec![nft_mint::mint(&ALICE), nft_mint::owner_of(0), nft_mint::transfer(0, &BOB)],
        Sample::GasBurner => vec![gas_burner::burn(7, 3), gas_burner::write(7, 3)],
        Sample::ManyReader => vec![many_reader::read(7, 10), many_reader::store(7, 10, 1), many_reader::set(7, 3)],
        Sample::Caller => vec![
            caller::call(OnFailure::Propagate, &id(Sample::AddCounter), &counter::increment(7, 3)),
            caller::call_self(OnFailure::Ignore, &[]),
        ],
        Sample::Worker => vec![worker::work(100)],
    }
}

#[test]
fn modules_are_these_bytes() {
    // A contract on a chain is its bytes: what changes them, in the samples or in the assembler, must be meant.
    let expected = [
        ("token", "9952df56091d73e60b50bae51bfe7da48812d4b4c0d08080c1f83d689aae72e5"),
        ("amm", "98b7315b99a908143d857d10fa362713d18d36ec6fb936b053e18fce9ea1180e"),
        ("counter", "c67dc32f933605fc6aed890b13312acf1936499298111e1b07e68d2408c8153e"),
        ("add_counter", "55cade21c6278912f2603b4333d665a01c0c55b89e530393cea7889e6b2b4686"),
        ("nft_mint", "305e4c5e265f40929474c54c657c5dccb9b5e506ef0535ae4fa06517b7ceb81f"),
        ("gas_burner", "c2d27c37d084955f39a9213f3c26cd504b7dada73f8a1d0e71b4b987d2ddd8f0"),
        ("many_reader", "de779177a86697b36b5c98e7ef9387016e0a652d274b3bce7d6211abf5443009"),
        ("caller", "d745657b113c4974551577a52ce2289f0057643d784f531d6e5679ed4f81fc23"),
        ("worker", "fba1ebbff101a46b2654c878d4bf2940c73e12a1dda696395cf7b75924b375ed"),
    ];
    let got = Sample::ALL.map(|sample| (sample.name(), sample.module().hash().to_string()));
    assert_eq!(got, expected.map(|(name, hash)| (name, hash.to_owned())));
    for sample in Sample::ALL {
        assert_eq!(super::assemble(sample.source()).unwrap(), sample.module().bytes());
        assert_eq!(SbpfVm::shared().check(&sample.module()), Ok(()));
    }
}

#[test]
fn wrong_inputs_are_exit_codes() {
    for sample in Sample::ALL {
        let mut world = World::new();
        assert_eq!(world.code(sample, vec![]), BAD_INPUT, "{sample:?}");
        for (entry, call) in calls(sample).into_iter().enumerate() {
            assert_eq!(usize::from(call[0]), entry, "{sample:?}");
            // A caller takes what follows its own arguments as the input of the contract that it calls.
            let fixed = match (sample, entry) {
                (Sample::Caller, 0) => 34,
                (Sample::Caller, _) => 2,
                _ => call.len(),
            };
            for length in 1..fixed {
                assert_eq!(world.code(sample, call[..length].to_vec()), BAD_INPUT, "{sample:?} {entry} {length}");
            }
            if sample != Sample::Caller {
                assert_eq!(world.code(sample, [&call[..], &[0]].concat()), BAD_INPUT, "{sample:?} {entry}");
            }
        }
        for entry in [calls(sample).len() as u8, 0xff] {
            assert_eq!(world.code(sample, vec![entry; 9]), UNKNOWN_ENTRY, "{sample:?} {entry}");
        }
        assert_eq!(world.construct(sample, ALICE, vec![1]), BAD_INPUT, "{sample:?}");
        assert_eq!(world.state, State::default(), "{sample:?}");
        assert_eq!(world.construct(sample, ALICE, vec![]), 0, "{sample:?}");
    }
}

#[test]
fn gas_of_calls() {
    let expected: [(Sample, &[u64]); 9] = [
        // mint, transfer, balance_of, approve, transfer_from, allowance, total_supply, owner
        (Sample::Token, &[16962, 11984, 1146, 5962, 18093, 1166, 1131, 1126]),
        // init, swap, reserves
        (Sample::Amm, &[11062, 13453, 2152]),
        // increment, get
        (Sample::Counter, &[6029, 1122]),
        (Sample::AddCounter, &[5016, 1122]),
        // mint, owner_of, transfer
        (Sample::NftMint, &[11905, 1125, 6915]),
        // burn, write
        (Sample::GasBurner, &[GAS, 10515]),
        // read and store of 10 values, set
        (Sample::ManyReader, &[10272, 15281, 5019]),
        // call of an increment of AddCounter, call_self
        (Sample::Caller, &[26272, 21357]),
        // 100 iterations
        (Sample::Worker, &[6831]),
    ];
    let mut table = Vec::new();
    for sample in Sample::ALL {
        let mut world = World::new();
        let mut used = Vec::new();
        for call in calls(sample) {
            let outcome = world.call(sample, ALICE, call);
            if outcome.run.end != Err(Trap::OutOfGas) {
                assert_eq!(outcome.code(), 0, "{sample:?}");
            }
            used.push(outcome.run.gas_used);
        }
        table.push((sample, used));
    }
    assert_eq!(table, expected.map(|(sample, used)| (sample, used.to_vec())));
}

#[test]
fn token_has_an_owner() {
    let mut world = World::new();
    assert_eq!(world.call(Sample::Token, ALICE, token::owner()).returned, b"");
    assert_eq!(world.construct(Sample::Token, ALICE, token::constructor(100)), 0);
    assert_eq!(world.call(Sample::Token, BOB, token::owner()).returned, ALICE.0);
    assert_eq!(world.stored(Sample::Token, token::owner_key()), Some(&ALICE.0[..]));
    assert_eq!(world.call(Sample::Token, BOB, token::total_supply()).returned_number(), 100);
    assert_eq!(world.call(Sample::Token, BOB, token::balance_of(&ALICE)).returned_number(), 100);

    assert_eq!(world.call(Sample::Token, BOB, token::mint(&BOB, 1)).code(), token::NOT_OWNER);
    // Each part of an address counts.
    for byte in [0, 8, 16, 24, 31] {
        let mut other = ALICE;
        other.0[byte] ^= 1;
        assert_eq!(world.call(Sample::Token, other, token::mint(&other, 1)).code(), token::NOT_OWNER);
    }
    assert_eq!(world.call(Sample::Token, ALICE, token::mint(&BOB, 1)).code(), 0);
    assert_eq!(world.number(Sample::Token, token::supply_key()), Some(101));
    assert_eq!(world.number(Sample::Token, token::balance_key(&BOB)), Some(1));

    // The supply fits; what would exceed it leaves nothing.
    let before = world.state.clone();
    let outcome = world.call(Sample::Token, ALICE, token::mint(&BOB, u64::MAX - 100));
    assert_eq!(outcome.code(), token::SUPPLY_OVERFLOW);
    assert_eq!(world.state, before);
    assert_eq!(world.call(Sample::Token, ALICE, token::mint(&BOB, u64::MAX - 101)).code(), 0);
    assert_eq!(world.call(Sample::Token, BOB, token::total_supply()).returned_number(), u64::MAX);
}

#[test]
fn token_without_a_constructor_belongs_to_the_first_minter() {
    let mut world = World::new();
    let outcome = world.call(Sample::Token, BOB, token::mint(&ALICE, 9));
    assert_eq!(outcome.code(), 0);
    assert_eq!(world.stored(Sample::Token, token::owner_key()), Some(&BOB.0[..]));
    assert_eq!(world.call(Sample::Token, ALICE, token::mint(&ALICE, 1)).code(), token::NOT_OWNER);
    let event = Event {
        contract: id(Sample::Token),
        topics: [token::transfer_topic(), NOBODY, Hash(ALICE.0)].into_iter().collect(),
        data: 9_u64.to_le_bytes().into(),
    };
    assert_eq!(outcome.events, [event]);
}

#[test]
fn token_moves() {
    let mut world = World::new();
    assert_eq!(world.construct(Sample::Token, ALICE, token::constructor(100)), 0);
    let outcome = world.call(Sample::Token, ALICE, token::transfer(&BOB, 30));
    assert_eq!(outcome.code(), 0);
    let event = |topic, from: Address, to: Address, amount: u64| Event {
        contract: id(Sample::Token),
        topics: [topic, Hash(from.0), Hash(to.0)].into_iter().collect(),
        data: amount.to_le_bytes().into(),
    };
    assert_eq!(outcome.events, [event(token::transfer_topic(), ALICE, BOB, 30)]);
    assert_eq!(world.number(Sample::Token, token::balance_key(&ALICE)), Some(70));
    assert_eq!(world.number(Sample::Token, token::balance_key(&BOB)), Some(30));
    assert_eq!(world.call(Sample::Token, CAROL, token::balance_of(&CAROL)).returned_number(), 0);

    let before = world.state.clone();
    assert_eq!(world.call(Sample::Token, BOB, token::transfer(&CAROL, 31)).code(), token::NO_BALANCE);
    assert_eq!(world.call(Sample::Token, CAROL, token::transfer(&CAROL, 1)).code(), token::NO_BALANCE);
    assert_eq!(world.state, before);
    // To oneself: all of it, no more.
    assert_eq!(world.call(Sample::Token, BOB, token::transfer(&BOB, 31)).code(), token::NO_BALANCE);
    assert_eq!(world.call(Sample::Token, BOB, token::transfer(&BOB, 30)).code(), 0);
    assert_eq!(world.number(Sample::Token, token::balance_key(&BOB)), Some(30));

    let outcome = world.call(Sample::Token, ALICE, token::approve(&BOB, 50));
    assert_eq!((outcome.code(), outcome.events), (0, vec![event(token::approval_topic(), ALICE, BOB, 50)]));
    assert_eq!(world.call(Sample::Token, CAROL, token::allowance(&ALICE, &BOB)).returned_number(), 50);
    assert_eq!(world.call(Sample::Token, CAROL, token::allowance(&BOB, &ALICE)).returned_number(), 0);
    let take = |amount| token::transfer_from(&ALICE, &CAROL, amount);
    assert_eq!(world.call(Sample::Token, BOB, take(51)).code(), token::NO_ALLOWANCE);
    assert_eq!(world.call(Sample::Token, CAROL, take(1)).code(), token::NO_ALLOWANCE);
    let outcome = world.call(Sample::Token, BOB, take(20));
    assert_eq!((outcome.code(), outcome.events), (0, vec![event(token::transfer_topic(), ALICE, CAROL, 20)]));
    assert_eq!(world.number(Sample::Token, token::allowance_key(&ALICE, &BOB)), Some(30));
    assert_eq!(world.number(Sample::Token, token::balance_key(&CAROL)), Some(20));
    // An allowance is no balance.
    assert_eq!(world.call(Sample::Token, ALICE, token::approve(&BOB, 60)).code(), 0);
    let before = world.state.clone();
    assert_eq!(world.call(Sample::Token, BOB, take(51)).code(), token::NO_BALANCE);
    assert_eq!(world.state, before);
    // Used up and removed: nothing is left.
    assert_eq!(world.call(Sample::Token, ALICE, token::approve(&BOB, 50)).code(), 0);
    assert_eq!(world.call(Sample::Token, BOB, take(50)).code(), 0);
    assert_eq!(world.stored(Sample::Token, token::allowance_key(&ALICE, &BOB)), None);
    assert_eq!(world.call(Sample::Token, ALICE, token::approve(&BOB, 50)).code(), 0);
    assert_eq!(world.call(Sample::Token, ALICE, token::approve(&BOB, 0)).code(), 0);
    assert_eq!(world.stored(Sample::Token, token::allowance_key(&ALICE, &BOB)), None);
}

#[test]
fn amm_swaps() {
    use amm::Direction::{AToB, BToA};
    let mut world = World::new();
    let swap = |pool, direction, amount, least| amm::swap(pool, direction, amount, least);
    assert_eq!(world.code(Sample::Amm, swap(1, AToB, 1, 0)), amm::NO_POOL);
    assert_eq!(world.code(Sample::Amm, amm::reserves(1)), amm::NO_POOL);
    for (a, b) in [(0, 1), (1, 0), (amm::MAX_RESERVE + 1, 1), (1, amm::MAX_RESERVE + 1), (u64::MAX, u64::MAX)] {
        assert_eq!(world.code(Sample::Amm, amm::init(1, a, b)), amm::BAD_RESERVE);
    }
    assert_eq!(world.code(Sample::Amm, amm::init(1, 1_000_000, 2_000_000)), 0);
    assert_eq!(world.code(Sample::Amm, amm::init(1, 1, 1)), amm::POOL_EXISTS);
    assert_eq!(world.code(Sample::Amm, amm::init(2, 10, 10)), 0);

    let mut direction = swap(1, AToB, 1000, 0);
    direction[9] = 2;
    assert_eq!(world.code(Sample::Amm, direction), BAD_INPUT);
    for amount in [0, amm::MAX_RESERVE - 1_000_000 + 1, amm::MAX_RESERVE + 1, u64::MAX] {
        assert_eq!(world.code(Sample::Amm, swap(1, AToB, amount, 0)), amm::BAD_AMOUNT, "{amount}");
    }
    // 2000000 * 1000 * 997 / (1000000 * 1000 + 1000 * 997) = 1992.01
    let before = world.state.clone();
    assert_eq!(world.code(Sample::Amm, swap(1, AToB, 1000, 1993)), amm::SLIPPAGE);
    assert_eq!(world.state, before);
    let outcome = world.call(Sample::Amm, BOB, swap(1, AToB, 1000, 1992));
    assert_eq!(outcome.returned_number(), 1992);
    let data: Vec<u8> = [1_u64, 0, 1000, 1992].into_iter().flat_map(u64::to_le_bytes).collect();
    let event = Event {
        contract: id(Sample::Amm),
        topics: [amm::swap_topic()].into_iter().collect(),
        data: data.into_boxed_slice(),
    };
    assert_eq!(outcome.events, [event]);
    assert_eq!(world.number(Sample::Amm, amm::reserve_a_key(1)), Some(1_001_000));
    assert_eq!(world.number(Sample::Amm, amm::reserve_b_key(1)), Some(1_998_008));
    let outcome = world.call(Sample::Amm, BOB, swap(1, BToA, 1992, 0));
    assert_eq!(outcome.returned_number(), 994);
    let outcome = world.call(Sample::Amm, BOB, amm::reserves(1));
    assert_eq!(outcome.returned, [1_000_006_u64.to_le_bytes(), 2_000_000_u64.to_le_bytes()].concat());
    // Another pool does not notice; the most goes in.
    assert_eq!(world.number(Sample::Amm, amm::reserve_a_key(2)), Some(10));
    let outcome = world.call(Sample::Amm, BOB, swap(2, BToA, amm::MAX_RESERVE - 10, 0));
    assert_eq!(outcome.returned_number(), 9);
}

#[test]
fn counters_count() {
    for sample in [Sample::Counter, Sample::AddCounter] {
        let mut world = World::new();
        assert_eq!(world.call(sample, ALICE, counter::get(1)).returned_number(), 0);
        assert_eq!(world.code(sample, counter::increment(1, 5)), 0);
        assert_eq!(world.code(sample, counter::increment(1, 6)), 0);
        assert_eq!(world.code(sample, counter::increment(2, 7)), 0);
        assert_eq!(world.call(sample, ALICE, counter::get(1)).returned_number(), 11);
        assert_eq!(world.number(sample, counter::counter_key(2)), Some(7));
        assert_eq!(world.code(sample, counter::increment(1, u64::MAX - 10)), counter::OVERFLOW);
        assert_eq!(world.code(sample, counter::increment(1, u64::MAX - 11)), 0);
        assert_eq!(world.call(sample, ALICE, counter::get(1)).returned_number(), u64::MAX);
        assert_eq!(world.code(sample, counter::increment(1, 1)), counter::OVERFLOW);
        assert!(world.state.events.is_empty());
    }
}

#[test]
fn things_are_minted_one_after_another() {
    let mut world = World::new();
    assert_eq!(world.code(Sample::NftMint, nft_mint::owner_of(0)), nft_mint::NO_SUCH);
    assert_eq!(world.code(Sample::NftMint, nft_mint::transfer(0, &BOB)), nft_mint::NO_SUCH);
    let event = |from: Hash, to: Address, number: u64| Event {
        contract: id(Sample::NftMint),
        topics: [nft_mint::transfer_topic(), from, Hash(to.0)].into_iter().collect(),
        data: number.to_le_bytes().into(),
    };
    for (number, owner) in [ALICE, BOB, ALICE].into_iter().enumerate() {
        let outcome = world.call(Sample::NftMint, CAROL, nft_mint::mint(&owner));
        assert_eq!(outcome.returned_number(), number as u64);
        assert_eq!(outcome.events, [event(NOBODY, owner, number as u64)]);
    }
    assert_eq!(world.number(Sample::NftMint, nft_mint::next_key()), Some(3));
    assert_eq!(world.stored(Sample::NftMint, nft_mint::owner_key(1)), Some(&BOB.0[..]));
    assert_eq!(world.call(Sample::NftMint, CAROL, nft_mint::owner_of(1)).returned, BOB.0);

    assert_eq!(world.call(Sample::NftMint, ALICE, nft_mint::transfer(1, &ALICE)).code(), nft_mint::NOT_OWNER);
    for byte in [0, 8, 16, 24, 31] {
        let mut other = BOB;
        other.0[byte] ^= 1;
        assert_eq!(world.call(Sample::NftMint, other, nft_mint::transfer(1, &ALICE)).code(), nft_mint::NOT_OWNER);
    }
    let outcome = world.call(Sample::NftMint, BOB, nft_mint::transfer(1, &CAROL));
    assert_eq!((outcome.code(), outcome.events), (0, vec![event(Hash(BOB.0), CAROL, 1)]));
    assert_eq!(world.call(Sample::NftMint, BOB, nft_mint::transfer(1, &CAROL)).code(), nft_mint::NOT_OWNER);
    assert_eq!(world.call(Sample::NftMint, CAROL, nft_mint::owner_of(1)).returned, CAROL.0);

    world.put(Sample::NftMint, nft_mint::next_key(), u64::MAX - 1);
    assert_eq!(world.call(Sample::NftMint, CAROL, nft_mint::mint(&BOB)).returned_number(), u64::MAX - 1);
    assert_eq!(world.code(Sample::NftMint, nft_mint::mint(&BOB)), nft_mint::ALL_USED);
}

#[test]
fn gas_burner_leaves_nothing() {
    let mut world = World::new();
    assert_eq!(world.code(Sample::GasBurner, gas_burner::write(1, 5)), 0);
    assert_eq!(world.code(Sample::GasBurner, gas_burner::write(1, 6)), 0);
    assert_eq!(world.number(Sample::GasBurner, gas_burner::value_key(1)), Some(6));
    assert_eq!(world.number(Sample::GasBurner, gas_burner::sum_key(1)), Some(11));
    let transient = &world.state.transient[&(id(Sample::GasBurner), gas_burner::value_key(1))];
    assert_eq!(number(transient.as_slice()), 6);
    let event = Event {
        contract: id(Sample::GasBurner),
        topics: std::iter::empty().collect(),
        data: 6_u64.to_le_bytes().into(),
    };
    assert_eq!(world.state.events[1..], [event]);
    assert_eq!(world.code(Sample::GasBurner, gas_burner::write(1, 0)), gas_burner::ZERO);
    assert_eq!(world.code(Sample::GasBurner, gas_burner::write(1, u64::MAX)), gas_burner::OVERFLOW);

    let before = world.state.clone();
    for entry in [gas_burner::burn(1, 7), gas_burner::burn(2, 7)] {
        let outcome = world.call(Sample::GasBurner, ALICE, entry);
        assert_eq!(outcome.run, Run { gas_used: GAS, end: Err(Trap::OutOfGas) });
        assert_eq!(world.state, before);
    }
    // With any budget: compiled and interpreted end at the same place.
    let enough = world.call(Sample::GasBurner, ALICE, gas_burner::write(1, 1)).run.gas_used;
    let call = |input| CallData { contract: id(Sample::GasBurner), input, ..CallData::default() };
    for gas in (0..enough).step_by(7).chain([enough - 1]) {
        let outcome = world.run(&call(gas_burner::write(1, 1)), gas);
        assert_eq!(outcome.run, Run { gas_used: gas, end: Err(Trap::OutOfGas) });
    }
    assert_eq!(world.run(&call(gas_burner::write(1, 1)), enough).code(), 0);
}

#[test]
fn many_values_are_read() {
    let mut world = World::new();
    for id in 0..many_reader::MOST {
        assert_eq!(world.code(Sample::ManyReader, many_reader::set(id, id * id + 1)), 0);
    }
    let checksum = |ids: std::ops::Range<u64>| many_reader::checksum(ids.map(|id| id * id + 1));
    for count in [0, 1, 2, 10, many_reader::MOST] {
        let outcome = world.call(Sample::ManyReader, ALICE, many_reader::read(0, count));
        assert_eq!(outcome.returned_number(), checksum(0..count));
    }
    let outcome = world.call(Sample::ManyReader, ALICE, many_reader::store(3, 5, 1000));
    assert_eq!(outcome.returned_number(), checksum(3..8));
    assert_eq!(world.number(Sample::ManyReader, many_reader::value_key(1000)), Some(checksum(3..8)));
    // Where nothing is, 0 is read; after the last id comes the first.
    let outcome = world.call(Sample::ManyReader, ALICE, many_reader::read(u64::MAX, 2));
    assert_eq!(outcome.returned_number(), 1);
    let outcome = world.call(Sample::ManyReader, ALICE, many_reader::read(199, 2));
    assert_eq!(outcome.returned_number(), (199 * 199 + 1) * 31);
    for count in [many_reader::MOST + 1, u64::MAX] {
        assert_eq!(world.code(Sample::ManyReader, many_reader::read(0, count)), many_reader::TOO_MANY);
        assert_eq!(world.code(Sample::ManyReader, many_reader::store(0, count, 0)), many_reader::TOO_MANY);
    }
}

/// What calls give where there is no exit code (docs/contracts.md).
const NOT_FOUND: u64 = u64::MAX;
const REENTRANT: u64 = u64::MAX - 1;
const TRAPPED: u64 = u64::MAX - 3;

#[test]
fn caller_calls() {
    let mut world = World::new();
    let mut begun = 0;
    let mut check = |world: &mut World, input: &[u8], target: Hash, gave: u64, output: &[u8]| {
        let before = world.state.clone();
        let outcome = world.call(Sample::Caller, ALICE, caller::call(OnFailure::Propagate, &target, input));
        assert_eq!(outcome.code(), if gave > u64::MAX - 15 { caller::NO_EXIT_CODE } else { gave });
        if gave != 0 {
            assert_eq!(world.state, before);
        } else {
            begun += 1;
        }
        let outcome = world.call(Sample::Caller, ALICE, caller::call(OnFailure::Ignore, &target, input));
        begun += 1;
        assert_eq!(outcome.code(), 0);
        assert_eq!(outcome.returned, [&gave.to_le_bytes()[..], output].concat());
        assert_eq!(world.number(Sample::Caller, caller::before_key()), Some(begun));
        assert_eq!(world.number(Sample::Caller, caller::after_key()), Some(gave));
    };
    let counter_id = id(Sample::Counter);
    check(&mut world, &counter::increment(1, 5), counter_id, 0, b"");
    assert_eq!(world.number(Sample::Counter, counter::counter_key(1)), Some(10));
    check(&mut world, &counter::get(1), counter_id, 0, &10_u64.to_le_bytes());
    check(&mut world, &counter::increment(1, u64::MAX), counter_id, counter::OVERFLOW, b"");
    check(&mut world, b"", counter_id, BAD_INPUT, b"");
    check(&mut world, b"", NOBODY, NOT_FOUND, b"");
    check(&mut world, b"", id(Sample::Caller), REENTRANT, b"");

    // The contract that is called sees the caller contract, not who signs.
    let call = caller::call(OnFailure::Propagate, &id(Sample::Token), &token::mint(&BOB, 7));
    assert_eq!(world.call(Sample::Caller, ALICE, call).code(), 0);
    assert_eq!(world.stored(Sample::Token, token::owner_key()), Some(&id(Sample::Caller).0[..]));
    // The flag is one of two.
    let mut call = caller::call(OnFailure::Propagate, &counter_id, b"");
    call[1] = 2;
    assert_eq!(world.code(Sample::Caller, call), BAD_INPUT);

    let outcome = world.call(Sample::Caller, ALICE, caller::call_self(OnFailure::Ignore, b"anything"));
    assert_eq!(outcome.returned, REENTRANT.to_le_bytes());
    assert_eq!(world.code(Sample::Caller, caller::call_self(OnFailure::Propagate, b"")), caller::NO_EXIT_CODE);
}

#[test]
fn caller_survives_a_trap() {
    let mut world = World::new();
    let input = gas_burner::burn(1, 5);
    let target = id(Sample::GasBurner);
    let before = world.state.clone();
    // The callee has used up everything; nothing is left to go on with.
    let outcome = world.call(Sample::Caller, ALICE, caller::call(OnFailure::Ignore, &target, &input));
    assert_eq!(outcome.run, Run { gas_used: GAS, end: Err(Trap::OutOfGas) });
    assert_eq!(world.state, before);

    // A callee that cannot be executed leaves the gas.
    let broken = other_id(Sample::Caller, 1);
    world.contracts.insert(broken, Module::new(*b"no module"));
    let outcome = world.call(Sample::Caller, ALICE, caller::call(OnFailure::Ignore, &broken, &input));
    assert_eq!(outcome.returned_number(), TRAPPED);
}

#[test]
fn callers_make_chains() {
    let mut world = World::new();
    let links: Vec<_> = (1..4).map(|number| other_id(Sample::Caller, number)).collect();
    for link in &links {
        world.contracts.insert(*link, Sample::Caller.module());
    }
    let all = [&links[..], &[id(Sample::Counter)]].concat();
    let chain = caller::chain(OnFailure::Propagate, &all, &counter::increment(1, 5));
    let outcome = world.call(Sample::Caller, ALICE, chain);
    assert_eq!((outcome.code(), outcome.returned), (0, vec![0; 8 * all.len()]));
    assert_eq!(world.number(Sample::Counter, counter::counter_key(1)), Some(5));
    for link in &links {
        assert_eq!(world.stored_by(*link, caller::before_key()), Some(&1_u64.to_le_bytes()[..]));
    }
    // A failure at the end of it undoes all of it, or nothing but itself.
    let before = world.state.clone();
    let chain = caller::chain(OnFailure::Propagate, &all, &counter::increment(1, u64::MAX));
    assert_eq!(world.code(Sample::Caller, chain), counter::OVERFLOW);
    assert_eq!(world.state, before);
    let chain = caller::chain(OnFailure::Ignore, &all, &counter::increment(1, u64::MAX));
    assert_eq!(world.code(Sample::Caller, chain), 0);
    assert_eq!(world.stored_by(links[2], caller::after_key()), Some(&counter::OVERFLOW.to_le_bytes()[..]));
    assert_eq!(world.stored_by(links[1], caller::after_key()), Some(&0_u64.to_le_bytes()[..]));
    // A circle ends where it would close.
    let circle = [&links[..], &[id(Sample::Caller)]].concat();
    let chain = caller::chain(OnFailure::Propagate, &circle, &counter::increment(1, 5));
    assert_eq!(world.code(Sample::Caller, chain), caller::NO_EXIT_CODE);
    let chain = caller::chain(OnFailure::Ignore, &circle, &counter::increment(1, 5));
    assert_eq!(world.code(Sample::Caller, chain), 0);
    assert_eq!(world.stored_by(links[2], caller::after_key()), Some(&REENTRANT.to_le_bytes()[..]));
}

#[test]
fn long_outputs_are_cut() {
    // A contract that returns 2000 bytes of its stack.
    let source = "mov64 r1, r10\nadd64 r1, -2000\nmov64 r2, 2000\nsyscall set_return_data\nexit";
    let mut world = World::new();
    world.contracts.insert(NOBODY, Module::new(super::assemble(source).unwrap()));
    let outcome = world.call(Sample::Caller, ALICE, caller::call(OnFailure::Propagate, &NOBODY, b""));
    assert_eq!((outcome.code(), outcome.returned.len()), (0, 8 + 1024));
}

#[test]
fn worker_works_for_each_caller() {
    let mut world = World::new();
    let steps = |from, count| (0..count).fold(from, |value, _| worker::step(value));
    for count in [0, 1, 1000] {
        assert_eq!(world.call(Sample::Worker, ALICE, worker::work(count)).code(), 0);
    }
    assert_eq!(world.call(Sample::Worker, BOB, worker::work(5)).code(), 0);
    assert_eq!(world.number(Sample::Worker, worker::value_key(&ALICE)), Some(steps(0, 1001)));
    assert_eq!(world.number(Sample::Worker, worker::value_key(&BOB)), Some(steps(0, 5)));
    assert_eq!(world.state.storage.len(), 2);
    let outcome = world.call(Sample::Worker, ALICE, worker::work(u64::MAX));
    assert_eq!(outcome.run, Run { gas_used: GAS, end: Err(Trap::OutOfGas) });
}

/// `cargo test --release -p weft-ledger how_long_work_takes -- --ignored --nocapture`
#[test]
#[ignore = "a measurement"]
#[allow(clippy::print_stdout)]
fn how_long_work_takes() {
    let vm = SbpfVm::new(SbpfSettings::default());
    let world = World::new();
    for iterations in [0, 100, 1_000, 3_000, 10_000, 30_000, 100_000] {
        let call = CallData { contract: id(Sample::Worker), input: worker::work(iterations), ..CallData::default() };
        let mut least = std::time::Duration::MAX;
        for _ in 0..1000 {
            let start = std::time::Instant::now();
            let (outcome, _) = world.run_on(&vm, &call, GAS);
            least = least.min(start.elapsed());
            assert_eq!(outcome.code(), 0);
        }
        println!("{iterations} iterations: {least:?}");
    }
}

/// A number of any magnitude.
fn any_size() -> impl Strategy<Value = u64> {
    (any::<u64>(), 0..64_u32).prop_map(|(number, shift)| number >> shift)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn amm_is_its_model(
        a in any_size(),
        b in any_size(),
        swaps in vec((any::<bool>(), any_size(), prop_oneof![Just(0), any_size()]), 0..20),
    ) {
        let mut world = World::new();
        let valid = |reserve: u64| (1..=amm::MAX_RESERVE).contains(&reserve);
        let made = world.code(Sample::Amm, amm::init(7, a, b));
        prop_assert_eq!(made, if valid(a) && valid(b) { 0 } else { amm::BAD_RESERVE });
        let mut reserves = [u128::from(a), u128::from(b)];
        for (b_to_a, amount, least) in swaps {
            let direction = if b_to_a { amm::Direction::BToA } else { amm::Direction::AToB };
            let outcome = world.call(Sample::Amm, ALICE, amm::swap(7, direction, amount, least));
            if made != 0 {
                prop_assert_eq!(outcome.code(), amm::NO_POOL);
                continue;
            }
            let [into, out_of] = if b_to_a { [1, 0] } else { [0, 1] };
            let fed = u128::from(amount) * 997;
            let out = reserves[out_of] * fed / (reserves[into] * 1000 + fed);
            let expected = if amount == 0 || reserves[into] + u128::from(amount) > u128::from(amm::MAX_RESERVE) {
                amm::BAD_AMOUNT
            } else if out < u128::from(least) {
                amm::SLIPPAGE
            } else {
                0
            };
            prop_assert_eq!(outcome.code(), expected);
            if expected == 0 {
                prop_assert_eq!(u128::from(outcome.returned_number()), out);
                let product = reserves[0] * reserves[1];
                reserves[into] += u128::from(amount);
                reserves[out_of] -= out;
                prop_assert!(reserves[0] * reserves[1] >= product);
            }
            let stored = [amm::reserve_a_key(7), amm::reserve_b_key(7)]
                .map(|key| u128::from(world.number(Sample::Amm, key).unwrap()));
            prop_assert_eq!(stored, reserves);
        }
    }

    #[test]
    fn tokens_are_conserved(
        supply in any_size(),
        calls in vec((0..4_u8, 0..4_u8, 0..4_u8, 0..4_usize, any_size()), 0..40),
    ) {
        let account = |number: u8| Address([number + 1; 32]);
        let mut world = World::new();
        prop_assert_eq!(world.construct(Sample::Token, account(0), token::constructor(supply)), 0);
        let mut balances = [supply, 0, 0, 0];
        let mut allowed = [[0_u64; 4]; 4];
        for (who, from, to, what, amount) in calls {
            let [w, f, t] = [who, from, to].map(usize::from);
            let (input, expected) = match what {
                0 => {
                    let supply = balances.iter().sum::<u64>();
                    let code = match (w, supply.checked_add(amount)) {
                        (1.., _) => token::NOT_OWNER,
                        (_, None) => token::SUPPLY_OVERFLOW,
                        (_, Some(_)) => {
                            balances[t] += amount;
                            0
                        }
                    };
                    (token::mint(&account(to), amount), code)
                }
                1 => {
                    let code = if balances[w] < amount {
                        token::NO_BALANCE
                    } else {
                        balances[w] -= amount;
                        balances[t] += amount;
                        0
                    };
                    (token::transfer(&account(to), amount), code)
                }
                2 => {
                    allowed[w][t] = amount;
                    (token::approve(&account(to), amount), 0)
                }
                _ => {
                    let code = if allowed[f][w] < amount {
                        token::NO_ALLOWANCE
                    } else if balances[f] < amount {
                        token::NO_BALANCE
                    } else {
                        allowed[f][w] -= amount;
                        balances[f] -= amount;
                        balances[t] += amount;
                        0
                    };
                    (token::transfer_from(&account(from), &account(to), amount), code)
                }
            };
            prop_assert_eq!(world.call(Sample::Token, account(who), input).code(), expected);
        }
        for number in 0..4 {
            let stored = world.number(Sample::Token, token::balance_key(&account(number))).unwrap_or(0);
            prop_assert_eq!(stored, balances[usize::from(number)]);
            for spender in 0..4 {
                let key = token::allowance_key(&account(number), &account(spender));
                let stored = world.number(Sample::Token, key).unwrap_or(0);
                prop_assert_eq!(stored, allowed[usize::from(number)][usize::from(spender)]);
            }
        }
        let stored = world.number(Sample::Token, token::supply_key());
        prop_assert_eq!(stored, Some(balances.iter().sum()));
    }
}
