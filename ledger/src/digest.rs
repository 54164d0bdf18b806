//! The state digest, version 1 (spec 3.3).

use std::collections::BTreeMap;

use crate::export::{ExportedAccount, GlobalState, StateExport};
use crate::state::{Key, Value};
use crate::types::Hash;

/// Computes the digest account by account, ascending by address.
#[derive(Debug, Clone)]
pub struct StateDigest {
    hasher: blake3::Hasher,
}

impl StateDigest {
    /// Starts with the global numbers, `total_energy` among them: it must be known before the first account.
    #[must_use]
    pub fn new(global: &GlobalState) -> Self {
        let mut digest = Self { hasher: blake3::Hasher::new() };
        digest.numbers(&[
            global.total_supply,
            global.total_burned,
            global.total_energy,
            global.block_height,
            global.timestamp,
        ]);
        digest
    }

    /// Adds the next account.
    pub fn account(&mut self, account: &ExportedAccount) {
        let data = account.data.as_slice();
        self.hasher.update(&account.address.0);
        self.numbers(&[
            account.balance,
            account.nonce,
            account.frozen,
            account.energy,
            account.flags,
            data.len() as u64,
        ]);
        self.hasher.update(data);
    }

    /// The digest.
    #[must_use]
    pub fn finish(self) -> Hash {
        Hash(*self.hasher.finalize().as_bytes())
    }

    fn numbers(&mut self, numbers: &[u64]) {
        for number in numbers {
            self.hasher.update(&number.to_be_bytes());
        }
    }
}

/// The digest of a state that is streamed: `accounts` is called twice, once for the energy and once for the hash, and
/// gives the exported accounts ascending by address. `global.total_energy` is recomputed.
///
/// # Errors
/// Those of the streams.
pub fn digest_stream<E, I>(global: &GlobalState, mut accounts: impl FnMut() -> Result<I, E>) -> Result<Hash, E>
where
    I: IntoIterator<Item = Result<ExportedAccount, E>>,
{
    let mut total_energy = 0_u64;
    for account in accounts()? {
        total_energy = total_energy.saturating_add(account?.energy);
    }
    let mut digest = StateDigest::new(&GlobalState { total_energy, ..*global });
    for account in accounts()? {
        digest.account(&account?);
    }
    Ok(digest.finish())
}

/// The digest of an exported state.
#[must_use]
pub fn digest_export(export: &StateExport) -> Hash {
    let mut digest = StateDigest::new(&export.global);
    export.accounts.iter().for_each(|account| digest.account(account));
    digest.finish()
}

/// The digest of a state in memory.
#[must_use]
pub fn state_digest(state: &BTreeMap<Key, Value>) -> Hash {
    digest_export(&StateExport::of(state))
}
