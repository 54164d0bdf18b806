//! A virtual machine for tests. Its programs compute with what they read, choose keys and branches by it, and fail by
//! it: a stale read truly changes what happens.

use weft_engine::{AddError, OutOfBounds, Outcome, RareKind, StateView, Stop, Touch, Value, Vm};

/// Keys of the test machine.
pub type Key = u16;

/// A bounded counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell(pub u64);

/// Values never exceed this; a delta that would is out of bounds.
pub const HIGHEST: i128 = 1_000_000;

/// A sum of signed additions, with the extremes that it passed through: so that one delta fails exactly where its
/// parts, one after another, fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sum {
    total: i128,
    lowest: i128,
    highest: i128,
}

impl Sum {
    /// One addition.
    #[must_use]
    pub fn of(by: i64) -> Self {
        let by = i128::from(by);
        Self { total: by, lowest: by.min(0), highest: by.max(0) }
    }
}

impl Value for Cell {
    type Delta = Sum;

    fn apply(base: Option<&Self>, delta: &Sum) -> Result<Self, OutOfBounds> {
        let base = i128::from(base.map_or(0, |cell| cell.0));
        if base + delta.lowest < 0 || base + delta.highest > HIGHEST {
            return Err(OutOfBounds);
        }
        u64::try_from(base + delta.total).map(Cell).map_err(|_| OutOfBounds)
    }

    fn combine(first: &Sum, second: &Sum) -> Result<Sum, OutOfBounds> {
        Ok(Sum {
            total: first.total + second.total,
            lowest: first.lowest.min(first.total + second.lowest),
            highest: first.highest.max(first.total + second.highest),
        })
    }
}

/// One step of a program. `acc` is the program's accumulator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// acc := mix(acc, value of the key).
    Read(Key),
    /// Reads the key `(acc + offset) mod keys`.
    ReadDynamic(Key),
    /// Writes acc to the key.
    Write(Key),
    /// Writes acc to the key `(acc + offset) mod keys`.
    WriteDynamic(Key),
    /// Reads, adds one, writes.
    Increment(Key),
    /// Writes a constant: often the value that is there already.
    WriteConstant(Key, u64),
    /// Removes the key.
    Delete(Key),
    /// Adds without reading; an addition out of bounds is folded into acc.
    Add(Key, i64),
    /// Adds without reading; the transaction is rejected if it is out of bounds.
    AddOrFail(Key, i64),
    /// Adds without reading until it is out of bounds, at most the given number of times; folds the number of
    /// successes into acc.
    Fill(Key, i64, u8),
    /// Takes so much from the key if it has that; folds whether it had into acc. Looks only where nobody is about to change
    /// the key.
    Spend(Key, u32),
    /// Rejects the transaction if acc mod the divisor is 0.
    RejectIf(u64),
    /// Skips the next step if acc is even.
    SkipIfEven,
    /// Reads both keys and panics if they differ: no sequential state lets them.
    PanicUnlessEqual(Key, Key),
    /// Reads both keys and loops, polling, while they differ: no sequential state lets them.
    LoopWhileDifferent(Key, Key),
    /// Writes acc to both keys, which keeps them equal.
    WriteBoth(Key, Key),
    /// Takes a checkpoint.
    Checkpoint,
    /// Undoes what came after the last checkpoint that is still there, if one is; acc stays.
    Rollback,
}

/// A transaction of the test machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Its steps.
    pub ops: Vec<Op>,
    /// Gas that it uses when it is applied.
    pub gas: u64,
    /// Keys that it claims to write, or to add to where it has such a step: right, wrong or missing.
    pub hints: Vec<Key>,
}

/// What a program gives back: everything that it has seen, folded into numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// The last accumulator.
    pub acc: u64,
    /// Every value read, in order.
    pub seen: Vec<Option<u64>>,
}

/// The test machine; keys are below `keys`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Machine {
    /// Number of keys.
    pub keys: Key,
}

fn mix(acc: u64, value: Option<Cell>) -> u64 {
    let value = value.map_or(0x9e37, |cell| cell.0 + 1);
    (acc ^ value).wrapping_mul(0x2545_f491_4f6c_dd1d).rotate_left(23)
}

/// acc as a value within bounds.
fn storable(acc: u64) -> Cell {
    Cell(acc % 1000)
}

impl Machine {
    /// Any key but the first two, which are to stay equal.
    fn dynamic(&self, acc: u64, offset: Key) -> Key {
        let free = u64::from(self.keys - 2);
        2 + ((acc % free + u64::from(offset)) % free) as Key
    }
}

impl Vm for Machine {
    type Transaction = Program;
    type Key = Key;
    type Value = Cell;
    type Output = Trace;

