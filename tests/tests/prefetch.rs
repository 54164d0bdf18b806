//! Base values that are prefetched: storage is asked no more often than without, nobody gets too far ahead, and nothing
//! that goes wrong ahead of the block is of any consequence.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use weft_engine::{BlockEnd, BlockError, BlockPolicy, Config, Engine, Mode, Outcome, StateView, Stop, Touch, Vm};
use weft_storage::testing::FaultyReader;
use weft_storage::{StateReader, StorageError};
use weft_tests::gate::Gate;
use weft_tests::program::{Cell, Key};
use weft_tests::quiet::{PROVOKED, quiet_panics};
use weft_tests::run::{MapState, config, run_with_metrics};
use weft_tests::watchdog::Watched;

/// What is named beside a lane and never read.
const NEVER: Key = 10_000;

/// Transaction `i` increments key `i`, and names it. Transaction 0 may wait for something before it ends, and fail.
#[derive(Debug, Default)]
struct Lanes {
    /// How many transactions have been begun at least.
    begun: AtomicUsize,
    /// The signals that transaction 0 waits for.
    signals: usize,
    gate: Gate,
    rejects: bool,
    panics_in_hints: bool,
}

impl Vm for Lanes {
    type Transaction = Key;
    type Key = Key;
    type Value = Cell;
    type Output = u64;

    fn execute<S: StateView<Key, Cell>>(&self, lane: &Key, state: &mut S) -> Result<Outcome<u64>, Stop> {
        self.begun.fetch_max(usize::from(*lane) + 1, Ordering::SeqCst);
        if *lane == 0 {
            self.gate.wait_for(self.signals);
            if self.rejects {
                return Ok(Outcome::rejected(0));
            }
        }
        let seen = state.read(lane)?.map_or(0, |cell| cell.0);
        state.write(*lane, Cell(seen + 1));
        Ok(Outcome::applied(seen, 1))
    }

    fn footprint(&self, lane: &Key, declare: &mut dyn FnMut(Key, Touch)) {
        declare(*lane, Touch::Write);
        assert!(!self.panics_in_hints || *lane % 3 != 1, "{PROVOKED}");
    }

    fn reads(&self, lane: &Key, declare: &mut dyn FnMut(Key)) {
        declare(NEVER + lane);
    }
}

/// Counts the reads of every key; `on_read` sees them all.
struct Counted<R, F> {
    inner: R,
    reads: Mutex<BTreeMap<Key, usize>>,
    on_read: F,
}

impl<R, F: Fn(Key)> Counted<R, F> {
    fn new(inner: R, on_read: F) -> Self {
        Self { inner, reads: Mutex::default(), on_read }
    }
}

impl<R: StateReader<Key, Cell>, F: Fn(Key) + Sync> StateReader<Key, Cell> for Counted<R, F> {
    fn read(&self, key: &Key) -> Result<Option<Cell>, StorageError> {
        *self.reads.lock().entry(*key).or_default() += 1;
        (self.on_read)(*key);
        self.inner.read(key)
    }
}

fn block(transactions: Key) -> Vec<Key> {
    (0..transactions).collect()
}

fn engine(workers: usize, unit_length: usize, prefetch_threads: usize, prefetch_distance: usize) -> Engine<Lanes> {
    let base = config(Mode::Optimistic, workers, unit_length);
    Engine::new(Config { prefetch_threads, prefetch_distance, ..base })
}

fn all_incremented(transactions: Key) -> Vec<(Key, Option<Cell>)> {
    (0..transactions).map(|lane| (lane, Some(Cell(1)))).collect()
}

#[test]
fn storage_is_asked_once_for_a_key_whoever_comes_first() {
    for (workers, unit_length, threads) in [(1, 1, 1), (2, 1, 3), (4, 8, 2), (2, 3, 8)] {
        let engine = engine(workers, unit_length, threads, 50);
        for _ in 0..3 {
            let state = Counted::new(MapState::default(), |_| {});
            let (result, _) = run_with_metrics(&engine, &Lanes::default(), &state, &block(400), BlockPolicy::default())
                .expect("a result");
            assert_eq!(result.changes, all_incremented(400));
            let reads = state.reads.into_inner();
            assert!((0..400).all(|lane| reads.contains_key(&lane)), "every lane is read");
            assert!(reads.values().all(|count| *count == 1), "and no key twice: {reads:?}");
        }
    }
}

/// With a single worker, which is held up in transaction 0.
#[test]
fn values_are_loaded_while_the_worker_is_busy() {
    for threads in [1, 4] {
        let vm = Lanes { signals: 20, ..Lanes::default() };
        let state = Counted::new(MapState::default(), |key| {
            if (1..=20).contains(&key) {
                vm.gate.signal();
            }
        });
        let engine = engine(1, 1, threads, 30);
        let (result, _) =
            run_with_metrics(&engine, &vm, &state, &block(100), BlockPolicy::default()).expect("a result");
        assert_eq!(result.changes, all_incremented(100));
    }
}

