//! Opcode 6: in its era it travels like everything else, outside of it nothing knows it.

use proptest::prelude::*;

use super::*;
use crate::SignedTransaction;
use crate::block::Block;
use crate::rules::LedgerConfig;
use crate::testing::{addr, pay, sign, unsigned};
use crate::types::{Address, Hash};

fn payloads() -> [AiMiningPayload; 4] {
    [
        AiMiningPayload::PublishTask {
            task_id: Hash([1; 32]),
            reward_amount: 2,
            difficulty: Difficulty::Expert,
            deadline: 3,
            description: "päper".into(),
        },
        AiMiningPayload::SubmitAnswer {
            task_id: Hash([4; 32]),
            answer_content: "answer".into(),
            answer_hash: Hash([5; 32]),
            stake_amount: 6,
        },
        AiMiningPayload::ValidateAnswer { task_id: Hash([7; 32]), answer_id: Hash([8; 32]), validation_score: 255 },
        AiMiningPayload::RegisterMiner { miner: addr(3), registration_fee: 9 },
    ]
}

fn transaction(payload: AiMiningPayload) -> Transaction {
    unsigned(2, Payload::AiMining(Box::new(payload)))
}

fn wire(payload: AiMiningPayload) -> Vec<u8> {
    transaction(payload).encode().unwrap()
}

/// The bytes of the payload, after the opcode.
fn body(bytes: &[u8]) -> &[u8] {
    &bytes[35..bytes.len() - (157 - 35)]
}

fn decode(bytes: &[u8]) -> Result<Transaction, DecodeError> {
    Transaction::decode_in(Era::AiMining, bytes)
}

#[test]
fn every_field_has_its_place() {
    let of = |payload| body(&wire(payload)).to_vec();
    let [publish, submit, validate, register] = payloads().map(of);
    let number = |number: u64| number.to_be_bytes();
    let text = "päper".as_bytes();
    assert_eq!(publish, [&[0], &[1; 32][..], &number(2), &[3], &number(3), &[6], text].concat());
    assert_eq!(submit, [&[1], &[4; 32][..], &[6], b"answer", &[5; 32], &number(6)].concat());
    assert_eq!(validate, [&[2], &[7; 32][..], &[8; 32], &[255]].concat());
    assert_eq!(register, [&[3], &addr(3).0[..], &number(9)].concat());
}

#[test]
fn it_travels_in_its_era_and_in_no_other() {
    for payload in payloads() {
        let bytes = wire(payload.clone());
        assert_eq!(bytes[34], opcode::AI_MINING);
        assert_eq!(decode(&bytes).unwrap(), transaction(payload));
        assert_eq!(decode(&bytes).unwrap().payload.opcode(), opcode::AI_MINING);
        let unknown = DecodeError { offset: 34, reason: DecodeReason::Opcode(6) };
        assert_eq!(Transaction::decode(&bytes), Err(unknown));
        assert_eq!(Transaction::decode_in(Era::default(), &bytes), Err(unknown));
        assert_eq!(SignedTransaction::decode(bytes).unwrap_err(), unknown);
    }
    // What else is assigned, and what is not, does not depend on the era.
    let mut bytes = unsigned(2, pay(3, 1)).encode().unwrap();
    assert_eq!(decode(&bytes).unwrap(), unsigned(2, pay(3, 1)));
    for code in (7..=17).chain([22]).chain(24..=255) {
        bytes[34] = code;
        assert_eq!(decode(&bytes).unwrap_err().reason, DecodeReason::Opcode(code));
    }
    for version in [0, 2] {
        bytes[0] = version;
        assert_eq!(decode(&bytes).unwrap_err().reason, DecodeReason::Version(version));
    }
}

#[test]
fn a_signature_survives_the_way() {
    for payload in payloads() {
        let signed = sign(2, transaction(payload));
        let again = SignedTransaction::decode_in(Era::AiMining, signed.wire().to_vec()).unwrap();
        assert!(again.verify_signature());
        assert_eq!((again.signing_bytes(), again.hash()), (signed.signing_bytes(), signed.hash()));
    }
}

#[test]
fn every_truncation_and_every_trailing_byte_is_refused() {
    for payload in payloads() {
        let whole = wire(payload);
        for length in 0..whole.len() {
            assert!(decode(&whole[..length]).is_err(), "{length}");
        }
        let long = [&whole[..], &[0]].concat();
        assert_eq!(decode(&long).unwrap_err().reason, DecodeReason::Trailing(1));
    }
}

