//! What geth's `prestateTracer` says of a block, transaction by transaction.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, Bytes, U64, U256};
use serde::de::Error;
use serde::{Deserialize, Deserializer};

/// Of each transaction, what it looks up, as it is before that transaction.
///
/// The first time that an account appears is no proof that it is as before the block. What a transaction creates is left
/// out by most tracers, and a later transaction that uses it has it: with what the earlier one has made of it. So only the
/// transaction that is the first to touch something in our own execution is asked for it.
#[derive(Debug, Default)]
pub(super) struct Traces(Vec<BTreeMap<Address, Traced>>);

/// An account before a transaction.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Traced {
    /// In wei.
    #[serde(default)]
    pub(super) balance: U256,
    /// Transactions sent, or contracts created.
    #[serde(default, deserialize_with = "nonce")]
    pub(super) nonce: u64,
    /// The code; empty where there is none.
    #[serde(default)]
    pub(super) code: Bytes,
    /// Slots that the transaction touches.
    #[serde(default)]
    storage: BTreeMap<B256, B256>,
}

/// A transaction's part of what `debug_traceBlockByNumber` gives.
#[derive(Debug, Deserialize)]
pub(super) struct TraceEntry {
    result: Option<BTreeMap<Address, Traced>>,
}

/// Geth writes a number, others write it as a quantity.
fn nonce<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Nonce {
        Number(u64),
        Quantity(String),
    }
    match Nonce::deserialize(deserializer)? {
        Nonce::Number(number) => Ok(number),
        Nonce::Quantity(text) => text.parse::<U64>().map(|number| number.to()).map_err(D::Error::custom),
    }
}

impl Traces {
    /// Nothing where a transaction is missing: the others could not be told apart.
    pub(super) fn new(entries: Vec<TraceEntry>, transactions: usize) -> Option<Self> {
        let traces: Option<Vec<_>> = entries.into_iter().map(|entry| entry.result).collect();
        traces.filter(|traces| traces.len() == transactions).map(Self)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn account(&self, transaction: usize, address: Address) -> Option<&Traced> {
        self.0.get(transaction)?.get(&address)
    }

    pub(super) fn slot(&self, transaction: usize, address: Address, slot: B256) -> Option<B256> {
        self.account(transaction, address)?.storage.get(&slot).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCOUNT: Address = Address::repeat_byte(0x11);

    fn entries(text: &str) -> Vec<TraceEntry> {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn what_a_transaction_looks_up_is_found_under_that_transaction_only() {
        let slot = B256::with_last_byte(1);
        let text = format!(
            r#"[{{"txHash":"0x01","result":{{}}}},
                {{"result":{{"{ACCOUNT}":{{"balance":"0x5","nonce":7,"storage":{{"{slot}":"{slot}"}}}}}}}}]"#
        );
        let traces = Traces::new(entries(&text), 2).unwrap();
        assert!(traces.account(0, ACCOUNT).is_none());
        let account = traces.account(1, ACCOUNT).unwrap();
        assert_eq!((account.balance, account.nonce, account.code.len()), (U256::from(5), 7, 0));
        assert_eq!(traces.slot(1, ACCOUNT, slot), Some(slot));
        assert_eq!(traces.slot(1, ACCOUNT, B256::ZERO), None);
        assert!(traces.account(2, ACCOUNT).is_none());
    }

    #[test]
    fn a_nonce_may_be_a_quantity() {
        let text = format!(r#"[{{"result":{{"{ACCOUNT}":{{"nonce":"0x1f"}}}}}}]"#);
        let traces = Traces::new(entries(&text), 1).unwrap();
        assert_eq!(traces.account(0, ACCOUNT).unwrap().nonce, 31);
    }

    #[test]
    fn traces_with_a_transaction_missing_are_none() {
        assert!(Traces::new(entries(r#"[{"result":{}},{"error":"timeout"}]"#), 2).is_none());
        assert!(Traces::new(entries(r#"[{"result":{}}]"#), 2).is_none());
    }
}
