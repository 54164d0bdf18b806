//! The accounts of a workload, and what the generator has to remember of them to stay valid.

use std::sync::OnceLock;

use weft_engine::WorkerPool;
use weft_ledger::crypto::{KeyPair, Signature};
use weft_ledger::state::{Account, Key, Value};
use weft_ledger::wire::{FeeType, MultiSig, Payload, SignerSignature, Transaction, Transfer};
use weft_ledger::{Address, COIN, Hash};
use weft_storage::StorageError;

use super::{CHAIN_ID, Draft, FEE};
use crate::chain::ChainView;

/// An account as the generator knows it.
#[derive(Debug)]
pub(super) struct Known {
    key: KeyPair,
    nonce: u64,
    /// Frozen whole TOS.
    pub(super) frozen: u64,
    /// Unfreezes that wait, each with the height from which it can be withdrawn.
    pub(super) unfreezes: Vec<u64>,
    pub(super) has_multisig: bool,
    /// Whether it has an energy resource: from then on its energy fees come from there.
    pub(super) has_energy: bool,
    /// Whether it takes part in AI mining.
    pub(super) is_miner: bool,
    /// The block of its last action as a miner; 0 for none that the generator knows of.
    pub(super) mined_in: u64,
}

impl Known {
    /// One whole TOS more is frozen.
    pub(super) fn freeze(&mut self) {
        self.frozen += 1;
        self.has_energy = true;
    }
}

/// All accounts of a workload.
#[derive(Debug)]
pub(super) struct Accounts {
    known: Vec<Known>,
}

impl Accounts {
    pub(super) fn new(count: usize, seed: u64, pool: Option<&WorkerPool>) -> Self {
        let key = |at: usize| {
            let mut hasher = blake3::Hasher::new();
            hasher.update(b"weft workload account");
            hasher.update(&seed.to_be_bytes());
            hasher.update(&(at as u64).to_be_bytes());
            KeyPair::from_private_bytes(*hasher.finalize().as_bytes())
        };
        let keys: Vec<KeyPair> = match pool {
            Some(pool) => {
                let keys: Vec<OnceLock<KeyPair>> = (0..count).map(|_| OnceLock::new()).collect();
                pool.for_each(pool.workers(), count, 16, |at| {
                    let _first = keys[at].set(key(at));
                });
                keys.into_iter()
                    .map(|slot| slot.into_inner().expect("the pool visits every index before it returns"))
                    .collect()
            }
            None => (0..count).map(key).collect(),
        };
        let known = |key| Known {
            key,
            nonce: 0,
            frozen: 0,
            unfreezes: Vec::new(),
            has_multisig: false,
            has_energy: false,
            is_miner: false,
            mined_in: 0,
        };
        Self { known: keys.into_iter().map(known).collect() }
    }

    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    pub(super) fn addresses(&self) -> impl Iterator<Item = Address> {
        self.known.iter().map(|known| known.key.address())
    }

    pub(super) fn key(&self, at: usize) -> &KeyPair {
        &self.known[at].key
    }

    pub(super) fn address(&self, at: usize) -> Address {
        self.known[at].key.address()
    }

    pub(super) fn get_mut(&mut self, at: usize) -> &mut Known {
        &mut self.known[at]
    }

    /// Reads from a chain what the generator has to remember.
    pub(super) fn resume(&mut self, view: &ChainView) -> Result<(), StorageError> {
        for known in &mut self.known {
            let account = view.account(&known.key.address())?.unwrap_or_default();
            let Account { nonce, frozen, has_multisig, has_energy, .. } = account;
            known.nonce = nonce;
            known.frozen = frozen / COIN;
            known.has_multisig = has_multisig;
            known.has_energy = has_energy;
            // Counted as the generator counts them: without this a chain that is gone on with would differ from one
            // that is made at once.
            known.unfreezes = match view.snapshot().read(&Key::Energy(known.key.address()))? {
                Some(Value::Energy(resource)) => {
                    resource.records.pending.iter().map(|pending| pending.expire_height).collect()
                }
                _ => Vec::new(),
            };
            known.is_miner = view.snapshot().read(&Key::Miner(known.key.address()))?.is_some();
        }
        Ok(())
    }

    /// A transaction of `source` with the next nonce. An account with a multisig configuration signs with the
    /// account behind it, which is its only needed participant (see [`super::mixed`]).
    pub(super) fn draft(&mut self, source: usize, payload: Payload, fee: u64, fee_type: FeeType) -> Draft {
        let signer = self.co_signer(source);
        let known = &mut self.known[source];
        let nonce = known.nonce;
        known.nonce += 1;
        let co_signers = if known.has_multisig { vec![(0, signer)] } else { Vec::new() };
        let placeholder = |&(signer_id, _): &(u8, usize)| SignerSignature { signer_id, signature: unsigned() };
        let section = MultiSig { signatures: co_signers.iter().map(placeholder).collect() };
        let transaction = Transaction {
            chain_id: CHAIN_ID,
            source: known.key.address(),
            payload,
            fee,
            fee_type,
            nonce,
            reference_hash: Hash([0; 32]),
            reference_topoheight: 0,
            multisig: known.has_multisig.then_some(section),
            signature: unsigned(),
        };
        Draft { source, co_signers, transaction }
    }

    /// A transfer from one account to others.
    pub(super) fn transfer(&mut self, from: usize, to: &[(usize, u64)]) -> Draft {
        let payload = self.transfers(to);
        self.draft(from, payload, FEE, FeeType::Tos)
    }

    pub(super) fn transfers(&self, to: &[(usize, u64)]) -> Payload {
        let entry = |&(to, amount): &(usize, u64)| Transfer {
            asset: Hash([0; 32]),
            destination: self.address(to),
            amount,
            extra_data: None,
        };
        Payload::Transfers(to.iter().map(entry).collect())
    }

    /// The account that signs for `source` where it has a multisig configuration.
    pub(super) fn co_signer(&self, source: usize) -> usize {
        (source + 1) % self.known.len()
    }

    /// Puts the participants' signatures into a transaction.
    pub(super) fn co_sign(&self, draft: &Draft, transaction: &mut Transaction) {
        if draft.co_signers.is_empty() {
            return;
        }
        // The signed bytes end before the section: they are the same with and without signatures.
        let bytes = transaction.signing_bytes().expect(super::SHORT_LISTS);
        let hash = weft_ledger::crypto::hash(&bytes);
        let sign =
            |&(signer_id, at): &(u8, usize)| SignerSignature { signer_id, signature: self.key(at).sign(&hash.0) };
        transaction.multisig = Some(MultiSig { signatures: draft.co_signers.iter().map(sign).collect() });
    }
}

fn unsigned() -> Signature {
    Signature::from_bytes([0; 64]).expect("zero scalars are canonical")
}
