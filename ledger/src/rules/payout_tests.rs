//! How rewards reach the accounts (spec 7.3), without executors.

use std::collections::BTreeMap;
use std::convert::Infallible;

use weft_engine::Outcome;
use weft_storage::{StateReader, StorageError};

use crate::contract::Module;
use crate::error::TosError;
use crate::rules::*;
use crate::state::{Account, Counter, Key, PendingCredits, Value};
use crate::testing::addr;
use crate::types::Address;

type State = BTreeMap<Key, Value>;

const SUPPLY: Key = Key::Counter(Counter::TotalSupply);
/// Of the first block.
const MINER: u64 = 87_738_037;
const DEVELOPER: u64 = 9_748_670;

fn config(order: RewardOrder, credit_visibility: CreditVisibility) -> LedgerConfig {
    LedgerConfig { credit_visibility, rewards: Some(order), ..LedgerConfig::default() }
}

fn context(miner: u64, developer: u64) -> BlockContext {
    BlockContext { miner: addr(miner), developer: addr(developer), ..BlockContext::default() }
}

fn account(balance: u64) -> Value {
    Value::Account(Account { balance, nonce: 4, ..Account::default() })
}

fn created(balance: u64) -> Value {
    Value::Account(Account { balance, ..Account::default() })
}

fn read(state: &State) -> impl FnMut(&Key) -> Result<Option<Value>, Infallible> {
    |key| Ok(state.get(key).cloned())
}

fn prepare(state: &State, config: LedgerConfig, context: BlockContext) -> Result<Payout, FinishError<Infallible>> {
    Payout::prepare(&config, &context, read(state)).map(|payout| payout.expect("rewards are on"))
}

fn put(state: &State, values: &[RewardedValue]) -> State {
    let mut state = state.clone();
    state.extend(values.iter().map(|value| (value.key, value.after.clone())));
    state
}

/// A block without transactions that earned `earned`, with immediate credits.
fn reward(state: &State, order: RewardOrder, context: BlockContext, earned: u128) -> State {
    let payout = prepare(state, config(order, CreditVisibility::Immediate), context).unwrap();
    let begun = put(state, payout.early());
    put(&begun, &payout.settle(earned, read(&begun)).unwrap())
}

#[test]
fn without_the_setting_there_is_no_reward() {
    let payout = Payout::prepare(&LedgerConfig::default(), &context(1, 2), |_| -> Result<_, Infallible> {
        panic!("nothing needs to be read")
    });
    assert_eq!(payout, Ok(None));
}

#[test]
fn both_orders_credit_the_same_onto_what_is_there() {
    let state = State::from([(Key::Account(addr(1)), account(50)), (SUPPLY, Value::Counter(0))]);
    for order in [RewardOrder::Before, RewardOrder::After] {
        let end = reward(&state, order, context(1, 2), 7);
        let expected = [
            (SUPPLY, Value::Counter(MINER + DEVELOPER)),
            (Key::Account(addr(1)), account(50 + MINER + 7)),
            (Key::Account(addr(2)), created(DEVELOPER)),
        ];
        assert_eq!(end, State::from(expected), "{order:?}");
        // One who is both gets both, and nobody needs to exist before.
        let end = reward(&State::new(), order, context(3, 3), 7);
        let expected =
            [(SUPPLY, Value::Counter(MINER + DEVELOPER)), (Key::Account(addr(3)), created(MINER + DEVELOPER + 7))];
        assert_eq!(end, State::from(expected), "{order:?}");
    }
}

