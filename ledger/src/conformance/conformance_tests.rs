//! The vector runner itself: what passes, what fails, and what must never pass.

use serde_json::json;

use super::*;
use crate::Hash;
use crate::rules::{LedgerConfig, TosVm};
use crate::testing::sequential::execute_block;
use crate::testing::{FEE, addr, pay, register_name, sign, unsigned};
use crate::wire::Transaction;

fn run(
    transactions: &[SignedTransaction],
    state: &BTreeMap<Key, Value>,
    context: &BlockContext,
) -> Result<Execution, ExecuteError> {
    let (receipts, changes) = execute_block(&TosVm::new(LedgerConfig::default(), *context), transactions, state);
    Ok(Execution { receipts, changes })
}

fn verdict(case: &Json) -> Verdict {
    let file = json!({ "test_vectors": [case] }).to_string();
    let file = VectorFile::parse(Path::new("own.json"), &file).unwrap();
    file.cases()[0].run(&mut run)
}

fn reason(case: &Json) -> String {
    match verdict(case) {
        Verdict::Failed { reason } => reason,
        other => panic!("{other:?}"),
    }
}

fn account(seed: u64, balance: u64, nonce: u64) -> Json {
    json!({ "address": addr(seed).to_string(), "balance": balance, "nonce": nonce })
}

fn state(height: u64, accounts: &[Json]) -> Json {
    json!({ "network_chain_id": 3, "global_state": { "block_height": height }, "accounts": accounts })
}

fn hex_of(transaction: Transaction) -> String {
    hex::encode(sign(2, transaction).wire())
}

/// Account 2 pays 5 to account 3.
fn payment() -> Json {
    json!({
        "name": "payment",
        "pre_state": state(0, &[account(2, 1_000_000, 0)]),
        "input": { "kind": "tx", "wire_hex": hex_of(unsigned(2, pay(3, 5))) },
        "expected": {
            "success": true, "error_code": 0, "state_digest": "",
            "post_state": state(0, &[account(3, 5, 0), account(2, 1_000_000 - 5 - FEE, 1)]),
        },
    })
}

#[test]
fn a_right_case_passes() {
    assert_eq!(verdict(&payment()), Verdict::Passed);
}

#[test]
fn every_difference_is_found() {
    let expect = |path: &str, value: Json| {
        let mut case = payment();
        *case.pointer_mut(&format!("/expected{path}")).unwrap() = value;
        reason(&case)
    };
    assert!(expect("/success", json!(false)).contains("got SUCCESS"));
    assert!(expect("/error_code", json!(256)).contains("0x0100"));
    assert!(expect("/state_digest", json!("00")).starts_with("state digest"));
    assert!(expect("/post_state/accounts/0/balance", json!(6)).starts_with("account"));
    assert!(expect("/post_state/global_state/block_height", json!(1)).starts_with("global state"));
    assert!(expect("/post_state/accounts", json!([])).contains("is not expected"));
    assert!(expect("/post_state/accounts/0", account(8, 0, 0)).contains("is missing"));
}

#[test]
fn a_block_raises_the_height_and_is_rejected_whole() {
    let items =
        |second: Transaction| json!([{ "wire_hex": hex_of(unsigned(2, pay(3, 5))) }, { "wire_hex": hex_of(second) }]);
    let after = [account(2, 1_000_000 - 10 - 2 * FEE, 2), account(3, 10, 0)];
    let mut case = payment();
    case["input"] = json!({ "kind": "block", "txs": items(Transaction { nonce: 1, ..unsigned(2, pay(3, 5)) }) });
    case["expected"]["post_state"] = state(1, &after);
    assert_eq!(verdict(&case), Verdict::Passed);

    case["input"]["txs"] = items(unsigned(2, pay(3, 5)));
    case["expected"] = json!({
        "success": false, "error_code": 0x0110, "post_state": state(0, &[account(2, 1_000_000, 0)]),
    });
    assert_eq!(verdict(&case), Verdict::Passed);

    // What does not decode comes before what does not execute.
    case["input"]["txs"][1] = json!({ "wire_hex": "0103" });
    case["expected"]["error_code"] = json!(0x0100);
    assert_eq!(verdict(&case), Verdict::Passed);
}

#[test]
fn the_structured_form_counts_only_without_usable_bytes() {
    let signed = sign(2, unsigned(2, pay(3, 5)));
    let structured = json!({
        "version": 1, "chain_id": 3, "source": addr(2).to_string(), "tx_type": "transfers",
        "payload": [{ "asset": Hash::default().to_string(), "destination": addr(3).to_string(), "amount": 5 }],
        "fee": FEE, "fee_type": 0, "nonce": 0,
        "signature": hex::encode(&signed.transaction().signature.to_bytes()),
    });
    for wire_hex in ["", "zz", "01"] {
        let mut case = payment();
        case["input"] = json!({ "kind": "tx", "wire_hex": wire_hex, "tx": structured });
        assert_eq!(verdict(&case), Verdict::Passed, "{wire_hex:?}");
    }
    let mut case = payment();
    case["input"]["tx"] = json!({ "version": 9 });
    assert_eq!(verdict(&case), Verdict::Passed, "the bytes are fine, so the structure is not looked at");

    for (field, value) in
        [("version", json!(2)), ("fee_type", json!(3)), ("payload", json!([])), ("source", json!("x"))]
    {
        let mut broken = structured.clone();
        broken[field] = value;
        let case = json!({
            "input": { "kind": "tx", "wire_hex": "", "tx": broken },
            "expected": { "success": false, "error_code": 256 },
        });
        assert_eq!(verdict(&case), Verdict::Passed, "{field}");
    }
}

