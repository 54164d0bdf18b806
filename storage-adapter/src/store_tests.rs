//! What every store guarantees, checked on each backend through the object-safe traits.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use proptest::prelude::*;

use crate::{BlockCommit, BlockHead, MemoryStore, RedbStore, Snapshot, StateStore, StorageError};

type Store = Box<dyn StateStore<u64, u64>>;

/// Every backend, empty. The directory lives as long as the stores do.
fn backends() -> (tempfile::TempDir, [Store; 2]) {
    let directory = tempfile::tempdir().unwrap();
    let redb: RedbStore<u64, u64> = RedbStore::open(directory.path().join("db"), "test").unwrap();
    (directory, [Box::new(MemoryStore::new()), Box::new(redb)])
}

fn dump(snapshot: &dyn Snapshot<u64, u64>) -> Vec<(u64, u64)> {
    let mut all = Vec::new();
    snapshot
        .for_each(&mut |key, value| {
            all.push((*key, *value));
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(snapshot.entries().unwrap(), all.len() as u64);
    all
}

fn commit(store: &dyn StateStore<u64, u64>, number: u64, changes: &[(u64, Option<u64>)]) -> Result<(), StorageError> {
    store.commit(BlockCommit { number, digest: [number as u8; 32], body: &number.to_le_bytes(), changes })
}

#[test]
fn an_empty_store_says_so() {
    let (_directory, stores) = backends();
    for store in stores {
        assert_eq!(store.last_block().unwrap(), None);
        assert_eq!(store.snapshot().head(), None);
        assert_eq!(store.block(0).unwrap(), None);
        assert_eq!(store.read(&1).unwrap(), None);
        assert!(dump(&*store.snapshot()).is_empty());
        assert!(matches!(commit(&*store, 0, &[]), Err(StorageError::NotInitialised { got: 0 })));
        assert!(matches!(commit(&*store, 1, &[]), Err(StorageError::NotInitialised { got: 1 })));
    }
}

#[test]
fn blocks_and_values_round_trip() {
    let (_directory, stores) = backends();
    for store in stores {
        store.initialise(&[(1, 10), (2, 20), (300, 30)], [7; 32]).unwrap();
        commit(&*store, 1, &[(1, None), (2, Some(21)), (4, Some(40)), (5, None)]).unwrap();
        assert_eq!(store.last_block().unwrap(), Some(BlockHead { number: 1, digest: [1; 32] }));
        assert_eq!(dump(&*store.snapshot()), [(2, 21), (4, 40), (300, 30)]);
        assert_eq!(store.read(&4).unwrap(), Some(40));
        assert_eq!(store.read(&1).unwrap(), None);
        let genesis = store.block(0).unwrap().unwrap();
        assert_eq!((genesis.number, genesis.digest, genesis.body), (0, [7; 32], Vec::new()));
        assert_eq!(store.block(1).unwrap().unwrap().body, 1u64.to_le_bytes());
        assert_eq!(store.block(2).unwrap(), None);
        assert_eq!(store.block(u64::MAX).unwrap(), None);
    }
}

#[test]
fn a_refused_commit_leaves_everything_as_it_was() {
    let (_directory, stores) = backends();
    for store in stores {
        assert!(matches!(
            store.initialise(&[(2, 1), (1, 1)], [0; 32]),
            Err(StorageError::Unsorted { number: 0, index: 1 })
        ));
        store.initialise(&[(1, 10)], [0; 32]).unwrap();
        commit(&*store, 1, &[(1, Some(11))]).unwrap();
        let bad = [(0, Some(1)), (1, None), (9, Some(1))];
        for number in [0, 1, 3, u64::MAX] {
            let error = commit(&*store, number, &bad).unwrap_err();
            assert!(matches!(error, StorageError::NotNext { expected: 2, got } if got == number), "{error}");
        }
        let error = commit(&*store, 2, &[(5, Some(1)), (7, None), (6, Some(1))]).unwrap_err();
        assert!(matches!(error, StorageError::Unsorted { number: 2, index: 2 }), "{error}");
        let error = commit(&*store, 2, &[(5, Some(1)), (5, None)]).unwrap_err();
        assert!(matches!(error, StorageError::Unsorted { number: 2, index: 1 }), "{error}");
        let error = store.initialise(&[], [0; 32]).unwrap_err();
        assert!(matches!(error, StorageError::AlreadyInitialised { last: 1 }), "{error}");
        assert_eq!(dump(&*store.snapshot()), [(1, 11)]);
        assert_eq!(store.last_block().unwrap().unwrap().number, 1);
        assert_eq!(store.block(2).unwrap(), None);
        commit(&*store, 2, &[(1, Some(12))]).unwrap();
    }
}

#[test]
fn iteration_stops_when_told() {
    let (_directory, stores) = backends();
    for store in stores {
        store.initialise(&[(1, 1), (2, 2), (3, 3)], [0; 32]).unwrap();
        let mut seen = Vec::new();
        store
            .for_each(&mut |key, _| {
                seen.push(*key);
                if *key == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })
            .unwrap();
        assert_eq!(seen, [1, 2]);
    }
}

/// Every key has the block's number as its value, so a reader that sees two different values sees a torn block.
#[test]
fn snapshots_are_whole_and_stay_as_they_are() {
    const KEYS: u64 = 200;
    const BLOCKS: u64 = 40;
    let (_directory, stores) = backends();
    for store in stores {
        let store: Arc<dyn StateStore<u64, u64>> = Arc::from(store);
        store.initialise(&(0..KEYS).map(|key| (key, 0)).collect::<Vec<_>>(), [0; 32]).unwrap();
        let genesis = store.snapshot();
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    let mut last = 0;
                    let mut held = Vec::new();
                    while !done.load(Ordering::Relaxed) {
                        let snapshot = store.snapshot();
                        let number = snapshot.head().unwrap().number;
                        assert!(number >= last, "a snapshot went back");
                        if number > last || held.is_empty() {
                            held.push((number, Arc::clone(&snapshot)));
                        }
                        last = number;
                        for (number, snapshot) in &held {
                            for key in [0, 1, KEYS / 2, KEYS - 1] {
                                assert_eq!(snapshot.read(&key).unwrap(), Some(*number));
                            }
                            assert_eq!(snapshot.block(number + 1).unwrap(), None);
                        }
                    }
                    for (number, snapshot) in held {
                        assert!(dump(&*snapshot).iter().all(|(_, value)| *value == number));
                    }
                });
            }
            for number in 1..=BLOCKS {
                let changes: Vec<_> = (0..KEYS).map(|key| (key, Some(number))).collect();
                commit(&*store, number, &changes).unwrap();
                assert_eq!(store.read(&3).unwrap(), Some(number));
            }
            done.store(true, Ordering::Relaxed);
        });
        assert_eq!(genesis.head().unwrap().number, 0);
        assert!(dump(&*genesis).iter().all(|(_, value)| *value == 0));
    }
}

