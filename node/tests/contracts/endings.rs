//! What is left of a call, by how it ends, and of a block.

use weft_ledger::contract::Trap;
use weft_ledger::contract::samples::caller::{self, OnFailure};
use weft_ledger::contract::samples::{Sample, counter, gas_burner};
use weft_ledger::rules::{BlockTotals, CallEnd};
use weft_ledger::state::{Account, Counter, Key, Value};
use weft_ledger::wire::Payload;
use weft_ledger::{COIN, Hash, TosError};

use super::common::contracts::purse_input::Ends;
use super::common::contracts::*;
use super::common::*;

/// Deployments, calls that write, pay and announce, failing calls: in front of a transaction that fails.
#[test]
fn a_rejected_block_leaves_nothing_of_its_contracts() {
    let world = contract_world();
    let module = built(1, "mov64 r0, 0");
    for settings in with_both_ids().into_iter().filter(|settings| settings.policy == rejecting().policy) {
        let mut transactions = vec![
            tx(1, 0, construct(module.clone(), GAS, 5)),
            tx(2, 0, invoke(id_in(settings, 1, &module), vec![1])),
            tx(3, 0, at(Sample::GasBurner, gas_burner::write(1, 2))),
            tx(4, 0, at(Sample::GasBurner, gas_burner::burn(1, 2))),
            tx(5, 0, at_purse(purse_input::pay(Ends::Well, &addr(40), 9))),
            tx(6, 0, deploy(not_executable())),
        ];
        assert_eq!(agree(settings, &world, &transactions).totals.accepted, 6);
        let failures = [
            (tx(7, 1, pay(1, 1)), TosError::NonceTooHigh),
            (tx(7, 0, invoke(Hash([9; 32]), vec![])), TosError::ContractNotFound),
            (badly_signed(7, 0, at(Sample::Counter, counter::increment(1, 1))), TosError::InvalidSignature),
        ];
        for (failure, error) in failures {
            transactions.push(failure);
            transactions.push(tx(8, 0, at(Sample::GasBurner, gas_burner::write(1, 2))));
            let block = agree(settings, &world, &transactions);
            assert_eq!(block.rejection, Some((6, error)));
            assert_eq!((block.changes.len(), block.totals, block.digest), (0, BlockTotals::default(), Hash([7; 32])));
            transactions.truncate(6);
        }
    }
}

/// The source and the counters after a transaction of which only nonce, fee and gas are left.
fn only_the_gas(world: &State, block: &Comparable, source: u64, used: u64) {
    let mut expected = world.clone();
    let paid = Account { nonce: 1, balance: balance(world, source) - FEE - used, ..account(world, source) };
    expected.insert(account_key(source), Value::Account(paid));
    let counters = [
        (Counter::BlockHeight, 8),
        (Counter::Timestamp, 70),
        (Counter::Fees, FEE),
        (Counter::GasBurned, used * 30 / 100),
    ];
    let set = counters.into_iter().filter(|(_, number)| *number > 0);
    expected.extend(set.map(|(counter, number)| (Key::Counter(counter), Value::Counter(number))));
    assert_eq!(after(world, block), expected);
    assert_eq!((call(block, 0).gas_used, call(block, 0).events.len()), (used, 0));
}

/// Whichever system call the gas ends at: before, between and after the writes.
#[test]
fn gas_that_runs_out_between_writes_leaves_nonce_fee_and_gas() {
    let world = contract_world();
    let write = |gas| [tx(1, 0, invoke_with(id(Sample::GasBurner), gas_burner::write(1, 5), gas, 3))];
    for settings in all_settings() {
        let whole = agree(settings, &world, &write(GAS));
        let needed = call(&whole, 0).gas_used;
        assert_eq!(ended(&whole), [CallEnd::Success]);
        for gas in (0..needed).step_by(usize::try_from(needed / 9).unwrap()).chain([needed - 1]) {
            let block = agree(settings, &world, &write(gas));
            assert_eq!(ended(&block), [CallEnd::Trapped(Trap::OutOfGas)], "{gas} of {needed}");
            only_the_gas(&world, &block, 1, gas);
        }
        let exactly = agree(settings, &world, &write(needed));
        assert_eq!((ended(&exactly), call(&exactly, 0)), (vec![CallEnd::Success], call(&whole, 0)));
        let burn = invoke_with(id(Sample::GasBurner), gas_burner::burn(1, 5), GAS, 3);
        only_the_gas(&world, &agree(settings, &world, &[tx(2, 0, burn)]), 2, GAS);
    }
}

