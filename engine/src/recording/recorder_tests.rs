//! What is noted of transactions that do this and that.

use std::time::Duration;

use weft_mvmemory::{OutOfBounds, Value};
use weft_storage::{StateReader, StorageError};

use super::record;
use crate::config::{BlockPolicy, OnRejected};
use crate::recording::Access::{self, Add, Read, ReadWrite, Write};
use crate::recording::CriticalPath;
use crate::simulation::{Costs, Simulation};
use crate::vm::{AddError, Outcome, StateView, Stop, Vm};

#[derive(Debug, Clone, PartialEq)]
struct Number(u64);

impl Value for Number {
    type Delta = u64;

    fn apply(base: Option<&Self>, delta: &u64) -> Result<Self, OutOfBounds> {
        base.map_or(0, |number| number.0).checked_add(*delta).map(Self).ok_or(OutOfBounds)
    }

    fn combine(first: &u64, second: &u64) -> Result<u64, OutOfBounds> {
        first.checked_add(*second).ok_or(OutOfBounds)
    }
}

/// One thing that a transaction does.
#[derive(Debug, Clone, Copy)]
enum Op {
    Read(u8),
    Write(u8, u64),
    Delete(u8),
    /// Whether it fits or not.
    Add(u8, u64),
    /// Writes and takes it back.
    UndoneWrite(u8, u64),
    /// Adds and takes it back.
    UndoneAdd(u8, u64),
    Reject,
}

struct Listed;

