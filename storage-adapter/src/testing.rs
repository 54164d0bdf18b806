//! Helpers for tests, of this crate and of others: a storage that fails on demand.
//!
//! Not for production code. It is compiled in always, because it is small and a feature would be turned on by every
//! workspace build anyway.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::{StateReader, StorageError};

/// What a [`FaultyReader`] fails with, as the source of a [`StorageError::Backend`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("injected fault on read {read}")]
pub struct InjectedFault {
    /// Which read it was, counted from 1 over all threads.
    pub read: u64,
}

/// Reads through another reader, and fails where it was told to.
#[derive(Debug)]
pub struct FaultyReader<K, R> {
    inner: R,
    nth: Option<u64>,
    keys: BTreeSet<K>,
    reads: AtomicU64,
    failures: AtomicU64,
}

impl<K: Ord, R> FaultyReader<K, R> {
    /// Reads through `inner`; fails nowhere yet.
    pub fn new(inner: R) -> Self {
        Self { inner, nth: None, keys: BTreeSet::new(), reads: AtomicU64::new(0), failures: AtomicU64::new(0) }
    }

    /// Fails on the `nth` read, counted from 1 over all threads, and on no later one.
    #[must_use]
    pub fn failing_nth(mut self, nth: u64) -> Self {
        self.nth = Some(nth);
        self
    }

    /// Fails on every read of `key`. May be called for several keys.
    #[must_use]
    pub fn failing_key(mut self, key: K) -> Self {
        self.keys.insert(key);
        self
    }

    /// How many reads there were, failed ones included.
    #[must_use]
    pub fn reads(&self) -> u64 {
        self.reads.load(Ordering::Relaxed)
    }

    /// How many reads failed because they were told to.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }
}

impl<K: Ord + Sync, V, R: StateReader<K, V>> StateReader<K, V> for FaultyReader<K, R> {
    fn read(&self, key: &K) -> Result<Option<V>, StorageError> {
        // Relaxed: the count alone decides which read is the nth, and an atomic addition gives each number once.
        let read = self.reads.fetch_add(1, Ordering::Relaxed) + 1;
        if self.nth == Some(read) || self.keys.contains(key) {
            self.failures.fetch_add(1, Ordering::Relaxed);
            return Err(StorageError::backend("faulty", "read", InjectedFault { read }));
        }
        self.inner.read(key)
    }
}
