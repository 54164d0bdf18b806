//! A virtual machine that behaves like another one but takes its time, at random: it shakes the schedule.

use std::sync::atomic::{AtomicU64, Ordering};

use weft_engine::{AddError, Checkpoint, Outcome, StateView, Stop, Touch, Value, Vm};

/// Delays everything that `inner` does by a pseudo-random time. Only times change, never results.
#[derive(Debug)]
pub struct Delayed<V> {
    /// The machine that is delayed.
    pub inner: V,
    random: AtomicU64,
}

impl<V> Delayed<V> {
    /// A delayed `inner`; `seed` chooses the delays, as far as threads let it.
    pub fn new(inner: V, seed: u64) -> Self {
        Self { inner, random: AtomicU64::new(seed) }
    }

    fn delay(&self) {
        // SplitMix64: the counter is shared, so that no two workers fall into step.
        let mut random = self.random.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        random = (random ^ random >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        random = (random ^ random >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        random ^= random >> 31;
        match random % 16 {
            // A yield lets another worker of the same core run in between; a spin delays by less than a yield costs.
            0..=2 => std::thread::yield_now(),
            3..=6 => (0..random >> 32 & 0x3ff).for_each(|_| std::hint::spin_loop()),
            _ => {}
        }
    }
}

struct DelayedView<'s, V, S> {
    vm: &'s Delayed<V>,
    inner: &'s mut S,
}

impl<K, T: Value, V, S: StateView<K, T>> StateView<K, T> for DelayedView<'_, V, S> {
    fn read(&mut self, key: &K) -> Result<Option<T>, Stop> {
        self.vm.delay();
        let value = self.inner.read(key);
        self.vm.delay();
        value
    }

    fn read_unless_contended(&mut self, key: &K) -> Result<Option<Option<T>>, Stop> {
        self.vm.delay();
        let value = self.inner.read_unless_contended(key);
        self.vm.delay();
        value
    }

    fn write(&mut self, key: K, value: T) {
        self.inner.write(key, value);
    }

    fn delete(&mut self, key: K) {
        self.inner.delete(key);
    }

    fn add(&mut self, key: K, delta: T::Delta) -> Result<(), AddError> {
        self.vm.delay();
        self.inner.add(key, delta)
    }

    fn checkpoint(&mut self) -> Checkpoint {
        self.inner.checkpoint()
    }

    fn rollback(&mut self, checkpoint: Checkpoint) -> Result<(), Stop> {
        self.vm.delay();
        self.inner.rollback(checkpoint)
    }

    fn poll(&mut self) -> Result<(), Stop> {
        self.inner.poll()
    }
}

impl<V: Vm> Vm for Delayed<V> {
    type Transaction = V::Transaction;
    type Key = V::Key;
    type Value = V::Value;
    type Output = V::Output;

    fn execute<S: StateView<V::Key, V::Value>>(
        &self,
        transaction: &V::Transaction,
        state: &mut S,
    ) -> Result<Outcome<V::Output>, Stop> {
        self.delay();
        let outcome = self.inner.execute(transaction, &mut DelayedView { vm: self, inner: state });
        self.delay();
        outcome
    }

    fn weight(&self, transaction: &V::Transaction) -> u64 {
        self.inner.weight(transaction)
    }

    fn footprint(&self, transaction: &V::Transaction, declare: &mut dyn FnMut(V::Key, Touch)) {
        self.inner.footprint(transaction, &mut |key, touch| {
            self.delay();
            declare(key, touch);
        });
    }

    fn reads(&self, transaction: &V::Transaction, declare: &mut dyn FnMut(V::Key)) {
        self.inner.reads(transaction, declare);
    }
}
