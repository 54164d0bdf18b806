//! The workloads of contracts and of all types: every executor agrees on them, receipts and events included, no
//! transaction is rejected, and the mixture of all types holds all of them.

mod common;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use common::*;
use weft_engine::{BlockEnd, Config, Mode, WorkerPool};
use weft_ledger::contract::samples::Sample;
use weft_ledger::rules::CallEnd;
use weft_ledger::state::{Key, TaskStatus, Value};
use weft_ledger::wire::{AiMiningPayload, EnergyPayload, FeeType, Payload};
use weft_ledger::{Hash, SignedTransaction};
use weft_node::chain::Chain;
use weft_node::executor::{
    BlockExecutor, BlockInput, CALL_UNIT_LENGTH, ExecutorSettings, OptimisticExecutor, SequentialExecutor, SharedState,
    UNIT_LENGTH, unit_length_of,
};
use weft_node::workload::{Generator, REPORTED, Workload, WorkloadBuilder};
use weft_storage::MemoryStore;

const WORKLOADS: [&str; 9] = [
    "contract-independent-20",
    "contract-token-2",
    "contract-token-40",
    "contract-pool",
    "contract-pool-10",
    "contract-counter",
    "contract-add",
    "all-20",
    "all-200",
];

fn generator(name: &str, transactions: usize, signed: bool) -> (Generator, ExecutorSettings) {
    let workload: Workload = name.parse().unwrap();
    let builder = WorkloadBuilder::new(workload).transactions(transactions).seed(5);
    let settings = ExecutorSettings { ledger: workload.ledger(), ..rejecting() };
    (if signed { builder } else { builder.unsigned() }.build(), settings)
}

fn state_of(generator: &Generator) -> State {
    generator.genesis().into_iter().collect()
}

#[test]
fn every_workload_gives_the_same_on_every_executor() {
    for name in WORKLOADS {
        let (mut generator, settings) = generator(name, 160, false);
        let mut before = state_of(&generator);
        // The second block stands on what the first has left.
        for number in 1..=2 {
            let transactions = generator.next_transactions();
            let context = generator.context();
            let block = agree_in(settings, context, &before, &transactions);
            let (failed, error) = block.rejection.unzip();
            let kind = failed.map(|at| &transactions[at].transaction().payload);
            assert_eq!(block.end, BlockEnd::Complete, "{name}, block {number}: {error:?} of {kind:?}");
            assert_eq!(block.totals.accepted, 160, "{name}");
            before = after(&before, &block);
        }
    }
}

#[test]
fn the_same_with_deferred_credits() {
    for name in WORKLOADS {
        let (mut generator, settings) = generator(name, 80, false);
        let state = state_of(&generator);
        let transactions = generator.next_transactions();
        let block = agree_in(deferred(settings), generator.context(), &state, &transactions);
        assert_eq!((block.end, block.totals.accepted), (BlockEnd::Complete, 80), "{name}");
    }
}

#[test]
fn a_signed_block_of_all_types_gives_the_same() {
    let (mut generator, settings) = generator("all-30", 60, true);
    let state = state_of(&generator);
    let transactions = generator.next_transactions();
    assert!(transactions.iter().all(|transaction| !transaction.is_trusted()));
    let block = agree_in(settings, generator.context(), &state, &transactions);
    assert_eq!((block.end, block.totals.accepted), (BlockEnd::Complete, 60));
}

#[test]
fn calls_of_the_contract_workloads_succeed_within_their_gas() {
    for name in WORKLOADS.iter().filter(|name| name.starts_with("contract-")) {
        let (mut generator, settings) = generator(name, 300, false);
        let state: SharedState = Arc::new(MapReader(state_of(&generator)));
        let transactions = generator.next_transactions();
        let input = BlockInput { context: generator.context(), ..input(&transactions) };
        let block = SequentialExecutor::new(settings).execute(&input, &state).unwrap();
        for (receipt, signed) in block.receipts().zip(&transactions) {
            let call = receipt.contract.as_ref().and_then(|contract| contract.call.as_ref()).unwrap();
            assert_eq!(call.end, CallEnd::Success, "{name}");
            let Payload::InvokeContract(payload) = &signed.transaction().payload else { panic!("{name}") };
            assert!(call.gas_used * 10 > payload.max_gas * 8, "{name}: {} of {}", call.gas_used, payload.max_gas);
        }
    }
}

