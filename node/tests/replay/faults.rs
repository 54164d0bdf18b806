//! A parallel path that errs in one thing: each is found, and said.

use alloy_primitives::{Address, Bytes, U256};
use revm::context::result::{ExecutionResult, Output};
use weft_node::ethereum::input::BlockInput;
use weft_node::ethereum::paths::{ExecutionPath, PathError, PathOutcome, SequentialPath};
use weft_node::ethereum::replay::{Replay, Replayer};

use crate::ethereum::{LOGGING, account, right};

/// The sequential outcome, with something done to it.
struct Erring<F>(F);

impl<F: Fn(&mut PathOutcome)> ExecutionPath for Erring<F> {
    fn execute(&self, input: &BlockInput) -> Result<PathOutcome, PathError> {
        let mut outcome = SequentialPath.execute(input)?;
        (self.0)(&mut outcome);
        Ok(outcome)
    }
}

fn replay(err: impl Fn(&mut PathOutcome) + 'static) -> Replay {
    let input = BlockInput::new(right(), 1).unwrap();
    Replayer::new(Some(Box::new(Erring(err))), 3).replay(&input)
}

#[track_caller]
fn finds(err: impl Fn(&mut PathOutcome) + 'static, parts: &[&str]) {
    let replay = replay(err);
    assert!(!replay.passed());
    let text: Vec<String> = replay.findings.iter().map(ToString::to_string).collect();
    for part in parts {
        assert!(text.iter().any(|line| line.contains(part)), "{part:?} is not in: {text:?}");
    }
}

#[test]
fn one_that_does_not_err_passes() {
    assert!(replay(|_| ()).passed());
}

#[test]
fn results_that_are_missing() {
    finds(|outcome| drop(outcome.results.pop()), &["parallel: 2 results for 3 transactions"]);
    finds(|outcome| outcome.results.clear(), &["parallel: 0 results for 3 transactions"]);
    finds(|outcome| outcome.results.push(outcome.results[0].clone()), &["parallel: 4 results for 3 transactions"]);
}

#[test]
fn receipts_that_differ() {
    fn silence(outcome: &mut PathOutcome, transaction: usize) {
        match &mut outcome.results[transaction] {
            ExecutionResult::Success { logs, .. } => logs.clear(),
            other => panic!("{other:?}"),
        }
    }
    let one = |outcome: &mut PathOutcome| silence(outcome, 1);
    finds(one, &["parallel: receipts root", "transaction 1: 0 logs instead of 1"]);
    // The bloom of the block is that of one of the two logs alone.
    let both = |outcome: &mut PathOutcome| (1..=2).for_each(|transaction| silence(outcome, transaction));
    finds(both, &["parallel: logs bloom", "transaction 1: 0 logs", "transaction 2: 0 logs"]);
    let order = |outcome: &mut PathOutcome| outcome.results.swap(0, 1);
    finds(order, &["parallel: receipts root", "transaction 0: ", "transaction 1: "]);
}

#[test]
fn what_no_receipt_shows() {
    let output = |outcome: &mut PathOutcome| match &mut outcome.results[2] {
        ExecutionResult::Success { output, .. } => *output = Output::Call(Bytes::from_static(&[1])),
        other => panic!("{other:?}"),
    };
    finds(output, &["transaction 2: its output is Some(0x01) instead of Some(0x)"]);
}

#[test]
fn state_that_differs() {
    fn of(outcome: &mut PathOutcome, address: Address) -> &mut weft_evm::AccountDiff {
        outcome.diff.accounts.get_mut(&address).unwrap()
    }
    fn basics(outcome: &mut PathOutcome, address: Address) -> &mut weft_evm::Basics {
        of(outcome, address).after.as_mut().unwrap()
    }
    let [one, two, log] = [account(1), account(2), LOGGING].map(|address| address.to_string());
    finds(|outcome| basics(outcome, account(1)).balance += U256::from(1), &["differ in 1 accounts", &one]);
    finds(|outcome| basics(outcome, account(2)).nonce += 1, &["differ in 1 accounts", &two]);
    finds(|outcome| of(outcome, account(1)).after = None, &["differ in 1 accounts", &one]);
    finds(|outcome| of(outcome, LOGGING).is_wiped = true, &["differ in 1 accounts", &log]);
    let slot = |outcome: &mut PathOutcome| *of(outcome, LOGGING).slots.get_mut(&U256::from(1)).unwrap() = U256::from(8);
    finds(slot, &["differ in 1 accounts", "slot 1", &log]);
    finds(|outcome| of(outcome, LOGGING).slots.clear(), &["differ in 1 accounts", "slot 1", &log]);
    finds(|outcome| outcome.diff.accounts.clear(), &["differ in"]);
    let stranger = Address::repeat_byte(9);
    let added = move |outcome: &mut PathOutcome| {
        let copy = of(outcome, LOGGING).clone();
        outcome.diff.accounts.insert(stranger, copy);
    };
    finds(added, &["differ in 1 accounts", &stranger.to_string()]);
}

/// A path that errs in its third execution only: every repetition is checked.
#[test]
fn one_error_in_many_runs_is_found() {
    let runs = std::cell::Cell::new(0);
    let err = move |outcome: &mut PathOutcome| {
        runs.set(runs.get() + 1);
        if runs.get() == 3 {
            outcome.results.clear();
        }
    };
    finds(err, &["0 results for 3 transactions"]);
}

#[test]
fn a_path_without_an_outcome() {
    struct Failing;
    impl ExecutionPath for Failing {
        fn execute(&self, _: &BlockInput) -> Result<PathOutcome, PathError> {
            Err("out of luck".into())
        }
    }
    let input = BlockInput::new(right(), 1).unwrap();
    let replay = Replayer::new(Some(Box::new(Failing)), 1).replay(&input);
    assert_eq!(replay.findings.iter().map(ToString::to_string).collect::<Vec<_>>(), ["parallel: out of luck"]);
    assert!(replay.parallel.is_none());
}
