//! Ethereum's state tests on every path: each case as a block of one, and many as blocks of many.
//!
//! The archive is not part of the repository. The tests that need it are ignored, and run where it is; those of the
//! harness itself always run.

#[path = "../../../evm/tests/common/mod.rs"]
mod common;

mod archive;
mod case;
mod check;
mod conflicting;
mod disjoint;
mod harness;

mod report;
mod root;

use std::io::Write;

use case::Case;
use common::block::Block;
use common::path::Path;
use conflicting::Senders;
use report::{Counts, Report};

/// Every way that is tried in parallel.
fn parallel() -> Vec<Path> {
    [(2, 1), (2, 3), (4, 1), (4, 3)].map(|(threads, unit_length)| Path::parallel(threads, unit_length)).into()
}

/// Four thousand million rounds of a hash, half a minute. It has a test of its own, beside the others.
const LONGEST: &str = "stTimeConsuming/CALLBlake2f_MaxRounds.json";

/// Seconds each. On its own, such a case runs once; blocks of many are made without it.
const LONG: [&str; 4] = [
    "VMTests/vmPerformance/loopMul.json",
    "stTimeConsuming/static_Call50000_sha256.json",
    "stStaticCall/static_Call1MB1024Calldepth.json",
    "stQuadraticComplexityTest/Call50000_sha256.json",
];

fn is_long(case: &Case) -> bool {
    LONG.iter().any(|file| case.name.starts_with(file))
}

/// All cases but the longest.
fn cases() -> (Vec<Case>, Vec<Case>) {
    let mut cases = Vec::new();
    let read = |path: &str, text: &[u8]| cases.extend(case::read(path, text).unwrap_or_else(|error| panic!("{error}")));
    let files = archive::json_files(archive::open(), read).unwrap();
    assert_eq!(files, 2704, "files in the archive");
    let (longest, cases) = cases.into_iter().partition(|case| case.name.starts_with(LONGEST));
    (cases, longest)
}

/// Said on the terminal even when the test passes.
fn say(text: &str) {
    std::io::stdout().write_all(format!("{text}\n").as_bytes()).unwrap();
}

fn expect_none(failed: &[String]) {
    let shown = failed.iter().take(20).map(String::as_str).collect::<Vec<_>>().join("\n");
    assert!(failed.is_empty(), "{} failed, first:\n{shown}", failed.len());
}

#[test]
#[ignore = "needs ../shared"]
fn every_case_comes_out_as_its_file_says() {
    let (cases, _) = cases();
    let long = cases.iter().filter(|case| is_long(case)).count();
    for (paths, without) in [(vec![Path::Sequential], long), (parallel(), 0)] {
        let mut report = Report::default();
        for (index, case) in cases.iter().enumerate() {
            // Of a block of one, neither threads nor units can make much: every way has its share of the cases.
            if without == 0 || !is_long(case) {
                report.run(case, &paths[index % paths.len()]);
            }
        }
        say(&format!("{report}"));
        expect_none(&report.failed);
        let counts = |fork: &str| report.forks[fork];
        let only = |executed, rejected| Counts { executed, rejected, ..Counts::default() };
        assert_eq!(counts("Cancun"), Counts { storage_only: Report::storage_only(), ..only(19_792 - without, 1_166) });
        assert_eq!(counts("Shanghai"), only(167, 4));
        assert_eq!(counts("Constantinople"), Counts { no_such_fork: 33, ..Counts::default() });
        for (fork, executed) in [
            ("Frontier", 16),
            ("Homestead", 17),
            ("Byzantium", 33),
            ("ConstantinopleFix", 33),
            ("Istanbul", 34),
            ("Berlin", 35),
            ("London", 39),
            ("Paris", 62),
        ] {
            assert_eq!(counts(fork), only(executed, 0), "{fork}");
        }
        assert_eq!(report.forks.len(), 11);
    }
}

#[test]
#[ignore = "needs ../shared"]
fn the_longest_case_comes_out_as_its_file_says() {
    let (_, longest) = cases();
    assert_eq!(longest.len(), 1);
    let mut report = Report::default();
    report.run(&longest[0], &Path::parallel(2, 1));
    expect_none(&report.failed);
    assert_eq!(report.forks["Cancun"].executed, 1);
}

#[test]
#[ignore = "needs ../shared"]
fn cases_that_do_not_meet_come_out_in_one_block_as_on_their_own() {
    let (mut cases, _) = cases();
    cases.retain(|case| !is_long(case));
    run("cases that do not meet", &disjoint::blocks(&cases), 1);
}

#[test]
#[ignore = "needs ../shared"]
fn cases_in_each_others_way_come_out_as_one_after_another() {
    let (mut cases, _) = cases();
    cases.retain(|case| !is_long(case));
    // Neighbours in the archive have much the same accounts; strangers have more kinds of contracts between them.
    let neighbours: Vec<&Case> = cases.iter().collect();
    let mut strangers = neighbours.clone();
    strangers.sort_by_cached_key(|case| alloy_primitives::keccak256(&case.name));
    for (what, cases, senders) in [
        ("neighbours with their senders", &neighbours, Senders::AsTheyAre),
        ("neighbours with a sender each", &neighbours, Senders::OneEach),
        ("strangers with a sender each", &strangers, Senders::OneEach),
    ] {
        let mut by_fork = std::collections::BTreeMap::<&str, Vec<&Case>>::new();
        for case in cases {
            by_fork.entry(&case.fork).or_default().push(case);
        }
        let chunks = by_fork.values().flat_map(|cases| cases.chunks(64));
        let blocks: Vec<Block> = chunks.filter_map(|cases| conflicting::block(cases, senders)).collect();
        run(what, &blocks, 15_000);
    }
}

/// Compares every path with the oracle on every block.
fn run(what: &str, blocks: &[Block], at_least: usize) {
    let transactions: usize = blocks.iter().map(Block::len).sum();
    let longest = blocks.iter().map(Block::len).max().unwrap_or_default();
    say(&format!("{what}: {transactions} transactions in {} blocks of up to {longest}", blocks.len()));
    assert!(transactions >= at_least, "only {transactions} transactions");
    let mut paths = parallel();
    paths.push(Path::Sequential);
    let failed: Vec<String> =
        blocks.iter().flat_map(|block| paths.iter().filter_map(|path| block.check(path).err())).collect();
    expect_none(&failed);
}
