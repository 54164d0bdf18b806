//! Blocks of a real node, whose address is in `WEFT_ANVIL`: `.ci/anvil` starts one and runs this.

use std::path::Path;
use std::process::Command;

use alloy_eips::{eip2935, eip4788, eip7002, eip7251};
use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use serde_json::{Value, json};
use weft_node::ethereum::chain::Fork;
use weft_node::ethereum::fetch::{FetchSettings, Fetched, Fetcher};
use weft_node::ethereum::file::{BlockFile, PrestateAccount};

use super::chain::{Account, CHAIN_ID, Call, Chain};
use super::http::{self, Reply, Server};
use super::{contracts, fixtures};

/// The blocks that a chain of ours has, after those that set it up.
struct Blocks {
    /// All contracts are created, by transactions.
    deployments: u64,
    /// Transfers of money and of a token, by all types of transactions; some fail.
    transfers: u64,
    /// What is created, funded, called and destroyed within the block.
    creations: u64,
    /// Hashes of ancestors, the protocol's own contracts, delegations.
    surroundings: u64,
    /// Nothing at all.
    empty: u64,
    /// Whose code is a delegation.
    delegated: Address,
    /// Created and called in `creations`.
    child: Address,
    /// Funded in `creations`, and a sender there.
    newcomer: Address,
    coinbase: Address,
}

fn mine_blocks(chain: &Chain, fork: &str) -> Blocks {
    let delegations = matches!(fork, "prague" | "osaka");
    let [mut ann, mut bob, mut cyd, mut dan, mut miner] = [1, 2, 3, 4, 5].map(Account::new);
    for account in [&ann, &bob, &cyd, &dan, &miner] {
        chain.fund(account);
    }
    chain.call("anvil_setCoinbase", json!([miner.address]));
    for (address, code) in system_contracts() {
        chain.call("anvil_setCode", json!([address, code]));
    }
    for _ in 0..3 {
        chain.mine(0);
    }

    let token = ann.next_creation();
    chain.legacy(&mut ann, Call::create(contracts::token()));
    let factory = bob.next_creation();
    chain.dynamic(&mut bob, Call::create(contracts::factory()));
    let hashes = ann.next_creation();
    chain.dynamic(&mut ann, Call::create(contracts::hashes()));
    let probe = ann.next_creation();
    chain.dynamic(&mut ann, Call::create(contracts::probe()).gas(400_000));
    let destructible = cyd.next_creation();
    chain.legacy(&mut cyd, Call::create(contracts::destructible()).value(0));
    let asker = cyd.next_creation();
    chain.legacy(&mut cyd, Call::create(contracts::asker()));
    let endless = dan.next_creation();
    chain.legacy(&mut dan, Call::create(contracts::endless()));
    let counter = dan.next_creation();
    chain.legacy(&mut dan, Call::create(contracts::counter()));
    let deployments = chain.mine(8);
    assert_eq!(chain.failures(deployments), 0);

    chain.dynamic(&mut ann, Call::to(token, contracts::transfer(bob.address, 1_000)));
    chain.legacy(&mut ann, Call::to(cyd.address, vec![]).value(5));
    chain.dynamic(&mut bob, Call::to(token, contracts::transfer(cyd.address, 300)));
    let slots = vec![contracts::balance_slot(cyd.address), contracts::balance_slot(Address::ZERO)];
    chain.with_access_list(&mut cyd, Call::to(token, contracts::transfer(dan.address, 50)), token, slots);
    // The coinbase has earned something by now, and is a party itself.
    chain.dynamic(&mut miner, Call::to(dan.address, vec![]).value(7));
    chain.dynamic(&mut dan, Call::to(miner.address, vec![]).value(9));
    chain.dynamic(&mut dan, Call::to(token, contracts::transfer(ann.address, 1_000_000)));
    chain.legacy(&mut cyd, Call::to(endless, vec![]).gas(60_000));
    chain.dynamic(&mut bob, Call::to(Address::repeat_byte(0xbb), vec![]).value(1));
    chain.dynamic(&mut bob, Call::to(token, contracts::transfer(ann.address, 1)));
    let transfers = chain.mine(10);
    assert_eq!(chain.failures(transfers), 2, "too much of the token, and too little gas");

    // What a tracer does not tell: the child is there for the later transaction only, the newcomer has nothing before.
    let mut newcomer = Account::new(6);
    let (salt, code) = (B256::with_last_byte(9), contracts::counter());
    let child = factory.create2(salt, keccak256(&code));
    chain.dynamic(&mut bob, Call::to(factory, [salt.as_slice(), &code].concat()));
    chain.dynamic(&mut cyd, Call::to(child, vec![]));
    chain.dynamic(&mut dan, Call::to(child, vec![]));
    chain.dynamic(&mut ann, Call::to(newcomer.address, vec![]).value(1_000_000_000_000_000_000));
    chain.dynamic(&mut newcomer, Call::to(child, vec![]));
    chain.dynamic(&mut bob, Call::to(probe, newcomer.address.into_word().to_vec()));
    chain.dynamic(&mut cyd, Call::to(probe, child.into_word().to_vec()));
    chain.dynamic(&mut ann, Call::to(destructible, vec![]).value(11));
    chain.legacy(&mut ann, Call::create(contracts::ephemeral()).value(13));
    chain.dynamic(&mut ann, Call::to(destructible, vec![]));
    // The same salt again: there is something already, and nearly all gas is gone.
    chain.dynamic(&mut bob, Call::to(factory, [salt.as_slice(), &code].concat()).gas(1_000_000));
    let creations = chain.mine(11);
    assert_eq!(chain.failures(creations), 0);

    let mut sent = 4;
    chain.dynamic(&mut ann, Call::to(hashes, vec![]));
    let parent = U256::from(chain.number()).to_be_bytes::<32>();
    let asks = |contract: Address| [contract.into_word().as_slice(), &parent].concat();
    chain.dynamic(&mut bob, Call::to(asker, asks(eip2935::HISTORY_STORAGE_ADDRESS)));
    chain.dynamic(&mut cyd, Call::to(probe, eip4788::BEACON_ROOTS_ADDRESS.into_word().to_vec()));
    chain.dynamic(&mut cyd, Call::to(asker, asks(eip4788::BEACON_ROOTS_ADDRESS)));
    let mut eve = Account::new(7);
    if delegations {
        chain.fund(&eve);
        let authorization = eve.authorize(counter);
        chain.delegating(&mut dan, eve.address, vec![authorization]);
        chain.dynamic(&mut ann, Call::to(eve.address, vec![]));
        sent += 2;
    }
    let surroundings = chain.mine(sent);
    assert_eq!(chain.failures(surroundings), 0);
    let empty = chain.mine(0);
    Blocks {
        deployments,
        transfers,
        creations,
        surroundings,
        empty,
        delegated: eve.address,
        child,
        newcomer: newcomer.address,
        coinbase: miner.address,
    }
}

