//! Balances and transfers of contracts (spec 8), in both modes of credit (spec 7.2).

use super::*;

const SELF: [u8; 32] = [0xaa; 32];

fn stranger() -> [u8; 32] {
    addr(9).0
}

/// A world with a contract that has 100.
fn with_contract(mode: CreditVisibility, program: &mut Program) -> (World, Hash) {
    let mut world = world_in(mode);
    let contract = install(&mut world, SELF[0], &program.exit(0));
    fund(&mut world, contract, 100);
    (world, contract)
}

#[test]
fn balances() {
    for mode in MODES {
        let mut program = Program::new();
        program.balance(&SELF).balance(&addr(SOURCE).0).balance(&addr(3).0).balance(&stranger());
        let (mut world, contract) = with_contract(mode, &mut program);
        world.edit(3, |account| account.balance = u64::MAX);
        assert_eq!(numbers(&mut world, call(contract)), [100, RICH - FEE - GAS, u64::MAX, 0]);
        assert!(!world.state.contains_key(&Key::Account(addr(9))), "to ask for a balance creates nobody");
    }
}

#[test]
fn transfers_show_in_balances_at_once() {
    for mode in MODES {
        let mut program = Program::new();
        for (to, amount) in [(addr(3).0, 5), (stranger(), 7), (addr(3).0, 10), (addr(SOURCE).0, 20)] {
            program.transfer(&SELF, &to, amount).balance(&SELF).balance(&to);
        }
        let (mut world, contract) = with_contract(mode, &mut program);
        world.edit(3, |account| account.balance = 1000);
        let source = RICH - FEE - GAS + 20;
        let receipt = run(&mut world, call(contract));
        let seen = [0, 95, 1005, 0, 88, 7, 0, 78, 1015, 0, 58, source];
        assert_eq!(receipt.return_data, seen.map(u64::to_le_bytes).concat(), "{mode:?}");
        assert_eq!((world.balance(3), money(&world, account_of(contract))), (1015, Some(58)));
        // A receiver is an account like any other.
        assert_eq!(world.account(9), Account { balance: 7, ..Account::default() });
        // What comes back to the source comes with its refund.
        assert_eq!(paid_gas(&world), receipt.gas_used - 20);
        assert_eq!(world.account(SOURCE).nonce, 1);
    }
}

#[test]
fn refusals() {
    for mode in MODES {
        let mut program = Program::new();
        let other = stranger();
        program.transfer(&addr(SOURCE).0, &other, 1).transfer(&other, &SELF, 0);
        program.transfer(&SELF, &SELF, 1).transfer(&SELF, &SELF, 101).transfer(&SELF, &SELF, 0);
        program.transfer(&SELF, &other, 101).transfer(&SELF, &other, u64::MAX).transfer(&SELF, &other, 0);
        program.balance(&SELF).balance(&other);
        let (mut world, contract) = with_contract(mode, &mut program);
        let before = world.clone();
        assert_eq!(numbers(&mut world, call(contract)), [1, 1, 2, 2, 0, 3, 3, 0, 100, 0]);
        assert_eq!(world, with_gas_paid(&before, paid_gas(&world)), "nobody got an account of nothing");
    }
}

#[test]
fn all_that_a_contract_has() {
    for mode in MODES {
        let mut program = Program::new();
        program.transfer(&SELF, &stranger(), 100).transfer(&SELF, &stranger(), 1);
        let (mut world, contract) = with_contract(mode, &mut program);
        assert_eq!(numbers(&mut world, call(contract)), [0, 3]);
        assert_eq!((money(&world, account_of(contract)), world.balance(9)), (Some(0), 100));
    }
}

#[test]
fn a_contract_without_account_has_nothing() {
    for mode in MODES {
        let mut program = Program::new();
        program.transfer(&SELF, &stranger(), 1).transfer(&SELF, &stranger(), 0);
        let (mut world, contract) = with_contract(mode, &mut program);
        world.state.remove(&Key::Account(account_of(contract)));
        let before = world.clone();
        assert_eq!(numbers(&mut world, call(contract)), [3, 0]);
        assert_eq!(world, with_gas_paid(&before, paid_gas(&world)));
    }
}

#[test]
fn a_receiver_that_is_full() {
    for mode in MODES {
        let mut program = Program::new();
        program.transfer(&SELF, &addr(3).0, 5).transfer(&SELF, &addr(3).0, 5).transfer(&SELF, &addr(3).0, 4);
        program.balance(&SELF).balance(&addr(3).0);
        let (mut world, contract) = with_contract(mode, &mut program);
        world.edit(3, |account| account.balance = u64::MAX - 9);
        // The second would be one too much; the sender keeps it.
        assert_eq!(numbers(&mut world, call(contract)), [0, 4, 0, 91, u64::MAX]);
        assert_eq!((world.balance(3), money(&world, account_of(contract))), (u64::MAX, Some(91)));
    }
}

/// What a contract gives to the source may leave no room for the refund: the transaction overflows, not the block.
#[test]
fn a_source_that_is_full() {
    let give = |mode, amount| {
        let mut program = Program::new();
        program.transfer(&SELF, &addr(SOURCE).0, amount);
        let (mut world, contract) = with_contract(mode, &mut program);
        fund(&mut world, contract, GAS);
        world.edit(SOURCE, |account| account.balance = u64::MAX);
        let transaction = transaction(&world, invoke(call(contract)));
        (world, Transaction { fee: 0, ..transaction })
    };
    // All of the gas makes room for the transfer, and what was used of it is the room that stays.
    let (mut world, transaction) = give(CreditVisibility::Immediate, 50);
    submit(&mut world, transaction).unwrap();
    let used = u64::MAX - world.balance(SOURCE) + 50;
    let (mut world, transaction) = give(CreditVisibility::Immediate, used);
    submit(&mut world, transaction).unwrap();
    assert_eq!(world.balance(SOURCE), u64::MAX);
    let (world, transaction) = give(CreditVisibility::Immediate, used + 1);
    assert_eq!(rejected_transaction(&world, transaction), TosError::Overflow);
    // With deferred credits spends make no room, the start of the block counts: not even the refund fits.
    let (world, transaction) = give(CreditVisibility::Deferred, 0);
    assert_eq!(rejected_transaction(&world, transaction), TosError::Overflow);
}

/// Callers give to callees: with deferred credits they see it, and cannot spend it yet.
#[test]
fn received_in_the_same_transaction() {
    for mode in MODES {
        let mut program = Program::new();
        program.balance(&[0xbb; 32]).transfer(&[0xbb; 32], &addr(3).0, 30);
        program.balance(&[0xbb; 32]).balance(&addr(3).0);
        let callee = program.exit(0);
        let mut program = Program::new();
        program.transfer(&SELF, &[0xbb; 32], 30).call(&[0xbb; 32], b"");
        let out = program.space(32);
        program.sys("get_return_data", &[out, 32]);
        for number in 0..4 {
            program.raw(&format!("lddw r1, {}\nldxdw r0, [r1+0]", out + 8 * number)).note();
        }
        program.balance(&[0xbb; 32]).balance(&addr(3).0);
        let (mut world, contract) = with_contract(mode, &mut program);
        install(&mut world, 0xbb, &callee);
        let seen = numbers(&mut world, call(contract));
        let (spent, left, got) = if mode == CreditVisibility::Immediate { (0, 0, 30) } else { (3, 30, 0) };
        assert_eq!(seen, [0, 0, 30, spent, left, got, left, got], "{mode:?}");
        assert_eq!((money(&world, Address([0xbb; 32])), world.balance(3)), (Some(left), got));
    }
}
