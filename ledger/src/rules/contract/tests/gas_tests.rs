//! What a call costs (spec 5.6): gas used, the part that is burned, the refund.

use super::*;
use crate::contract::Trap;
use crate::state::Counter;
use crate::testing::pay;
use crate::testing::sequential::execute_block;

/// A contract that takes `gas` and exits with `code`.
fn takes(gas: usize, code: u64) -> Module {
    module(&format!("{}lddw r0, {code}\nexit", "mov64 r0, 0\n".repeat(gas - 2)))
}

#[test]
fn what_was_used_is_paid_and_the_rest_comes_back() {
    for mode in MODES {
        for code in [0, 1, u64::MAX] {
            let mut world = world_in(mode);
            let mut burned = 0;
            for gas in 2..14 {
                let contract = install(&mut world, gas, &takes(usize::from(gas), code));
                let before = world.clone();
                let receipt = run(&mut world, call(contract));
                let end = if code == 0 { CallEnd::Success } else { CallEnd::Reverted { code } };
                assert_eq!((receipt.end, receipt.gas_used), (end, u64::from(gas)));
                // Rounded down in every transaction: 0.6, 0.9, 1.2 ...
                let expected = [0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 3][usize::from(gas)];
                assert_eq!(receipt.gas_burned, expected);
                burned += expected;
                assert_eq!(world.counter(Counter::GasBurned), burned);
                assert_eq!(world, with_gas_paid(&before, u64::from(gas)));
            }
            assert_eq!(world.counter(Counter::TotalBurned), 0, "gas is burned apart");
        }
    }
}

#[test]
fn the_engine_is_told_the_gas() {
    let mut world = world();
    let contract = install(&mut world, 0xaa, &takes(9, 0));
    let broken = install(&mut world, 0xbb, &Module::new(*b"\x7fELF"));
    for (contract, gas) in [(contract, 9), (broken, GAS)] {
        let signed = sign(SOURCE, transaction(&world, invoke(call(contract))));
        let step = sequential::execute_one(&world.vm(), &signed, &world.state, &BTreeMap::new());
        assert_eq!((step.outcome.gas_used, step.outcome.output.gas_used()), (gas, gas));
        assert_eq!((step.outcome.output.fee, step.outcome.output.burned), (FEE, 0));
    }
}

#[test]
fn exactly_enough_and_one_too_few() {
    let mut world = world();
    let contract = install(&mut world, 0xaa, &takes(40, 0));
    let offer = |max_gas| InvokeContractPayload { max_gas, ..call(contract) };
    let before = world.clone();
    let receipt = run(&mut world, offer(40));
    assert_eq!((receipt.end, receipt.gas_used, receipt.gas_burned), (CallEnd::Success, 40, 12));
    assert_eq!(world, with_gas_paid(&before, 40));
    let before = world.clone();
    let receipt = run(&mut world, offer(39));
    assert_eq!((receipt.end, receipt.gas_used, receipt.gas_burned), (CallEnd::Trapped(Trap::OutOfGas), 39, 11));
    assert_eq!(world, with_gas_paid(&before, 39));
}

/// A contract that does what it can, and then `end`.
fn busy(end: &str) -> Module {
    let mut program = Program::new();
    program.write(b"k", b"value").add(b"n", 5).event(3);
    let own = program.space(32);
    let to = program.data(&addr(3).0);
    program.sys("get_program_id", &[own]).sys("transfer", &[own, to, 10]);
    program.raw(end).raw("mov64 r0, 0");
    program.exit(0)
}

#[test]
fn every_trap_takes_all_gas_and_leaves_nothing() {
    let mut too_long = busy("").bytes().to_vec();
    too_long.resize(128 * 1024 + 1, 0);
    let modules = [
        (busy("again: ja again"), "OutOfGas"),
        (busy("syscall abort"), "Fault"),
        (busy("mov64 r1, 0\ndiv64 r0, r1"), "Fault"),
        (busy("mov64 r1, 0\nldxdw r0, [r1+0]"), "Fault"),
        (busy("lddw r2, 5000\nsyscall set_return_data"), "Fault"),
        (busy("syscall no_such_call"), "NotExecutable"),
        (Module::new(*b"\x7fELF"), "NotExecutable"),
        (Module::new(too_long), "TooMuchCode"),
    ];
    for mode in MODES {
        for (module, name) in &modules {
            for max_gas in [60_001, 60_002, 10_000_001] {
                let name = if max_gas > 10_000_000 && *name != "NotExecutable" && *name != "TooMuchCode" {
                    "Budget"
                } else {
                    name
                };
                let mut world = world_in(mode);
                let contract = install(&mut world, 0xaa, module);
                fund(&mut world, contract, 10);
                let before = world.clone();
                let deposits = native(COIN);
                let receipt = run(&mut world, InvokeContractPayload { max_gas, deposits, ..call(contract) });
                let CallEnd::Trapped(trap) = &receipt.end else { panic!("{receipt:?}") };
                assert!(format!("{trap:?}").starts_with(name), "{trap:?} is no {name}");
                assert_eq!((receipt.gas_used, receipt.gas_burned), (max_gas, max_gas * 30 / 100));
                assert_eq!((receipt.return_data.len(), receipt.events.len()), (0, 0));
                assert_eq!(world, with_gas_paid(&before, max_gas), "{trap:?}");
            }
        }
    }
}

