//! Defects that parallel execution of this ledger had elsewhere (spec 10), one test an item, each on every executor.
//! Items of rules that the ledger does not have (references, contracts, mining) have none; those of rewards have their
//! own file.

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::*;
use weft_engine::BlockEnd;
use weft_ledger::rules::BlockContext;
use weft_ledger::state::{Account, Counter, Key, Value};
use weft_ledger::wire::{Delegation, EnergyPayload, FeeType, MultisigPayload, Payload, Transaction};
use weft_ledger::{COIN, Hash, SignedTransaction, TosError};
use weft_node::executor::{BlockExecutor, BlockInput, SequentialExecutor, SharedState};
use weft_storage::LatencyReader;

/// Executes where nothing may fail, and gives the state afterwards.
fn succeed(state: &State, transactions: &[SignedTransaction]) -> State {
    let block = agree(rejecting(), state, transactions);
    assert_eq!(block.rejection, None);
    after(state, &block)
}

/// Item 1.
#[test]
fn a_bad_signature_fails_the_block_in_every_mode() {
    let transactions = [signed(1, 0, pay(2, 5)), badly_signed(3, 0, pay(2, 5)), badly_signed(4, 0, pay(2, 5))];
    let state = state(&[(1, COIN), (3, COIN), (4, COIN)]);
    let block = agree(rejecting(), &state, &transactions);
    assert_eq!(block.rejection, Some((1, TosError::InvalidSignature)));
    let invalid = Some(TosError::InvalidSignature);
    assert_eq!(errors(&agree(skipping(), &state, &transactions)), [None, invalid, invalid]);
}

/// Items 2, 3 and 5: stored balances count, and credit, spend and fee see one and the same account.
#[test]
fn a_credit_adds_to_the_stored_balance_and_can_be_spent() {
    let state = state(&[(1, COIN), (2, 700)]);
    // Account 2 can only pay from what is stored and what it gets, together.
    let after = succeed(&state, &[tx(1, 0, pay(2, FEE)), tx(2, 0, pay(3, 600))]);
    assert_eq!((balance(&after, 2), balance(&after, 3)), (100, 600));
}

/// Items 4, 6, 7 and 18: what leaves one account arrives at another or is fee or burned, and each counts once.
#[test]
fn amounts_and_fees_are_debited_exactly_once() {
    let start = state(&(0..8).map(|seed| (seed, COIN)).collect::<Vec<_>>());
    // Everybody receives and sends, several times.
    let mut transactions: Vec<SignedTransaction> =
        (0..80_u64).map(|at| tx(at % 8, at / 8, pay((at * 3 + 1) % 8, at))).collect();
    transactions.retain(|tx| !matches!(&tx.transaction().payload, Payload::Transfers(to) if to[0].destination == tx.transaction().source));
    transactions.push(tx(7, next_nonce(&transactions, 7), burn(1234)));
    let block = agree(rejecting(), &start, &transactions);
    assert_eq!(block.rejection, None);
    let end = after(&start, &block);
    let count = transactions.len() as u64;
    let left: u64 = (0..8).map(|seed| balance(&end, seed)).sum();
    assert_eq!(left + count * FEE + 1234, 8 * COIN);
    assert_eq!(block.totals.fees, u128::from(count * FEE));
    assert_eq!(block.results.iter().map(|result| result.fee).sum::<u64>(), count * FEE);
    assert_eq!(counter(&end, Counter::Fees), count * FEE);
    assert_eq!((counter(&end, Counter::TotalBurned), block.totals.burned), (1234, 1234));
}

fn next_nonce(transactions: &[SignedTransaction], source: u64) -> u64 {
    transactions.iter().filter(|tx| tx.transaction().source == addr(source)).count() as u64
}

/// Item 8.
#[test]
fn a_failed_transaction_leaves_no_trace() {
    let start = state(&[(1, COIN), (2, 50), (3, COIN), (4, u64::MAX - 5)]);
    let failing = [
        // It has credited account 9 when the second credit overflows.
        tx(1, 0, pay_all(&[(9, 1), (4, 10)])),
        badly_signed(1, 0, multisig(&[3])),
        badly_signed(1, 0, burn(7)),
        tx(1, 0, burn(COIN)),
        tx(2, 0, pay(1, 1)),
        tx(1, 0, freeze(COIN / 2)),
    ];
    for settings in [skipping(), deferred(skipping())] {
        for transaction in &failing {
            let block = agree(settings, &start, &[transaction.clone(), tx(3, 0, pay(1, 5))]);
            assert_eq!(block.totals.rejected, 1, "{transaction:?}");
            let alone = agree(settings, &start, &[tx(3, 0, pay(1, 5))]);
            assert_eq!(block.changes, alone.changes, "{transaction:?}");
        }
    }
}

