//! Items 29 to 35: contracts. Further tests of them: `tests/contracts`.

use weft_ledger::contract::samples::{Sample, counter};
use weft_ledger::rules::{CallEnd, ContractIds, contract_id};
use weft_ledger::state::{Key, Value};
use weft_ledger::wire::{InvokeContractPayload, Payload, Transaction};
use weft_ledger::{Address, COIN, TosError};

use super::common::contracts::purse_input::Ends;
use super::common::contracts::*;
use super::common::*;

const EXISTS: Option<TosError> = Some(TosError::DomainExists);
const SUCCEEDS: &str = "mov64 r0, 0";
const REVERTS: &str = "mov64 r0, 5";

#[test]
fn item_29_two_deploys_of_one_module_exactly_one_wins() {
    let world = contract_world();
    let module = built(1, SUCCEEDS);
    for settings in with_both_ids().into_iter().filter(|settings| *settings != rejecting()) {
        let contract = id_in(settings, 1, &module);
        let by_hash = settings.ledger.contract_ids == ContractIds::ModuleHash;
        let won = |block: &Comparable| {
            let end = after(&world, block);
            assert_eq!(end.get(&Key::Contract(contract)), Some(&Value::Contract(module.clone())));
            (stored(&end, &contract, b"s"), number(&end, &contract, b"t"))
        };
        // The first runs its constructor; the second is refused, and everything that the first has done stays.
        let twice = [tx(1, 0, construct(module.clone(), GAS, 0)), tx(1, 1, construct(module.clone(), GAS, 0))];
        let skips = settings.policy == skipping().policy;
        let block = agree(settings, &world, &twice);
        if skips {
            assert_eq!(errors(&block), [None, EXISTS]);
            assert_eq!(won(&block), (Some(b"s".to_vec()), 7));
            // The loser pays nothing at all.
            let alone = agree(settings, &world, &twice[..1]);
            assert_eq!(block.changes, alone.changes);
        } else {
            assert_eq!(block.rejection, Some((1, TosError::DomainExists)));
        }
        // Without constructor the vectors' rule lets the second deploy what is there already.
        let twice = [tx(1, 0, deploy(module.clone())), tx(1, 1, deploy(module.clone()))];
        let block = agree(settings, &world, &twice);
        match (by_hash, skips) {
            (true, _) => assert_eq!((errors(&block), won(&block)), (vec![None, None], (None, 0))),
            (false, true) => assert_eq!((errors(&block), won(&block)), (vec![None, EXISTS], (None, 0))),
            (false, false) => assert_eq!(block.rejection, Some((1, TosError::DomainExists))),
        }
    }
}

/// Whoever is undone, it removes what it did itself, and nothing of those before it.
#[test]
fn item_30_a_losers_rollback_removes_nothing_of_others() {
    let world = contract_world();
    let (module, contract) = (built(1, SUCCEEDS), *purse().hash());
    for settings in with_both_ids().into_iter().filter(|settings| settings.policy == skipping().policy) {
        let deployed = id_in(settings, 1, &module);
        let fails = built(2, REVERTS);
        let transactions = [
            tx(1, 0, construct(module.clone(), GAS, 0)),
            tx(2, 0, at_purse(purse_input::add(b'n', 5))),
            tx(3, 0, at_purse(purse_input::set(b'k', b"winner"))),
            // These lose: by a rule, by a revert, by a trap, as a whole, and one that removes what it set itself.
            tx(1, 1, construct(module.clone(), GAS, 0)),
            tx(4, 0, construct(fails.clone(), GAS, 0)),
            tx(5, 0, at_purse(purse_input::add_and_trap(b'n', 100))),
            tx(6, 0, invoke_with(contract, purse_input::set(b'k', b"loser"), 10, 0)),
            tx(7, 0, invoke_with(contract, purse_input::set(b'k', b"loser"), GAS, 20 * COIN)),
            tx(8, 0, deploy(fails.clone())),
            tx(8, 1, construct(fails.clone(), GAS, 0)),
        ];
        let block = agree(settings, &world, &transactions);
        let end = after(&world, &block);
        assert_eq!(errors(&block)[3], EXISTS);
        assert_eq!(errors(&block)[7], Some(TosError::InsufficientBalance));
        assert_eq!(errors(&block)[9], EXISTS);
        assert_eq!(block.totals.rejected, 3);
        assert_eq!(end.get(&Key::Contract(deployed)), Some(&Value::Contract(module.clone())));
        assert_eq!((stored(&end, &deployed, b"s"), number(&end, &deployed, b"t")), (Some(b"s".to_vec()), 7));
        assert_eq!((number(&end, &contract, b"n"), stored(&end, &contract, b"k")), (5, Some(b"winner".to_vec())));
        // What failed to be constructed is gone, until somebody deploys it without.
        let of_4 = id_in(settings, 4, &fails);
        assert_eq!(end.contains_key(&Key::Contract(of_4)), settings.ledger.contract_ids == ContractIds::ModuleHash);
        assert!(end.contains_key(&Key::Contract(id_in(settings, 8, &fails))));
        assert_eq!(stored(&end, &of_4, b"s"), None);
    }
}

