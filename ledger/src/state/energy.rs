//! An account's energy resource (spec 3.1, 5.4).

use std::sync::Arc;

/// TOS frozen for energy of one's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FreezeRecord {
    /// Atomic units.
    pub amount: u64,
    /// Energy given for it.
    pub energy_gained: u64,
    /// Height at which it was frozen.
    pub freeze_height: u64,
    /// Height from which it may be unfrozen; not checked by the rules.
    pub unlock_height: u64,
}

/// TOS frozen for somebody else's energy. Not exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DelegatedRecord {
    /// Who got the energy.
    pub delegatee: crate::types::Address,
    /// Atomic units.
    pub amount: u64,
    /// Energy given for it.
    pub energy_gained: u64,
    /// Height at which it was frozen.
    pub freeze_height: u64,
    /// Height from which it may be unfrozen.
    pub unlock_height: u64,
}

/// TOS on its way back to the balance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PendingUnfreeze {
    /// Atomic units.
    pub amount: u64,
    /// Height from which it can be withdrawn.
    pub expire_height: u64,
    /// Whether the transaction said that it comes from a delegation. Not exported.
    pub from_delegation: bool,
}

/// The lists of a resource, in the order in which they grew.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EnergyRecords {
    /// Own freezes.
    pub freeze: Vec<FreezeRecord>,
    /// Freezes for others.
    pub delegated: Vec<DelegatedRecord>,
    /// Unfreezes not yet withdrawn.
    pub pending: Vec<PendingUnfreeze>,
}

/// An energy resource. The lists are shared: paying a fee in energy copies two numbers, not the lists.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EnergyResource {
    /// Energy available.
    pub energy: u64,
    /// Frozen, atomic units.
    pub frozen_tos: u64,
    /// Where it comes from and where it goes.
    pub records: Arc<EnergyRecords>,
}

impl EnergyResource {
    /// The lists for changing; copies them if anybody else holds them.
    pub fn records_mut(&mut self) -> &mut EnergyRecords {
        Arc::make_mut(&mut self.records)
    }
}
