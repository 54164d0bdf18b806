//! The redb store and its file: reopening, and every kind of file that has to be refused.

use std::fs;
use std::path::{Path, PathBuf};

use redb::{Database, TableDefinition};

use crate::{
    BlockCommit, RedbOptions, RedbStore, Snapshot, StateCodec, StateReader, StateStore, StateWriter, StorageError,
};

type Store = RedbStore<u64, u64>;

fn place() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chain.redb");
    (directory, path)
}

fn filled(path: &Path, entries: u64) -> Store {
    let store = Store::open(path, "test/1").unwrap();
    store.initialise(&(0..entries).map(|key| (key, key * 2)).collect::<Vec<_>>(), [0; 32]).unwrap();
    store.commit(BlockCommit { number: 1, digest: [1; 32], body: b"one", changes: &[(5, Some(1))] }).unwrap();
    store
}

#[test]
fn reopening_finds_the_last_block() {
    let (_directory, path) = place();
    drop(filled(&path, 100));
    for options in [
        RedbOptions::default(),
        RedbOptions { verify: false, quick_repair: true, create: false, ..RedbOptions::default() },
    ] {
        let store = Store::open_with(&path, "test/1", &options).unwrap();
        assert_eq!(store.path(), path);
        let number = store.last_block().unwrap().unwrap().number;
        assert_eq!(store.read(&5).unwrap(), Some(1));
        assert_eq!(store.read(&99).unwrap(), Some(198));
        assert_eq!(store.block(1).unwrap().unwrap().body, b"one");
        let next = BlockCommit { number: number + 1, digest: [2; 32], body: &[], changes: &[] };
        store.commit(next).unwrap();
    }
    assert!(!path.with_extension("redb.creating").exists());
}

#[test]
fn a_database_in_use_is_locked() {
    let (_directory, path) = place();
    let store = filled(&path, 1);
    let again = Store::open(&path, "test/1").unwrap_err();
    assert!(matches!(&again, StorageError::Locked { path: named } if *named == path), "{again}");
    let snapshot = store.snapshot();
    drop(store);
    assert!(matches!(Store::open(&path, "test/1"), Err(StorageError::Locked { .. })));
    drop(snapshot);
    Store::open(&path, "test/1").unwrap();
}

#[test]
fn another_schema_is_refused() {
    let (_directory, path) = place();
    drop(filled(&path, 1));
    let error = Store::open(&path, "test/2").unwrap_err();
    let StorageError::SchemaMismatch { found, expected, .. } = &error else { panic!("{error}") };
    assert_eq!((found.as_str(), expected.as_str()), ("test/1", "test/2"));
    assert!(error.to_string().contains("chain.redb"), "{error}");
}

#[test]
fn another_layout_version_is_refused() {
    const META: TableDefinition<'static, &str, &[u8]> = TableDefinition::new("weft.meta");
    let (_directory, path) = place();
    drop(filled(&path, 1));
    for (bytes, damaged) in [(&[0, 0, 0, 9][..], false), (&[1][..], true)] {
        let database = Database::open(&path).unwrap();
        let transaction = database.begin_write().unwrap();
        transaction.open_table(META).unwrap().insert("layout", bytes).unwrap();
        transaction.commit().unwrap();
        drop(database);
        let error = Store::open(&path, "test/1").unwrap_err();
        if damaged {
            assert!(matches!(error, StorageError::DamagedFile { .. }), "{error}");
        } else {
            assert!(matches!(error, StorageError::LayoutVersion { found: 9, supported: 1, .. }), "{error}");
        }
    }
}

#[test]
fn foreign_files_are_refused_and_left_alone() {
    let (directory, path) = place();
    let text = b"a text that is longer than any header of a database, ".repeat(200);
    fs::write(&path, &text).unwrap();
    let error = Store::open(&path, "test/1").unwrap_err();
    assert!(matches!(&error, StorageError::NotADatabase { path: named, .. } if *named == path), "{error}");
    assert_eq!(fs::read(&path).unwrap(), text);

    let other = directory.path().join("other.redb");
    let database = Database::create(&other).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(TableDefinition::<u64, u64>::new("accounts")).unwrap().insert(1, 1).unwrap();
    transaction.commit().unwrap();
    drop(database);
    let error = Store::open(&other, "test/1").unwrap_err();
    assert!(matches!(&error, StorageError::NotADatabase { reason, .. } if reason.contains("accounts")), "{error}");

    let error = Store::open(directory.path(), "test/1").unwrap_err();
    assert!(matches!(error, StorageError::Backend { .. }), "{error}");
}