/// 0 for 0 alone.
fn mixed(seen: u64) -> u64 {
    seen.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

impl Vm for Listed {
    type Transaction = Vec<Op>;
    type Key = u8;
    type Value = Number;
    /// How many additions did not fit.
    type Output = usize;

    fn execute<S: StateView<u8, Number>>(&self, ops: &Vec<Op>, state: &mut S) -> Result<Outcome<usize>, Stop> {
        let mut refused = 0;
        // All that the transaction has learnt of the state; what it changes depends on that.
        let mut seen = 0_u64;
        let mut add = |state: &mut S, key, delta| match state.add(key, delta) {
            Ok(()) => Ok(false),
            Err(AddError::OutOfBounds) => {
                refused += 1;
                Ok(true)
            }
            Err(AddError::Stop(stop)) => Err(stop),
        };
        for op in ops {
            match *op {
                Op::Read(key) => {
                    let number = state.read(&key)?.map_or(0, |number| number.0);
                    seen = mixed(seen ^ number);
                }
                Op::Write(key, number) => state.write(key, Number(number.wrapping_add(seen >> 1))),
                Op::Delete(key) => state.delete(key),
                Op::Add(key, delta) => {
                    if add(state, key, delta + (seen >> 44))? {
                        seen = mixed(seen ^ 1);
                    }
                }
                Op::UndoneWrite(key, number) => {
                    let checkpoint = state.checkpoint();
                    state.write(key, Number(number));
                    state.rollback(checkpoint)?;
                }
                Op::UndoneAdd(key, delta) => {
                    let checkpoint = state.checkpoint();
                    add(state, key, delta)?;
                    state.rollback(checkpoint)?;
                }
                Op::Reject => return Ok(Outcome::rejected(refused)),
            }
        }
        Ok(Outcome::applied(refused, 1))
    }
}

/// Key 1 holds 1, key 3 nearly all that fits.
struct Base;

impl StateReader<u8, Number> for Base {
    fn read(&self, key: &u8) -> Result<Option<Number>, StorageError> {
        Ok(match key {
            1 => Some(Number(1)),
            3 => Some(Number(u64::MAX - 5)),
            _ => None,
        })
    }
}

const SKIPPING: BlockPolicy = BlockPolicy { on_rejected: OnRejected::SkipInvalid, gas_limit: None };

fn recorded(ops: &[Op]) -> Vec<(u8, Access)> {
    let (accesses, _) = record(&Listed, &Base, &[ops.to_vec()], SKIPPING).unwrap();
    accesses.of(0).to_vec()
}

#[test]
fn what_is_recorded_is_what_the_outcome_depends_on() {
    type Case<'c> = (&'c [Op], &'c [(u8, Access)]);
    let cases: [Case<'_>; 14] = [
        (&[Op::Read(1), Op::Read(1)], &[(1, Read)]),
        (&[Op::Write(1, 3), Op::Read(1), Op::Add(1, 2)], &[(1, Write)]),
        (&[Op::Read(1), Op::Delete(1)], &[(1, ReadWrite)]),
        (&[Op::Read(2), Op::Write(1, 7)], &[(2, Read), (1, Write)]),
        (&[Op::Add(1, 3), Op::Add(1, 4)], &[(1, Add)]),
        (&[Op::Add(1, 3), Op::Read(1)], &[(1, ReadWrite)]),
        (&[Op::Read(1), Op::Add(1, 3)], &[(1, ReadWrite)]),
        // What is overwritten had to fit.
        (&[Op::Add(1, 3), Op::Write(1, 4)], &[(1, ReadWrite)]),
        // What does not fit shows how much is there.
        (&[Op::Add(3, 9)], &[(3, Read)]),
        (&[Op::Add(3, 2), Op::Add(3, 9)], &[(3, ReadWrite)]),
        (&[Op::Write(3, u64::MAX), Op::Add(3, 9)], &[(3, Write)]),
        // Undone is touched all the same.
        (&[Op::UndoneWrite(1, 3), Op::Read(1)], &[(1, ReadWrite)]),
        (&[Op::UndoneAdd(1, 3)], &[(1, Add)]),
        (&[Op::UndoneAdd(1, 3), Op::Add(1, 3)], &[(1, ReadWrite)]),
    ];
    for (ops, expected) in cases {
        assert_eq!(recorded(ops), expected, "{ops:?}");
    }
    assert_eq!(recorded(&[Op::Write(1, 3), Op::Reject]), [(1, Write)], "also of what is rejected");
}

#[test]
fn what_is_rejected_is_known_and_what_is_not_executed_is_not() {
    let block = [vec![Op::Add(1, 1)], vec![Op::Add(1, 1), Op::Reject], vec![Op::Read(1)], vec![Op::Read(2)]];
    let policy = BlockPolicy { gas_limit: Some(1), ..SKIPPING };
    let (accesses, output) = record(&Listed, &Base, &block, policy).unwrap();
    assert_eq!(accesses.transactions(), 3, "the third is executed and does not fit, the fourth is not executed");
    assert_eq!((0..3).map(|at| accesses.is_rejected(at)).collect::<Vec<_>>(), [false, true, false]);
    assert_eq!((output.outcomes.len(), output.changes), (2, vec![(1, Some(Number(2)))]));
}

/// Drawn at random, always the same: reads, additions, blind writes, rejections. Transactions read before they change
/// anything, what they change depends on all that they have read, and no key gets a value that it had before: so that no
/// stale value equals the right one.
fn drawn(transactions: u32, seed: u32) -> Vec<Vec<Op>> {
    let mut state = seed;
    let mut draw = |below: u32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) % below
    };
    let mut numbers = 1..;
    let mut transaction = || {
        let mut ops: Vec<Op> = (0..draw(3)).map(|_| Op::Read(KEYS[draw(4) as usize])).collect();
        ops.extend((0..draw(3)).map(|_| {
            let key = KEYS[draw(4) as usize];
            // So far apart that no addition leads from one to another.
            if draw(2) == 0 { Op::Write(key, numbers.next().unwrap_or(0) << 32) } else { Op::Add(key, 1) }
        }));
        ops.extend((draw(4) == 0).then_some(Op::Reject));
        ops
    };
    (0..transactions).map(|_| transaction()).collect()
}

/// Not the one that is nearly full: an addition that was taken and then does not fit leaves earlier changes as they are.
const KEYS: [u8; 4] = [0, 1, 2, 4];

#[test]
fn simulated_cores_do_not_beat_what_nothing_can_beat() {
    let time = Duration::from_micros(100);
    let mut is_shorter = false;
    for seed in 0..1000 {
        let block = drawn(40, seed);
        let (accesses, sequential) = record(&Listed, &Base, &block, SKIPPING).unwrap();
        let path = CriticalPath::of(&accesses, |_| time, 0);
        assert_eq!(path.total, time * 40);
        let simulation = Simulation { costs: Costs::free(), ..Simulation::new(64) };
        let simulated = simulation.execute_block(&Listed, &Base, &block, |_| time, SKIPPING).unwrap();
        assert_eq!(simulated.output.outcomes, sequential.outcomes, "seed {seed}");
        assert!(simulated.makespan() >= path.longest, "seed {seed}: {:?} < {path:?}", simulated.makespan());
        is_shorter |= path.longest < path.total / 2;
    }
    assert!(is_shorter, "blocks that are chains only would show nothing");
}
