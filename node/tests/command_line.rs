//! `weft run`, `weft generate` and `weft compare` as their users meet them: the built binary, in a folder of its own.

#[path = "common/weft.rs"]
mod weft;

use std::path::Path;
use std::process::Stdio;

use serde_json::Value as Json;
use weft::{command, ended, weft};
use weft_ledger::block::{BlockReader, BlockWriter};
use weft_ledger::state::{Key, Value};
use weft_node::codec::{LedgerCodec, SCHEMA};
use weft_storage::{RedbStore, StateWriter};

/// `weft run` on small blocks; the arguments end with the given ones.
fn run(folder: &Path, arguments: &[&str]) -> weft::Ran {
    weft(folder, &[&["run", "--threads", "2", "--json"], arguments].concat())
}

fn small(folder: &Path, db: &str, workload: &str, blocks: &str) -> Json {
    run(folder, &["--db", db, "--workload", workload, "--blocks", blocks, "--txs", "30"]).json()
}

/// A chain file of four blocks with 6 transactions each.
fn generate(folder: &Path, name: &str) -> Vec<u8> {
    let arguments = ["generate", "--out", name, "--workload", "mixed-20", "--blocks", "4", "--txs", "6", "--seed", "7"];
    weft(folder, &arguments).succeeds();
    std::fs::read(folder.join(name)).unwrap()
}

fn of_file(folder: &Path, file: &str, db: &str) -> weft::Ran {
    run(folder, &["--file", file, "--genesis", "chain.genesis.json", "--blocks", "0", "--db", db])
}

#[test]
fn a_second_run_goes_on_where_the_first_ended() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["run", "--workload", "p2p-20", "--blocks", "2", "--txs", "50", "--threads", "2"];
    let first = weft(folder.path(), &arguments).succeeds();
    for part in ["1 to 2: 100 transactions", "digest of the state", "yes, in every block", "weft.redb"] {
        assert!(first.out.contains(part), "{part:?} is not in: {}", first.out);
    }
    assert!(weft(folder.path(), &arguments).succeeds().out.contains("3 to 4: 100 transactions"));
    // The same in one go, and by its transactions the same chain.
    for workload in ["p2p-20", "mixed-20", "contract-token-20", "contract-pool-50", "all-20"] {
        let halves = [small(folder.path(), workload, workload, "2"), small(folder.path(), workload, workload, "2")];
        let whole = small(folder.path(), "whole", workload, "4");
        assert_eq!((&halves[1]["first_block"], &halves[1]["last_block"]), (&3.into(), &4.into()));
        for digest in ["block_digest", "state_digest"] {
            assert_eq!(halves[1][digest], whole[digest], "{workload}");
            assert_ne!(halves[0][digest], whole[digest], "{workload}");
        }
        std::fs::remove_file(folder.path().join("whole")).unwrap();
    }
}

#[test]
fn prefetching_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["--workload", "all-20", "--blocks", "2", "--txs", "60"];
    let without = run(folder.path(), &[&arguments[..], &["--db", "without"]].concat()).json();
    for mode in ["optimistic", "auto"] {
        let prefetching = ["--db", mode, "--mode", mode, "--prefetch", "3"];
        let with = run(folder.path(), &[&arguments[..], &prefetching].concat()).json();
        assert_eq!(with["equal_to_sequential"], true);
        assert_eq!(
            (&with["block_digest"], &with["state_digest"]),
            (&without["block_digest"], &without["state_digest"])
        );
    }
    let compare = ["compare", "p2p-10", "--txs", "50", "--repeat", "1", "--threads", "2", "--prefetch", "2"];
    weft(folder.path(), &compare).succeeds();
}