#[test]
fn before_credits_the_reward_early_and_after_credits_nothing_early() {
    let config = |order| config(order, CreditVisibility::Immediate);
    let payout = prepare(&State::new(), config(RewardOrder::Before), context(1, 2)).unwrap();
    let early: Vec<_> = payout.early().iter().map(|value| (value.key, value.after.clone())).collect();
    assert_eq!(early, [(Key::Account(addr(2)), created(DEVELOPER)), (Key::Account(addr(1)), created(MINER))]);
    let late = payout.settle(0, read(&put(&State::new(), payout.early()))).unwrap();
    assert_eq!(late.iter().map(|value| value.key).collect::<Vec<_>>(), [SUPPLY], "not a second time");

    let payout = prepare(&State::new(), config(RewardOrder::After), context(1, 2)).unwrap();
    assert_eq!(payout.early(), []);
}

#[test]
fn a_supply_that_is_used_up_changes_nothing_but_fees_go_on() {
    for emitted in [MAX_SUPPLY, u64::MAX] {
        let state = State::from([
            (SUPPLY, Value::Counter(emitted)),
            (Key::Account(addr(1)), account(5)),
            (Key::Account(addr(2)), account(6)),
        ]);
        for order in [RewardOrder::Before, RewardOrder::After] {
            let payout = prepare(&state, config(order, CreditVisibility::Immediate), context(1, 2)).unwrap();
            assert_eq!((payout.early(), payout.settle(0, read(&state)).unwrap()), (&[][..], vec![]));
            let paid = payout.settle(9, read(&state)).unwrap();
            let before = Some(account(5));
            assert_eq!(paid, [RewardedValue { key: Key::Account(addr(1)), before, after: account(14) }]);
        }
    }
}

#[test]
fn with_deferred_credits_a_reward_waits_like_a_transfer() {
    let state = State::from([(Key::Account(addr(1)), account(50))]);
    let deferred = |key: &Key| -> Result<_, Infallible> {
        Ok(match key {
            Key::PendingCredit(address) => deferred_base(state.get(&Key::Account(*address))),
            key => state.get(key).cloned(),
        })
    };
    let config = config(RewardOrder::Before, CreditVisibility::Deferred);
    let payout = Payout::prepare(&config, &context(1, 2), deferred).unwrap().unwrap();
    let pending = |start_balance, credits| Value::PendingCredit(PendingCredits { start_balance, credits });
    let early: Vec<_> = payout.early().iter().map(|value| (value.key, value.after.clone())).collect();
    assert_eq!(
        early,
        [(Key::PendingCredit(addr(2)), pending(0, DEVELOPER)), (Key::PendingCredit(addr(1)), pending(50, MINER))]
    );
}

#[test]
fn what_does_not_fit_is_an_error_and_not_a_wrap() {
    let rich = |balance| State::from([(Key::Account(addr(1)), account(balance))]);
    let immediate = |order| config(order, CreditVisibility::Immediate);
    let overflow = Err(FinishError::RewardOverflow(addr(1)));
    // The reward itself, as miner and as developer.
    assert!(prepare(&rich(u64::MAX - MINER), immediate(RewardOrder::Before), context(1, 2)).is_ok());
    assert_eq!(prepare(&rich(u64::MAX - MINER + 1), immediate(RewardOrder::Before), context(1, 2)), overflow);
    assert_eq!(prepare(&rich(u64::MAX - DEVELOPER + 1), immediate(RewardOrder::Before), context(2, 1)), overflow);
    let after = |state: &State, context, earned| {
        let payout = prepare(state, immediate(RewardOrder::After), context).unwrap();
        payout.settle(earned, read(state)).map(|_| ())
    };
    let overflow = Err(FinishError::RewardOverflow(addr(1)));
    assert_eq!(after(&rich(u64::MAX - MINER), context(1, 2), 0), Ok(()));
    assert_eq!(after(&rich(u64::MAX - MINER), context(1, 2), 1), overflow, "the fees count too");
    assert_eq!(after(&rich(u64::MAX - DEVELOPER + 1), context(2, 1), 0), overflow);
    assert_eq!(after(&rich(0), context(1, 2), u128::from(u64::MAX) + 1), overflow);
    assert_eq!(after(&rich(0), context(1, 2), u128::MAX), overflow);
    // Nothing but the reward changes the supply, so only a supply that has changed meanwhile can overflow.
    let payout = prepare(&State::new(), immediate(RewardOrder::After), context(1, 2)).unwrap();
    let full = State::from([(SUPPLY, Value::Counter(u64::MAX))]);
    assert_eq!(payout.settle(0, read(&full)), Err(FinishError::SupplyOverflow));
}

