//! The rules by which balances stay unread and storage is wiped unseen, where they are easily broken: each in a block
//! put together by hand that hardly anything else is in.

#[path = "common/mod.rs"]
mod common;

use alloy_primitives::{Address, B256, Bytes, TxKind, U256};
use common::asm::Asm;
use common::block::Block;
use common::env::env;
use common::path::{Path, Refused};
use common::phoenix;
use common::world::World;
use revm::bytecode::opcode as op;
use revm::context::TxEnv;
use revm::context::result::InvalidTransaction;
use revm::primitives::hardfork::SpecId;

const COINBASE: Address = Address::repeat_byte(0xc0);
const CONTRACT: Address = Address::repeat_byte(0xaa);
const OTHER: Address = Address::repeat_byte(0xbb);

fn sender(index: usize) -> Address {
    Address::left_padding_from(&(0x1000 + index).to_be_bytes())
}

/// A state with senders, and a contract that has some ether and 1 in slot 0.
fn world(code: Asm) -> World {
    let mut world = World::default();
    for index in 0..64 {
        world.insert(sender(index), U256::from(10).pow(U256::from(18)), 0, &Bytes::new(), []);
    }
    world.insert(CONTRACT, U256::from(1_000), 1, &code.finish(), [(U256::ZERO, U256::from(1))]);
    world
}

/// The first transaction of a sender.
fn call(from: usize, to: Address, value: u64, input: impl Into<Bytes>) -> TxEnv {
    TxEnv {
        caller: sender(from),
        gas_limit: 500_000,
        gas_price: 10,
        kind: TxKind::Call(to),
        value: U256::from(value),
        data: input.into(),
        chain_id: Some(1),
        ..TxEnv::default()
    }
}

/// A block of which all transactions are valid.
fn block(spec: SpecId, pre: World, transactions: impl IntoIterator<Item = TxEnv>) -> Block {
    let mut block = Block::new(env(spec, COINBASE), pre);
    for (index, transaction) in transactions.into_iter().enumerate() {
        assert!(block.push(format!("transaction {index}"), transaction), "transaction {index} is valid");
    }
    block
}

#[track_caller]
fn check(block: &Block) {
    for (threads, units) in [(1, 1), (1, 3), (2, 1), (4, 1)] {
        block.check(&Path::parallel(threads, units)).unwrap();
    }
}

/// It is loaded then, though nobody has looked at what it has.
#[test]
fn a_fee_recipient_that_is_paid_by_a_contract_gets_its_fee_as_well() {
    let mut pays = Asm::default();
    pays.push(0).push(0).push(0).push(0).push(5).push_address(COINBASE).op(op::GAS).op(op::CALL);
    let mut pre = world(pays);
    pre.insert(COINBASE, U256::from(100), 0, &Bytes::new(), []);
    let block = block(SpecId::CANCUN, pre, (0..8).map(|index| call(index, CONTRACT, 0, Bytes::new())));
    let used: u64 = block.expected.results.iter().map(|result| result.tx_gas_used()).sum();
    let tip = 10 - 7;
    assert_eq!(block.expected.world.accounts[&COINBASE].balance, U256::from(100 + 8 * 5 + tip * used));
    check(&block);
}

/// To be paid nothing is to be touched.
#[test]
fn an_empty_fee_recipient_is_cleared_by_a_fee_of_nothing() {
    for to in [CONTRACT, OTHER] {
        let mut pre = world(Asm::default());
        pre.insert(COINBASE, U256::ZERO, 0, &Bytes::new(), []);
        let pays = TxEnv { gas_price: 7, ..call(0, to, 1, Bytes::new()) };
        let block = block(SpecId::CANCUN, pre, [pays]);
        assert!(!block.expected.world.accounts.contains_key(&COINBASE));
        check(&block);
    }
}

/// What is left of the gas for state is no part of the fee.
#[test]
fn the_fee_of_a_transaction_with_gas_for_state() {
    let pays = TxEnv { gas_limit: 25_000_000, ..call(0, CONTRACT, 0, Bytes::new()) };
    let block = block(SpecId::AMSTERDAM, world(Asm::default()), [pays]);
    let tip = U256::from(10 - 7) * U256::from(block.expected.results[0].tx_gas_used());
    assert_eq!(block.expected.world.accounts[&COINBASE].balance, tip);
    check(&block);
}

