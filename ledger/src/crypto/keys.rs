//! Key pairs (spec 1.2).

use std::fmt;

use curve25519_dalek::scalar::Scalar;

use crate::types::Address;

use super::h_table;

/// A private key with its public key, which is also the account's address.
#[derive(Clone)]
pub struct KeyPair {
    private: Scalar,
    /// `x^-1`, or 0 for 0: signing needs it every time and it costs more than the rest of the arithmetic.
    inverse: Scalar,
    address: Address,
}

impl KeyPair {
    /// From 32 private bytes, little-endian, reduced by the group order. All zero gives the identity as public key.
    #[must_use]
    pub fn from_private_bytes(bytes: [u8; 32]) -> Self {
        let private = Scalar::from_bytes_mod_order(bytes);
        let inverse = if private == Scalar::ZERO { Scalar::ZERO } else { private.invert() };
        let address = Address((h_table() * &inverse).compress().to_bytes());
        Self { private, inverse, address }
    }

    /// The "seed n" account: private key n as a little-endian number (spec 1.2, which uses seeds below 256).
    #[must_use]
    pub fn from_seed(seed: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        Self::from_private_bytes(bytes)
    }

    /// The public key: `x^-1 * H`, compressed.
    #[must_use]
    pub const fn address(&self) -> Address {
        self.address
    }

    pub(super) const fn private(&self) -> &Scalar {
        &self.private
    }

    pub(super) const fn inverse(&self) -> &Scalar {
        &self.inverse
    }
}

impl fmt::Debug for KeyPair {
    // The private key stays out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyPair").field("address", &self.address).finish_non_exhaustive()
    }
}
