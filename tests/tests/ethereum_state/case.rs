//! One case of a state test: one transaction on one state under one fork, and what must come of it.

use std::sync::Arc;

use alloy_consensus::TxEnvelope;
use alloy_eips::Decodable2718;
use alloy_primitives::map::AddressMap;
use alloy_primitives::{B256, Bytes};
use revm::context::{CfgEnv, TxEnv};
use revm::primitives::hardfork::SpecId;
use revm_statetest_types::{AccountInfo, SpecName, TestSuite, TestUnit};
use serde_json::Value as Json;
use weft_evm::EvmEnv;

use crate::common::world::World;

/// A case.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    /// File, test, and the indices of data, gas limit and value.
    pub(crate) name: String,
    /// As the file has it.
    pub(crate) fork: String,
    /// The fork and the block. None for a fork that revm does not have.
    pub(crate) env: Option<EvmEnv>,
    /// The state before, shared by the cases of a test.
    pub(crate) pre: Arc<World>,
    pub(crate) tx: Result<TxEnv, NoTransaction>,
    /// What is wrong with the transaction, if something is.
    pub(crate) exception: Option<String>,
    /// The root of the state afterwards.
    pub(crate) root: B256,
    /// The hash of the logs.
    pub(crate) logs: B256,
}

/// The file's transaction is none that could be executed.
#[derive(Debug, Clone)]
pub(crate) struct NoTransaction {
    pub(crate) reason: String,
    /// Whether its bytes can be decoded all the same. Then the reader is wrong, not the transaction.
    pub(crate) decodes: bool,
}

impl NoTransaction {
    fn new(reason: impl ToString, bytes: &Bytes) -> Self {
        Self { reason: reason.to_string(), decodes: TxEnvelope::decode_2718_exact(bytes).is_ok() }
    }
}

/// The cases of one file.
///
/// # Errors
/// What is wrong with the file.
pub(crate) fn read(path: &str, text: &[u8]) -> Result<Vec<Case>, String> {
    match serde_json::from_slice::<TestSuite>(text) {
        Ok(suite) => suite.0.iter().map(|(test, unit)| of_unit(path, test, unit)).collect::<Result<Vec<_>, _>>(),
        Err(error) => of_malformed(path, text, &error.to_string()).map(|cases| vec![cases]),
    }
    .map(|cases| cases.into_iter().flatten().collect())
    .map_err(|error| format!("{path}: {error}"))
}

fn of_unit(path: &str, test: &str, unit: &TestUnit) -> Result<Vec<Case>, String> {
    let pre = Arc::new(state(&unit.pre));
    let mut cases = Vec::new();
    for (fork, expectations) in &unit.post {
        let env = spec(fork).map(|spec| env(spec, unit));
        for expected in expectations {
            let indexes = &expected.indexes;
            let bytes = expected.txbytes.as_ref().ok_or("no `txbytes`")?;
            cases.push(Case {
                name: format!("{path} {test} {fork:?} [{}, {}, {}]", indexes.data, indexes.gas, indexes.value),
                fork: format!("{fork:?}"),
                env: env.clone(),
                pre: Arc::clone(&pre),
                tx: expected.tx_env(unit).map_err(|error| NoTransaction::new(error, bytes)),
                exception: expected.expect_exception.clone(),
                root: expected.hash,
                logs: expected.logs,
            });
        }
    }
    Ok(cases)
}

/// A file with a number that fits nowhere: no transaction at all can be made of it, but its states can be read.
fn of_malformed(path: &str, text: &[u8], reason: &str) -> Result<Vec<Case>, String> {
    let file: Json = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    let mut cases = Vec::new();
    for (test, unit) in file.as_object().ok_or("not an object")? {
        let pre: AddressMap<AccountInfo> =
            serde_json::from_value(unit["pre"].clone()).map_err(|error| error.to_string())?;
        let pre = Arc::new(state(&pre));
        for (fork, expectations) in unit["post"].as_object().ok_or("no `post`")? {
            for expected in expectations.as_array().ok_or("`post` without a list")? {
                let text = |field: &str| expected[field].as_str().ok_or_else(|| format!("no `{field}`: {reason}"));
                let hash = |field: &str| text(field)?.parse::<B256>().map_err(|error| format!("`{field}`: {error}"));
                let bytes = text("txbytes")?.parse().map_err(|error| format!("`txbytes`: {error}"))?;
                cases.push(Case {
                    name: format!("{path} {test} {fork} {}", expected["indexes"]),
                    fork: fork.clone(),
                    env: Some(EvmEnv::default()),
                    pre: Arc::clone(&pre),
                    tx: Err(NoTransaction::new(reason, &bytes)),
                    exception: expected["expectException"].as_str().map(str::to_owned),
                    root: hash("hash")?,
                    logs: hash("logs")?,
                });
            }
        }
    }
    Ok(cases)
}

/// revm goes from Byzantium to Petersburg: on the main network, Constantinople never was without it.
fn spec(fork: &SpecName) -> Option<SpecId> {
    match fork {
        SpecName::Constantinople | SpecName::ByzantiumToConstantinopleAt5 | SpecName::Unknown => None,
        _ => Some(fork.to_spec_id()),
    }
}

fn env(spec: SpecId, unit: &TestUnit) -> EvmEnv {
    let mut cfg = CfgEnv::new_with_spec(spec);
    cfg.chain_id = unit.env.current_chain_id.map_or(1, |id| id.saturating_to());
    cfg.max_blobs_per_tx = Some(if spec == SpecId::PRAGUE { 9 } else { 6 });
    let block = unit.block_env(&mut cfg);
    EvmEnv::new(cfg, block)
}

fn state(accounts: &AddressMap<AccountInfo>) -> World {
    let mut world = World::default();
    for (address, account) in accounts {
        let storage = account.storage.iter().map(|(slot, value)| (*slot, *value));
        world.insert(*address, account.balance, account.nonce, &account.code, storage);
    }
    world
}