#[test]
fn nobody_gets_further_ahead_than_the_distance() {
    for (unit_length, distance) in [(1, 1), (1, 7), (4, 12), (4, 10), (100, 1000)] {
        let distance_in_units = usize::div_ceil(distance, unit_length);
        // Held up until as much is loaded as may be: unit 0 has been begun, so all before unit `distance` + 1.
        let last = (distance_in_units + 1) * unit_length;
        let vm = Lanes { signals: last.min(300) - unit_length, ..Lanes::default() };
        let too_far = AtomicUsize::new(0);
        let state = Counted::new(MapState::default(), |key| {
            if key >= NEVER {
                return;
            }
            let unit = usize::from(key) / unit_length;
            // The worker may have taken a unit and not said so yet.
            let begun = vm.begun.load(Ordering::SeqCst).div_ceil(unit_length) + 1;
            if unit >= begun + distance_in_units {
                too_far.fetch_add(1, Ordering::SeqCst);
            }
            if unit > 0 {
                vm.gate.signal();
            }
        });
        let engine = engine(1, unit_length, 3, distance);
        let (result, _) =
            run_with_metrics(&engine, &vm, &state, &block(300), BlockPolicy::default()).expect("a result");
        assert_eq!(result.changes, all_incremented(300));
        assert_eq!(too_far.load(Ordering::SeqCst), 0, "units of {unit_length}, distance {distance}");
    }
}

#[test]
fn a_block_that_ends_early_leaves_the_rest_unread() {
    let vm = Lanes { signals: 5, rejects: true, ..Lanes::default() };
    let state = Counted::new(MapState::default(), |key| {
        if (1..=10).contains(&key) {
            vm.gate.signal();
        }
    });
    let engine = engine(1, 1, 4, 10);
    let (result, _) = run_with_metrics(&engine, &vm, &state, &block(5000), BlockPolicy::default()).expect("a result");
    assert_eq!((result.end, result.changes), (BlockEnd::Rejected { transaction: 0 }, vec![]));
    assert!(state.reads.lock().keys().all(|key| key % NEVER <= 10), "what nobody was to begin was not prefetched");
}

#[test]
fn a_caller_that_panics_ends_the_prefetching_too() {
    quiet_panics();
    let engine = engine(2, 1, 3, 4);
    let state = MapState::default();
    let caught = catch_unwind(AssertUnwindSafe(|| {
        let _watched = Watched::begin();
        let on_commit = |index: usize, _: &Outcome<u64>| assert_ne!(index, 7, "{PROVOKED}");
        engine.execute_block_with(&Lanes::default(), &state, &block(1000), BlockPolicy::default(), on_commit)
    }));
    assert!(caught.is_err(), "the panic is the caller's");
    let (result, _) = run_with_metrics(&engine, &Lanes::default(), &state, &block(50), BlockPolicy::default())
        .expect("the next block");
    assert_eq!(result.changes, all_incremented(50));
}

/// All that is named and not needed fails; the block does not notice. A single worker: another could begin everything
/// before anybody gets ahead of it.
#[test]
fn failures_ahead_of_the_block_are_nobodys() {
    for unit_length in [1, 4] {
        let vm = Lanes { signals: 5, ..Lanes::default() };
        let faulty =
            (0..100).fold(FaultyReader::new(MapState::default()), |reader, lane| reader.failing_key(NEVER + lane));
        let state = Counted::new(faulty, |key| {
            if key >= NEVER {
                vm.gate.signal();
            }
        });
        let engine = engine(1, unit_length, 2, 1000);
        let (result, _) =
            run_with_metrics(&engine, &vm, &state, &block(100), BlockPolicy::default()).expect("a result");
        assert_eq!(result.changes, all_incremented(100));
        assert!(state.inner.failures() >= 5, "they were asked for");
    }
}

/// A failure that was met ahead of the block is gone when the transaction asks.
#[test]
fn a_passing_failure_is_not_kept() {
    let vm = Lanes { signals: 1, ..Lanes::default() };
    // Transaction 0 is held up before it reads: the first read is a prefetcher's.
    let state = Counted::new(FaultyReader::new(MapState::default()).failing_nth(1), |_| vm.gate.signal());
    let (result, _) =
        run_with_metrics(&engine(1, 1, 1, 1000), &vm, &state, &block(100), BlockPolicy::default()).expect("a result");
    assert_eq!(result.changes, all_incremented(100));
    assert_eq!(state.inner.failures(), 1);
}

#[test]
fn a_failure_that_the_block_needs_names_the_transaction_all_the_same() {
    for (workers, unit_length) in [(1, 1), (2, 1), (3, 4)] {
        let state = FaultyReader::new(MapState::default()).failing_key(40).failing_key(60);
        let engine = engine(workers, unit_length, 3, 1000);
        let failed = engine.execute_block(&Lanes::default(), &state, &block(100), BlockPolicy::default());
        assert!(matches!(failed, Err(BlockError::Storage { transaction: 40, .. })), "{failed:?}");
    }
}

#[test]
fn panics_ahead_of_the_block_are_nobodys() {
    quiet_panics();
    for unit_length in [1, 3] {
        let vm = Lanes { signals: 5, panics_in_hints: true, ..Lanes::default() };
        let state = Counted::new(MapState::default(), |key| {
            if key >= NEVER {
                vm.gate.signal();
                assert!(key % 2 == 0, "{PROVOKED}");
            }
        });
        let engine = engine(1, unit_length, 2, 1000);
        let (result, _) =
            run_with_metrics(&engine, &vm, &state, &block(100), BlockPolicy::default()).expect("a result");
        assert_eq!(result.changes, all_incremented(100));
    }
}

#[test]
fn engines_that_share_their_threads_give_the_same() {
    let first = engine(2, 1, 2, 100);
    let second = first.sharing_threads(Config { unit_length: 5, ..first.config().clone() });
    std::thread::scope(|scope| {
        for engine in [&first, &second, &first] {
            scope.spawn(move || {
                for _ in 0..20 {
                    let vm = Lanes::default();
                    let state = MapState::default();
                    let (result, _) =
                        run_with_metrics(engine, &vm, &state, &block(60), BlockPolicy::default()).expect("a result");
                    assert_eq!(result.changes, all_incremented(60));
                }
            });
        }
    });
}
