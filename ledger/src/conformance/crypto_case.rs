//! Cases about keys, signatures and payload bytes alone (spec 1.4, 9).

use serde_json::Value as Json;

use crate::crypto::{KeyPair, Signature, verify};
use crate::hex;
use crate::types::Address;
use crate::wire::{FeeType, MultisigPayload, Payload, Transaction};

use super::{Verdict, failed, shield};

type Checked = Result<(), Verdict>;

/// Runs a case of kind `ristretto255` or `vector_set`.
pub(super) fn run(input: &Json, expected: &Json) -> Checked {
    let operation = |name| input.get(name).and_then(Json::as_str).unwrap_or_default();
    match (operation("kind"), operation("op"), operation("group")) {
        ("ristretto255", op, _) => ristretto(op, input, expected),
        (_, _, "test_vectors") => schnorr(field(input, "data")?),
        (_, _, "multisig_vectors") => multisig(field(input, "data")?),
        (kind, op, group) => Err(Verdict::NotSupported { why: format!("{kind} {op}{group}") }),
    }
}

fn field<'a>(json: &'a Json, name: &str) -> Result<&'a Json, Verdict> {
    json.get(name).ok_or_else(|| failed(format!("no field {name:?}")))
}

fn number(json: &Json, name: &str) -> Result<u64, Verdict> {
    field(json, name)?.as_u64().ok_or_else(|| failed(format!("{name:?} is not a number")))
}

fn text<'a>(json: &'a Json, name: &str) -> Result<&'a str, Verdict> {
    field(json, name)?.as_str().ok_or_else(|| failed(format!("{name:?} is not a text")))
}

fn bytes(json: &Json, name: &str) -> Result<Vec<u8>, Verdict> {
    hex::decode(text(json, name)?).map_err(|error| failed(format!("{name:?}: {error}")))
}

fn array<const N: usize>(json: &Json, name: &str) -> Result<[u8; N], Verdict> {
    hex::decode_array(text(json, name)?).map_err(|error| failed(format!("{name:?}: {error}")))
}

fn same(what: &str, expected: &[u8], actual: &[u8]) -> Checked {
    if expected == actual {
        return Ok(());
    }
    Err(failed(format!("{what}: expected {}, got {}", hex::encode(expected), hex::encode(actual))))
}

fn expect(expected: &Json, name: &str, actual: &[u8]) -> Checked {
    same(name, &bytes(expected, name)?, actual)
}

fn ristretto(op: &str, input: &Json, expected: &Json) -> Checked {
    match op {
        "public_key_from_seed" => {
            expect(expected, "public_key", &KeyPair::from_seed(number(input, "seed")?).address().0)
        }
        "public_key_from_private" => {
            let key = KeyPair::from_private_bytes(array(input, "private_key")?);
            expect(expected, "public_key", &key.address().0)
        }
        // The printed public key belongs to another seed in all known cases (spec 9, item 12): the signature counts.
        "sign_data" => signature(&KeyPair::from_seed(number(input, "seed")?), input, expected),
        "sign_with_private" => {
            let key = KeyPair::from_private_bytes(array(input, "private_key")?);
            expect(expected, "public_key", &key.address().0)?;
            signature(&key, input, expected)
        }
        "random_valid_point" => expect(expected, "point", &shield::random_valid_point()),
        "dummy_ct_validity_proof" => expect(expected, "proof", &shield::dummy_ct_validity_proof()),
        "shield_crypto" => {
            let seed = number(input, "seed")?;
            let Ok(label) = u8::try_from(seed) else { return Err(failed(format!("seed {seed} is above 255"))) };
            let tuple = shield::shield_crypto(label, number(input, "amount")?);
            expect(expected, "commitment", &tuple.commitment)?;
            expect(expected, "receiver_handle", &tuple.receiver_handle)?;
            expect(expected, "proof", &tuple.proof)
        }
        other => Err(Verdict::NotSupported { why: format!("operation {other:?}") }),
    }
}

fn signature(key: &KeyPair, input: &Json, expected: &Json) -> Checked {
    let message = bytes(input, "message")?;
    let signature = key.sign(&message);
    expect(expected, "signature", &signature.to_bytes())?;
    if verify(&key.address(), &message, &signature) { Ok(()) } else { Err(failed("the signature does not verify")) }
}

fn schnorr(data: &Json) -> Checked {
    let key = KeyPair::from_private_bytes(array(data, "private_key_hex")?);
    same("public key", &bytes(data, "public_key_hex")?, &key.address().0)?;
    let message = bytes(data, "message_hex")?;
    let signature = key.sign_with_nonce_bytes(&message, array(data, "k_hex")?).to_bytes();
    same("s", &bytes(data, "signature_s_hex")?, &signature[..32])?;
    same("e", &bytes(data, "signature_e_hex")?, &signature[32..])?;
    let Some(signature) = Signature::from_bytes(signature) else { return Err(failed("a scalar is not canonical")) };
    if verify(&key.address(), &message, &signature) { Ok(()) } else { Err(failed("the signature does not verify")) }
}

/// Fields before the payload: version, chain, source, opcode.
const BEFORE_PAYLOAD: usize = 1 + 1 + 32 + 1;
/// Fields after it: fee, fee type, nonce, reference, empty multisig section, signature.
const AFTER_PAYLOAD: usize = 8 + 1 + 8 + 32 + 8 + 1 + 64;

/// The payload's bytes in both directions, through a whole transaction.
fn multisig(data: &Json) -> Checked {
    let participants = field(data, "participants_hex")?
        .as_array()
        .ok_or_else(|| failed("\"participants_hex\" is not a list"))?
        .iter()
        .map(|text| {
            Address::from_hex(text.as_str().unwrap_or_default())
                .map_err(|error| failed(format!("\"participants_hex\": {error}")))
        })
        .collect::<Result<Vec<_>, _>>()?;
    let threshold = u8::try_from(number(data, "threshold")?).map_err(|_| failed("\"threshold\" is above 255"))?;
    let transaction = Transaction {
        chain_id: 0,
        source: Address::default(),
        payload: Payload::Multisig(MultisigPayload { threshold, participants }),
        fee: 0,
        fee_type: FeeType::Tos,
        nonce: 0,
        reference_hash: Default::default(),
        reference_topoheight: 0,
        multisig: None,
        signature: Signature::ZERO,
    };
    let wire = transaction.encode().map_err(|error| failed(error.to_string()))?;
    let payload = wire.get(BEFORE_PAYLOAD..wire.len() - AFTER_PAYLOAD).unwrap_or_default();
    same("payload", &bytes(data, "wire_hex")?, payload)?;
    if Transaction::decode(&wire).as_ref() == Ok(&transaction) { Ok(()) } else { Err(failed("it decodes differently")) }
}
