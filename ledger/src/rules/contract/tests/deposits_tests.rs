//! Deposits of a call (spec 5.6): what must be there, who has it while the contract runs, and after.

use super::*;
use crate::contract::Trap;

const OTHER: Hash = Hash([7; 32]);

/// Returns both deposits, what it has, what the source has.
fn teller(code: u64) -> Module {
    let mut program = Program::new();
    program.deposit(&[0; 32]).deposit(&OTHER.0).own_balance().balance(&addr(SOURCE).0);
    program.exit(code)
}

fn with(contract: Hash, deposits: Vec<Deposit>) -> InvokeContractPayload {
    InvokeContractPayload { deposits, ..call(contract) }
}

#[test]
fn they_are_with_the_contract_before_it_runs() {
    for mode in MODES {
        for before in [None, Some(30)] {
            let mut world = world_in(mode);
            let contract = install(&mut world, 0xaa, &teller(0));
            if let Some(balance) = before {
                fund(&mut world, contract, balance);
            }
            let after = before.unwrap_or(0) + 500;
            // All of the gas is gone by then, and the fee.
            let left = RICH - FEE - GAS - 500;
            let receipt = run(&mut world, with(contract, native(500)));
            assert_eq!(receipt.return_data, [500, 0, after, left].map(u64::to_le_bytes).concat());
            assert_eq!(money(&world, account_of(contract)), Some(after));
            assert_eq!(paid_gas(&world), receipt.gas_used + 500);
        }
    }
}

#[test]
fn no_deposit_touches_no_account() {
    let mut world = world();
    let contract = install(&mut world, 0xaa, &teller(0));
    let left = RICH - FEE - GAS;
    assert_eq!(numbers(&mut world, call(contract)), [0, 0, 0, left]);
    assert_eq!(money(&world, account_of(contract)), None);
}

#[test]
fn a_revert_gives_them_back() {
    for mode in MODES {
        let mut world = world_in(mode);
        let contract = install(&mut world, 0xaa, &teller(9));
        let before = world.clone();
        let receipt = run(&mut world, with(contract, native(500)));
        let left = RICH - FEE - GAS - 500;
        assert_eq!(receipt.return_data, [500, 0, 500, left].map(u64::to_le_bytes).concat());
        assert_eq!(world, with_gas_paid(&before, receipt.gas_used), "nor is there an account of the contract");
    }
}

#[test]
fn they_must_be_there_for_a_contract_that_runs() {
    for mode in MODES {
        for code in [0, 9] {
            let mut world = world_in(mode);
            let contract = install(&mut world, 0xaa, &teller(code));
            world.edit(SOURCE, |account| account.balance = FEE + GAS + 499);
            assert_eq!(rejected(&world, invoke(with(contract, native(500)))), TosError::InsufficientBalance);
            assert_eq!(rejected(&world, invoke(with(contract, native(u64::MAX)))), TosError::InsufficientBalance);
            // Only one asset has balances (spec 3.1).
            let other = |amount| Deposit { asset: OTHER, amount };
            assert_eq!(rejected(&world, invoke(with(contract, vec![other(1)]))), TosError::InsufficientBalance);
            let both = vec![native(1)[0], other(1)];
            assert_eq!(rejected(&world, invoke(with(contract, both))), TosError::InsufficientBalance);
            run(&mut world, with(contract, native(499)));
        }
    }
}

/// They would come back whatever they are. The vectors are all of this kind.
#[test]
fn they_need_not_be_there_for_a_contract_that_cannot_run() {
    let mut world = world();
    let mut too_long = teller(0).bytes().to_vec();
    too_long.resize(128 * 1024 + 1, 0);
    let broken = install(&mut world, 0xbb, &Module::new(*b"\x7fELF"));
    let long = install(&mut world, 0xcc, &Module::new(too_long));
    for (contract, what) in [(broken, "cannot be executed"), (long, "bytes of code")] {
        for deposits in [native(500), native(u64::MAX), vec![Deposit { asset: OTHER, amount: u64::MAX }]] {
            world.edit(SOURCE, |account| account.balance = FEE + GAS);
            let before = world.clone();
            let CallEnd::Trapped(trap) = run(&mut world, with(contract, deposits)).end else { panic!("it cannot run") };
            assert!(trap.to_string().contains(what), "{trap}");
            assert_eq!(world, with_gas_paid(&before, GAS));
        }
    }
}

/// A budget that the machine refuses, an input that is too long: those are properties of the call, not of the module.
#[test]
fn they_must_be_there_for_a_call_that_cannot_run() {
    let mut world = world();
    let contract = install(&mut world, 0xaa, &teller(0));
    world.edit(SOURCE, |account| account.balance = FEE + COIN + 499);
    let offer = |deposits| InvokeContractPayload { max_gas: COIN, ..with(contract, deposits) };
    assert_eq!(rejected(&world, invoke(offer(native(500)))), TosError::InsufficientBalance);
    let before = world.clone();
    let receipt = run(&mut world, offer(native(499)));
    assert_eq!(receipt.end, CallEnd::Trapped(Trap::Budget { limit: 10_000_000 }));
    assert_eq!(world, with_gas_paid(&before, COIN));
}

/// Deposits are not credits to strangers: also with deferred credits the contract can give them away at once.
#[test]
fn the_contract_can_spend_them_at_once() {
    for mode in MODES {
        let mut world = world_in(mode);
        let mut program = Program::new();
        program.transfer(&[0xaa; 32], &addr(3).0, 501).transfer(&[0xaa; 32], &addr(3).0, 500);
        let contract = install(&mut world, 0xaa, &program.exit(0));
        assert_eq!(numbers(&mut world, with(contract, native(500))), [3, 0]);
        assert_eq!((money(&world, account_of(contract)), world.balance(3)), (Some(0), 500));
    }
}

#[test]
fn a_contract_that_is_full_takes_no_more() {
    for mode in MODES {
        let mut world = world_in(mode);
        let contract = install(&mut world, 0xaa, &module("mov64 r0, 0\nexit"));
        fund(&mut world, contract, u64::MAX - 499);
        assert_eq!(rejected(&world, invoke(with(contract, native(500)))), TosError::Overflow);
        run(&mut world, with(contract, native(499)));
        assert_eq!(money(&world, account_of(contract)), Some(u64::MAX));
    }
}
