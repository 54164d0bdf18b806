//! `weft replay` as its users meet it.

#[path = "common/ethereum.rs"]
mod ethereum;
#[path = "common/weft.rs"]
mod weft;

use std::path::Path;

use ethereum::{LONDON, empty, right};
use serde_json::Value as Json;
use weft::weft;

/// A folder `blocks` with two right blocks, the second in a folder below, and what is no block file beside them.
fn blocks(folder: &Path) {
    std::fs::create_dir_all(folder.join("blocks/below")).unwrap();
    right().write(&folder.join("blocks/9.json.gz")).unwrap();
    let mut second = empty();
    second.block.header.inner.number = LONDON + 1;
    second.write(&folder.join("blocks/10.json")).unwrap();
    empty().write(&folder.join("blocks/below/11.json.gz")).unwrap();
    std::fs::write(folder.join("blocks/README.md"), "no block").unwrap();
}

#[test]
fn a_folder_of_right_blocks_passes_in_every_mode() {
    let folder = tempfile::tempdir().unwrap();
    blocks(folder.path());
    for mode in ["sequential", "optimistic", "auto"] {
        for threads in ["1", "2", "8"] {
            let ran = weft(folder.path(), &["replay", "blocks", "--mode", mode, "--threads", threads, "--repeat", "3"])
                .succeeds();
            assert_eq!(ran.out.lines().last(), Some("3 passed, 0 failed"), "{}", ran.out);
            for part in ["13000000", "13000001", "London", "passed"] {
                assert!(ran.out.contains(part), "{part:?} is not in: {}", ran.out);
            }
            assert_eq!(ran.out.contains("speed-up of the sum"), mode != "sequential", "{}", ran.out);
        }
    }
}

#[test]
fn json_says_the_same() {
    let folder = tempfile::tempdir().unwrap();
    blocks(folder.path());
    let report = weft(folder.path(), &["replay", "blocks", "--json", "--threads", "2"]).json();
    let files: Vec<_> = report["blocks"].as_array().unwrap().iter().map(|block| block["file"].clone()).collect();
    // By number, not by letters; folders, which have none here, come first.
    assert_eq!(files, ["blocks/below/11.json.gz", "blocks/9.json.gz", "blocks/10.json"]);
    let block = &report["blocks"][1];
    for (field, value) in [
        ("number", Json::from(LONDON)),
        ("fork", "London".into()),
        ("transactions", 3.into()),
        ("gas", right().block.header.inner.gas_used.into()),
        ("passed", true.into()),
        ("findings", Json::Array(vec![])),
    ] {
        assert_eq!(block[field], value, "{field}");
    }
    for field in ["sequential_ms", "parallel_ms", "speed_up"] {
        assert!(block[field].as_f64().is_some_and(|figure| figure > 0.0), "{field}: {}", block[field]);
    }
    assert!(block["executions_per_transaction"].as_f64().unwrap() >= 1.0);
    let summary = &report["summary"];
    for (field, value) in [("passed", 3), ("failed", 0), ("transactions", 3), ("large_blocks", 0)] {
        assert_eq!(summary[field], value, "{field}");
    }
    assert_eq!(summary["worst_block"], LONDON);
    let alone = weft(folder.path(), &["replay", "blocks", "--json", "--mode", "sequential"]).json();
    assert_eq!(alone["summary"]["parallel_ms"], Json::Null);
    assert_eq!(alone["blocks"][1]["speed_up"], Json::Null);
}

#[test]
fn each_wrong_field_of_a_header_is_a_failure_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    blocks(folder.path());
    for (field, value, part) in [
        ("gasUsed", "0x1", "gas used: 88830 instead of the header's 1"),
        ("logsBloom", &format!("0x{}", "00".repeat(256)), "logs bloom: "),
        ("receiptsRoot", &format!("0x{}", "11".repeat(32)), "receipts root: "),
    ] {
        let mut json = serde_json::to_value(right()).unwrap();
        json["block"][field] = value.into();
        std::fs::write(folder.path().join("blocks/12.json"), json.to_string()).unwrap();
        let ran = weft(folder.path(), &["replay", "blocks"]);
        assert_eq!(ran.out.lines().last(), Some("3 passed, 1 failed"), "{}", ran.out);
        let failures: Vec<&str> = ran.out.lines().filter(|line| line.starts_with("    FAILED")).collect();
        assert_eq!(failures.len(), 1, "{failures:?}");
        for part in ["blocks/12.json", "block 13000000", "sequential", part] {
            assert!(failures[0].contains(part), "{part:?} is not in: {}", failures[0]);
        }
        ran.fails_silently();
    }
}

#[test]
fn one_unreadable_file_fails_and_the_others_are_replayed() {
    let folder = tempfile::tempdir().unwrap();
    blocks(folder.path());
    let gzip = std::fs::read(folder.path().join("blocks/9.json.gz")).unwrap();
    std::fs::write(folder.path().join("blocks/8.json.gz"), &gzip[..gzip.len() / 2]).unwrap();
    let mut wrong = serde_json::to_value(right()).unwrap();
    wrong["block"]["transactions"][2]["from"] = wrong["block"]["transactions"][0]["from"].clone();
    std::fs::write(folder.path().join("blocks/7.json"), wrong.to_string()).unwrap();
    let ran = weft(folder.path(), &["replay", "blocks"]);
    for part in ["blocks/8.json.gz: ", "blocks/7.json: block 13000000: transaction 2: is from "] {
        assert!(ran.out.contains(part), "{part:?} is not in: {}", ran.out);
    }
    assert_eq!(ran.out.lines().last(), Some("3 passed, 2 failed"), "{}", ran.out);
    ran.fails_silently();
    let ran = weft(folder.path(), &["replay", "blocks", "--json"]);
    let report: Json = serde_json::from_str(&ran.out).unwrap();
    ran.fails_silently();
    assert_eq!(report["summary"]["failed"], 2);
    assert_eq!(report["blocks"][1]["passed"], false);
    assert_eq!(report["blocks"][1]["number"], Json::Null);
    assert!(report["blocks"][1]["findings"][0].as_str().unwrap().contains("7.json"), "{report}");
}

#[test]
fn what_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("none")).unwrap();
    std::fs::write(folder.path().join("none/README.md"), "no block").unwrap();
    for (path, part) in [("missing.json", "missing.json: "), ("none", "none: no block files there")] {
        weft(folder.path(), &["replay", path]).fails_with(&[part]);
    }
    weft(folder.path(), &["replay"]).fails_with(&["PATHS"]);
    weft(folder.path(), &["replay", "none", "--mode", "batching"]).fails_with(&["batching"]);
}
