//! FinalEqualsSequential: random programs, on every path, with every unit length, give the sequential result.

use proptest::prelude::*;
use weft_engine::{BlockPolicy, Config, Engine, Mode, OnRejected};
use weft_tests::program::{Cell, Machine, Op, Program, strategy};
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
    // Units that change their length, at every other unit if they can.
    for (mode, unit_length, percent) in
        [(Mode::Optimistic, 1, 0), (Mode::Optimistic, 2, 0), (Mode::Auto, 1, 0), (Mode::Auto, 1, 100)]
    {
        let base = config(mode, 2, unit_length);
        let engine = Engine::new(Config { longest_unit: 64, worthwhile_percent: percent, ..base });
        for round in 0..2 {
            let result = run_on(&engine, &machine, &state, block, policy);
            prop_assert_eq!(&result, &expected, "units from {} on, {:?}, round {}", unit_length, mode, round);
        }
    }
    // In no order the changes are the same.
    let unsorted = Config { sort_changes: false, ..config(Mode::Optimistic, 2, 1) };
    for base in [unsorted.clone(), Config { mode: Mode::Auto, ..unsorted }] {
        let mut result = run_on(&Engine::new(base), &machine, &state, block, policy);
        if let Ok(result) = &mut result {
            result.changes.sort_by_key(|change| change.0);
        }
        prop_assert_eq!(&result, &expected, "unsorted");
    }
    // Values are fetched ahead, as far as hints and programs name them: near and far, on the adaptive path too.
    for (mode, prefetch_threads, prefetch_distance, unit_length) in
        [(Mode::Optimistic, 1, 1, 1), (Mode::Optimistic, 3, 1000, 2), (Mode::Auto, 2, 8, 1)]
    {
        let base = config(mode, 2, unit_length);
        let engine = Engine::new(Config { prefetch_threads, prefetch_distance, ..base });
        for round in 0..2 {
            let result = run_on(&engine, &machine, &state, block, policy);
            prop_assert_eq!(&result, &expected, "{} threads prefetch, round {}", prefetch_threads, round);
        }
    }
    // The adaptive path with trials that always fail, that always succeed, and that end as the machine's load has it.
    for (trial_units, worthwhile_percent, unit_length) in [(1, u32::MAX, 1), (3, u32::MAX, 2), (2, 0, 1), (2, 100, 3)] {
        let base = config(Mode::Auto, 3, unit_length);
        let engine = Engine::new(Config { trial_units, worthwhile_percent, ..base });
        for round in 0..3 {
            let result = run_on(&engine, &machine, &state, block, policy);
            prop_assert_eq!(
                &result,
                &expected,
                "trials of {} units, {} %, round {}",
                trial_units,
                worthwhile_percent,
                round
            );
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
    #![proptest_config(ProptestConfig::default())] // PROPTEST_CASES=20000 makes a long run of it

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

    /// Keys that claim to be hardly ever written: all read them, and now and then somebody writes one after all.
    #[test]
    fn rarely_written(
        start in proptest::collection::vec(0..500u64, 0..20),
        block in proptest::collection::vec(proptest::collection::vec(prop_oneof![
            12 => (1..5u16).prop_map(|key| Op::Read(key * 4)),
            4 => (2..20u16).prop_map(Op::Write),
            4 => (2..20u16).prop_map(Op::ReadDynamic),
            1 => (1..5u16).prop_map(|key| Op::Increment(key * 4)),
            1 => (1..5u16).prop_map(|key| Op::Add(key * 4, 7)),
            1 => Just(Op::WriteDynamic(3)),
            1 => Just(Op::RejectIf(5)),
        ], 1..6).prop_map(|ops| Program { ops, gas: 1, hints: vec![] }), 0..60),
        policy in policy(),
    ) {
        check(20, start, &block, policy)?;
    }

    /// Only deltas, some of them out of bounds, and now and then a reader.
    #[test]
    fn deltas(start in proptest::collection::vec(999_000..1_000_000u64, 4),
              block in proptest::collection::vec(prop_oneof![
                  6 => (2..6u16, -600..700i64).prop_map(|(k, by)| Op::AddOrFail(k, by)),
                  2 => (2..6u16, -600..700i64).prop_map(|(k, by)| Op::Add(k, by)),
                  1 => (2..6u16).prop_map(Op::Read),
              ].prop_map(|op| Program { ops: vec![op], gas: 1, hints: vec![] }), 0..120), policy in policy()) {
        check(6, start, &block, policy)?;
    }

    /// Several changes of one key in one transaction, in every order: delete then add, add then delete, write, read and
    /// add. Rejected transactions stand between those of the same unit.
    #[test]
    fn one_key_in_one_transaction(
        start in proptest::collection::vec(0..1_000_000u64, 0..3),
        block in proptest::collection::vec(
            strategy::on_one_key(5).prop_map(|ops| Program { ops, gas: 1, hints: vec![] }), 0..60),
        policy in policy(),
    ) {
        check(5, start, &block, policy)?;
    }

    /// Programs so long that a unit finds its accesses through an index, and reads most keys of the block.
    #[test]
    fn many_keys_in_one_transaction(
        start in proptest::collection::vec(0..500u64, 0..40),
        block in proptest::collection::vec(strategy::program(50, 60), 0..20),
        policy in policy(),
    ) {
        check(50, start, &block, policy)?;
    }

    /// The block ends somewhere in the middle of a unit: by gas or by rejection, behind deltas and announcements.
    #[test]
    fn ends_inside_units(
        start in proptest::collection::vec(0..500u64, 0..4),
        block in proptest::collection::vec(strategy::program(6, 4), 10..60),
        end in 0..60usize,
        by_gas in any::<bool>(),
    ) {
        let mut block = block;
        let end = end % block.len();
        let mut policy = BlockPolicy { on_rejected: OnRejected::SkipInvalid, gas_limit: None };
        if by_gas {
            // Each transaction uses a little, and the one that is too much a lot.
            block.iter_mut().for_each(|program| program.gas = 1);
            block[end].gas = 1000;
            policy.gas_limit = Some(500);
        } else {
            for program in &mut block {
                // Only one transaction can fail, so that the end is where it is wanted.
                program.ops.retain(|op| !matches!(op, Op::RejectIf(_) | Op::AddOrFail(..)));
            }
            block[end].ops.push(Op::RejectIf(1));
            policy.on_rejected = OnRejected::RejectBlock;
        }
        check(6, start, &block, policy)?;
    }

    /// Hints that have nothing to do with what is written: right by chance, mostly wrong.
    #[test]
    fn hints(
        start in proptest::collection::vec(0..500u64, 0..4),
        block in proptest::collection::vec((strategy::program(6, 5), proptest::collection::vec(2..6u16, 0..4)), 0..60),
        policy in policy(),
    ) {
        let block: Vec<Program> = block.into_iter().map(|(program, hints)| Program { hints, ..program }).collect();
        check(6, start, &block, policy)?;
    }
}
