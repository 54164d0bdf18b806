//! Transactions that only move ether, without a machine.
//!
//! Nothing runs where there is no code, so all there is to do is checks, fees and two balances. The checks and the gas
//! are revm's own functions; whatever is out of the ordinary (code, a precompile, an invalid transaction, a participant
//! who is also the fee recipient) is left to the machine, which gives the same for the ordinary ones. That they agree is
//! tested on random blocks.

use alloy_primitives::{Address, Bytes, U256};
use revm::context::result::{ExecutionResult, Output, ResultGas, SuccessReason};
use revm::context::{BlockEnv, CfgEnv, TxEnv};
use revm::context_interface::Block;
use revm::context_interface::transaction::{Transaction, TransactionType};
use revm::handler::pre_execution::calculate_caller_fee;
use revm::primitives::TxKind;
use revm::primitives::hardfork::SpecId;
use weft_engine::StateView;

use crate::access::{Access, Ended, ViewAccess};
use crate::assumed::{has_usual_rules, least_holdings};
use crate::canary::Canary;
use crate::holdings_delta::HoldingsDelta;
use crate::machine::Machine;
use crate::state::{Holdings, StateKey, StateValue};

/// What a transfer changes.
struct Transfer {
    result: ExecutionResult,
    recipient: Address,
    /// What the recipient gets more than he has; nothing where he is the sender.
    paid: U256,
    sender: Sender,
    fee: U256,
}

/// What becomes of the sender.
enum Sender {
    Has(Holdings),
    /// He was not looked at.
    Spends(HoldingsDelta),
}

/// Whom the transaction pays, if it is one that may be a mere transfer.
fn recipient(tx: &TxEnv, block: &BlockEnv, cfg: &CfgEnv) -> Option<Address> {
    let TxKind::Call(to) = tx.kind else { return None };
    // Before EIP-161 being paid may create an account; from EIP-2780 on gas depends on the state.
    let spec = cfg.spec.is_enabled_in(SpecId::SPURIOUS_DRAGON) && !cfg.spec.is_enabled_in(SpecId::AMSTERDAM);
    let is_usual_kind = matches!(
        TransactionType::from(tx.tx_type),
        TransactionType::Legacy | TransactionType::Eip2930 | TransactionType::Eip1559
    );
    let is_usual = spec
        && is_usual_kind
        && has_usual_rules(cfg)
        && !tx.value.is_zero()
        && tx.access_list.is_empty()
        && block.beneficiary != tx.caller
        && block.beneficiary != to;
    is_usual.then_some(to)
}

/// Executes the transaction if it is a mere transfer. `None` where the machine has to decide.
pub(crate) fn execute<S: StateView<StateKey, StateValue>>(
    machine: &mut Machine,
    tx: &TxEnv,
    view: &mut ViewAccess<'_, S>,
) -> Result<Option<ExecutionResult>, Ended> {
    let Some(transfer) = prepare(machine, tx, view)? else { return Ok(None) };
    let checkpoint = view.checkpoint();
    let is_sent = match transfer.sender {
        Sender::Has(holdings) => {
            view.set(StateKey::Holdings(tx.caller), holdings.into_value());
            true
        }
        Sender::Spends(delta) => view.change(tx.caller, delta)?,
    };
    let is_paid = is_sent && (transfer.paid.is_zero() || view.credit(transfer.recipient, transfer.paid)?);
    if is_paid && view.credit(machine.block().beneficiary, transfer.fee)? {
        return Ok(Some(transfer.result));
    }
    // More than a balance can hold, or than the sender has: what then happens is for the machine to say.
    if !Canary::KeepTransfer.sings() {
        view.rollback(checkpoint)?;
    }
    Ok(None)
}

fn prepare<S: StateView<StateKey, StateValue>>(
    machine: &mut Machine,
    tx: &TxEnv,
    view: &mut ViewAccess<'_, S>,
) -> Result<Option<Transfer>, Ended> {
    let Some(recipient) = recipient(tx, machine.block(), machine.cfg()) else { return Ok(None) };
    if machine.is_precompile(&recipient)
        || (recipient != tx.caller && view.identity(recipient)?.has_code())
        || view.identity(tx.caller)?.has_code()
    {
        return Ok(None);
    }
    let Some(gas) = machine.initial_gas() else { return Ok(None) };
    let known = view.holdings_unless_contended(tx.caller)?;
    let least = if known.is_none() { least_holdings(tx, machine.cfg()) } else { None };
    let holdings = match known.or(least) {
        Some(holdings) => holdings,
        None => view.holdings(tx.caller)?,
    };
    if (holdings.nonce != tx.nonce && !Canary::AnyNonce.sings()) || holdings.nonce == u64::MAX {
        return Ok(None);
    }
    let (block, cfg) = (machine.block(), machine.cfg());
    // What revm leaves of the balance when it has taken the price of all gas that the transaction may use.
    let Ok(without_gas) = calculate_caller_fee(holdings.balance, tx, block, cfg) else { return Ok(None) };
    let result = ResultGas::default().with_total_gas_spent(gas.initial_total_gas()).with_floor_gas(gas.floor_gas());
    let used = result.tx_gas_used();
    let basefee = u128::from(block.basefee());
    let price = tx.effective_gas_price(basefee);
    let unused = price.saturating_mul(u128::from(tx.gas_limit - used));
    // Who pays himself must have the amount, which has been checked, and keeps it.
    let paid = if recipient == tx.caller { U256::ZERO } else { tx.value };
    let Some(balance) = without_gas.checked_sub(paid).and_then(|left| left.checked_add(U256::from(unused))) else {
        return Ok(None);
    };
    let tip = if cfg.spec.is_enabled_in(SpecId::LONDON) { price.saturating_sub(basefee) } else { price };
    let fee = U256::from(tip * u128::from(used));
    if fee.is_zero() {
        // Being paid nothing may clear an account.
        return Ok(None);
    }
    let after = Holdings { balance, nonce: holdings.nonce + 1 };
    let sender = match least {
        None => Sender::Has(after),
        Some(least) => match HoldingsDelta::from_least(least, after) {
            Some(delta) => Sender::Spends(delta),
            None => return Ok(None),
        },
    };
    Ok(Some(Transfer {
        result: ExecutionResult::Success {
            reason: SuccessReason::Stop,
            gas: result,
            logs: Vec::new(),
            output: Output::Call(Bytes::new()),
        },
        recipient,
        paid,
        sender,
        fee,
    }))
}
