//! Items 15 to 18: rewards. Items 20 and 41 and further tests of rewards: `commit`, `order`, `tests/rewards.rs`.

use weft_ledger::contract::samples::{Sample, gas_burner, worker};
use weft_ledger::rules::{CallEnd, RewardOrder, miner_gas_share};
use weft_ledger::state::{Account, Counter, Value};
use weft_ledger::wire::Payload;
use weft_ledger::{COIN, SignedTransaction, TosError};

use super::common::contracts::*;
use super::common::rewards::*;
use super::common::*;

use RewardOrder::{After, Before};

/// With early rewards and immediate credits the miner spends what its own block brings it, and else not.
#[test]
fn item_15_a_reward_is_spent_in_its_own_block_exactly_where_the_rules_show_it() {
    let start = bystanders_and(&[]);
    for (miner, developer, reward) in [(9, 8, MINER), (8, 9, DEVELOPER), (9, 9, MINER + DEVELOPER)] {
        let context = rewarding(miner, developer);
        // All of it, to the last unit.
        let spend = |amount| among_bystanders(&[tx(9, 0, pay(7, amount))]);
        let end = succeed_in(rewarded(Before, rejecting()), context, &start, &spend(reward - FEE));
        let fees = if miner == 9 { 21 * FEE } else { 0 };
        assert_eq!((balance(&end, 7), balance(&end, 9)), (reward - FEE, fees));
        let fails = |settings, amount| agree_in(settings, context, &start, &spend(amount)).rejection;
        // Neither more, nor any fee of the block.
        let more = fails(rewarded(Before, rejecting()), reward - FEE + 1);
        assert_eq!(more, Some((10, TosError::InsufficientBalance)));
        // It waits, but makes its account exist; or it is not there at all.
        assert_eq!(fails(rewarded(Before, deferred(rejecting())), 1), Some((10, TosError::InsufficientFee)));
        for settings in [rejecting(), deferred(rejecting())] {
            assert_eq!(fails(rewarded(After, settings), 1), Some((10, TosError::AccountNotFound)));
        }
    }
}

/// The miner has something of its own and sends several times.
#[test]
fn item_15_a_miner_with_a_balance_spends_that_and_its_early_reward() {
    let start = bystanders_and(&[(9, 2 * FEE)]);
    let payments = among_bystanders(&[tx(9, 0, pay(7, MINER)), tx(9, 1, pay(7, 0))]);
    let context = rewarding(9, 8);
    let end = succeed_in(rewarded(Before, rejecting()), context, &start, &payments);
    assert_eq!((balance(&end, 7), balance(&end, 9)), (MINER, 22 * FEE));
    for settings in [rewarded(After, skipping()), rewarded(After, deferred(skipping()))] {
        let block = agree_in(settings, context, &start, &payments);
        assert_eq!(block.rejection, None);
        // The first payment is too much, and the second has the nonce that follows it.
        let expected = [Some(TosError::InsufficientBalance), Some(TosError::NonceTooHigh)];
        assert_eq!(errors(&block)[10..12], expected);
        assert_eq!(balance(&after(&start, &block), 9), 2 * FEE + MINER + 20 * FEE);
    }
}

/// Onto what is there, whoever of the block miner and developer are besides (item 41 too).
#[test]
fn item_16_rewards_accumulate_for_senders_receivers_and_newcomers() {
    // Accounts 1 and 2 send and receive, 3 only receives, 4 and 5 do nothing, 6 is not there at all.
    let balances = [(1, 10 * COIN), (2, 10 * COIN), (3, 30), (4, 40), (5, u64::MAX / 2)];
    let transactions = among_bystanders(&[
        tx(1, 0, pay(2, 1000)),
        tx(2, 0, pay(1, 300)),
        tx(1, 1, pay(3, 20)),
        tx(2, 1, pay_all(&[(3, 1), (1, 2), (3, 3)])),
    ]);
    let without = [
        (1, 10 * COIN - 1020 + 302 - 2 * FEE),
        (2, 10 * COIN + 1000 - 306 - 2 * FEE),
        (3, 54),
        (4, 40),
        (5, u64::MAX / 2),
        (6, 0),
    ];
    let start = bystanders_and(&balances);
    for settings in all_rewarded(rejecting()) {
        for (miner, developer) in (1..=6).flat_map(|miner| (1..=6).map(move |developer| (miner, developer))) {
            let end = succeed_in(settings, rewarding(miner, developer), &start, &transactions);
            for (seed, balance_without) in without {
                let mut expected = balance_without;
                expected += if seed == miner { MINER + 24 * FEE } else { 0 };
                expected += if seed == developer { DEVELOPER } else { 0 };
                if expected == 0 {
                    assert!(!end.contains_key(&account_key(seed)));
                } else {
                    assert_eq!(balance(&end, seed), expected, "account {seed} of {miner}, {developer}, {settings:?}");
                }
            }
            assert_eq!(supply(&end), MINER + DEVELOPER);
        }
    }
}

