//! Modules that come, and those that go again, within a block.

use weft_ledger::contract::Trap;
use weft_ledger::contract::samples::Sample;
use weft_ledger::contract::samples::caller::{self, OnFailure};
use weft_ledger::rules::{BURN_PER_CONTRACT, CallEnd, ContractIds};
use weft_ledger::state::{Counter, Key, Value};
use weft_ledger::{Address, COIN, TosError};

use super::common::contracts::*;
use super::common::*;

const NOT_FOUND: Option<TosError> = Some(TosError::ContractNotFound);

#[test]
fn a_module_is_callable_after_its_deployment_and_not_before() {
    let world = contract_world();
    let module = built(1, "mov64 r0, 0");
    for settings in with_both_ids() {
        let contract = id_in(settings, 1, &module);
        let through = |seed| tx(seed, 0, at(Sample::Caller, caller::call(OnFailure::Ignore, &contract, &[1])));
        let transactions = [
            through(2),
            tx(3, 0, invoke(contract, vec![1])),
            tx(1, 0, deploy(module.clone())),
            tx(4, 0, invoke(contract, vec![1])),
            through(5),
        ];
        let block = agree(settings, &world, &transactions);
        if settings.policy == rejecting().policy {
            assert_eq!(block.rejection, Some((1, TosError::ContractNotFound)));
            continue;
        }
        assert_eq!(errors(&block), [None, NOT_FOUND, None, None, None]);
        assert_eq!(call(&block, 3).end, CallEnd::Success);
        // What the call gave: no such contract, and then its exit code.
        assert_eq!(call(&block, 0).return_data, u64::MAX.to_le_bytes());
        assert_eq!(call(&block, 4).return_data, 0_u64.to_le_bytes());
    }
}

/// By a revert, a fault, gas that runs out, and a module that cannot run. Around it a world in which the contract's
/// account and storage are not empty, and whoever calls it in the same block.
#[test]
fn a_failing_constructor_removes_the_module_and_keeps_what_was_there_before() {
    let failing = [
        (built(1, "mov64 r0, 5"), GAS, CallEnd::Reverted { code: 5 }),
        (built(2, "ja constructor"), GAS, CallEnd::Trapped(Trap::OutOfGas)),
        (built(3, "mov64 r0, 0"), 6000, CallEnd::Trapped(Trap::OutOfGas)),
    ];
    for settings in with_both_ids().into_iter().filter(|settings| settings.policy == skipping().policy) {
        for (module, gas, end_of_call) in &failing {
            let contract = id_in(settings, 1, module);
            let mut world = contract_world();
            put_bytes(&mut world, &contract, b"s", b"before");
            put_bytes(&mut world, &contract, b"t", &40_u64.to_le_bytes());
            let account = world[&Key::Account(Address(purse().hash().0))].clone();
            world.insert(Key::Account(Address(contract.0)), account);
            let transactions = [
                tx(1, 0, construct(module.clone(), *gas, 1000)),
                tx(2, 0, invoke(contract, vec![1])),
                tx(3, 0, at(Sample::Caller, caller::call(OnFailure::Ignore, &contract, &[1]))),
            ];
            let block = agree(settings, &world, &transactions);
            assert_eq!(errors(&block), [None, NOT_FOUND, None]);
            assert_eq!((&call(&block, 0).end, call(&block, 0).events.len()), (end_of_call, 0));
            assert_eq!(call(&block, 2).return_data, u64::MAX.to_le_bytes());
            let end = after(&world, &block);
            assert!(!end.contains_key(&Key::Contract(contract)));
            assert_eq!(stored(&end, &contract, b"s").as_deref(), Some(&b"before"[..]));
            assert_eq!((number(&end, &contract, b"t"), contract_balance(&end, &contract)), (40, COIN));
            // The deployment is paid for, the deposit comes back.
            let used = call(&block, 0).gas_used;
            assert_eq!(balance(&end, 1), 10 * COIN - BURN_PER_CONTRACT - FEE - used);
            assert_eq!(counter(&end, Counter::TotalBurned), 0);
        }
    }
}

#[test]
fn a_module_that_cannot_run_is_deployed_only_without_constructor() {
    let world = contract_world();
    for settings in with_both_ids().into_iter().filter(|settings| settings.policy == skipping().policy) {
        let contract = id_in(settings, 1, &not_executable());
        let transactions = [
            tx(1, 0, construct(not_executable(), 500, 9 * COIN)),
            tx(1, 1, deploy(not_executable())),
            tx(2, 0, invoke_with(contract, vec![], 700, COIN)),
            // Its deposit would come back anyway, so it need not be there.
            tx(3, 0, invoke_with(contract, vec![], 700, 100 * COIN)),
        ];
        let block = agree(settings, &world, &transactions);
        assert_eq!(errors(&block), [None; 4]);
        let end = after(&world, &block);
        for at in [0, 2, 3] {
            assert!(matches!(call(&block, at).end, CallEnd::Trapped(Trap::NotExecutable(_))));
        }
        assert_eq!(end.get(&Key::Contract(contract)), Some(&Value::Contract(not_executable())));
        let left = [10 * COIN - 2 * COIN - 2 * FEE - 500, 10 * COIN - FEE - 700, 10 * COIN - FEE - 700];
        assert_eq!([1, 2, 3].map(|seed| balance(&end, seed)), left);
        assert!(!end.contains_key(&Key::Account(Address(contract.0))));
    }
}

/// A constructor never runs on what another deployment has made, whichever way ids are derived; one that failed leaves
/// the place free.
#[test]
fn a_constructor_runs_on_a_free_place_only() {
    let world = contract_world();
    let module = built(1, "mov64 r0, 0");
    let construct_with = |seed, nonce, gas| tx(seed, nonce, construct(module.clone(), gas, 0));
    for settings in with_both_ids().into_iter().filter(|settings| settings.policy == skipping().policy) {
        // The gas of the first attempt does not suffice; the second succeeds; a third finds the place taken.
        let transactions = [
            construct_with(1, 0, 6000),
            construct_with(1, 1, GAS),
            construct_with(1, 2, GAS),
            construct_with(2, 0, GAS),
            tx(1, 2, deploy(module.clone())),
        ];
        let block = agree(settings, &world, &transactions);
        let taken = Some(TosError::DomainExists);
        let end = after(&world, &block);
        let of = |seed| id_in(settings, seed, &module);
        match settings.ledger.contract_ids {
            ContractIds::ModuleHash => assert_eq!(errors(&block), [None, None, taken, taken, None]),
            ContractIds::Deployer => {
                assert_eq!(errors(&block), [None, None, taken, None, taken]);
                assert_ne!(of(1), of(2));
                assert_eq!(number(&end, &of(2), b"t"), 7);
            }
        }
        assert_eq!(number(&end, &of(1), b"t"), 7);
    }
}
