//! The state that a chain in a file begins with, as JSON beside it.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use weft_ledger::state::{Account, Key, Value};
use weft_ledger::{Address, hex};
use weft_node::chain::Genesis;

use super::CliError;

#[derive(Serialize, Deserialize)]
struct File {
    accounts: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    address: String,
    balance: u64,
    #[serde(default)]
    nonce: u64,
    #[serde(default)]
    energy: u64,
}

/// Where the genesis of a chain file is, unless it is named.
pub(super) fn beside(chain: &Path) -> PathBuf {
    let mut path = chain.as_os_str().to_owned();
    path.push(".genesis.json");
    path.into()
}

pub(super) fn write(path: &Path, genesis: &Genesis) -> Result<(), CliError> {
    let entry = |(key, value): &(Key, Value)| match (key, value) {
        (Key::Account(address), Value::Account(account)) => Ok(Entry {
            address: hex::encode(&address.0),
            balance: account.balance,
            nonce: account.nonce,
            energy: account.energy,
        }),
        _ => Err(format!("a genesis holds accounts only, not {key:?}")),
    };
    let accounts = genesis.iter().map(entry).collect::<Result<_, _>>()?;
    let text = serde_json::to_string_pretty(&File { accounts })?;
    std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(())
}

pub(super) fn read(path: &Path) -> Result<Genesis, CliError> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let file: File = serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut genesis = Genesis::with_capacity(file.accounts.len());
    for (at, entry) in file.accounts.into_iter().enumerate() {
        let address = Address::from_hex(&entry.address)
            .map_err(|error| format!("{}: account {at}: address: {error}", path.display()))?;
        let Entry { balance, nonce, energy, .. } = entry;
        let account = Account { balance, nonce, energy, ..Account::default() };
        genesis.push((Key::Account(address), Value::Account(account)));
    }
    genesis.sort_unstable_by_key(|entry| entry.0);
    if let Some(twice) = genesis.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        return Err(format!("{}: {:?} occurs twice", path.display(), twice[0].0).into());
    }
    Ok(genesis)
}
