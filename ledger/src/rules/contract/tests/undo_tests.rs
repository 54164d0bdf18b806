//! What is left of a callee (spec 8): everything if it succeeds, else nothing; of the caller's own everything either way.

use super::*;

const CALLER: [u8; 32] = [0xaa; 32];
const CALLEE: [u8; 32] = [0xbb; 32];
const TRAPPED: u64 = u64::MAX - 3;

/// A caller and a callee; each has 100 and some storage.
fn world_with(mode: CreditVisibility, caller: &Module, callee: &Module) -> World {
    let mut world = world_in(mode);
    for (id, module) in [(CALLER, caller), (CALLEE, callee)] {
        let contract = install(&mut world, id[0], module);
        fund(&mut world, contract, 100);
        store(&mut world, contract, b"gone", b"1");
        store(&mut world, contract, b"sum", &7_u64.to_le_bytes());
    }
    world
}

/// Changes everything that a contract can change: a value appears, one goes, one grows, money goes to 3 and to 9.
fn change(program: &mut Program, own: [u8; 32], byte: u8) {
    program.write(b"new", &[byte]).write(b"gone", b"").add(b"sum", 5).event(byte);
    program.transfer(&own, &addr(3).0, 10).transfer(&own, &addr(9).0, 20);
}

/// The values under `new`, `gone` and `sum`, and the balance.
type Seen = (Option<Vec<u8>>, Option<Vec<u8>>, Option<Vec<u8>>, Option<u64>);

fn state_of(world: &World, id: [u8; 32]) -> Seen {
    let contract = Hash(id);
    let key = |key: &[u8]| stored(world, contract, key);
    (key(b"new"), key(b"gone"), key(b"sum"), money(world, Address(id)))
}

fn unchanged() -> Seen {
    (None, Some(b"1".to_vec()), Some(7_u64.to_le_bytes().to_vec()), Some(100))
}

fn changed(byte: u8) -> Seen {
    (Some(vec![byte]), None, Some(12_u64.to_le_bytes().to_vec()), Some(70))
}

enum End {
    Exit(u64),
    Abort,
}

/// The callee changes everything and ends so.
fn callee(end: &End) -> Module {
    let mut program = Program::new();
    change(&mut program, CALLEE, 2);
    match end {
        End::Exit(code) => program.exit(*code),
        End::Abort => program.abort(),
    }
}

#[test]
fn a_callee_that_succeeds_keeps_everything() {
    for mode in MODES {
        let mut program = Program::new();
        program.call(&CALLEE, b"").balance(&CALLEE).balance(&addr(3).0).balance(&addr(9).0);
        let mut world = world_with(mode, &program.exit(0), &callee(&End::Exit(0)));
        let receipt = run(&mut world, call(Hash(CALLER)));
        assert_eq!(receipt.return_data, [0, 70, 10, 20].map(u64::to_le_bytes).concat());
        assert_eq!((state_of(&world, CALLER), state_of(&world, CALLEE)), (unchanged(), changed(2)));
        assert_eq!((world.balance(3), world.balance(9)), (10, 20));
        assert_eq!((receipt.events.len(), receipt.events[0].contract), (1, Hash(CALLEE)));
    }
}

/// The caller changes everything before and after; nothing of it is undone with the callee.
#[test]
fn a_callee_that_fails_leaves_the_callers_changes() {
    for mode in MODES {
        for (end, result) in [(End::Exit(6), 6), (End::Abort, TRAPPED)] {
            let mut program = Program::new();
            change(&mut program, CALLER, 1);
            program.call(&CALLEE, b"").balance(&CALLEE).balance(&addr(3).0).balance(&addr(9).0);
            program.write(b"after", b"!").event(3).transfer(&CALLER, &addr(3).0, 4).balance(&addr(3).0);
            let mut world = world_with(mode, &program.exit(0), &callee(&end));
            let receipt = run(&mut world, call(Hash(CALLER)));
            // The first three are of the caller's own changes.
            let told = [0, 0, 0, result, 100, 10, 20, 0, 14];
            assert_eq!(receipt.return_data, told.map(u64::to_le_bytes).concat(), "{mode:?}");
            let (new, gone, sum, _) = changed(1);
            assert_eq!(state_of(&world, CALLER), (new, gone, sum, Some(66)));
            assert_eq!(state_of(&world, CALLEE), unchanged());
            assert_eq!(stored(&world, Hash(CALLER), b"after").unwrap(), b"!");
            assert_eq!((world.balance(3), world.balance(9)), (14, 20));
            let events: Vec<_> = receipt.events.iter().map(|event| (event.contract, event.data[0])).collect();
            assert_eq!(events, [(Hash(CALLER), 1), (Hash(CALLER), 3)]);
        }
    }
}

