//! Items 36 to 39: what transactions of one block conflict about.

use weft_ledger::rules::LedgerConfig;
use weft_ledger::state::{Account, Counter, Key, Value};
use weft_ledger::wire::{AiMiningPayload, Delegation, Difficulty, EnergyPayload, Payload, Transaction};
use weft_ledger::{COIN, Hash, MiningExport, SignedTransaction, TosError, crypto};
use weft_node::executor::ExecutorSettings;

use super::common::*;
use super::succeed;

#[test]
fn item_36_energy_is_spent_once_and_delegation_reaches_everybody() {
    let mut start = state(&[(2, COIN), (3, 9 * COIN), (4, COIN), (5, 0)]);
    start.insert(account_key(1), Value::Account(Account { balance: COIN, energy: 1, ..Account::default() }));
    let twice = [tx_for_energy(1, 0, pay(2, 1)), tx_for_energy(1, 1, pay(2, 1))];
    assert_eq!(agree(rejecting(), &start, &twice).rejection, Some((1, TosError::InsufficientEnergy)));

    // Delegatees spend in the same block what they are given in it, also one that has nothing else.
    let delegations = [1, 4, 5].map(|to| Delegation { delegatee: addr(to), amount: COIN }).to_vec();
    let delegate = tx(3, 0, Payload::Energy(EnergyPayload::FreezeTosDelegate { delegations, days: 3 }));
    let block =
        [delegate, tx_for_energy(4, 0, pay(2, 1)), tx_for_energy(5, 0, pay(2, 0)), twice[0].clone(), twice[1].clone()];
    let end = succeed(&start, &block);
    // Two for each TOS and day, one for each fee.
    assert_eq!([1, 4, 5].map(|seed| account(&end, seed).energy), [1 + 6 - 2, 6 - 1, 6 - 1]);
}

/// Registrations, tasks and answers that meet each other in one block: each sees what those before it did.
#[test]
fn item_37_mining_transactions_never_run_from_one_snapshot() {
    const NOW: u64 = 10_000_000;
    const REWARD: u64 = 5_000_000_000;
    let world = state(&(1..=20).map(|seed| (seed, COIN)).collect::<Vec<_>>());
    let mine = |seed, nonce, payload| tx(seed, nonce, Payload::AiMining(Box::new(payload)));
    let register = |seed, nonce| {
        mine(seed, nonce, AiMiningPayload::RegisterMiner { miner: addr(seed), registration_fee: 1_000_000_000 })
    };
    let publish = |seed, nonce| {
        let payload = AiMiningPayload::PublishTask {
            task_id: Hash([1; 32]),
            reward_amount: REWARD,
            difficulty: Difficulty::Beginner,
            deadline: NOW + 10_000,
            description: "a task, described".into(),
        };
        mine(seed, nonce, payload)
    };
    let answer = |seed, nonce| {
        let text = format!("the answer of {seed}");
        let payload = AiMiningPayload::SubmitAnswer {
            task_id: Hash([1; 32]),
            answer_hash: crypto::hash(text.as_bytes()),
            answer_content: text.into(),
            stake_amount: REWARD / 4,
        };
        mine(seed, nonce, payload)
    };
    let mut transactions: Vec<SignedTransaction> = (1..=10).map(|seed| register(seed, 0)).collect();
    // Before the task is there; the task twice; then answers to it, and one miner's second registration and answer.
    transactions.extend([answer(2, 1), publish(1, 1), publish(3, 1)]);
    transactions.extend((4..=10).map(|seed| answer(seed, 1)));
    transactions.extend([register(4, 2), answer(5, 2), tx(11, 0, pay(12, 1))]);
    let refused = [10, 12, 20, 21];
    for settings in [skipping(), deferred(skipping())] {
        let settings = ExecutorSettings { ledger: LedgerConfig { ai_mining: true, ..settings.ledger }, ..settings };
        let context = weft_ledger::rules::BlockContext { timestamp: NOW, ..context() };
        let block = agree_in(settings, context, &world, &transactions);
        for (at, error) in errors(&block).into_iter().enumerate() {
            assert_eq!(error, refused.contains(&at).then_some(TosError::InvalidPayload), "transaction {at}");
        }
        let end = MiningExport::of(after(&world, &block));
        let task = &end.tasks[&Hash([1; 32])];
        let submitters: Vec<_> = task.submitted_answers.iter().map(|answer| answer.submitter).collect();
        assert_eq!((task.publisher, submitters), (addr(1), (4..=10).map(addr).collect()));
        assert_eq!((end.statistics.total_tasks, end.statistics.total_miners), (1, 10));
    }
}

