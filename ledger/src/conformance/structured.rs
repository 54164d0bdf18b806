//! A transaction item of a vector: its wire bytes, or else its structured form (spec 2.5).
//!
//! The structured form counts only when the wire bytes are missing or do not decode. It can say things that the wire
//! cannot, such as a repeated multisig participant; the rules judge those.

use serde::Deserialize;
use serde_json::Value as Json;

use crate::contract::Module;
use crate::crypto::Signature;
use crate::error::TosError;
use crate::hex;
use crate::signed::SignedTransaction;
use crate::types::{Address, Hash};
use crate::wire::{
    BurnPayload, Constructor, Delegation, DeployContractPayload, Deposit, EnergyPayload, FeeType,
    InvokeContractPayload, MAX_DELEGATIONS, MAX_MODULE_BYTES, MAX_TRANSFERS, MultisigPayload, Payload, Transaction,
    Transfer,
};

use super::model::nullable;

/// Everything structural is one error.
const MALFORMED: TosError = TosError::InvalidFormat;

/// The transaction of `item`.
pub(super) fn transaction(item: &Json) -> Result<SignedTransaction, TosError> {
    let wire_hex = item.get("wire_hex").and_then(Json::as_str).unwrap_or_default();
    if !wire_hex.is_empty()
        && let Ok(wire) = hex::decode(wire_hex)
        && let Ok(signed) = SignedTransaction::decode(wire)
    {
        return Ok(signed);
    }
    let structured = item.get("tx").filter(|tx| !tx.is_null()).ok_or(MALFORMED)?;
    let transaction = JsonTransaction::deserialize(structured).map_err(|_| MALFORMED)?.convert()?;
    match SignedTransaction::from_transaction(transaction.clone()) {
        Ok(signed) => Ok(signed),
        Err(_) => match &transaction.payload {
            // Both have rules of their own (spec 5.3) that come before the signature.
            Payload::Multisig(payload) => {
                let wire_len = 159 + 32 * payload.participants.len();
                Ok(SignedTransaction::unencodable(transaction, wire_len))
            }
            _ => Err(MALFORMED),
        },
    }
}

#[derive(Deserialize)]
struct JsonTransaction {
    version: u8,
    chain_id: u8,
    source: String,
    tx_type: String,
    #[serde(default)]
    payload: Json,
    #[serde(default, deserialize_with = "nullable")]
    fee: u64,
    #[serde(default, deserialize_with = "nullable")]
    fee_type: u8,
    #[serde(default, deserialize_with = "nullable")]
    nonce: u64,
    #[serde(default, deserialize_with = "nullable")]
    reference_hash: String,
    #[serde(default, deserialize_with = "nullable")]
    reference_topoheight: u64,
    #[serde(default, deserialize_with = "nullable")]
    signature: String,
}

#[derive(Deserialize)]
struct JsonTransfer {
    #[serde(default, deserialize_with = "nullable")]
    asset: String,
    destination: String,
    #[serde(default, deserialize_with = "nullable")]
    amount: u64,
    #[serde(default)]
    extra_data: Option<String>,
}

#[derive(Deserialize)]
struct JsonBurn {
    #[serde(default, deserialize_with = "nullable")]
    asset: String,
    #[serde(default, deserialize_with = "nullable")]
    amount: u64,
}

#[derive(Deserialize)]
struct JsonMultisig {
    #[serde(default, deserialize_with = "nullable")]
    threshold: u8,
    #[serde(default, deserialize_with = "nullable")]
    participants: Vec<String>,
}

#[derive(Deserialize)]
struct JsonDeposit {
    #[serde(default, deserialize_with = "nullable")]
    asset: String,
    #[serde(default, deserialize_with = "nullable")]
    amount: u64,
}

#[derive(Deserialize)]
struct JsonInvoke {
    contract: String,
    #[serde(default, deserialize_with = "nullable")]
    deposits: Vec<JsonDeposit>,
    #[serde(default, deserialize_with = "nullable")]
    entry_id: u16,
    #[serde(default, deserialize_with = "nullable")]
    max_gas: u64,
    #[serde(default, deserialize_with = "nullable")]
    parameters: Vec<Json>,
}

#[derive(Deserialize)]
struct JsonConstructor {
    #[serde(default, deserialize_with = "nullable")]
    max_gas: u64,
    #[serde(default, deserialize_with = "nullable")]
    deposits: Vec<JsonDeposit>,
}

#[derive(Deserialize)]
struct JsonDeploy {
    #[serde(default, deserialize_with = "nullable")]
    module: String,
    #[serde(default)]
    invoke: Option<JsonConstructor>,
}

#[derive(Deserialize)]
struct JsonDelegation {
    delegatee: String,
    #[serde(default, deserialize_with = "nullable")]
    amount: u64,
}

#[derive(Deserialize)]
struct JsonEnergy {
    variant: String,
    #[serde(default, deserialize_with = "nullable")]
    amount: u64,
    #[serde(default, deserialize_with = "nullable")]
    duration_days: u32,
    #[serde(default, deserialize_with = "nullable")]
    delegatees: Vec<JsonDelegation>,
    #[serde(default, deserialize_with = "nullable")]
    from_delegation: bool,
    #[serde(default)]
    record_index: Option<u32>,
    #[serde(default)]
    delegatee_address: Option<String>,
}

fn parse<T: for<'de> Deserialize<'de>>(json: &Json) -> Result<T, TosError> {
    T::deserialize(json).map_err(|_| MALFORMED)
}

fn address(text: &str) -> Result<Address, TosError> {
    Address::from_hex(text).map_err(|_| MALFORMED)
}

