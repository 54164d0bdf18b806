//! Deployments (spec 5.5).

use weft_engine::StateView;

use crate::contract::Module;
use crate::error::TosError;
use crate::rules::receipt::{CallEnd, ContractReceipt};
use crate::rules::source::Source;
use crate::rules::{Failure, TosVm};
use crate::signed::SignedTransaction;
use crate::state::{Key, Value};
use crate::types::{Address, Hash};
use crate::wire::DeployContractPayload;

use super::call::{self, Call};
use super::invoke::module_of;
use super::{BURN_PER_CONTRACT, check_offer};

/// The hook that a deployment runs.
const CONSTRUCTOR_HOOK: u16 = 0;

/// How a contract's id is derived (spec 5.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ContractIds {
    /// BLAKE3 of the module: the vectors' rule. Whoever deploys a module again changes nothing; with a constructor,
    /// which would run on what the contract holds by now, it is refused.
    #[default]
    ModuleHash,
    /// BLAKE3 of 0xff, the deployer and the module's hash: the daemon's rule. An occupied id is refused.
    Deployer,
}

/// The id of the contract that `deployer` makes of `module`.
#[must_use]
pub fn contract_id(ids: ContractIds, deployer: &Address, module: &Module) -> Hash {
    match ids {
        ContractIds::ModuleHash => *module.hash(),
        ContractIds::Deployer => {
            let mut hasher = blake3::Hasher::new();
            hasher.update(&[0xff]);
            hasher.update(&deployer.0);
            hasher.update(&module.hash().0);
            Hash(*hasher.finalize().as_bytes())
        }
    }
}

/// Step 10. That the module begins like an ELF file is a rule of the wire format.
pub(in crate::rules) fn check(payload: &DeployContractPayload) -> Result<(), TosError> {
    match &payload.constructor {
        Some(constructor) => check_offer(constructor.max_gas, &constructor.deposits),
        None => Ok(()),
    }
}

/// Steps 12 and 13, with fee and nonce.
pub(in crate::rules) fn deploy<S: StateView<Key, Value>>(
    vm: &TosVm,
    signed: &SignedTransaction,
    payload: &DeployContractPayload,
    mut source: Source,
    state: &mut S,
) -> Result<ContractReceipt, Failure> {
    let transaction = signed.transaction();
    let max_gas = payload.constructor.as_ref().map_or(0, |constructor| constructor.max_gas);
    source.spend(BURN_PER_CONTRACT + max_gas, transaction.fee)?;
    let contract = contract_id(vm.config().contract_ids, &transaction.source, &payload.module);
    let refuses_occupied = vm.config().contract_ids == ContractIds::Deployer || payload.constructor.is_some();
    if refuses_occupied && module_of(&contract, state)?.is_some() {
        return Err(TosError::DomainExists.into());
    }
    source.settle(vm, transaction, state)?;
    let before_module = state.checkpoint();
    state.write(Key::Contract(contract), Value::Contract(payload.module.clone()));
    // A module that cannot be executed is accepted all the same (spec 9, item 7). Looking at it now makes its first call
    // fast; most modules are called in the block that deploys them.
    let _executable = vm.contracts().check(&payload.module);
    let Some(constructor) = &payload.constructor else {
        return Ok(ContractReceipt { contract, call: None });
    };
    let mut call = Call {
        contract,
        module: payload.module.clone(),
        entry_id: CONSTRUCTOR_HOOK,
        is_constructor: true,
        input: Vec::new(),
        deposits: &constructor.deposits,
        max_gas,
    };
    let run = call::run(vm, signed, &mut call, state)?;
    if run.end != CallEnd::Success {
        // With the module goes what the constructor did; it has been undone already.
        state.rollback(before_module)?;
    }
    let call = call::charge(vm, signed, max_gas, run, state)?;
    Ok(ContractReceipt { contract, call: Some(call) })
}