#[test]
fn json_says_what_was_done() {
    let folder = tempfile::tempdir().unwrap();
    let summary = run(folder.path(), &["--blocks", "3", "--txs", "40", "--mode", "optimistic", "--repeat", "2"]).json();
    let expected = [
        ("database", Json::from("weft.redb")),
        ("executor", "optimistic".into()),
        ("threads", 2.into()),
        ("first_block", 1.into()),
        ("last_block", 3.into()),
        ("blocks", 3.into()),
        ("transactions", 120.into()),
        ("equal_to_sequential", true.into()),
    ];
    for (field, value) in expected {
        assert_eq!(summary[field], value, "{field}");
    }
    let rates =
        ["transactions_per_second", "imported_per_second", "sequential_per_second", "speed_up", "cores", "seconds"];
    for field in rates {
        assert!(summary[field].as_f64().is_some_and(|rate| rate > 0.0), "{field}: {}", summary[field]);
    }
    assert!(summary["executions_per_transaction"].as_f64().unwrap() >= 1.0);
    for digest in ["block_digest", "state_digest"] {
        let text = summary[digest].as_str().unwrap();
        assert!(text.len() == 64 && text.bytes().all(|digit| digit.is_ascii_hexdigit()), "{digest}: {text}");
    }
}

#[test]
fn every_mode_and_unit_length_gives_the_same_chain() {
    let folder = tempfile::tempdir().unwrap();
    let mut digests = Vec::new();
    for mode in ["sequential", "batching", "optimistic", "auto"] {
        for unit_length in ["1", "5"] {
            let db = format!("{mode}-{unit_length}.redb");
            let of_mode = ["--db", &db, "--mode", mode, "--unit-length", unit_length];
            let workload = ["--workload", "mixed-20", "--blocks", "2", "--txs", "40"];
            let summary = run(folder.path(), &[&of_mode[..], &workload[..]].concat()).json();
            // There is nothing that sequential execution could be compared with.
            let compared = (mode != "sequential").then_some(true);
            assert_eq!(summary["equal_to_sequential"], Json::from(compared), "{mode}");
            digests.push((summary["block_digest"].clone(), summary["state_digest"].clone()));
        }
    }
    assert!(digests.iter().all(|digest| *digest == digests[0]), "{digests:?}");
}

#[test]
fn every_kind_of_workload_runs() {
    let folder = tempfile::tempdir().unwrap();
    for workload in [
        "p2p-2",
        "independent",
        "shared-receiver",
        "one-sender",
        "zipf-30-0.99",
        "mixed-20",
        "contract-independent",
        "contract-independent-10",
        "contract-token-5",
        "contract-pool",
        "contract-pool-10",
        "contract-counter",
        "contract-add",
        "all-20",
    ] {
        assert_eq!(small(folder.path(), workload, workload, "2")["equal_to_sequential"], true, "{workload}");
    }
    for unknown in [
        "p2p",
        "p2p-1",
        "p2p-x",
        "p2p-2-3",
        "zipf-10",
        "zipf-10-NaN",
        "zipf-10--1",
        "mixed",
        "all",
        "contract-pool-101",
        "",
    ] {
        run(folder.path(), &["--workload", unknown]).fails_with(&["no workload is called"]);
    }
}

#[test]
fn a_database_of_another_chain_is_refused_and_stays() {
    let folder = tempfile::tempdir().unwrap();
    let first = small(folder.path(), "weft.redb", "p2p-20", "1");
    for other in [&["--workload", "p2p-21"], &["--seed", "2"], &["--workload", "mixed-20"]] {
        run(folder.path(), other).fails_with(&["weft.redb", "another chain"]);
    }
    let next = small(folder.path(), "weft.redb", "p2p-20", "0");
    assert_eq!((&next["last_block"], &next["block_digest"]), (&1.into(), &first["block_digest"]));
}

#[test]
fn a_generated_file_runs_like_its_workload() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = generate(folder.path(), "chain");
    assert_eq!(generate(folder.path(), "again"), bytes, "the same seed gives the same file");
    assert!(!folder.path().join("chain.partial").exists());
    let from_file = run(folder.path(), &["--file", "chain", "--blocks", "0", "--db", "file.redb"]).json();
    let workload = ["--workload", "mixed-20", "--blocks", "4", "--txs", "6", "--seed", "7", "--db", "own.redb"];
    let generated = run(folder.path(), &workload).json();
    for field in ["block_digest", "state_digest", "last_block", "transactions"] {
        assert_eq!(from_file[field], generated[field], "{field}");
    }
    // In two steps, and then there is nothing left.
    for (blocks, last) in [("3", 3), ("3", 4), ("0", 4)] {
        let part = run(folder.path(), &["--file", "chain", "--blocks", blocks, "--db", "steps.redb"]).json();
        assert_eq!(part["last_block"], last);
    }
    let done = weft(folder.path(), &["run", "--file", "chain", "--db", "steps.redb"]).succeeds();
    assert!(done.out.contains("nothing to do; the chain ends at block 4"), "{}", done.out);
    assert_eq!(run(folder.path(), &["--file", "again", "--blocks", "0", "--db", "steps.redb"]).json()["blocks"], 0);
}

