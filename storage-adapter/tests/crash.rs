//! Kills a process that commits blocks, at random moments, and looks at what it left behind.
#![cfg(unix)]

use std::io::{BufRead, BufReader};
use std::ops::ControlFlow;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use weft_storage::{BlockCommit, RedbStore, Snapshot, StateStore, StateWriter};

/// Set for the child: the database to commit to.
const CHILD: &str = "WEFT_STORAGE_CRASH_CHILD";
const KEYS: u64 = 400;

type Store = RedbStore<u64, [u8; 16]>;

/// What `key` holds after block `number`: a function of the number alone, so no record has to survive the kill.
fn value(key: u64, number: u64) -> Option<[u8; 16]> {
    let last_change = number - (number + key) % 3.min(number + 1);
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&key.to_le_bytes());
    bytes[8..].copy_from_slice(&last_change.to_le_bytes());
    (!(key + last_change).is_multiple_of(11)).then_some(bytes)
}

fn digest(number: u64) -> [u8; 32] {
    let mut digest = [0x5a; 32];
    digest[..8].copy_from_slice(&number.to_le_bytes());
    digest
}

fn body(number: u64) -> Vec<u8> {
    number.to_le_bytes().repeat(1 + (number % 700) as usize)
}

fn open(path: &Path) -> Store {
    Store::open(path, "crash").unwrap()
}

/// Commits one block after another until it is killed; a line for each that is acknowledged.
#[expect(clippy::print_stdout, reason = "the parent reads it")]
fn commit_for_ever(path: &Path) {
    let store = open(path);
    if store.last_block().unwrap().is_none() {
        let genesis: Vec<_> = (0..KEYS).filter_map(|key| Some((key, value(key, 0)?))).collect();
        store.initialise(&genesis, digest(0)).unwrap();
    }
    for number in store.last_block().unwrap().unwrap().number + 1.. {
        let changes: Vec<_> = (0..KEYS)
            .filter(|key| value(*key, number) != value(*key, number - 1))
            .map(|key| (key, value(key, number)))
            .collect();
        let block = BlockCommit { number, digest: digest(number), body: &body(number), changes: &changes };
        store.commit(block).unwrap();
        println!("\ncommitted {number}");
    }
}

/// The last block in the database, after everything in it was compared with what its number says.
fn check(path: &Path) -> Option<u64> {
    let store = open(path);
    let head = store.last_block().unwrap()?;
    assert_eq!(head.digest, digest(head.number));
    let mut found = Vec::new();
    store
        .for_each(&mut |key, value| {
            found.push((*key, *value));
            ControlFlow::Continue(())
        })
        .unwrap();
    let expected: Vec<_> = (0..KEYS).filter_map(|key| Some((key, value(key, head.number)?))).collect();
    assert_eq!(found, expected, "block {}", head.number);
    let snapshot = store.snapshot();
    for number in 1..=head.number {
        let block = snapshot.block(number).unwrap().unwrap();
        assert_eq!((block.digest, block.body), (digest(number), body(number)));
    }
    assert_eq!(snapshot.block(head.number + 1).unwrap(), None);
    Some(head.number)
}

#[test]
fn a_killed_process_leaves_a_whole_block() {
    if let Some(path) = std::env::var_os(CHILD) {
        return commit_for_ever(Path::new(&path));
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chain.redb");
    let mut last = None;
    // The first kills strike while the database is created. Before the others the child has committed something, so
    // that the test gets somewhere on a slow machine too.
    for (started, micros) in [
        (false, 2_000),
        (false, 4_000),
        (false, 7_000),
        (false, 15_000),
        (true, 0),
        (true, 1_700),
        (true, 13_300),
        (true, 41_900),
        (true, 83_100),
        (true, 120_500),
    ] {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "a_killed_process_leaves_a_whole_block", "--nocapture"])
            .env(CHILD, &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap())
            .lines()
            .map_while(Result::ok)
            .filter_map(|line| line.strip_prefix("committed ").and_then(|number| number.parse::<u64>().ok()));
        let mut acknowledged = if started { lines.next() } else { None };
        std::thread::sleep(Duration::from_micros(micros));
        // SIGKILL on Unix.
        child.kill().unwrap();
        acknowledged = lines.last().or(acknowledged);
        let status = child.wait().unwrap();
        assert_eq!(status.code(), None, "the child ended by itself: {status}");
        let found = check(&path);
        assert!(found >= acknowledged.max(last), "{acknowledged:?} was acknowledged, {found:?} is there");
        // One block more than was acknowledged may be there; its line was not written any more.
        let at_most = acknowledged.or(last).map_or(1, |number| number + 1);
        assert!(found.is_none_or(|found| found <= at_most), "{found:?} was never reached from {acknowledged:?}");
        last = found;
    }
    assert!(last >= Some(6), "six children committed, yet there is only {last:?}");
}
