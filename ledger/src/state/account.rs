//! An account (spec 3.1).

use std::sync::Arc;

/// The free-form bytes of an account. Nearly always empty, which costs nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AccountData(Option<Arc<Vec<u8>>>);

impl AccountData {
    /// Keeps `bytes`; no bytes are the empty data, so equal data is equal.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self((!bytes.is_empty()).then(|| Arc::new(bytes)))
    }

    /// The bytes.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        self.0.as_deref().map_or(&[], Vec::as_slice)
    }
}

/// An account. The default is what a first credit creates.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Account {
    /// Spendable, atomic units.
    pub balance: u64,
    /// The nonce of the next transaction.
    pub nonce: u64,
    /// Frozen, atomic units; hidden on export by the energy resource, where there is one (spec 3.2).
    pub frozen: u64,
    /// Energy; hidden on export likewise.
    pub energy: u64,
    /// Carried, without meaning to the rules.
    pub flags: u64,
    /// Carried, without meaning to the rules.
    pub data: AccountData,
    /// Whether there is a value under [`Key::Multisig`](super::Key::Multisig). Not exported: it only saves every
    /// transaction a second read.
    pub has_multisig: bool,
    /// Whether there is a value under [`Key::Energy`](super::Key::Energy). Not exported, likewise.
    pub has_energy: bool,
}
