//! The synthetic transaction and the state that it runs on.

use weft_engine::{AddError, OutOfBounds, Outcome, StateView, Stop, Touch, Value, Vm};
use weft_storage::{StateReader, StorageError};

use super::work::spin;

/// A value of the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Number(pub u64);

impl Value for Number {
    type Delta = u64;

    fn apply(base: Option<&Self>, delta: &u64) -> Result<Self, OutOfBounds> {
        base.map_or(0, |number| number.0).checked_add(*delta).map(Self).ok_or(OutOfBounds)
    }

    fn combine(first: &u64, second: &u64) -> Result<u64, OutOfBounds> {
        first.checked_add(*second).ok_or(OutOfBounds)
    }
}

/// Four reads, then the work, then three writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transaction {
    /// The keys that it reads, in this order.
    pub reads: [u64; 4],
    /// The keys that it writes.
    pub writes: [u64; 3],
    /// The key to which it adds 1, if there is one.
    pub adds_to: Option<u64>,
}

/// The machine that executes them.
#[derive(Debug, Clone, Copy)]
pub struct Synthetic {
    /// Steps of [`spin`] between the reads and the writes.
    pub steps: u64,
    /// Whether transactions say beforehand what they write.
    pub has_hints: bool,
}

impl Vm for Synthetic {
    type Transaction = Transaction;
    type Key = u64;
    type Value = Number;
    type Output = u64;

    fn execute<S: StateView<u64, Number>>(
        &self,
        transaction: &Transaction,
        state: &mut S,
    ) -> Result<Outcome<u64>, Stop> {
        let mut seen = 0;
        for key in &transaction.reads {
            let value = state.read(key)?.map_or(0, |number| number.0);
            // Different values at any of the keys give different results.
            seen = spin(seen ^ value, 1);
        }
        let worked = spin(seen, self.steps);
        for (key, salt) in transaction.writes.into_iter().zip(1..) {
            state.write(key, Number(worked ^ salt));
        }
        if let Some(counter) = transaction.adds_to {
            match state.add(counter, 1) {
                Ok(()) => {}
                Err(AddError::OutOfBounds) => return Ok(Outcome::rejected(worked)),
                Err(AddError::Stop(stop)) => return Err(stop),
            }
        }
        Ok(Outcome::applied(worked, 0))
    }

    fn footprint(&self, transaction: &Transaction, declare: &mut dyn FnMut(u64, Touch)) {
        if self.has_hints {
            transaction.writes.into_iter().for_each(|key| declare(key, Touch::Write));
            transaction.adds_to.into_iter().for_each(|key| declare(key, Touch::Add));
        }
    }
}

/// The state below: every key has its own number as its value.
#[derive(Debug, Clone, Copy)]
pub struct Base;

impl StateReader<u64, Number> for Base {
    fn read(&self, key: &u64) -> Result<Option<Number>, StorageError> {
        Ok(Some(Number(*key)))
    }
}
