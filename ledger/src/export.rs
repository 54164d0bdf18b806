//! The state as others see it (spec 3.2): energy resources replace the accounts' own fields, and `total_energy` is
//! recomputed.

use std::collections::BTreeMap;
use std::iter::Peekable;

use crate::contract::Module;
use crate::state::{Account, AccountData, Counter, EnergyResource, Key, Value};
use crate::types::{Address, Hash};

/// The numbers of the chain as a whole (spec 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GlobalState {
    /// Atomic units.
    pub total_supply: u64,
    /// Atomic units.
    pub total_burned: u64,
    /// Sum of the exported energies of all accounts; stays at the maximum.
    pub total_energy: u64,
    /// Height of the last block.
    pub block_height: u64,
    /// Time of the last block.
    pub timestamp: u64,
}

impl GlobalState {
    /// Reads the counters through `read`; `total_energy` is 0 until it is recomputed.
    ///
    /// # Errors
    /// Those of `read`.
    pub fn from_counters<E>(mut read: impl FnMut(&Key) -> Result<Option<Value>, E>) -> Result<Self, E> {
        let mut counter = |counter| match read(&Key::Counter(counter))? {
            Some(Value::Counter(number)) => Ok(number),
            _ => Ok(0),
        };
        Ok(Self {
            total_supply: counter(Counter::TotalSupply)?,
            total_burned: counter(Counter::TotalBurned)?,
            total_energy: 0,
            block_height: counter(Counter::BlockHeight)?,
            timestamp: counter(Counter::Timestamp)?,
        })
    }
}

/// An account as it is exported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportedAccount {
    /// Whose it is.
    pub address: Address,
    /// Atomic units.
    pub balance: u64,
    /// The nonce of the next transaction.
    pub nonce: u64,
    /// Atomic units; the energy resource's, where there is one.
    pub frozen: u64,
    /// The energy resource's, where there is one.
    pub energy: u64,
    /// As stored.
    pub flags: u64,
    /// As stored.
    pub data: AccountData,
}

impl ExportedAccount {
    /// Applies the export rules of spec 3.2.
    #[must_use]
    pub fn new(address: Address, account: Account, resource: Option<&EnergyResource>) -> Self {
        let (frozen, energy) =
            resource.map_or((account.frozen, account.energy), |resource| (resource.frozen_tos, resource.energy));
        let Account { balance, nonce, flags, data, .. } = account;
        Self { address, balance, nonce, frozen, energy, flags, data }
    }
}

/// Joins two streams, both ascending by address, into exported accounts: a database can be exported without ever
/// holding it in memory. Resources without an account are passed over.
pub struct ExportedAccounts<A, R: Iterator> {
    accounts: A,
    resources: Peekable<R>,
}

impl<A, R, E> ExportedAccounts<A, R>
where
    A: Iterator<Item = Result<(Address, Account), E>>,
    R: Iterator<Item = Result<(Address, EnergyResource), E>>,
{
    /// `accounts` and `resources` ascend by address.
    pub fn new(accounts: A, resources: R) -> Self {
        Self { accounts, resources: resources.peekable() }
    }

    fn resource_of(&mut self, address: Address) -> Result<Option<EnergyResource>, E> {
        while let Some(next) = self.resources.next_if(|next| next.as_ref().map_or(true, |(owner, _)| *owner <= address))
        {
            let (owner, resource) = next?;
            if owner == address {
                return Ok(Some(resource));
            }
        }
        Ok(None)
    }
}

impl<A, R, E> Iterator for ExportedAccounts<A, R>
where
    A: Iterator<Item = Result<(Address, Account), E>>,
    R: Iterator<Item = Result<(Address, EnergyResource), E>>,
{
    type Item = Result<ExportedAccount, E>;

    fn next(&mut self) -> Option<Self::Item> {
        let (address, account) = match self.accounts.next()? {
            Ok(entry) => entry,
            Err(error) => return Some(Err(error)),
        };
        Some(self.resource_of(address).map(|resource| ExportedAccount::new(address, account, resource.as_ref())))
    }
}

/// A complete exported state, for states that fit in memory.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StateExport {
    /// The global numbers, with the recomputed energy.
    pub global: GlobalState,
    /// Ascending by address.
    pub accounts: Vec<ExportedAccount>,
    /// All energy resources.
    pub energy: BTreeMap<Address, EnergyResource>,
    /// All contract modules.
    pub contracts: BTreeMap<Hash, Module>,
}

impl StateExport {
    /// Exports `state`.
    #[must_use]
    pub fn of(state: &BTreeMap<Key, Value>) -> Self {
        let mut export = Self::default();
        for (key, value) in state {
            match (key, value) {
                (Key::Energy(owner), Value::Energy(resource)) => {
                    export.energy.insert(*owner, resource.clone());
                }
                (Key::Contract(id), Value::Contract(module)) => {
                    export.contracts.insert(*id, module.clone());
                }
                _ => {}
            }
        }
        for (key, value) in state {
            if let (Key::Account(address), Value::Account(account)) = (key, value) {
                let resource = export.energy.get(address);
                export.accounts.push(ExportedAccount::new(*address, account.clone(), resource));
            }
        }
        let Ok(global) = GlobalState::from_counters(|key| Ok::<_, std::convert::Infallible>(state.get(key).cloned()));
        let total_energy = export.accounts.iter().fold(0_u64, |sum, account| sum.saturating_add(account.energy));
        export.global = GlobalState { total_energy, ..global };
        export
    }
}
