//! Deployments (spec 5.5).

use super::*;
use crate::contract::Trap;
use crate::rules::{BURN_PER_CONTRACT, ContractIds, MAX_GAS_USAGE_PER_TX};
use crate::state::Counter;
use crate::wire::Constructor;

const IDS: [ContractIds; 2] = [ContractIds::ModuleHash, ContractIds::Deployer];

fn no_module() -> Module {
    Module::new(*b"\x7fELF")
}

fn idle() -> Module {
    Program::new().exit(0)
}

fn with(max_gas: u64, deposits: Vec<Deposit>) -> Option<Constructor> {
    Some(Constructor { max_gas, deposits })
}

/// The ids as the specification says them.
fn id_of(world: &World, module: &Module) -> Hash {
    let hash = blake3::hash(module.bytes());
    match world.config.contract_ids {
        ContractIds::ModuleHash => Hash(hash.into()),
        ContractIds::Deployer => {
            let preimage = [&[0xff][..], &addr(SOURCE).0, hash.as_bytes()].concat();
            Hash(blake3::hash(&preimage).into())
        }
    }
}

#[track_caller]
fn run_deploy(world: &mut World, module: &Module, constructor: Option<Constructor>) -> ContractReceipt {
    let transaction = transaction(world, deploy(module, constructor));
    contract_receipt(submit(world, transaction).expect("the deployment is accepted"))
}

fn worlds() -> Vec<World> {
    let mut worlds = Vec::new();
    for ids in IDS {
        for mode in MODES {
            let mut world = world_in(mode);
            world.config.contract_ids = ids;
            worlds.push(world);
        }
    }
    worlds
}

/// What a deployment leaves whose constructor was paid `gas` for and did nothing, but for the module.
fn with_price_paid(before: &World, gas: u64) -> World {
    let mut world = with_gas_paid(before, gas);
    world.edit(SOURCE, |account| account.balance -= COIN);
    world
}

#[test]
fn a_deployment_costs_a_coin_and_its_fee_exactly() {
    assert_eq!(BURN_PER_CONTRACT, COIN);
    for mut world in worlds() {
        for module in [no_module(), idle()] {
            world.edit(SOURCE, |account| account.balance = COIN + FEE - 1);
            assert_eq!(rejected(&world, deploy(&module, None)), TosError::InsufficientBalance);
            world.edit(SOURCE, |account| account.balance = COIN + FEE);
            let before = world.clone();
            let receipt = run_deploy(&mut world, &module, None);
            let contract = id_of(&world, &module);
            assert_eq!(receipt, ContractReceipt { contract, call: None });
            // Nothing but the price, the fee and the module: no other supply or counter has changed.
            let mut expected = with_price_paid(&before, 0);
            expected.state.insert(Key::Contract(contract), Value::Contract(module));
            assert_eq!(world, expected);
            assert_eq!((world.balance(SOURCE), world.counter(Counter::TotalBurned)), (0, 0));
        }
    }
}

#[test]
fn ids_of_both_kinds() {
    for mut world in worlds() {
        let other = Module::new(*b"\x7fELF2");
        world.set(3, Account { balance: RICH, ..Account::default() });
        let ids = [id_of(&world, &no_module()), id_of(&world, &other)];
        assert_eq!(run_deploy(&mut world, &no_module(), None).contract, ids[0]);
        assert_eq!(run_deploy(&mut world, &other, None).contract, ids[1]);
        let theirs = world.act(3, deploy(&no_module(), None));
        let contract = contract_receipt(theirs.unwrap()).contract;
        assert_eq!(contract == ids[0], world.config.contract_ids == ContractIds::ModuleHash);
    }
}

#[test]
fn a_module_hash_may_be_deployed_again() {
    let mut world = world();
    let contract = run_deploy(&mut world, &idle(), None).contract;
    store(&mut world, contract, b"k", b"v");
    fund(&mut world, contract, 7);
    let before = world.clone();
    assert_eq!(run_deploy(&mut world, &idle(), None).contract, contract);
    assert_eq!(world, with_price_paid(&before, 0), "paid for, and nothing changed");
    assert_eq!(rejected(&world, deploy(&idle(), with(GAS, vec![]))), TosError::DomainExists);
    // Also by another.
    world.set(3, Account { balance: RICH, ..Account::default() });
    assert_eq!(world.act(3, deploy(&idle(), with(0, vec![]))), Err(TosError::DomainExists));
}

