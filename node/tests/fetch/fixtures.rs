//! Block files in the repository, of a chain of ours (`anvil.rs`): they replay, and a node that knows no more than one of
//! them gives the same file.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use alloy_eips::eip4788::BEACON_ROOTS_ADDRESS;
use alloy_primitives::{Address, B256, U64};
use revm::context::TxEnv;
use serde_json::{Value, json};
use weft_evm::sequential;
use weft_node::ethereum::chain::environment;
use weft_node::ethereum::fetch::{FetchSettings, Fetcher};
use weft_node::ethereum::file::{BlockFile, PrestateAccount};
use weft_node::ethereum::prestate::Prestate;
use weft_node::ethereum::receipts::{mismatches, receipts};
use weft_node::ethereum::system;

use super::http::{Reply, Server};

pub(crate) fn files() -> Vec<(PathBuf, BlockFile)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/ethereum");
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|end| end == "gz")).collect();
    paths.sort();
    let files: Vec<_> = paths.into_iter().map(|path| (path.clone(), BlockFile::read(&path).unwrap())).collect();
    // Those of other chains, mainnet's say, are not for here.
    files.into_iter().filter(|(_, file)| file.chain.is_some()).collect()
}

/// Executes a file's block and compares it with its header; whether there is any transaction in it.
pub(crate) fn executes(file: &BlockFile) -> bool {
    let header = &file.block.header.inner;
    let env = environment(file.chain.as_ref(), header);
    let mut prestate = Prestate::new(&file.prestate, &file.block_hashes).unwrap();
    system::before_transactions(&env, header, &mut prestate).unwrap();
    let signed = file.block.transactions.as_transactions().unwrap_or_default();
    let types: Vec<_> = signed.iter().map(|transaction| transaction.inner.tx_type()).collect();
    let of_one = |signed: &alloy_rpc_types_eth::Transaction| -> TxEnv {
        alloy_evm::FromRecoveredTx::from_recovered_tx(signed.inner.inner(), signed.inner.signer())
    };
    let transactions: Vec<_> = signed.iter().map(of_one).collect();
    let executed = sequential::execute(&env, &prestate, &transactions).unwrap();
    let mismatches = mismatches(header, env.cfg_env.spec, &receipts(&types, &executed.results));
    assert!(mismatches.is_empty(), "block {}: {mismatches:?}", header.number);
    !types.is_empty()
}

/// A node that has a file's block and its prestate, and neither a tracer nor anything else.
pub(crate) fn answer(file: &BlockFile, method: &str, params: &Value) -> Reply {
    let number = file.block.header.number;
    let of_parent = |at: usize| assert_eq!(params[at], json!(U64::from(number - 1)), "{method}: the state before");
    let account = || -> PrestateAccount {
        let address: Address = serde_json::from_value(params[0].clone()).unwrap();
        // An access list may name what the transaction does not touch.
        file.prestate.get(&address).cloned().unwrap_or_default()
    };
    match method {
        "eth_chainId" => Reply::Result(json!(U64::from(file.chain.unwrap().chain_id))),
        "eth_blockNumber" => Reply::Result(json!(U64::from(number))),
        "eth_getBlockByNumber" => {
            let asked: U64 = serde_json::from_value(params[0].clone()).unwrap();
            let asked: u64 = asked.to();
            if asked == number {
                return Reply::Result(serde_json::to_value(&file.block).unwrap());
            }
            match file.block_hashes.get(&asked) {
                Some(hash) => Reply::Result(json!({ "hash": hash })),
                None => Reply::Result(Value::Null),
            }
        }
        "eth_getStorageAt" => {
            of_parent(2);
            let slot: B256 = serde_json::from_value(params[1].clone()).unwrap();
            Reply::Result(json!(account().storage.get(&slot).unwrap_or(&B256::ZERO)))
        }
        "eth_getBalance" => {
            of_parent(1);
            Reply::Result(json!(account().balance))
        }
        "eth_getTransactionCount" => {
            of_parent(1);
            Reply::Result(json!(U64::from(account().nonce)))
        }
        "eth_getCode" => {
            of_parent(1);
            Reply::Result(json!(account().code))
        }
        _ => Reply::Error { code: -32601, message: "no such method" },
    }
}

pub(crate) fn settings(file: &BlockFile) -> FetchSettings {
    FetchSettings { fork: file.chain.map(|chain| chain.fork), ..FetchSettings::default() }
}

#[test]
fn the_blocks_in_the_repository_reproduce_their_headers() {
    let files = files();
    assert!(files.len() >= 4, "{} files", files.len());
    for (path, file) in files {
        assert!(executes(&file), "{} has no transactions", path.display());
        assert!(file.prestate.contains_key(&file.block.header.beneficiary));
        assert!(file.prestate.contains_key(&BEACON_ROOTS_ADDRESS));
    }
}

#[tokio::test]
async fn a_node_that_has_no_more_than_a_file_gives_that_file() {
    for (path, file) in files() {
        let node = Arc::new(file.clone());
        let server = Server::start(move |method, params, _| answer(&node, method, params));
        let fetcher = Fetcher::connect(&server.url, &settings(&file)).await.unwrap();
        let fetched = fetcher.fetch(file.block.header.number).await.unwrap();
        assert_eq!(fetched.file, file, "{}", path.display());
        assert!(!fetched.traced);
    }
}

#[tokio::test]
async fn a_state_that_contradicts_the_header_is_an_error() {
    let (_, file) = files().pop().unwrap();
    let mut other = file.clone();
    // Whoever has no code runs none.
    let contract = other.prestate.iter_mut().find(|(address, account)| {
        !account.code.is_empty()
            && file
                .block
                .transactions
                .as_transactions()
                .unwrap()
                .iter()
                .any(|transaction| alloy_consensus::Transaction::to(transaction.inner.inner()) == Some(**address))
    });
    contract.expect("a contract that is called").1.code = alloy_primitives::Bytes::from_static(&[0]);
    let server = Server::start(move |method, params, _| answer(&other, method, params));
    let fetcher = Fetcher::connect(&server.url, &settings(&file)).await.unwrap();
    let error = fetcher.fetch(file.block.header.number).await.unwrap_err().to_string();
    assert!(error.contains("by the rules of Prague, it contradicts its header: gas used: "), "{error}");
    assert!(error.starts_with(&format!("block {}: ", file.block.header.number)), "{error}");
}