/// It was not noticed when it was paid: that is, it is executed again.
#[test]
fn a_payment_that_is_too_much_and_then_looked_at() {
    let mut pays = Asm::default();
    pays.push(0).push(0).push(0).push(0).push(5).push_address(OTHER).push(50_000).op(op::CALL).push(0).op(op::MSTORE);
    pays.push_address(OTHER).op(op::BALANCE).push(32).op(op::MSTORE).push(64).push(0).op(op::LOG0);
    let mut pre = world(pays);
    let balance = U256::MAX - U256::from(3);
    pre.insert(OTHER, balance, 0, &Bytes::new(), []);
    let block = block(SpecId::CANCUN, pre, (0..4).map(|index| call(index, CONTRACT, 0, Bytes::new())));
    for result in &block.expected.results {
        let seen = [B256::ZERO.0, balance.to_be_bytes()].concat();
        assert_eq!(result.logs()[0].data.data, Bytes::from(seen));
    }
    check(&block);
}

/// Before the block it was surely not empty.
#[test]
fn what_is_destroyed_is_empty_to_those_that_look() {
    let mut looks = Asm::default();
    looks.push_address(OTHER).op(op::EXTCODEHASH).push(0).op(op::MSTORE).push(32).push(0).op(op::LOG0);
    let mut pre = world(looks);
    pre.insert(OTHER, U256::from(3), 1, &phoenix::runtime(), []);
    let transactions = [call(0, OTHER, 0, vec![1]), call(1, CONTRACT, 0, Bytes::new())];
    let block = block(SpecId::SHANGHAI, pre, transactions);
    assert_eq!(block.expected.results[1].logs()[0].data.data, Bytes::from(B256::ZERO));
    check(&block);
}

/// What follows the deployment changes the account, and runs nothing of it.
#[test]
fn code_that_the_block_deploys_is_found_after_the_account_is_paid() {
    let mut pays = Asm::default();
    pays.push(0).op(op::CALLDATALOAD).op(op::SELFDESTRUCT);
    let deployed = sender(0).create(0);
    let deploys = TxEnv { kind: TxKind::Create, ..call(0, Address::ZERO, 0, phoenix::init()) };
    let transactions = [deploys, call(1, CONTRACT, 0, deployed.into_word()), call(2, deployed, 0, Bytes::new())];
    let block = block(SpecId::CANCUN, world(pays), transactions);
    let account = &block.expected.world.accounts[&deployed];
    assert_eq!((account.balance, account.storage[&U256::ZERO]), (U256::from(1_000), U256::from(1)));
    check(&block);
}

/// revm does not ask whether there is storage where it creates (EIP-7610), and what it creates has none of it.
#[test]
fn what_is_created_begins_with_empty_storage_whatever_was_there() {
    let created = sender(0).create(0);
    let mut pre = world(Asm::default());
    pre.insert(created, U256::from(11), 0, &Bytes::new(), [0, 5].map(|slot| (U256::from(slot), U256::from(9))));
    let creates = TxEnv { kind: TxKind::Create, ..call(0, Address::ZERO, 0, phoenix::init()) };
    let block = block(SpecId::CANCUN, pre, [creates, call(1, created, 0, Bytes::new())]);
    let slots = [(0, 1), (1, 7)].map(|(slot, value)| (U256::from(slot), U256::from(value)));
    assert_eq!(block.expected.world.accounts[&created].storage, slots.into());
    check(&block);
}

/// A payment to a precompile that fails is undone. Of this one alone the touch is not (as it is on mainnet, since block
/// 2675119).
#[test]
fn an_empty_account_that_is_touched_by_a_payment_in_vain_is_cleared() {
    let ripemd = Address::with_last_byte(3);
    let mut pre = world(Asm::default());
    pre.insert(ripemd, U256::ZERO, 0, &Bytes::new(), []);
    let pays = TxEnv { gas_limit: 21_100, ..call(0, ripemd, 1, Bytes::new()) };
    for spec in [SpecId::SPURIOUS_DRAGON, SpecId::CANCUN] {
        let block = block(spec, pre.clone(), [pays.clone()]);
        assert!(block.expected.results[0].is_halt(), "it has not gas enough");
        assert!(!block.expected.world.accounts.contains_key(&ripemd));
        check(&block);
    }
}

