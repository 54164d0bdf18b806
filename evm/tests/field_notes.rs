//! What went wrong in other parallel executions of Ethereum, as tests. Each begins with the number that the field notes
//! give it.

#[path = "common/mod.rs"]
mod common;

use alloy_primitives::{Address, Bytes, TxKind, U256};
use common::asm::Asm;
use common::block::Block;
use common::env::env;
use common::path::{Path, Refused};
use common::phoenix::{self, FACTORY};
use common::troubled::{Awaited, HELD, Troubled};
use common::world::World;
use revm::bytecode::opcode as op;
use revm::context::TxEnv;
use revm::context::result::{ExecutionResult, InvalidTransaction};
use revm::context_interface::cfg::gas_params::GasId;
use revm::primitives::hardfork::SpecId;
use weft_engine::{BlockError, Config, Mode};
use weft_evm::{EvmEnv, ParallelError, ParallelEvm};

const COINBASE: Address = Address::repeat_byte(0xc0);
const CONTRACT: Address = Address::repeat_byte(0xaa);
const RECEIVER: Address = Address::repeat_byte(0xbb);

fn sender(index: usize) -> Address {
    Address::left_padding_from(&(0x1000 + index).to_be_bytes())
}

fn cancun() -> EvmEnv {
    env(SpecId::CANCUN, COINBASE)
}

