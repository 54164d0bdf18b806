//! Sequential, batching and optimistic execution of the same blocks: the same results, changes, totals, digest, end.

mod common;

use std::sync::Arc;

use common::faults::Broken;
use common::*;
use proptest::prelude::*;
use weft_engine::{BlockEnd, OnRejected};
use weft_ledger::rules::BlockContext;
use weft_ledger::state::{Account, Counter, EnergyResource, Key, Value};
use weft_ledger::wire::{
    Delegation, EnergyPayload, InvokeContractPayload, MultiSig, Payload, SignerSignature, Transaction,
};
use weft_ledger::{COIN, Hash, SignedTransaction, TosError};
use weft_node::executor::{BlockExecutor, ExecuteError, SequentialExecutor, SharedState};
use weft_node::workload::{Workload, WorkloadBuilder};
use weft_storage::LatencyReader;

const WORKLOADS: [&str; 8] =
    ["p2p-2", "p2p-30", "p2p-500", "independent", "shared-receiver", "one-sender", "zipf-100-1.1", "mixed-30"];

/// Genesis and first block of a workload, unsigned.
fn workload(name: &str, transactions: usize) -> (State, Vec<SignedTransaction>) {
    let workload: Workload = name.parse().unwrap();
    let mut generator = WorkloadBuilder::new(workload).transactions(transactions).seed(5).unsigned().build();
    (generator.genesis().into_iter().collect(), generator.next_transactions())
}

#[test]
fn every_workload_gives_the_same_on_every_executor() {
    for name in WORKLOADS {
        let (state, transactions) = workload(name, 250);
        for settings in [rejecting(), deferred(rejecting())] {
            let block = agree(settings, &state, &transactions);
            assert_eq!((block.end, block.totals.accepted), (BlockEnd::Complete, 250), "{name}");
        }
    }
}

#[test]
fn a_signed_block_gives_the_same_on_every_executor() {
    let mut generator = WorkloadBuilder::new(Workload::Mixed { accounts: 20 }).transactions(50).seed(3).build();
    let state = generator.genesis().into_iter().collect();
    let transactions = generator.next_transactions();
    assert!(transactions.iter().all(|transaction| !transaction.is_trusted()));
    let block = agree(rejecting(), &state, &transactions);
    assert_eq!((block.end, block.totals.accepted), (BlockEnd::Complete, 50));
}

/// A call of a contract that is not there.
fn call_of_nothing() -> Payload {
    let call = InvokeContractPayload {
        contract: Hash([9; 32]),
        deposits: Vec::new(),
        entry_id: 1,
        max_gas: 1000,
        parameters: Vec::new(),
    };
    Payload::InvokeContract(call.into())
}

/// One invalid transaction of each kind from an account with this nonce, and its error.
fn invalid(source: u64, nonce: u64) -> Vec<(SignedTransaction, TosError)> {
    let payment = || draft(source, nonce, pay(201, 1));
    let mut kinds = vec![
        (badly_signed(source, nonce, pay(201, 1)), TosError::InvalidSignature),
        (tx(source, nonce + 3, pay(201, 1)), TosError::NonceTooHigh),
        (tx(source, nonce, pay(201, u64::MAX - FEE)), TosError::InsufficientBalance),
        (tx(250, 0, pay(201, 1)), TosError::AccountNotFound),
        (trusted(Transaction { chain_id: 0, ..payment() }), TosError::InvalidType),
        (tx(source, nonce, call_of_nothing()), TosError::ContractNotFound),
        (tx(source, nonce, register_name()), TosError::NotImplemented),
    ];
    if nonce > 0 {
        kinds.push((tx(source, nonce - 1, pay(201, 1)), TosError::NonceTooLow));
    }
    kinds
}

#[test]
fn invalid_transactions_fail_alike_wherever_they_stand() {
    // Every sender sends twice, so that the nonces of the second round depend on the first.
    let state = state(&(1..=30).map(|seed| (seed, COIN)).collect::<Vec<_>>());
    let valid: Vec<SignedTransaction> =
        (0..60).map(|at| tx(at % 30 + 1, at / 30, pay((at * 7 + 1) % 30 + 100, 5))).collect();
    let kinds = invalid(1, 1);
    // After position 35 the source of the invalid ones has sent one transaction: their nonces are what they say.
    let mut mixed = valid.clone();
    let positions: Vec<usize> = (0..kinds.len()).map(|at| 31 + at * 4).collect();
    let mut shifted = 0;
    mixed.retain(|transaction| transaction.transaction().source != addr(1) || transaction.transaction().nonce == 0);
    for (position, (transaction, _)) in positions.iter().zip(&kinds) {
        mixed.insert((*position).min(mixed.len()), transaction.clone());
        shifted += 1;
    }
    for settings in [skipping(), deferred(skipping())] {
        let block = agree(settings, &state, &mixed);
        assert_eq!((block.end, block.totals.rejected), (BlockEnd::Complete, shifted));
        for (position, (_, error)) in positions.iter().zip(&kinds) {
            assert_eq!(block.results[*position].error, Some(*error), "at {position}");
        }
    }
    for (position, (transaction, error)) in positions.iter().zip(&kinds) {
        let mut one: Vec<SignedTransaction> = valid.clone();
        one.retain(|other| other.transaction().source != addr(1) || other.transaction().nonce == 0);
        one.insert((*position).min(one.len()), transaction.clone());
        for settings in [rejecting(), deferred(rejecting())] {
            let block = agree(settings, &state, &one);
            assert_eq!(block.rejection, Some((*position, *error)));
            assert_eq!((block.changes.len(), block.digest), (0, Hash([7; 32])), "a rejected block changes nothing");
        }
    }
}

