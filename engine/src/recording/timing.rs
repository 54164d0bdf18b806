//! How long transactions take, one after another.

use std::time::{Duration, Instant};

use parking_lot::Mutex;
use weft_storage::StateReader;

use crate::config::BlockPolicy;
use crate::error::BlockError;
use crate::sequential;
use crate::vm::{Outcome, StateView, Stop, Vm};

/// How long each transaction takes when they are executed one after another, up to where the block ends. The time that
/// looking at the clock takes is part of it, see [`clock_time`].
///
/// # Errors
/// [`BlockError`] where sequential execution has no result.
pub fn time_transactions<V: Vm, R: StateReader<V::Key, V::Value>>(
    vm: &V,
    reader: &R,
    transactions: &[V::Transaction],
    policy: BlockPolicy,
) -> Result<Vec<Duration>, BlockError> {
    let timer = Timer { inner: vm, times: Mutex::new(Vec::with_capacity(transactions.len())) };
    sequential::execute(&timer, reader, transactions, policy, false, |_, _| {})?;
    Ok(timer.times.into_inner())
}

/// What two looks at the clock measure if nothing is between them: the middle of many tries.
#[must_use]
pub fn clock_time() -> Duration {
    let mut pairs: Vec<Duration> = (0..101).map(|_| Instant::now().elapsed()).collect();
    pairs.sort_unstable();
    pairs[pairs.len() / 2]
}

/// A machine that notes how long the other one takes.
struct Timer<'v, V> {
    inner: &'v V,
    times: Mutex<Vec<Duration>>,
}

impl<V: Vm> Vm for Timer<'_, V> {
    type Transaction = V::Transaction;
    type Key = V::Key;
    type Value = V::Value;
    type Output = V::Output;

    fn execute<S: StateView<V::Key, V::Value>>(
        &self,
        transaction: &V::Transaction,
        state: &mut S,
    ) -> Result<Outcome<V::Output>, Stop> {
        let begun = Instant::now();
        let outcome = self.inner.execute(transaction, state);
        let took = begun.elapsed();
        self.times.lock().push(took);
        outcome
    }
}
