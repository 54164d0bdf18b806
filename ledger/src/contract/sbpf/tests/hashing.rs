//! The rows of hashes and signatures in `docs/contracts.md`.

use sha2::Digest;

use super::syscalls::{ACCESS, BAD, faults, observe};
use super::*;
use crate::crypto::KeyPair;

#[test]
fn hashes() {
    let host = FakeHost::default();
    let input: Vec<u8> = (0..3000).map(|byte| byte as u8).collect();
    for length in [0_u64, 1, 7, 8, 31, 32, 33, 256, 259, 260, 3000] {
        let data = &input[..length as usize];
        let extra = length.saturating_sub(256) / 4;
        let words = length.div_ceil(32);
        let rows: [(&str, u64, Vec<u8>); 4] = [
            ("blake3", 200 + extra, blake3::hash(data).as_bytes().to_vec()),
            ("sha256", 200 + extra, sha2::Sha256::digest(data).to_vec()),
            ("keccak256", 200 + extra, sha3::Keccak256::digest(data).to_vec()),
            ("ripemd160", 600 + 120 * words, ripemd::Ripemd160::digest(data).to_vec()),
        ];
        for (name, price, hash) in rows {
            let seen = observe(&host, name, [INPUT, length, HEAP, 0, 0], &input, hash.len() as u64);
            assert_eq!((seen.code, seen.price, seen.out), (0, price, hash), "{name}");
        }
    }
    for name in ["blake3", "sha256", "keccak256", "ripemd160"] {
        faults(name, [INPUT, 5001, HEAP, 0, 0], ACCESS);
        faults(name, [BAD, 1, HEAP, 0, 0], ACCESS);
        faults(name, [INPUT, 1, INPUT, 0, 0], ACCESS);
        // Nobody pays for so much: the price is taken before a byte is read.
        let run = run(&format!("{}exit", call(name, [INPUT, u64::MAX, HEAP, 0, 0])));
        assert_eq!(run, Run { gas_used: GAS, end: Err(Trap::OutOfGas) });
    }
}

#[test]
fn known_hashes() {
    let out = |name: &str, look| observe(&FakeHost::default(), name, [INPUT, 3, HEAP, 0, 0], b"abc", look).out;
    assert_eq!(crate::hex::encode(&out("sha256", 4)), "ba7816bf");
    assert_eq!(crate::hex::encode(&out("keccak256", 4)), "4e03657a");
    assert_eq!(crate::hex::encode(&out("blake3", 4)), "6437b3ac");
    assert_eq!(crate::hex::encode(&out("ripemd160", 4)), "8eb208f7");
}

#[test]
fn signatures() {
    let host = FakeHost::default();
    let pair = KeyPair::from_seed(5);
    let message = vec![3; 300];
    let check = |key: [u8; 32], signature: [u8; 64], length: u64| {
        let input = [&key[..], &signature, &message].concat();
        let seen = observe(&host, "schnorr_verify", [INPUT, INPUT + 96, length, INPUT + 32, 0], &input, 0);
        (seen.code, seen.price)
    };
    let signature = pair.sign(&message).to_bytes();
    assert_eq!(check(pair.address().0, signature, 300), (1, 69_011));
    assert_eq!(check(pair.address().0, pair.sign(&[]).to_bytes(), 0), (1, 69_000));
    assert_eq!(check(pair.address().0, signature, 299), (0, 69_010));
    assert_eq!(check(KeyPair::from_seed(6).address().0, signature, 300).0, 0);
    assert_eq!(check([0xff; 32], signature, 300).0, 0);
    assert_eq!(check(pair.address().0, [0xff; 64], 300).0, 0);
    faults("schnorr_verify", [BAD, INPUT, 1, INPUT, 0], ACCESS);
    faults("schnorr_verify", [INPUT, BAD, 1, INPUT, 0], ACCESS);
    faults("schnorr_verify", [INPUT, INPUT, 1, INPUT + 5000 - 63, 0], ACCESS);
}
