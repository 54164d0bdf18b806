//! `storage_add`: additions that meet each other, other writes, and the end of the number's range.

use weft_ledger::contract::samples::{Sample, counter};
use weft_ledger::rules::CallEnd;

use super::common::contracts::*;
use super::common::*;

const FULL: CallEnd = CallEnd::Reverted { code: 1 };

fn add(seed: u64, amount: u64) -> weft_ledger::SignedTransaction {
    tx(seed, 0, at_purse(purse_input::add(b'n', amount)))
}

/// No addition reads the sum, so each alone fits, and together they do not: the first that does not fit is told so.
#[test]
fn additions_that_overflow_together_fail_from_the_same_one_on() {
    let contract = *purse().hash();
    for room in [0, 9, 10, 45, 205] {
        let mut world = contract_world();
        put_bytes(&mut world, &contract, b"n", &(u64::MAX - room).to_le_bytes());
        let transactions: Vec<_> = (1..=30).map(|seed| add(seed, 10)).collect();
        let fit = usize::try_from(room / 10).unwrap();
        for settings in all_settings() {
            let block = agree(settings, &world, &transactions);
            let expected: Vec<_> = (0..30).map(|at| if at < fit { CallEnd::Success } else { FULL }).collect();
            assert_eq!(ended(&block), expected, "room for {room}");
            assert_eq!(number(&after(&world, &block), &contract, b"n"), u64::MAX - room % 10);
        }
    }
}

/// A smaller one that stands behind may fit, and so may all behind a write or a removal.
#[test]
fn additions_fit_again_after_the_number_got_smaller() {
    let contract = *purse().hash();
    let mut world = contract_world();
    put_bytes(&mut world, &contract, b"n", &(u64::MAX - 15).to_le_bytes());
    let call_of = |seed, input| tx(seed, 0, at_purse(input));
    let transactions = [
        add(1, 10),
        add(2, 6),
        add(3, 5),
        add(4, 1),
        call_of(5, purse_input::set(b'n', &100_u64.to_le_bytes())),
        add(6, u64::MAX - 100),
        add(7, 1),
        call_of(8, purse_input::delete(b'n')),
        add(9, 3),
        call_of(10, purse_input::add_and_look(b'n', 4)),
        call_of(11, purse_input::set(b'n', b"seven b")),
        add(12, 0),
        call_of(13, purse_input::delete(b'n')),
        add(14, 2),
    ];
    for settings in all_settings() {
        let block = agree(settings, &world, &transactions);
        let full: Vec<usize> =
            ended(&block).iter().enumerate().filter(|(_, end)| **end == FULL).map(|(at, _)| at).collect();
        assert_eq!(full, [1, 3, 6, 11]);
        assert_eq!(call(&block, 9).return_data, 7_u64.to_le_bytes());
        assert_eq!(number(&after(&world, &block), &contract, b"n"), 2);
    }
}

/// What each one sees that adds and looks is the sum of those before it; reverted ones are not part of it.
#[test]
fn who_looks_sees_the_sum_of_all_before_it() {
    let world = contract_world();
    let counted = |seed: u64| match seed % 3 {
        0 => purse_input::add_and_look(b'n', seed),
        1 => purse_input::add_and_trap(b'n', 1_000_000),
        _ => purse_input::add(b'n', seed),
    };
    let transactions: Vec<_> = (1..=30).map(|seed| tx(seed, 0, at_purse(counted(seed)))).collect();
    for settings in all_settings() {
        let block = agree(settings, &world, &transactions);
        for seed in (3..=30_u64).step_by(3) {
            let sum: u64 = (1..=seed).filter(|seed| seed % 3 != 1).sum();
            assert_eq!(call(&block, seed as usize - 1).return_data, sum.to_le_bytes());
        }
    }
}

/// The sample that adds and the one that reads and writes give the same, in as many additions.
#[test]
fn adding_gives_what_reading_and_writing_gives() {
    let world = contract_world();
    for settings in all_settings() {
        let [added, written] = [Sample::AddCounter, Sample::Counter].map(|sample| {
            let input = |seed| if seed % 10 == 9 { counter::get(1) } else { counter::increment(1, seed) };
            let calls: Vec<_> = (1..=30).map(|seed| tx(seed, 0, at(sample, input(seed)))).collect();
            let block = agree(settings, &world, &calls);
            let seen: Vec<_> = [8, 18, 28].map(|at| call(&block, at).return_data.clone()).into();
            (number(&after(&world, &block), &id(sample), &counter::counter_key(1)), seen)
        });
        assert_eq!(added, written);
        assert_eq!(added.0, (1..=30).filter(|seed| seed % 10 != 9).sum::<u64>());
    }
}
