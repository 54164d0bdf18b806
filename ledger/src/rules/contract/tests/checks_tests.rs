//! What a call is checked for before it runs (spec 5.6, first paragraph), and in which order (spec 4.1).

use super::*;
use crate::contract::Trap;
use crate::rules::{MAX_DEPOSIT_PER_INVOKE_CALL, MAX_GAS_USAGE_PER_TX};
use crate::signed::SignedTransaction;

fn idle() -> Module {
    module("mov64 r0, 0\nexit")
}

fn unsigned_error(world: &World, transaction: &Transaction) -> TosError {
    let signed = SignedTransaction::from_transaction(transaction.clone()).unwrap();
    let mut after = world.clone();
    let error = after.run(&signed).unwrap_err();
    assert_eq!(&after, world, "a failure changes nothing");
    error
}

/// Everything is wrong; one thing after another is put right.
#[test]
fn the_order_of_the_checks() {
    let mut world = world();
    let contract = install(&mut world, 0xaa, &idle());
    world.edit(SOURCE, |account| account.balance = FEE + GAS - 1);
    let deposits = vec![Deposit { asset: Hash([7; 32]), amount: 0 }];
    let mut payload = InvokeContractPayload { max_gas: MAX_GAS_USAGE_PER_TX + 1, deposits, ..call(Hash([1; 32])) };
    let error = |payload: &InvokeContractPayload| unsigned_error(&world, &transaction(&world, invoke(payload.clone())));
    assert_eq!(error(&payload), TosError::InvalidPayload);
    payload.max_gas = GAS;
    assert_eq!(error(&payload), TosError::InvalidFormat);
    payload.deposits[0].amount = 1;
    assert_eq!(error(&payload), TosError::ContractNotFound);
    payload.contract = contract;
    assert_eq!(error(&payload), TosError::InvalidSignature);
    assert_eq!(rejected(&world, invoke(payload.clone())), TosError::InsufficientBalance);
    world.edit(SOURCE, |account| account.balance += 1);
    // The gas is there now, the other asset is not.
    assert_eq!(rejected(&world, invoke(payload.clone())), TosError::InsufficientBalance);
    payload.deposits.clear();
    assert_eq!(run(&mut world, payload).end, CallEnd::Success);
}

/// More than 255 deposits have no wire form; the rule is there for whoever makes the structure himself.
#[test]
fn the_number_of_deposits() {
    let mut world = world();
    let contract = install(&mut world, 0xaa, &idle());
    let deposit = |number: usize| Deposit { asset: Hash([number as u8; 32]), amount: u64::from(number != 200) };
    for (count, error) in [
        (MAX_DEPOSIT_PER_INVOKE_CALL + 1, TosError::InvalidPayload),
        (MAX_DEPOSIT_PER_INVOKE_CALL, TosError::InvalidFormat),
        (200, TosError::InvalidSignature),
    ] {
        let deposits = (0..count).map(deposit).collect();
        let transaction = transaction(&world, invoke(InvokeContractPayload { deposits, ..call(contract) }));
        let signed = SignedTransaction::unencodable(transaction, 100);
        assert_eq!(world.run(&signed), Err(error));
    }
}

#[test]
fn the_most_gas_that_may_be_offered() {
    let mut world = world();
    let contract = install(&mut world, 0xaa, &idle());
    assert_eq!(MAX_GAS_USAGE_PER_TX, 10 * COIN);
    let offer = |max_gas| InvokeContractPayload { max_gas, ..call(contract) };
    assert_eq!(rejected(&world, invoke(offer(10 * COIN + 1))), TosError::InvalidPayload);
    // Above the budget of the machine: not refused, but all of it is used up.
    for max_gas in [10_000_001, 10 * COIN] {
        let before = world.clone();
        let receipt = run(&mut world, offer(max_gas));
        assert_eq!(receipt.end, CallEnd::Trapped(Trap::Budget { limit: 10_000_000 }));
        assert_eq!((receipt.gas_used, receipt.gas_burned), (max_gas, max_gas / 10 * 3));
        assert_eq!(world, with_gas_paid(&before, max_gas));
    }
    let receipt = run(&mut world, offer(10_000_000));
    assert_eq!((receipt.end, receipt.gas_used), (CallEnd::Success, 2));
}

#[test]
fn no_gas_at_all() {
    let mut world = world();
    let contract = install(&mut world, 0xaa, &idle());
    let broken = install(&mut world, 0xbb, &Module::new(*b"\x7fELF"));
    world.edit(SOURCE, |account| account.balance = 0);
    for contract in [contract, broken] {
        let before = world.clone();
        let payload = invoke(InvokeContractPayload { max_gas: 0, ..call(contract) });
        let transaction = Transaction { fee: 0, ..transaction(&world, payload) };
        let call = contract_receipt(submit(&mut world, transaction).unwrap()).call.unwrap();
        assert!(matches!(call.end, CallEnd::Trapped(_)), "{:?}", call.end);
        assert_eq!((call.gas_used, call.gas_burned), (0, 0));
        // Not even a counter of 0 is left.
        let mut expected = before;
        expected.edit(SOURCE, |account| account.nonce += 1);
        assert_eq!(world, expected);
    }
}

#[test]
fn the_balance_covers_gas_and_fee_exactly() {
    let mut world = world();
    let contract = install(&mut world, 0xaa, &idle());
    let broken = install(&mut world, 0xbb, &Module::new(*b"\x7fELF"));
    for (contract, used) in [(contract, 2), (broken, GAS)] {
        world.edit(SOURCE, |account| account.balance = GAS + FEE - 1);
        assert_eq!(rejected(&world, invoke(call(contract))), TosError::InsufficientBalance);
        world.edit(SOURCE, |account| account.balance = GAS + FEE);
        assert_eq!(run(&mut world, call(contract)).gas_used, used);
        assert_eq!(world.balance(SOURCE), GAS - used);
    }
    // The sum of gas and fee may exceed 64 bits.
    let transaction = Transaction { fee: u64::MAX, ..transaction(&world, invoke(call(contract))) };
    world.edit(SOURCE, |account| account.balance = u64::MAX);
    assert_eq!(rejected_transaction(&world, transaction), TosError::InsufficientBalance);
}

#[test]
fn a_contract_is_no_account() {
    let world = world();
    let contract = Hash(addr(3).0);
    assert_eq!(rejected(&world, invoke(call(contract))), TosError::ContractNotFound);
    assert_eq!(rejected(&world, invoke(call(Hash::default()))), TosError::ContractNotFound);
}