#[test]
fn a_deployer_has_a_module_once() {
    let mut world = world();
    world.config.contract_ids = ContractIds::Deployer;
    run_deploy(&mut world, &idle(), None);
    for constructor in [None, with(GAS, vec![])] {
        assert_eq!(rejected(&world, deploy(&idle(), constructor)), TosError::DomainExists);
    }
    // The money comes first.
    world.edit(SOURCE, |account| account.balance = COIN + FEE - 1);
    assert_eq!(rejected(&world, deploy(&idle(), None)), TosError::InsufficientBalance);
    world.edit(SOURCE, |account| account.balance = COIN + FEE);
    assert_eq!(rejected(&world, deploy(&idle(), None)), TosError::DomainExists);
}

#[test]
fn a_module_that_is_too_long_to_run_is_accepted() {
    let mut world = world();
    let mut long = b"\x7fELF".to_vec();
    long.resize(128 * 1024 + 1, 0);
    let long = Module::new(long);
    let transaction = Transaction { fee: COIN, ..transaction(&world, deploy(&long, None)) };
    submit(&mut world, transaction).unwrap();
    assert_eq!(world.state.get(&Key::Contract(*long.hash())), Some(&Value::Contract(long)));
}

#[test]
fn a_constructor_that_succeeds() {
    for mut world in worlds() {
        let mut program = Program::new();
        program.note_start().own_balance().deposit(&[0; 32]).write(b"k", b"built").event(9);
        let module = program.exit(0);
        let receipt = run_deploy(&mut world, &module, with(GAS, native(500)));
        let contract = id_of(&world, &module);
        assert_eq!(receipt.contract, contract);
        let call = receipt.call.unwrap();
        assert_eq!((&call.end, call.events.len()), (&CallEnd::Success, 1));
        // No input, hook 0, a constructor, and the deposit is there.
        let told: Vec<u8> = [0_u64, 0, 1, 500, 500].iter().flat_map(|number| number.to_le_bytes()).collect();
        assert_eq!(call.return_data, told);
        assert!((5000..GAS).contains(&call.gas_used));
        assert_eq!(call.gas_burned, call.gas_used * 30 / 100);
        assert_eq!(world.counter(Counter::GasBurned), call.gas_burned);
        assert_eq!(paid(&world), COIN + FEE + call.gas_used + 500);
        assert_eq!(money(&world, account_of(contract)), Some(500));
        assert_eq!(stored(&world, contract, b"k").unwrap(), b"built");
        // And it is there to be called.
        let told = numbers(&mut world, super::call(contract));
        assert_eq!(told, [0, 0, 0, 500, 0]);
    }
}

/// The module goes again; the price and the gas stay paid. What was there before is still there.
#[test]
fn a_constructor_that_fails() {
    let mut program = Program::new();
    program.write(b"k", b"new").transfer(&[0; 32], &addr(9).0, 0).event(1);
    let own = program.space(32);
    let to = program.data(&addr(4).0);
    program.sys("get_program_id", &[own]).sys("transfer", &[own, to, 200]).note();
    let modules = [program.clone().exit(6), program.abort(), no_module()];
    for fresh in worlds() {
        for (index, module) in modules.iter().enumerate() {
            let mut world = fresh.clone();
            let contract = id_of(&world, module);
            fund(&mut world, contract, 20);
            store(&mut world, contract, b"k", b"old");
            let before = world.clone();
            let receipt = run_deploy(&mut world, module, with(GAS, native(500)));
            assert_eq!(receipt.contract, contract);
            let call = receipt.call.unwrap();
            assert_eq!(call.events, []);
            match (index, &call.end) {
                (0, CallEnd::Reverted { code: 6 }) => {
                    assert!(call.gas_used < GAS);
                    assert_eq!(call.return_data, [1_u64.to_le_bytes(), 0_u64.to_le_bytes()].concat());
                }
                (1, CallEnd::Trapped(Trap::Fault(_))) | (2, CallEnd::Trapped(Trap::NotExecutable(_))) => {
                    assert_eq!((call.gas_used, call.return_data.as_slice()), (GAS, [].as_slice()));
                }
                other => panic!("{other:?}"),
            }
            assert_eq!(world, with_price_paid(&before, call.gas_used));
        }
    }
}

