//! The deterministic group elements and proofs that the vector generator makes (spec 1.4). No rule of the ledger
//! needs them: private transfers are carried, never executed.

use chacha20::ChaCha20Rng;
use chacha20::rand_core::{Rng, SeedableRng};
use curve25519_dalek::constants::RISTRETTO_BASEPOINT_POINT;
use curve25519_dalek::ristretto::{CompressedRistretto, RistrettoPoint};
use curve25519_dalek::scalar::Scalar;
use merlin::Transcript;
use sha3::{Digest, Sha3_512};

use crate::crypto::{KeyPair, generator_h};

/// Domain of the stream keys.
const SEED_DOMAIN: &[u8] = b"tos-signer/chacha-seed/v1";

/// The key stream of `label`, `a` and `b`: ChaCha20 with zero nonce and zero counter.
struct Stream(ChaCha20Rng);

impl Stream {
    fn new(label: &[u8], a: u8, b: u64) -> Self {
        let digest: [u8; 64] = Sha3_512::new()
            .chain_update(SEED_DOMAIN)
            .chain_update(label)
            .chain_update([a])
            .chain_update(b.to_be_bytes())
            .finalize()
            .into();
        let mut key = [0; 32];
        key.copy_from_slice(&digest[..32]);
        Self(ChaCha20Rng::from_seed(key))
    }

    fn wide(&mut self) -> [u8; 64] {
        let mut bytes = [0; 64];
        self.0.fill_bytes(&mut bytes);
        bytes
    }

    fn point(&mut self) -> RistrettoPoint {
        RistrettoPoint::from_uniform_bytes(&self.wide())
    }

    fn scalar(&mut self) -> Scalar {
        Scalar::from_bytes_mod_order_wide(&self.wide())
    }
}

/// A point that everybody derives alike.
pub(super) fn random_valid_point() -> [u8; 32] {
    Stream::new(b"random-valid-point", 0, 0).point().compress().to_bytes()
}

/// Bytes of the form of a ciphertext validity proof: three points, two scalars.
pub(super) fn dummy_ct_validity_proof() -> Vec<u8> {
    let mut stream = Stream::new(b"dummy-ct-validity-proof", 0, 0);
    let mut proof = Vec::with_capacity(160);
    for _ in 0..3 {
        proof.extend_from_slice(stream.point().compress().as_bytes());
    }
    for _ in 0..2 {
        proof.extend_from_slice(stream.scalar().as_bytes());
    }
    proof
}

/// What a shield transfer carries.
pub(super) struct ShieldTuple {
    pub(super) commitment: [u8; 32],
    pub(super) receiver_handle: [u8; 32],
    pub(super) proof: Vec<u8>,
}

/// Commits to `amount` for the account of `seed`, and proves the commitment's form.
pub(super) fn shield_crypto(seed: u8, amount: u64) -> ShieldTuple {
    let mut stream = Stream::new(b"shield-crypto", seed, amount);
    let (opening, nonce) = (stream.scalar(), stream.scalar());
    let h = generator_h();
    // A generated key is a point of the group; the identity stands in for the impossible rest.
    let receiver =
        CompressedRistretto(KeyPair::from_seed(u64::from(seed)).address().0).decompress().unwrap_or_default();
    let commitment = RISTRETTO_BASEPOINT_POINT * Scalar::from(amount) + h * opening;
    let y_h = (h * nonce).compress();
    let y_p = (receiver * nonce).compress();

    let mut transcript = Transcript::new(b"shield_commitment_proof");
    transcript.append_message(b"dom-sep", b"shield-commitment-proof");
    transcript.append_message(b"Y_H", y_h.as_bytes());
    transcript.append_message(b"Y_P", y_p.as_bytes());
    let mut challenge = [0; 64];
    transcript.challenge_bytes(b"c", &mut challenge);
    let response = Scalar::from_bytes_mod_order_wide(&challenge) * opening + nonce;

    let proof = [y_h.as_bytes(), y_p.as_bytes(), response.as_bytes()].map(|part| &part[..]).concat();
    ShieldTuple {
        commitment: commitment.compress().to_bytes(),
        receiver_handle: (receiver * opening).compress().to_bytes(),
        proof,
    }
}
