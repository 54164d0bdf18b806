//! `weft run`, `weft generate` and `weft compare` on chains with contracts and AI mining.

#[path = "common/weft.rs"]
mod weft;

use std::path::Path;

use serde_json::Value as Json;
use weft::weft;

/// `weft run` on small blocks; the arguments end with the given ones.
fn run(folder: &Path, arguments: &[&str]) -> weft::Ran {
    weft(folder, &[&["run", "--threads", "2", "--json"], arguments].concat())
}

fn small(folder: &Path, db: &str, workload: &str, blocks: &str) -> Json {
    run(folder, &["--db", db, "--workload", workload, "--blocks", blocks, "--txs", "30"]).json()
}

#[test]
fn compare_takes_contracts_and_all_types() {
    let folder = tempfile::tempdir().unwrap();
    let workloads = ["contract-pool", "contract-add", "contract-independent-10", "contract-token-20", "all-20"];
    let arguments = ["--txs", "40", "--repeat", "1", "--threads", "2", "--json"];
    for signed in [&[][..], &["--signed"]] {
        let json = weft(folder.path(), &[&["compare"], &workloads[..], &arguments, signed].concat()).json();
        for (at, workload) in workloads.iter().enumerate() {
            assert_eq!((&json[at]["workload"], &json[at]["transactions"]), (&Json::from(*workload), &40.into()));
            assert_eq!(json[at]["figures"].as_array().unwrap().len(), 9);
        }
    }
    // Fewer transactions where they take longer.
    let json = weft(folder.path(), &["compare", "contract-add", "--repeat", "1", "--threads", "1", "--json"]).json();
    assert_eq!(json[0]["transactions"], 2000);
}

#[test]
fn a_run_counts_calls_and_names_what_is_hot() {
    let folder = tempfile::tempdir().unwrap();
    let summary = small(folder.path(), "pool", "contract-pool", "2");
    let contracts = &summary["contracts"];
    for (field, count) in [("deployments", 0), ("calls", 60), ("reverted", 0), ("trapped", 0), ("events", 60)] {
        assert_eq!(contracts[field], count, "{field}: {contracts}");
    }
    let gas = contracts["gas_used"].as_u64().unwrap();
    assert!((60 * 13_000..60 * 14_500).contains(&gas), "{gas}");
    assert!((gas / 4..gas / 3).contains(&contracts["gas_burned"].as_u64().unwrap()), "{contracts}");
    let transfers = small(folder.path(), "p2p", "p2p-20", "1");
    assert_eq!(transfers.get("contracts"), None);
    // Of what is hot, the chain's counters are not named: they are only added to.
    let of_pool =
        run(folder.path(), &["--db", "hot", "--workload", "contract-pool", "--blocks", "1", "--mode", "optimistic"]);
    let of_pool = of_pool.json();
    let mut hottest = [0, 1].map(|at| of_pool["hottest_keys"][at][0].as_str().unwrap().to_owned());
    hottest.sort_unstable();
    assert_eq!(hottest, ["storage of amm: reserve a of pool 0", "storage of amm: reserve b of pool 0"]);

    // What runs if nothing is said holds contracts too.
    let run = weft(folder.path(), &["run", "--blocks", "2", "--txs", "200", "--threads", "2", "--mode", "optimistic"]);
    let out = run.succeeds().out;
    for part in ["contract calls", "reverted and", "trapped", "gas used", "storage of", "yes, in every block"] {
        assert!(out.contains(part), "{part:?} is not in: {out}");
    }
}

#[test]
fn a_chain_file_holds_contracts_and_mining() {
    let folder = tempfile::tempdir().unwrap();
    for workload in ["all-20", "contract-pool-50"] {
        let of_chain = ["--workload", workload, "--blocks", "3", "--txs", "60", "--seed", "7"];
        weft(folder.path(), &[&["generate", "--out", workload], &of_chain[..]].concat()).succeeds();
        let db = |name: &str| format!("{workload}-{name}");
        let own = run(folder.path(), &[&["--db", &db("own")], &of_chain[..]].concat()).json();
        for (mode, unit_length) in [("sequential", "1"), ("batching", "1"), ("optimistic", "1"), ("optimistic", "3")] {
            let db = db(&format!("{mode}{unit_length}"));
            let how = ["--db", &db, "--mode", mode, "--unit-length", unit_length];
            // In two steps.
            run(folder.path(), &[&["--file", workload, "--blocks", "2"], &how[..]].concat()).json();
            let rest = run(folder.path(), &[&["--file", workload, "--blocks", "0"], &how[..]].concat()).json();
            for field in ["block_digest", "state_digest", "last_block"] {
                assert_eq!(rest[field], own[field], "{workload}, {mode}: {field}");
            }
        }
    }
    // Without its switch the chain's blocks are no blocks.
    let path = folder.path().join("all-20.genesis.json");
    let genesis = std::fs::read_to_string(&path).unwrap();
    assert!(genesis.contains("\"ai_mining\": true"));
    std::fs::write(&path, genesis.replacen("\"ai_mining\": true", "\"ai_mining\": false", 1)).unwrap();
    run(folder.path(), &["--file", "all-20", "--db", "off"]).fails_with(&["all-20: block 1: transaction "]);
    // The same accounts with other contracts are another chain.
    run(folder.path(), &["--workload", "contract-pool", "--txs", "60", "--seed", "7", "--db", "contract-pool-50-own"])
        .fails_with(&["another chain"]);
}

#[test]
fn a_corrupt_contract_in_a_genesis_is_named_with_the_place() {
    let folder = tempfile::tempdir().unwrap();
    weft(folder.path(), &["generate", "--out", "chain", "--workload", "contract-pool", "--txs", "5", "--blocks", "1"])
        .succeeds();
    let path = folder.path().join("chain.genesis.json");
    let good: Json = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    let corrupt = |list: &str, field: &str, value: &str, part: &str| {
        let mut bad = good.clone();
        bad[list][0][field] = value.into();
        std::fs::write(&path, bad.to_string()).unwrap();
        run(folder.path(), &["--file", "chain"]).fails_with(&["chain.genesis.json", part]);
    };
    corrupt("contracts", "id", "xyz", "contract 0: id: ");
    corrupt("contracts", "module", "7f4", "contract 0: module: ");
    corrupt("storage", "slot", "", "storage 0: slot: ");
    corrupt("storage", "value", "zz", "storage 0: value: ");
    corrupt("storage", "value", "", "storage 0: value: 0 bytes");
    corrupt("storage", "value", &"00".repeat(4097), "storage 0: value: 4097 bytes");
    let twice = good["storage"][1]["slot"].as_str().unwrap();
    corrupt("storage", "slot", twice, "occurs twice");
    assert!(!folder.path().join("weft.redb").exists(), "nothing begins with a wrong genesis");
}