#[test]
fn structured_multisig_says_what_the_wire_cannot() {
    let case = |threshold: u8, participants: &[u64], code: u16| {
        let participants: Vec<String> = participants.iter().map(|seed| addr(*seed).to_string()).collect();
        json!({
            "pre_state": state(0, &[account(2, 1_000_000, 0)]),
            "input": { "kind": "tx", "wire_hex": "", "tx": {
                "version": 1, "chain_id": 3, "source": addr(2).to_string(), "tx_type": "multisig",
                "payload": { "threshold": threshold, "participants": participants }, "fee": 1_000_000,
            } },
            "expected": { "success": false, "error_code": code },
        })
    };
    assert_eq!(verdict(&case(1, &[], 0x0100)), Verdict::Passed);
    assert_eq!(verdict(&case(1, &[3, 3], 0x0103)), Verdict::Passed);
    assert_eq!(verdict(&case(0, &[3], 0x0107)), Verdict::Passed);
    let many: Vec<u64> = (10..266).collect();
    assert_eq!(verdict(&case(1, &many, 0x0107)), Verdict::Passed);
}

#[test]
fn types_without_rules_never_pass() {
    let transaction = unsigned(2, register_name(2));
    let mut case = payment();
    case["input"]["wire_hex"] = json!(hex_of(transaction.clone()));
    // Not even where the refusal happens to be what is expected.
    case["expected"] = json!({ "success": false, "error_code": 0xff01 });
    assert!(matches!(verdict(&case), Verdict::NotSupported { .. }));
    case["input"]["kind"] = json!("tx_roundtrip");
    case["expected"] = json!({ "success": true });
    assert_eq!(verdict(&case), Verdict::Passed);
    case["input"]["kind"] = json!("dag");
    assert!(matches!(verdict(&case), Verdict::NotSupported { .. }));
}

#[test]
fn an_execution_that_leaves_changes_behind_fails() {
    let mut leaky = |transactions: &[SignedTransaction], state: &BTreeMap<Key, Value>, context: &BlockContext| {
        let mut execution = run(transactions, state, context)?;
        execution.receipts[0] = Receipt::failure(TosError::Overflow);
        Ok(execution)
    };
    let mut case = payment();
    case["expected"] = json!({ "success": false, "error_code": 0x0304 });
    let file = VectorFile::parse(Path::new("own.json"), &json!({ "test_vectors": [case] }).to_string()).unwrap();
    assert!(matches!(file.cases()[0].run(&mut leaky), Verdict::Failed { .. }));
}

#[test]
fn damaged_files_and_cases_are_named() {
    let error = VectorFile::parse(Path::new("own.json"), "{\n  \"test_vectors\": [}").unwrap_err();
    assert!(error.to_string().starts_with("own.json: ") && error.to_string().contains("line 2"));
    let error = VectorFile::parse(Path::new("own.json"), "{}").unwrap_err();
    assert!(matches!(error, VectorError::NoVectors { .. }));
    assert!(matches!(VectorFile::read(Path::new("no such file")), Err(VectorError::Io { .. })));
    // One bad case does not take the others with it.
    let file = json!({ "test_vectors": [{ "name": "bad", "pre_state": 7 }, payment()] }).to_string();
    let file = VectorFile::parse(Path::new("own.json"), &file).unwrap();
    assert!(matches!(file.cases()[0].run(&mut run), Verdict::Failed { .. }));
    assert_eq!(file.cases()[1].run(&mut run), Verdict::Passed);
    let mut case = payment();
    case["pre_state"]["accounts"][0]["address"] = json!("12");
    assert!(reason(&case).contains("address"));
}

#[test]
fn crypto_cases_compare_every_printed_field() {
    let key = crate::crypto::KeyPair::from_seed(77);
    let message = "00ff";
    let signature = hex::encode(&key.sign(&[0, 0xff]).to_bytes());
    let case = |signature: &str| {
        json!({
            "input": { "kind": "ristretto255", "op": "sign_data", "seed": 77, "message": message },
            "expected": { "public_key": "anything", "signature": signature },
        })
    };
    assert_eq!(verdict(&case(&signature)), Verdict::Passed);
    assert!(matches!(verdict(&case(&"00".repeat(64))), Verdict::Failed { .. }));
    let identity = json!({ "accounts": [{
        "name": "x", "private_key": format!("4d{}", "00".repeat(31)), "public_key": key.address().to_string(),
    }] });
    let file = VectorFile::parse(Path::new("own.json"), &identity.to_string()).unwrap();
    assert_eq!(file.cases()[0].run(&mut run), Verdict::Passed);
    let unknown = json!({ "input": { "kind": "ristretto255", "op": "new" } });
    assert!(matches!(verdict(&unknown), Verdict::NotSupported { .. }));
}