/// How a call ended, or that there was none.
fn end(end: Option<&CallEnd>) -> &'static str {
    match end {
        None => "no call",
        Some(CallEnd::Success) => "success",
        Some(CallEnd::Reverted { .. }) => "revert",
        Some(CallEnd::Trapped(_)) => "trap",
    }
}

/// What a transaction is, in words.
fn kinds(signed: &SignedTransaction, contracts: &BTreeMap<Hash, &'static str>, call: &'static str) -> Vec<String> {
    let transaction = signed.transaction();
    let mut kinds = Vec::new();
    if transaction.multisig.is_some() {
        kinds.push("co-signed".to_owned());
    }
    if let Payload::InvokeContract(payload) = &transaction.payload
        && !payload.deposits.is_empty()
    {
        kinds.push(format!("deposit, {call}"));
    }
    kinds.push(match &transaction.payload {
        Payload::Transfers(_) if transaction.fee_type == FeeType::Energy => "transfer for energy".to_owned(),
        Payload::Transfers(transfers) if transfers.len() > 1 => "transfers".to_owned(),
        Payload::Transfers(_) => "transfer".to_owned(),
        Payload::Burn(_) => "burn".to_owned(),
        Payload::Multisig(payload) if payload.threshold == 0 => "multisig, deleted".to_owned(),
        Payload::Multisig(_) => "multisig".to_owned(),
        Payload::Energy(EnergyPayload::FreezeTos { .. }) => "freeze".to_owned(),
        Payload::Energy(EnergyPayload::FreezeTosDelegate { .. }) => "delegate".to_owned(),
        Payload::Energy(EnergyPayload::UnfreezeTos { .. }) => "unfreeze".to_owned(),
        Payload::Energy(EnergyPayload::WithdrawUnfrozen) => "withdraw".to_owned(),
        Payload::AiMining(payload) => match **payload {
            AiMiningPayload::RegisterMiner { .. } => "register".to_owned(),
            AiMiningPayload::PublishTask { .. } => "publish".to_owned(),
            AiMiningPayload::SubmitAnswer { .. } => "answer".to_owned(),
            AiMiningPayload::ValidateAnswer { .. } => "judge".to_owned(),
        },
        Payload::DeployContract(payload) if contracts.contains_key(payload.module.hash()) => "deploy again".to_owned(),
        Payload::DeployContract(_) => format!("deploy, {call}"),
        Payload::InvokeContract(payload) => {
            let contract = contracts.get(&payload.contract).copied().unwrap_or("another contract");
            format!("{contract}, {call}")
        }
        Payload::Opaque(_) => "opaque".to_owned(),
    });
    kinds
}

