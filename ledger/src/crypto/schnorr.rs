//! The signature scheme (spec 1.3): Schnorr over `H`, with the challenge in the signature.

use std::fmt;

use curve25519_dalek::ristretto::CompressedRistretto;
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::VartimePrecomputedMultiscalarMul;
use sha3::{Digest, Sha3_512};

use crate::types::Address;

use super::generators::h_precomputed;
use super::{KeyPair, h_table};

/// The group order L, little-endian (spec 1.1).
const GROUP_ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// Domain of the deterministic nonce (spec 1.3).
const NONCE_DOMAIN: &[u8] = b"tos-signer/deterministic-nonce/v1";

/// 64 bytes `s | e`, both canonical scalars.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature {
    s: [u8; 32],
    e: [u8; 32],
}

impl Signature {
    /// 64 zero bytes: what an unsigned transaction carries. It decodes, and verifies for nobody's message in practice.
    pub const ZERO: Self = Self { s: [0; 32], e: [0; 32] };

    /// From the wire; `None` when a scalar is not below the group order.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 64]) -> Option<Self> {
        let mut signature = Self::ZERO;
        signature.s.copy_from_slice(&bytes[..32]);
        signature.e.copy_from_slice(&bytes[32..]);
        (is_canonical(&signature.s) && is_canonical(&signature.e)).then_some(signature)
    }

    /// To the wire.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 64] {
        let mut bytes = [0; 64];
        bytes[..32].copy_from_slice(&self.s);
        bytes[32..].copy_from_slice(&self.e);
        bytes
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature({})", crate::hex::encode(&self.to_bytes()))
    }
}

fn is_canonical(scalar: &[u8; 32]) -> bool {
    // Below 2^252 is below L; this decides all but one in 2^125 honest scalars.
    scalar[31] < 0x10 || scalar.iter().rev().lt(GROUP_ORDER.iter().rev())
}

fn challenge(public_key: &Address, message: &[u8], commitment: &CompressedRistretto) -> Scalar {
    let digest =
        Sha3_512::new().chain_update(public_key.0).chain_update(message).chain_update(commitment.as_bytes()).finalize();
    Scalar::from_bytes_mod_order_wide(&digest.into())
}

impl KeyPair {
    /// Signs `message` with the deterministic nonce of spec 1.3: one message has one signature.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Signature {
        let digest = Sha3_512::new()
            .chain_update(NONCE_DOMAIN)
            .chain_update(self.private().as_bytes())
            .chain_update(self.address().0)
            .chain_update(message)
            .finalize();
        let nonce = Scalar::from_bytes_mod_order_wide(&digest.into());
        self.sign_with_nonce(message, if nonce == Scalar::ZERO { &Scalar::ONE } else { &nonce })
    }

    /// Signs `message` with a given nonce, 32 bytes little-endian, reduced by the group order.
    ///
    /// Only to reproduce printed signatures: two messages under one nonce reveal the private key.
    #[must_use]
    pub fn sign_with_nonce_bytes(&self, message: &[u8], nonce: [u8; 32]) -> Signature {
        self.sign_with_nonce(message, &Scalar::from_bytes_mod_order(nonce))
    }

    fn sign_with_nonce(&self, message: &[u8], nonce: &Scalar) -> Signature {
        let commitment = (h_table() * nonce).compress();
        let e = challenge(&self.address(), message, &commitment);
        let s = self.inverse() * e + nonce;
        Signature { s: s.to_bytes(), e: e.to_bytes() }
    }
}

/// Whether `signature` is `public_key`'s signature over `message` (spec 1.3).
///
/// False too when the public key is not a point of the group. Not constant time: nothing here is secret.
#[must_use]
pub fn verify(public_key: &Address, message: &[u8], signature: &Signature) -> bool {
    let Some(point) = CompressedRistretto(public_key.0).decompress() else { return false };
    // Both are canonical, so reducing them changes nothing.
    let s = Scalar::from_bytes_mod_order(signature.s);
    let e = Scalar::from_bytes_mod_order(signature.e);
    let commitment = h_precomputed().vartime_mixed_multiscalar_mul([s], [-e], [point]).compress();
    challenge(public_key, message, &commitment) == e
}
