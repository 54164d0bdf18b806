//! A transaction together with its wire bytes, and with what is known about its signature.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use crate::crypto::{self, KeyPair};
use crate::types::Hash;
use crate::wire::{DecodeError, EncodeError, Era, Transaction, decode_parts};

/// Bytes of one transaction within a shared buffer, so that a block is held once.
#[derive(Clone)]
pub struct WireBytes {
    buffer: Arc<[u8]>,
    range: Range<usize>,
}

impl WireBytes {
    /// The part `range` of `buffer`; `None` when it is not inside.
    #[must_use]
    pub fn slice(buffer: &Arc<[u8]>, range: Range<usize>) -> Option<Self> {
        buffer.get(range.clone())?;
        Some(Self { buffer: Arc::clone(buffer), range })
    }

    /// The bytes.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        // The range was checked when it was made.
        self.buffer.get(self.range.clone()).unwrap_or_default()
    }
}

impl From<Vec<u8>> for WireBytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self { range: 0..bytes.len(), buffer: bytes.into() }
    }
}

impl PartialEq for WireBytes {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl Eq for WireBytes {}

impl std::fmt::Debug for WireBytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "WireBytes({})", crate::hex::encode(self.as_slice()))
    }
}

/// What is known about the source's signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureState {
    /// Not looked at yet; the first execution will.
    Unchecked,
    /// It verifies.
    Valid,
    /// It does not verify.
    Invalid,
    /// Signatures of this transaction are not to be checked: the caller has done it, or measures without it.
    Trusted,
}

/// A decoded transaction with its wire bytes.
///
/// Whether the source's signature verifies depends on nothing else, so it is found out once, by whoever asks first,
/// and remembered: an execution that is repeated does not pay again.
#[derive(Debug, Clone)]
pub struct SignedTransaction {
    transaction: Transaction,
    wire: WireBytes,
    wire_len: usize,
    signing_len: usize,
    signature_valid: OnceLock<bool>,
    trusted: bool,
}

impl SignedTransaction {
    /// Decodes wire bytes of [`Era::Standard`] and keeps them.
    ///
    /// # Errors
    /// [`DecodeError`], which is error 0x0100 to the ledger.
    pub fn decode(wire: impl Into<WireBytes>) -> Result<Self, DecodeError> {
        Self::decode_in(Era::Standard, wire)
    }

    /// Decodes wire bytes of `era` and keeps them (spec 2.6).
    ///
    /// # Errors
    /// [`DecodeError`], which is error 0x0100 to the ledger.
    pub fn decode_in(era: Era, wire: impl Into<WireBytes>) -> Result<Self, DecodeError> {
        let wire = wire.into();
        let (transaction, signing_len) = decode_parts(era, wire.as_slice())?;
        Ok(Self::assemble(transaction, wire, signing_len))
    }

    /// Encodes a transaction that carries its signature already.
    ///
    /// # Errors
    /// [`EncodeError`] when a list does not fit the wire format.
    pub fn from_transaction(transaction: Transaction) -> Result<Self, EncodeError> {
        let (wire, signing_len) = transaction.encode_parts()?;
        Ok(Self::assemble(transaction, wire.into(), signing_len))
    }

    /// Signs `transaction` as `key`'s owner. The multisig section stays as it is.
    ///
    /// # Errors
    /// [`EncodeError`] when a list does not fit the wire format.
    pub fn sign(mut transaction: Transaction, key: &KeyPair) -> Result<Self, EncodeError> {
        transaction.signature = key.sign(&transaction.signing_bytes()?);
        Self::from_transaction(transaction)
    }

    /// A structure that has no wire form, of which only the length is known. Its signature cannot be valid.
    pub(crate) fn unencodable(transaction: Transaction, wire_len: usize) -> Self {
        let mut signed = Self::assemble(transaction, Vec::new().into(), 0);
        signed.wire_len = wire_len;
        signed.signature_valid = OnceLock::from(false);
        signed
    }

    fn assemble(transaction: Transaction, wire: WireBytes, signing_len: usize) -> Self {
        let wire_len = wire.as_slice().len();
        Self { transaction, wire, wire_len, signing_len, signature_valid: OnceLock::new(), trusted: false }
    }

    /// The structure.
    #[must_use]
    pub const fn transaction(&self) -> &Transaction {
        &self.transaction
    }

    /// The complete wire bytes.
    #[must_use]
    pub fn wire(&self) -> &[u8] {
        self.wire.as_slice()
    }

    /// Length of the wire bytes: what the minimum fee is charged by (spec 4.3).
    #[must_use]
    pub const fn wire_len(&self) -> usize {
        self.wire_len
    }

    /// What the source signs (spec 2.3): a prefix of the wire bytes.
    #[must_use]
    pub fn signing_bytes(&self) -> &[u8] {
        self.wire().get(..self.signing_len).unwrap_or_default()
    }

    /// What multisig participants sign (spec 2.3).
    #[must_use]
    pub fn signing_hash(&self) -> Hash {
        crypto::hash(self.signing_bytes())
    }

    /// The transaction's id: the hash of the complete wire bytes (spec 1.5).
    #[must_use]
    pub fn hash(&self) -> Hash {
        crypto::hash(self.wire())
    }

    /// Marks all signatures of this transaction as not to be checked.
    pub fn trust(&mut self) {
        self.trusted = true;
    }

    /// Whether signatures are not to be checked.
    #[must_use]
    pub const fn is_trusted(&self) -> bool {
        self.trusted
    }

    /// Whether the source's signature verifies. Costs a curve multiplication the first time; call it beforehand, on
    /// all cores, to keep it out of the execution.
    pub fn verify_signature(&self) -> bool {
        self.trusted
            || *self.signature_valid.get_or_init(|| {
                crypto::verify(&self.transaction.source, self.signing_bytes(), &self.transaction.signature)
            })
    }

    /// What is known about the source's signature, without finding out.
    #[must_use]
    pub fn signature_state(&self) -> SignatureState {
        match (self.trusted, self.signature_valid.get()) {
            (true, _) => SignatureState::Trusted,
            (_, None) => SignatureState::Unchecked,
            (_, Some(true)) => SignatureState::Valid,
            (_, Some(false)) => SignatureState::Invalid,
        }
    }
}
