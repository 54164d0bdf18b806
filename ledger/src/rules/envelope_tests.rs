//! Steps 0 to 9 and 11 of spec 4.1, and which of two failures wins.

use crate::contract::Module;
use crate::crypto::Signature;
use crate::error::TosError;
use weft_engine::Touch;

use crate::rules::{BlockTotals, Receipt, required_fee};
use crate::signed::{SignatureState, SignedTransaction};
use crate::state::{Account, Counter, EnergyResource, Key};
use crate::testing::{FEE, World, addr, pay, register_name, sign, transfer, unsigned};
use crate::types::Hash;
use crate::wire::{
    BurnPayload, DeployContractPayload, EnergyPayload, FeeType, InvokeContractPayload, Payload, Transaction,
};
use weft_engine::Vm;

fn world() -> World {
    World::new(&[(2, 1_000_000), (3, 0)])
}

fn burn(amount: u64) -> Payload {
    Payload::Burn(BurnPayload { asset: Hash::default(), amount })
}

fn freeze() -> Payload {
    Payload::Energy(EnergyPayload::FreezeTos { amount: crate::COIN, days: 7 })
}

fn fails(world: &World, source: u64, transaction: Transaction) -> TosError {
    fails_signed(world, &sign(source, transaction))
}

fn fails_signed(world: &World, signed: &SignedTransaction) -> TosError {
    let mut after = world.clone();
    let error = after.run(signed).unwrap_err();
    assert_eq!(&after, world, "a failure changes nothing");
    error
}

#[test]
fn chain_id_comes_before_everything() {
    let stranger = Transaction { chain_id: 0, fee: 0, nonce: 9, ..unsigned(9, pay(3, 1)) };
    assert_eq!(fails(&world(), 9, stranger), TosError::InvalidType);
}

#[test]
fn an_unknown_source_comes_before_fee_and_signature() {
    let unsigned = Transaction { fee: 0, ..unsigned(9, pay(3, 1)) };
    let signed = SignedTransaction::from_transaction(unsigned).unwrap();
    assert_eq!(fails_signed(&world(), &signed), TosError::AccountNotFound);
}

#[test]
fn the_minimum_fee_is_exact() {
    let mut world = world();
    let signed = sign(2, unsigned(2, pay(3, 1)));
    assert_eq!(required_fee(&signed), 15_000);
    assert_eq!(fails(&world, 2, Transaction { fee: 14_999, ..unsigned(2, pay(3, 1)) }), TosError::InsufficientFee);
    let receipt = world.submit(2, Transaction { fee: 15_000, ..unsigned(2, pay(3, 1)) }).unwrap();
    assert_eq!(receipt, Receipt { result: Ok(()), fee: 15_000, burned: 0, contract: None });
    assert_eq!(world.balance(2), 1_000_000 - 15_001);
}

#[test]
fn the_minimum_fee_counts_kilobytes_and_entries() {
    let entries = |count: u64| Payload::Transfers((0..count).map(|_| transfer(addr(3), 1)).collect());
    // 159 + 73 * 11 = 962 bytes, with 12 entries 1035.
    assert_eq!(required_fee(&sign(2, unsigned(2, entries(11)))), 10_000 + 55_000);
    assert_eq!(required_fee(&sign(2, unsigned(2, entries(12)))), 20_000 + 60_000);
}

#[test]
fn the_minimum_fee_comes_before_overflow_and_balance() {
    let transaction = Transaction { fee: 1, ..unsigned(2, burn(u64::MAX)) };
    assert_eq!(fails(&world(), 2, transaction), TosError::InsufficientFee);
    assert_eq!(fails(&world(), 2, unsigned(2, burn(u64::MAX))), TosError::InvalidFormat);
}

