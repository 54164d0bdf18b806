//! For tests of executors: a machine that does what a transaction lists, so that a transaction can touch more than it
//! names.

use std::collections::BTreeMap;

use proptest::prelude::*;
use weft_engine::{
    AddError, BlockEnd, BlockError, BlockPolicy, Config, Engine, Mode, OutOfBounds, Outcome, StateView, Stop, Value, Vm,
};
use weft_storage::{StateReader, StorageError};

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Number(pub(crate) u64);

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
pub(crate) enum Op {
    Read(u8),
    Write(u8, u64),
    Delete(u8),
    /// Out of bounds rejects the transaction.
    Add(u8, u64),
    /// Out of bounds is noted in the output, and the transaction goes on.
    TryAdd(u8, u64),
    /// Writes the first key's value, plus one, to the second.
    Copy(u8, u8),
    Gas(u64),
    Reject,
    RejectIf(u8, u64),
    PanicIf(u8, u64),
    /// Breaks the contract: goes on where the view says stop.
    SwallowRead(u8),
    /// Writes and takes it back.
    UndoneWrite(u8, u64),
    /// Adds and takes it back, whether it fitted or not.
    UndoneAdd(u8, u64),
    /// Writes and takes it back, twice to the same checkpoint.
    UndoneTwice(u8, u64),
}

/// What a transaction says that it touches, and what it does.
#[derive(Debug, Clone)]
pub(crate) struct Listed {
    pub(crate) names: Vec<u8>,
    pub(crate) ops: Vec<Op>,
}

pub(crate) fn names(names: &[u8], ops: &[Op]) -> Listed {
    Listed { names: names.to_vec(), ops: ops.to_vec() }
}

#[derive(Debug)]
pub(crate) struct ListVm;

impl Vm for ListVm {
    type Transaction = Listed;
    type Key = u8;
    type Value = Number;
    type Output = Vec<Option<u64>>;

    fn execute<S: StateView<u8, Number>>(
        &self,
        transaction: &Listed,
        state: &mut S,
    ) -> Result<Outcome<Vec<Option<u64>>>, Stop> {
        let mut seen = Vec::new();
        let mut gas = 0;
        for op in &transaction.ops {
            match *op {
                Op::Read(key) => seen.push(state.read(&key)?.map(|number| number.0)),
                Op::Write(key, number) => state.write(key, Number(number)),
                Op::Delete(key) => state.delete(key),
                Op::Add(key, delta) => match state.add(key, delta) {
                    Ok(()) => {}
                    Err(AddError::OutOfBounds) => return Ok(Outcome::rejected(vec![Some(u64::from(key)), None])),
                    Err(AddError::Stop(stop)) => return Err(stop),
                },
                Op::TryAdd(key, delta) => match state.add(key, delta) {
                    Ok(()) => {}
                    Err(AddError::OutOfBounds) => seen.push(Some(u64::MAX)),
                    Err(AddError::Stop(stop)) => return Err(stop),
                },
                Op::Copy(from, to) => {
                    let number = state.read(&from)?.map_or(0, |number| number.0);
                    state.write(to, Number(number.wrapping_add(1)));
                }
                Op::Gas(amount) => gas += amount,
                Op::Reject => return Ok(Outcome::rejected(seen)),
                Op::RejectIf(key, number) => {
                    if state.read(&key)? == Some(Number(number)) {
                        return Ok(Outcome::rejected(seen));
                    }
                }
                Op::PanicIf(key, number) => {
                    assert!(state.read(&key)? != Some(Number(number)), "key {key} holds {number}");
                }
                Op::SwallowRead(key) => drop(state.read(&key)),
                Op::UndoneWrite(key, number) => {
                    let checkpoint = state.checkpoint();
                    state.write(key, Number(number));
                    state.rollback(checkpoint)?;
                }
                Op::UndoneAdd(key, delta) => {
                    let checkpoint = state.checkpoint();
                    match state.add(key, delta) {
                        Ok(()) => {}
                        Err(AddError::OutOfBounds) => seen.push(Some(u64::MAX)),
                        Err(AddError::Stop(stop)) => return Err(stop),
                    }
                    state.rollback(checkpoint)?;
                }
                Op::UndoneTwice(key, number) => {
                    let checkpoint = state.checkpoint();
                    for number in [number, number / 2] {
                        state.write(key, Number(number));
                        state.rollback(checkpoint)?;
                    }
                }
            }
        }
        Ok(Outcome::applied(seen, gas))
    }
}

/// Numbers by key, of which one cannot be read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Base {
    pub(crate) numbers: BTreeMap<u8, u64>,
    pub(crate) broken: Option<u8>,
}

impl StateReader<u8, Number> for Base {
    fn read(&self, key: &u8) -> Result<Option<Number>, StorageError> {
        if self.broken == Some(*key) {
            return Err(StorageError::corrupt(format!("key {key}"), "broken"));
        }
        Ok(self.numbers.get(key).copied().map(Number))
    }
}

pub(crate) fn base(numbers: &[(u8, u64)]) -> Base {
    Base { numbers: numbers.iter().copied().collect(), broken: None }
}

pub(crate) type Outcomes = Vec<Outcome<Vec<Option<u64>>>>;
/// What must be equal.
pub(crate) type Comparable = Result<(Outcomes, Vec<(u8, Option<Number>)>, BlockEnd), String>;

pub(crate) fn sequential(base: &Base, transactions: &[Listed], policy: BlockPolicy) -> Comparable {
    let engine = Engine::new(Config { mode: Mode::Sequential, ..Config::default() });
    let output = engine.execute_block(&ListVm, base, transactions, policy).map_err(comparable)?;
    Ok((output.outcomes, output.changes, output.end))
}

pub(crate) fn comparable(error: BlockError) -> String {
    format!("{error:?}")
}

/// Anything but a panic.
pub(crate) fn any_op() -> impl Strategy<Value = Op> {
    let key = 0..5_u8;
    // Near the end of the range, so that sums overflow.
    let amount = prop_oneof![0..3_u64, Just(u64::MAX / 2), Just(u64::MAX - 1)];
    prop_oneof![
        key.clone().prop_map(Op::Read),
        (key.clone(), amount.clone()).prop_map(|(key, amount)| Op::Write(key, amount)),
        key.clone().prop_map(Op::Delete),
        (key.clone(), amount.clone()).prop_map(|(key, amount)| Op::Add(key, amount)),
        (key.clone(), amount.clone()).prop_map(|(key, amount)| Op::TryAdd(key, amount)),
        (key.clone(), key.clone()).prop_map(|(from, to)| Op::Copy(from, to)),
        (0..3_u64).prop_map(Op::Gas),
        Just(Op::Reject),
        (key.clone(), amount.clone()).prop_map(|(key, amount)| Op::RejectIf(key, amount)),
        (key.clone(), amount.clone()).prop_map(|(key, amount)| Op::UndoneWrite(key, amount)),
        (key.clone(), amount.clone()).prop_map(|(key, amount)| Op::UndoneAdd(key, amount)),
        (key.clone(), amount).prop_map(|(key, amount)| Op::UndoneTwice(key, amount)),
        key.prop_map(Op::SwallowRead),
    ]
}