/// The last transaction sets the slot back to what it was, in stretches of either kind.
#[test]
fn a_slot_that_comes_back_after_the_stretch_of_plain_revm() {
    let mut sets = Asm::default();
    sets.push(0).op(op::CALLDATALOAD).push(0).op(op::SSTORE);
    let pre = world(sets);
    // Three units in parallel, then some two dozen that are not, then again three.
    let path = Path::alternating(3, 1, u32::MAX);
    for length in 1..40 {
        let input = |index| U256::from(if index + 1 < length { 2 } else { 1 }).to_be_bytes_vec();
        let transactions = (0..length).map(|index| call(index, CONTRACT, 0, input(index)));
        let block = block(SpecId::CANCUN, pre.clone(), transactions);
        assert_eq!(block.expected.world.accounts[&CONTRACT].storage[&U256::ZERO], U256::from(1));
        block.check(&path).unwrap();
    }
}

/// One slot and one balance are changed in two parallel stretches, and left alone by plain revm in between: then they are
/// not in its journal when it goes on after the second.
#[test]
fn what_parallel_stretches_leave_below_plain_revm_is_found_there() {
    let mut counts = Asm::default();
    counts.push(1).push(0).op(op::CALLDATALOAD).ops(&[op::SLOAD, op::ADD]);
    counts.push(0).ops(&[op::CALLDATALOAD, op::SSTORE]);
    let pre = world(counts);
    let count = |index, slot: u64| call(index, CONTRACT, 0, U256::from(slot).to_be_bytes_vec());
    let path = Path::alternating(3, 1, u32::MAX);
    for length in 1..48 {
        // Three units in parallel, and eight times as many that are not.
        let transactions = (0..length).map(|index| match index {
            1 | 28 => call(index, OTHER, 1, Bytes::new()),
            3..=26 => count(index, 2),
            _ if index % 4 == 1 => call(index, OTHER, 1, Bytes::new()),
            _ => count(index, 1),
        });
        block(SpecId::CANCUN, pre.clone(), transactions).check(&path).unwrap();
    }
}

/// Plain revm destroys it, and leaves its storage in the journal; or whoever pays it does so in the same stretch.
#[test]
fn what_is_destroyed_in_one_stretch_and_paid_in_the_next_has_no_storage() {
    let mut pre = world(Asm::default());
    pre.insert(OTHER, U256::from(3), 1, &phoenix::runtime(), [(U256::from(1), U256::from(7))]);
    let path = Path::alternating(3, 1, u32::MAX);
    for length in 2..40 {
        let counts = (2..length).map(|index| call(index, OTHER, 0, Bytes::new()));
        let transactions = counts.chain([call(0, OTHER, 0, vec![1]), call(1, OTHER, 4, Bytes::new())]);
        let block = block(SpecId::SHANGHAI, pre.clone(), transactions);
        let left = &block.expected.world.accounts[&OTHER];
        assert_eq!((left.balance, left.storage.len()), (U256::from(4), 0));
        block.check(&path).unwrap();
    }
}

/// In the state before the block it is the right one.
#[test]
fn a_nonce_that_a_lower_transfer_has_used_is_refused() {
    let transactions: Vec<_> = (0..8).map(|index| call(index % 5, OTHER, 1, Bytes::new())).collect();
    for (threads, units) in [(1, 1), (2, 1), (4, 1), (2, 8)] {
        let path = Path::parallel(threads, units);
        let refused = path.execute(&env(SpecId::CANCUN, COINBASE), &world(Asm::default()), &transactions).unwrap_err();
        let expected = InvalidTransaction::NonceTooLow { tx: 0, state: 1 };
        assert!(matches!(&refused, Refused::Invalid(5, error) if *error == expected), "{path}: {refused}");
    }
}