#[test]
fn energy_pays_for_transfers_only_and_with_fee_zero() {
    let with = |fee_type, fee, payload| Transaction { fee_type, fee, ..unsigned(2, payload) };
    let world = world();
    assert_eq!(fails(&world, 2, with(FeeType::Energy, 0, burn(1))), TosError::InvalidFormat);
    assert_eq!(fails(&world, 2, with(FeeType::Energy, 0, freeze())), TosError::InvalidFormat);
    assert_eq!(fails(&world, 2, with(FeeType::Energy, 1, pay(3, 1))), TosError::InvalidPayload);
    assert_eq!(fails(&world, 2, with(FeeType::Energy, 0, pay(3, 1))), TosError::InsufficientEnergy);
    for payload in [burn(1), pay(3, 1), freeze()] {
        assert_eq!(fails(&world, 2, with(FeeType::Uno, 0, payload)), TosError::InvalidFormat);
    }
}

#[test]
fn energy_transactions_are_free_and_nothing_else() {
    // Also where the fee could not be paid (spec 9, item 10).
    for fee in [1, u64::MAX] {
        let transaction = Transaction { fee, ..unsigned(2, freeze()) };
        assert_eq!(fails(&world(), 2, transaction), TosError::InvalidPayload);
    }
}

#[test]
fn energy_is_taken_from_the_resource_first_and_once() {
    let with_energy = |nonce| Transaction { fee_type: FeeType::Energy, fee: 0, nonce, ..unsigned(2, pay(3, 1)) };
    let mut world = world();
    world.edit(2, |account| account.energy = 5);
    world.submit(2, with_energy(0)).unwrap();
    assert_eq!(world.account(2).energy, 4);

    world.set_energy(2, EnergyResource { energy: 1, ..EnergyResource::default() });
    world.submit(2, with_energy(1)).unwrap();
    assert_eq!((world.energy(2).energy, world.account(2).energy), (0, 4));
    // Two payments from an energy of one: the second fails (spec 10, item 36).
    assert_eq!(fails(&world, 2, with_energy(2)), TosError::InsufficientEnergy);
    assert_eq!(world.balance(2), 1_000_000 - 2, "no TOS was charged");
}

#[test]
fn nonces_are_strict() {
    let mut world = world();
    world.edit(2, |account| account.nonce = 5);
    for (nonce, error) in [(4, TosError::NonceTooLow), (6, TosError::NonceTooHigh), (69, TosError::NonceTooHigh)] {
        assert_eq!(fails(&world, 2, Transaction { nonce, ..unsigned(2, pay(3, 1)) }), error);
    }
    world.act(2, pay(3, 1)).unwrap();
    assert_eq!(world.account(2).nonce, 6);
}

#[test]
fn the_last_nonce_cannot_be_used() {
    let mut world = world();
    world.edit(2, |account| account.nonce = u64::MAX);
    let transaction = Transaction { nonce: u64::MAX, ..unsigned(2, pay(3, 1)) };
    assert_eq!(fails(&world, 2, transaction), TosError::Overflow);
}

#[test]
fn an_unpayable_fee_comes_before_the_balance() {
    let world = World::new(&[(2, FEE - 1), (3, 0)]);
    assert_eq!(fails(&world, 2, unsigned(2, pay(3, 1))), TosError::InsufficientFee);
    let world = World::new(&[(2, FEE), (3, 0)]);
    assert_eq!(fails(&world, 2, unsigned(2, pay(3, 1))), TosError::InsufficientBalance);
}

#[test]
fn a_bad_signature_comes_before_the_balance_and_after_the_types_rules() {
    let forged = |payload| {
        let mut transaction = unsigned(2, payload);
        transaction.signature = Signature::ZERO;
        SignedTransaction::from_transaction(transaction).unwrap()
    };
    assert_eq!(fails_signed(&world(), &forged(pay(3, u64::MAX / 2))), TosError::InvalidSignature);
    assert_eq!(fails_signed(&world(), &forged(pay(2, 1))), TosError::SelfOperation);
}