#[test]
fn a_damaged_state_is_named() {
    let damaged = |key| State::from([(key, Value::Contract(Module::new([])))]);
    let before = config(RewardOrder::Before, CreditVisibility::Immediate);
    assert_eq!(prepare(&damaged(SUPPLY), before, context(1, 2)), Err(FinishError::DamagedSupply));
    let account = damaged(Key::Account(addr(1)));
    assert_eq!(prepare(&account, before, context(1, 2)), Err(FinishError::Damaged(addr(1))));
    assert_eq!(Payout::prepare(&before, &context(1, 2), |_| Err("gone")), Err(FinishError::Base("gone")));
    let payout = prepare(&State::new(), before, context(1, 2)).unwrap();
    assert_eq!(payout.settle(0, read(&damaged(SUPPLY))), Err(FinishError::DamagedSupply));
    assert_eq!(payout.settle(0, |_| Err("gone")), Err(FinishError::Base("gone")));
}

#[test]
fn fees_count_once_and_gas_less_what_is_burned() {
    let receipt = |fee| Receipt { result: Ok(()), fee, ..Receipt::failure(TosError::Overflow) };
    let outcomes = [
        Outcome::applied(receipt(100), 0),
        Outcome::applied(receipt(5), 10),
        Outcome::applied(receipt(0), 1),
        Outcome::applied(receipt(0), 1),
        Outcome::rejected(Receipt::failure(TosError::Overflow)),
    ];
    // Of each transaction's gas for itself: 1 and 1 are 2, where a tenth of the sum would be burned.
    assert_eq!(miner_earnings(&outcomes), 105 + 7 + 2);
    let most = [Outcome::applied(receipt(u64::MAX), 0), Outcome::applied(receipt(u64::MAX), 0)];
    assert_eq!(miner_earnings(&most), 2 * u128::from(u64::MAX));
}

#[test]
fn totals_say_who_got_what() {
    let payout =
        prepare(&State::new(), config(RewardOrder::After, CreditVisibility::Immediate), context(1, 2)).unwrap();
    let totals = BlockTotals { fees: 9, burned: 4, ..BlockTotals::default() }.with_payout(&payout, 9);
    assert_eq!((totals.fees, totals.burned), (9, 4));
    let (emitted, miner) = (u128::from(MINER + DEVELOPER), u128::from(MINER) + 9);
    assert_eq!((totals.emitted, totals.miner, totals.developer), (emitted, miner, u128::from(DEVELOPER)));
}

struct Nobody;

impl StateReader<Key, Value> for Nobody {
    fn read(&self, key: &Key) -> Result<Option<Value>, StorageError> {
        Ok((*key == Key::Account(Address::default())).then(|| account(1)))
    }
}

#[test]
fn the_reader_shows_what_is_credited_early_and_the_rest_as_it_is() {
    let payout =
        prepare(&State::new(), config(RewardOrder::Before, CreditVisibility::Immediate), context(1, 2)).unwrap();
    let reader = payout.reader(Nobody);
    let seen = |key| reader.read(&key).unwrap();
    assert_eq!(seen(Key::Account(addr(1))), Some(created(MINER)));
    assert_eq!(seen(Key::Account(addr(2))), Some(created(DEVELOPER)));
    assert_eq!(seen(Key::Account(Address::default())), Some(account(1)));
    assert_eq!(seen(Key::PendingCredit(addr(1))), None);
    assert_eq!(seen(SUPPLY), None, "the supply is raised at the end");
}
