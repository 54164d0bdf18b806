//! The 32-byte names of things: addresses, hashes, asset and contract ids (spec 1.2, 1.5).

use std::fmt;

use crate::hex;

/// An account's address: the 32 bytes of its compressed Ristretto public key (spec 1.2).
///
/// Any 32 bytes are an address; only one that decompresses can ever sign (spec 1.3).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Address(pub [u8; 32]);

/// A 32-byte identifier: a BLAKE3 hash, an asset id or a contract id (spec 1.5, 2.1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Hash(pub [u8; 32]);

macro_rules! impl_bytes32 {
    ($name:ident) => {
        impl $name {
            /// The raw bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }

            /// Reads 64 hex digits (spec 2.5 rules for hex).
            ///
            /// # Errors
            /// [`hex::HexError`] when the text is not exactly 64 hex digits.
            pub fn from_hex(text: &str) -> Result<Self, hex::HexError> {
                hex::decode_array(text).map(Self)
            }
        }

        impl From<[u8; 32]> for $name {
            fn from(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                for byte in self.0 {
                    write!(f, "{byte:02x}")?;
                }
                Ok(())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl std::hash::Hash for $name {
            // The derived one would feed the constant length first: wasted work on the hottest path of the engine.
            fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
                state.write(&self.0);
            }
        }
    };
}

impl_bytes32!(Address);
impl_bytes32!(Hash);

/// One TOS in atomic units (spec, head).
pub const COIN: u64 = 100_000_000;
