//! Items 40 to 48: order, and what must not depend on the mode.

use std::sync::Arc;
use std::time::Duration;

use weft_engine::{BlockEnd, Config, Mode};
use weft_ledger::contract::samples::{Sample, counter, worker};
use weft_ledger::rules::{BlockContext, RewardOrder};
use weft_ledger::state::{Counter, Key, Value};
use weft_ledger::{COIN, Hash, SignedTransaction, TosError};
use weft_node::executor::{BlockExecutor, OptimisticExecutor, SharedState};
use weft_storage::LatencyReader;

use super::common::contracts::*;
use super::common::rewards::*;
use super::common::*;
use super::succeed;

/// Storage that answers late delays some transactions more than others.
#[test]
fn item_40_results_keep_their_order_whatever_is_late() {
    let start = state(&(0..30).map(|seed| (seed, if seed % 4 == 0 { 10 } else { COIN })).collect::<Vec<_>>());
    let transactions: Vec<_> = (0..30).map(|seed| tx(seed, 0, pay((seed * 11 + 5) % 30 + 30, 1))).collect();
    let expected = agree(skipping(), &start, &transactions);
    let hashes: Vec<Hash> = transactions.iter().map(SignedTransaction::hash).collect();
    assert_eq!(expected.results.iter().map(|result| result.hash).collect::<Vec<_>>(), hashes);
    for delay in [3, 60] {
        let late: SharedState = Arc::new(LatencyReader::new(MapReader(start.clone()), Duration::from_micros(delay)));
        assert_eq!(agree_on(skipping(), &late, &transactions), expected);
    }
}

/// Receipts too, where some calls take a thousand times as long as others, and the first failure is the first one.
#[test]
fn item_40_receipts_keep_their_order_whatever_takes_long() {
    let world = contract_world();
    let iterations = |seed: u64| if seed % 4 == 1 { 100_000 } else { seed };
    let calls: Vec<_> = (1..=30)
        .map(|seed| tx(seed, 0, invoke_with(id(Sample::Worker), worker::work(iterations(seed)), COIN / 50, 0)))
        .collect();
    for settings in all_settings() {
        let block = agree(settings, &world, &calls);
        let end = after(&world, &block);
        for seed in 1..=30 {
            let expected = (0..iterations(seed)).fold(0, |value, _| worker::step(value));
            assert_eq!(number(&end, &id(Sample::Worker), &worker::value_key(&addr(seed))), expected);
        }
        let gas: Vec<_> = block.results.iter().map(|result| result.gas_used).collect();
        assert!(gas.iter().zip(1..).all(|(gas, seed)| (*gas > 700_000) == (seed % 4 == 1)), "{gas:?}");
    }
    // Two that fail: what fails at once stands behind what fails late.
    let mut failing = calls;
    failing[12] = tx(13, 0, invoke_with(id(Sample::Worker), worker::work(100_000), COIN / 50, 11 * COIN));
    failing[20] = tx(21, 5, pay(1, 1));
    assert_eq!(agree(rejecting(), &world, &failing).rejection, Some((12, TosError::InsufficientBalance)));
}

#[test]
fn item_41_chains_and_fans_of_transfers_give_the_sequential_balances() {
    let start = state(&[(1, 10 * FEE), (2, 0), (3, 0)]);
    let ring =
        [tx(1, 0, pay(2, 8 * FEE)), tx(2, 0, pay(3, 6 * FEE)), tx(3, 0, pay(1, 4 * FEE)), tx(1, 1, pay(2, 2 * FEE))];
    let end = succeed(&start, &ring);
    assert_eq!([1, 2, 3].map(|seed| balance(&end, seed) / FEE), [2, 3, 1]);

    let many: Vec<_> = (10..40).map(|seed| (seed, COIN)).collect();
    let to_one: Vec<_> = many.iter().map(|(seed, _)| tx(*seed, 0, pay(9, *seed))).collect();
    assert_eq!(balance(&succeed(&state(&many), &to_one), 9), (10..40_u64).sum::<u64>());

    let to_many = [tx(1, 0, pay_all(&[(5, 1), (6, 2), (5, 3)])), tx(1, 1, pay_all(&[(6, 4), (5, 5)]))];
    let end = succeed(&state(&[(1, COIN)]), &to_many);
    assert_eq!((balance(&end, 5), balance(&end, 6)), (9, 6));
}

