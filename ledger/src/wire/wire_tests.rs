//! The wire format: every rule of spec 2 that refuses something, and decode/encode as inverses.

use proptest::collection::vec;
use proptest::prelude::*;
use smallvec::smallvec;

use super::*;
use crate::contract::Module;
use crate::crypto::Signature;
use crate::testing::{addr, pay, sign, unsigned};
use crate::types::{Address, Hash};

fn wire(payload: Payload) -> Vec<u8> {
    unsigned(2, payload).encode().unwrap()
}

fn reason(bytes: &[u8]) -> DecodeReason {
    Transaction::decode(bytes).unwrap_err().reason
}

fn burn() -> Vec<u8> {
    wire(Payload::Burn(BurnPayload { asset: Hash::default(), amount: 7 }))
}

/// A transaction whose payload bytes after the opcode are `payload`.
fn with_payload(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let burn = burn();
    [&burn[..34], &[opcode], payload, &burn[75..]].concat()
}

const ELF: [u8; 4] = [0x7f, 0x45, 0x4c, 0x46];

#[test]
fn sizes_are_those_of_the_specification() {
    assert_eq!(burn().len(), 197);
    assert_eq!(wire(pay(3, 1)).len(), 232);
}

#[test]
fn every_truncation_and_every_trailing_byte_is_refused() {
    for whole in [burn(), wire(pay(3, 1))] {
        for length in 0..whole.len() {
            assert!(Transaction::decode(&whole[..length]).is_err(), "{length}");
        }
        for extra in [1, 16, 32] {
            let long = [&whole[..], &vec![0; extra]].concat();
            let error = Transaction::decode(&long).unwrap_err();
            assert_eq!(error, DecodeError { offset: whole.len(), reason: DecodeReason::Trailing(extra) });
        }
    }
}

#[test]
fn version_opcode_fee_type_and_bools_are_strict() {
    let change = |at: usize, value: u8| {
        let mut bytes = burn();
        bytes[at] = value;
        Transaction::decode(&bytes).unwrap_err()
    };
    for version in [0, 2, 0xff] {
        assert_eq!(change(0, version), DecodeError { offset: 0, reason: DecodeReason::Version(version) });
    }
    for code in (6..=17).chain([22]).chain(24..=255) {
        assert_eq!(change(34, code), DecodeError { offset: 34, reason: DecodeReason::Opcode(code) });
    }
    assert_eq!(change(83, 3).reason, DecodeReason::BadTag { what: "fee type", value: 3 });
    assert_eq!(change(132, 2).reason, DecodeReason::BadBool(2));
    // A chain id is not judged here.
    let mut other_chain = burn();
    other_chain[1] = 0xee;
    assert_eq!(Transaction::decode(&other_chain).unwrap().chain_id, 0xee);
}

#[test]
fn blobs_are_refused() {
    assert_eq!(reason(&[0; 200]), DecodeReason::Version(0));
    assert_eq!(reason(&[0xff; 200]), DecodeReason::Version(0xff));
    assert!(Transaction::decode(&[]).is_err());
}

#[test]
fn transfer_counts() {
    for count in [0_u16, 501, 65535] {
        let bytes = with_payload(1, &count.to_be_bytes());
        assert_eq!(reason(&bytes), DecodeReason::Limit { what: "transfers", value: u64::from(count) });
    }
    assert!(matches!(reason(&with_payload(1, &[0, 5])), DecodeReason::TooShort { .. }));
    let entry = match pay(3, 1) {
        Payload::Transfers(entries) => entries[0].clone(),
        _ => unreachable!(),
    };
    let many = |count| Payload::Transfers(std::iter::repeat_n(entry.clone(), count).collect());
    assert_eq!(Transaction::decode(&wire(many(500))).unwrap().payload, many(500));
    assert!(unsigned(2, many(501)).encode().is_err());
    assert!(unsigned(2, many(0)).encode().is_err());
}

#[test]
fn non_canonical_signature_scalars_are_refused() {
    let mut bytes = burn();
    let length = bytes.len();
    bytes[length - 64..].fill(0xff);
    assert_eq!(Transaction::decode(&bytes).unwrap_err().offset, length - 64);
    assert_eq!(reason(&bytes), DecodeReason::Scalar);
}

#[test]
fn multisig_payload_wants_participants_once_each() {
    assert_eq!(reason(&with_payload(2, &[1, 0])), DecodeReason::Limit { what: "participants", value: 0 });
    let twice = [&[1, 2][..], &[9; 64]].concat();
    assert_eq!(reason(&with_payload(2, &twice)), DecodeReason::Repeated("participant"));
    let decoded = Transaction::decode(&with_payload(2, &[0])).unwrap();
    assert_eq!(decoded.payload, Payload::Multisig(MultisigPayload { threshold: 0, participants: vec![] }));
}

