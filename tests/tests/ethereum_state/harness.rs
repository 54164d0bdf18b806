//! That the harness itself sees what is wrong. Needs no archive: it makes one.

use alloy_primitives::{Address, B256, Bytes, KECCAK256_EMPTY, Log, LogData, U256, hex, keccak256};
use flate2::Compression;
use flate2::write::GzEncoder;
use revm::context::result::ExecutionResult;
use serde_json::{Value as Json, json};

use crate::archive::json_files;
use crate::case::{self, Case};
use crate::check::{Passed, check};
use crate::common::block::Block;
use crate::common::path::Path;
use crate::common::world::World;
use crate::conflicting::{self, Senders};
use crate::disjoint;
use crate::root::{logs_hash, state_root};

const SENDER: Address = Address::repeat_byte(0x5e);
const RECEIVER: Address = Address::repeat_byte(0x7e);
const NO_LOGS: &str = "0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347";

/// A payment of 7 at a price of 10, of which all is burned.
fn file(hash: B256) -> Json {
    let account =
        |balance: &str, nonce: &str| json!({ "balance": balance, "nonce": nonce, "code": "0x", "storage": {} });
    json!({ "payment": {
        "env": {
            "currentBaseFee": "0x0a",
            "currentCoinbase": "0xc0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0",
            "currentDifficulty": "0x00",
            "currentGasLimit": "0x1000000",
            "currentNumber": "0x01",
            "currentRandom": "0x0000000000000000000000000000000000000000000000000000000000000002",
            "currentTimestamp": "0x03e8",
        },
        "pre": { SENDER.to_string(): account("0x989680", "0x04"), RECEIVER.to_string(): account("0x01", "0x00") },
        "transaction": {
            "data": ["0x"], "gasLimit": ["0x5208"], "gasPrice": "0x0a", "nonce": "0x04", "value": ["0x07"],
            "sender": SENDER.to_string(), "to": RECEIVER.to_string(),
            "secretKey": "0x45a915e4d060149eb4365960e6a7a45f334393093061116b197e3240065ff2d8",
        },
        "post": { "Shanghai": [{
            "hash": hash.to_string(), "logs": NO_LOGS, "indexes": { "data": 0, "gas": 0, "value": 0 }, "txbytes": "0xf8",
        }] },
    } })
}

fn world(sender: u64, nonce: u64, receiver: u64) -> World {
    let mut world = World::default();
    world.insert(SENDER, U256::from(sender), nonce, &Bytes::new(), []);
    world.insert(RECEIVER, U256::from(receiver), 0, &Bytes::new(), []);
    world
}

/// The state after the payment.
fn after() -> B256 {
    state_root(&world(10_000_000 - 210_000 - 7, 5, 8))
}

fn only(file: &Json) -> Case {
    let mut cases = case::read("a.json", file.to_string().as_bytes()).unwrap();
    assert_eq!(cases.len(), 1);
    cases.remove(0)
}

fn outcome(file: &Json) -> Result<Passed, String> {
    let case = only(file);
    let outcome = check(&case, &Path::Sequential);
    assert_eq!(check(&case, &Path::parallel(2, 1)), outcome);
    outcome
}

fn fails_with(file: &Json, part: &str) {
    let error = outcome(file).unwrap_err();
    assert!(error.contains(part), "{error}");
}

#[test]
fn a_state_root_is_what_the_trie_of_one_leaf_says() {
    assert_eq!(state_root(&World::default()), alloy_trie::EMPTY_ROOT_HASH);
    let mut world = World::default();
    world.insert(
        SENDER,
        U256::from(0x1234),
        5,
        &Bytes::new(),
        [(U256::from(1), U256::from(0x56)), (U256::from(2), U256::ZERO)],
    );
    // A leaf with a whole path is the pair of 0x20 with that path, and the value.
    let leaf = |key: B256, value: &[u8]| {
        let path = [&[0x20], key.as_slice()].concat();
        let mut encoded = Vec::new();
        alloy_rlp::encode_list::<Bytes, Bytes>(&[path.into(), value.to_vec().into()], &mut encoded);
        keccak256(encoded)
    };
    let storage = leaf(keccak256(B256::with_last_byte(1)), &[0x56]);
    let account = [&hex!("f84605821234a0")[..], storage.as_slice(), &[0xa0], KECCAK256_EMPTY.as_slice()].concat();
    assert_eq!(account.len(), 2 + 0x46);
    assert_eq!(state_root(&world), leaf(keccak256(SENDER), &account));
}

#[test]
fn a_logs_hash_is_that_of_the_encoded_list() {
    assert_eq!(logs_hash(&[]).to_string(), NO_LOGS);
    let log = Log { address: SENDER, data: LogData::new_unchecked(vec![B256::repeat_byte(0x70)], hex!("0102").into()) };
    let encoded = [
        &hex!("f83cf83a94")[..],
        SENDER.as_slice(),
        &hex!("e1a0"),
        B256::repeat_byte(0x70).as_slice(),
        &hex!("820102"),
    ]
    .concat();
    assert_eq!(encoded.len(), 2 + 0x3c);
    assert_eq!(logs_hash(&[log]), keccak256(encoded));
}

