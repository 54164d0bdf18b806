//! Items 8 to 14: failures leave nothing, and the rules that make them hold on every path.

use std::sync::Arc;

use weft_engine::BlockError;
use weft_ledger::contract::samples::{Sample, worker};
use weft_ledger::rules::MAX_GAS_USAGE_PER_TX;
use weft_ledger::state::{Account, Counter, Key, Value};
use weft_ledger::wire::{Delegation, EnergyPayload, FeeType, MultisigPayload, Payload, Transaction};
use weft_ledger::{COIN, Hash, TosError};
use weft_node::executor::{BlockExecutor, ExecuteError, SequentialExecutor, SharedState};

use super::common::contracts::*;
use super::common::faults::Panicking;
use super::common::*;
use super::succeed;

#[test]
fn item_08_a_failed_transaction_leaves_no_trace() {
    let mut start = state(&[(1, 3 * COIN), (2, 50), (3, COIN), (4, u64::MAX - 5)]);
    put(&mut start, &[purse(), Sample::Worker.module()], COIN);
    // The burned gas of no call fits.
    start.insert(Key::Counter(Counter::GasBurned), Value::Counter(u64::MAX));
    let contract = *purse().hash();
    let failing = [
        // It has credited account 9 when the second credit overflows.
        (tx(1, 0, pay_all(&[(9, 1), (4, 10)])), TosError::Overflow),
        (badly_signed(1, 0, multisig(&[3])), TosError::InvalidSignature),
        (badly_signed(1, 0, burn(7)), TosError::InvalidSignature),
        (tx(1, 0, burn(3 * COIN)), TosError::InsufficientBalance),
        (tx(2, 0, pay(1, 1)), TosError::InsufficientFee),
        (tx(1, 0, freeze(COIN / 2)), TosError::InvalidAmount),
        (badly_signed(1, 0, deploy(built(1, "mov64 r0, 0"))), TosError::InvalidSignature),
        (tx(1, 0, construct(built(1, "mov64 r0, 0"), 2 * COIN, 0)), TosError::InsufficientBalance),
        // The module is there when the deposit turns out to be too much.
        (tx(1, 0, construct(built(1, "mov64 r0, 0"), GAS, 2 * COIN)), TosError::InsufficientBalance),
        (tx(1, 0, invoke(Hash([9; 32]), vec![])), TosError::ContractNotFound),
        // The gas has been taken when the deposit turns out to be too much.
        (tx(1, 0, invoke_with(contract, purse_input::set(1, b"x"), GAS, 3 * COIN)), TosError::InsufficientBalance),
        // The call has succeeded when its events are counted.
        (
            tx(1, 0, invoke_with(contract, purse_input::shout_and(purse_input::Ends::Well, 1001), 5_000_000, 5)),
            TosError::InvalidPayload,
        ),
        // The call has changed storage and the balances when its gas does not fit the counter.
        (tx(1, 0, invoke_with(contract, purse_input::set(1, b"x"), GAS, 5)), TosError::Overflow),
    ];
    for settings in [skipping(), deferred(skipping())] {
        for (transaction, error) in &failing {
            let block = agree(settings, &start, &[transaction.clone(), tx(3, 0, pay(1, 5))]);
            assert_eq!(errors(&block), [Some(*error), None], "{transaction:?}");
            let alone = agree(settings, &start, &[tx(3, 0, pay(1, 5))]);
            assert_eq!(block.changes, alone.changes, "{transaction:?}");
        }
    }
}

/// A panic is a defect of the machine or of the storage, not a rule: here it may fail no single transaction, because
/// nodes that do not have the defect would go on from another state. So the block has no result, hence none that could
/// be shifted; the error names the transaction of the sequential order; and the executor goes on with the next block.
#[test]
fn item_09_a_panic_names_its_transaction_and_leaves_the_executor_whole() {
    let world = contract_world();
    let transactions: Vec<_> = (1..=30)
        .map(|seed| match seed % 3 {
            0 => tx(seed, 0, at(Sample::Worker, worker::work(seed))),
            _ => tx(seed, 0, pay(seed % 30 + 1, 5)),
        })
        .collect();
    let healthy: SharedState = Arc::new(MapReader(world.clone()));
    for settings in [rejecting(), skipping()] {
        let expected = agree_on(settings, &healthy, &transactions);
        for (key, first) in [(account_key(20), 18), (slot(&id(Sample::Worker), &worker::value_key(&addr(12))), 11)] {
            let panics: SharedState = Arc::new(Panicking::new(world.clone(), key));
            let sequential: (String, Box<dyn BlockExecutor>) =
                ("sequential".to_owned(), Box::new(SequentialExecutor::new(settings)));
            for (name, executor) in std::iter::once(&sequential).chain(contenders(settings)) {
                match executor.execute(&input(&transactions), &panics) {
                    Err(ExecuteError::Block(BlockError::Panicked { transaction, message })) => {
                        assert_eq!((transaction, message.as_str()), (first, "provoked by a test"), "{name}");
                    }
                    other => panic!("{name}: {other:?}"),
                }
                let next = executor.execute(&input(&transactions), &healthy).unwrap();
                assert_same(name, &comparable(&next), &expected);
            }
        }
    }
}

