//! Multisig configurations and sections (spec 4.5, 5.3).

use crate::error::TosError;
use crate::signed::SignedTransaction;
use crate::state::{Key, Value};
use crate::testing::{World, addr, key, pay, sign, unsigned};
use crate::wire::{MultiSig, MultisigPayload, Payload, SignerSignature, Transaction};

fn config(threshold: u8, participants: &[u64]) -> Payload {
    let participants = participants.iter().map(|seed| addr(*seed)).collect();
    Payload::Multisig(MultisigPayload { threshold, participants })
}

fn world() -> World {
    World::new(&[(2, 10_000_000), (3, 0)])
}

/// Account 2 with a configuration of two of 5, 6, 7; its nonce is 1.
fn guarded() -> World {
    let mut world = world();
    world.act(2, config(2, &[5, 6, 7])).unwrap();
    world
}

/// Signed by account 2 and by `signers`, given as (id, seed).
fn with_section(transaction: Transaction, signers: &[(u8, u64)]) -> SignedTransaction {
    let message = crate::crypto::hash(&transaction.signing_bytes().unwrap());
    let signatures = signers
        .iter()
        .map(|(signer_id, seed)| SignerSignature {
            signer_id: *signer_id,
            signature: key(*seed).sign(message.as_bytes()),
        })
        .collect();
    sign(2, Transaction { multisig: Some(MultiSig { signatures }), ..transaction })
}

fn payment() -> Transaction {
    Transaction { nonce: 1, ..unsigned(2, pay(3, 1)) }
}

#[test]
fn a_configuration_is_set_replaced_and_deleted() {
    let mut world = guarded();
    assert!(world.account(2).has_multisig);
    let replace = Transaction { nonce: 1, ..unsigned(2, config(1, &[8])) };
    world.run(&with_section(replace, &[(0, 5), (2, 7)])).unwrap();
    let Some(Value::Multisig(stored)) = world.state.get(&Key::Multisig(addr(2))) else { panic!() };
    assert_eq!((stored.threshold, &stored.participants[..]), (1, &[addr(8)][..]));

    let delete = Transaction { nonce: 2, ..unsigned(2, config(0, &[])) };
    world.run(&with_section(delete, &[(0, 8)])).unwrap();
    assert!(!world.account(2).has_multisig);
    assert!(!world.state.contains_key(&Key::Multisig(addr(2))));
    world.act(2, pay(3, 1)).unwrap();
}

#[test]
fn malformed_configurations() {
    let mut world = world();
    assert_eq!(world.act(2, config(0, &[])), Err(TosError::InvalidPayload), "nothing to delete");
    assert_eq!(world.act(2, config(1, &[])), Err(TosError::InvalidFormat));
    assert_eq!(world.act(2, config(3, &[5, 6])), Err(TosError::InvalidPayload));
    assert_eq!(world.act(2, config(1, &[5, 6, 5])), Err(TosError::InvalidSignature));
}

#[test]
fn what_the_wire_cannot_carry_is_judged_too() {
    let mut world = world();
    let mut run = |payload| world.run(&SignedTransaction::unencodable(unsigned(2, payload), 200));
    assert_eq!(run(config(0, &[5])), Err(TosError::InvalidPayload));
    let many: Vec<u64> = (10..266).collect();
    assert_eq!(run(config(1, &many)), Err(TosError::InvalidPayload));
}

#[test]
fn a_section_is_wanted_exactly_where_there_is_a_configuration() {
    assert_eq!(guarded().run(&sign(2, payment())), Err(TosError::InvalidPayload));
    let unguarded = with_section(unsigned(2, pay(3, 1)), &[(0, 5)]);
    assert_eq!(world().run(&unguarded), Err(TosError::InvalidPayload));
}

#[test]
fn exactly_the_threshold_must_sign() {
    let mut world = guarded();
    for signers in [&[][..], &[(0, 5)], &[(0, 5), (1, 6), (2, 7)]] {
        assert_eq!(world.run(&with_section(payment(), signers)), Err(TosError::InvalidPayload));
    }
    world.run(&with_section(payment(), &[(2, 7), (0, 5)])).unwrap();
}

#[test]
fn signers_must_be_participants_and_sign_themselves() {
    let mut world = guarded();
    let run = |world: &mut World, signers: &[(u8, u64)]| world.run(&with_section(payment(), signers));
    assert_eq!(run(&mut world, &[(0, 5), (3, 8)]), Err(TosError::InvalidPayload));
    assert_eq!(run(&mut world, &[(0, 5), (1, 7)]), Err(TosError::InvalidSignature));
    let mut trusted = with_section(payment(), &[(0, 5), (1, 7)]);
    trusted.trust();
    assert!(world.run(&trusted).is_ok());
}

#[test]
fn the_owners_signature_comes_first_and_signatures_cost() {
    let world = guarded();
    let mut transaction = with_section(payment(), &[(0, 5)]).transaction().clone();
    transaction.signature = crate::crypto::Signature::ZERO;
    let forged = SignedTransaction::from_transaction(transaction).unwrap();
    assert_eq!(world.clone().run(&forged), Err(TosError::InvalidSignature));
    let signed = with_section(payment(), &[(0, 5), (1, 6)]);
    assert_eq!(crate::rules::required_fee(&signed), 10_000 + 5_000 + 2 * 5_000);
}