/// Where each block ends.
fn ends(chain: &[u8]) -> Vec<u64> {
    let mut reader = BlockReader::new(chain).unwrap();
    let mut ends = vec![reader.offset()];
    while reader.next_block().unwrap().is_some() {
        ends.push(reader.offset());
    }
    ends
}

#[test]
fn a_file_that_ends_too_early_leaves_the_last_whole_block() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = generate(folder.path(), "chain");
    let whole = of_file(folder.path(), "chain", "whole.redb").json();
    let ends = ends(&bytes);
    let around = ends.iter().flat_map(|end| [end - 1, *end, end + 1, end + 30, end + 61, end + 300]);
    for length in around.chain([0, 5]).filter(|length| *length < bytes.len() as u64) {
        std::fs::write(folder.path().join("cut"), &bytes[..length as usize]).unwrap();
        let blocks = ends.iter().filter(|end| **end <= length).count().saturating_sub(1);
        let ran = of_file(folder.path(), "cut", "cut.redb");
        if ends.contains(&length) {
            assert_eq!(ran.json()["last_block"], blocks, "{length} bytes");
        } else {
            ran.fails_with(&["cut: ", &format!("byte {length}: the file ends inside")]);
        }
        // The database is whole: it goes on with the whole file.
        let rest = of_file(folder.path(), "chain", "cut.redb").json();
        assert_eq!(rest["blocks"], 4 - blocks, "{length} bytes");
        assert_eq!(rest["state_digest"], whole["state_digest"]);
        std::fs::remove_file(folder.path().join("cut.redb")).unwrap();
    }
}

#[test]
fn a_damaged_file_is_named_with_the_place() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = generate(folder.path(), "chain");
    let ends = ends(&bytes);
    let damaged = |db: &str, change: &dyn Fn(&mut Vec<u8>)| {
        let mut copy = bytes.clone();
        change(&mut copy);
        std::fs::write(folder.path().join("bad"), copy).unwrap();
        of_file(folder.path(), "bad", db)
    };
    let second = ends[1] as usize;
    // A bit anywhere in the second block: number, time, parent, a transaction, checksum.
    for at in [0, 9, 20, 70, 200, (ends[2] - ends[1]) as usize - 1] {
        damaged("bits.redb", &|copy| copy[second + at] ^= 4).fails_with(&["bad: byte "]);
    }
    assert_eq!(of_file(folder.path(), "chain", "bits.redb").json()["first_block"], 2, "block 1 was whole");

    // Lengths that the file does not have, up to such that nobody could allocate.
    let place = format!("byte {}: ", second + 52);
    damaged("big.redb", &|copy| copy[second + 52..second + 60].fill(0xff)).fails_with(&["bad: ", &place, "at most"]);
    let length = (1_u64 << 30).to_be_bytes();
    let long = damaged("big.redb", &|copy| copy[second + 52..second + 60].copy_from_slice(&length));
    long.fails_with(&["bad: byte ", "ends inside a block's body"]);
    damaged("big.redb", &|copy| copy[second + 48..second + 52].fill(0xff)).fails_with(&["bad: byte "]);

    damaged("head.redb", &|copy| copy[0] = b'W').fails_with(&["bad: ", "not a chain file"]);
    damaged("head.redb", &|copy| copy[9] = 9).fails_with(&["bad: ", "version 9"]);
    damaged("head.redb", &|copy| *copy = b"garbage ".repeat(50)).fails_with(&["bad: ", "not a chain file"]);
    damaged("head.redb", &|copy| copy[10] = 0).fails_with(&["bad: ", "block 1 is rejected: transaction 0"]);
    assert_eq!(of_file(folder.path(), "chain", "head.redb").json()["first_block"], 1);
}