#[test]
fn multisig_section_roundtrips_and_refuses_a_repeated_signer() {
    let entry = SignerSignature { signer_id: 4, signature: Signature::ZERO };
    let mut transaction = unsigned(2, pay(3, 1));
    transaction.multisig = Some(MultiSig { signatures: vec![entry, SignerSignature { signer_id: 0, ..entry }] });
    let bytes = transaction.encode().unwrap();
    assert_eq!(Transaction::decode(&bytes).unwrap(), transaction);
    transaction.multisig = Some(MultiSig { signatures: vec![entry, entry] });
    assert_eq!(reason(&transaction.encode().unwrap()), DecodeReason::Repeated("signer"));
}

#[test]
fn signing_bytes_end_before_the_multisig_section() {
    let mut transaction = unsigned(2, pay(3, 1));
    transaction.multisig = Some(MultiSig::default());
    let signed = sign(2, transaction.clone());
    assert_eq!(signed.signing_bytes(), transaction.signing_bytes().unwrap());
    assert_eq!(signed.signing_bytes().len(), signed.wire_len() - 64 - 2);
    assert!(signed.verify_signature());
    let again = crate::SignedTransaction::decode(signed.wire().to_vec()).unwrap();
    assert_eq!(again.signing_bytes(), signed.signing_bytes());
    assert_eq!(again.hash(), crate::crypto::hash(signed.wire()));
}

#[test]
fn deposits_collapse_by_asset() {
    let deposit = |asset: u8, amount: u64| [&[asset; 32][..], &[0], &amount.to_be_bytes()].concat();
    let deposits = [deposit(1, 10), deposit(2, 20), deposit(1, 30)].concat();
    let bytes = with_payload(3, &[&[7; 32][..], &[3], &deposits, &[0, 9], &8_u64.to_be_bytes(), &[0]].concat());
    let Payload::InvokeContract(call) = Transaction::decode(&bytes).unwrap().payload else { panic!() };
    let expected = [(1, 30), (2, 20)].map(|(asset, amount)| Deposit { asset: Hash([asset; 32]), amount });
    assert_eq!(call.deposits, expected);
    assert_eq!((call.entry_id, call.max_gas), (9, 8));
    let mut private = deposit(1, 1);
    private[32] = 1;
    let bytes = with_payload(3, &[&[7; 32][..], &[1], &private, &[0; 11]].concat());
    assert_eq!(reason(&bytes), DecodeReason::BadTag { what: "deposit kind", value: 1 });
}

#[test]
fn modules_need_their_magic_and_a_limit() {
    let deploy = |length: u32, module: &[u8]| with_payload(4, &[&length.to_be_bytes(), module, &[0][..]].concat());
    assert!(Transaction::decode(&deploy(4, &ELF)).is_ok());
    assert_eq!(reason(&deploy(0, &[])), DecodeReason::Module);
    assert_eq!(reason(&deploy(3, &ELF[..3])), DecodeReason::Module);
    assert_eq!(reason(&deploy(4, b"wasm")), DecodeReason::Module);
    let value = MAX_MODULE_BYTES as u64 + 1;
    assert_eq!(reason(&deploy(value as u32, &ELF)), DecodeReason::Limit { what: "module bytes", value });
}

#[test]
fn delegations_have_a_limit() {
    let delegate = |count: u64| with_payload(5, &[&[1][..], &count.to_be_bytes(), &[0; 4]].concat());
    assert!(Transaction::decode(&delegate(0)).is_ok(), "the rule for an empty list comes later");
    for value in [501, u64::MAX] {
        assert_eq!(reason(&delegate(value)), DecodeReason::Limit { what: "delegations", value });
    }
    assert_eq!(reason(&with_payload(5, &[4])), DecodeReason::BadTag { what: "energy variant", value: 4 });
}

fn call_with(cells: &[u8]) -> Vec<u8> {
    with_payload(3, &[&[7; 32][..], &[0], &[0; 10], &[1], cells].concat())
}

#[test]
fn cells_nest_up_to_their_limit_without_recursion() {
    let nested = |depth: usize| [[2, 0, 0, 0, 1].repeat(depth), vec![0, 0]].concat();
    assert!(Transaction::decode(&call_with(&nested(MAX_CELL_DEPTH))).is_ok());
    assert_eq!(reason(&call_with(&nested(MAX_CELL_DEPTH + 1))), DecodeReason::Depth);
    assert_eq!(reason(&call_with(&nested(100_000))), DecodeReason::Depth);
}

