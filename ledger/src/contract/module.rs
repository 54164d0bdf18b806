//! A contract's code.

use std::sync::Arc;

use crate::types::Hash;

/// A module: its bytes and their BLAKE3 hash. Cheap to clone.
#[derive(Clone, PartialEq, Eq)]
pub struct Module(Arc<Stored>);

#[derive(PartialEq, Eq)]
struct Stored {
    hash: Hash,
    bytes: Box<[u8]>,
}

impl Module {
    /// Takes the bytes of an ELF file; hashes them.
    #[must_use]
    pub fn new(bytes: impl Into<Box<[u8]>>) -> Self {
        let bytes = bytes.into();
        Self(Arc::new(Stored { hash: Hash(*blake3::hash(&bytes).as_bytes()), bytes }))
    }

    /// Bytes whose hash is known already: those of the database carry it.
    pub(crate) fn with_hash(hash: Hash, bytes: Box<[u8]>) -> Self {
        Self(Arc::new(Stored { hash, bytes }))
    }

    /// BLAKE3 of the bytes.
    #[must_use]
    pub fn hash(&self) -> &Hash {
        &self.0.hash
    }

    /// The ELF file.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0.bytes
    }
}

impl std::fmt::Debug for Module {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Module({}, {} bytes)", self.0.hash, self.0.bytes.len())
    }
}