#[test]
fn the_mixture_of_all_types_holds_all_of_them() {
    let contracts: BTreeMap<Hash, &'static str> =
        Sample::ALL.iter().map(|sample| (*sample.module().hash(), sample.name())).collect();
    let (mut generator, settings) = generator("all-200", 1000, true);
    let chain = Chain::open(Arc::new(MemoryStore::new()), Box::new(SequentialExecutor::new(settings))).unwrap();
    chain.initialise(&generator.genesis()).unwrap();
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for _ in 0..3 {
        let imported = chain.import(&generator.next_block()).unwrap();
        for (signed, receipt) in imported.block.transactions().iter().zip(imported.block.receipts()) {
            let call = receipt.contract.as_ref().and_then(|contract| contract.call.as_ref());
            for kind in kinds(signed, &contracts, end(call.map(|call| &call.end))) {
                *counts.entry(kind).or_default() += 1;
            }
        }
    }
    let mut expected: Vec<String> = [
        "transfer",
        "transfers",
        "transfer for energy",
        "burn",
        "multisig",
        "multisig, deleted",
        "co-signed",
        "freeze",
        "delegate",
        "unfreeze",
        "withdraw",
        "register",
        "publish",
        "answer",
        "judge",
        "deploy again",
        "deploy, no call",
        "deploy, success",
        "deploy, revert",
        "deploy, trap",
        "deposit, success",
        "deposit, revert",
        "another contract, success",
        "another contract, trap",
        "gas_burner, trap",
        "caller, trap",
    ]
    .map(String::from)
    .to_vec();
    for sample in Sample::ALL {
        expected.push(format!("{}, success", sample.name()));
        if !matches!(sample, Sample::Worker | Sample::GasBurner) {
            expected.push(format!("{}, revert", sample.name()));
        }
    }
    let missing: Vec<_> = expected.iter().filter(|kind| !counts.contains_key(*kind)).collect();
    assert!(missing.is_empty(), "{missing:?} of {counts:?}");
    // The others get the gas that they need, and do nothing that they may not.
    let traps = counts.keys().filter(|kind| kind.ends_with(", trap"));
    let traps: Vec<&str> = traps.map(String::as_str).filter(|kind| !kind.starts_with("deposit")).collect();
    assert_eq!(traps, ["another contract, trap", "caller, trap", "deploy, trap", "gas_burner, trap"]);

    let mut statuses = BTreeMap::new();
    let visit = &mut |_: &Key, value: &Value| {
        if let Value::MiningTask(task) = value {
            *statuses.entry(task.status).or_insert(0) += 1;
        }
        ControlFlow::Continue(())
    };
    chain.view().snapshot().for_each(visit).unwrap();
    assert!(statuses.contains_key(&TaskStatus::Completed), "{statuses:?}");
    assert!(statuses.contains_key(&TaskStatus::Active), "{statuses:?}");
}

#[test]
fn names_are_read_as_they_are_written() {
    for workload in REPORTED {
        assert_eq!(workload.to_string().parse(), Ok(workload));
    }
    for name in WORKLOADS {
        assert_eq!(name.parse::<Workload>().unwrap().to_string(), name);
    }
    for unknown in [
        "contract",
        "contract-",
        "contract-independent-",
        "contract-independent-x",
        "contract-independent-2000000",
        "contract-independent-1-1",
        "contract-token",
        "contract-token-1",
        "contract-pool-101",
        "contract-pool--1",
        "contract-counter-1",
        "contract-add-",
        "all",
        "all-1",
        "all-20-1",
    ] {
        let error = unknown.parse::<Workload>().unwrap_err().to_string();
        assert!(error.contains("contract-pool[-HOT_PERCENT]"), "{error}");
    }
}

#[test]
fn units_follow_what_the_block_holds() {
    let block = |name: &str| {
        let (mut generator, settings) = generator(name, 200, false);
        let state: SharedState = Arc::new(MapReader(state_of(&generator)));
        let transactions = generator.next_transactions();
        (BlockInput { context: generator.context(), ..input(&transactions) }, state, settings)
    };
    for (name, length) in [
        ("contract-add", CALL_UNIT_LENGTH),
        ("all-20", CALL_UNIT_LENGTH),
        ("p2p-50", UNIT_LENGTH),
        ("mixed-20", UNIT_LENGTH),
    ] {
        let (input, state, settings) = block(name);
        assert_eq!(unit_length_of(&input.transactions), length, "{name}");
        let config =
            Config { mode: Mode::Optimistic, max_parallel_threads: 2, unit_length: UNIT_LENGTH, ..Config::default() };
        let pool = Arc::new(WorkerPool::new(2));
        let units = |executor: OptimisticExecutor| executor.execute(&input, &state).unwrap().costs.metrics.units;
        let new = || OptimisticExecutor::with_pool(config.clone(), settings, Arc::clone(&pool));
        assert_eq!(units(new()), (200 / UNIT_LENGTH) as u64, "{name}");
        assert_eq!(units(new().with_units_by_block()), (200 / length) as u64, "{name}");
    }
    // Exactly one in twenty is still a block of transfers.
    let (calls, _, _) = block("contract-add");
    let (transfers, _, _) = block("p2p-50");
    let with = |count: usize| -> Vec<SignedTransaction> {
        calls.transactions[..count].iter().chain(&transfers.transactions[count..]).cloned().collect()
    };
    assert_eq!((unit_length_of(&with(10)), unit_length_of(&with(11))), (UNIT_LENGTH, CALL_UNIT_LENGTH));
    assert_eq!(unit_length_of(&[]), UNIT_LENGTH);
}
