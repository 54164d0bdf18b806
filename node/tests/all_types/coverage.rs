//! The generator reaches what it is for: otherwise equal results would say little.

use std::collections::BTreeMap;

use proptest::strategy::Strategy as _;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use weft_engine::BlockEnd;
use weft_ledger::TosError;
use weft_ledger::contract::Trap;
use weft_ledger::contract::samples::Sample;
use weft_ledger::rules::{CallEnd, ContractIds, CreditVisibility};
use weft_ledger::wire::{AiMiningPayload, EnergyPayload, Payload};

use crate::common::contracts::{id_in, purse};
use crate::generator::actions;
use crate::world::World;
use crate::{case, sequentially};

fn type_of(payload: &Payload) -> &'static str {
    match payload {
        Payload::Burn(_) => "burn",
        Payload::Transfers(_) => "transfers",
        Payload::Multisig(_) => "multisig",
        Payload::InvokeContract(_) => "invoke",
        Payload::DeployContract(of) if of.constructor.is_some() => "deploy with constructor",
        Payload::DeployContract(_) => "deploy",
        Payload::Energy(EnergyPayload::FreezeTos { .. }) => "freeze",
        Payload::Energy(EnergyPayload::FreezeTosDelegate { .. }) => "delegate",
        Payload::Energy(EnergyPayload::UnfreezeTos { .. }) => "unfreeze",
        Payload::Energy(EnergyPayload::WithdrawUnfrozen) => "withdraw",
        Payload::AiMining(of) => match &**of {
            AiMiningPayload::PublishTask { .. } => "publish",
            AiMiningPayload::SubmitAnswer { .. } => "answer",
            AiMiningPayload::ValidateAnswer { .. } => "validate",
            AiMiningPayload::RegisterMiner { .. } => "register",
        },
        Payload::Opaque(_) => "opaque",
    }
}

fn end_of(end: &CallEnd) -> &'static str {
    match end {
        CallEnd::Success => "success",
        CallEnd::Reverted { .. } => "revert",
        CallEnd::Trapped(Trap::NotExecutable(_)) => "not executable",
        CallEnd::Trapped(Trap::OutOfGas) => "out of gas",
        CallEnd::Trapped(Trap::Budget { .. }) => "budget",
        CallEnd::Trapped(_) => "fault",
    }
}

const TYPES: [&str; 14] = [
    "burn",
    "transfers",
    "multisig",
    "invoke",
    "deploy with constructor",
    "deploy",
    "freeze",
    "delegate",
    "unfreeze",
    "withdraw",
    "publish",
    "answer",
    "validate",
    "register",
];

/// Every failure that the rules have for these types.
const ERRORS: [TosError; 17] = [
    TosError::InvalidFormat,
    TosError::InvalidType,
    TosError::InvalidSignature,
    TosError::InvalidAmount,
    TosError::InvalidPayload,
    TosError::NonceTooLow,
    TosError::NonceTooHigh,
    TosError::InsufficientBalance,
    TosError::InsufficientFee,
    TosError::InsufficientEnergy,
    TosError::InsufficientFrozen,
    TosError::Overflow,
    TosError::AccountNotFound,
    TosError::DomainExists,
    TosError::SelfOperation,
    TosError::ContractNotFound,
    TosError::NotImplemented,
];

#[test]
fn the_generator_reaches_every_type_and_every_end() {
    let mut runner = TestRunner::deterministic();
    let mut seen: BTreeMap<String, u64> = BTreeMap::new();
    let (cases, blocks) = (case(), actions());
    for _ in 0..1500 {
        let case = cases.new_tree(&mut runner).unwrap().current();
        let actions = blocks.new_tree(&mut runner).unwrap().current();
        let mut count = |what: String| *seen.entry(what).or_default() += 1;
        let settings = case.settings;
        let world = World::new(settings.ledger.contract_ids, case.near_the_end);
        let transactions = world.transactions(&case, &actions);
        let Ok(block) = sequentially(&case, &world.state, &transactions) else {
            count("no result".to_owned());
            continue;
        };
        count(format!(
            "block {}",
            match block.end {
                BlockEnd::Complete if block.totals.rejected > 0 => "skips",
                BlockEnd::Complete => "complete",
                BlockEnd::GasLimit { .. } => "gas limit",
                BlockEnd::Rejected { .. } => "rejected",
            }
        ));
        count(format!("credits deferred: {}", settings.ledger.credit_visibility == CreditVisibility::Deferred));
        count(format!("ids by deployer: {}", settings.ledger.contract_ids == ContractIds::Deployer));
        count(format!("rewards {:?}", settings.ledger.rewards));
        for (transaction, receipt) in transactions.iter().zip(&block.receipts) {
            let payload = &transaction.transaction().payload;
            match receipt.result {
                Ok(()) => count(format!("{} done", type_of(payload))),
                Err(error) => count(format!("{error:?}")),
            }
            if receipt.result.is_err() {
                count(format!("{} refused", type_of(payload)));
            }
            let Some(contract) = &receipt.contract else { continue };
            let Some(call) = &contract.call else { continue };
            if matches!(payload, Payload::DeployContract(_)) {
                count(format!("constructor {}", end_of(&call.end)));
                continue;
            }
            let known =
                Sample::ALL.into_iter().map(|sample| (sample.name(), sample.module())).chain([("purse", purse())]);
            for (name, module) in known {
                if id_in(settings, 1, &module) == contract.contract {
                    count(format!("{name} {}", end_of(&call.end)));
                }
            }
            count(end_of(&call.end).to_owned());
            count(format!("events: {}", !call.events.is_empty()));
            count(format!("return data: {}", !call.return_data.is_empty()));
        }
    }
    let names = Sample::ALL.iter().map(|sample| sample.name()).chain(["purse"]);
    let mut wanted: Vec<String> = TYPES.iter().flat_map(|of| [format!("{of} done"), format!("{of} refused")]).collect();
    wanted.push("opaque refused".to_owned());
    wanted.extend(ERRORS.iter().map(|error| format!("{error:?}")));
    wanted.extend(names.flat_map(|name| ["success", "revert", "out of gas"].map(|end| format!("{name} {end}"))));
    wanted.extend(["not executable", "budget", "fault"].map(str::to_owned));
    wanted.extend(["success", "revert", "fault", "out of gas"].map(|end| format!("constructor {end}")));
    wanted.extend(["complete", "skips", "rejected", "gas limit"].map(|end| format!("block {end}")));
    wanted.extend(["events", "return data"].map(|what| format!("{what}: true")));
    wanted.extend(["None", "Some(Before)", "Some(After)"].map(|order| format!("rewards {order}")));
    wanted.extend(
        ["credits deferred", "ids by deployer"].iter().flat_map(|of| [true, false].map(|is| format!("{of}: {is}"))),
    );
    let missing: Vec<_> = wanted.iter().filter(|what| !seen.contains_key(*what)).collect();
    assert!(missing.is_empty(), "never reached: {missing:?}, reached: {seen:#?}");
}