#[test]
fn cells_are_strict() {
    let cases: [(&[u8], DecodeReason); 7] = [
        (&[4], DecodeReason::BadTag { what: "cell kind", value: 4 }),
        (&[0, 10], DecodeReason::BadTag { what: "primitive", value: 10 }),
        (&[0, 7, 2], DecodeReason::BadBool(2)),
        (&[0, 8, 0, 1, 0xff], DecodeReason::Utf8),
        (&[0, 9, 1, 5, 2, 0, 5], DecodeReason::Range),
        (&[0, 9, 9, 1, 5, 1, 5], DecodeReason::Range),
        (&[2, 0, 0, 0x27, 0x11], DecodeReason::Limit { what: "cells", value: 10_001 }),
    ];
    for (cell, expected) in cases {
        assert_eq!(reason(&call_with(cell)), expected, "{cell:?}");
    }
    let long = [&[1][..], &1_000_001_u32.to_be_bytes()].concat();
    assert_eq!(reason(&call_with(&long)), DecodeReason::Limit { what: "bytes", value: 1_000_001 });
}

#[test]
fn types_without_rules_roundtrip() {
    let tail_18 = |count: u8| {
        let head = [&[count][..], &vec![5; usize::from(count) * 256]].concat();
        [&head[..], &[0, 3, 1, 2, 3]].concat()
    };
    let entry = |public_amount: bool, proofs: usize| {
        let amount = if public_amount { vec![0; 8] } else { vec![] };
        [&[0, 1][..], &[1; 64], &amount, &[1, 0, 2, 7, 7], &vec![3; proofs]].concat()
    };
    let cases: [(u8, Vec<u8>, Vec<u8>); 9] = [
        (18, entry(false, 256), tail_18(0)),
        (18, entry(false, 256), tail_18(2)),
        (19, entry(true, 160), vec![0]),
        (20, entry(true, 224), vec![0]),
        (21, b"\x05alice".to_vec(), vec![]),
        (23, [&[0][..], &[1; 64], &[1], &[2; 32], &[0]].concat(), vec![]),
        (23, vec![3, 1], vec![]),
        (23, [&[6][..], &[1; 56], &[0, 1], &[2; 32], &[0, 0]].concat(), vec![]),
        (23, [&[7][..], &[1; 8]].concat(), vec![]),
    ];
    for (opcode, body, tail) in cases {
        let burn = burn();
        let bytes = [&burn[..34], &[opcode], &body, &burn[75..92], &tail, &burn[92..]].concat();
        let decoded = Transaction::decode(&bytes).unwrap();
        assert_eq!(decoded.payload.opcode(), opcode);
        assert_eq!(decoded.encode().unwrap(), bytes);
        for length in 0..bytes.len() {
            assert!(Transaction::decode(&bytes[..length]).is_err());
        }
    }
    assert_eq!(reason(&with_payload(23, &[8])), DecodeReason::BadTag { what: "agent account variant", value: 8 });
    assert_eq!(reason(&with_payload(21, &[1, 0xff])), DecodeReason::Utf8);
}

fn address() -> impl Strategy<Value = Address> {
    any::<[u8; 32]>().prop_map(Address)
}

fn hash() -> impl Strategy<Value = Hash> {
    any::<[u8; 32]>().prop_map(Hash)
}

fn transfer() -> impl Strategy<Value = Transfer> {
    let extra = proptest::option::of(vec(any::<u8>(), 0..300).prop_map(Vec::into_boxed_slice));
    (hash(), address(), any::<u64>(), extra).prop_map(|(asset, destination, amount, extra_data)| Transfer {
        asset,
        destination,
        amount,
        extra_data,
    })
}

fn deposits() -> impl Strategy<Value = Vec<Deposit>> {
    proptest::collection::btree_map(hash(), any::<u64>(), 0..4)
        .prop_map(|map| map.into_iter().map(|(asset, amount)| Deposit { asset, amount }).collect())
}

fn primitive() -> impl Strategy<Value = Primitive> {
    prop_oneof![
        Just(Primitive::Null),
        any::<u8>().prop_map(Primitive::U8),
        any::<u16>().prop_map(Primitive::U16),
        any::<u32>().prop_map(Primitive::U32),
        any::<u64>().prop_map(Primitive::U64),
        any::<u128>().prop_map(Primitive::U128),
        any::<[u8; 32]>().prop_map(Primitive::U256),
        any::<bool>().prop_map(Primitive::Bool),
        ".{0,20}".prop_map(Primitive::String),
        any::<(u64, u64)>()
            .prop_map(|(from, to)| Primitive::Range(Box::new((Primitive::U64(from), Primitive::U64(to))))),
    ]
}

