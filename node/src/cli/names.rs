//! What keys of the state are called in the summary.

use std::collections::HashMap;

use weft_ledger::contract::samples::{Sample, amm, caller, counter, gas_burner, many_reader, nft_mint, token};
use weft_ledger::hex;
use weft_ledger::state::{Key, storage_slot};

/// Numbered things of the samples that are known by name: the hot ones have low numbers.
const NUMBERED: u64 = 100;

/// The sample contracts and the keys in them that many calls can have in common. A storage key is a hash: what it was
/// made of, nobody can tell who does not know it already.
pub(super) struct Names(HashMap<Key, String>);

impl Names {
    pub(super) fn new() -> Self {
        let mut names = HashMap::new();
        for sample in Sample::ALL {
            names.insert(Key::Contract(*sample.module().hash()), format!("contract {}", sample.name()));
        }
        let mut name = |sample: Sample, key: &[u8], what: &str| {
            let slot = storage_slot(sample.module().hash(), key);
            names.insert(Key::Storage(slot), format!("storage of {}: {what}", sample.name()));
        };
        name(Sample::Token, &token::owner_key(), "owner");
        name(Sample::Token, &token::supply_key(), "supply");
        name(Sample::NftMint, &nft_mint::next_key(), "next number");
        name(Sample::Caller, &caller::before_key(), "calls begun");
        name(Sample::Caller, &caller::after_key(), "last result");
        for number in 0..NUMBERED {
            name(Sample::Amm, &amm::reserve_a_key(number), &format!("reserve a of pool {number}"));
            name(Sample::Amm, &amm::reserve_b_key(number), &format!("reserve b of pool {number}"));
            name(Sample::Counter, &counter::counter_key(number), &format!("counter {number}"));
            name(Sample::AddCounter, &counter::counter_key(number), &format!("counter {number}"));
            name(Sample::GasBurner, &gas_burner::value_key(number), &format!("value {number}"));
            name(Sample::GasBurner, &gas_burner::sum_key(number), &format!("sum {number}"));
            name(Sample::ManyReader, &many_reader::value_key(number), &format!("value {number}"));
        }
        Self(names)
    }

    pub(super) fn of(&self, key: &Key) -> String {
        if let Some(name) = self.0.get(key) {
            return name.clone();
        }
        let short = |bytes: &[u8; 32]| hex::encode(bytes)[..16].to_owned();
        match key {
            Key::Counter(counter) => format!("counter {counter:?}"),
            Key::Account(address) => format!("account {}…", short(&address.0)),
            Key::Energy(address) => format!("energy of {}…", short(&address.0)),
            Key::Multisig(address) => format!("multisig of {}…", short(&address.0)),
            Key::Storage(slot) => format!("storage {}…", short(&slot.0)),
            Key::Contract(id) => format!("contract {}…", short(&id.0)),
            Key::Miner(address) => format!("miner {}…", short(&address.0)),
            Key::MiningTask(id) => format!("task {}…", short(&id.0)),
            Key::PendingCredit(address) => format!("credits of {}…", short(&address.0)),
        }
    }
}
