//! What the state is keyed by.

use std::hash::{Hash as StdHash, Hasher};

use crate::types::{Address, Hash};

/// A number of the chain as a whole (spec 3.1, "Global").
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Counter {
    /// Emitted supply, atomic units. No rule of spec 5 changes it; rewards do (spec 7.3).
    TotalSupply = 0,
    /// Sum of all burns, atomic units.
    TotalBurned = 1,
    /// Sum of all energy ever gained. Only its overflow is a rule (spec 4.7); the exported `total_energy` is
    /// recomputed from the accounts (spec 3.2).
    TotalEnergy = 2,
    /// Height of the last block.
    BlockHeight = 3,
    /// Time of the last block.
    Timestamp = 4,
    /// Sum of all TOS fees since the state began, whoever got them (spec 4.3, 7.3). Not exported, and saturating: no
    /// rule may fail because of it. The fees of one block are the sum over its receipts.
    Fees = 5,
    /// Sum of the gas of contract calls that was burned, in atomic units. Kept apart from [`Counter::TotalBurned`],
    /// where the vectors do not show it (spec 5.6).
    GasBurned = 6,
    /// Largest time at which an AI mining transaction succeeded: what stands in for the sweep over all tasks (spec 6,
    /// [`MiningTask::status_at`](super::MiningTask::status_at)). It follows the block times, which are assumed not to
    /// decrease. Not exported.
    MiningClock = 16,
    /// Tasks ever published (spec 6, `total_tasks`).
    MiningTasks = 17,
    /// Miners ever registered (spec 6, `total_miners`).
    MiningMiners = 18,
}

impl Counter {
    /// Every counter, in order.
    pub const ALL: [Self; 10] = [
        Self::TotalSupply,
        Self::TotalBurned,
        Self::TotalEnergy,
        Self::BlockHeight,
        Self::Timestamp,
        Self::Fees,
        Self::GasBurned,
        Self::MiningClock,
        Self::MiningTasks,
        Self::MiningMiners,
    ];
}

/// A key of the state. Sorted by kind, then by bytes; the bytes in the database sort the same way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// One of the counters.
    Counter(Counter),
    /// An account.
    Account(Address),
    /// An account's energy resource.
    Energy(Address),
    /// An account's multisig configuration.
    Multisig(Address),
    /// A contract's module.
    Contract(Hash),
    /// A value in a contract's storage, by its [`storage_slot`](super::storage_slot).
    Storage(Hash),
    /// A registered miner (spec 6).
    Miner(Address),
    /// A published task (spec 6).
    MiningTask(Hash),
    /// Credits of the running block that are not visible yet (spec 7.2, deferred). Never in the database.
    PendingCredit(Address),
}

impl StdHash for Key {
    // One tag byte and the raw bytes: the derived one hashes a word for the kind and a word for the length too.
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Self::Counter(counter) => state.write(&[0, *counter as u8]),
            Self::Account(address) => tagged(state, 1, &address.0),
            Self::Energy(address) => tagged(state, 2, &address.0),
            Self::Multisig(address) => tagged(state, 3, &address.0),
            Self::Contract(id) => tagged(state, 4, &id.0),
            Self::Storage(slot) => tagged(state, 5, &slot.0),
            Self::Miner(address) => tagged(state, 16, &address.0),
            Self::MiningTask(id) => tagged(state, 17, &id.0),
            Self::PendingCredit(address) => tagged(state, 6, &address.0),
        }
    }
}

fn tagged<H: Hasher>(state: &mut H, tag: u8, bytes: &[u8; 32]) {
    state.write_u8(tag);
    state.write(bytes);
}