#[test]
fn a_right_case_passes_and_a_wrong_one_says_what_is_wrong() {
    assert_eq!(outcome(&file(after())), Ok(Passed::Executed));
    fails_with(&file(B256::ZERO), "state root ");
    let changed = |change: fn(&mut Json)| {
        let mut file = file(after());
        change(&mut file["payment"]);
        file
    };
    fails_with(&changed(|test| test["post"]["Shanghai"][0]["logs"] = json!(B256::ZERO)), "logs hash ");
    fails_with(&changed(|test| test["transaction"]["nonce"] = json!("0x03")), "NonceTooLow");
    let exception = |test: &mut Json, name: &str| test["post"]["Shanghai"][0]["expectException"] = json!(name);
    let funds = "TransactionException.INSUFFICIENT_ACCOUNT_FUNDS|TransactionException.INTRINSIC_GAS_TOO_LOW";
    let mut unexpected = file(after());
    exception(&mut unexpected["payment"], funds);
    fails_with(&unexpected, "not rejected; expected ");
    // Too little gas, and the state as it was.
    let mut rejected = file(state_root(&world(10_000_000, 4, 1)));
    rejected["payment"]["transaction"]["gasLimit"] = json!(["0x5207"]);
    exception(&mut rejected["payment"], funds);
    assert_eq!(outcome(&rejected), Ok(Passed::Rejected));
    exception(&mut rejected["payment"], "TransactionException.NONCE_IS_MAX");
    fails_with(&rejected, "expected TransactionException.NONCE_IS_MAX");
    rejected["payment"]["post"]["Shanghai"][0]["hash"] = json!(after());
    exception(&mut rejected["payment"], funds);
    fails_with(&rejected, "state root ");
}

#[test]
fn a_number_that_fits_nowhere_is_an_invalid_transaction() {
    let mut malformed = file(state_root(&world(10_000_000, 4, 1)));
    malformed["payment"]["transaction"]["value"] = json!(["0x:bigint 0x10"]);
    malformed["payment"]["post"]["Shanghai"][0]["expectException"] = json!("TransactionException.RLP_INVALID_VALUE");
    assert_eq!(outcome(&malformed), Ok(Passed::Rejected));
    malformed["payment"]["post"]["Shanghai"][0]["expectException"] = json!("TransactionException.SENDER_NOT_EOA");
    fails_with(&malformed, "expected TransactionException.SENDER_NOT_EOA");
    malformed["payment"]["post"]["Shanghai"][0].as_object_mut().unwrap().remove("expectException");
    fails_with(&malformed, "no transaction");
    malformed["payment"]["post"]["Shanghai"][0]["hash"] = json!("0x12");
    let error = case::read("b.json", malformed.to_string().as_bytes()).unwrap_err();
    assert!(error.starts_with("b.json: `hash`: "), "{error}");
    assert!(case::read("c.json", b"[").unwrap_err().starts_with("c.json: "));
}

#[test]
fn an_archive_is_read_file_by_file_or_not_at_all() {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    let mut add = |path: &str, text: &str| {
        let mut header = tar::Header::new_ustar();
        header.set_size(text.len() as u64);
        archive.append_data(&mut header, path, text.as_bytes()).unwrap();
    };
    add("GeneralStateTests/one/a.json", "{}");
    add("GeneralStateTests/README.md", "no test");
    add("GeneralStateTests/one/b.json", "{ }");
    let archive = archive.into_inner().unwrap().finish().unwrap();
    let mut files = Vec::new();
    let count = json_files(archive.as_slice(), |path, text| files.push((path.to_owned(), text.len()))).unwrap();
    assert_eq!((count, files), (2, vec![("one/a.json".to_owned(), 2), ("one/b.json".to_owned(), 3)]));
    assert!(json_files(&archive[..archive.len() / 2], |_, _| {}).is_err());
}

#[test]
fn blocks_of_many_are_made_and_a_wrong_one_is_reported() {
    let case = only(&file(after()));
    let others = [Address::repeat_byte(1), Address::repeat_byte(2)];
    let mut apart = case.clone();
    let mut pre = World::default();
    pre.insert(others[0], U256::from(10_000_000), 4, &Bytes::new(), []);
    apart.pre = pre.into();
    let tx = apart.tx.as_mut().unwrap();
    (tx.caller, tx.kind) = (others[0], others[1].into());
    // The first and the last have the same sender: two blocks, of which one has a single case and is none.
    let blocks = disjoint::blocks(&[case.clone(), apart.clone(), case.clone()]);
    assert_eq!(blocks.iter().map(Block::len).collect::<Vec<_>>(), [2]);
    let mut merged = conflicting::block(&[&case, &apart, &case], Senders::AsTheyAre).unwrap();
    assert_eq!(merged.len(), 3);
    assert_eq!(merged.next_nonce(&SENDER), 6);
    let fresh = conflicting::block(&[&case, &apart, &case], Senders::OneEach).unwrap();
    assert_eq!((fresh.len(), fresh.next_nonce(&SENDER)), (3, 4));
    for path in [Path::Sequential, Path::parallel(2, 1)] {
        for block in blocks.iter().chain([&merged, &fresh]) {
            assert_eq!(block.check(&path), Ok(()));
        }
    }
    merged.expected.world.insert(RECEIVER, U256::ZERO, 0, &Bytes::new(), []);
    let error = merged.check(&Path::parallel(2, 1)).unwrap_err();
    assert!(error.contains(&RECEIVER.to_string()), "{error}");
    let ExecutionResult::Success { logs, .. } = &mut merged.expected.results[1] else { panic!("a payment succeeds") };
    logs.push(Log::default());
    let error = merged.check(&Path::parallel(2, 1)).unwrap_err();
    assert!(error.contains("transaction 1 of 3"), "{error}");
}