fn system_contracts() -> [(Address, Bytes); 4] {
    [
        (eip4788::BEACON_ROOTS_ADDRESS, eip4788::BEACON_ROOTS_CODE.clone()),
        (eip2935::HISTORY_STORAGE_ADDRESS, eip2935::HISTORY_STORAGE_CODE.clone()),
        (eip7002::WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS, eip7002::WITHDRAWAL_REQUEST_PREDEPLOY_CODE.clone()),
        (eip7251::CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS, eip7251::CONSOLIDATION_REQUEST_PREDEPLOY_CODE.clone()),
    ]
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a node: .ci/anvil"]
async fn blocks_of_a_node_are_the_same_with_and_without_its_tracer() {
    let url = std::env::var("WEFT_ANVIL").expect("WEFT_ANVIL is the URL of an anvil");
    let chain = Chain::new(&url);
    let info = chain.call("anvil_nodeInfo", json!([]));
    let fork = info["hardFork"].as_str().unwrap().to_lowercase();
    let blocks = mine_blocks(&chain, &fork);
    let settings = FetchSettings { fork: Some(fork.parse::<Fork>().unwrap()), ..FetchSettings::default() };
    let with_tracer = Fetcher::connect(&url, &settings).await.unwrap();
    let node = url.clone();
    let refusing = Server::start(move |method, params, _| refuse_to_trace(&node, method, params));
    let without_tracer = Fetcher::connect(&refusing.url, &settings).await.unwrap();
    let node = url.clone();
    let leaving_out = Server::start(move |method, params, _| Reply::Result(trace_what_exists(&node, method, params)));
    let with_terse_tracer = Fetcher::connect(&leaving_out.url, &settings).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let range = format!("{}-{}", blocks.deployments, blocks.empty);
    let mut command = Command::new(env!("CARGO_BIN_EXE_weft"));
    command.args(["fetch", "--rpc", &url, "--fork", &fork, &range, "--out"]).arg(folder.path());
    let ran = command.output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));

    for number in blocks.deployments..=blocks.empty {
        let traced = with_tracer.fetch(number).await.unwrap();
        let asked = without_tracer.fetch(number).await.unwrap();
        assert_eq!(traced.traced, number != blocks.empty, "block {number}");
        assert!(!asked.traced);
        assert_eq!(traced.file, asked.file, "block {number}");
        let terse = with_terse_tracer.fetch(number).await.unwrap();
        assert_eq!(terse.file, asked.file, "block {number}");
        assert_eq!(terse.traced, traced.traced, "block {number}: who trusts the tracer too much has to do without");
        let written = BlockFile::read(&folder.path().join(format!("{number}.json.gz"))).unwrap();
        assert_eq!(written, traced.file, "block {number}");
        let saved = asked.requests - traced.requests;
        assert!(saved > 10 || number == blocks.empty, "block {number}: the tracer saves {saved} requests");
        is_what_the_node_had(&chain, &traced);
        assert!(fixtures::executes(&written) || number == blocks.empty, "block {number}");
    }
    assert_eq!(refusing.asked("debug_traceBlockByNumber"), 1, "who has refused once is not asked again");

    if let Some(fixtures) = std::env::var_os("WEFT_FIXTURES") {
        for number in blocks.deployments..=blocks.surroundings {
            let name = format!("anvil-{fork}-{number}.json.gz");
            let from = folder.path().join(format!("{number}.json.gz"));
            std::fs::copy(from, Path::new(&fixtures).join(name)).unwrap();
        }
    }

    let file = |number: u64| BlockFile::read(&folder.path().join(format!("{number}.json.gz"))).unwrap();
    let creations = file(blocks.creations).prestate;
    assert_eq!(creations[&blocks.child], PrestateAccount::default());
    assert_eq!(creations[&blocks.newcomer], PrestateAccount::default());
    assert!(creations.contains_key(&blocks.coinbase));
    let surroundings = file(blocks.surroundings);
    let asked: Vec<u64> = surroundings.block_hashes.keys().copied().collect();
    assert_eq!(asked, [blocks.surroundings - 3, blocks.surroundings - 1]);
    if matches!(fork.as_str(), "prague" | "osaka") {
        assert!(surroundings.prestate[&blocks.delegated].code.is_empty());
    }
    assert!(file(blocks.transfers).chain.is_some_and(|chain| chain.chain_id == CHAIN_ID));
}

