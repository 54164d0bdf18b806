//! Grouping by named keys: greedy, in order, and a new batch at the first conflict, as published.

use std::hash::Hash;
use std::ops::Range;

use ahash::AHashSet;

/// The batches of a block: consecutive runs of transactions of which no two name the same key.
pub fn batches<T, K: Eq + Hash>(transactions: &[T], named: impl Fn(&T, &mut dyn FnMut(K))) -> Vec<Range<usize>> {
    let mut batches = Vec::new();
    let mut start = 0;
    let mut taken: AHashSet<K> = AHashSet::new();
    let mut own: Vec<K> = Vec::new();
    for (index, transaction) in transactions.iter().enumerate() {
        own.clear();
        // A transaction may name a key twice: that is no conflict.
        named(transaction, &mut |key| own.push(key));
        if own.iter().any(|key| taken.contains(key)) {
            batches.push(start..index);
            start = index;
            taken.clear();
        }
        taken.extend(own.drain(..));
    }
    if start < transactions.len() {
        batches.push(start..transactions.len());
    }
    batches
}