#[test]
fn a_bad_signature_rejects_the_block_at_its_transaction_and_trusted_ones_are_not_checked() {
    let state = state(&[(1, COIN), (2, COIN), (3, COIN)]);
    let good = [signed(1, 0, pay(3, 1)), signed(2, 0, pay(1, 1)), signed(1, 1, pay(2, 1)), signed(3, 0, pay(1, 1))];
    assert_eq!(agree(rejecting(), &state, &good).end, BlockEnd::Complete);
    for at in 0..good.len() {
        let mut block = good.to_vec();
        let Transaction { source, nonce, payload, .. } = block[at].transaction().clone();
        let seed = (1..=3).find(|seed| addr(*seed) == source).unwrap();
        block[at] = badly_signed(seed, nonce, payload);
        let rejected = agree(rejecting(), &state, &block);
        assert_eq!(rejected.rejection, Some((at, TosError::InvalidSignature)));
        block[at].trust();
        assert_eq!(agree(rejecting(), &state, &block).end, BlockEnd::Complete);
    }
}

#[test]
fn participants_signatures_are_checked_on_every_path() {
    let state = state(&[(1, COIN), (2, COIN), (3, COIN)]);
    let co_signed = |signer: u64| {
        let payment = draft(1, 1, pay(3, 1));
        let hash = weft_ledger::crypto::hash(&payment.signing_bytes().unwrap());
        let signature = SignerSignature { signer_id: 0, signature: key(signer).sign(&hash.0) };
        let section = MultiSig { signatures: vec![signature] };
        SignedTransaction::sign(Transaction { multisig: Some(section), ..payment }, &key(1)).unwrap()
    };
    let block = |signer| [signed(1, 0, multisig(&[2])), co_signed(signer), signed(2, 0, pay(3, 1))];
    assert_eq!(agree(rejecting(), &state, &block(2)).end, BlockEnd::Complete);
    assert_eq!(agree(rejecting(), &state, &block(3)).rejection, Some((1, TosError::InvalidSignature)));
    // The configuration binds from the next transaction on, in the same block.
    let without = [signed(1, 0, multisig(&[2])), signed(1, 1, pay(3, 1))];
    assert_eq!(agree(rejecting(), &state, &without).rejection, Some((1, TosError::InvalidPayload)));
}

#[test]
fn a_storage_failure_is_the_sequential_one() {
    let transactions: Vec<SignedTransaction> = (1..=40).map(|seed| tx(seed, 0, pay(seed + 1, 5))).collect();
    let state = state(&(1..=41).map(|seed| (seed, COIN)).collect::<Vec<_>>());
    // A sender, somebody who is credited only, and a counter that everybody adds to.
    for (broken, first) in [(account_key(20), 18), (account_key(41), 39), (Key::Counter(Counter::Fees), 0)] {
        let state: SharedState = Arc::new(Broken(state.clone(), broken));
        let sequential = SequentialExecutor::new(rejecting()).execute(&input(&transactions), &state).unwrap_err();
        assert!(sequential.to_string().starts_with(&format!("transaction {first}: corrupt that key")), "{sequential}");
        for (name, executor) in contenders(rejecting()) {
            let error = executor.execute(&input(&transactions), &state).unwrap_err();
            assert!(matches!(error, ExecuteError::Block(_)), "{name}: {error:?}");
            assert_eq!(error.to_string(), sequential.to_string(), "{name}");
        }
    }
}

#[test]
fn slow_storage_changes_nothing() {
    let (state, transactions) = workload("mixed-30", 60);
    let expected = agree(rejecting(), &state, &transactions);
    let slow: SharedState = Arc::new(LatencyReader::new(MapReader(state), std::time::Duration::from_micros(200)));
    assert_eq!(agree_on(rejecting(), &slow, &transactions), expected);
}

#[test]
fn a_block_without_transactions_ends_like_any_other() {
    for settings in all_settings() {
        let block = agree(settings, &state(&[(1, 5)]), &[]);
        let height = (Key::Counter(Counter::BlockHeight), Some(Value::Counter(8)));
        let time = (Key::Counter(Counter::Timestamp), Some(Value::Counter(70)));
        assert_eq!((block.changes, block.end), (vec![height, time], BlockEnd::Complete));
    }
}

