//! `weft simulate`: what it prints and writes, and what it refuses.

#[path = "common/weft.rs"]
mod weft;

use serde_json::Value as Json;
use weft::{command, weft};

fn json(arguments: &[&str]) -> Json {
    let folder = tempfile::tempdir().unwrap();
    let arguments = [&["simulate", "--json"], arguments].concat();
    weft(folder.path(), &arguments).json()
}

const SMALL: [&str; 6] = ["--txs", "200", "--accounts", "2,50", "--cores", "1,2,32"];

#[test]
fn every_number_of_cores_has_its_figures() {
    let report = json(&[&SMALL[..], &["--transaction-micros", "100"]].concat());
    let curves = report["curves"].as_array().unwrap();
    assert_eq!(curves.len(), 2);
    for (curve, name) in curves.iter().zip(["p2p-2", "p2p-50"]) {
        assert_eq!((&curve["workload"], &curve["transactions"]), (&name.into(), &200.into()));
        let sequential = curve["sequential_milliseconds"].as_f64().unwrap();
        assert!((sequential - 20.0).abs() < 1e-9, "200 transactions of 100 microseconds");
        let path = curve["critical_path_milliseconds"].as_f64().unwrap();
        let points = curve["points"].as_array().unwrap();
        assert_eq!(points.len(), 3);
        for (point, cores) in points.iter().zip([1.0, 2.0, 32.0]) {
            let figure = |name: &str| point[name].as_f64().unwrap();
            assert_eq!(figure("cores"), cores);
            assert!((figure("speed_up") - sequential / figure("milliseconds")).abs() < 1e-9);
            assert!((figure("bound") - cores.min(sequential / path)).abs() < 1e-9);
            assert!(figure("speed_up") <= figure("bound"), "nothing beats the bound: {point}");
            assert!(figure("executions") >= 1.0 && figure("validations") >= 1.0);
            let shares = point["shares"].as_object().unwrap().iter();
            let sum: f64 = shares.filter(|(name, _)| *name != "wasted").map(|(_, share)| share.as_f64().unwrap()).sum();
            let wasted = point["shares"]["wasted"].as_f64().unwrap();
            assert!((sum + wasted - 100.0).abs() < 1e-6, "{point}");
        }
    }
    let many = |curve: usize| curves[curve]["points"][2]["speed_up"].as_f64().unwrap();
    assert!(many(0) < 1.5 && many(1) > 4.0, "two accounts are a chain, fifty are not");
    assert_eq!(report["checks"], Json::Array(vec![]));
}

#[test]
fn the_same_arguments_give_the_same_figures() {
    let arguments = [&SMALL[..], &["--transaction-micros", "3", "--unit-length", "4", "--read-point", "50"]].concat();
    assert_eq!(json(&arguments), json(&arguments));
    let dear = json(&[&arguments[..], &["--cost", "transfer=5000", "--cost", "step=1000"]].concat());
    assert_ne!(json(&arguments)["curves"], dear["curves"]);
}

#[test]
fn measured_transactions_and_contracts_are_simulated() {
    let report = json(&["contract-token-5", "independent", "--txs", "40", "--cores", "1,4", "--repeat", "1"]);
    for curve in report["curves"].as_array().unwrap() {
        assert!(curve["sequential_milliseconds"].as_f64().unwrap() > 0.0, "{curve}");
        assert_eq!(curve["points"].as_array().unwrap().len(), 2);
    }
}

#[test]
fn the_papers_figures_stand_beside_the_simulated_ones() {
    let report = json(&["--paper", "--txs", "300", "--accounts", "10,500", "--cores", "4,5,16"]);
    let published = report["published"].as_array().unwrap();
    // For 500 accounts, and for 5 cores, the paper has none.
    assert_eq!(published.len(), 2);
    assert!((published[0]["published"].as_f64().unwrap() - 17.7 / 10.4).abs() < 1e-9);
    let announced = json(&["--paper", "--announce", "--txs", "300", "--accounts", "10", "--cores", "16"]);
    let executions = |report: &Json, point: usize| report["curves"][0]["points"][point]["executions"].as_f64().unwrap();
    assert!(executions(&announced, 0) < executions(&report, 2), "who announces is not executed in vain");
}

/// The paper's machine is described by one number, fitted to its curve of 10,000 accounts. The curve of 1000 accounts, which
/// has conflicts, follows.
#[test]
fn where_conflicts_are_rare_the_simulated_curves_are_the_papers() {
    let report = json(&["--paper", "--accounts", "1000,10000", "--cores", "4,8,16,32"]);
    let published = report["published"].as_array().unwrap();
    assert_eq!(published.len(), 8);
    for point in published {
        let (paper, simulated) = (point["published"].as_f64().unwrap(), point["simulated"].as_f64().unwrap());
        assert!((simulated / paper - 1.0).abs() < 0.15, "{point}");
    }
}

#[test]
fn a_picture_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = [&["simulate", "--transaction-micros", "50", "--svg", "curves.svg"], &SMALL[..]].concat();
    let out = weft(folder.path(), &arguments).succeeds().out;
    assert!(out.contains("p2p-50") && out.contains("of bound"), "{out}");
    let picture = std::fs::read_to_string(folder.path().join("curves.svg")).unwrap();
    assert!(picture.starts_with("<svg ") && picture.trim_end().ends_with("</svg>"));
    assert_eq!(picture.matches("<polyline").count(), 4, "each curve and its bound");
    assert_eq!(picture.matches("<circle").count(), 6, "a dot for each number of cores");
    assert!(!picture.contains("NaN") && !picture.contains("inf"), "{picture}");
    let arguments = [&["simulate", "--transaction-micros", "50", "--svg", "no/such/folder.svg"], &SMALL[..]].concat();
    assert!(weft(folder.path(), &arguments).fails().contains("no/such/folder.svg"));
}

#[test]
fn the_exit_code_is_what_the_comparison_with_the_engine_says() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["--validate", "--rounds", "2", "--txs", "40", "--accounts", "5", "--cores", "1", "--json"];
    let output = command(folder.path(), &[&["simulate"], &arguments[..]].concat()).output().unwrap();
    let report: Json = serde_json::from_slice(&output.stdout).unwrap();
    let checks = report["checks"].as_array().unwrap();
    assert_eq!(checks.iter().map(|check| check["threads"].as_u64().unwrap()).collect::<Vec<_>>(), [1, 2]);
    let holds = |check: &Json| check["error_percent"].as_f64().unwrap().abs() <= 15.0;
    assert_eq!(output.status.success(), checks.iter().all(holds), "{report}");
    // Times that cannot be right are found out.
    let wrong = [&["simulate", "--transaction-micros", "1000000"], &arguments[..]].concat();
    let ran = command(folder.path(), &wrong).output().unwrap();
    assert!(!ran.status.success());
}

#[test]
fn what_makes_no_sense_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [
        &["--cores", "0"][..],
        &["--cores", "1,2000"],
        &["--accounts", "1"],
        &["--cost", "step"],
        &["--cost", "steps=3"],
        &["--cost", "step=-3"],
        &["--read-point", "101"],
        &["--transaction-micros", "0"],
        &["--transaction-micros", "NaN"],
        &["--transaction-micros", "1000001"],
        &["--cost", "step=1000000001"],
        &["--crowding", "1001"],
        &["--announce"],
        &["--paper", "p2p-10"],
        &["no-such-workload"],
    ] {
        weft(folder.path(), &[&["simulate"], arguments].concat()).fails();
    }
}