#[test]
fn item_10_a_multisig_configuration_is_set_and_deleted() {
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

#[test]
fn item_11_every_rule_of_a_type_holds_in_every_mode() {
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
    let mut deposits_nothing = invoke_with(Hash([9; 32]), vec![], 1, 1);
    if let Payload::InvokeContract(call) = &mut deposits_nothing {
        call.deposits[0].amount = 0;
    }
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
        (tx(1, 0, invoke(Hash([9; 32]), vec![])), TosError::ContractNotFound),
        (tx(1, 0, invoke_with(Hash([9; 32]), vec![], MAX_GAS_USAGE_PER_TX + 1, 0)), TosError::InvalidPayload),
        (tx(1, 0, construct(not_executable(), MAX_GAS_USAGE_PER_TX + 1, 0)), TosError::InvalidPayload),
        (tx(1, 0, deposits_nothing), TosError::InvalidFormat),
        (tx(1, 0, construct(not_executable(), 9 * COIN, 0)), TosError::InsufficientBalance),
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

/// To the unit, and whether or not the transaction could pay more.
#[test]
fn item_12_the_minimum_fee_is_checked_in_every_mode() {
    let world = contract_world();
    let with_fee = |source, fee, payload: &Payload| trusted(Transaction { fee, ..draft(source, 0, payload.clone()) });
    let kilobytes = |transaction: Transaction| (transaction.encode().unwrap().len() as u64).div_ceil(1024);
    let deployment = deploy(Sample::Token.module());
    let deployment_fee = 10_000 * kilobytes(draft(1, 0, deployment.clone()));
    assert!(deployment_fee > 10_000, "a module of several kilobytes");
    let kinds = [
        (pay(2, 1), 15_000),
        (pay_all(&[(12, 1), (13, 1), (12, 1)]), 25_000),
        (burn(1), 10_000),
        (multisig(&[2]), 10_000),
        (deployment, deployment_fee),
    ];
    for settings in [skipping(), deferred(skipping())] {
        let mut transactions = Vec::new();
        for ((payload, fee), seed) in kinds.iter().zip(1..) {
            transactions.extend([with_fee(seed, fee - 1, payload), with_fee(seed, *fee, payload)]);
        }
        // A call needs none (spec 4.3).
        transactions.push(with_fee(20, 0, &at(Sample::Worker, worker::work(1))));
        let low = Some(TosError::InsufficientFee);
        let expected: Vec<_> = kinds.iter().flat_map(|_| [low, None]).chain([None]).collect();
        assert_eq!(errors(&agree(settings, &world, &transactions)), expected);
    }
}

/// The vectors' rules have no reference checks (spec 4.1): a spend sees the balance at its place in the block,
/// whatever block its transaction refers to.
#[test]
fn item_13_a_spend_sees_the_same_balance_whatever_its_reference() {
    let start = state(&[(1, COIN), (2, 3 * FEE)]);
    let block = |reference_topoheight, reference_hash| {
        let refers = |source, nonce, payload| {
            trusted(Transaction { reference_topoheight, reference_hash, ..draft(source, nonce, payload) })
        };
        // A later credit and an own earlier spend, on both of which the last spends of account 2 depend.
        let transactions = [
            refers(2, 0, pay(3, FEE)),
            refers(1, 0, pay(2, 2 * FEE)),
            refers(2, 1, pay(3, 2 * FEE)),
            refers(2, 2, pay(3, 1)),
        ];
        let [now, later] = [skipping(), deferred(skipping())].map(|settings| agree(settings, &start, &transactions));
        let ends = [&now, &later].map(|block| [2, 3].map(|seed| balance(&after(&start, block), seed)));
        (errors(&now), errors(&later), ends)
    };
    let old = block(0, Hash::default());
    let short = |error| vec![None, None, Some(error), Some(TosError::NonceTooHigh)];
    assert_eq!(old.0, [None, None, None, Some(TosError::InsufficientFee)]);
    assert_eq!(old.1, short(TosError::InsufficientBalance));
    assert_eq!(old.2, [[0, 3 * FEE], [3 * FEE, FEE]]);
    for (topoheight, hash) in [(7, Hash([1; 32])), (u64::MAX, Hash([255; 32]))] {
        assert_eq!(block(topoheight, hash), old);
    }
}

/// What has no rules is refused, not dropped, and the others keep their places.
#[test]
fn item_14_an_unsupported_type_drops_no_transaction() {
    let transactions = [tx(1, 0, pay(2, 1)), tx(1, 1, register_name()), tx(1, 1, pay(2, 1))];
    let start = state(&[(1, COIN)]);
    assert_eq!(errors(&agree(skipping(), &start, &transactions)), [None, Some(TosError::NotImplemented), None]);
    assert_eq!(agree(rejecting(), &start, &transactions).rejection, Some((1, TosError::NotImplemented)));
}