#[test]
fn a_height_that_has_no_successor_is_an_error_everywhere() {
    let settings = rejecting();
    let context = BlockContext { height: u64::MAX, ..context() };
    let input = weft_node::executor::BlockInput { context, ..input(&[]) };
    let state: SharedState = Arc::new(MapReader(state(&[])));
    for (name, executor) in contenders(settings) {
        let error = executor.execute(&input, &state).unwrap_err();
        assert!(matches!(error, ExecuteError::Finish(_)), "{name}: {error:?}");
    }
}

/// Something to do for one of few accounts, with a nonce that is off by `skew`.
#[derive(Debug, Clone)]
struct Action {
    source: u64,
    skew: u64,
    with_energy: bool,
    co_signed: bool,
    payload: Payload,
}

fn action() -> impl Strategy<Value = Action> {
    // Accounts 1 to 4 exist, 5 and 6 do not at first.
    let who = || 1..=6_u64;
    let amount =
        || prop_oneof![4 => 0..2000_u64, 2 => Just(COIN), 1 => Just(50 * COIN), 1 => Just(u64::MAX - 5 * COIN)];
    let delegate = |(to, amount): (u64, u64)| {
        let delegations = vec![Delegation { delegatee: addr(to), amount }];
        Payload::Energy(EnergyPayload::FreezeTosDelegate { delegations, days: 4 })
    };
    let unfreeze =
        |amount| EnergyPayload::UnfreezeTos { amount, from_delegation: false, record_index: None, delegatee: None };
    let payload = prop_oneof![
        6 => (who(), amount()).prop_map(|(to, amount)| pay(to, amount)),
        2 => prop::collection::vec((who(), 0..500_u64), 1..4).prop_map(|to| pay_all(&to)),
        2 => amount().prop_map(burn),
        2 => prop::collection::vec(who(), 0..3).prop_map(|participants| multisig(&participants)),
        2 => amount().prop_map(freeze),
        1 => (who(), Just(COIN)).prop_map(delegate),
        1 => amount().prop_map(move |amount| Payload::Energy(unfreeze(amount))),
        1 => Just(Payload::Energy(EnergyPayload::WithdrawUnfrozen)),
        1 => any::<bool>().prop_map(|call| if call { call_of_nothing() } else { register_name() }),
    ];
    (who(), prop_oneof![9 => Just(0_u64), 1 => 1..3_u64], prop::bool::weighted(0.2), prop::bool::weighted(0.2), payload)
        .prop_map(|(source, skew, with_energy, co_signed, payload)| Action {
            source,
            skew,
            with_energy,
            co_signed,
            payload,
        })
}

/// The transactions of a mixture: each with the nonce that its source has if all before it succeed.
fn mixture(actions: &[Action]) -> Vec<SignedTransaction> {
    let mut nonces = [0_u64; 8];
    let make = |action: &Action| {
        let nonce = &mut nonces[action.source as usize];
        let mut transaction = draft(action.source, *nonce + action.skew, action.payload.clone());
        *nonce += u64::from(action.skew == 0);
        if action.with_energy {
            transaction.fee = 0;
            transaction.fee_type = weft_ledger::wire::FeeType::Energy;
        }
        if action.co_signed {
            let signature = SignerSignature { signer_id: 0, signature: transaction.signature };
            transaction.multisig = Some(MultiSig { signatures: vec![signature] });
        }
        trusted(transaction)
    };
    actions.iter().map(make).collect()
}

/// Balances, burned supply and energy that are small, or close to where they overflow.
fn small_world(near_the_end: bool) -> State {
    let mut state = state(&[(1, 3 * COIN), (2, 200_000), (3, 100 * COIN)]);
    let big = if near_the_end { u64::MAX - COIN } else { COIN };
    let account = Account { balance: big, energy: 2, frozen: 7 * COIN, ..Account::default() };
    state.insert(account_key(4), Value::Account(account));
    let with_resource = Account { balance: 90 * COIN, has_energy: true, ..Account::default() };
    state.insert(account_key(3), Value::Account(with_resource));
    let resource = EnergyResource { energy: 2, frozen_tos: 2 * COIN, ..EnergyResource::default() };
    state.insert(Key::Energy(addr(3)), Value::Energy(resource));
    if near_the_end {
        state.insert(Key::Counter(Counter::TotalBurned), Value::Counter(u64::MAX - 1500));
        state.insert(Key::Counter(Counter::TotalEnergy), Value::Counter(u64::MAX - 10));
    }
    state
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 250, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_mixture_of_valid_and_invalid_gives_the_same(
        actions in prop::collection::vec(action(), 1..40),
        near_the_end in any::<bool>(),
    ) {
        let transactions = mixture(&actions);
        for settings in all_settings() {
            let block = agree(settings, &small_world(near_the_end), &transactions);
            if settings.policy.on_rejected == OnRejected::SkipInvalid {
                prop_assert_eq!(block.results.len(), transactions.len());
            }
        }
    }
}