/// Item 10, and 23 for a configuration that comes and goes within the block.
#[test]
fn a_multisig_configuration_is_set_and_deleted() {
    let key = Key::Multisig(addr(1));
    let start = state(&[(1, COIN), (2, COIN)]);
    let set = succeed(&start, &[tx(1, 0, multisig(&[2]))]);
    assert!(set.contains_key(&key) && account(&set, 1).has_multisig);

    let with_section = |nonce, payload| {
        let placeholder =
            weft_ledger::wire::SignerSignature { signer_id: 0, signature: draft(1, 0, burn(1)).signature };
        let section = weft_ledger::wire::MultiSig { signatures: vec![placeholder] };
        trusted(Transaction { multisig: Some(section), ..draft(1, nonce, payload) })
    };
    let deleted = succeed(&set, &[with_section(1, pay(2, 1)), with_section(2, multisig(&[])), tx(1, 3, pay(2, 1))]);
    assert!(!deleted.contains_key(&key) && !account(&deleted, 1).has_multisig);

    let block = agree(rejecting(), &start, &[tx(1, 0, multisig(&[2])), with_section(1, multisig(&[]))]);
    assert_eq!(block.rejection, None);
    assert!(block.changes.iter().all(|(changed, _)| *changed != key), "back where it was: no change");
}

/// Items 11 and 12.
#[test]
fn every_rule_of_a_type_holds_in_every_mode() {
    let mut start = state(&[(1, 10 * COIN), (2, COIN), (3, 10 * COIN)]);
    let with_energy = Account { balance: COIN, energy: 5, ..Account::default() };
    start.insert(account_key(4), Value::Account(with_energy));
    let paid = |fee, fee_type, transaction: Transaction| trusted(Transaction { fee, fee_type, ..transaction });
    let noted = |bytes: usize, count: u64| {
        let mut entries = pay_all(&(0..count).map(|at| (10 + at, 1)).collect::<Vec<_>>());
        if let Payload::Transfers(entries) = &mut entries {
            entries.iter_mut().for_each(|entry| entry.extra_data = Some(vec![1; bytes].into()));
        }
        paid(COIN, FeeType::Tos, draft(1, 0, entries))
    };
    let energy = |payload| tx(1, 0, Payload::Energy(payload));
    let delegate = |to: &[u64], amount, days| {
        let delegations = to.iter().map(|to| Delegation { delegatee: addr(*to), amount }).collect();
        energy(EnergyPayload::FreezeTosDelegate { delegations, days })
    };
    let threshold = |threshold| {
        let participants = vec![addr(2), addr(3)];
        tx(1, 0, Payload::Multisig(MultisigPayload { threshold, participants }))
    };
    let table = [
        (paid(14_999, FeeType::Tos, draft(1, 0, pay(2, 1))), TosError::InsufficientFee),
        (paid(0, FeeType::Energy, draft(1, 0, pay(2, 1))), TosError::InsufficientEnergy),
        (paid(1, FeeType::Energy, draft(4, 0, pay(2, 1))), TosError::InvalidPayload),
        (paid(0, FeeType::Energy, draft(4, 0, burn(1))), TosError::InvalidFormat),
        (paid(0, FeeType::Uno, draft(1, 0, pay(2, 1))), TosError::InvalidFormat),
        (paid(1, FeeType::Tos, draft(1, 0, freeze(COIN))), TosError::InvalidPayload),
        (tx(1, 0, pay_all(&[(2, 1), (1, 1)])), TosError::SelfOperation),
        (noted(129, 1), TosError::InvalidPayload),
        (noted(128, 33), TosError::InvalidPayload),
        (tx(1, 0, burn(0)), TosError::InvalidAmount),
        (tx(1, 0, multisig(&[])), TosError::InvalidPayload),
        (tx(1, 0, multisig(&[2, 2])), TosError::InvalidSignature),
        (threshold(3), TosError::InvalidPayload),
        (energy(EnergyPayload::FreezeTos { amount: COIN, days: 2 }), TosError::InvalidFormat),
        (energy(EnergyPayload::FreezeTos { amount: COIN + 1, days: 3 }), TosError::InvalidAmount),
        (energy(EnergyPayload::WithdrawUnfrozen), TosError::InvalidPayload),
        (delegate(&[], COIN, 3), TosError::InvalidPayload),
        (delegate(&[1], COIN, 3), TosError::SelfOperation),
        (delegate(&[2, 2], COIN, 3), TosError::InvalidPayload),
        (delegate(&[9], COIN, 3), TosError::AccountNotFound),
        (delegate(&[2, 3], 8 * COIN, 3), TosError::InsufficientBalance),
    ];
    for settings in [skipping(), deferred(skipping())] {
        let transactions: Vec<_> = table.iter().map(|(transaction, _)| transaction.clone()).collect();
        // None of them counts, so all stand in one block with the same nonces.
        let block = agree(settings, &start, &transactions);
        for ((transaction, error), result) in table.iter().zip(&block.results) {
            assert_eq!(result.error, Some(*error), "{transaction:?}");
        }
    }
}