/// Missing ids are zero, as missing numbers are.
fn id(text: &str) -> Result<Hash, TosError> {
    if text.is_empty() { Ok(Hash::default()) } else { Hash::from_hex(text).map_err(|_| MALFORMED) }
}

fn deposits(list: &[JsonDeposit]) -> Result<Vec<Deposit>, TosError> {
    let mut deposits: Vec<Deposit> = Vec::new();
    for JsonDeposit { asset, amount } in list {
        let asset = id(asset)?;
        match deposits.iter_mut().find(|deposit| deposit.asset == asset) {
            Some(first) => first.amount = *amount,
            None => deposits.push(Deposit { asset, amount: *amount }),
        }
    }
    Ok(deposits)
}

impl JsonTransaction {
    fn convert(self) -> Result<Transaction, TosError> {
        if self.version != 1 {
            return Err(MALFORMED);
        }
        let signature = match self.signature.as_str() {
            "" => Signature::ZERO,
            text => hex::decode_array(text).ok().and_then(Signature::from_bytes).ok_or(MALFORMED)?,
        };
        Ok(Transaction {
            chain_id: self.chain_id,
            source: address(&self.source)?,
            payload: payload(&self.tx_type, &self.payload)?,
            fee: self.fee,
            fee_type: match self.fee_type {
                0 => FeeType::Tos,
                1 => FeeType::Energy,
                2 => FeeType::Uno,
                _ => return Err(MALFORMED),
            },
            nonce: self.nonce,
            reference_hash: id(&self.reference_hash)?,
            reference_topoheight: self.reference_topoheight,
            multisig: None,
            signature,
        })
    }
}

fn payload(kind: &str, json: &Json) -> Result<Payload, TosError> {
    Ok(match kind {
        "transfers" => {
            let list: Vec<JsonTransfer> = parse(json)?;
            if list.is_empty() || list.len() > MAX_TRANSFERS {
                return Err(MALFORMED);
            }
            Payload::Transfers(list.into_iter().map(JsonTransfer::convert).collect::<Result<_, _>>()?)
        }
        "burn" => {
            let JsonBurn { asset, amount } = parse(json)?;
            Payload::Burn(BurnPayload { asset: id(&asset)?, amount })
        }
        "multisig" => {
            let JsonMultisig { threshold, participants } = parse(json)?;
            let participants = participants.iter().map(|text| address(text)).collect::<Result<_, _>>()?;
            Payload::Multisig(MultisigPayload { threshold, participants })
        }
        "invoke_contract" => Payload::InvokeContract(Box::new(parse::<JsonInvoke>(json)?.convert()?)),
        "deploy_contract" => Payload::DeployContract(Box::new(parse::<JsonDeploy>(json)?.convert()?)),
        "energy" => Payload::Energy(parse::<JsonEnergy>(json)?.convert()?),
        // No structured form is known for the rest, so nothing can be said about its structure.
        _ => return Err(TosError::NotImplemented),
    })
}

impl JsonTransfer {
    fn convert(self) -> Result<Transfer, TosError> {
        let extra_data = match self.extra_data {
            Some(text) => Some(hex::decode(&text).map_err(|_| MALFORMED)?.into_boxed_slice()),
            None => None,
        };
        Ok(Transfer {
            asset: id(&self.asset)?,
            destination: address(&self.destination)?,
            amount: self.amount,
            extra_data,
        })
    }
}

impl JsonInvoke {
    fn convert(self) -> Result<InvokeContractPayload, TosError> {
        if !self.parameters.is_empty() {
            // No vector shows a parameter's JSON form.
            return Err(MALFORMED);
        }
        Ok(InvokeContractPayload {
            contract: Hash::from_hex(&self.contract).map_err(|_| MALFORMED)?,
            deposits: deposits(&self.deposits)?,
            entry_id: self.entry_id,
            max_gas: self.max_gas,
            parameters: Vec::new(),
        })
    }
}

impl JsonDeploy {
    fn convert(self) -> Result<DeployContractPayload, TosError> {
        let module = hex::decode(&self.module).map_err(|_| MALFORMED)?;
        if !module.starts_with(b"\x7fELF") || module.len() > MAX_MODULE_BYTES {
            return Err(MALFORMED);
        }
        let constructor = match self.invoke {
            Some(JsonConstructor { max_gas, deposits: list }) => {
                Some(Constructor { max_gas, deposits: deposits(&list)? })
            }
            None => None,
        };
        Ok(DeployContractPayload { module: Module::new(module), constructor })
    }
}

impl JsonEnergy {
    fn convert(self) -> Result<EnergyPayload, TosError> {
        Ok(match self.variant.as_str() {
            "freeze_tos" => EnergyPayload::FreezeTos { amount: self.amount, days: self.duration_days },
            "freeze_tos_delegate" => {
                if self.delegatees.len() > MAX_DELEGATIONS {
                    return Err(MALFORMED);
                }
                let delegations = self
                    .delegatees
                    .iter()
                    .map(|entry| Ok(Delegation { delegatee: address(&entry.delegatee)?, amount: entry.amount }))
                    .collect::<Result<_, TosError>>()?;
                EnergyPayload::FreezeTosDelegate { delegations, days: self.duration_days }
            }
            "unfreeze_tos" => EnergyPayload::UnfreezeTos {
                amount: self.amount,
                from_delegation: self.from_delegation,
                record_index: self.record_index,
                delegatee: self.delegatee_address.as_deref().map(address).transpose()?,
            },
            "withdraw_unfrozen" => EnergyPayload::WithdrawUnfrozen,
            _ => return Err(MALFORMED),
        })
    }
}
