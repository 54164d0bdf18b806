//! The changes of a block, collected from its memory by several workers.

use parking_lot::Mutex;
use weft_mvmemory::{KeyChange, MvMemory, Part, Value};
use weft_scheduler::WorkerPool;
use weft_storage::{StateReader, StorageError};

use crate::error::BlockError;
use crate::vm::{Key, Vm};

/// The changes of a block, in ascending order of keys unless the configuration wants none; `None` is a removal.
pub type Changes<V> = Vec<KeyChange<<V as Vm>::Key, <V as Vm>::Value>>;

/// Blocks that touch fewer locations are finished by one worker: waking another costs more.
pub(crate) const WORTH_DIVIDING: usize = 1000;

/// The changes of the units below `end`, in ascending order of keys if `sort` wants that, collected by so many workers
/// of `pool`. Empties the memory.
pub(crate) fn collect<K: Key, V: Value, R: StateReader<K, V>>(
    memory: &mut MvMemory<K, V>,
    end: u32,
    reader: &R,
    sort: bool,
    pool: &WorkerPool,
    workers: usize,
) -> Result<Vec<KeyChange<K, V>>, BlockError> {
    let lists = finish_parts(memory, pool, workers, |part| {
        let mut changes = part.finish(end, |key| reader.read(key))?;
        if sort {
            changes.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        }
        Ok(changes)
    })?;
    Ok(if sort { merge_sorted(lists) } else { append(lists) })
}

/// As [`collect`], in no order, with what `change` makes of each change: it gets the key, its base value and its final
/// one.
pub(crate) fn collect_with<K: Key, V: Value, R: StateReader<K, V>, T: Send>(
    memory: &mut MvMemory<K, V>,
    end: u32,
    reader: &R,
    pool: &WorkerPool,
    workers: usize,
    change: impl Fn(K, &Option<V>, Option<V>) -> T + Sync,
) -> Result<Vec<T>, BlockError> {
    finish_parts(memory, pool, workers, |part| part.finish_with(end, |key| reader.read(key), &change)).map(append)
}

/// Lets so many workers finish the parts of the memory, and empties it.
fn finish_parts<K: Key, V: Value, T: Send>(
    memory: &mut MvMemory<K, V>,
    pool: &WorkerPool,
    workers: usize,
    finish: impl Fn(Part<'_, K, V>) -> Result<Vec<T>, StorageError> + Sync,
) -> Result<Vec<Vec<T>>, BlockError> {
    let workers = if memory.locations() < WORTH_DIVIDING { 1 } else { workers };
    let parts = memory.parts(workers);
    let lists: Result<Vec<_>, _> = if workers == 1 {
        parts.into_iter().map(&finish).collect()
    } else {
        let parts: Vec<_> = parts.into_iter().map(|part| Mutex::new((Some(part), None))).collect();
        pool.for_each(workers, parts.len(), 1, |at| {
            let (part, changes) = &mut *parts[at].lock();
            *changes = part.take().map(&finish);
        });
        parts.into_iter().filter_map(|part| part.into_inner().1).collect()
    };
    match lists {
        Ok(lists) => {
            memory.reset_finished();
            Ok(lists)
        }
        Err(error) => {
            memory.reset();
            Err(BlockError::Changes(error))
        }
    }
}

/// Merges sorted lists without a common key into one.
fn merge_sorted<K: Ord, V>(mut lists: Vec<Vec<(K, V)>>) -> Vec<(K, V)> {
    while lists.len() > 1 {
        let mut merged = Vec::with_capacity(lists.len().div_ceil(2));
        let mut pairs = lists.into_iter();
        while let Some(first) = pairs.next() {
            merged.push(match pairs.next() {
                Some(second) => merge_two(first, second),
                None => first,
            });
        }
        lists = merged;
    }
    lists.pop().unwrap_or_default()
}

fn merge_two<K: Ord, V>(first: Vec<(K, V)>, second: Vec<(K, V)>) -> Vec<(K, V)> {
    let mut merged = Vec::with_capacity(first.len() + second.len());
    let mut second = second.into_iter().peekable();
    for entry in first {
        while let Some(lower) = second.next_if(|other| other.0 < entry.0) {
            merged.push(lower);
        }
        merged.push(entry);
    }
    merged.extend(second);
    merged
}

/// Lists in one.
fn append<T>(lists: Vec<Vec<T>>) -> Vec<T> {
    let mut lists = lists.into_iter();
    let mut all = lists.next().unwrap_or_default();
    for mut list in lists {
        all.append(&mut list);
    }
    all
}