/// Whoever fails takes with him what those did that he called, also where they succeeded.
#[test]
fn what_a_failing_callee_called_is_undone_too() {
    const INNER: [u8; 32] = [0xcc; 32];
    for mode in MODES {
        for (end, result) in [(End::Exit(6), 6), (End::Abort, TRAPPED)] {
            let mut program = Program::new();
            program.call(&INNER, b"").write(b"new", b"x").event(7);
            let middle = match end {
                End::Exit(code) => program.exit(code),
                End::Abort => program.abort(),
            };
            let mut program = Program::new();
            program.call(&CALLEE, b"").balance(&addr(3).0).balance(&INNER).transfer(&CALLER, &addr(3).0, 4);
            let mut world = world_with(mode, &program.exit(0), &middle);
            let mut program = Program::new();
            program.write(b"new", b"x").event(8).transfer(&INNER, &addr(3).0, 33);
            let inner = install(&mut world, INNER[0], &program.exit(0));
            fund(&mut world, inner, 50);
            let before = world.clone();
            let receipt = run(&mut world, call(Hash(CALLER)));
            assert_eq!(receipt.return_data, [result, 0, 50, 0].map(u64::to_le_bytes).concat());
            assert_eq!(receipt.events, []);
            let mut expected = with_gas_paid(&before, receipt.gas_used);
            expected.edit(3, |account| account.balance = 4);
            fund(&mut expected, Hash(CALLER), 96);
            assert_eq!(world, expected);
        }
    }
}

/// One fails, the next succeeds, the next fails: only that in the middle is left.
#[test]
fn one_callee_after_another() {
    for mode in MODES {
        // Fails unless it is given an even number of bytes.
        let mut program = Program::new();
        program.raw("mov64 r6, r2\nand64 r6, 1");
        program.add(b"sum", 1).event(1).transfer(&CALLEE, &addr(3).0, 10);
        program.raw("jeq r6, 0, good\nmov64 r0, 5\nexit\ngood:");
        let callee = program.exit(0);
        let mut program = Program::new();
        for input in [b"1".as_slice(), b"", b"123", b"12", b"1"] {
            program.call(&CALLEE, input).balance(&addr(3).0);
        }
        let mut world = world_with(mode, &program.exit(0), &callee);
        let receipt = run(&mut world, call(Hash(CALLER)));
        assert_eq!(receipt.return_data, [5, 0, 0, 10, 5, 10, 0, 20, 5, 20].map(u64::to_le_bytes).concat());
        assert_eq!(stored(&world, Hash(CALLEE), b"sum").unwrap(), 9_u64.to_le_bytes());
        assert_eq!((money(&world, Address(CALLEE)), world.balance(3), receipt.events.len()), (Some(80), 20, 2));
    }
}

/// The caller fails after a callee that succeeded: nothing of either is left.
#[test]
fn a_caller_that_fails_undoes_its_callees() {
    for mode in MODES {
        for end in [End::Exit(3), End::Abort] {
            let mut program = Program::new();
            change(&mut program, CALLER, 1);
            program.call(&CALLEE, b"");
            let caller = match end {
                End::Exit(code) => program.exit(code),
                End::Abort => program.abort(),
            };
            let mut world = world_with(mode, &caller, &callee(&End::Exit(0)));
            let before = world.clone();
            let receipt = run(&mut world, InvokeContractPayload { deposits: native(9), ..call(Hash(CALLER)) });
            assert_eq!(receipt.events, []);
            assert_eq!(world, with_gas_paid(&before, receipt.gas_used));
        }
    }
}
