//! Deposits, and what contracts are paid and pay.

use weft_ledger::contract::Module;
use weft_ledger::contract::samples::Sample;
use weft_ledger::contract::samples::caller::{self, OnFailure};
use weft_ledger::rules::CallEnd;
use weft_ledger::wire::{Payload, Transfer};
use weft_ledger::{Address, COIN, Hash, TosError};

use super::common::contracts::purse_input::Ends;
use super::common::contracts::*;
use super::common::*;

/// What the `transfer` of a purse gives where there is not so much.
const NOT_ENOUGH: CallEnd = CallEnd::Reverted { code: 3 };

/// An ordinary payment to a contract.
fn pay_contract(contract: Hash, amount: u64) -> Payload {
    let destination = Address(contract.0);
    Payload::Transfers(vec![Transfer { asset: Hash::default(), destination, amount, extra_data: None }].into())
}

#[test]
fn deposits_come_back_unless_the_call_succeeds() {
    const DEPOSIT: u64 = 12_345;
    let contract = *purse().hash();
    let world = contract_world();
    // What the contract keeps of its TOS and the deposit, where it succeeds.
    let ends = [
        (purse_input::set(b'k', b"v"), Some(COIN + DEPOSIT)),
        // It pays all that it has, and on what came with the call.
        (purse_input::pay(Ends::Well, &addr(40), COIN + DEPOSIT), Some(0)),
        (purse_input::pay(Ends::InRevert, &addr(40), COIN + DEPOSIT), None),
        (purse_input::pay(Ends::InTrap, &addr(40), COIN + DEPOSIT), None),
    ];
    for settings in all_settings() {
        for (input, kept) in &ends {
            let block = agree(settings, &world, &[tx(1, 0, invoke_with(contract, input.clone(), GAS, DEPOSIT))]);
            let end = after(&world, &block);
            let succeeded = call(&block, 0).end == CallEnd::Success;
            assert_eq!(succeeded, kept.is_some(), "{:?}", call(&block, 0).end);
            let given = if succeeded { DEPOSIT } else { 0 };
            assert_eq!(balance(&end, 1), 10 * COIN - FEE - call(&block, 0).gas_used - given);
            assert_eq!(contract_balance(&end, &contract), kept.unwrap_or(COIN));
            let was_paid = end.get(&account_key(40)).map(|_| balance(&end, 40));
            assert_eq!(was_paid, (*kept == Some(0)).then_some(COIN + DEPOSIT));
        }
    }
}

/// A deposit is the contract's in the same call and for all later ones, with deferred credits too.
#[test]
fn a_deposit_can_be_paid_on_by_the_next_call() {
    let mut world = contract_world();
    put(&mut world, &[purse()], 0);
    let contract = *purse().hash();
    let pay_on = |seed| tx(seed, 0, at_purse(purse_input::pay(Ends::Well, &addr(40), 600)));
    let deposit = tx(2, 0, invoke_with(contract, purse_input::set(b'k', b"v"), GAS, 1000));
    for settings in all_settings() {
        let block = agree(settings, &world, &[pay_on(1), deposit.clone(), pay_on(3), pay_on(4)]);
        assert_eq!(ended(&block), [NOT_ENOUGH, CallEnd::Success, CallEnd::Success, NOT_ENOUGH]);
        let end = after(&world, &block);
        assert_eq!((balance(&end, 40), contract_balance(&end, &contract)), (600, 400));
    }
}

/// Ordinary payments are the contract's at once, or at the end of the block.
#[test]
fn a_contract_pays_on_what_ordinary_transactions_pay_it() {
    let mut world = contract_world();
    put(&mut world, &[purse()], 0);
    let contract = *purse().hash();
    let mut transactions = vec![tx(30, 0, at_purse(purse_input::look(&Address(contract.0))))];
    // Each pays 10, and asks the contract to pay on 7.
    for seed in 1..=20 {
        transactions.push(tx(seed, 0, pay_contract(contract, 10)));
        transactions.push(tx(seed, 1, at_purse(purse_input::pay(Ends::Well, &addr(40 + seed % 4), 7))));
    }
    transactions.push(tx(30, 1, at_purse(purse_input::look(&Address(contract.0)))));
    let received = |end: &State| (40..44).map(|seed| balance(end, seed)).collect::<Vec<_>>();
    for settings in [rejecting(), skipping()] {
        let block = agree(settings, &world, &transactions);
        assert_eq!(block.totals.rejected, 0);
        assert_eq!(
            [0, 41].map(|at| call(&block, at).return_data.clone()),
            [0_u64, 60].map(|sum| sum.to_le_bytes().to_vec())
        );
        let end = after(&world, &block);
        assert_eq!((contract_balance(&end, &contract), received(&end)), (60, vec![35; 4]));
    }
    for settings in [rejecting(), skipping()].map(deferred) {
        let block = agree(settings, &world, &transactions);
        assert!((2..42).step_by(2).all(|at| call(&block, at).end == NOT_ENOUGH));
        assert_eq!(call(&block, 41).return_data, 0_u64.to_le_bytes());
        assert_eq!(contract_balance(&after(&world, &block), &contract), 200);
    }
}