/// Chains through the miner, and many that pay it while it pays on. (Whoever else is rewarded: item 16.)
#[test]
fn item_41_chains_and_fans_of_transfers_may_go_through_the_miner() {
    let context = rewarding(9, 8);
    let start = bystanders_and(&[(1, 10 * FEE)]);
    // What goes round comes back to the miner before it is spent there.
    let ring = among_bystanders(&[
        tx(1, 0, pay(9, 8 * FEE)),
        tx(9, 0, pay(8, 6 * FEE)),
        tx(8, 0, pay(1, 5 * FEE)),
        tx(1, 1, pay(9, 2 * FEE)),
    ]);
    for order in ORDERS {
        let end = succeed_in(rewarded(order, rejecting()), context, &start, &ring);
        assert_eq!(balance(&end, 1), 10 * FEE - 8 * FEE - FEE + 5 * FEE - 2 * FEE - FEE);
        assert_eq!(balance(&end, 8), DEVELOPER + 6 * FEE - 5 * FEE - FEE);
        assert_eq!(balance(&end, 9), MINER + 8 * FEE - 6 * FEE - FEE + 2 * FEE + 24 * FEE);
    }
    let many: Vec<_> = (60..100).map(|seed| (seed, COIN)).collect();
    let to_miner = |seed| tx(seed, 0, pay(9, seed));
    let on = |at| tx(9, at, pay(100 + at, 5));
    let fan: Vec<_> = (0..40).flat_map(|at| [to_miner(60 + at), on(at)]).collect();
    let end = succeed_in(rewarded(RewardOrder::Before, rejecting()), context, &state(&many), &fan);
    assert_eq!(balance(&end, 9), MINER + (60..100).sum::<u64>() - 40 * 5 - 40 * FEE + 80 * FEE);
}

#[test]
fn item_42_a_shared_receiver_overflows_at_the_same_transaction() {
    let mut accounts: Vec<_> = (1..=30).map(|seed| (seed, COIN)).collect();
    accounts.push((99, u64::MAX - 45));
    let transactions: Vec<_> = (1..=30).map(|seed| tx(seed, 0, pay(99, 10))).collect();
    for settings in [rejecting(), deferred(rejecting())] {
        assert_eq!(agree(settings, &state(&accounts), &transactions).rejection, Some((4, TosError::Overflow)));
    }
    for settings in [skipping(), deferred(skipping())] {
        assert_eq!(agree(settings, &state(&accounts), &transactions).totals.accepted, 4);
    }
}

#[test]
fn item_43_the_burned_supply_overflows_at_the_same_transaction() {
    let mut start = state(&(1..=20).map(|seed| (seed, COIN)).collect::<Vec<_>>());
    start.insert(Key::Counter(Counter::TotalBurned), Value::Counter(u64::MAX - 1));
    let fits = [tx(1, 0, burn(1)), tx(2, 0, pay(3, 1))];
    assert_eq!(counter(&succeed(&start, &fits), Counter::TotalBurned), u64::MAX);
    let transactions: Vec<_> =
        (1..=20).map(|seed| tx(seed, 0, if seed % 5 == 0 { burn(1) } else { pay(seed + 50, 1) })).collect();
    assert_eq!(agree(rejecting(), &start, &transactions).rejection, Some((9, TosError::Overflow)));
    // Only the first of the four burns fits, and the others do not stand in the way of what follows.
    assert_eq!(agree(skipping(), &start, &transactions).totals.rejected, 3);
    start.insert(Key::Counter(Counter::TotalBurned), Value::Counter(u64::MAX));
    assert_eq!(TosError::Overflow.code(), 0x0304);
    assert_eq!(agree(rejecting(), &start, &transactions).rejection, Some((4, TosError::Overflow)));
}

#[test]
fn item_44_a_missing_account_is_an_error_code() {
    let transactions = [tx(77, 0, pay(1, 1)), tx(77, 0, burn(1)), tx(77, 0, freeze(COIN)), tx(77, 0, multisig(&[1]))];
    for settings in [skipping(), deferred(skipping())] {
        let block = agree(settings, &state(&[]), &transactions);
        assert!(errors(&block).iter().all(|error| *error == Some(TosError::AccountNotFound)));
    }
}