#[test]
fn a_file_whose_blocks_do_not_hold_is_refused_at_the_block() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = generate(folder.path(), "chain");
    let blocks: Vec<_> = BlockReader::new(&bytes[..]).unwrap().map(|next| next.unwrap().0).collect();
    let write = |change: &dyn Fn(&mut Vec<weft_ledger::WireBytes>)| {
        let mut writer = BlockWriter::new(Vec::new(), 3).unwrap();
        let mut parent = weft_ledger::Hash::default();
        for block in &blocks {
            let mut block = weft_ledger::block::Block { parent, ..block.clone() };
            if block.number == 3 {
                change(&mut block.transactions);
            }
            parent = writer.write(&block).unwrap();
        }
        std::fs::write(folder.path().join("bad"), writer.finish().unwrap()).unwrap();
    };
    write(&|transactions| transactions[2] = vec![0xff; 9].into());
    of_file(folder.path(), "bad", "bad.redb").fails_with(&["bad: block 3: transaction 2"]);
    write(&|transactions| transactions.push(transactions[0].clone()));
    of_file(folder.path(), "bad", "bad.redb")
        .fails_with(&["bad: block 3 is rejected: transaction 6 fails with NONCE_TOO_LOW"]);
    assert_eq!(of_file(folder.path(), "chain", "bad.redb").json()["first_block"], 3);
}

#[test]
fn what_is_missing_is_named() {
    let folder = tempfile::tempdir().unwrap();
    generate(folder.path(), "chain");
    run(folder.path(), &["--file", "nothing"]).fails_with(&["nothing"]);
    run(folder.path(), &["--file", "chain", "--genesis", "nothing.json"]).fails_with(&["nothing.json"]);
    run(folder.path(), &["--db", "no/such/folder.redb"]).fails_with(&["no/such/folder.redb"]);
    run(folder.path(), &["--db", "."]).fails();
    weft(folder.path(), &["generate", "--out", "no/such/file"]).fails_with(&["no/such/file"]);
    std::fs::write(folder.path().join("text"), "no database").unwrap();
    run(folder.path(), &["--db", "text"]).fails_with(&["text", "not a weft database"]);
}

#[test]
fn a_corrupt_genesis_is_named_with_the_place() {
    let folder = tempfile::tempdir().unwrap();
    generate(folder.path(), "chain");
    let good = std::fs::read_to_string(folder.path().join("chain.genesis.json")).unwrap();
    let first = good.find("\"address\": \"").unwrap() + 12;
    let (address, twice) = (&good[first..first + 64], good.rfind("\"address\": \"").unwrap() + 12);
    let repeated = format!("{}{address}{}", &good[..twice], &good[twice + 64..]);
    let cases = [
        (good[..good.len() / 2].to_owned(), "line "),
        (good.replacen("\"balance\": ", "\"balance\": -", 1), "line "),
        (good.replacen(address, "xyz", 1), "account 0: address"),
        (repeated, "occurs twice"),
        (String::new(), "line "),
        ("[]".to_owned(), "line "),
    ];
    for (text, part) in cases {
        std::fs::write(folder.path().join("chain.genesis.json"), text).unwrap();
        of_file(folder.path(), "chain", "weft.redb").fails_with(&["chain.genesis.json", part]);
    }
    assert!(!folder.path().join("weft.redb").exists(), "nothing begins with a wrong genesis");
}

#[test]
fn a_database_in_use_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weft.redb");
    let store: RedbStore<Key, Value, LedgerCodec> = RedbStore::open(&path, SCHEMA).unwrap();
    run(folder.path(), &["--blocks", "1", "--txs", "5"]).fails_with(&["weft.redb", "in use by another process"]);
    assert_eq!(store.last_block().unwrap(), None);
}