#[test]
fn a_signature_is_checked_once_and_trust_skips_it() {
    let mut signed = SignedTransaction::from_transaction(unsigned(2, pay(3, 1))).unwrap();
    assert_eq!(signed.signature_state(), SignatureState::Unchecked);
    assert_eq!(fails_signed(&world(), &signed), TosError::InvalidSignature);
    assert_eq!(signed.signature_state(), SignatureState::Invalid);
    signed.trust();
    assert_eq!(signed.signature_state(), SignatureState::Trusted);
    assert!(world().run(&signed).is_ok());
}

#[test]
fn types_without_rules_are_refused_after_the_envelope() {
    let world = world();
    assert_eq!(fails(&world, 2, unsigned(2, register_name(2))), TosError::NotImplemented);
    let late = Transaction { nonce: 1, ..unsigned(2, register_name(2)) };
    assert_eq!(fails(&world, 2, late), TosError::NonceTooHigh);
}

#[test]
fn a_deployment_has_a_minimum_fee_and_a_call_has_none() {
    let invoke = Payload::InvokeContract(Box::new(InvokeContractPayload {
        contract: Hash::default(),
        deposits: vec![],
        entry_id: 0,
        max_gas: 0,
        parameters: vec![],
    }));
    let module = Box::new(DeployContractPayload { module: Module::new(*b"\x7fELF"), constructor: None });
    let deploy = Payload::DeployContract(module);
    let world = world();
    assert_eq!(fails(&world, 2, Transaction { fee: 0, ..unsigned(2, invoke) }), TosError::ContractNotFound);
    assert_eq!(fails(&world, 2, Transaction { fee: 0, ..unsigned(2, deploy) }), TosError::InsufficientFee);
}

#[test]
fn fees_are_counted_once_and_never_fail() {
    let mut world = world();
    let receipts: Vec<_> = (0..3).map(|_| world.act(2, pay(3, 1)).unwrap()).collect();
    assert_eq!(world.counter(Counter::Fees), 3 * FEE);
    let totals = BlockTotals::of(&receipts);
    assert_eq!((totals.accepted, totals.rejected, totals.fees), (3, 0, u128::from(3 * FEE)));

    world.state.insert(Key::Counter(Counter::Fees), crate::state::Value::Counter(u64::MAX - 1));
    world.act(2, pay(3, 1)).unwrap();
    assert_eq!(world.counter(Counter::Fees), u64::MAX);

    world.config.fee_counter = false;
    world.state.remove(&Key::Counter(Counter::Fees));
    world.act(2, pay(3, 1)).unwrap();
    assert!(!world.state.contains_key(&Key::Counter(Counter::Fees)));
}

#[test]
fn an_inconsistent_state_is_an_error_not_a_panic() {
    let mut world = world();
    world.set(2, Account { balance: FEE, has_energy: true, has_multisig: true, ..Account::default() });
    assert_eq!(fails(&world, 2, unsigned(2, freeze())), TosError::InternalError);
    let with_section = Transaction { multisig: Some(Default::default()), ..unsigned(2, pay(3, 0)) };
    assert_eq!(fails(&world, 2, with_section), TosError::InternalError);
}

#[test]
fn the_footprint_names_source_and_receivers() {
    let mut keys = Vec::new();
    world().vm().footprint(&sign(2, unsigned(2, pay(3, 1))), &mut |key, touch| keys.push((key, touch)));
    assert_eq!(keys, [(Key::Account(addr(2)), Touch::Write), (Key::Account(addr(3)), Touch::Add)]);
}

#[test]
fn what_is_read_besides_is_named_for_prefetching() {
    let named = |transaction| {
        let mut keys = Vec::new();
        world().vm().reads(&sign(2, transaction), &mut |key| keys.push(key));
        keys
    };
    assert_eq!(named(unsigned(2, pay(3, 1))), []);
    let by_energy = Transaction { fee_type: FeeType::Energy, fee: 0, ..unsigned(2, pay(3, 1)) };
    assert_eq!(named(by_energy), [Key::Energy(addr(2))]);
    let with_section = Transaction { multisig: Some(Default::default()), ..unsigned(2, pay(3, 0)) };
    assert_eq!(named(with_section), [Key::Multisig(addr(2))]);
}