#[test]
fn variants_difficulties_and_texts_are_strict() {
    let [publish, submit, ..] = payloads().map(wire);
    let changed = |bytes: &[u8], at: usize, value: u8| {
        let mut bytes = bytes.to_vec();
        bytes[at] = value;
        decode(&bytes).unwrap_err()
    };
    let variant = DecodeReason::BadTag { what: "mining variant", value: 4 };
    assert_eq!(changed(&publish, 35, 4), DecodeError { offset: 35, reason: variant });
    let difficulty = DecodeReason::BadTag { what: "difficulty", value: 4 };
    assert_eq!(changed(&publish, 76, 4), DecodeError { offset: 76, reason: difficulty });
    assert_eq!(changed(&publish, 86, 0xff), DecodeError { offset: 86, reason: DecodeReason::Utf8 });
    assert_eq!(changed(&submit, 69, 0xff), DecodeError { offset: 69, reason: DecodeReason::Utf8 });
}

#[test]
fn texts_beyond_a_byte_of_length_are_not_encoded() {
    let with = |length: usize| {
        let text: std::sync::Arc<str> = "x".repeat(length).into();
        payloads().map(|payload| match payload {
            AiMiningPayload::PublishTask { task_id, reward_amount, difficulty, deadline, .. } => {
                transaction(AiMiningPayload::PublishTask {
                    task_id,
                    reward_amount,
                    difficulty,
                    deadline,
                    description: text.clone(),
                })
            }
            AiMiningPayload::SubmitAnswer { task_id, answer_hash, stake_amount, .. } => {
                transaction(AiMiningPayload::SubmitAnswer {
                    task_id,
                    answer_content: text.clone(),
                    answer_hash,
                    stake_amount,
                })
            }
            other => transaction(other),
        })
    };
    for fitting in with(255) {
        assert_eq!(decode(&fitting.encode().unwrap()).unwrap(), fitting);
    }
    let [publish, submit, ..] = with(256);
    let refused = |what| EncodeError::TooMany { what, value: 256, max: 255 };
    assert_eq!(publish.encode(), Err(refused("bytes of description")));
    assert_eq!(submit.encode(), Err(refused("bytes of answer")));
    assert!(SignedTransaction::from_transaction(submit).is_err());
}

#[test]
fn a_block_is_decoded_in_the_era_of_its_ledger() {
    let transactions = vec![wire(payloads()[3].clone()).into()];
    let block = Block { chain_id: 3, number: 1, timestamp: 0, parent: Hash::default(), transactions };
    let off = LedgerConfig::default();
    let on = LedgerConfig { ai_mining: true, ..off };
    assert_eq!((off.era(), on.era()), (Era::Standard, Era::AiMining));
    assert_eq!(block.decode_transactions_in(on.era()).unwrap().len(), 1);
    assert_eq!(block.decode_transactions_in(off.era()).unwrap_err().index, 0);
    assert_eq!(block.decode_transactions().unwrap_err().source.reason, DecodeReason::Opcode(6));
}

fn payload() -> impl Strategy<Value = AiMiningPayload> {
    let hash = || any::<[u8; 32]>().prop_map(Hash);
    prop_oneof![
        (hash(), any::<(u64, u64)>(), 0..4_usize, ".{0,60}").prop_map(
            |(task_id, (reward_amount, deadline), difficulty, text)| AiMiningPayload::PublishTask {
                task_id,
                reward_amount,
                difficulty: Difficulty::ALL[difficulty],
                deadline,
                description: text.into(),
            }
        ),
        (hash(), hash(), any::<u64>(), ".{0,60}").prop_map(|(task_id, answer_hash, stake_amount, text)| {
            AiMiningPayload::SubmitAnswer { task_id, answer_content: text.into(), answer_hash, stake_amount }
        }),
        (hash(), hash(), any::<u8>()).prop_map(|(task_id, answer_id, validation_score)| {
            AiMiningPayload::ValidateAnswer { task_id, answer_id, validation_score }
        }),
        (any::<[u8; 32]>(), any::<u64>()).prop_map(|(miner, registration_fee)| AiMiningPayload::RegisterMiner {
            miner: Address(miner),
            registration_fee
        }),
    ]
}

proptest! {
    #[test]
    fn decoding_inverts_encoding(payload in payload()) {
        prop_assert_eq!(decode(&wire(payload.clone())).unwrap(), transaction(payload));
    }

    #[test]
    fn changed_bytes_never_panic_and_what_decodes_encodes(
        payload in payload(),
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = wire(payload);
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        prop_assert!(!matches!(Transaction::decode(&bytes).map(|t| t.payload), Ok(Payload::AiMining(_))));
        if let Ok(decoded) = decode(&bytes) {
            prop_assert_eq!(decoded.encode().unwrap(), bytes);
        }
    }
}
