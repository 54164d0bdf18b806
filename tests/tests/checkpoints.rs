//! Checkpoints and rollbacks within a transaction: what is rolled back leaves nothing but what was read for it.

use weft_engine::BlockPolicy;
use weft_tests::program::{Cell, Key, Machine, Op, Program};
use weft_tests::run::{BlockResult, MapState, parallel_equals_sequential};

const KEY: Key = 4;

fn run(start: u64, programs: &[&[Op]]) -> BlockResult<Machine> {
    let block: Vec<_> = programs.iter().map(|ops| Program { ops: ops.to_vec(), gas: 1, hints: vec![] }).collect();
    let state: MapState<_, _> = [(KEY, Cell(start))].into_iter().collect();
    let machine = Machine { keys: 10 };
    let mut results: Vec<_> = [(1, 1), (2, 1), (2, 2), (2, 5)]
        .into_iter()
        .map(|(threads, unit)| {
            parallel_equals_sequential(threads, unit, &machine, &state, &block, BlockPolicy::default()).0
        })
        .collect();
    results.pop().expect("there are several")
}

fn value(result: &BlockResult<Machine>) -> Option<u64> {
    result.changes.iter().find(|(key, _)| *key == KEY).and_then(|(_, value)| value.map(|cell| cell.0))
}

#[test]
fn a_rollback_undoes_what_came_after_its_checkpoint() {
    let ops =
        [Op::WriteConstant(KEY, 1), Op::Checkpoint, Op::WriteConstant(KEY, 2), Op::WriteConstant(5, 2), Op::Rollback];
    let result = run(0, &[&ops]);
    assert_eq!(result.changes, [(KEY, Some(Cell(1)))]);
}

#[test]
fn checkpoints_nest() {
    let ops = [
        Op::Add(KEY, 1),
        Op::Checkpoint,
        Op::Add(KEY, 10),
        Op::Checkpoint,
        Op::Add(KEY, 100),
        Op::Rollback,
        Op::Add(KEY, 1000),
        Op::Rollback,
        Op::Add(KEY, 10_000),
    ];
    assert_eq!(value(&run(0, &[&ops, &[Op::Read(KEY)]])), Some(10_001));
}

#[test]
fn a_delta_from_before_the_checkpoint_stays_on_top_of_its_unit() {
    // In one unit the rollback makes a value of the first transaction's delta: the second's belongs on it.
    let second = [Op::Add(KEY, 400_000), Op::Checkpoint, Op::Add(KEY, -400_000), Op::Rollback];
    assert_eq!(value(&run(0, &[&[Op::Add(KEY, 350_000)], &second])), Some(750_000));
}

#[test]
fn who_was_told_that_a_delta_fits_was_told_the_truth() {
    // The sum of the others leaves no room: sequential execution sees it, though what did not fit is rolled back.
    let second = [Op::Checkpoint, Op::AddOrFail(KEY, 600_000), Op::Rollback, Op::WriteConstant(5, 1)];
    let block: [&[Op]; 2] = [&[Op::Add(KEY, 500_000)], &second];
    let state: MapState<_, _> = MapState::default();
    let programs: Vec<_> = block.iter().map(|ops| Program { ops: ops.to_vec(), gas: 1, hints: vec![] }).collect();
    let policy = BlockPolicy { on_rejected: weft_engine::OnRejected::SkipInvalid, gas_limit: None };
    for (threads, unit) in [(1, 1), (2, 1), (2, 2)] {
        let (result, _) = parallel_equals_sequential(threads, unit, &Machine { keys: 10 }, &state, &programs, policy);
        assert_eq!(result.changes, [(KEY, Some(Cell(500_000)))], "the second transaction was rejected");
    }
}
