//! A disk that loses power at its nth operation: whatever survives of the writes since the last flush, the reopened
//! database stands at a whole block, and at none before the last one that was acknowledged.

use std::io;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;
use redb::{Builder, StorageBackend};

use super::{RedbStore, open};
use crate::{BlockCommit, Snapshot, StateReader, StateWriter, StorageError};

#[derive(Debug)]
enum Unflushed {
    Write(u64, Vec<u8>),
    Length(u64),
}

/// What the database sees, what is on the platter, and what may or may not reach it.
#[derive(Debug, Default)]
struct Platter {
    seen: Vec<u8>,
    flushed: Vec<u8>,
    unflushed: Vec<Unflushed>,
    budget: u64,
}

fn apply(bytes: &mut Vec<u8>, operation: &Unflushed) {
    match operation {
        Unflushed::Length(length) => bytes.resize(*length as usize, 0),
        Unflushed::Write(at, data) => {
            let at = *at as usize;
            if bytes.len() < at + data.len() {
                bytes.resize(at + data.len(), 0);
            }
            bytes[at..at + data.len()].copy_from_slice(data);
        }
    }
}

impl Platter {
    fn spend(&mut self) -> io::Result<()> {
        self.budget = self.budget.checked_sub(1).ok_or_else(|| io::Error::other("power lost"))?;
        Ok(())
    }

    /// The bytes after the power returns: each write since the last flush survived or not, as `seed` says.
    fn after_power_loss(&self, mut seed: u64) -> Vec<u8> {
        let mut bytes = self.flushed.clone();
        for operation in &self.unflushed {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            // Lengths always survive: a file system orders them before the data that lies beyond the old end.
            if matches!(operation, Unflushed::Length(_)) || seed >> 63 == 0 {
                apply(&mut bytes, operation);
            }
        }
        bytes
    }
}

#[derive(Debug, Clone, Default)]
struct Disk(Arc<Mutex<Platter>>);

impl Disk {
    fn new(bytes: Vec<u8>, budget: u64) -> Self {
        Self(Arc::new(Mutex::new(Platter { seen: bytes.clone(), flushed: bytes, unflushed: Vec::new(), budget })))
    }

    fn change(&self, operation: Unflushed) -> io::Result<()> {
        let mut platter = self.0.lock();
        platter.spend()?;
        apply(&mut platter.seen, &operation);
        platter.unflushed.push(operation);
        Ok(())
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().seen.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let platter = self.0.lock();
        let from = offset as usize;
        let found = platter.seen.get(from..from + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(found);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.change(Unflushed::Length(len))
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut platter = self.0.lock();
        platter.spend()?;
        platter.flushed = platter.seen.clone();
        platter.unflushed.clear();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.change(Unflushed::Write(offset, data.to_vec()))
    }
}

type Store = RedbStore<u64, u64>;

fn open_disk(disk: Disk, quick_repair: bool) -> Result<Store, StorageError> {
    let path: Arc<Path> = Arc::from(Path::new("disk"));
    let database = Builder::new()
        .create_with_backend(disk)
        .map_err(|error| super::redb_error(&path, || "open".to_owned(), error))?;
    open::prepare(&database, &path, "test")?;
    Store::from_database(database, path, quick_repair)
}

const KEYS: u64 = 300;

fn value(key: u64, number: u64) -> Option<u64> {
    (!(key + number).is_multiple_of(7)).then_some(key * 1000 + number)
}

/// Genesis and four blocks; the number of the last acknowledged one.
fn run(disk: &Disk, quick_repair: bool) -> (Option<u64>, Result<(), StorageError>) {
    let mut acknowledged = None;
    let result = (|| {
        let store = open_disk(disk.clone(), quick_repair)?;
        let genesis: Vec<_> = (0..KEYS).filter_map(|key| Some((key, value(key, 0)?))).collect();
        store.initialise(&genesis, [0; 32])?;
        acknowledged = Some(0);
        for number in 1..=4 {
            let changes: Vec<_> = (0..KEYS).map(|key| (key, value(key, number))).collect();
            let before = store.snapshot();
            let outcome =
                store.commit(BlockCommit { number, digest: [number as u8; 32], body: &[1; 5000], changes: &changes });
            if outcome.is_err() {
                let shown = store.snapshot();
                assert_eq!(shown.head(), before.head(), "readers saw a block that failed");
            }
            outcome?;
            acknowledged = Some(number);
        }
        Ok(())
    })();
    (acknowledged, result)
}

#[test]
fn power_loss_at_any_operation_leaves_a_whole_block() {
    for quick_repair in [false, true] {
        let mut struck = 0;
        for budget in 0.. {
            let disk = Disk::new(Vec::new(), budget);
            let (acknowledged, result) = run(&disk, quick_repair);
            let finished = result.is_ok();
            for seed in 0..3 {
                let bytes = disk.0.lock().after_power_loss(budget * 3 + seed);
                check(bytes, acknowledged, budget, quick_repair);
            }
            if finished {
                break;
            }
            struck += 1;
        }
        assert!(struck > 30, "only {struck} operations were made to fail");
    }
}

fn check(bytes: Vec<u8>, acknowledged: Option<u64>, budget: u64, quick_repair: bool) {
    let store = match open_disk(Disk::new(bytes, u64::MAX), quick_repair) {
        Ok(store) => store,
        // redb's own creation was cut off; `open::create` keeps such a file from getting the database's name.
        Err(error) => return assert_eq!(acknowledged, None, "operation {budget}: {error}"),
    };
    let found = store.last_block().unwrap().map(|head| head.number);
    let next = acknowledged.map_or(0, |number| number + 1);
    assert!(found == acknowledged || found == Some(next), "operation {budget}: {acknowledged:?} became {found:?}");
    let mut seen = Vec::new();
    store
        .snapshot()
        .for_each(&mut |key, value| {
            seen.push((*key, *value));
            ControlFlow::Continue(())
        })
        .unwrap();
    let expected: Vec<_> =
        found.map(|number| (0..KEYS).filter_map(|key| Some((key, value(key, number)?))).collect()).unwrap_or_default();
    assert_eq!(seen, expected, "operation {budget}, block {found:?}");
    if let Some(number) = found {
        assert_eq!(store.snapshot().block(number).unwrap().unwrap().digest, [number as u8; 32]);
        assert_eq!(store.read(&1).unwrap(), value(1, number));
    }
}
