//! What the state holds, and what a delta does to it.

use std::sync::Arc;

use weft_mvmemory::OutOfBounds;

use crate::contract::Module;
use crate::types::Address;

use super::{Account, Delta, EnergyResource, MinerRecord, MiningTask, StorageValue};

/// Who must sign for an account besides its owner (spec 4.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MultisigConfig {
    /// How many participants must sign: exactly so many.
    pub threshold: u8,
    /// Who may sign; the index is the signer id.
    pub participants: Vec<Address>,
}

/// Credits of the running block to one account, invisible until its end (spec 7.2, deferred).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PendingCredits {
    /// The balance before the block: with it a credit that overflows is found where it happens.
    pub start_balance: u64,
    /// The credits so far. `start_balance + credits` fits.
    pub credits: u64,
}

/// A value of the state: at most 56 bytes, cheap to clone; what is long is shared.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Under [`Key::Account`](super::Key::Account).
    Account(Account),
    /// Under [`Key::Energy`](super::Key::Energy).
    Energy(EnergyResource),
    /// Under [`Key::Multisig`](super::Key::Multisig).
    Multisig(Arc<MultisigConfig>),
    /// Under [`Key::Counter`](super::Key::Counter).
    Counter(u64),
    /// Under [`Key::Contract`](super::Key::Contract): the module.
    Contract(Module),
    /// Under [`Key::Storage`](super::Key::Storage).
    Storage(StorageValue),
    /// Under [`Key::Miner`](super::Key::Miner).
    Miner(Arc<MinerRecord>),
    /// Under [`Key::MiningTask`](super::Key::MiningTask).
    MiningTask(Arc<MiningTask>),
    /// Under [`Key::PendingCredit`](super::Key::PendingCredit).
    PendingCredit(PendingCredits),
}

impl weft_mvmemory::Value for Value {
    type Delta = Delta;

    /// A delta on a value of another kind is out of bounds; the rules never do that.
    fn apply(base: Option<&Self>, delta: &Delta) -> Result<Self, OutOfBounds> {
        Ok(match (*delta, base) {
            (Delta::Credit(amount), None) => Self::Account(Account { balance: amount, ..Account::default() }),
            (Delta::Credit(amount), Some(Self::Account(account))) => {
                let balance = account.balance.checked_add(amount).ok_or(OutOfBounds)?;
                Self::Account(Account { balance, ..account.clone() })
            }
            (Delta::DeferredCredit(amount), None) => {
                Self::PendingCredit(PendingCredits { start_balance: 0, credits: amount })
            }
            (Delta::DeferredCredit(amount), Some(Self::PendingCredit(pending))) => {
                let credits = pending.credits.checked_add(amount).ok_or(OutOfBounds)?;
                pending.start_balance.checked_add(credits).ok_or(OutOfBounds)?;
                Self::PendingCredit(PendingCredits { credits, ..*pending })
            }
            (Delta::Count(amount) | Delta::CountSaturating(amount) | Delta::Max(amount), None) => Self::Counter(amount),
            (Delta::Count(amount), Some(Self::Counter(value))) => {
                Self::Counter(value.checked_add(amount).ok_or(OutOfBounds)?)
            }
            (Delta::CountSaturating(amount), Some(Self::Counter(value))) => Self::Counter(value.saturating_add(amount)),
            (Delta::StorageAdd(amount), None) => Self::Storage(StorageValue::new(&amount.to_le_bytes())),
            (Delta::StorageAdd(amount), Some(Self::Storage(value))) => Self::Storage(value.plus(amount)?),
            (Delta::Max(other), Some(Self::Counter(value))) => Self::Counter(other.max(*value)),
            _ => return Err(OutOfBounds),
        })
    }

    fn combine(first: &Delta, second: &Delta) -> Result<Delta, OutOfBounds> {
        let sum = |a: u64, b: u64| a.checked_add(b).ok_or(OutOfBounds);
        Ok(match (*first, *second) {
            (Delta::Credit(a), Delta::Credit(b)) => Delta::Credit(sum(a, b)?),
            (Delta::DeferredCredit(a), Delta::DeferredCredit(b)) => Delta::DeferredCredit(sum(a, b)?),
            (Delta::Count(a), Delta::Count(b)) => Delta::Count(sum(a, b)?),
            (Delta::StorageAdd(a), Delta::StorageAdd(b)) => Delta::StorageAdd(sum(a, b)?),
            (Delta::CountSaturating(a), Delta::CountSaturating(b)) => Delta::CountSaturating(a.saturating_add(b)),
            (Delta::Max(a), Delta::Max(b)) => Delta::Max(a.max(b)),
            _ => return Err(OutOfBounds),
        })
    }
}

// The engine keeps a value per version: growing it would cost every workload.
const _: () = assert!(size_of::<Value>() <= 56);
