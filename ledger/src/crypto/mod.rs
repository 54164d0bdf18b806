//! Keys, signatures and hashes of the ledger (spec 1).

mod generators;
mod keys;
mod schnorr;

#[cfg(test)]
mod crypto_tests;

pub(crate) use generators::h_table;
pub use generators::{GENERATOR_H, generator_h};
pub use keys::KeyPair;
pub use schnorr::{Signature, verify};

use crate::types::Hash;

/// The ledger's plain hash: BLAKE3-256 (spec 1.5).
#[must_use]
pub fn hash(bytes: &[u8]) -> Hash {
    Hash(*blake3::hash(bytes).as_bytes())
}
