//! The readers that wrap readers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::testing::{FaultyReader, InjectedFault};
use crate::{LatencyReader, MemoryStore, StateReader, StateWriter, StorageError};

fn store() -> MemoryStore<u64, u64> {
    let store = MemoryStore::new();
    store.initialise(&[(1, 10), (2, 20)], [0; 32]).unwrap();
    store
}

#[test]
fn latency_delays_and_counts() {
    for delay in [Duration::from_micros(20), Duration::from_micros(300)] {
        let slow = LatencyReader::new(store(), delay);
        let start = Instant::now();
        for _ in 0..10 {
            assert_eq!(slow.read(&1).unwrap(), Some(10));
        }
        assert!(start.elapsed() >= delay * 10);
        assert_eq!(slow.take_reads(), 10);
        assert_eq!(slow.reads(), 0);
    }
}

#[test]
fn latency_counts_across_threads() {
    let reader = LatencyReader::new(store().snapshot(), Duration::ZERO);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..100).for_each(|_| assert_eq!(reader.read(&2).unwrap(), Some(20))));
        }
    });
    assert_eq!(reader.reads(), 400);
}

#[test]
fn faults_strike_where_told() {
    let store = Arc::new(store());
    let faulty = FaultyReader::new(Arc::clone(&store)).failing_nth(2).failing_key(2);
    assert_eq!(faulty.read(&1).unwrap(), Some(10));
    let error = faulty.read(&1).unwrap_err();
    let StorageError::Backend { source, .. } = error else { panic!("{error}") };
    assert_eq!(source.downcast_ref(), Some(&InjectedFault { read: 2 }));
    assert_eq!(faulty.read(&1).unwrap(), Some(10));
    assert!(faulty.read(&2).is_err());
    assert!(faulty.read(&2).is_err());
    assert_eq!((faulty.reads(), faulty.failures()), (5, 3));
}
