//! Blocks of the main network, where their files are.

use std::path::{Path, PathBuf};

use weft_engine::Mode;
use weft_node::ethereum::input::BlockInput;
use weft_node::ethereum::paths::{ExecutionPath, ParallelPath};
use weft_node::ethereum::replay::Replayer;

fn files() -> Vec<PathBuf> {
    let shared = std::env::var("WEFT_SHARED").unwrap_or_else(|_| "../shared".to_owned());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(shared).join("ethereum-blocks");
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "gz")).collect()
}

#[test]
#[ignore = "needs ../shared"]
fn every_block_reproduces_its_header_on_every_path() {
    let path = |mode, threads| Some(Box::new(ParallelPath::new(mode, threads)) as Box<dyn ExecutionPath>);
    let replayers = [
        Replayer::new(None, 1),
        Replayer::new(path(Mode::Optimistic, 1), 1),
        Replayer::new(path(Mode::Optimistic, 2), 2),
        Replayer::new(path(Mode::Optimistic, 8), 4),
        Replayer::new(path(Mode::Auto, 4), 2),
    ];
    let files = files();
    assert!(files.len() >= 45, "only {} files", files.len());
    let mut transactions = 0;
    for file in &files {
        let input = BlockInput::read(file, 4).unwrap();
        for replayer in &replayers {
            let replay = replayer.replay(&input);
            assert!(replay.passed(), "{}, {replayer:?}: {:?}", file.display(), replay.findings);
        }
        transactions += input.transactions.len();
    }
    assert!(transactions > 10_000, "only {transactions} transactions");
}

/// The check is worth something: a block of the main network with a slot or a balance changed does not reproduce its
/// header.
#[test]
#[ignore = "needs ../shared"]
fn a_changed_prestate_does_not_pass() {
    let file = files().into_iter().find(|path| path.ends_with("19929064.json.gz")).expect("block 19929064");
    let mut block = weft_node::ethereum::file::BlockFile::read(&file).unwrap();
    for account in block.prestate.values_mut() {
        for value in account.storage.values_mut() {
            value.0[31] ^= 1;
        }
    }
    let replay = Replayer::new(None, 1).replay(&BlockInput::new(block, 1).unwrap());
    assert!(!replay.passed());
}
