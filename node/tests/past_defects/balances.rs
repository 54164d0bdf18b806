//! Items 1 to 7: signatures, and what is credited and debited.

use weft_ledger::contract::samples::{Sample, worker};
use weft_ledger::rules::BURN_PER_CONTRACT;
use weft_ledger::state::Counter;
use weft_ledger::wire::Payload;
use weft_ledger::{COIN, SignedTransaction, TosError};

use super::common::contracts::*;
use super::common::*;
use super::succeed;

#[test]
fn item_01_a_bad_signature_fails_the_block_in_every_mode() {
    let world = contract_world();
    let kinds: [fn() -> Payload; 4] =
        [|| pay(2, 5), || burn(5), || deploy(built(1, "mov64 r0, 0")), || at(Sample::Worker, worker::work(1))];
    let invalid = Some(TosError::InvalidSignature);
    for kind in kinds {
        let transactions = [signed(1, 0, kind()), badly_signed(3, 0, kind()), badly_signed(4, 0, kind())];
        for settings in [rejecting(), deferred(rejecting())] {
            assert_eq!(agree(settings, &world, &transactions).rejection, Some((1, TosError::InvalidSignature)));
        }
        assert_eq!(errors(&agree(skipping(), &world, &transactions)), [None, invalid, invalid]);
    }
}

#[test]
fn item_02_a_credit_adds_to_the_stored_balance() {
    let mut world = contract_world();
    world.extend(state(&[(40, 700)]));
    let mut transactions: Vec<_> = (1..=20).map(|seed| tx(seed, 0, pay(40, seed))).collect();
    // A contract credits too, and the account itself burns of it all.
    transactions.push(tx(21, 0, at_purse(purse_input::pay(purse_input::Ends::Well, &addr(40), 1000))));
    for settings in [rejecting(), deferred(rejecting())] {
        let block = agree(settings, &world, &transactions);
        assert_eq!(block.rejection, None);
        assert_eq!(balance(&after(&world, &block), 40), 700 + (1..=20).sum::<u64>() + 1000);
    }
}

#[test]
fn item_03_credit_and_spend_see_one_and_the_same_account() {
    let state = state(&[(1, COIN), (2, 700)]);
    // Account 2 can only pay from what is stored and what it gets, together.
    let after = succeed(&state, &[tx(1, 0, pay(2, FEE)), tx(2, 0, pay(3, 600))]);
    assert_eq!((balance(&after, 2), balance(&after, 3)), (100, 600));
}

#[test]
fn item_04_every_fee_is_debited() {
    const GAS_OF_A_CALL: u64 = 1000;
    let kinds = [
        (pay(40, 5), 5),
        (burn(6), 6),
        (multisig(&[2]), 0),
        (deploy(built(1, "mov64 r0, 0")), BURN_PER_CONTRACT),
        // It runs out of gas: all of it is used.
        (invoke_with(id(Sample::Worker), worker::work(1), GAS_OF_A_CALL, 0), GAS_OF_A_CALL),
    ];
    let world = contract_world();
    let transactions: Vec<_> = kinds
        .iter()
        .zip(1..)
        .flat_map(|((kind, _), seed)| [tx(seed, 0, kind.clone()), tx(seed + 10, 0, pay(41, 1))])
        .collect();
    for settings in [rejecting(), deferred(rejecting())] {
        let block = agree(settings, &world, &transactions);
        assert_eq!(block.rejection, None);
        let end = after(&world, &block);
        for ((kind, amount), seed) in kinds.iter().zip(1..) {
            assert_eq!(balance(&end, seed), 10 * COIN - amount - FEE, "{kind:?}");
        }
        let count = transactions.len() as u64;
        assert_eq!((block.totals.fees, counter(&end, Counter::Fees)), (u128::from(count * FEE), count * FEE));
    }
}

/// What is paid from may be stored only, and nobody has read it before the fee is due.
#[test]
fn item_05_the_fee_debit_sees_the_stored_balance() {
    let mut world = contract_world();
    world.extend(state(&[(40, FEE), (41, FEE), (42, FEE - 1), (43, FEE - 1)]));
    let no_gas = || invoke_with(id(Sample::Worker), worker::work(1), 0, 0);
    let transactions = [
        tx(40, 0, multisig(&[2])),
        tx(41, 0, no_gas()),
        tx(42, 0, multisig(&[2])),
        // Before this one's fee only a credit has touched the account.
        tx(1, 0, pay(43, 1)),
        tx(43, 0, no_gas()),
    ];
    let short = Some(TosError::InsufficientFee);
    let block = agree(skipping(), &world, &transactions);
    assert_eq!(errors(&block), [None, None, short, None, None]);
    let end = after(&world, &block);
    assert_eq!([40, 41, 42, 43].map(|seed| balance(&end, seed)), [0, 0, FEE - 1, 0]);
    // A credit that waits pays nothing.
    assert_eq!(errors(&agree(deferred(skipping()), &world, &transactions)), [None, None, short, None, short]);
}

/// The whole balance is handed on from account to account: whoever is not debited still has it at the end.
#[test]
fn item_06_what_is_sent_is_debited() {
    let balances: Vec<_> = (0..=30).map(|seed| (seed, if seed == 0 { 40 * FEE } else { 0 })).collect();
    let transactions: Vec<_> = (0..30).map(|seed| tx(seed, 0, pay(seed + 1, (39 - seed) * FEE))).collect();
    let end = succeed(&state(&balances), &transactions);
    assert!((0..30).all(|seed| balance(&end, seed) == 0));
    assert_eq!(balance(&end, 30), 10 * FEE);
    // What is gone is gone: nobody sends it again.
    let twice = [tx(0, 0, pay(1, 39 * FEE)), tx(0, 1, pay(2, 1))];
    assert_eq!(agree(rejecting(), &state(&balances), &twice).rejection, Some((1, TosError::InsufficientFee)));
}

/// What leaves one account arrives at another or is fee or burned, and each counts once.
#[test]
fn item_07_amounts_and_fees_are_debited_exactly_once() {
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