#[test]
fn numbers_out_of_range_are_refused_before_anything_happens() {
    let folder = tempfile::tempdir().unwrap();
    for (command, option, number) in [
        ("run", "--threads", "0"),
        ("run", "--threads", "100000"),
        ("run", "--txs", "0"),
        ("run", "--txs", "100000000"),
        ("run", "--repeat", "0"),
        ("run", "--unit-length", "0"),
        ("run", "--blocks", "many"),
        ("run", "--prefetch", "100000"),
        ("compare", "--prefetch", "5000"),
        ("generate", "--threads", "0"),
        ("generate", "--txs", "0"),
        ("compare", "--threads", "0"),
        ("compare", "--txs", "0"),
        ("compare", "--repeat", "0"),
        ("conformance", "--threads", "0"),
        ("conformance", "--repeat", "0"),
    ] {
        let needed: &[&str] = if command == "generate" { &["--out", "x"] } else { &[] };
        weft(folder.path(), &[&[command, option, number], needed].concat()).fails_with(&[option, number]);
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn no_blocks_are_nothing_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let summary = small(folder.path(), "weft.redb", "p2p-5", "0");
    assert_eq!((&summary["blocks"], &summary["last_block"]), (&0.into(), &0.into()));
    let numbers = ["transactions_per_second", "executions_per_transaction", "cores"];
    assert!(numbers.iter().all(|field| summary[field] == 0.0), "{summary}");
    weft(folder.path(), &["generate", "--out", "empty", "--blocks", "0"]).succeeds();
    assert_eq!(run(folder.path(), &["--file", "empty", "--blocks", "0", "--db", "x"]).json()["last_block"], 0);
}

#[test]
fn compare_gives_the_figures_of_every_executor() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["compare", "p2p-10", "one-sender", "--txs", "50", "--repeat", "1", "--threads", "2"];
    let json = weft(folder.path(), &[&arguments[..], &["--json"]].concat()).json();
    assert_eq!((&json[0]["workload"], &json[1]["workload"]), (&"p2p-10".into(), &"one-sender".into()));
    let figures = json[0]["figures"].as_array().unwrap();
    assert_eq!(figures.len(), 9);
    assert_eq!(figures[0]["executor"], "sequential");
    assert_eq!((&figures[0]["speed_up"], &figures[0]["executions"]), (&1.0.into(), &1.0.into()));
    // A pure chain leaves nothing to put in a batch.
    let batched = &json[1]["figures"][2];
    assert_eq!((&batched["executor"], &batched["batches"]), (&"batching (pooled)".into(), &50.into()));
    assert!(weft(folder.path(), &arguments).succeeds().out.contains("Every run gave the sequential digest"));
}

#[test]
fn a_reader_that_closes_the_pipe_is_no_failure() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["compare", "p2p-10", "--txs", "5", "--repeat", "1", "--json"];
    let mut child = command(folder.path(), &arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    ended(child.wait_with_output().unwrap()).succeeds();
}

#[test]
fn a_run_with_rewards_says_who_got_what_and_every_mode_agrees() {
    let folder = tempfile::tempdir().unwrap();
    let (miner, developer) = ("ab".repeat(32), "cd".repeat(32));
    let rewarded = |order: &str, mode: &str| {
        let db = format!("{order}-{mode}");
        let of = ["--rewards", order, "--miner", &miner, "--developer", &developer];
        let what = ["--db", &db, "--mode", mode, "--workload", "p2p-20", "--blocks", "1", "--txs", "40"];
        run(folder.path(), &[&what[..], &of].concat()).json()
    };
    let plain = run(folder.path(), &["--db", "plain", "--workload", "p2p-20", "--blocks", "1", "--txs", "40"]).json();
    assert_eq!(plain.get("rewards"), None);
    for order in ["before", "after"] {
        let sequential = rewarded(order, "sequential");
        assert_ne!(sequential["state_digest"], plain["state_digest"]);
        for mode in ["batching", "optimistic"] {
            let summary = rewarded(order, mode);
            assert_eq!(summary["state_digest"], sequential["state_digest"], "{order}, {mode}");
            assert_eq!(summary["equal_to_sequential"], true);
            let paid = &summary["rewards"];
            assert_eq!((&paid["emitted"], &paid["developer"]), (&97_486_707.into(), &9_748_670.into()));
            assert!(paid["miner"].as_u64().unwrap() > 87_738_037, "the fees come on top: {paid}");
        }
    }
    // A reward is somebody's.
    run(folder.path(), &["--rewards", "after"]).fails_with(&["--miner", "--developer"]);
    run(folder.path(), &["--miner", &miner]).fails_with(&["--rewards"]);
    run(folder.path(), &["--rewards", "after", "--developer", &developer, "--miner", "ab"]).fails_with(&["--miner"]);
}
