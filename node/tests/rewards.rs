//! Rewards, fees and supply (spec 7.3): the same on every executor, to the unit. Items 15 to 18 and 41 of
//! spec 10: `tests/past_defects`.

mod common;

use std::sync::Arc;

use common::faults::Broken;
use common::rewards::*;
use common::*;
use weft_ledger::rules::{
    BlockContext, BlockReward, BlockTotals, DEVELOPER_CHANGE_HEIGHT, FinishError, MAX_SUPPLY, RewardOrder,
};
use weft_ledger::state::{Counter, Key, Value};
use weft_ledger::{COIN, Hash, SignedTransaction, TosError};
use weft_node::executor::{BlockExecutor, ExecuteError, SequentialExecutor, SharedState};

use RewardOrder::{After, Before};

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
    let rich = |seed, room| bystanders_and(&[(seed, u64::MAX - room)]);
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
            assert_eq!(balance(&succeed_in(settings(order), context, &start, &bystanders()), 9), u64::MAX);
            // A supply that is used up, or beyond any bound, stays what it is.
            for emitted in [MAX_SUPPLY, u64::MAX] {
                let mut start = bystanders_and(&[(9, 1), (8, 1)]);
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
    let start = bystanders_and(&[(9, u64::MAX - MINER - 45)]);
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
    let start = bystanders_and(&[(9, COIN)]);
    let transactions = among_bystanders(&[tx(9, 0, pay(1, 5)), tx(9, 0, pay(1, 5))]);
    for settings in all_rewarded(rejecting()) {
        let block = agree_in(settings, rewarding(9, 8), &start, &transactions);
        assert_eq!(block.rejection, Some((11, TosError::NonceTooLow)));
        assert_eq!((block.changes.len(), block.totals, block.digest), (0, BlockTotals::default(), Hash([7; 32])));
    }
}

#[test]
fn without_the_setting_nobody_is_credited() {
    let start = bystanders_and(&[(9, 5)]);
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
            let totals = agree_in(settings, context, &bystanders_and(&[]), &bystanders()).totals;
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
        let (mut now, mut emitted, mut earned) = (bystanders_and(&[]), 0, 0);
        for nonce in 0..4 {
            let context = BlockContext { height: nonce, ..rewarding(9, 8) };
            let transactions: Vec<_> = (20..40).map(|seed| tx(seed, nonce, pay(seed + 20, 1))).collect();
            let reward = BlockReward::of(emitted, &context);
            now = succeed_in(settings, context, &now, &transactions);
            emitted += reward.emitted;
            earned += reward.miner + 20 * FEE;
            assert_eq!((supply(&now), balance(&now, 9)), (emitted, earned));
        }
        assert!(emitted < 4 * (MINER + DEVELOPER), "it shrinks");
    }
}

#[test]
fn a_storage_failure_is_named_on_every_executor() {
    let supply = Key::Counter(Counter::TotalSupply);
    for (order, broken, early) in
        [(Before, account_key(9), true), (After, account_key(9), false), (After, supply, true)]
    {
        let state: SharedState = Arc::new(Broken(bystanders_and(&[]), broken));
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
