//! What a transaction has changed, from revm's journal to the engine's view.

use alloy_primitives::Address;
use revm::primitives::KECCAK_EMPTY;
use revm::state::Account;
use weft_engine::StateView;

use crate::access::{Access, Ended, ViewAccess};
use crate::canary::Canary;
use crate::database::{Figures, Loaded};
use crate::holdings_delta::HoldingsDelta;
use crate::journal::DeferringJournal;
use crate::state::{Holdings, Identity, StateKey, StateValue};

/// Why the changes could not be handed on.
#[derive(Debug)]
pub(crate) enum NotApplied {
    /// The engine has ended the execution.
    Ended,
    /// A credit is too much for the balance that it goes to, or the sender had not what was assumed of him.
    Refuted,
}

impl From<Ended> for NotApplied {
    fn from(_: Ended) -> Self {
        Self::Ended
    }
}

/// Moves the changes of the transaction that `journal` has executed to `view`.
pub(crate) fn apply<S: StateView<StateKey, StateValue>>(
    journal: &mut DeferringJournal,
    view: &mut ViewAccess<'_, S>,
) -> Result<(), NotApplied> {
    let clears = journal.database.clears_empty_accounts;
    for (address, account) in journal.inner.state.drain() {
        if !account.is_touched() {
            continue;
        }
        let Some(at) = journal.database.loaded(&account.info, address) else { continue };
        apply_account(address, &account, journal.database.loaded[at], clears, view)?;
    }
    if let Some((recipient, fee)) = journal.fee.take()
        && !fee.is_zero()
        && !view.credit(recipient, fee)?
    {
        return Err(NotApplied::Refuted);
    }
    Ok(())
}

fn apply_account<S: StateView<StateKey, StateValue>>(
    address: Address,
    account: &Account,
    loaded: Loaded,
    clears: bool,
    view: &mut ViewAccess<'_, S>,
) -> Result<(), NotApplied> {
    let was = loaded.identity;
    if account.is_selfdestructed() {
        remove(address, was, view);
        return Ok(());
    }
    let info = &account.info;
    let holdings = Holdings { balance: info.balance, nonce: info.nonce };
    if loaded.figures == Figures::Assumed {
        let delta = HoldingsDelta::from_least(loaded.holdings, holdings).ok_or(NotApplied::Refuted)?;
        if !view.change(address, delta)? {
            return Err(NotApplied::Refuted);
        }
    } else if loaded.figures == Figures::Deferred {
        let is_unpaid = info.balance.is_zero();
        // Touched, but not paid after all: then it may be empty, and an empty account that is touched is cleared.
        if is_unpaid && clears && !was.is_surely_not_empty() && !account.is_created() {
            if was.exists && view.holdings(address)?.is_empty() && !Canary::KeepEmpty.sings() {
                remove(address, was, view);
            }
            return Ok(());
        }
        if !is_unpaid && !view.credit(address, info.balance)? {
            return Err(NotApplied::Refuted);
        }
    } else {
        if clears && info.is_empty() && !account.is_created() {
            if was.exists || !loaded.holdings.is_empty() {
                remove(address, was, view);
            }
            return Ok(());
        }
        if holdings != loaded.holdings {
            view.set(StateKey::Holdings(address), holdings.into_value());
        }
    }
    let code_hash = if info.code_hash.is_zero() { KECCAK_EMPTY } else { info.code_hash };
    let identity = Identity {
        code_hash,
        // A created account begins with empty storage.
        generation: was.generation + u32::from(account.is_created() && !Canary::CreateInPlace.sings()),
        is_deployed: code_hash != KECCAK_EMPTY
            && ((was.is_deployed && !Canary::ForgetDeployed.sings()) || code_hash != was.code_hash),
        // From EIP-161 on, whether it exists follows from what it holds, and is written down only with the rest.
        exists: was.exists || !clears || account.is_created() || code_hash != KECCAK_EMPTY,
        was_funded: was.was_funded,
    };
    if identity.has_code()
        && identity.code_hash != was.code_hash
        && let Some(code) = &info.code
    {
        view.set(StateKey::DeployedCode(identity.code_hash), Some(StateValue::Code(code.clone())));
    }
    if identity != was {
        view.set(StateKey::Identity(address), Some(StateValue::Identity(identity)));
    }
    for (slot, value) in &account.storage {
        if value.is_changed() {
            let key = StateKey::Slot(address, identity.generation, *slot);
            let value = value.present_value;
            view.set(key, (!value.is_zero()).then_some(StateValue::Slot(value)));
        }
    }
    Ok(())
}

/// The account is destroyed, or cleared as an empty one.
fn remove<S: StateView<StateKey, StateValue>>(address: Address, was: Identity, view: &mut ViewAccess<'_, S>) {
    view.set(StateKey::Holdings(address), None);
    // Where nothing was there is nothing to wipe either.
    if was != Identity::ABSENT {
        let generation = was.generation + u32::from(!Canary::KeepGeneration.sings());
        let gone = Identity { generation, was_funded: was.was_funded, ..Identity::ABSENT };
        view.set(StateKey::Identity(address), Some(StateValue::Identity(gone)));
    }
}
