//! Compares what came out with what was expected, and says in words what differs.

use std::collections::BTreeMap;

use crate::digest::digest_export;
use crate::error::TosError;
use crate::export::{ExportedAccount, GlobalState, StateExport};
use crate::state::{EnergyRecords, EnergyResource, Key, Value};

use super::model::{Expected, JsonState};

/// Success flag and error code.
pub(super) fn result(expected: &Expected, actual: Result<(), TosError>) -> Result<(), String> {
    let code = actual.err().map_or(0, TosError::code);
    if expected.success != actual.is_ok() || expected.error_code != code {
        let outcome = actual.err().map_or_else(|| "SUCCESS".to_owned(), |error| error.to_string());
        return Err(format!("expected success={} code=0x{:04x}, got {outcome}", expected.success, expected.error_code));
    }
    Ok(())
}

/// Result, digest and complete state.
pub(super) fn outcome(
    expected: &Expected,
    actual: Result<(), TosError>,
    post: &BTreeMap<Key, Value>,
) -> Result<(), String> {
    result(expected, actual)?;
    let export = StateExport::of(post);
    if let Some(state) = &expected.post_state {
        compare_state(state, &export)?;
    }
    let digest = digest_export(&export).to_string();
    if !expected.state_digest.is_empty() && !expected.state_digest.eq_ignore_ascii_case(&digest) {
        return Err(format!("state digest: expected {}, got {digest}", expected.state_digest));
    }
    Ok(())
}

fn compare_state(expected: &JsonState, actual: &StateExport) -> Result<(), String> {
    let global = &expected.global_state;
    let global = GlobalState {
        total_supply: global.total_supply,
        total_burned: global.total_burned,
        total_energy: global.total_energy,
        block_height: global.block_height,
        timestamp: global.timestamp,
    };
    if global != actual.global {
        return Err(format!("global state: expected {global:?}, got {:?}", actual.global));
    }
    let mut accounts = BTreeMap::new();
    for account in &expected.accounts {
        let address = account.address()?;
        let exported = ExportedAccount {
            address,
            balance: account.balance,
            nonce: account.nonce,
            frozen: account.frozen,
            energy: account.energy,
            flags: account.flags,
            data: account.data()?,
        };
        accounts.insert(address, exported);
    }
    let found = actual.accounts.iter().map(|account| (account.address, account.clone())).collect();
    compare_maps("account", &accounts, &found)?;

    let mut resources = BTreeMap::new();
    for resource in &expected.energy_resources {
        let (owner, resource) = resource.load()?;
        resources.insert(owner, exported_resource(&resource));
    }
    let found = actual.energy.iter().map(|(owner, resource)| (*owner, exported_resource(resource))).collect();
    compare_maps("energy resource", &resources, &found)?;

    let contracts = expected.contracts.iter().map(|contract| contract.load()).collect::<Result<_, _>>()?;
    compare_maps("contract", &contracts, &actual.contracts)
}

/// Without what the JSON does not carry (spec 3.1): delegated records, and where a pending unfreeze comes from.
fn exported_resource(resource: &EnergyResource) -> EnergyResource {
    let mut records = EnergyRecords { delegated: Vec::new(), ..(*resource.records).clone() };
    records.pending.iter_mut().for_each(|pending| pending.from_delegation = false);
    EnergyResource { records: records.into(), ..*resource }
}

fn compare_maps<K, V>(what: &str, expected: &BTreeMap<K, V>, actual: &BTreeMap<K, V>) -> Result<(), String>
where
    K: Ord + std::fmt::Display,
    V: PartialEq + std::fmt::Debug,
{
    for (key, value) in expected {
        match actual.get(key) {
            None => return Err(format!("{what} {key} is missing")),
            Some(found) if found != value => {
                return Err(format!("{what} {key}: expected {value:?}, got {found:?}"));
            }
            Some(_) => {}
        }
    }
    match actual.keys().find(|key| !expected.contains_key(key)) {
        Some(key) => Err(format!("{what} {key} is not expected")),
        None => Ok(()),
    }
}