    fn execute<S: StateView<Key, Cell>>(&self, program: &Program, state: &mut S) -> Result<Outcome<Trace>, Stop> {
        let mut trace = Trace { acc: 1, seen: Vec::new() };
        let mut checkpoints = Vec::new();
        let mut ops = program.ops.iter();
        while let Some(op) = ops.next() {
            let mut read = |state: &mut S, key: Key| -> Result<Option<Cell>, Stop> {
                let value = state.read(&key)?;
                trace.seen.push(value.map(|cell| cell.0));
                trace.acc = mix(trace.acc, value);
                Ok(value)
            };
            match *op {
                Op::Read(key) => drop(read(state, key)?),
                Op::ReadDynamic(offset) => {
                    let key = self.dynamic(trace.acc, offset);
                    let value = state.read(&key)?;
                    trace.seen.push(value.map(|cell| cell.0));
                    trace.acc = mix(trace.acc, value);
                }
                Op::Write(key) => state.write(key, storable(trace.acc)),
                Op::WriteDynamic(offset) => {
                    state.write(self.dynamic(trace.acc, offset), storable(trace.acc));
                }
                Op::Increment(key) => {
                    let value = read(state, key)?;
                    state.write(key, Cell((value.map_or(0, |cell| cell.0) + 1) % 1000));
                }
                Op::WriteConstant(key, constant) => state.write(key, Cell(constant)),
                Op::Delete(key) => state.delete(key),
                Op::Add(key, by) => match state.add(key, Sum::of(by)) {
                    Ok(()) => {}
                    Err(AddError::OutOfBounds) => trace.acc = mix(trace.acc, None),
                    Err(AddError::Stop(stop)) => return Err(stop),
                },
                Op::AddOrFail(key, by) => match state.add(key, Sum::of(by)) {
                    Ok(()) => {}
                    Err(AddError::OutOfBounds) => return Ok(Outcome::rejected(trace)),
                    Err(AddError::Stop(stop)) => return Err(stop),
                },
                Op::Fill(key, by, most) => {
                    let mut added = 0;
                    while added < most {
                        match state.add(key, Sum::of(by)) {
                            Ok(()) => added += 1,
                            Err(AddError::OutOfBounds) => break,
                            Err(AddError::Stop(stop)) => return Err(stop),
                        }
                    }
                    trace.acc = mix(trace.acc, Some(Cell(u64::from(added))));
                }
                Op::Spend(key, by) => {
                    let had = match state.read_unless_contended(&key)? {
                        Some(value) => {
                            let left = value.map_or(0, |cell| cell.0).checked_sub(by.into());
                            left.inspect(|left| state.write(key, Cell(*left))).is_some()
                        }
                        None => match state.add(key, Sum::of(-i64::from(by))) {
                            Ok(()) => true,
                            Err(AddError::OutOfBounds) => false,
                            Err(AddError::Stop(stop)) => return Err(stop),
                        },
                    };
                    trace.acc = mix(trace.acc, had.then_some(Cell(by.into())));
                }
                Op::RejectIf(divisor) => {
                    if trace.acc.is_multiple_of(divisor) {
                        return Ok(Outcome::rejected(trace));
                    }
                }
                Op::SkipIfEven => {
                    if trace.acc.is_multiple_of(2) {
                        ops.next();
                    }
                }
                Op::PanicUnlessEqual(a, b) => {
                    let (a, b) = (read(state, a)?, read(state, b)?);
                    assert_eq!(a, b, "an inconsistent snapshot");
                }
                Op::LoopWhileDifferent(a, b) => {
                    while read(state, a)? != read(state, b)? {
                        state.poll()?;
                    }
                }
                Op::WriteBoth(a, b) => {
                    state.write(a, storable(trace.acc));
                    state.write(b, storable(trace.acc));
                }
                Op::Checkpoint => checkpoints.push(state.checkpoint()),
                Op::Rollback => {
                    if let Some(checkpoint) = checkpoints.pop() {
                        state.rollback(checkpoint)?;
                    }
                }
            }
        }
        Ok(Outcome::applied(trace, program.gas))
    }

    /// Some programs claim to take very long.
    fn weight(&self, program: &Program) -> u64 {
        if program.gas >= 45 { 100 } else { 1 }
    }

    fn footprint(&self, program: &Program, declare: &mut dyn FnMut(Key, Touch)) {
        for hint in &program.hints {
            let adds = |op: &Op| {
                matches!(
                    op,
                    Op::Add(key, _) | Op::AddOrFail(key, _) | Op::Fill(key, ..) | Op::Spend(key, _) if key == hint
                )
            };
            declare(*hint, if program.ops.iter().any(adds) { Touch::Add } else { Touch::Write });
        }
    }