#[test]
fn a_revert_and_a_fault_after_writes_leave_nonce_fee_and_gas() {
    let world = contract_world();
    for settings in all_settings() {
        let block = agree(settings, &world, &[tx(1, 0, at_purse(purse_input::pay(Ends::InRevert, &addr(40), 5)))]);
        assert_eq!(ended(&block), [CallEnd::Reverted { code: 9 }]);
        only_the_gas(&world, &block, 1, call(&block, 0).gas_used);
        assert!(call(&block, 0).gas_used < GAS);
        for input in [purse_input::pay(Ends::InTrap, &addr(40), 5), purse_input::add_and_trap(b'n', 4), vec![99]] {
            let block = agree(settings, &world, &[tx(1, 0, at_purse(input))]);
            assert!(matches!(call(&block, 0).end, CallEnd::Trapped(Trap::Fault(_))), "{:?}", call(&block, 0).end);
            only_the_gas(&world, &block, 1, GAS);
        }
        // More gas than the machine takes is used whole, without a look at the contract.
        let greedy = invoke_with(*purse().hash(), purse_input::set(b'k', b"v"), 10_000_001, 0);
        let block = agree(settings, &world, &[tx(1, 0, greedy)]);
        assert_eq!(ended(&block), [CallEnd::Trapped(Trap::Budget { limit: 10_000_000 })]);
        only_the_gas(&world, &block, 1, 10_000_001);
    }
}

/// A second caller, so that chains of calls can have two of them: the same one would be reentrant.
fn second_caller() -> weft_ledger::contract::Module {
    assembled(&format!("{}\nsecond:\n    mov64 r0, 77\n    exit\n", Sample::Caller.source()))
}

#[test]
fn a_nested_call_that_fails_leaves_nothing_within_one_that_succeeds() {
    let mut world = contract_world();
    let (inner, contract) = (second_caller(), *purse().hash());
    put(&mut world, std::slice::from_ref(&inner), 0);
    let (outer, inner) = (id(Sample::Caller), *inner.hash());
    let failing = [
        (purse_input::pay(Ends::InRevert, &addr(40), 5), 9, 9),
        (purse_input::pay(Ends::InTrap, &addr(40), 5), u64::MAX - 3, caller::NO_EXIT_CODE),
        (purse_input::add_and_trap(b'n', 4), u64::MAX - 3, caller::NO_EXIT_CODE),
    ];
    let effects = |end: &State| {
        let purse =
            (contract_balance(end, &contract), number(end, &contract, b"n"), end.contains_key(&account_key(40)));
        let begun = |caller| number(end, caller, &caller::before_key());
        (purse, begun(&outer), begun(&inner), number(end, &outer, &caller::after_key()))
    };
    for settings in all_settings() {
        for (input, gave, propagated) in &failing {
            // Directly; through a second caller that goes on, and through one that fails too.
            let chain = |inside| {
                let input_of_inner = caller::call(inside, &contract, input);
                caller::call(OnFailure::Ignore, &inner, &input_of_inner)
            };
            let blocks = [
                (caller::call(OnFailure::Ignore, &contract, input), *gave, 0),
                (chain(OnFailure::Ignore), 0, 1),
                (chain(OnFailure::Propagate), *propagated, 0),
            ];
            for (input, outer_saw, inner_begun) in blocks {
                let block = agree(settings, &world, &[tx(1, 0, at(Sample::Caller, input))]);
                assert_eq!(ended(&block), [CallEnd::Success]);
                let nothing = (COIN, 0, false);
                assert_eq!(effects(&after(&world, &block)), (nothing, 1, inner_begun, outer_saw));
            }
        }
        // What the outermost call gives up takes the inner one's success with it.
        let pays = purse_input::pay(Ends::Well, &addr(40), 5);
        let paid =
            |seed, gas| tx(seed, 0, invoke_with(outer, caller::call(OnFailure::Ignore, &contract, &pays), gas, 0));
        let needed = call(&agree(settings, &world, &[paid(1, GAS)]), 0).gas_used;
        let block = agree(settings, &world, &[paid(1, needed), paid(2, needed - 1)]);
        assert_eq!(ended(&block), [CallEnd::Success, CallEnd::Trapped(Trap::OutOfGas)]);
        assert_eq!(effects(&after(&world, &block)), ((COIN - 5, 0, true), 1, 0, 0));
        assert_eq!(balance(&after(&world, &block), 40), 5);
    }
}