fn cell() -> impl Strategy<Value = ValueCell> {
    let leaf =
        prop_oneof![primitive().prop_map(ValueCell::Primitive), vec(any::<u8>(), 0..40).prop_map(ValueCell::Bytes)];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(ValueCell::Object),
            vec((inner.clone(), inner), 0..3).prop_map(ValueCell::Map),
        ]
    })
}

fn energy() -> impl Strategy<Value = EnergyPayload> {
    let delegation = (address(), any::<u64>()).prop_map(|(delegatee, amount)| Delegation { delegatee, amount });
    prop_oneof![
        any::<(u64, u32)>().prop_map(|(amount, days)| EnergyPayload::FreezeTos { amount, days }),
        (vec(delegation, 0..5), any::<u32>())
            .prop_map(|(delegations, days)| EnergyPayload::FreezeTosDelegate { delegations, days }),
        (any::<u64>(), any::<bool>(), any::<Option<u32>>(), proptest::option::of(address())).prop_map(
            |(amount, from_delegation, record_index, delegatee)| EnergyPayload::UnfreezeTos {
                amount,
                from_delegation,
                record_index,
                delegatee
            }
        ),
        Just(EnergyPayload::WithdrawUnfrozen),
    ]
}

fn payload() -> impl Strategy<Value = Payload> {
    let multisig = (1..=255_u8, proptest::collection::btree_set(address(), 1..5)).prop_map(|(threshold, set)| {
        Payload::Multisig(MultisigPayload { threshold, participants: set.into_iter().collect() })
    });
    let invoke = (hash(), deposits(), any::<u16>(), any::<u64>(), vec(cell(), 0..4)).prop_map(
        |(contract, deposits, entry_id, max_gas, parameters)| {
            Payload::InvokeContract(Box::new(InvokeContractPayload {
                contract,
                deposits,
                entry_id,
                max_gas,
                parameters,
            }))
        },
    );
    let constructor = (any::<u64>(), deposits()).prop_map(|(max_gas, deposits)| Constructor { max_gas, deposits });
    let deploy = (vec(any::<u8>(), 0..50), proptest::option::of(constructor)).prop_map(|(rest, constructor)| {
        let module = Module::new([&ELF[..], &rest].concat());
        Payload::DeployContract(Box::new(DeployContractPayload { module, constructor }))
    });
    prop_oneof![
        (hash(), any::<u64>()).prop_map(|(asset, amount)| Payload::Burn(BurnPayload { asset, amount })),
        vec(transfer(), 1..5).prop_map(|entries| Payload::Transfers(entries.into())),
        multisig,
        Just(Payload::Multisig(MultisigPayload { threshold: 0, participants: vec![] })),
        invoke,
        deploy,
        energy().prop_map(Payload::Energy),
    ]
}

fn transaction() -> impl Strategy<Value = Transaction> {
    let fee_type = prop_oneof![Just(FeeType::Tos), Just(FeeType::Energy), Just(FeeType::Uno)];
    let section = proptest::option::of(proptest::collection::btree_set(any::<u8>(), 0..4));
    (any::<u8>(), address(), payload(), any::<(u64, u64, u64)>(), fee_type, hash(), section).prop_map(
        |(chain_id, source, payload, (fee, nonce, reference_topoheight), fee_type, reference_hash, signers)| {
            let signature = Signature::from_bytes([7; 64]).unwrap();
            let entry = |signer_id| SignerSignature { signer_id, signature };
            Transaction {
                chain_id,
                source,
                payload,
                fee,
                fee_type,
                nonce,
                reference_hash,
                reference_topoheight,
                multisig: signers.map(|ids| MultiSig { signatures: ids.into_iter().map(entry).collect() }),
                signature,
            }
        },
    )
}

proptest! {
    #[test]
    fn decoding_inverts_encoding(transaction in transaction()) {
        let bytes = transaction.encode().unwrap();
        prop_assert_eq!(Transaction::decode(&bytes).unwrap(), transaction);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..400), opcode in 0_u8..26) {
        let _ = Transaction::decode(&bytes);
        // With a plausible head the payload decoders get to see it too.
        let _ = Transaction::decode(&with_payload(opcode, &bytes));
    }

    #[test]
    fn mutated_bytes_never_panic_and_what_decodes_encodes(
        transaction in transaction(),
        changes in vec((any::<proptest::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = transaction.encode().unwrap();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Ok(decoded) = Transaction::decode(&bytes) {
            let again = decoded.encode().unwrap();
            prop_assert_eq!(Transaction::decode(&again).unwrap(), decoded);
        }
    }
}

#[test]
fn one_transfer_needs_no_list_of_its_own() {
    let entries: smallvec::SmallVec<[Transfer; 1]> =
        smallvec![Transfer { asset: Hash::default(), destination: addr(3), amount: 1, extra_data: None }];
    assert!(!entries.spilled());
}
