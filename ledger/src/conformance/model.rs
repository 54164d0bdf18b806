//! The JSON of states and expectations (spec 3.2). What is missing or null is zero or empty.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Deserializer};

use crate::contract::Module;
use crate::hex;
use crate::rules::BlockContext;
use crate::state::{
    Account, AccountData, Counter, EnergyRecords, EnergyResource, FreezeRecord, Key, PendingUnfreeze, Value,
};
use crate::types::{Address, Hash};

/// Reads null like something missing.
pub(super) fn nullable<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Expected {
    #[serde(deserialize_with = "nullable")]
    pub(super) success: bool,
    #[serde(deserialize_with = "nullable")]
    pub(super) error_code: u16,
    #[serde(deserialize_with = "nullable")]
    pub(super) state_digest: String,
    pub(super) post_state: Option<JsonState>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct JsonState {
    #[serde(deserialize_with = "nullable")]
    network_chain_id: u8,
    #[serde(deserialize_with = "nullable")]
    pub(super) global_state: JsonGlobal,
    #[serde(deserialize_with = "nullable")]
    pub(super) accounts: Vec<JsonAccount>,
    #[serde(deserialize_with = "nullable")]
    pub(super) energy_resources: Vec<JsonResource>,
    #[serde(deserialize_with = "nullable")]
    pub(super) contracts: Vec<JsonContract>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct JsonGlobal {
    #[serde(deserialize_with = "nullable")]
    pub(super) total_supply: u64,
    #[serde(deserialize_with = "nullable")]
    pub(super) total_burned: u64,
    #[serde(deserialize_with = "nullable")]
    pub(super) total_energy: u64,
    #[serde(deserialize_with = "nullable")]
    pub(super) block_height: u64,
    #[serde(deserialize_with = "nullable")]
    pub(super) timestamp: u64,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct JsonAccount {
    pub(super) address: String,
    #[serde(deserialize_with = "nullable")]
    pub(super) balance: u64,
    #[serde(deserialize_with = "nullable")]
    pub(super) nonce: u64,
    #[serde(deserialize_with = "nullable")]
    pub(super) frozen: u64,
    #[serde(deserialize_with = "nullable")]
    pub(super) energy: u64,
    #[serde(deserialize_with = "nullable")]
    pub(super) flags: u64,
    #[serde(deserialize_with = "nullable")]
    pub(super) data: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct JsonResource {
    pub(super) address: String,
    #[serde(deserialize_with = "nullable")]
    energy: u64,
    #[serde(deserialize_with = "nullable")]
    frozen_tos: u64,
    #[serde(deserialize_with = "nullable")]
    freeze_records: Vec<JsonRecord>,
    #[serde(deserialize_with = "nullable")]
    pending_unfreezes: Vec<JsonPending>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct JsonRecord {
    amount: u64,
    energy_gained: u64,
    freeze_height: u64,
    unlock_height: u64,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct JsonPending {
    amount: u64,
    expire_height: u64,
    #[serde(deserialize_with = "nullable")]
    from_delegation: bool,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct JsonContract {
    hash: String,
    #[serde(deserialize_with = "nullable")]
    module: String,
}

fn address(text: &str) -> Result<Address, String> {
    Address::from_hex(text).map_err(|error| format!("address {text:?}: {error}"))
}

impl JsonAccount {
    pub(super) fn address(&self) -> Result<Address, String> {
        address(&self.address)
    }

    pub(super) fn data(&self) -> Result<AccountData, String> {
        let bytes = hex::decode(&self.data).map_err(|error| format!("data of account {}: {error}", self.address))?;
        Ok(AccountData::new(bytes))
    }

    fn load(&self) -> Result<Account, String> {
        let Self { balance, nonce, frozen, energy, flags, .. } = *self;
        Ok(Account { balance, nonce, frozen, energy, flags, data: self.data()?, ..Account::default() })
    }
}

impl JsonResource {
    pub(super) fn load(&self) -> Result<(Address, EnergyResource), String> {
        let freeze = self
            .freeze_records
            .iter()
            .map(|record| FreezeRecord {
                amount: record.amount,
                energy_gained: record.energy_gained,
                freeze_height: record.freeze_height,
                unlock_height: record.unlock_height,
            })
            .collect();
        let pending = self
            .pending_unfreezes
            .iter()
            .map(|pending| PendingUnfreeze {
                amount: pending.amount,
                expire_height: pending.expire_height,
                from_delegation: pending.from_delegation,
            })
            .collect();
        let records = Arc::new(EnergyRecords { freeze, delegated: Vec::new(), pending });
        let resource = EnergyResource { energy: self.energy, frozen_tos: self.frozen_tos, records };
        Ok((address(&self.address)?, resource))
    }
}

impl JsonContract {
    pub(super) fn load(&self) -> Result<(Hash, Module), String> {
        let id = Hash::from_hex(&self.hash).map_err(|error| format!("contract {:?}: {error}", self.hash))?;
        let module = hex::decode(&self.module).map_err(|error| format!("module of contract {id}: {error}"))?;
        Ok((id, Module::new(module)))
    }
}

impl JsonState {
    /// The state and the surroundings that a transaction on it runs in.
    pub(super) fn load(&self) -> Result<(BTreeMap<Key, Value>, BlockContext), String> {
        let global = &self.global_state;
        let mut state: BTreeMap<Key, Value> = [
            (Counter::TotalSupply, global.total_supply),
            (Counter::TotalBurned, global.total_burned),
            (Counter::TotalEnergy, global.total_energy),
            (Counter::BlockHeight, global.block_height),
            (Counter::Timestamp, global.timestamp),
        ]
        .into_iter()
        .map(|(counter, number)| (Key::Counter(counter), Value::Counter(number)))
        .collect();
        for account in &self.accounts {
            state.insert(Key::Account(account.address()?), Value::Account(account.load()?));
        }
        for resource in &self.energy_resources {
            let (owner, resource) = resource.load()?;
            if let Some(Value::Account(account)) = state.get_mut(&Key::Account(owner)) {
                account.has_energy = true;
            }
            state.insert(Key::Energy(owner), Value::Energy(resource));
        }
        for contract in &self.contracts {
            let (id, module) = contract.load()?;
            state.insert(Key::Contract(id), Value::Contract(module));
        }
        let context = BlockContext {
            chain_id: self.network_chain_id,
            height: global.block_height,
            timestamp: global.timestamp,
            ..BlockContext::default()
        };
        Ok((state, context))
    }
}
