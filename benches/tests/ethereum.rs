//! The Ethereum workloads are what they say, and weft executes them as revm does.

use clap::ValueEnum;
use revm::primitives::TxKind;
use weft_benches::ethereum::artifacts::Contract;
use weft_benches::ethereum::measure::{Plan, measure};
use weft_benches::ethereum::{Block, Workload};
use weft_engine::Mode;

fn block(workload: Workload, transactions: usize) -> Block {
    workload.block(transactions, 7).unwrap_or_else(|error| panic!("{workload}: {error}"))
}

fn receiver(block: &Block, index: usize) -> TxKind {
    block.transactions[index].kind
}

#[test]
fn sizes_are_the_fields() {
    assert_eq!(Workload::RawIndependent.field_size(), 47_620);
    assert_eq!(Workload::Erc20Chain.field_size(), 33_628);
    assert_eq!(Workload::UniswapOnePool.field_size(), 6413);
    // 60 %, 20 % and 20 % of the gas.
    assert_eq!(Workload::Hybrid.field_size(), 28_572 + 6725 + 1282);
}

#[test]
fn a_seed_gives_one_block() {
    let transactions = |seed| Workload::RawHot30.block(50, seed).expect("ether needs no contracts").transactions;
    assert_eq!(transactions(1), transactions(1));
    assert_ne!(transactions(1), transactions(2));
}

#[test]
fn a_chain_pays_the_next_sender() {
    let chain = block(Workload::RawChain, 20);
    let next = |index: usize| TxKind::Call(chain.transactions[index + 1].caller);
    assert!((0..19).all(|index| receiver(&chain, index) == next(index)));
    let half = block(Workload::RawHalfChained, 20);
    let own = |index: usize| TxKind::Call(half.transactions[index].caller);
    assert!((0..10).all(|index| receiver(&half, index) != own(index)));
    assert!((10..20).all(|index| receiver(&half, index) == own(index)));
}

#[test]
fn one_sender_counts_its_nonces() {
    let block = block(Workload::RawOneSender, 20);
    assert!(block.transactions.iter().enumerate().all(|(index, sent)| sent.nonce == index as u64));
}

/// Those with contracts only where they are installed: nothing of them is in the repository.
#[test]
fn every_workload_succeeds_on_both_sides() {
    let has_contracts = Contract::Token.initcode().is_ok();
    let plan = Plan { threads: 2, repeat: 1, mode: Mode::Optimistic, unit_length: Some(1), evm_state: true };
    for &workload in Workload::value_variants() {
        if !has_contracts && !workload.to_string().starts_with("raw") {
            continue;
        }
        let figures = measure(&block(workload, 60), &plan).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!((figures.transactions, figures.failed), (60, 0), "{workload}");
        assert!(figures.gas >= 60 * 21_000, "{workload}");
    }
}

#[test]
fn missing_contracts_are_an_error_that_says_what_to_do() {
    if Contract::Router.initcode().is_err() {
        let error = Workload::UniswapOnePool.block(1, 1).expect_err("there is no contract");
        assert!(error.to_string().contains("benches/install-contracts"), "{error}");
    }
}
