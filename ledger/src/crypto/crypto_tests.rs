//! Worked example of spec 1.3, and the edges of keys and signatures.

use super::*;
use crate::hex;
use crate::types::Address;

const HELLO_KEY: &str = "0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f00";
const HELLO_NONCE: &str = "aabbccddeeff001122334455667788990123456789abcdeffedcba9876543200";
const HELLO_SIGNATURE: &str = "52a03c91dcc0b45925a506a60b864fccedeca9c13170f15e74eb43dc21c0920a\
                               7a0c2b0dd4435dd898ab8d74a5b6d1e1614bbfb133259488db0923039190280c";

#[test]
fn generator_h_is_the_printed_one() {
    assert_eq!(generator_h().compress().to_bytes(), GENERATOR_H);
    assert_eq!(KeyPair::from_seed(1).address().0, GENERATOR_H);
}

#[test]
fn hello_world_signs_and_verifies() {
    let key = KeyPair::from_private_bytes(hex::decode_array(HELLO_KEY).unwrap());
    assert_eq!(key.address().to_string(), "3cc4fec02e2342dca15352d5c5c27135f9e42c5805c07ca9dc500e000f89a665");
    let signature = key.sign_with_nonce_bytes(b"Hello, world!", hex::decode_array(HELLO_NONCE).unwrap());
    assert_eq!(hex::encode(&signature.to_bytes()), HELLO_SIGNATURE);
    assert!(verify(&key.address(), b"Hello, world!", &signature));
    assert!(!verify(&key.address(), b"Hello, world?", &signature));
}

#[test]
fn own_signatures_verify_and_only_for_their_key_and_message() {
    let (key, other) = (KeyPair::from_seed(41), KeyPair::from_seed(42));
    for message in [&b""[..], b"a", &[0x55; 300]] {
        let signature = key.sign(message);
        assert_eq!(signature, key.sign(message), "deterministic");
        assert!(verify(&key.address(), message, &signature));
        assert!(!verify(&other.address(), message, &signature));
        let mut bytes = signature.to_bytes();
        bytes[0] ^= 1;
        assert!(!verify(&key.address(), message, &Signature::from_bytes(bytes).unwrap()));
    }
    assert!(!verify(&key.address(), b"", &Signature::ZERO));
}

#[test]
fn a_public_key_that_is_no_point_verifies_nothing() {
    let signature = KeyPair::from_seed(3).sign(b"m");
    assert!(!verify(&Address([0xff; 32]), b"m", &signature));
}

#[test]
fn zero_key_gives_the_identity() {
    let key = KeyPair::from_private_bytes([0; 32]);
    assert_eq!(key.address(), Address([0; 32]));
    assert!(verify(&key.address(), b"m", &key.sign(b"m")));
}

#[test]
fn only_canonical_scalars_decode() {
    let mut order = [0; 32];
    order.copy_from_slice(&hex::decode("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010").unwrap());
    let with = |scalar: [u8; 32], at: usize| {
        let mut bytes = [0; 64];
        bytes[at..at + 32].copy_from_slice(&scalar);
        Signature::from_bytes(bytes)
    };
    let mut below = order;
    below[0] -= 1;
    for at in [0, 32] {
        assert!(with(order, at).is_none());
        assert!(with([0xff; 32], at).is_none());
        assert!(with(below, at).is_some());
    }
}