/// Nobody but the contract knows whom it pays: sources of later transactions, some of which have sent before, some of
/// which do not exist yet.
#[test]
fn who_is_paid_by_a_contract_sends_later_in_the_block() {
    let mut world = contract_world();
    put(&mut world, &[purse()], 1000 * FEE);
    world.extend(state(&(40..50).map(|seed| (seed, FEE)).collect::<Vec<_>>()));
    // These have their fee and no more.
    let mut transactions: Vec<_> = (40..50).map(|seed| tx(seed, 0, pay(71, 0))).collect();
    transactions.extend((1..=20).map(|seed| {
        let input = purse_input::pay(Ends::Well, &addr(seed + 39), 2 * FEE);
        // Half of them are paid through another contract.
        let payload = if seed % 2 == 0 { at_purse(input) } else { through_caller(&input) };
        tx(seed, 0, payload)
    }));
    transactions.extend((40..60).map(|seed| tx(seed, u64::from(seed < 50), pay(70, FEE - seed))));
    for settings in [rejecting(), skipping()] {
        let block = agree(settings, &world, &transactions);
        assert_eq!((block.rejection, block.totals.accepted), (None, 50));
        let end = after(&world, &block);
        assert!((40..60).all(|seed| balance(&end, seed) == seed));
        assert_eq!(balance(&end, 70), (40..60_u64).map(|seed| FEE - seed).sum::<u64>());
        assert_eq!(contract_balance(&end, purse().hash()), 960 * FEE);
    }
    let block = agree(deferred(skipping()), &world, &transactions);
    assert!(errors(&block)[30..].iter().all(|error| *error == Some(TosError::InsufficientFee)));
    assert!((40..60).all(|seed| balance(&after(&world, &block), seed) == 2 * FEE));
    assert_eq!(agree(deferred(rejecting()), &world, &transactions).rejection, Some((30, TosError::InsufficientFee)));
}

fn through_caller(input: &[u8]) -> Payload {
    at(Sample::Caller, caller::call(OnFailure::Propagate, purse().hash(), input))
}

/// Credits of contracts that do not fit are the contract's problem: the call learns it, at the same transaction.
#[test]
fn a_payment_that_overflows_its_receiver_fails_the_same_call() {
    let mut world = contract_world();
    world.extend(state(&[(40, u64::MAX - 45)]));
    let calls: Vec<_> =
        (1..=30).map(|seed| tx(seed, 0, at_purse(purse_input::pay(Ends::Well, &addr(40), 10)))).collect();
    for settings in all_settings() {
        let block = agree(settings, &world, &calls);
        let overflow = CallEnd::Reverted { code: 4 };
        let expected: Vec<_> = (0..30).map(|at| if at < 4 { CallEnd::Success } else { overflow.clone() }).collect();
        assert_eq!(ended(&block), expected);
        let end = after(&world, &block);
        assert_eq!((balance(&end, 40), contract_balance(&end, purse().hash())), (u64::MAX - 5, COIN - 40));
    }
}

/// Calls the contract that its input begins with (32 bytes) with all behind the next address, then returns the balance
/// of that address.
fn watcher() -> Module {
    assembled(
        "
        entrypoint:
            mov64 r6, r1
            mov64 r3, r2
            sub64 r3, 64
            mov64 r2, r6
            add64 r2, 64
            syscall invoke
            mov64 r1, r6
            add64 r1, 32
            syscall get_balance
            stxdw [r10-8], r0
            mov64 r1, r10
            sub64 r1, 8
            mov64 r2, 8
            syscall set_return_data
            mov64 r0, 0
            exit
        ",
    )
}

/// Running contracts see what their transaction has paid so far, in both modes of credit (spec 8); what an inner call
/// paid that failed was not paid.
#[test]
fn a_running_contract_sees_what_its_calls_have_paid() {
    let mut world = contract_world();
    put(&mut world, &[watcher()], 0);
    world.extend(state(&[(40, 700)]));
    let watch = |seed, to, ends| {
        let pays = purse_input::pay(ends, &addr(to), 5);
        let input = [&purse().hash().0[..], &addr(to).0, &pays].concat();
        tx(seed, 0, invoke(*watcher().hash(), input))
    };
    for settings in all_settings() {
        for (to, before) in [(40, 700), (41, 0)] {
            let block = [
                watch(1, to, Ends::InRevert),
                watch(2, to, Ends::InTrap),
                watch(3, to, Ends::Well),
                watch(4, to, Ends::Well),
            ];
            let block = agree(settings, &world, &block);
            assert_eq!(ended(&block), [const { CallEnd::Success }; 4]);
            let seen =
                [0, 1, 2, 3].map(|at| u64::from_le_bytes(call(&block, at).return_data.clone().try_into().unwrap()));
            // The last one sees the payment of the one before it where credits are visible at once.
            let earlier = if settings.ledger.credit_visibility == rejecting().ledger.credit_visibility { 5 } else { 0 };
            assert_eq!(seen, [before, before, before + 5, before + earlier + 5]);
            assert_eq!(balance(&after(&world, &block), to), before + 10);
        }
    }
}