/// Item 14: what has no rules is refused, not dropped, and the others keep their places.
#[test]
fn an_unsupported_type_drops_no_transaction() {
    let transactions = [tx(1, 0, pay(2, 1)), tx(1, 1, register_name()), tx(1, 1, pay(2, 1))];
    let start = state(&[(1, COIN)]);
    assert_eq!(errors(&agree(skipping(), &start, &transactions)), [None, Some(TosError::NotImplemented), None]);
    assert_eq!(agree(rejecting(), &start, &transactions).rejection, Some((1, TosError::NotImplemented)));
}

/// Item 19: the digest and the sequence of writes, a hundred times.
#[test]
fn the_changes_come_in_one_order_every_time() {
    let start = state(&(0..20).map(|seed| (seed, COIN)).collect::<Vec<_>>());
    let transactions: Vec<_> = (0..60).map(|at| tx(at % 20, at / 20, pay((at * 7 + 3) % 40 + 40, 1))).collect();
    let expected = agree(rejecting(), &start, &transactions);
    assert!(expected.changes.is_sorted_by(|a, b| a.0 < b.0));
    let state: SharedState = Arc::new(MapReader(start));
    for (name, executor) in contenders(rejecting()).iter().filter(|(name, _)| !name.contains("units of 3")) {
        for round in 0..100 {
            let block = executor.execute(&input(&transactions), &state).unwrap();
            assert_eq!((block.digest, &block.changes), (expected.digest, &expected.changes), "{name}, round {round}");
        }
    }
}