/// What a contract learns of another's code, and what it pays for that, is the same for one that is stored and for one
/// that was deployed in the block.
#[test]
fn item_31_a_contract_is_the_same_from_the_block_and_from_storage() {
    let module = built(1, SUCCEEDS);
    for settings in with_both_ids() {
        let contract = id_in(settings, 1, &module);
        let world = contract_world();
        let calls =
            |nonce| [tx(2, nonce, at_purse(purse_input::code(&contract))), tx(2, nonce + 1, invoke(contract, vec![1]))];
        let first = agree(settings, &world, &[&[tx(1, 0, deploy(module.clone()))][..], &calls(0)].concat());
        assert_eq!(call(&first, 1).return_data, module.hash().0);
        assert_eq!(call(&first, 2).end, CallEnd::Success);
        let second = agree(settings, &after(&world, &first), &calls(2));
        assert_eq!(second.receipts, first.receipts[1..]);
        assert_eq!(
            call(&agree(settings, &world, &calls(0)[..1]), 0).end,
            CallEnd::Reverted { code: 8 },
            "not there yet"
        );
    }
}

/// In the receipt, in the state, in events, as an account: whatever else the transaction is, and wherever it stands.
#[test]
fn item_32_a_contracts_id_is_the_same_everywhere() {
    let module = built(1, SUCCEEDS);
    let world = contract_world();
    for ids in [ContractIds::ModuleHash, ContractIds::Deployer] {
        for settings in all_settings().map(|settings| with_ids(ids, settings)) {
            let expected = contract_id(ids, &addr(1), &module);
            for (nonce, fee) in [(0, FEE), (0, 3 * FEE), (3, FEE)] {
                let mut transactions: Vec<_> = (0..nonce).map(|nonce| tx(1, nonce, pay(40, 1))).collect();
                let construct = construct(module.clone(), GAS, 9);
                transactions.push(trusted(Transaction { fee, ..draft(1, nonce, construct) }));
                let block = agree(settings, &world, &transactions);
                let deployed = block.receipts.last().unwrap().contract.as_ref().unwrap();
                assert_eq!(deployed.contract, expected);
                let events = &deployed.call.as_ref().unwrap().events;
                assert_eq!((events.len(), events[0].contract), (1, expected));
                let end = after(&world, &block);
                assert_eq!(contract_balance(&end, &expected), 9);
                assert_eq!(number(&end, &expected, b"t"), 7);
                let modules = |state: &State| state.keys().filter(|key| matches!(key, Key::Contract(_))).count();
                assert_eq!((modules(&end), end.contains_key(&Key::Contract(expected))), (modules(&world) + 1, true));
            }
        }
    }
    // The daemon's rule, byte by byte (spec 5.5).
    let bytes = [&[0xff][..], &addr(1).0, &module.hash().0].concat();
    assert_eq!(contract_id(ContractIds::Deployer, &addr(1), &module), weft_ledger::crypto::hash(&bytes));
    assert_eq!(contract_id(ContractIds::ModuleHash, &addr(1), &module), weft_ledger::crypto::hash(module.bytes()));
}

