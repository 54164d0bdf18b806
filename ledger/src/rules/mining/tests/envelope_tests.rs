//! Switch, fee and order of the checks (spec 2.6, 4.1, 6).

use super::world::*;
use crate::crypto::Signature;
use crate::error::TosError;
use crate::rules::LedgerConfig;
use crate::testing::{World, unsigned};
use crate::wire::{FeeType, Payload, Transaction};

fn registration() -> Transaction {
    unsigned(8, Payload::AiMining(Box::new(register(8))))
}

fn refused(world: &World, transaction: Transaction) -> TosError {
    let mut after = world.clone();
    let error = after.submit(8, transaction).unwrap_err();
    assert_eq!(&after, world);
    error
}

#[test]
fn it_is_off_unless_it_is_switched_on() {
    let mut world = world();
    world.config = LedgerConfig::default();
    assert_eq!(refused(&world, registration()), TosError::InvalidFormat);
    // Before everything else: there, the bytes are no transaction.
    assert_eq!(refused(&world, Transaction { chain_id: 9, ..registration() }), TosError::InvalidFormat);
    world.config.ai_mining = true;
    assert_eq!(refused(&world, Transaction { chain_id: 9, ..registration() }), TosError::InvalidType);
    assert!(world.submit(8, registration()).is_ok());
}

#[test]
fn the_normal_minimum_fee_is_paid_in_tos() {
    let world = world();
    assert_eq!(refused(&world, Transaction { fee: 9_999, ..registration() }), TosError::InsufficientFee);
    assert!(world.clone().submit(8, Transaction { fee: 10_000, ..registration() }).is_ok());
    for fee_type in [FeeType::Energy, FeeType::Uno] {
        assert_eq!(refused(&world, Transaction { fee: 0, fee_type, ..registration() }), TosError::InvalidFormat);
    }
    let mut poor = world;
    poor.edit(8, |account| account.balance = 99_999);
    assert_eq!(refused(&poor, registration()), TosError::InsufficientFee);
}

#[test]
fn nonce_and_signature_come_before_the_rules() {
    let world = works(&world(), 8, register(8));
    // A second registration breaks a rule; each of these is found before.
    assert_eq!(refused(&world, registration()), TosError::NonceTooLow);
    assert_eq!(refused(&world, Transaction { nonce: 2, ..registration() }), TosError::NonceTooHigh);
    let next = Transaction { nonce: 1, ..registration() };
    assert_eq!(refused(&world, next.clone()), TosError::InvalidPayload);
    let unsigned = crate::SignedTransaction::from_transaction(Transaction { signature: Signature::ZERO, ..next });
    assert_eq!(world.clone().run(&unsigned.unwrap()), Err(TosError::InvalidSignature));
}

#[test]
fn the_fee_is_counted() {
    let mut world = world();
    let receipt = world.submit(8, registration()).unwrap();
    assert_eq!((receipt.fee, receipt.burned), (crate::testing::FEE, 0));
    assert_eq!(world.counter(crate::state::Counter::Fees), crate::testing::FEE);
}