/// A value of the wrong kind, which no rule writes, is an internal error and no panic either.
#[test]
fn item_44_a_value_of_another_kind_is_an_error_code() {
    let wrong = Value::Counter(1);
    let contract = *purse().hash();
    let kinds = [
        (account_key(1), tx(1, 0, pay(2, 1))),
        (Key::Contract(contract), tx(1, 0, at_purse(purse_input::get(b'k')))),
        (slot(&contract, b"k"), tx(1, 0, at_purse(purse_input::get(b'k')))),
        (account_key(2), tx(1, 0, at_purse(purse_input::look(&addr(2))))),
    ];
    for (key, transaction) in kinds {
        let mut world = contract_world();
        world.insert(key, wrong.clone());
        for settings in [skipping(), deferred(skipping())] {
            let block = agree(settings, &world, &[transaction.clone(), tx(3, 0, pay(4, 1))]);
            assert_eq!(errors(&block), [Some(TosError::InternalError), None], "{key:?}");
        }
    }
}

/// Block times do not matter to the ledger's rules (AI mining, whose rules they are, is integers only), nor to a
/// contract that does not ask for them.
#[test]
fn item_45_no_rule_reads_the_time() {
    let world = contract_world();
    let transactions = [
        tx(1, 0, freeze(COIN)),
        tx(1, 1, pay(2, 1)),
        tx(2, 0, construct(built(1, "mov64 r0, 0"), GAS, 1)),
        tx(3, 0, at(Sample::Counter, counter::increment(1, 1))),
    ];
    for settings in all_settings() {
        let [early, late] = [0, u64::MAX].map(|timestamp| {
            let context = BlockContext { timestamp, ..context() };
            let block = agree_in(settings, context, &world, &transactions);
            let mut changes = block.changes;
            changes.retain(|(key, _)| *key != Key::Counter(Counter::Timestamp));
            (block.receipts, changes)
        });
        assert_eq!(early, late);
        assert!(early.1.len() > 8);
    }
}

#[test]
fn item_46_a_receiver_that_is_new_costs_what_a_known_one_costs() {
    let start = state(&[(1, COIN), (2, COIN), (3, 1)]);
    let block = agree(rejecting(), &start, &[tx(1, 0, pay(9, 1)), tx(2, 0, pay(9, 1)), tx(1, 1, pay(3, 1))]);
    assert_eq!(block.results.iter().map(|result| result.fee).collect::<Vec<_>>(), [FEE; 3]);
    assert_eq!(block.end, BlockEnd::Complete);
}

#[test]
fn item_47_the_automatic_path_gives_the_same_around_its_threshold() {
    let world = contract_world();
    let transactions: Vec<_> = (1..=20_u64)
        .map(|seed| match seed % 3 {
            0 => tx(seed, 0, at(Sample::Counter, counter::increment(1, seed))),
            _ => tx(seed, 0, pay(seed + 1, 5)),
        })
        .collect();
    for count in [0, 1, 7, 8, 9, 20] {
        let block = &transactions[..count];
        let expected = agree(rejecting(), &world, block);
        for enable_parallel_execution in [true, false] {
            let config = Config {
                mode: Mode::Auto,
                max_parallel_threads: 4,
                min_transactions_for_parallel: 8,
                enable_parallel_execution,
                ..Config::default()
            };
            assert_eq!(config.is_parallel(count), enable_parallel_execution && count >= 8);
            let state: SharedState = Arc::new(MapReader(world.clone()));
            let executor = OptimisticExecutor::new(config, rejecting());
            assert_eq!(comparable(&executor.execute(&input(block), &state).unwrap()), expected);
        }
    }
}

/// There are no branches here: blocks are a chain. What is left of the item: a transaction that an earlier block has
/// executed is skipped, or rejects its block, and its nonce is not used up twice.
#[test]
fn item_48_a_transaction_of_an_earlier_block_does_not_count_again() {
    let world = contract_world();
    let deployment = construct(built(1, "mov64 r0, 0"), GAS, 0);
    let executed = [
        tx(1, 0, pay(2, 5)),
        tx(2, 0, at(Sample::Counter, counter::increment(1, 5))),
        tx(3, 0, burn(5)),
        tx(4, 0, deployment),
    ];
    let second: Vec<SignedTransaction> =
        (0..4).flat_map(|at| [executed[at].clone(), tx(at as u64 + 1, 1, pay(40, 1))]).collect();
    let fresh: Vec<_> = second.iter().skip(1).step_by(2).cloned().collect();
    for visible in [skipping(), deferred(skipping())] {
        let between = after(&world, &agree(visible, &world, &executed));
        let block = agree(visible, &between, &second);
        let low = Some(TosError::NonceTooLow);
        assert_eq!(errors(&block), [low, None, low, None, low, None, low, None]);
        assert_eq!(block.changes, agree(visible, &between, &fresh).changes);
    }
    let between = succeed(&world, &executed);
    assert_eq!(agree(rejecting(), &between, &second).rejection, Some((0, TosError::NonceTooLow)));
}