/// Workers keep their machine, and what they have read last. The first block ends with a transaction that cannot be
/// paid for; in the state of the second it can.
#[test]
fn one_block_leaves_nothing_to_the_next() {
    let rich = world(Asm::default());
    let mut poor = rich.clone();
    poor.insert(sender(0), U256::from(1), 0, &Bytes::new(), []);
    let transactions = [call(0, CONTRACT, 0, Bytes::new())];
    let path = Path::parallel(1, 1);
    let refused = path.execute(&env(SpecId::CANCUN, COINBASE), &poor, &transactions).unwrap_err();
    assert!(matches!(refused, Refused::Invalid(0, InvalidTransaction::LackOfFundForMaxFee { .. })), "{refused}");
    block(SpecId::CANCUN, rich, transactions).check(&path).unwrap();
}

/// A transaction, with another nonce than the first.
fn later(nonce: u64, transaction: TxEnv) -> TxEnv {
    TxEnv { nonce, ..transaction }
}

/// The last of `transactions` is invalid, and every path says why.
#[track_caller]
fn check_refused(pre: &World, transactions: &[TxEnv], why: &InvalidTransaction) {
    let last = transactions.len() - 1;
    for (threads, units) in [(1, 1), (1, 3), (2, 1), (4, 1)] {
        let path = Path::parallel(threads, units);
        let refused = path.execute(&env(SpecId::CANCUN, COINBASE), pre, transactions).unwrap_err();
        assert!(matches!(&refused, Refused::Invalid(at, error) if *at == last && error == why), "{path}: {refused}");
    }
}

/// Nobody has looked at the sender of the second transaction: that his nonce is another one shows when the first is known.
#[test]
fn a_sender_who_was_not_looked_at_must_have_the_nonce() {
    for to in [OTHER, CONTRACT] {
        for (nonce, why) in [
            (0, InvalidTransaction::NonceTooLow { tx: 0, state: 1 }),
            (2, InvalidTransaction::NonceTooHigh { tx: 2, state: 1 }),
        ] {
            let sent = |nonce| later(nonce, call(0, to, 1, vec![1]));
            check_refused(&world(Asm::default()), &[sent(0), sent(nonce)], &why);
            check_refused(&world(Asm::default()), &[call(0, OTHER, 1, Bytes::new()), sent(nonce)], &why);
        }
    }
}

/// Nor has anybody looked at what he has.
#[test]
fn a_sender_who_was_not_looked_at_must_have_enough() {
    let (has, value, fee) = (U256::from(20_000_000), 14_000_000, 21_000 * 10);
    let mut pre = world(Asm::default());
    pre.insert(sender(0), has, 0, &Bytes::new(), []);
    let left = has - U256::from(value + fee);
    let first = TxEnv { gas_limit: 21_000, ..call(0, OTHER, value, Bytes::new()) };
    for (to, value) in [(OTHER, 790_001), (CONTRACT, 790_001)] {
        let pays = later(1, call(0, to, value, Bytes::new()));
        let needed = U256::from(value) + U256::from(500_000 * 10);
        let why = InvalidTransaction::LackOfFundForMaxFee { fee: Box::new(needed), balance: Box::new(left) };
        check_refused(&pre, &[first.clone(), pays.clone()], &why);
        let just_enough = TxEnv { value: pays.value - U256::from(1), ..pays };
        check(&block(SpecId::CANCUN, pre.clone(), [first.clone(), just_enough]));
    }
}

/// Who has nothing before the block can spend what it is paid in it, and need not be looked at for that.
#[test]
fn what_was_received_in_the_block_can_be_spent_in_it() {
    let poor = |index: usize| Address::left_padding_from(&(0x2000 + index).to_be_bytes());
    let mut transactions = vec![call(0, poor(0), 1_000_000_000, Bytes::new())];
    for index in 0..6 {
        let by = |transaction| TxEnv { caller: poor(index), ..transaction };
        transactions.push(by(call(0, CONTRACT, 1, Bytes::new())));
        let value = 1_000_000_000 - 20_000_000 * (index as u64 + 1);
        transactions.push(by(later(1, call(0, poor(index + 1), value, Bytes::new()))));
    }
    let block = block(SpecId::CANCUN, world(Asm::default()), transactions);
    assert_eq!(block.expected.world.accounts[&poor(5)].nonce, 2);
    check(&block);
}