fn refuse_to_trace(node: &str, method: &str, params: &Value) -> Reply {
    if method.starts_with("debug_") {
        return Reply::Error { code: -32601, message: "the method debug_traceBlockByNumber does not exist" };
    }
    Reply::Result(http::call(node, method, params))
}

/// Geth's tracer does not list what is not there yet: what a transaction creates appears for the first time with what has
/// become of it by then.
fn trace_what_exists(node: &str, method: &str, params: &Value) -> Value {
    let mut result = http::call(node, method, params);
    if method.starts_with("debug_") {
        for entry in result.as_array_mut().unwrap() {
            entry["result"].as_object_mut().unwrap().retain(|_, account| {
                let something = |field: &str| {
                    account.get(field).is_some_and(|value| !matches!(value.as_str(), Some("0x0" | "0x")) && value != 0)
                };
                something("balance") || something("nonce") || something("code")
            });
        }
    }
    result
}

/// Asks the node for every account and slot again: at the end of the block before.
fn is_what_the_node_had(chain: &Chain, fetched: &Fetched) {
    let number = fetched.file.block.header.number;
    let before = format!("{:#x}", number - 1);
    for (address, account) in &fetched.file.prestate {
        let is = |method: &str, expected: U256| {
            let value: U256 = serde_json::from_value(chain.call(method, json!([address, before]))).unwrap();
            assert_eq!(value, expected, "block {number}: {method} of {address}");
        };
        is("eth_getBalance", account.balance);
        is("eth_getTransactionCount", U256::from(account.nonce));
        let code: Bytes = serde_json::from_value(chain.call("eth_getCode", json!([address, before]))).unwrap();
        assert_eq!(code, account.code, "block {number}: code of {address}");
        for (slot, value) in &account.storage {
            let stored = chain.call("eth_getStorageAt", json!([address, slot, before]));
            assert_eq!(serde_json::from_value::<B256>(stored).unwrap(), *value, "block {number}: {slot} of {address}");
        }
    }
}

/// A shell's view of files that are there already, and of blocks that are not.
#[test]
#[ignore = "needs a node: .ci/anvil"]
fn files_are_kept_unless_they_are_to_be_overwritten() {
    let url = std::env::var("WEFT_ANVIL").expect("WEFT_ANVIL is the URL of an anvil");
    let chain = Chain::new(&url);
    let fork = chain.call("anvil_nodeInfo", json!([]))["hardFork"].as_str().unwrap().to_owned();
    chain.call("evm_mine", json!([]));
    let folder = tempfile::tempdir().unwrap();
    let fetch = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_weft"));
        command.args(["fetch", "--rpc", &url, "--fork", &fork, "--plain", "--json"]).args(arguments);
        command.arg("--out").arg(folder.path()).output().unwrap()
    };
    let path = folder.path().join("1.json");
    std::fs::write(&path, "mine").unwrap();
    let kept: Value = serde_json::from_slice(&fetch(&["1"]).stdout).unwrap();
    assert_eq!(kept[0]["skipped"], true);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
    let fetched: Value = serde_json::from_slice(&fetch(&["1", "--overwrite"]).stdout).unwrap();
    assert_eq!((&fetched[0]["block"], &fetched[0]["skipped"]), (&json!(1), &json!(false)));
    assert_eq!(BlockFile::read(&path).unwrap().block.header.number, 1);

    let missing = fetch(&["4000000000"]);
    assert!(!missing.status.success());
    let error = String::from_utf8_lossy(&missing.stderr).into_owned();
    assert!(error.contains("block 4000000000: ") && error.contains("has no such block"), "{error}");
    assert_eq!(names(folder.path()), ["1.json"]);
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}
