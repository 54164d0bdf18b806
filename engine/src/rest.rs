//! What is left of a block: what every path is given, so that one can begin where another has stopped.

use crate::config::BlockPolicy;
use crate::vm::Vm;

/// A block from transaction `first` on.
pub(crate) struct Rest<'b, V: Vm, R> {
    pub(crate) vm: &'b V,
    /// The state before transaction `first`.
    pub(crate) reader: &'b R,
    /// Those of the whole block.
    pub(crate) transactions: &'b [V::Transaction],
    pub(crate) first: usize,
    /// In transactions; at least 1.
    pub(crate) unit_length: usize,
    pub(crate) policy: BlockPolicy,
}

impl<'b, V: Vm, R> Rest<'b, V, R> {
    /// Number of transactions that are left.
    pub(crate) fn left(&self) -> usize {
        self.transactions.len() - self.first
    }

    /// Number of units that are left.
    pub(crate) fn units(&self) -> usize {
        self.left().div_ceil(self.unit_length)
    }

    /// What is left from transaction `first` on, where `reader` gives the state before it.
    pub(crate) fn from<'r, S>(&self, first: usize, reader: &'r S) -> Rest<'r, V, S>
    where
        'b: 'r,
    {
        let Self { vm, transactions, unit_length, policy, .. } = *self;
        Rest { vm, reader, transactions, first, unit_length, policy }
    }
}