/// Then nothing is assumed, and nothing is a delta.
#[test]
fn payments_of_more_than_there_could_ever_be() {
    let much = U256::from(1) << 200;
    let mut pre = world(Asm::default());
    pre.insert(sender(0), much << 2, 0, &Bytes::new(), []);
    let pays = |nonce, to, value| later(nonce, TxEnv { value, ..call(0, to, 0, Bytes::new()) });
    let payee = |nonce, to| TxEnv { caller: OTHER, ..pays(nonce, to, much) };
    let transactions = [
        pays(0, OTHER, much),
        pays(1, CONTRACT, much),
        pays(2, OTHER, much),
        payee(0, CONTRACT),
        payee(1, sender(1)),
        pays(3, OTHER, U256::from(1)),
    ];
    // It comes to nearly nothing, or to as much as there can be.
    for has in [U256::from(20_000_000), U256::MAX - (much << 1)] {
        pre.insert(OTHER, has, 0, &Bytes::new(), []);
        let block = block(SpecId::CANCUN, pre.clone(), transactions.clone());
        assert_eq!(block.expected.world.accounts[&CONTRACT].balance, (much << 1) + U256::from(1_000));
        check(&block);
    }
}

/// A contract that logs what its caller has before and after it gives him 5.
fn looks_at_caller() -> Asm {
    let mut looks = Asm::default();
    looks.ops(&[op::CALLER, op::BALANCE]).push(0).op(op::MSTORE);
    looks.push(0).push(0).push(0).push(0).push(5).ops(&[op::CALLER, op::GAS, op::CALL, op::POP]);
    looks.ops(&[op::CALLER, op::BALANCE]).push(32).op(op::MSTORE).push(64).push(0).op(op::LOG0);
    looks
}

/// He is looked at then, in the middle of his transaction: he has paid for the gas, and sent what he sends.
#[test]
fn a_sender_who_was_not_looked_at_is_seen_as_he_is() {
    let sent = |nonce| later(nonce, call(0, CONTRACT, 2, Bytes::new()));
    let block = block(SpecId::CANCUN, world(looks_at_caller()), (0..6).map(sent));
    let has = U256::from(10).pow(U256::from(18)) - U256::from(500_000 * 10 + 2);
    let seen = [has.to_be_bytes::<32>(), (has + U256::from(5)).to_be_bytes()].concat();
    assert_eq!(block.expected.results[0].logs()[0].data.data, Bytes::from(seen));
    check(&block);
}

/// Before the first of them is looked at, and in whatever way he gets something.
#[test]
fn a_sender_who_was_not_looked_at_keeps_what_he_gets_on_the_way() {
    let mut pays = Asm::default();
    pays.push(0).push(0).push(0).push(0).push(5).ops(&[op::CALLER, op::GAS, op::CALL]);
    let mut fails = Asm::default();
    fails.push(0).push(0).push(0).push(0).push(5).ops(&[op::CALLER, op::GAS, op::CALL]).push(0).push(0).op(op::REVERT);
    let mut pre = world(pays);
    pre.insert(OTHER, U256::from(100), 1, &fails.finish(), []);
    // The sender of all of them is paid their fees as well, and in the end all that a contract has.
    for coinbase in [COINBASE, sender(0)] {
        for spec in [SpecId::FRONTIER, SpecId::SHANGHAI, SpecId::CANCUN, SpecId::AMSTERDAM] {
            let mut pre = pre.clone();
            let heir = Address::repeat_byte(0xdd);
            let mut ends = Asm::default();
            ends.ops(&[op::CALLER, op::SELFDESTRUCT]);
            pre.insert(heir, U256::from(77), 1, &ends.finish(), []);
            let mut block = Block::new(env(spec, coinbase), pre);
            for (nonce, to) in [CONTRACT, OTHER, sender(0), heir, CONTRACT, OTHER, COINBASE].into_iter().enumerate() {
                let sent = later(nonce as u64, call(0, to, 3, Bytes::new()));
                assert!(block.push(format!("transaction {nonce} in {spec:?}"), sent), "transaction {nonce}");
            }
            check(&block);
        }
    }
}
