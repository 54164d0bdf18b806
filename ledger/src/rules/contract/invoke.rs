//! Calls of contracts (spec 5.6).

use weft_engine::StateView;

use crate::contract::Module;
use crate::error::TosError;
use crate::rules::receipt::{CallReceipt, ContractReceipt};
use crate::rules::source::Source;
use crate::rules::{Failure, TosVm};
use crate::signed::SignedTransaction;
use crate::state::{Key, Value};
use crate::types::Hash;
use crate::wire::{InvokeContractPayload, ValueCell};

use super::call::{self, Call};
use super::check_offer;

/// Step 10. Gives the contract's module.
pub(in crate::rules) fn check<S: StateView<Key, Value>>(
    payload: &InvokeContractPayload,
    state: &mut S,
) -> Result<Module, Failure> {
    check_offer(payload.max_gas, &payload.deposits)?;
    module_of(&payload.contract, state)?.ok_or(TosError::ContractNotFound.into())
}

/// The module of a contract, where there is one.
pub(super) fn module_of<S: StateView<Key, Value>>(contract: &Hash, state: &mut S) -> Result<Option<Module>, Failure> {
    match state.read(&Key::Contract(*contract))? {
        Some(Value::Contract(module)) => Ok(Some(module)),
        Some(_) => Err(TosError::InternalError.into()),
        None => Ok(None),
    }
}

/// Steps 12 and 13, with fee and nonce.
pub(in crate::rules) fn invoke<S: StateView<Key, Value>>(
    vm: &TosVm,
    signed: &SignedTransaction,
    payload: &InvokeContractPayload,
    module: Module,
    mut source: Source,
    state: &mut S,
) -> Result<ContractReceipt, Failure> {
    let transaction = signed.transaction();
    source.spend(payload.max_gas, transaction.fee)?;
    source.settle(vm, transaction, state)?;
    let call = Call {
        contract: payload.contract,
        module,
        entry_id: payload.entry_id,
        is_constructor: false,
        input: input_of(&payload.parameters),
        deposits: &payload.deposits,
        max_gas: payload.max_gas,
    };
    let call: CallReceipt = call::execute(vm, signed, call, state)?;
    Ok(ContractReceipt { contract: payload.contract, call: Some(call) })
}

/// The input of a transaction's call: its `bytes` parameters, one after another (spec 8). Other cells are skipped.
fn input_of(parameters: &[ValueCell]) -> Vec<u8> {
    let mut input = Vec::new();
    for parameter in parameters {
        if let ValueCell::Bytes(bytes) = parameter {
            input.extend_from_slice(bytes);
        }
    }
    input
}