#[test]
fn too_much_input_is_a_trap() {
    let mut world = world();
    let contract = install(&mut world, 0xaa, &takes(2, 0));
    let input = |last| InvokeContractPayload {
        parameters: vec![ValueCell::Bytes(vec![1; 999_999]), ValueCell::Bytes(vec![1; last])],
        ..call(contract)
    };
    assert_eq!(run(&mut world, input(1)).end, CallEnd::Success);
    let before = world.clone();
    assert_eq!(run(&mut world, input(2)).end, CallEnd::Trapped(Trap::TooMuchInput { limit: 1_000_000 }));
    assert_eq!(world, with_gas_paid(&before, GAS));
}

/// What a revert leaves besides its gas: the receipt with what the contract returned.
#[test]
fn a_revert_leaves_nothing_but_its_answer() {
    for mode in MODES {
        let mut world = world_in(mode);
        let mut program = Program::new();
        program.write(b"k", b"value").add(b"n", 5).event(3).own_balance();
        let own = program.space(32);
        let to = program.data(&addr(3).0);
        program.sys("get_program_id", &[own]).sys("transfer", &[own, to, 10]).note();
        let contract = install(&mut world, 0xaa, &program.exit(77));
        fund(&mut world, contract, 10);
        store(&mut world, contract, b"k", b"before");
        let before = world.clone();
        let receipt = run(&mut world, InvokeContractPayload { deposits: native(COIN), ..call(contract) });
        assert_eq!(receipt.end, CallEnd::Reverted { code: 77 });
        assert_eq!(receipt.return_data, [0, 10 + COIN, 0].map(u64::to_le_bytes).concat());
        assert_eq!(receipt.events, []);
        assert!((15_000..30_000).contains(&receipt.gas_used));
        assert_eq!(world, with_gas_paid(&before, receipt.gas_used));
    }
}

/// The refund is a credit like any other: with deferred credits it arrives after the block (spec 7.2).
#[test]
fn when_the_refund_can_be_spent() {
    for mode in MODES {
        let mut world = world_in(mode);
        let contract = install(&mut world, 0xaa, &takes(5, 0));
        world.edit(SOURCE, |account| account.balance = GAS + 2 * FEE + 10);
        let pay = |amount| {
            let call = sign(SOURCE, transaction(&world, invoke(call(contract))));
            let pay = Transaction { nonce: 1, ..unsigned(SOURCE, pay(3, amount)) };
            let mut base = world.state.clone();
            let pending = deferred_base(base.get(&Key::Account(addr(SOURCE)))).unwrap();
            base.insert(Key::PendingCredit(addr(SOURCE)), pending);
            let (receipts, _) = execute_block(&world.vm(), &[call, sign(SOURCE, pay)], &base);
            assert_eq!(receipts[0].result, Ok(()));
            receipts[1].result
        };
        assert_eq!(pay(10), Ok(()));
        let (all, refund) = (GAS - 5 + 10, mode == CreditVisibility::Immediate);
        assert_eq!(pay(11), if refund { Ok(()) } else { Err(TosError::InsufficientBalance) });
        assert_eq!(pay(all), if refund { Ok(()) } else { Err(TosError::InsufficientBalance) });
        assert_eq!(pay(all + 1), Err(TosError::InsufficientBalance));
    }
}

/// The counter of burned gas is the only one of a call that can overflow.
#[test]
fn burned_gas_that_overflows_rejects_the_transaction() {
    for mode in MODES {
        for (module, burned) in [
            (takes(10, 0), 3),
            (takes(10, 1), 3),
            (busy(""), 1),
            (busy("syscall abort"), GAS * 30 / 100),
            (Module::new(*b"\x7fELF"), GAS * 30 / 100),
        ] {
            let mut world = world_in(mode);
            let contract = install(&mut world, 0xaa, &module);
            fund(&mut world, contract, 10);
            let full = u64::MAX - burned + 1;
            world.state.insert(Key::Counter(Counter::GasBurned), Value::Counter(full));
            let payload = InvokeContractPayload { deposits: native(5), ..call(contract) };
            assert_eq!(rejected(&world, invoke(payload.clone())), TosError::Overflow);
            world.state.insert(Key::Counter(Counter::GasBurned), Value::Counter(full - 1));
            if burned > 1 {
                run(&mut world, payload);
                assert_eq!(world.counter(Counter::GasBurned), u64::MAX);
            }
        }
        // Where nothing is burned nothing can overflow.
        let mut world = world_in(mode);
        let contract = install(&mut world, 0xaa, &takes(3, 0));
        world.state.insert(Key::Counter(Counter::GasBurned), Value::Counter(u64::MAX));
        assert_eq!(run(&mut world, call(contract)).end, CallEnd::Success);
    }
}