/// A state with senders, and a contract with this code and storage.
fn world(code: &Bytes, storage: &[(u64, u64)]) -> World {
    let mut world = World::default();
    for index in 0..250 {
        world.insert(sender(index), U256::from(10).pow(U256::from(18)), 0, &Bytes::new(), []);
    }
    let storage = storage.iter().map(|(slot, value)| (U256::from(*slot), U256::from(*value)));
    world.insert(CONTRACT, U256::from(1_000_000), 1, code, storage);
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

fn parallel(threads: usize) -> ParallelEvm {
    ParallelEvm::with_fixed_units(Config { mode: Mode::Optimistic, max_parallel_threads: threads, ..Config::default() })
}

fn paths() -> Vec<Path> {
    let parallel = [(1, 1), (2, 1), (4, 1), (4, 3)].map(|(threads, units)| Path::parallel(threads, units));
    std::iter::once(Path::Sequential).chain(parallel).collect()
}

/// A block of which all transactions are valid.
fn block(env: &EvmEnv, pre: &World, transactions: impl IntoIterator<Item = TxEnv>) -> Block {
    let mut block = Block::new(env.clone(), pre.clone());
    for (index, transaction) in transactions.into_iter().enumerate() {
        assert!(block.push(format!("transaction {index}"), transaction), "transaction {index} is valid");
    }
    block
}

#[track_caller]
fn check(block: &Block) {
    for path in paths() {
        block.check(&path).unwrap();
    }
}

fn gas(result: &ExecutionResult) -> u64 {
    result.tx_gas_used()
}

/// As long as slot 0 is not zero it does `trouble`. Called with data it sets slot 0 to zero, after a while.
fn door(trouble: impl FnOnce(&mut Asm)) -> Bytes {
    let mut code = Asm::default();
    code.op(op::CALLDATASIZE);
    let close = code.jump_if();
    code.push(0).op(op::SLOAD).op(op::ISZERO);
    let end = code.jump_if();
    trouble(&mut code);
    code.land(end);
    code.op(op::STOP);
    code.land(close);
    code.push(HELD).op(op::SLOAD).op(op::POP).push(0).push(0).op(op::SSTORE);
    code.finish()
}

fn read_slot(code: &mut Asm) {
    code.push(99).op(op::SLOAD).op(op::POP);
}

fn read_hash(code: &mut Asm) {
    code.push(999).op(op::BLOCKHASH).op(op::POP);
}

/// The read fails, but in order nobody makes it: the first transaction closes the door.
fn fails_only_speculatively(trouble: impl FnOnce(&mut Asm)) {
    let pre = world(&door(trouble), &[(0, 1), (HELD, 1)]);
    let transactions: Vec<_> =
        (0..12).map(|index| call(index, CONTRACT, 0, if index == 0 { vec![1] } else { vec![] })).collect();
    let expected = block(&cancun(), &pre, transactions.clone()).expected;
    for threads in [2, 4] {
        let mut db = Troubled::new(pre.clone(), Awaited::Failure);
        (db.broken_slot, db.broken_hash) = (Some(U256::from(99)), Some(999));
        let executed = parallel(threads).execute(&cancun(), &db, &transactions).unwrap();
        assert_eq!(executed.results, expected.results, "{threads} threads");
        assert!(db.failures() > 0, "{threads} threads: nobody has met the failure");
    }
}

#[test]
fn item_15_a_slot_that_fails_to_be_read_for_nothing() {
    fails_only_speculatively(read_slot);
}

#[test]
fn item_15_a_block_hash_that_fails_to_be_read_for_nothing() {
    fails_only_speculatively(read_hash);
}

/// The read fails, and in order the fourth transaction is the first to make it.
fn fails_at_the_fourth(trouble: impl FnOnce(&mut Asm), what: &str) {
    let pre = world(&door(trouble), &[(0, 1), (HELD, 1)]);
    let to = |index| if index < 3 { RECEIVER } else { CONTRACT };
    let transactions: Vec<_> = (0..12).map(|index| call(index, to(index), 0, Bytes::new())).collect();
    for threads in [1, 2, 4] {
        let mut db = Troubled::new(pre.clone(), Awaited::Nothing);
        (db.broken_slot, db.broken_hash) = (Some(U256::from(99)), Some(999));
        let error = parallel(threads).execute(&cancun(), &db, &transactions).unwrap_err();
        let ParallelError::Block(BlockError::Storage { transaction, source }) = error else {
            panic!("{threads} threads: {error:?}")
        };
        assert_eq!(transaction, 3, "{threads} threads");
        assert!(source.to_string().contains(what), "{source}");
    }
}

#[test]
fn item_15_a_slot_that_fails_to_be_read_names_the_transaction() {
    fails_at_the_fourth(read_slot, "slot 99");
}

#[test]
fn item_15_a_block_hash_that_fails_to_be_read_names_the_transaction() {
    fails_at_the_fourth(read_hash, "hash of block 999");
}

/// Logs what chain this is.
fn chain_teller() -> Bytes {
    let mut code = Asm::default();
    code.op(op::CHAINID).push(0).op(op::MSTORE).push(32).push(0).op(op::LOG0);
    code.finish()
}

#[test]
fn item_16_the_chain_is_the_same_on_both_paths() {
    let pre = world(&chain_teller(), &[]);
    let mut env = cancun();
    env.cfg_env.chain_id = 5;
    let on = |chain_id| {
        (0..8).map(move |index| TxEnv { chain_id: Some(chain_id), ..call(index, CONTRACT, 0, Bytes::new()) })
    };
    let block = block(&env, &pre, on(5));
    assert_eq!(block.expected.results[0].logs()[0].data.data, Bytes::from(U256::from(5).to_be_bytes_vec()));
    check(&block);
    let transactions: Vec<_> = on(5).take(3).chain(on(1).skip(3)).collect();
    for path in paths() {
        let refused = path.execute(&env, &pre, &transactions).unwrap_err();
        assert!(matches!(refused, Refused::Invalid(3, InvalidTransaction::InvalidChainId)), "{path}: {refused}");
    }
}

#[test]
fn item_16_the_fork_is_the_same_on_both_paths() {
    // PUSH0 is of Shanghai.
    let pre = world(&Bytes::from_static(&[op::PUSH0, op::PUSH0, op::LOG0]), &[]);
    for (spec, knows) in [(SpecId::MERGE, false), (SpecId::SHANGHAI, true)] {
        let transactions = (0..8).map(|index| call(index, CONTRACT, 0, Bytes::new()));
        let block = block(&env(spec, COINBASE), &pre, transactions);
        assert!(block.expected.results.iter().all(|result| result.is_success() == knows));
        check(&block);
    }
}

#[test]
fn item_16_the_price_of_gas_and_the_checks_are_the_same_on_both_paths() {
    let pre = world(&chain_teller(), &[]);
    let mut env = cancun();
    let costs = [(GasId::tx_base_stipend(), 30_000), (GasId::logdata(), 100)];
    env.cfg_env.gas_params.override_gas(costs);
    env.cfg_env.disable_nonce_check = true;
    let transactions = (0..8).map(|index| {
        let to = if index % 2 == 0 { RECEIVER } else { CONTRACT };
        TxEnv { nonce: index as u64, ..call(index, to, 1, Bytes::new()) }
    });
    let block = block(&env, &pre, transactions);
    assert_eq!(gas(&block.expected.results[0]), 30_000);
    assert!(gas(&block.expected.results[1]) > 30_000 + 32 * 100);
    check(&block);
}

#[test]
fn item_17_a_self_destruct_costs_no_fallback() {
    let mut pre = world(&phoenix::runtime(), &[(0, 5)]);
    let contract = |index: u8| Address::repeat_byte(0x20 + index);
    for index in 0..40 {
        pre.insert(contract(index), U256::from(3), 1, &phoenix::runtime(), [(U256::ZERO, U256::from(5))]);
    }
    // Every fourth contract is destroyed, and its ether paid to its caller.
    let transactions: Vec<_> = (0..40_u8)
        .map(|index| call(index.into(), contract(index), 0, if index % 4 == 0 { vec![1] } else { vec![] }))
        .collect();
    let env = env(SpecId::SHANGHAI, COINBASE);
    let block = block(&env, &pre, transactions.clone());
    check(&block);
    assert_eq!(block.expected.world.accounts.keys().filter(|address| **address == contract(4)).count(), 0);
    for threads in [1, 2, 4] {
        let metrics = parallel(threads).execute(&env, &pre, &transactions).unwrap().metrics;
        assert_eq!(metrics.sequential_transactions, 0, "{threads} threads");
        assert_eq!((metrics.executions, metrics.aborts), (40, 0), "{threads} threads");
    }
}

#[test]
fn item_17_a_bad_nonce_is_a_typed_outcome() {
    let pre = world(&chain_teller(), &[]);
    let mut transactions: Vec<_> = (0..20).map(|index| call(index, CONTRACT, 0, Bytes::new())).collect();
    transactions[7].nonce = 2;
    transactions[9].nonce = 3;
    for threads in [1, 2, 4] {
        let error = parallel(threads).execute(&cancun(), &pre, &transactions).unwrap_err();
        let ParallelError::Invalid { transaction, source } = error else { panic!("{threads} threads: {error:?}") };
        assert_eq!(transaction, 7, "{threads} threads");
        assert_eq!(source, InvalidTransaction::NonceTooHigh { tx: 2, state: 0 }, "{threads} threads");
    }
}

/// Logs the balances of the receiver and of the fee recipient. Called with data it pays the receiver, after a while.
fn observer() -> Bytes {
    let mut code = Asm::default();
    code.op(op::CALLDATASIZE);
    let pay = code.jump_if();
    code.push_address(RECEIVER).op(op::BALANCE).push(0).op(op::MSTORE);
    code.push_address(COINBASE).op(op::BALANCE).push(32).op(op::MSTORE);
    code.push(64).push(0).op(op::LOG0).op(op::STOP);
    code.land(pay);
    code.push(HELD).op(op::SLOAD).op(op::POP);
    code.push(0).push(0).push(0).push(0).push(5).push_address(RECEIVER).op(op::GAS).op(op::CALL);
    code.finish()
}

#[test]
fn item_20_two_reads_of_one_execution_see_the_same() {
    // It reads the receiver's balance, and again after the slot that takes a while.
    let mut code = Asm::default();
    code.push_address(RECEIVER).op(op::BALANCE);
    code.push(HELD).op(op::SLOAD).op(op::POP);
    code.push_address(RECEIVER).op(op::BALANCE).op(op::SUB).push(0).op(op::MSTORE).push(32).push(0).op(op::LOG0);
    let pre = world(&code.finish(), &[]);
    let transactions: Vec<_> = (0..24)
        .map(|index| call(index, if index % 3 == 0 { RECEIVER } else { CONTRACT }, u64::from(index % 3 == 0), vec![]))
        .collect();
    let block = block(&cancun(), &pre, transactions.clone());
    for result in block.expected.results.iter().filter(|result| !result.logs().is_empty()) {
        assert_eq!(result.logs()[0].data.data, Bytes::from([0; 32]));
    }
    check(&block);
    let db = Troubled::new(pre, Awaited::Account(RECEIVER));
    let executed = parallel(4).execute(&cancun(), &db, &transactions).unwrap();
    assert_eq!(executed.results, block.expected.results);
}

#[test]
fn item_21_a_slot_that_comes_back_to_its_old_value() {
    // Logs slot 0, then sets it to what it is called with, if that is something.
    let mut code = Asm::default();
    code.push(0).op(op::SLOAD).push(0).op(op::MSTORE).push(32).push(0).op(op::LOG0);
    code.op(op::CALLDATASIZE);
    let set = code.jump_if();
    code.op(op::STOP);
    code.land(set);
    code.push(0).op(op::CALLDATALOAD).push(0).op(op::SSTORE);
    let pre = world(&code.finish(), &[(0, 1)]);
    let input = |index: usize| match index % 4 {
        0 => U256::from(2).to_be_bytes_vec(),
        2 => U256::from(1).to_be_bytes_vec(),
        _ => Vec::new(),
    };
    let transactions: Vec<_> = (0..40).map(|index| call(index, CONTRACT, 0, input(index))).collect();
    let block = block(&cancun(), &pre, transactions.clone());
    for _ in 0..20 {
        check(&block);
    }
    let changes = parallel(4).execute(&cancun(), &pre, &transactions).unwrap().changes;
    let Ok(diff) = changes.diff(&pre);
    assert!(!diff.accounts.contains_key(&CONTRACT), "{:?}", diff.accounts[&CONTRACT]);
}

#[test]
fn item_22_a_payment_that_a_later_reader_has_missed() {
    let mut pre = world(&observer(), &[(HELD, 1)]);
    pre.insert(RECEIVER, U256::from(100), 0, &Bytes::new(), []);
    let transactions: Vec<_> =
        (0..16).map(|index| call(index, CONTRACT, 0, if index == 0 { vec![1] } else { vec![] })).collect();
    let block = block(&cancun(), &pre, transactions.clone());
    check(&block);
    let mut seen = block.expected.results[15].logs()[0].data.data.to_vec();
    assert_eq!(U256::from_be_slice(&seen.split_off(32)), U256::from(3 * block_gas(&block, 15)), "fees");
    assert_eq!(U256::from_be_slice(&seen), U256::from(105));
    for threads in [2, 4] {
        let db = Troubled::new(pre.clone(), Awaited::Account(RECEIVER));
        let executed = parallel(threads).execute(&cancun(), &db, &transactions).unwrap();
        assert_eq!(executed.results, block.expected.results, "{threads} threads");
        let metrics = executed.metrics;
        assert!(metrics.executions > metrics.transactions, "{threads} threads: nobody has read too early");
    }
}

/// What the first transactions of a block use.
fn block_gas(block: &Block, transactions: usize) -> u64 {
    block.expected.results[..transactions].iter().map(gas).sum()
}

#[test]
fn item_23_payments_that_are_too_much_for_their_receiver() {
    let mut pre = world(&chain_teller(), &[]);
    pre.insert(RECEIVER, U256::MAX - U256::from(7), 0, &Bytes::new(), []);
    let transactions: Vec<_> = (0..12).map(|index| call(index, RECEIVER, 3, Bytes::new())).collect();
    let block = block(&cancun(), &pre, transactions);
    let succeeded = block.expected.results.iter().filter(|result| result.is_success()).count();
    assert_eq!(succeeded, 2);
    check(&block);
}

/// The limit that the crate's documentation names. In plain revm a call whose payment overflows its receiver fails with
/// all its gas, and what the payer is debited he does not get back where his own call is reverted. Here such a payment is
/// not noticed once it is reverted.
#[test]
fn item_23_a_payment_that_is_too_much_and_reverted_is_where_revm_differs() {
    let mut payer = Asm::default();
    payer.op(op::CALLDATASIZE);
    let end = payer.jump_if();
    payer.push(0).push(0).push(0).push(0).push(5).push_address(RECEIVER).op(op::GAS).op(op::CALL);
    payer.push(0).push(0).op(op::REVERT);
    payer.land(end);
    let mut pre = world(&payer.finish(), &[]);
    pre.insert(RECEIVER, U256::MAX - U256::from(3), 0, &Bytes::new(), []);
    // It has the payer pay, and pays it, with which the payer's balance counts.
    let caller = Address::repeat_byte(0xac);
    let mut code = Asm::default();
    for (value, input) in [(0, 0), (1, 1)] {
        code.push(0).push(0).push(input).push(0).push(value).push_address(CONTRACT).op(op::GAS).op(op::CALL);
    }
    pre.insert(caller, U256::from(100), 1, &code.finish(), []);
    let transactions = [call(0, caller, 0, Bytes::new())];
    let block = block(&cancun(), &pre, transactions.clone());
    assert_eq!(block.expected.world.accounts[&CONTRACT].balance, U256::from(1_000_001 - 5));
    for threads in [1, 2, 4] {
        let executed = parallel(threads).execute(&cancun(), &pre, &transactions).unwrap();
        assert!(gas(&executed.results[0]) < gas(&block.expected.results[0]), "{threads} threads");
        let Ok(diff) = executed.changes.diff(&pre);
        assert_eq!(diff.accounts[&CONTRACT].after.unwrap().balance, U256::from(1_000_001), "{threads} threads");
    }
}

#[test]
fn item_25_destroyed_and_made_anew_several_times_in_one_block() {
    let specs = [
        SpecId::PETERSBURG,
        SpecId::ISTANBUL,
        SpecId::BERLIN,
        SpecId::LONDON,
        SpecId::SHANGHAI,
        SpecId::CANCUN,
        SpecId::PRAGUE,
    ];
    for spec in specs {
        for is_there in [false, true] {
            let flash = Address::repeat_byte(0xfb);
            let mut pre = world(&chain_teller(), &[]);
            pre.insert(FACTORY, U256::from(9), 1, &phoenix::factory(), []);
            pre.insert(flash, U256::ZERO, 1, &phoenix::flash_factory(), []);
            if is_there {
                let storage = [(0, 5), (1, 7), (2, 9)].map(|(slot, value)| (U256::from(slot), U256::from(value)));
                pre.insert(phoenix::child(), U256::from(40), 1, &phoenix::runtime(), storage);
            }
            let child = phoenix::child();
            let round = |round: usize| {
                let from = 10 * round;
                [
                    call(from, FACTORY, 1, phoenix::init()),
                    call(from + 1, child, 0, Bytes::new()),
                    call(from + 2, child, 3, Bytes::new()),
                    call(from + 3, flash, 2, phoenix::init()),
                    call(from + 4, child, 0, vec![1]),
                    call(from + 5, child, 4, Bytes::new()),
                    call(from + 6, child, 0, vec![1]),
                ]
            };
            let block = block(&env(spec, COINBASE), &pre, (0..4).flat_map(round));
            check(&block);
            // Before EIP-6780 every round destroys it, and the ether that it is paid afterwards is left.
            let left = block.expected.world.accounts.get(&child).map(|account| (account.nonce, account.storage.len()));
            let is_kept = spec.is_enabled_in(SpecId::CANCUN);
            assert_eq!(left.unwrap(), if is_kept { (1, if is_there { 3 } else { 2 }) } else { (0, 0) }, "{spec:?}");
        }
    }
}

#[test]
fn item_26_what_a_block_gives_is_the_same_a_hundred_times() {
    // Counts in slot 0 and logs the count, what gas is left, and the fee recipient's balance.
    let mut code = Asm::default();
    code.push(0).op(op::SLOAD).push(1).op(op::ADD).op(op::DUP1).push(0).op(op::SSTORE).push(0).op(op::MSTORE);
    code.op(op::GAS).push(32).op(op::MSTORE);
    code.push_address(COINBASE).op(op::BALANCE).push(64).op(op::MSTORE);
    code.push(1).push(96).push(0).op(op::LOG1);
    let pre = world(&code.finish(), &[]);
    let to = |index| if index % 3 == 0 { RECEIVER } else { CONTRACT };
    let transactions: Vec<_> = (0..30).map(|index| call(index, to(index), 1, Bytes::new())).collect();
    let block = block(&cancun(), &pre, transactions);
    let last = block.expected.results[29].logs()[0].clone();
    assert_eq!(U256::from_be_slice(&last.data.data[..32]), U256::from(20), "one log a call");
    let path = Path::parallel(4, 1);
    for _ in 0..100 {
        block.check(&path).unwrap();
    }
}

#[test]
fn item_27_fees_make_nothing_conflict() {
    let pre = world(&chain_teller(), &[]);
    // Half of them pay, all the same receiver; half of them call a contract.
    let to = |index| if index % 2 == 0 { RECEIVER } else { CONTRACT };
    let transactions: Vec<_> = (0..200).map(|index| call(index, to(index), 1, Bytes::new())).collect();
    let block = block(&cancun(), &pre, transactions.clone());
    check(&block);
    for threads in [1, 2, 4] {
        let metrics = parallel(threads).execute(&cancun(), &pre, &transactions).unwrap().metrics;
        let costs = (metrics.executions, metrics.validations, metrics.aborts, metrics.suspensions);
        assert_eq!(costs, (200, 200, 0, 0), "{threads} threads");
        assert_eq!(metrics.sequential_transactions, 0, "{threads} threads");
    }
}
