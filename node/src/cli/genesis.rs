//! The state that a chain in a file begins with, as JSON beside it.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use weft_ledger::contract::{Limits, Module};
use weft_ledger::rules::LedgerConfig;
use weft_ledger::state::{Account, Key, StorageValue, Value};
use weft_ledger::{Address, Hash, hex};
use weft_node::chain::Genesis;

use super::CliError;

#[derive(Serialize, Deserialize)]
struct File {
    /// Whether the chain's ledger is one with AI mining: its blocks do not decode otherwise.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    ai_mining: bool,
    accounts: Vec<AccountEntry>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    contracts: Vec<ContractEntry>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    storage: Vec<StorageEntry>,
}

#[derive(Serialize, Deserialize)]
struct AccountEntry {
    address: String,
    balance: u64,
    #[serde(default)]
    nonce: u64,
    #[serde(default)]
    energy: u64,
}

#[derive(Serialize, Deserialize)]
struct ContractEntry {
    id: String,
    module: String,
}

#[derive(Serialize, Deserialize)]
struct StorageEntry {
    slot: String,
    value: String,
}

/// Where the genesis of a chain file is, unless it is named.
pub(super) fn beside(chain: &Path) -> PathBuf {
    let mut path = chain.as_os_str().to_owned();
    path.push(".genesis.json");
    path.into()
}

pub(super) fn write(path: &Path, genesis: &Genesis, ledger: &LedgerConfig) -> Result<(), CliError> {
    let mut file =
        File { ai_mining: ledger.ai_mining, accounts: Vec::new(), contracts: Vec::new(), storage: Vec::new() };
    for entry in genesis {
        match entry {
            (Key::Account(address), Value::Account(account)) => file.accounts.push(AccountEntry {
                address: hex::encode(&address.0),
                balance: account.balance,
                nonce: account.nonce,
                energy: account.energy,
            }),
            (Key::Contract(id), Value::Contract(module)) => {
                file.contracts.push(ContractEntry { id: hex::encode(&id.0), module: hex::encode(module.bytes()) });
            }
            (Key::Storage(slot), Value::Storage(value)) => {
                file.storage.push(StorageEntry { slot: hex::encode(&slot.0), value: hex::encode(value.as_slice()) });
            }
            (key, _) => return Err(format!("a genesis holds accounts, contracts and storage, not {key:?}").into()),
        }
    }
    let text = serde_json::to_string_pretty(&file)?;
    std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(())
}

/// The state, and the switches of the ledger that the chain needs.
pub(super) fn read(path: &Path) -> Result<(Genesis, LedgerConfig), CliError> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let file: File = serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?;
    let wrong = |what: &str, at: usize, error: &dyn std::fmt::Display| -> CliError {
        format!("{}: {what} {at}: {error}", path.display()).into()
    };
    let mut genesis = Genesis::with_capacity(file.accounts.len() + file.contracts.len() + file.storage.len());
    for (at, entry) in file.accounts.into_iter().enumerate() {
        let address = Address::from_hex(&entry.address)
            .map_err(|error| wrong("account", at, &format_args!("address: {error}")))?;
        let AccountEntry { balance, nonce, energy, .. } = entry;
        let account = Account { balance, nonce, energy, ..Account::default() };
        genesis.push((Key::Account(address), Value::Account(account)));
    }
    for (at, entry) in file.contracts.into_iter().enumerate() {
        let id = Hash::from_hex(&entry.id).map_err(|error| wrong("contract", at, &format_args!("id: {error}")))?;
        let module =
            hex::decode(&entry.module).map_err(|error| wrong("contract", at, &format_args!("module: {error}")))?;
        genesis.push((Key::Contract(id), Value::Contract(Module::new(module))));
    }
    let most = Limits::default().value_bytes;
    for (at, entry) in file.storage.into_iter().enumerate() {
        let slot = Hash::from_hex(&entry.slot).map_err(|error| wrong("storage", at, &format_args!("slot: {error}")))?;
        let value = hex::decode(&entry.value).map_err(|error| wrong("storage", at, &format_args!("value: {error}")))?;
        if value.is_empty() || value.len() > most {
            let length = value.len();
            return Err(wrong("storage", at, &format_args!("value: {length} bytes, where 1 to {most} are possible")));
        }
        genesis.push((Key::Storage(slot), Value::Storage(StorageValue::new(&value))));
    }
    genesis.sort_unstable_by_key(|entry| entry.0);
    if let Some(twice) = genesis.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        return Err(format!("{}: {:?} occurs twice", path.display(), twice[0].0).into());
    }
    Ok((genesis, LedgerConfig { ai_mining: file.ai_mining, ..LedgerConfig::default() }))
}
