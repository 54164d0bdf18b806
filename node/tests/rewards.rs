//! Rewards, fees and supply (spec 7.3; spec 10, items 15 to 18, 20 and 41): the same on every executor, to the unit.

mod common;

use std::sync::Arc;

use common::*;
use weft_ledger::rules::{
    BlockContext, BlockReward, BlockTotals, DEVELOPER_CHANGE_HEIGHT, FinishError, MAX_SUPPLY, RewardOrder,
};
use weft_ledger::state::{Account, Counter, Key, Value};
use weft_ledger::wire::Payload;
use weft_ledger::{COIN, Hash, SignedTransaction, TosError};
use weft_node::executor::{BlockExecutor, ExecuteError, ExecutorSettings, SequentialExecutor, SharedState};
use weft_storage::{StateReader, StorageError};

use RewardOrder::{After, Before};

const ORDERS: [RewardOrder; 2] = [Before, After];

/// Pays among accounts 20 to 59, to have something to do in parallel: nobody else is touched, and each pays [`FEE`].
fn bystanders() -> Vec<SignedTransaction> {
    (20..40).map(|seed| tx(seed, 0, pay(seed + 20, 1))).collect()
}

/// These accounts, and what the bystanders pay from.
fn world(balances: &[(u64, u64)]) -> State {
    let bystanders: Vec<_> = (20..40).map(|seed| (seed, COIN)).collect();
    state(&[balances, &bystanders].concat())
}

/// The bystanders' payments with others in their middle.
fn among_bystanders(transactions: &[SignedTransaction]) -> Vec<SignedTransaction> {
    let all = bystanders();
    [&all[..10], transactions, &all[10..]].concat()
}

/// What a block does where nothing fails, and the state after it.
fn succeed(
    settings: ExecutorSettings,
    context: BlockContext,
    start: &State,
    transactions: &[SignedTransaction],
) -> State {
    let block = agree_in(settings, context, start, transactions);
    assert_eq!((block.rejection, block.totals.rejected), (None, 0), "{settings:?}");
    after(start, &block)
}