#[test]
fn a_missing_file_is_created_only_on_request() {
    let (directory, path) = place();
    let options = RedbOptions { create: false, ..RedbOptions::default() };
    let error = Store::open_with(&path, "test/1", &options).unwrap_err();
    assert!(error.to_string().contains("chain.redb"), "{error}");
    assert!(!path.exists());
    assert!(Store::open(directory.path().join("no/such/folder"), "test/1").is_err());
    // What a crash during an earlier creation left behind is no obstacle.
    fs::write(directory.path().join("chain.redb.creating"), [0; 70_000]).unwrap();
    drop(filled(&path, 1));
    // An empty file that the caller made is.
    let empty = tempfile::NamedTempFile::new_in(directory.path()).unwrap();
    drop(filled(empty.path(), 1));
}

/// Damage of every region of the file, and truncation, is an error or harmless, never a panic and never a wrong value.
#[test]
fn damaged_files_are_refused_or_harmless() {
    let (_directory, path) = place();
    drop(filled(&path, 3000));
    let good = fs::read(&path).unwrap();
    let mut refused = 0;
    for step in 0..48 {
        let mut bytes = good.clone();
        let at = (step * 104_729 + step * step * 31) % bytes.len();
        match step % 3 {
            0 => bytes[at] ^= 0x40,
            1 => bytes.iter_mut().skip(at).take(512).for_each(|byte| *byte = 0xff),
            _ => bytes.truncate(at),
        }
        fs::write(&path, &bytes).unwrap();
        match Store::open(&path, "test/1") {
            Ok(store) => {
                for key in (0..3000).step_by(7) {
                    let expected = if key == 5 { 1 } else { key * 2 };
                    assert_eq!(store.read(&key).unwrap(), Some(expected), "step {step}");
                }
            }
            Err(error) => {
                refused += 1;
                assert!(error.to_string().contains("chain.redb"), "step {step}: {error}");
                let typed = matches!(error, StorageError::DamagedFile { .. } | StorageError::NotADatabase { .. });
                // An empty file is a new database, so truncation to nothing would not even be an error.
                assert!(typed, "step {step}: {error:?}");
            }
        }
    }
    assert!(refused > 20, "only {refused} damaged files were noticed");
}

/// Values that this codec refuses: the error names entry and file.
struct Picky;

impl StateCodec<u64, u64> for Picky {
    fn encode_key(key: &u64, out: &mut Vec<u8>) {
        out.extend_from_slice(&key.to_be_bytes());
    }

    fn decode_key(bytes: &[u8]) -> Result<u64, StorageError> {
        crate::StorageCodec::decode(bytes)
    }

    fn encode_value(value: &u64, out: &mut Vec<u8>) {
        out.extend_from_slice(&value.to_be_bytes());
    }

    fn decode_value(_: &[u8]) -> Result<u64, StorageError> {
        Err(StorageError::corrupt("value", "refused"))
    }
}

#[test]
fn an_undecodable_value_names_its_key_and_file() {
    let (_directory, path) = place();
    let store: RedbStore<u64, u64, Picky> = RedbStore::open(&path, "test/1").unwrap();
    store.initialise(&[(0xabcd, 1)], [0; 32]).unwrap();
    let read = store.read(&0xabcd).unwrap_err().to_string();
    assert!(read.contains("0x000000000000abcd") && read.contains("chain.redb"), "{read}");
    let iterated = store.snapshot().for_each(&mut |_, _| std::ops::ControlFlow::Continue(())).unwrap_err();
    assert_eq!(iterated.to_string(), read);
}

/// A codec that does not keep the order would make iteration and digests wrong; the store notices.
struct LittleEndian;

impl StateCodec<u64, u64> for LittleEndian {
    fn encode_key(key: &u64, out: &mut Vec<u8>) {
        out.extend_from_slice(&key.to_le_bytes());
    }

    fn decode_key(bytes: &[u8]) -> Result<u64, StorageError> {
        Ok(<u64 as crate::StorageCodec>::decode(bytes)?.swap_bytes())
    }

    fn encode_value(_: &u64, _: &mut Vec<u8>) {}

    fn decode_value(_: &[u8]) -> Result<u64, StorageError> {
        Ok(0)
    }
}

#[test]
fn a_codec_that_loses_the_order_is_refused() {
    let (_directory, path) = place();
    let store: RedbStore<u64, u64, LittleEndian> = RedbStore::open(&path, "test/1").unwrap();
    let error = store.initialise(&[(255, 0), (256, 0)], [0; 32]).unwrap_err();
    assert!(matches!(error, StorageError::Unsorted { number: 0, index: 1 }), "{error}");
    assert_eq!(store.last_block().unwrap(), None);
}