    /// Every fourth key claims to be hardly ever written; whether it is depends on the test.
    fn rare_kind(&self, key: &Key) -> Option<RareKind> {
        key.is_multiple_of(4).then(|| RareKind::new((key / 4 % 3) as u8))
    }

    fn reads(&self, program: &Program, declare: &mut dyn FnMut(Key)) {
        for op in &program.ops {
            // Where the accumulator is zero the dynamic ones are right, else nearly always wrong.
            if let Op::Read(key) | Op::ReadDynamic(key) | Op::Increment(key) | Op::Write(key) = op {
                declare(*key);
            }
        }
    }
}

/// Strategies for proptest.
pub mod strategy {
    use super::{Key, Op, Program};
    use proptest::prelude::*;

    /// One step on keys below `keys`; the first two keys are always equal to each other.
    pub fn op(keys: Key) -> impl Strategy<Value = Op> {
        let key = 2..keys;
        prop_oneof![
            3 => key.clone().prop_map(Op::Read),
            2 => key.clone().prop_map(Op::ReadDynamic),
            3 => key.clone().prop_map(Op::Write),
            2 => key.clone().prop_map(Op::WriteDynamic),
            4 => key.clone().prop_map(Op::Increment),
            2 => (key.clone(), 0..3u64).prop_map(|(key, constant)| Op::WriteConstant(key, constant)),
            1 => key.clone().prop_map(Op::Delete),
            4 => (key.clone(), -300..600i64).prop_map(|(key, by)| Op::Add(key, by)),
            2 => (key.clone(), -300..600i64).prop_map(|(key, by)| Op::AddOrFail(key, by)),
            3 => (key.clone(), 1..300u32).prop_map(|(key, by)| Op::Spend(key, by)),
            1 => (2..6u64).prop_map(Op::RejectIf),
            2 => Just(Op::SkipIfEven),
            1 => Just(Op::PanicUnlessEqual(0, 1)),
            1 => Just(Op::LoopWhileDifferent(0, 1)),
            1 => Just(Op::WriteBoth(0, 1)),
            2 => Just(Op::Checkpoint),
            2 => Just(Op::Rollback),
        ]
    }

    /// Steps on one key that meet each other's changes in one transaction: read, write, delete and add in any order.
    pub fn on_one_key(keys: Key) -> impl Strategy<Value = Vec<Op>> {
        let step = prop_oneof![
            3 => Just(Op::Read as fn(Key) -> Op),
            2 => Just((|key| Op::Write(key)) as fn(Key) -> Op),
            2 => Just((|key| Op::Delete(key)) as fn(Key) -> Op),
            2 => Just((|key| Op::Add(key, 400_000)) as fn(Key) -> Op),
            1 => Just((|key| Op::Add(key, -400_000)) as fn(Key) -> Op),
            1 => Just((|key| Op::AddOrFail(key, 350_000)) as fn(Key) -> Op),
            1 => Just((|key| Op::AddOrFail(key, -1)) as fn(Key) -> Op),
            1 => Just((|key| Op::Fill(key, 300_000, 5)) as fn(Key) -> Op),
            2 => Just((|key| Op::Spend(key, 400_000)) as fn(Key) -> Op),
            1 => Just((|key| Op::WriteConstant(key, 999_999)) as fn(Key) -> Op),
            1 => Just((|_| Op::RejectIf(3)) as fn(Key) -> Op),
            1 => Just((|_| Op::SkipIfEven) as fn(Key) -> Op),
            2 => Just((|_| Op::Checkpoint) as fn(Key) -> Op),
            2 => Just((|_| Op::Rollback) as fn(Key) -> Op),
        ];
        (2..keys, proptest::collection::vec(step, 1..7))
            .prop_map(|(key, steps)| steps.into_iter().map(|step| step(key)).collect())
    }

    /// A program of up to `length` steps, with hints that are sometimes right.
    pub fn program(keys: Key, length: usize) -> impl Strategy<Value = Program> {
        let ops = proptest::collection::vec(op(keys), 0..=length);
        (ops, 0..50u64, proptest::option::weighted(0.3, 2..keys), any::<bool>()).prop_map(|(ops, gas, wrong, right)| {
            let written = ops.iter().filter_map(|op| match op {
                Op::Write(key) | Op::Increment(key) | Op::WriteConstant(key, _) => Some(*key),
                Op::Add(key, _) | Op::AddOrFail(key, _) | Op::Spend(key, _) => Some(*key),
                _ => None,
            });
            let mut hints: Vec<Key> = if right { written.collect() } else { Vec::new() };
            hints.extend(wrong);
            Program { ops, gas, hints }
        })
    }
}