#[test]
fn a_snapshot_outlives_its_store() {
    let (_directory, stores) = backends();
    for store in stores {
        store.initialise(&[(1, 1)], [0; 32]).unwrap();
        let snapshot = store.snapshot();
        drop(store);
        assert_eq!(snapshot.read(&1).unwrap(), Some(1));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn both_backends_equal_the_model(
        genesis in prop::collection::btree_map(0..60u64, any::<u64>(), 0..40),
        blocks in prop::collection::vec(prop::collection::btree_map(0..60u64, any::<Option<u64>>(), 0..30), 0..8),
    ) {
        let (_directory, stores) = backends();
        for store in stores {
            let mut model: BTreeMap<u64, u64> = genesis.clone();
            store.initialise(&genesis.iter().map(|(k, v)| (*k, *v)).collect::<Vec<_>>(), [0; 32]).unwrap();
            let mut history = vec![(store.snapshot(), model.clone())];
            for (at, changes) in blocks.iter().enumerate() {
                let changes: Vec<_> = changes.iter().map(|(k, v)| (*k, *v)).collect();
                commit(&*store, at as u64 + 1, &changes).unwrap();
                for (key, value) in changes {
                    match value {
                        Some(value) => model.insert(key, value),
                        None => model.remove(&key),
                    };
                }
                for key in 0..60 {
                    prop_assert_eq!(store.read(&key).unwrap(), model.get(&key).copied());
                }
                history.push((store.snapshot(), model.clone()));
            }
            for (at, (snapshot, model)) in history.iter().enumerate() {
                prop_assert_eq!(snapshot.head().unwrap().number, at as u64);
                prop_assert_eq!(dump(&**snapshot), model.iter().map(|(k, v)| (*k, *v)).collect::<Vec<_>>());
            }
        }
    }
}