/// Item 15: with early rewards and immediate credits the miner spends what its own block brings it, and else not.
#[test]
fn a_reward_is_spent_in_its_own_block_exactly_where_the_rules_show_it() {
    let start = world(&[]);
    for (miner, developer, reward) in [(9, 8, MINER), (8, 9, DEVELOPER), (9, 9, MINER + DEVELOPER)] {
        let context = rewarding(miner, developer);
        // All of it, to the last unit.
        let spend = |amount| among_bystanders(&[tx(9, 0, pay(7, amount))]);
        let end = succeed(rewarded(Before, rejecting()), context, &start, &spend(reward - FEE));
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

/// Item 15, where the miner has something of its own and sends several times.
#[test]
fn a_miner_with_a_balance_spends_that_and_its_early_reward() {
    let start = world(&[(9, 2 * FEE)]);
    let payments = among_bystanders(&[tx(9, 0, pay(7, MINER)), tx(9, 1, pay(7, 0))]);
    let context = rewarding(9, 8);
    let end = succeed(rewarded(Before, rejecting()), context, &start, &payments);
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

/// Items 16 and 41: onto what is there, whoever of the block miner and developer are besides.
#[test]
fn rewards_accumulate_for_senders_receivers_and_newcomers() {
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
    let start = world(&balances);
    for settings in all_rewarded(rejecting()) {
        for (miner, developer) in (1..=6).flat_map(|miner| (1..=6).map(move |developer| (miner, developer))) {
            let end = succeed(settings, rewarding(miner, developer), &start, &transactions);
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

/// Item 41: chains through the miner, and many that pay it while it pays on.
#[test]
fn chains_and_fans_of_transfers_may_go_through_the_miner() {
    let context = rewarding(9, 8);
    let start = world(&[(1, 10 * FEE)]);
    // What goes round comes back to the miner before it is spent there.
    let ring = among_bystanders(&[
        tx(1, 0, pay(9, 8 * FEE)),
        tx(9, 0, pay(8, 6 * FEE)),
        tx(8, 0, pay(1, 5 * FEE)),
        tx(1, 1, pay(9, 2 * FEE)),
    ]);
    for order in ORDERS {
        let end = succeed(rewarded(order, rejecting()), context, &start, &ring);
        assert_eq!(balance(&end, 1), 10 * FEE - 8 * FEE - FEE + 5 * FEE - 2 * FEE - FEE);
        assert_eq!(balance(&end, 8), DEVELOPER + 6 * FEE - 5 * FEE - FEE);
        assert_eq!(balance(&end, 9), MINER + 8 * FEE - 6 * FEE - FEE + 2 * FEE + 24 * FEE);
    }
    let many: Vec<_> = (60..100).map(|seed| (seed, COIN)).collect();
    let to_miner = |seed| tx(seed, 0, pay(9, seed));
    let on = |at| tx(9, at, pay(100 + at, 5));
    let fan: Vec<_> = (0..40).flat_map(|at| [to_miner(60 + at), on(at)]).collect();
    let end = succeed(rewarded(Before, rejecting()), context, &state(&many), &fan);
    assert_eq!(balance(&end, 9), MINER + (60..100).sum::<u64>() - 40 * 5 - 40 * FEE + 80 * FEE);
}

/// Item 17: once, whether transactions touch who is rewarded or not.
#[test]
fn a_reward_is_applied_exactly_once() {
    let start = world(&[(1, COIN), (9, 500), (8, 600)]);
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

/// Item 18, and 4.3: each fee once, nothing for energy, failures and burns.
#[test]
fn fees_are_credited_exactly_once() {
    let mut start = world(&[(2, COIN), (3, 5)]);
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

/// Item 20: what does not fit is an error on every executor, before the block or at its end.
#[test]
fn no_balance_and_no_supply_can_wrap() {
    let fails = |settings, context, start: &State, transactions: &[SignedTransaction]| {
        let state: SharedState = Arc::new(MapReader(start.clone()));
        let input = input_in(context, transactions);
        let sequential = SequentialExecutor::new(settings).execute(&input, &state).unwrap_err();
        for (name, executor) in contenders(settings) {
            let error = executor.execute(&input_in(context, transactions), &state).unwrap_err();
            assert_eq!(format!("{error:?}"), format!("{sequential:?}"), "{name}");
        }
        match sequential {
            ExecuteError::Reward(FinishError::RewardOverflow(whose)) => ("before", whose),
            ExecuteError::Finish(FinishError::RewardOverflow(whose)) => ("after", whose),
            other => panic!("{other:?}"),
        }
    };
    let rich = |seed, room| world(&[(seed, u64::MAX - room)]);
    let context = rewarding(9, 8);
    for visibility in [rejecting(), deferred(rejecting())] {
        let settings = |order| rewarded(order, visibility);
        for (seed, share) in [(9, MINER), (8, DEVELOPER)] {
            assert_eq!(fails(settings(Before), context, &rich(seed, share - 1), &bystanders()), ("before", addr(seed)));
            assert_eq!(fails(settings(After), context, &rich(seed, share - 1), &bystanders()), ("after", addr(seed)));
        }
        for order in ORDERS {
            // The fees are what is too much, by one unit.
            let end = fails(settings(order), context, &rich(9, MINER + 20 * FEE - 1), &bystanders());
            assert_eq!(end, ("after", addr(9)));
            let start = rich(9, MINER + 20 * FEE);
            assert_eq!(balance(&succeed(settings(order), context, &start, &bystanders()), 9), u64::MAX);
            // A supply that is used up, or beyond any bound, stays what it is.
            for emitted in [MAX_SUPPLY, u64::MAX] {
                let mut start = world(&[(9, 1), (8, 1)]);
                start.insert(Key::Counter(Counter::TotalSupply), Value::Counter(emitted));
                let block = agree_in(settings(order), context, &start, &bystanders());
                let end = after(&start, &block);
                assert_eq!((supply(&end), balance(&end, 9), balance(&end, 8)), (emitted, 1 + 20 * FEE, 1));
                assert_eq!((block.totals.emitted, block.totals.developer), (0, 0));
            }
        }
    }
}

/// Items 20 and 42: an early reward counts towards the overflow of a credit, at the same transaction everywhere.
#[test]
fn a_credit_on_top_of_an_early_reward_overflows_at_the_same_transaction() {
    let credits: Vec<_> = (20..40).map(|seed| tx(seed, 0, pay(9, 10))).collect();
    let start = world(&[(9, u64::MAX - MINER - 45)]);
    for settings in [rejecting(), deferred(rejecting())] {
        let block = agree_in(rewarded(Before, settings), rewarding(9, 8), &start, &credits);
        assert_eq!(block.rejection, Some((4, TosError::Overflow)));
    }
    // Here the first four fit, and no fee does.
    let input = input_in(rewarding(9, 8), &credits);
    let state: SharedState = Arc::new(MapReader(start));
    for (name, executor) in contenders(rewarded(Before, skipping())) {
        let error = executor.execute(&input, &state).unwrap_err();
        assert!(matches!(error, ExecuteError::Finish(FinishError::RewardOverflow(_))), "{name}: {error:?}");
    }
}

#[test]
fn a_rejected_block_rewards_nobody() {
    let start = world(&[(9, COIN)]);
    let transactions = among_bystanders(&[tx(9, 0, pay(1, 5)), tx(9, 0, pay(1, 5))]);
    for settings in all_rewarded(rejecting()) {
        let block = agree_in(settings, rewarding(9, 8), &start, &transactions);
        assert_eq!(block.rejection, Some((11, TosError::NonceTooLow)));
        assert_eq!((block.changes.len(), block.totals, block.digest), (0, BlockTotals::default(), Hash([7; 32])));
    }
}

#[test]
fn without_the_setting_nobody_is_credited() {
    let start = world(&[(9, 5)]);
    let context = rewarding(9, 8);
    for settings in all_settings() {
        let block = agree_in(settings, context, &start, &bystanders());
        assert_eq!(block, agree(settings, &start, &bystanders()), "who is named does not matter");
        let end = after(&start, &block);
        assert_eq!((balance(&end, 9), supply(&end), end.contains_key(&account_key(8))), (5, 0, false));
        assert_eq!((block.totals.emitted, block.totals.miner, block.totals.developer), (0, 0, 0));
    }
}

/// Item 22: where there is nothing to credit, nothing is written.
#[test]
fn a_credit_of_nothing_is_no_change() {
    let mut start = state(&[(9, 5), (8, 6)]);
    start.insert(Key::Counter(Counter::TotalSupply), Value::Counter(MAX_SUPPLY));
    let ends = [Key::Counter(Counter::BlockHeight), Key::Counter(Counter::Timestamp)];
    for settings in all_rewarded(rejecting()) {
        let keys = |context| -> Vec<Key> {
            agree_in(settings, context, &start, &[]).changes.iter().map(|(key, _)| *key).collect()
        };
        assert_eq!(keys(rewarding(9, 8)), ends);
        // As with a transfer of 0, who is not there is created (spec 5.1).
        assert_eq!(keys(rewarding(3, 8)), [&ends[..], &[account_key(3)]].concat());
    }
}

#[test]
fn side_blocks_and_the_height_decide_the_shares() {
    for settings in all_rewarded(rejecting()) {
        let shares = |context: BlockContext| {
            let totals = agree_in(settings, context, &world(&[]), &bystanders()).totals;
            (totals.emitted, totals.developer, totals.miner - totals.fees)
        };
        let context = rewarding(9, 8);
        let side = |earlier| shares(BlockContext { side_blocks: Some(earlier), ..context }).0;
        assert_eq!([0, 1, 2, 3, 4].map(side), [29_246_012, 14_623_006, 6_824_069, 4_874_335, 4_874_335]);
        // The last block before the change and the first after it: heights are those before the block.
        let at = |height| shares(BlockContext { height, ..context });
        assert_eq!(at(DEVELOPER_CHANGE_HEIGHT - 2), (97_486_707, 9_748_670, 87_738_037));
        assert_eq!(at(DEVELOPER_CHANGE_HEIGHT - 1), (97_486_707, 4_874_335, 92_612_372));
    }
}

#[test]
fn each_block_emits_by_what_the_blocks_before_it_have() {
    for settings in all_rewarded(rejecting()) {
        let (mut now, mut emitted, mut earned) = (world(&[]), 0, 0);
        for nonce in 0..4 {
            let context = BlockContext { height: nonce, ..rewarding(9, 8) };
            let transactions: Vec<_> = (20..40).map(|seed| tx(seed, nonce, pay(seed + 20, 1))).collect();
            let reward = BlockReward::of(emitted, &context);
            now = succeed(settings, context, &now, &transactions);
            emitted += reward.emitted;
            earned += reward.miner + 20 * FEE;
            assert_eq!((supply(&now), balance(&now, 9)), (emitted, earned));
        }
        assert!(emitted < 4 * (MINER + DEVELOPER), "it shrinks");
    }
}

/// A state of which one key cannot be read.
struct Broken(State, Key);

impl StateReader<Key, Value> for Broken {
    fn read(&self, key: &Key) -> Result<Option<Value>, StorageError> {
        if *key == self.1 {
            return Err(StorageError::corrupt("that key", "broken"));
        }
        Ok(self.0.get(key).cloned())
    }
}

#[test]
fn a_storage_failure_is_named_on_every_executor() {
    let supply = Key::Counter(Counter::TotalSupply);
    for (order, broken, early) in
        [(Before, account_key(9), true), (After, account_key(9), false), (After, supply, true)]
    {
        let state: SharedState = Arc::new(Broken(world(&[]), broken));
        for (name, executor) in contenders(rewarded(order, rejecting())) {
            let error = executor.execute(&input_in(rewarding(9, 8), &bystanders()), &state).unwrap_err();
            assert!(error.to_string().contains("corrupt that key"), "{name}: {error}");
            match error {
                ExecuteError::Reward(FinishError::Base(_)) => assert!(early, "{name}"),
                ExecuteError::Finish(FinishError::Base(_)) => assert!(!early, "{name}"),
                other => panic!("{name}: {other:?}"),
            }
        }
    }
}
