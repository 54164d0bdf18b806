//! FinalEqualsSequential: random programs, on every path, with every unit length, give the sequential result.

use proptest::prelude::*;
use weft_engine::{BlockPolicy, Engine, Mode, OnRejected};
use weft_tests::program::{Cell, Machine, Program, strategy};
use weft_tests::run::{MapState, config, run_on};

fn check(keys: u16, start: Vec<u64>, block: &[Program], policy: BlockPolicy) -> Result<(), TestCaseError> {
    let machine = Machine { keys };
    let state = MapState(start.into_iter().enumerate().map(|(key, value)| (key as u16 + 2, Cell(value))).collect());
    let sequential = Engine::new(config(Mode::Sequential, 1, 1));
    let expected = run_on(&sequential, &machine, &state, block, policy);
    for (threads, unit_length) in [(1, 1), (2, 1), (4, 1), (8, 1), (2, 2), (3, 3), (4, 7), (2, 100)] {
        let engine = Engine::new(config(Mode::Optimistic, threads, unit_length));
        // Twice on one engine: recycled memory must not leak from one block into the next.
        for round in 0..2 {
            let result = run_on(&engine, &machine, &state, block, policy);
            prop_assert_eq!(&result, &expected, "threads {}, units of {}, round {}", threads, unit_length, round);
        }
    }
    Ok(())
}

fn policy() -> impl Strategy<Value = BlockPolicy> {
    let on_rejected = prop_oneof![4 => Just(OnRejected::SkipInvalid), 1 => Just(OnRejected::RejectBlock)];
    (on_rejected, proptest::option::weighted(0.3, 0..2000u64))
        .prop_map(|(on_rejected, gas_limit)| BlockPolicy { on_rejected, gas_limit })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    /// Few keys: nearly every transaction depends on the one before.
    #[test]
    fn hot(start in proptest::collection::vec(0..500u64, 0..4),
           block in proptest::collection::vec(strategy::program(6, 8), 0..60), policy in policy()) {
        check(6, start, &block, policy)?;
    }

    /// Many keys: conflicts are rare.
    #[test]
    fn cold(start in proptest::collection::vec(0..500u64, 0..300),
            block in proptest::collection::vec(strategy::program(400, 6), 0..80), policy in policy()) {
        check(400, start, &block, policy)?;
    }

    /// Only deltas, some of them out of bounds, and now and then a reader.
    #[test]
    fn deltas(start in proptest::collection::vec(999_000..1_000_000u64, 4),
              block in proptest::collection::vec(prop_oneof![
                  6 => (2..6u16, -600..700i64).prop_map(|(k, by)| weft_tests::program::Op::AddOrFail(k, by)),
                  2 => (2..6u16, -600..700i64).prop_map(|(k, by)| weft_tests::program::Op::Add(k, by)),
                  1 => (2..6u16).prop_map(weft_tests::program::Op::Read),
              ].prop_map(|op| Program { ops: vec![op], gas: 1, hints: vec![] }), 0..120), policy in policy()) {
        check(6, start, &block, policy)?;
    }
}