/// Once, whether transactions touch who is rewarded or not.
#[test]
fn item_17_a_reward_is_applied_exactly_once() {
    let start = bystanders_and(&[(1, COIN), (9, 500), (8, 600)]);
    let blocks: [Vec<SignedTransaction>; 5] = [
        vec![],
        bystanders(),
        among_bystanders(&[tx(1, 0, pay(9, 3)), tx(1, 1, pay(8, 4))]),
        // These bring the accounts back to what they are with the early reward.
        among_bystanders(&[tx(1, 0, pay(9, 0)), tx(1, 1, pay(8, 0))]),
        // The miner fails to do anything.
        among_bystanders(&[tx(9, 7, pay(1, 1)), badly_signed(8, 0, pay(1, 1))]),
    ];
    for settings in all_rewarded(skipping()) {
        for transactions in &blocks {
            let block = agree_in(settings, rewarding(9, 8), &start, transactions);
            let end = after(&start, &block);
            let received = |seed| -> u64 {
                let to = |tx: &SignedTransaction| match &tx.transaction().payload {
                    Payload::Transfers(entries) if entries[0].destination == addr(seed) => entries[0].amount,
                    _ => 0,
                };
                transactions.iter().map(to).sum()
            };
            let fees = u64::try_from(block.totals.fees).unwrap();
            assert_eq!(fees, block.totals.accepted * FEE);
            assert_eq!(balance(&end, 9), 500 + MINER + received(9) + fees, "{settings:?}");
            assert_eq!(balance(&end, 8), 600 + DEVELOPER + received(8), "{settings:?}");
            assert_eq!(supply(&end), MINER + DEVELOPER);
            assert_eq!([account(&end, 9).nonce, account(&end, 8).nonce], [0, 0]);
        }
    }
}

/// Each fee once (spec 4.3), nothing for energy, failures and burns.
#[test]
fn item_18_fees_are_credited_exactly_once() {
    let mut start = bystanders_and(&[(2, COIN), (3, 5)]);
    start.insert(account_key(1), Value::Account(Account { balance: COIN, energy: 5, ..Account::default() }));
    let transactions = among_bystanders(&[
        tx_for_energy(1, 0, pay(5, 1)),
        tx(2, 0, burn(700)),
        tx(3, 0, pay(5, 1)),
        tx(2, 5, pay(5, 1)),
        tx(1, 1, pay(5, 1)),
    ]);
    for settings in all_rewarded(skipping()) {
        let block = agree_in(settings, rewarding(9, 8), &start, &transactions);
        let end = after(&start, &block);
        assert_eq!((block.totals.accepted, block.totals.rejected), (23, 2));
        let fees = 22 * FEE;
        assert_eq!(block.results.iter().map(|result| result.fee).sum::<u64>(), fees);
        assert_eq!((block.totals.fees, counter(&end, Counter::Fees)), (u128::from(fees), fees));
        assert_eq!(balance(&end, 9), MINER + fees);
        assert_eq!(block.totals.miner, u128::from(MINER + fees));
        assert_eq!((block.totals.emitted, block.totals.developer), (u128::from(MINER + DEVELOPER), DEVELOPER.into()));
        // What is burned is no less emitted (spec 5.2).
        assert_eq!((supply(&end), counter(&end, Counter::TotalBurned)), (MINER + DEVELOPER, 700));
    }
}

/// Of the gas used the miner gets what is not burned, once; whoever is paid by the contract in the same block.
#[test]
fn item_18_gas_is_credited_exactly_once() {
    let start = [contract_world(), bystanders_and(&[])].into_iter().flatten().collect();
    let transactions = [
        tx(1, 0, at(Sample::Worker, worker::work(10))),
        // It traps: all that was offered is used.
        tx(2, 0, at(Sample::GasBurner, gas_burner::burn(1, 1))),
        // It pays the miner.
        tx(3, 0, at_purse(purse_input::pay(purse_input::Ends::Well, &addr(9), 500))),
        // A revert costs what it used.
        tx(4, 0, at(Sample::GasBurner, gas_burner::write(1, 0))),
        tx(5, 0, construct(built(1, "mov64 r0, 1"), GAS, 0)),
        // The miner calls too.
        tx(9, 0, at(Sample::Worker, worker::work(1))),
    ];
    for settings in all_rewarded(rejecting()) {
        let block = agree_in(settings, rewarding(9, 8), &start, &transactions);
        let end = after(&start, &block);
        assert_eq!(call(&block, 3).end, CallEnd::Reverted { code: gas_burner::ZERO });
        let used: Vec<u64> = block.results.iter().map(|result| result.gas_used).collect();
        assert!(used[1] == GAS && used.iter().all(|used| *used > 0), "{used:?}");
        let shares: u64 = used.iter().map(|used| miner_gas_share(*used)).sum();
        let burned: u64 = used.iter().map(|used| used * 30 / 100).sum();
        assert_eq!(shares + burned, used.iter().sum::<u64>());
        assert_eq!((counter(&end, Counter::GasBurned), counter(&end, Counter::TotalBurned)), (burned, 0));
        let earned = MINER + 6 * FEE + shares;
        assert_eq!(block.totals.miner, u128::from(earned));
        assert_eq!(balance(&end, 9), 10 * COIN - FEE - used[5] + 500 + earned, "{settings:?}");
        assert_eq!(balance(&end, 1), 10 * COIN - FEE - used[0]);
    }
}