/// The calls count down before they write, the first one longest: it is the last to finish.
#[test]
fn item_33_storage_writes_are_merged_in_transaction_order() {
    let module = assembled(
        "
        .ascii KEY, \"k\"
        entrypoint:
            mov64 r5, r1
            ldxdw r6, [r1+0]
        wait:
            jeq r6, 0, write
            sub64 r6, 1
            ja wait
        write:
            mov64 r1, KEY
            mov64 r2, KEY_LEN
            mov64 r3, r5
            add64 r3, 8
            mov64 r4, 8
            syscall storage_write
            exit
        ",
    );
    let contract = *module.hash();
    let mut world = contract_world();
    put(&mut world, &[module], 0);
    let call = |seed: u64| {
        let input = [(60_000 / seed).to_le_bytes(), seed.to_le_bytes()].concat();
        tx(seed, 0, invoke_with(contract, input, 1_000_000, 0))
    };
    let transactions: Vec<_> = (1..=30).map(call).collect();
    for settings in with_both_ids() {
        // Each prefix of the block ends with its own last write.
        for length in [30, 13, 2] {
            let block = agree(settings, &world, &transactions[..length]);
            assert_eq!(ended(&block), vec![CallEnd::Success; length]);
            assert_eq!(number(&after(&world, &block), &contract, b"k"), length as u64);
        }
    }
}

/// A contract that returns the id of its entry.
#[test]
fn item_34_an_entry_id_is_not_truncated() {
    let module = assembled(
        "
        entrypoint:
            stxdw [r10-8], r3
            mov64 r1, r10
            sub64 r1, 8
            mov64 r2, 8
            syscall set_return_data
            mov64 r0, 0
            exit
        ",
    );
    let mut world = contract_world();
    put(&mut world, std::slice::from_ref(&module), 0);
    let entries = [0, 1, 255, 256, 257, 0x1234, u16::MAX];
    let calls: Vec<_> = entries
        .iter()
        .zip(1..)
        .map(|(entry_id, seed)| {
            let contract = *module.hash();
            let call = InvokeContractPayload {
                contract,
                deposits: vec![],
                entry_id: *entry_id,
                max_gas: GAS,
                parameters: vec![],
            };
            // As a node gets it: through the wire format.
            tx(seed, 0, Payload::InvokeContract(call.into()))
        })
        .collect();
    for settings in with_both_ids() {
        let block = agree(settings, &world, &calls);
        let returned: Vec<_> = (0..entries.len()).map(|at| call(&block, at).return_data.clone()).collect();
        assert_eq!(returned, entries.map(|entry| u64::from(entry).to_le_bytes().to_vec()));
    }
}

/// Calls of one contract conflict about its storage; and whom a contract pays, no transaction names.
#[test]
fn item_35_calls_conflict_about_storage_and_about_whom_they_pay() {
    let mut world = contract_world();
    put(&mut world, &[purse()], 1000 * FEE);
    world.extend(state(&[(40, 0)]));
    let one = |seed| tx(seed, 0, at(Sample::Counter, counter::increment(7, 1)));
    let increments: Vec<_> = (1..=30).map(one).collect();
    for settings in with_both_ids() {
        let block = agree(settings, &world, &increments);
        assert_eq!(number(&after(&world, &block), &id(Sample::Counter), &counter::counter_key(7)), 30);
    }
    // Accounts 40 (stored, empty) and 41 (absent) live on what the contract pays them, and pay it back.
    let paid = |seed, nonce, to| tx(seed, nonce, at_purse(purse_input::pay(Ends::Well, &addr(to), 3 * FEE)));
    let back = |seed, nonce| {
        let mut payload = pay(0, 2 * FEE);
        let Payload::Transfers(entries) = &mut payload else { unreachable!() };
        entries[0].destination = Address(purse().hash().0);
        tx(seed, nonce, payload)
    };
    let transactions =
        [paid(1, 0, 40), back(40, 0), paid(2, 0, 41), paid(1, 1, 40), back(41, 0), back(40, 1), back(40, 2)];
    let block = agree(skipping(), &world, &transactions);
    let short = Some(TosError::InsufficientFee);
    assert_eq!(errors(&block), [None, None, None, None, None, None, short]);
    let end = after(&world, &block);
    assert_eq!((balance(&end, 40), balance(&end, 41)), (0, 0));
    assert_eq!(contract_balance(&end, purse().hash()), (1000 - 9 + 6) * FEE);
    // What waits is not spent, but account 41 exists for it.
    let block = agree(deferred(skipping()), &world, &transactions);
    let high = Some(TosError::NonceTooHigh);
    assert_eq!(errors(&block), [None, short, None, None, short, high, high]);
    assert_eq!([40, 41].map(|seed| balance(&after(&world, &block), seed)), [6 * FEE, 3 * FEE]);
    assert_eq!(agree(rejecting(), &world, &transactions[..6]).rejection, None);
    let not_there = agree(rejecting(), &world, &[back(41, 0), paid(2, 0, 41)]);
    assert_eq!(not_there.rejection, Some((0, TosError::AccountNotFound)));
}
