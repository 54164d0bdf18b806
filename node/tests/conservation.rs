//! Nothing appears and nothing is lost (spec 7.3): random blocks with rewards, on every executor.

mod common;

use common::*;
use proptest::prelude::*;
use weft_engine::BlockEnd;
use weft_ledger::rules::{BlockContext, BlockReward, MAX_SUPPLY};
use weft_ledger::state::{Account, Counter, Key, Value};
use weft_ledger::wire::Payload;
use weft_ledger::{Address, COIN, SignedTransaction};

/// Something to do for one of few accounts.
#[derive(Debug, Clone)]
struct Action {
    source: u64,
    skew: u64,
    for_energy: bool,
    payload: Payload,
}

fn action() -> impl Strategy<Value = Action> {
    // Accounts 1 to 4 exist, 5 to 7 do not at first.
    let who = || 1..=7_u64;
    let amount = || prop_oneof![4 => 0..2000_u64, 2 => Just(COIN / 2), 1 => Just(MINER), 1 => Just(50 * COIN)];
    let payload = prop_oneof![
        6 => (who(), amount()).prop_map(|(to, amount)| pay(to, amount)),
        2 => prop::collection::vec((who(), 0..500_u64), 1..4).prop_map(|to| pay_all(&to)),
        2 => amount().prop_map(burn),
        1 => amount().prop_map(freeze),
    ];
    (who(), prop_oneof![9 => Just(0_u64), 1 => 1..3_u64], prop::bool::weighted(0.2), payload)
        .prop_map(|(source, skew, for_energy, payload)| Action { source, skew, for_energy, payload })
}

fn transactions(actions: &[Action]) -> Vec<SignedTransaction> {
    let mut nonces = [0_u64; 8];
    let make = |action: &Action| {
        let nonce = &mut nonces[action.source as usize];
        let (now, payload) = (*nonce + action.skew, action.payload.clone());
        *nonce += u64::from(action.skew == 0);
        if action.for_energy { tx_for_energy(action.source, now, payload) } else { tx(action.source, now, payload) }
    };
    actions.iter().map(make).collect()
}

/// All there is: what can be spent and what is frozen.
fn wealth(state: &State) -> u128 {
    let of = |value: &Value| match value {
        Value::Account(account) => u128::from(account.balance) + u128::from(account.frozen),
        _ => 0,
    };
    state.values().map(of).sum()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    /// What is there after a block is what was there before, and its reward, less what it burned: nothing appears and
    /// nothing is lost, whoever miner and developer are, and on every executor.
    #[test]
    fn nothing_appears_and_nothing_is_lost(
        actions in prop::collection::vec(action(), 0..40),
        miner in 1..=8_u64,
        developer in 1..=8_u64,
        emitted in prop_oneof![2 => Just(0), 2 => 0..MAX_SUPPLY, 1 => Just(MAX_SUPPLY)],
        side_blocks in prop::option::weighted(0.3, 0..5_u32),
    ) {
        let mut start = state(&[(1, 3 * COIN), (2, 200_000), (3, 100 * COIN)]);
        let with_energy = Account { balance: COIN, energy: 2, ..Account::default() };
        start.insert(account_key(4), Value::Account(with_energy));
        start.insert(Key::Counter(Counter::TotalSupply), Value::Counter(emitted));
        let context = BlockContext { side_blocks, ..rewarding(miner, developer) };
        let transactions = transactions(&actions);
        for settings in all_rewarded(skipping()).into_iter().chain(all_rewarded(rejecting())) {
            let block = agree_in(settings, context, &start, &transactions);
            let end = after(&start, &block);
            if matches!(block.end, BlockEnd::Rejected { .. }) {
                prop_assert_eq!(&end, &start);
                continue;
            }
            let totals = block.totals;
            prop_assert_eq!(wealth(&end) + totals.burned, wealth(&start) + totals.emitted);
            prop_assert_eq!(u128::from(supply(&end)), u128::from(emitted) + totals.emitted);
            prop_assert!(supply(&end) <= MAX_SUPPLY);
            prop_assert_eq!(totals.miner + totals.developer, totals.emitted + totals.fees);
            prop_assert_eq!(totals.emitted, u128::from(BlockReward::of(emitted, &context).emitted));
            prop_assert!([miner, developer].iter().all(|seed| end.contains_key(&account_key(*seed))));
            prop_assert!(!block.changes.iter().any(|(key, _)| matches!(key, Key::PendingCredit(_))));
            prop_assert!(block.changes.is_sorted_by(|a, b| a.0 < b.0));
            // Only what differs is written (spec 10, items 22 and 23).
            let differs = |(key, value): &(Key, Option<Value>)| start.get(key) != value.as_ref();
            let rewritten = block.changes.iter().find(|change| matches!(change.0, Key::Account(_)) && !differs(change));
            prop_assert_eq!(rewritten, None);
            prop_assert!(!end.contains_key(&Key::Account(Address::default())));
        }
    }
}
