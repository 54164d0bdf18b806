//! What contracts store (spec 8): arbitrary bytes under arbitrary keys, a namespace a contract.

use smallvec::SmallVec;
use weft_mvmemory::OutOfBounds;

use crate::types::Hash;

/// A value of a contract's storage: 1 to 4096 bytes. Short ones need no allocation.
#[derive(Clone, PartialEq, Eq)]
pub struct StorageValue(SmallVec<[u8; 32]>);

impl StorageValue {
    /// Copies `bytes`.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        Self(SmallVec::from_slice(bytes))
    }

    /// The bytes.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }

    /// Adds to the 64-bit little-endian number that this is.
    pub(super) fn plus(&self, amount: u64) -> Result<Self, OutOfBounds> {
        let bytes: [u8; 8] = self.0.as_slice().try_into().map_err(|_| OutOfBounds)?;
        let sum = u64::from_le_bytes(bytes).checked_add(amount).ok_or(OutOfBounds)?;
        Ok(Self::new(&sum.to_le_bytes()))
    }
}

impl std::fmt::Debug for StorageValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "StorageValue({})", crate::hex::encode(&self.0))
    }
}

/// The name of `key` in the storage of `contract` among all storage: BLAKE3 of both. 32 bytes whatever the key's length,
/// so that the keys of the state stay small; two different keys have different names as surely as two contracts have
/// different ids.
#[must_use]
pub fn storage_slot(contract: &Hash, key: &[u8]) -> Hash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&contract.0);
    hasher.update(key);
    Hash(*hasher.finalize().as_bytes())
}
