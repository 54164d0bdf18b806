//! What a read and a commit cost on each backend: `cargo run --release -p weft-storage --example storage_cost`.
//!
//! Keys of 32 bytes, values of 40; reads of random keys through a snapshot, on one thread and on all; commits that
//! change 10 000 existing keys. The best of several rounds is printed, after a warm-up.
#![expect(clippy::print_stdout, reason = "printing is what it is for")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use weft_storage::{BlockCommit, MemoryStore, RedbOptions, RedbStore, Snapshot, StateStore, StorageError};

type Key = [u8; 32];
type Value = [u8; 40];

const READS: usize = 200_000;
const CHANGES: usize = 10_000;
const ROUNDS: usize = 5;

/// A well mixed key, different for every `index`.
fn key(index: u64) -> Key {
    let mut key = [0; 32];
    let mut state = index.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    for chunk in key.chunks_mut(8) {
        state ^= state >> 29;
        state = state.wrapping_mul(0xbf58_476d_1ce4_e5b9);
        state ^= state >> 32;
        chunk.copy_from_slice(&state.to_le_bytes());
    }
    key
}

/// The same pseudo-random indices below `bound` for the same `seed`.
fn indices(bound: u64, mut seed: u64) -> impl Iterator<Item = u64> {
    std::iter::repeat_with(move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed % bound
    })
}

/// Nanoseconds a read, seen from one of `threads` threads that read at once.
fn read_cost(snapshot: &Arc<dyn Snapshot<Key, Value>>, size: u64, threads: usize) -> Result<f64, StorageError> {
    let mut best = f64::MAX;
    for round in 0..ROUNDS {
        let slowest = std::thread::scope(|scope| {
            let running: Vec<_> = (0..threads)
                .map(|thread| {
                    let seed = (round * threads + thread + 1) as u64;
                    let keys: Vec<Key> = indices(size, seed).take(READS).map(key).collect();
                    scope.spawn(move || {
                        let start = Instant::now();
                        for key in &keys {
                            black_box(snapshot.read(key)?);
                        }
                        Ok(start.elapsed())
                    })
                })
                .collect();
            let mut slowest = std::time::Duration::ZERO;
            for thread in running {
                let taken = thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
                slowest = slowest.max(taken);
            }
            Ok::<_, StorageError>(slowest)
        })?;
        best = best.min(slowest.as_nanos() as f64 / READS as f64);
    }
    Ok(best)
}

fn measure(name: &str, store: &dyn StateStore<Key, Value>, size: u64) -> Result<(), StorageError> {
    let mut genesis: Vec<(Key, Value)> = (0..size).map(|index| (key(index), [1; 40])).collect();
    genesis.sort_unstable_by_key(|entry| entry.0);
    let start = Instant::now();
    store.initialise(&genesis, [0; 32])?;
    let genesis_ms = start.elapsed().as_secs_f64() * 1e3;

    let snapshot = store.snapshot();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let alone = read_cost(&snapshot, size, 1)?;
    let together = read_cost(&snapshot, size, cores)?;
    drop(snapshot);

    let mut commits = Vec::new();
    for number in 1..=ROUNDS as u64 * 2 {
        let mut keys: Vec<Key> = indices(size, number).take(CHANGES).map(key).collect();
        keys.sort_unstable();
        keys.dedup();
        let changes: Vec<_> = keys.into_iter().map(|key| (key, Some([number as u8; 40]))).collect();
        let start = Instant::now();
        store.commit(BlockCommit { number, digest: [0; 32], body: &[], changes: &changes })?;
        commits.push(start.elapsed().as_secs_f64() * 1e3);
    }
    commits.sort_unstable_by(f64::total_cmp);
    println!(
        "{name:20} {size:>9} keys: read {alone:6.0} ns, {together:6.0} ns on {cores} threads; \
         commit {:7.1} ms best, {:7.1} ms median; genesis {genesis_ms:.0} ms",
        commits[0],
        commits[commits.len() / 2],
    );
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    for size in [10_000, 100_000, 1_000_000] {
        measure("memory", &MemoryStore::new(), size)?;
        for (name, quick_repair) in [("redb", false), ("redb quick-repair", true)] {
            // Beside the build output, so on a real disk: a temporary directory may be in memory.
            let directory = tempfile::tempdir_in(std::env::current_exe()?.parent().ok_or("no directory")?)?;
            let options = RedbOptions { quick_repair, ..RedbOptions::default() };
            let path = directory.path().join("cost.redb");
            let store: RedbStore<Key, Value> = RedbStore::open_with(&path, "cost", &options)?;
            measure(name, &store, size)?;
            drop(store);
            let start = Instant::now();
            drop(RedbStore::<Key, Value>::open_with(&path, "cost", &options)?);
            let checked = start.elapsed().as_secs_f64() * 1e3;
            let start = Instant::now();
            drop(RedbStore::<Key, Value>::open_with(&path, "cost", &RedbOptions { verify: false, ..options })?);
            println!(
                "{:20} reopened in {checked:.0} ms, {:.1} ms without verification",
                "",
                start.elapsed().as_secs_f64() * 1e3
            );
        }
    }
    Ok(())
}