/// Those of failing and of skipped transactions are not there, nor those of inner calls that failed.
#[test]
fn events_come_in_transaction_order() {
    let world = contract_world();
    let burner = id(Sample::GasBurner);
    let announce = |seed: u64| gas_burner::write(seed % 3, seed);
    let payload = |seed: u64| -> Payload {
        match seed % 6 {
            0 => at(Sample::GasBurner, gas_burner::burn(1, seed)),
            1 => at(Sample::Caller, caller::call(OnFailure::Propagate, &burner, &announce(seed))),
            2 => {
                // An inner call that has announced something when it fails, within one that succeeds.
                let ends = if seed.is_multiple_of(4) { Ends::InRevert } else { Ends::InTrap };
                let shout = purse_input::shout_and(ends, 3);
                at(Sample::Caller, caller::call(OnFailure::Ignore, purse().hash(), &shout))
            }
            3 => pay(1, 5),
            _ => at(Sample::GasBurner, announce(seed)),
        }
    };
    let announces = |seed: &u64| matches!(seed % 6, 1 | 4 | 5);
    let mut transactions: Vec<_> = (1..=30).map(|seed| tx(seed, 0, payload(seed))).collect();
    for settings in all_settings() {
        let block = agree(settings, &world, &transactions);
        assert_eq!(block.totals.rejected, 0);
        assert!([2, 8].iter().all(|seed| call(&block, seed - 1).end == CallEnd::Success));
        let data: Vec<_> =
            all_events(&block).into_iter().map(|event| (event.contract, event.data.into_vec())).collect();
        let expected: Vec<_> =
            (1..=30_u64).filter(announces).map(|seed| (burner, seed.to_le_bytes().to_vec())).collect();
        assert_eq!(data, expected);
    }
    // A skipped transaction in their middle announces nothing and shifts nothing.
    transactions[9] = tx(10, 5, payload(10));
    for settings in [skipping(), deferred(skipping())] {
        let block = agree(settings, &world, &transactions);
        let data: Vec<u64> =
            all_events(&block).iter().map(|event| u64::from_le_bytes((*event.data).try_into().unwrap())).collect();
        assert_eq!(data, (1..=30).filter(announces).filter(|seed| *seed != 10).collect::<Vec<_>>());
        assert!(block.receipts[9].contract.is_none());
    }
}

/// The thousandth event is announced, with one more the transaction is invalid (spec 5.6).
#[test]
fn more_than_a_thousand_events_fail_the_transaction() {
    let world = contract_world();
    let shout = |seed, count| {
        tx(seed, 0, invoke_with(*purse().hash(), purse_input::shout_and(Ends::Well, count), 5_000_000, 7))
    };
    // Those of an inner call that failed do not count.
    let failed = purse_input::shout_and(Ends::InRevert, 1001);
    let failed = caller::call(OnFailure::Ignore, purse().hash(), &failed);
    let failed = tx(3, 0, invoke_with(id(Sample::Caller), failed, 5_000_000, 0));
    for settings in [skipping(), deferred(skipping())] {
        let block = agree(settings, &world, &[shout(1, 1000), shout(2, 1001), failed.clone()]);
        assert_eq!(errors(&block), [None, Some(TosError::InvalidPayload), None]);
        assert_eq!(call(&block, 2).return_data, 9_u64.to_le_bytes());
        assert_eq!((call(&block, 0).events.len(), call(&block, 2).events.len()), (1000, 0));
        assert_eq!(account(&after(&world, &block), 2), account(&world, 2));
    }
}