/// Items 20 and 43.
#[test]
fn the_burned_supply_overflows_at_the_same_transaction() {
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

/// Items 22 and 23: an account that is only read, or credited with nothing, is not rewritten.
#[test]
fn only_what_is_modified_is_written() {
    let start = state(&[(1, COIN), (2, 5), (3, COIN)]);
    for settings in [skipping(), deferred(skipping())] {
        // Account 2 gets 0; account 3 is read by a transaction that fails.
        let block = agree(settings, &start, &[tx(1, 0, pay(2, 0)), tx(3, 4, pay(1, 1))]);
        let accounts: Vec<Key> =
            block.changes.iter().map(|(key, _)| *key).filter(|key| matches!(key, Key::Account(_))).collect();
        assert_eq!(accounts, [account_key(1)]);
    }
}

/// Item 24.
#[test]
fn a_new_receiver_exists_afterwards_even_of_nothing() {
    let start = state(&[(1, COIN)]);
    for settings in [rejecting(), deferred(rejecting())] {
        let block = agree(settings, &start, &[tx(1, 0, pay(9, 0))]);
        assert_eq!(account(&after(&start, &block), 9), Account::default());
    }
}

/// Item 25.
#[test]
fn an_account_that_appears_in_the_block_starts_at_nonce_0() {
    let start = state(&[(1, COIN)]);
    let block = |nonce| [tx(1, 0, pay(9, 3 * FEE)), tx(9, nonce, pay(1, 1)), tx(9, nonce + 1, pay(1, 1))];
    assert_eq!(account(&succeed(&start, &block(0)), 9).nonce, 2);
    assert_eq!(agree(rejecting(), &start, &block(1)).rejection, Some((1, TosError::NonceTooHigh)));
    // With deferred credits it exists in its block, but has nothing to spend (spec 7.2 c).
    assert_eq!(agree(deferred(rejecting()), &start, &block(0)).rejection, Some((1, TosError::InsufficientFee)));
}

/// Item 26: thousands of transactions at once, and not one of them is lost.
#[test]
fn a_huge_block_is_executed_whole() {
    let accounts: Vec<_> = (0..3000_u64)
        .map(|at| {
            let mut bytes = [0; 32];
            bytes[..8].copy_from_slice(&at.to_le_bytes());
            weft_ledger::Address(bytes)
        })
        .collect();
    let funded = Value::Account(Account { balance: COIN, ..Account::default() });
    let start: State = accounts.iter().map(|address| (Key::Account(*address), funded.clone())).collect();
    let transactions: Vec<_> =
        accounts.iter().map(|source| trusted(Transaction { source: *source, ..draft(0, 0, pay(1, 1)) })).collect();
    let block = agree(rejecting(), &start, &transactions);
    assert_eq!(block.totals.accepted, 3000);
    assert_eq!(balance(&after(&start, &block), 1), 3000);
}

/// Item 36.
#[test]
fn energy_is_spent_once_and_delegation_reaches_everybody() {
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

/// Item 38.
#[test]
fn every_destination_of_a_transfer_sees_its_credit() {
    let start = state(&[(1, COIN)]);
    let destinations: Vec<(u64, u64)> = (10..30).map(|seed| (seed, 2 * FEE + seed)).collect();
    let first = trusted(Transaction { fee: COIN / 10, ..draft(1, 0, pay_all(&destinations)) });
    let transactions: Vec<_> =
        std::iter::once(first).chain(destinations.iter().map(|(seed, _)| tx(*seed, 0, pay(1, FEE)))).collect();
    let end = succeed(&start, &transactions);
    assert!(destinations.iter().all(|(seed, _)| balance(&end, *seed) == *seed));
}

/// Items 39 and 48: a gap or a repeat fails where it stands, and does not use up the nonce.
#[test]
fn the_nonces_of_one_sender_are_judged_in_order() {
    let start = state(&[(1, COIN)]);
    let sent = |nonces: &[u64]| nonces.iter().map(|nonce| tx(1, *nonce, pay(2, 1))).collect::<Vec<_>>();
    let (high, low) = (Some(TosError::NonceTooHigh), Some(TosError::NonceTooLow));
    let block = agree(skipping(), &start, &sent(&[0, 1, 3, 1, 2, 2, 4, 3, 4]));
    assert_eq!(errors(&block), [None, None, high, low, None, low, high, None, None]);
    assert_eq!(account(&after(&start, &block), 1).nonce, 5);
    assert_eq!(agree(rejecting(), &start, &sent(&[0, 1, 3, 2])).rejection, Some((2, TosError::NonceTooHigh)));
    assert_eq!(agree(rejecting(), &start, &sent(&[0, 1, 1, 2])).rejection, Some((2, TosError::NonceTooLow)));
}

/// Items 28 and 40: storage is read by all workers at once, late, and the order of results stays.
#[test]
fn results_keep_their_order_whatever_is_late() {
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

/// Item 41.
#[test]
fn chains_and_fans_of_transfers_give_the_sequential_balances() {
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

/// Item 42.
#[test]
fn a_shared_receiver_overflows_at_the_same_transaction() {
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

/// Item 44.
#[test]
fn a_missing_account_is_an_error_code() {
    let transactions = [tx(77, 0, pay(1, 1)), tx(77, 0, burn(1)), tx(77, 0, freeze(COIN)), tx(77, 0, multisig(&[1]))];
    for settings in [skipping(), deferred(skipping())] {
        let block = agree(settings, &state(&[]), &transactions);
        assert!(errors(&block).iter().all(|error| *error == Some(TosError::AccountNotFound)));
    }
}

/// Item 45.
#[test]
fn no_rule_reads_the_time() {
    let start: SharedState = Arc::new(MapReader(state(&[(1, 9 * COIN)])));
    let transactions: Arc<[SignedTransaction]> = [tx(1, 0, freeze(COIN)), tx(1, 1, pay(2, 1))].into();
    let [early, late] = [0, u64::MAX].map(|timestamp| {
        let context = BlockContext { timestamp, ..context() };
        let input = BlockInput { context, transactions: Arc::clone(&transactions), parent_digest: Hash([0; 32]) };
        let mut changes = SequentialExecutor::new(rejecting()).execute(&input, &start).unwrap().changes;
        changes.retain(|(key, _)| *key != Key::Counter(Counter::Timestamp));
        changes
    });
    assert_eq!(early, late);
}

/// Item 46.
#[test]
fn a_receiver_that_is_new_costs_what_a_known_one_costs() {
    let start = state(&[(1, COIN), (2, COIN), (3, 1)]);
    let block = agree(rejecting(), &start, &[tx(1, 0, pay(9, 1)), tx(2, 0, pay(9, 1)), tx(1, 1, pay(3, 1))]);
    assert_eq!(block.results.iter().map(|result| result.fee).collect::<Vec<_>>(), [FEE; 3]);
    assert_eq!(block.end, BlockEnd::Complete);
}
