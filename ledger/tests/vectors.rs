//! Runs every public conformance vector on the plainest execution there is.

#[path = "../src/testing/sequential.rs"]
mod sequential;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use weft_ledger::SignedTransaction;
use weft_ledger::conformance::{Execute, ExecuteError, Execution, VectorFile, Verdict};
use weft_ledger::rules::{BlockContext, CreditVisibility, LedgerConfig, TosVm, deferred_base, merge_pending_credits};
use weft_ledger::state::{Key, Value};

fn execute(
    transactions: &[SignedTransaction],
    state: &BTreeMap<Key, Value>,
    context: &BlockContext,
) -> Result<Execution, ExecuteError> {
    let vm = TosVm::new(LedgerConfig::default(), *context);
    let (receipts, changes) = sequential::execute_block(&vm, transactions, state);
    // The first transaction alone must do the same as within the block.
    if let Some(first) = transactions.first() {
        let alone = sequential::execute_one(&vm, first, state, &BTreeMap::new());
        assert_eq!(receipts.first(), Some(&alone.outcome.output));
    }
    Ok(Execution { receipts, changes })
}

/// The other credit visibility: the vectors do not tell them apart (spec 7.2).
fn execute_deferred(
    transactions: &[SignedTransaction],
    state: &BTreeMap<Key, Value>,
    context: &BlockContext,
) -> Result<Execution, ExecuteError> {
    let config = LedgerConfig { credit_visibility: CreditVisibility::Deferred, ..LedgerConfig::default() };
    let mut base = state.clone();
    for (key, value) in state {
        if let (Key::Account(address), Some(pending)) = (key, deferred_base(Some(value))) {
            base.insert(Key::PendingCredit(*address), pending);
        }
    }
    let (receipts, mut changes) = sequential::execute_block(&TosVm::new(config, *context), transactions, &base);
    merge_pending_credits(&mut changes, |key| Ok::<_, ExecuteError>(state.get(key).cloned()))?;
    Ok(Execution { receipts, changes })
}

fn vectors() -> PathBuf {
    let shared = std::env::var_os("WEFT_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared"), PathBuf::from);
    shared.join("tos-vectors")
}

fn json_files(folder: &Path, files: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            json_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "json") {
            files.push(path);
        }
    }
}

#[test]
#[ignore = "needs ../shared"]
fn all_vectors() {
    check_all(&mut execute);
}

#[test]
#[ignore = "needs ../shared"]
fn all_vectors_with_deferred_credits() {
    check_all(&mut execute_deferred);
}

fn check_all(executor: &mut dyn Execute) {
    let root = vectors();
    let mut files = Vec::new();
    json_files(&root, &mut files);
    files.sort();
    assert!(!files.is_empty(), "no vectors in {}", root.display());
    let mut report = String::new();
    let mut failures = 0;
    for path in files {
        let file = VectorFile::read(&path).unwrap();
        let (mut passed, mut unsupported, mut failed) = (0, 0, 0);
        let mut details = String::new();
        for case in file.cases() {
            match case.run(executor) {
                Verdict::Passed => passed += 1,
                Verdict::NotSupported { .. } => unsupported += 1,
                Verdict::Failed { reason } => {
                    failed += 1;
                    details += &format!("    {}: {reason}\n", case.name());
                }
            }
        }
        let name = path.strip_prefix(&root).unwrap().display();
        report += &format!("{name}: {passed} passed, {unsupported} not supported, {failed} failed\n{details}");
        failures += failed;
    }
    assert_eq!(failures, 0, "\n{report}");
    // Visible with --nocapture, for the record.
    std::io::Write::write_all(&mut std::io::stdout(), report.as_bytes()).unwrap();
}
