//! `weft compare` as its users meet it.

#[path = "common/weft.rs"]
mod weft;

use serde_json::Value as Json;
use weft::weft;

/// The executors on two threads, in the order of the table.
const EXECUTORS: [&str; 9] = [
    "sequential",
    "batching (published)",
    "batching (pooled)",
    "dag",
    "dag, analysis free",
    "optimistic, 1 thread",
    "optimistic, 2 threads",
    "optimistic, 2 threads, units of 8",
    "auto, 2 threads",
];

const SMALL: [&str; 7] = ["compare", "--txs", "60", "--threads", "2", "--repeat", "2"];

#[test]
fn json_has_every_executor_with_all_its_figures() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = [&SMALL[..], &["one-sender", "shared-receiver", "all-20", "--json"]].concat();
    let json = weft(folder.path(), &arguments).json();
    let workloads: Vec<&Json> = json.as_array().unwrap().iter().collect();
    assert_eq!(workloads.len(), 3);
    for comparison in &workloads {
        let bound = comparison["bound"].as_f64().unwrap();
        assert!((1.0..=2.0).contains(&bound), "{bound}");
        let figures = comparison["figures"].as_array().unwrap();
        let names: Vec<&str> = figures.iter().map(|figures| figures["executor"].as_str().unwrap()).collect();
        assert_eq!(names, EXECUTORS);
        for figures in figures {
            for field in ["milliseconds", "per_second", "speed_up", "of_bound", "cores", "core_micros", "peak_bytes"] {
                assert!(figures[field].as_f64().is_some_and(|figure| figure > 0.0), "{field}: {figures}");
            }
            let of_bound = figures["speed_up"].as_f64().unwrap() / bound;
            assert!((figures["of_bound"].as_f64().unwrap() - of_bound).abs() < 1e-9, "{figures}");
            assert!(figures["executions"].as_f64().unwrap() >= 1.0, "{figures}");
        }
    }
    // A chain is as fast as it is in order, whatever the threads; and has as many levels as transactions.
    assert_eq!(workloads[0]["bound"], 1.0);
    assert_eq!(workloads[0]["figures"][3]["batches"], 60);
    // Credits change places: all on one level, though every batch has one transaction.
    assert_eq!(workloads[1]["figures"][3]["batches"], 1);
    assert_eq!(workloads[1]["figures"][1]["batches"], 60);
}

#[test]
fn the_tables_have_the_columns_and_what_auto_is_to_each_baseline() {
    let folder = tempfile::tempdir().unwrap();
    let out = weft(folder.path(), &[&SMALL[..], &["p2p-10", "--signed"]].concat()).succeeds().out;
    for part in [
        "bound",
        "× sequential",
        "of the bound",
        "executions/tx",
        "cores",
        "core-µs/tx",
        "peak B/tx",
        "batches, levels",
        "auto ÷ batching (published)",
        "auto ÷ batching (pooled)",
        "auto ÷ dag",
        "auto ÷ dag, analysis free",
        "gave the sequential digest",
    ] {
        assert!(out.contains(part), "{part:?} is not in: {out}");
    }
    for executor in EXECUTORS {
        assert!(out.lines().any(|line| line.contains(executor) && line.contains('%')), "{executor:?} is not in: {out}");
    }
}

#[test]
fn a_plot_is_written_beside_the_table() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = [&SMALL[..], &["p2p-10", "independent", "--svg", "plot.svg", "--json"]].concat();
    let json = weft(folder.path(), &arguments).json();
    assert_eq!(json.as_array().unwrap().len(), 2);
    let svg = std::fs::read_to_string(folder.path().join("plot.svg")).unwrap();
    assert!(svg.starts_with("<svg ") && svg.contains("prefers-color-scheme: dark"), "{svg}");
    for name in EXECUTORS[1..].iter().copied().chain(["p2p-10", "independent", "critical-path bound"]) {
        assert!(svg.contains(&format!(">{name}<")), "{name:?} is not in: {svg}");
    }
    let nowhere = [&SMALL[..], &["p2p-10", "--svg", "missing/plot.svg"]].concat();
    weft(folder.path(), &nowhere).fails_with(&["missing/plot.svg"]);
}

#[test]
fn markdown_has_a_row_a_workload() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = [&SMALL[..], &["p2p-10", "one-sender", "--markdown"]].concat();
    let out = weft(folder.path(), &arguments).succeeds().out;
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines.len(), 4, "a header, a rule and two rows: {out}");
    for executor in &EXECUTORS[1..] {
        assert!(lines[0].contains(&format!("| × {executor} ")), "{executor:?} is not in: {out}");
    }
    let columns = |line: &str| line.matches('|').count();
    assert!(lines.iter().all(|line| columns(line) == columns(lines[0])), "{out}");
    assert!(lines[2].starts_with("| p2p-10 ") && lines[3].starts_with("| one-sender "), "{out}");
}
