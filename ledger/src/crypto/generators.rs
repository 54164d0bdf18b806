//! The second generator of the group, on which keys and signatures stand (spec 1.1).

use std::sync::LazyLock;

use curve25519_dalek::constants::RISTRETTO_BASEPOINT_COMPRESSED;
use curve25519_dalek::ristretto::{RistrettoBasepointTable, RistrettoPoint, VartimeRistrettoPrecomputation};
use curve25519_dalek::traits::VartimePrecomputedMultiscalarMul;
use sha3::{Digest, Sha3_512};

/// `H` in compressed form, as the specification prints it. A test derives it anew.
pub const GENERATOR_H: [u8; 32] = [
    0x8c, 0x92, 0x40, 0xb4, 0x56, 0xa9, 0xe6, 0xdc, 0x65, 0xc3, 0x77, 0xa1, 0x04, 0x8d, 0x74, 0x5f, 0x94, 0xa0, 0x8c,
    0xdb, 0x7f, 0x44, 0xcb, 0xcd, 0x7b, 0x46, 0xf3, 0x40, 0x48, 0x87, 0x11, 0x34,
];

static H: LazyLock<RistrettoPoint> = LazyLock::new(|| {
    let digest: [u8; 64] = Sha3_512::digest(RISTRETTO_BASEPOINT_COMPRESSED.as_bytes()).into();
    RistrettoPoint::from_uniform_bytes(&digest)
});

/// For signing: multiples of `H` in constant time, because the scalar is secret there.
static H_TABLE: LazyLock<RistrettoBasepointTable> = LazyLock::new(|| RistrettoBasepointTable::create(&H));

/// For verifying: everything is public there, so the faster variable-time table is fine.
static H_PRECOMPUTED: LazyLock<VartimeRistrettoPrecomputation> =
    LazyLock::new(|| VartimeRistrettoPrecomputation::new([*H]));

/// `H` = hash-to-group(SHA3-512(compressed G)) (spec 1.1).
#[must_use]
pub fn generator_h() -> RistrettoPoint {
    *H
}

pub(crate) fn h_table() -> &'static RistrettoBasepointTable {
    &H_TABLE
}

pub(super) fn h_precomputed() -> &'static VartimeRistrettoPrecomputation {
    &H_PRECOMPUTED
}