#[test]
fn item_38_every_destination_of_a_transfer_sees_its_credit() {
    let start = state(&[(1, COIN)]);
    let destinations: Vec<(u64, u64)> = (10..30).map(|seed| (seed, 2 * FEE + seed)).collect();
    let first = trusted(Transaction { fee: COIN / 10, ..draft(1, 0, pay_all(&destinations)) });
    let transactions: Vec<_> =
        std::iter::once(first).chain(destinations.iter().map(|(seed, _)| tx(*seed, 0, pay(1, FEE)))).collect();
    let end = succeed(&start, &transactions);
    assert!(destinations.iter().all(|(seed, _)| balance(&end, *seed) == *seed));
}

/// The rest of what item 38 names: the burn counter, the source's multisig configuration, and who exists.
#[test]
fn item_38_burns_configurations_and_existence_are_seen() {
    let mut start = state(&(1..=20).map(|seed| (seed, 10 * COIN)).collect::<Vec<_>>());
    let burns: Vec<_> = (1..=20).map(|seed| tx(seed, 0, burn(seed))).collect();
    assert_eq!(counter(&succeed(&start, &burns), Counter::TotalBurned), 210);
    // A configuration of this block counts from the next transaction of its source on.
    let configured: Vec<_> =
        (1..=20).flat_map(|seed| [tx(seed, 0, multisig(&[30])), tx(seed, 1, pay(31, 1))]).collect();
    let alternating = |(at, error): (usize, &Option<TosError>)| error.is_some() == (at % 2 == 1);
    assert!(errors(&agree(skipping(), &start, &configured)).iter().enumerate().all(alternating));
    // Who is created by a payment is a delegatee right after it, and nobody before.
    start.insert(Key::Counter(Counter::TotalBurned), Value::Counter(0));
    let delegate = |seed, nonce| {
        let delegations = vec![Delegation { delegatee: addr(seed + 100), amount: COIN }];
        tx(seed, nonce, Payload::Energy(EnergyPayload::FreezeTosDelegate { delegations, days: 3 }))
    };
    let block: Vec<_> =
        (1..=20).flat_map(|seed| [delegate(seed, 0), tx(seed, 0, pay(seed + 100, 0)), delegate(seed, 1)]).collect();
    for settings in [skipping(), deferred(skipping())] {
        let result = agree(settings, &start, &block);
        for three in errors(&result).chunks(3) {
            assert_eq!(three, [Some(TosError::AccountNotFound), None, None]);
        }
        assert!((101..=120).all(|seed| account(&after(&start, &result), seed).energy == 6));
    }
}

/// A gap or a repeat fails where it stands, and does not use up the nonce.
#[test]
fn item_39_the_nonces_of_one_sender_are_judged_in_order() {
    let start = state(&[(1, COIN)]);
    let sent = |nonces: &[u64]| nonces.iter().map(|nonce| tx(1, *nonce, pay(2, 1))).collect::<Vec<_>>();
    let (high, low) = (Some(TosError::NonceTooHigh), Some(TosError::NonceTooLow));
    let block = agree(skipping(), &start, &sent(&[0, 1, 3, 1, 2, 2, 4, 3, 4]));
    assert_eq!(errors(&block), [None, None, high, low, None, low, high, None, None]);
    assert_eq!(account(&after(&start, &block), 1).nonce, 5);
    assert_eq!(agree(rejecting(), &start, &sent(&[0, 1, 3, 2])).rejection, Some((2, TosError::NonceTooHigh)));
    assert_eq!(agree(rejecting(), &start, &sent(&[0, 1, 1, 2])).rejection, Some((2, TosError::NonceTooLow)));
}