/// A deployment that failed leaves its id free.
#[test]
fn a_failed_deployment_may_be_tried_again() {
    // It fails unless it is given money.
    let mut program = Program::new();
    program.deposit(&[0; 32]).raw("mov64 r6, r0").raw("jne r6, 0, good\nmov64 r0, 1\nexit\ngood:");
    let module = program.exit(0);
    for mut world in worlds() {
        let contract = run_deploy(&mut world, &module, with(GAS, vec![])).contract;
        assert!(!world.state.contains_key(&Key::Contract(contract)));
        assert_eq!(rejected(&world, invoke(call(contract))), TosError::ContractNotFound);
        let again = run_deploy(&mut world, &module, with(GAS, native(1)));
        assert_eq!(again.call.unwrap().end, CallEnd::Success);
        assert!(world.state.contains_key(&Key::Contract(contract)));
    }
}

#[test]
fn the_offer_of_a_constructor_is_checked() {
    let world = world();
    let zero = native(0);
    let offers = [
        (MAX_GAS_USAGE_PER_TX + 1, zero.clone(), TosError::InvalidPayload),
        (u64::MAX, vec![], TosError::InvalidPayload),
        (MAX_GAS_USAGE_PER_TX, zero, TosError::InvalidFormat),
        (MAX_GAS_USAGE_PER_TX, native(RICH), TosError::InsufficientBalance),
    ];
    for (max_gas, deposits, error) in offers {
        assert_eq!(rejected(&world, deploy(&idle(), with(max_gas, deposits))), error);
    }
    // Before the signature and the money.
    let mut poor = world.clone();
    poor.edit(SOURCE, |account| account.balance = FEE);
    let mut transaction = transaction(&poor, deploy(&idle(), with(GAS, native(0))));
    let check = |transaction: &Transaction| {
        let signed = crate::SignedTransaction::from_transaction(transaction.clone()).unwrap();
        poor.clone().run(&signed).unwrap_err()
    };
    assert_eq!(check(&transaction), TosError::InvalidFormat);
    transaction.payload = deploy(&idle(), with(GAS, native(1)));
    assert_eq!(check(&transaction), TosError::InvalidSignature);
    assert_eq!(rejected_transaction(&poor, transaction), TosError::InsufficientBalance);
}

#[test]
fn the_money_for_a_constructor() {
    let mut world = world();
    let needed = COIN + FEE + GAS;
    let set = |world: &mut World, balance| world.edit(SOURCE, |account| account.balance = balance);
    // Deposits only have to be there where the module can be executed: else they come back in any case.
    for (module, deposits) in [(idle(), 0), (idle(), 50), (no_module(), 0)] {
        let constructor = with(GAS, if deposits > 0 { native(deposits) } else { vec![] });
        set(&mut world, needed + deposits - 1);
        assert_eq!(rejected(&world, deploy(&module, constructor.clone())), TosError::InsufficientBalance);
        set(&mut world, needed + deposits);
        let receipt = run_deploy(&mut world.clone(), &module, constructor);
        assert!(receipt.call.is_some());
    }
    set(&mut world, needed);
    let before = world.clone();
    let other_asset = vec![Deposit { asset: Hash([7; 32]), amount: 1 }];
    assert_eq!(rejected(&world, deploy(&idle(), with(GAS, other_asset.clone()))), TosError::InsufficientBalance);
    run_deploy(&mut world, &no_module(), with(GAS, other_asset));
    assert_eq!(world, with_price_paid(&before, GAS));
}

/// Above the machine's own limit all of the gas is used up.
#[test]
fn a_constructor_with_the_most_gas() {
    let mut world = world();
    let before = world.clone();
    let receipt = run_deploy(&mut world, &idle(), with(MAX_GAS_USAGE_PER_TX, vec![]));
    assert_eq!(receipt.call.unwrap().end, CallEnd::Trapped(Trap::Budget { limit: 10_000_000 }));
    assert_eq!(world, with_price_paid(&before, MAX_GAS_USAGE_PER_TX));
    // And without gas it traps before its first instruction.
    let receipt = run_deploy(&mut world, &idle(), with(0, vec![]));
    assert_eq!(receipt.call.unwrap().end, CallEnd::Trapped(Trap::OutOfGas));
    assert!(!world.state.contains_key(&Key::Contract(receipt.contract)));
}
