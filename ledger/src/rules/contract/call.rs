//! One call of a transaction, from its deposits to its refund (spec 5.6).

use weft_engine::StateView;

use crate::contract::{Event, Module};
use crate::error::TosError;
use crate::rules::receipt::{CallEnd, CallReceipt};
use crate::rules::{Failure, TosVm, miner_gas_share};
use crate::signed::SignedTransaction;
use crate::state::{Account, Counter, Delta, Key, Value};
use crate::types::{Address, Hash};
use crate::wire::Deposit;

use super::frame;

/// What a transaction calls. Its gas has been taken from the source.
pub(super) struct Call<'a> {
    pub(super) contract: Hash,
    pub(super) module: Module,
    pub(super) entry_id: u16,
    pub(super) is_constructor: bool,
    /// Given to the contract when it runs.
    pub(super) input: Vec<u8>,
    pub(super) deposits: &'a [Deposit],
    pub(super) max_gas: u64,
}

/// What the call gave, before it is paid for.
pub(super) struct Finished {
    pub(super) end: CallEnd,
    /// With a trap, all that was offered.
    pub(super) gas_used: u64,
    pub(super) return_data: Vec<u8>,
    pub(super) events: Vec<Event>,
}

/// Runs `call` and charges for it.
pub(super) fn execute<S: StateView<Key, Value>>(
    vm: &TosVm,
    signed: &SignedTransaction,
    mut call: Call<'_>,
    state: &mut S,
) -> Result<CallReceipt, Failure> {
    let finished = run(vm, signed, &mut call, state)?;
    charge(vm, signed, call.max_gas, finished, state)
}

/// Moves the deposits and runs the contract. Unless it succeeds nothing of either is left.
pub(super) fn run<S: StateView<Key, Value>>(
    vm: &TosVm,
    signed: &SignedTransaction,
    call: &mut Call<'_>,
    state: &mut S,
) -> Result<Finished, Failure> {
    let max_gas = call.max_gas;
    let trapped =
        |trap| Finished { end: CallEnd::Trapped(trap), gas_used: max_gas, return_data: Vec::new(), events: Vec::new() };
    if let Err(trap) = vm.contracts().check(&call.module) {
        // Its deposits would come back whatever they are, so they need not be there (spec 5.6, first table).
        return Ok(trapped(trap));
    }
    let checkpoint = state.checkpoint();
    move_deposits(signed.transaction().source, call, state)?;
    let (run, frame) = frame::run_transaction_call(vm, signed, call, state)?;
    let end = match run.end {
        Ok(0) => {
            if frame.events_emitted > vm.contracts().limits().events {
                return Err(TosError::InvalidPayload.into());
            }
            let (return_data, events) = (frame.return_data, frame.events);
            return Ok(Finished { end: CallEnd::Success, gas_used: run.gas_used, return_data, events });
        }
        Ok(code) => CallEnd::Reverted { code },
        Err(trap) => {
            state.rollback(checkpoint)?;
            return Ok(trapped(trap));
        }
    };
    state.rollback(checkpoint)?;
    Ok(Finished { end, gas_used: run.gas_used, return_data: frame.return_data, events: Vec::new() })
}

/// Takes the deposits from the source and gives them to the contract. Only the native asset has balances (spec 3.1).
fn move_deposits<S: StateView<Key, Value>>(source: Address, call: &Call<'_>, state: &mut S) -> Result<(), Failure> {
    let mut total = 0_u64;
    for deposit in call.deposits {
        if deposit.asset != Hash::default() {
            return Err(TosError::InsufficientBalance.into());
        }
        total = total.checked_add(deposit.amount).ok_or(TosError::InsufficientBalance)?;
    }
    if total == 0 {
        return Ok(());
    }
    let key = Key::Account(source);
    let Some(Value::Account(account)) = state.read(&key)? else { return Err(TosError::InternalError.into()) };
    let balance = account.balance.checked_sub(total).ok_or(TosError::InsufficientBalance)?;
    state.write(key, Value::Account(Account { balance, ..account }));
    // At once in both modes of credit: the contract must find its deposit.
    state.add(Key::Account(Address(call.contract.0)), Delta::Credit(total))?;
    Ok(())
}

/// Burns its part of the gas used, and gives back what was not used. The miner's part is a matter of the block's end.
pub(super) fn charge<S: StateView<Key, Value>>(
    vm: &TosVm,
    signed: &SignedTransaction,
    max_gas: u64,
    finished: Finished,
    state: &mut S,
) -> Result<CallReceipt, Failure> {
    let Finished { end, gas_used, return_data, events } = finished;
    let gas_burned = gas_used - miner_gas_share(gas_used);
    if gas_burned > 0 {
        state.add(Key::Counter(Counter::GasBurned), Delta::Count(gas_burned))?;
    }
    let refund = max_gas - gas_used;
    if refund > 0 {
        let (key, delta) = vm.credit(signed.transaction().source, refund);
        state.add(key, delta)?;
    }
    Ok(CallReceipt { end, gas_used, gas_burned, return_data, events })
}
