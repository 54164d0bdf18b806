//! `weft conformance`: what passes, what fails, and that nothing is counted as passed that was not run.

#[path = "common/weft.rs"]
mod weft;

use std::path::Path;

use serde_json::{Value as Json, json};
use weft::weft;
use weft_ledger::crypto::{KeyPair, Signature};
use weft_ledger::wire::{BurnPayload, FeeType, Payload, Transaction};
use weft_ledger::{Hash, SignedTransaction, hex};
use weft_node::conformance::{Tally, VectorMode, VectorRunner};

fn vector(name: &str, payload: Payload, expected: &Json) -> Json {
    let key = KeyPair::from_seed(2);
    let transaction = Transaction {
        chain_id: 3,
        source: key.address(),
        payload,
        fee: 100_000,
        fee_type: FeeType::Tos,
        nonce: 0,
        reference_hash: Hash::default(),
        reference_topoheight: 0,
        multisig: None,
        signature: Signature::ZERO,
    };
    let wire = SignedTransaction::sign(transaction, &key).unwrap();
    let account = json!({ "address": key.address().to_string(), "balance": 1_000_000 });
    json!({
        "name": name,
        "pre_state": { "network_chain_id": 3, "accounts": [account] },
        "input": { "kind": "tx", "wire_hex": hex::encode(wire.wire()) },
        "expected": expected,
    })
}

/// A burn that is right, one that is expected to fail but does not, and one of a type without rules.
fn vectors() -> [Json; 3] {
    let burn = || Payload::Burn(BurnPayload { asset: Hash::default(), amount: 5 });
    [
        vector("right", burn(), &json!({ "success": true, "error_code": 0 })),
        vector("wrong", burn(), &json!({ "success": false, "error_code": 0x0300 })),
        name_vector(),
    ]
}

/// The registration of a name: decodes, and has no rules.
fn name_vector() -> Json {
    let mut vector =
        vector("name", Payload::Burn(BurnPayload { asset: Hash::default(), amount: 5 }), &json!({ "success": true }));
    let wire = vector["input"]["wire_hex"].as_str().unwrap().to_owned();
    // Version, chain and source, then the opcode and the payload of the burn, 40 bytes.
    vector["input"]["wire_hex"] = json!(format!("{}1503616263{}", &wire[..68], &wire[68 + 2 + 80..]));
    vector
}

fn write(path: &Path, vectors: &[Json]) {
    std::fs::write(path, json!({ "test_vectors": vectors }).to_string()).unwrap();
}

#[test]
fn a_failing_vector_fails_the_command_and_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let [right, wrong, name] = vectors();
    write(&folder.path().join("a.json"), &[right.clone(), wrong]);
    for mode in ["sequential", "batching", "optimistic", "auto"] {
        let ran = weft(folder.path(), &["conformance", "a.json", "--mode", mode, "--threads", "2", "--repeat", "3"]);
        assert_eq!(ran.out.lines().last(), Some("1 passed, 1 failed"), "{mode}: {}", ran.out);
        assert!(ran.out.contains("a.json: 1 passed, 1 FAILED") && ran.out.contains("FAILED wrong: "), "{}", ran.out);
        ran.fails_silently();
    }
    write(&folder.path().join("a.json"), &[right, name]);
    let ran = weft(folder.path(), &["conformance", "a.json"]).succeeds();
    assert_eq!(ran.out.lines().last(), Some("1 passed, 0 failed, 1 skipped"));
    assert!(ran.out.contains("not supported: name (opcode 21"), "{}", ran.out);
}

#[test]
fn folders_are_searched_and_json_says_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let [right, wrong, name] = vectors();
    std::fs::create_dir_all(folder.path().join("all/below")).unwrap();
    write(&folder.path().join("all/b.json"), std::slice::from_ref(&right));
    write(&folder.path().join("all/below/c.json"), &[right, wrong, name]);
    std::fs::write(folder.path().join("all/README.md"), "no vectors").unwrap();
    let ran = weft(folder.path(), &["conformance", "all", "--json"]);
    let report: Json = serde_json::from_str(&ran.out).unwrap();
    ran.fails_silently();
    let counts = ["passed", "failed", "not_supported"].map(|field| report[field].as_u64().unwrap());
    assert_eq!(counts, [2, 1, 1]);
    assert_eq!(report["files"][0]["file"], "all/b.json");
    assert_eq!(report["files"][1]["failed"][0][0], "wrong");
}

#[test]
fn what_cannot_be_read_is_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("empty")).unwrap();
    let file = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    file("malformed.json", "{ \"test_vectors\": [ {");
    file("other.json", "{}");
    file("none.json", "{ \"test_vectors\": [] }");
    for (path, part) in [
        ("missing.json", "missing.json: "),
        ("empty", "empty: no vector files there"),
        ("malformed.json", "malformed.json: EOF while parsing"),
        ("other.json", "other.json: neither `test_vectors` nor `accounts`"),
        ("none.json", "no vectors"),
    ] {
        weft(folder.path(), &["conformance", path]).fails_with(&[part]);
    }
    weft(folder.path(), &["conformance"]).fails_with(&["PATHS"]);
}

#[test]
fn a_vector_that_fails_in_one_of_several_runs_has_failed() {
    let of = |passed, failed: &[&str]| Tally {
        passed,
        failed: failed.iter().map(|name| ((*name).to_owned(), "differs".to_owned())).collect(),
        not_supported: Vec::new(),
    };
    let mut tally = of(3, &["a"]);
    tally.merge(&of(2, &["a", "b"]));
    tally.merge(&of(3, &["b"]));
    assert_eq!(tally, of(2, &["a", "b"]));
}

#[test]
#[ignore = "needs ../shared"]
fn the_public_vectors_pass_with_any_number_of_threads() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/tos-vectors");
    let files = json_files(&folder);
    assert!(files.len() > 10, "no vectors in {}", folder.display());
    for (mode, threads) in [
        (VectorMode::Sequential, 1),
        (VectorMode::Batching, 4),
        (VectorMode::Optimistic, 1),
        (VectorMode::Optimistic, 2),
        (VectorMode::Optimistic, 8),
    ] {
        let mut runner = VectorRunner::new(mode, threads);
        let mut passed = 0;
        for file in &files {
            let tally = runner.run_file(file).unwrap();
            assert_eq!(tally.failed, [], "{}, {mode:?}, {threads} threads", file.display());
            passed += tally.passed;
        }
        assert!(passed > 100, "only {passed} vectors");
    }
}

fn json_files(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files = Vec::new();
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            files.extend(json_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "json") {
            files.push(path);
        }
    }
    files
}
