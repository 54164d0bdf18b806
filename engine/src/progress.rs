//! How far a block has come: what all paths keep, so that one can go on where another has stopped.

use crate::admission::{Admission, Admitted, BlockEnd};
use crate::config::BlockPolicy;
use crate::vm::{Outcome, Vm};

/// The transactions that are part of the block so far.
pub(crate) struct Progress<V: Vm, F> {
    pub(crate) admission: Admission,
    pub(crate) outcomes: Vec<Outcome<V::Output>>,
    pub(crate) end: BlockEnd,
    /// Sees every outcome as it becomes part of the block.
    pub(crate) on_commit: F,
}

impl<V: Vm, F> Progress<V, F> {
    /// At the beginning of a block.
    pub(crate) fn new(policy: BlockPolicy, transactions: usize, on_commit: F) -> Self {
        Self {
            admission: Admission::new(policy),
            outcomes: Vec::with_capacity(transactions),
            end: BlockEnd::Complete,
            on_commit,
        }
    }
    /// Transaction `index`, which is the next one and executed on final values, has this outcome.
    pub(crate) fn commit(&mut self, index: usize, outcome: Outcome<V::Output>) -> Admitted
    where
        F: FnMut(usize, &Outcome<V::Output>),
    {
        let admitted = self.admission.admit(&outcome);
        match admitted {
            Admitted::Yes => {
                (self.on_commit)(index, &outcome);
                self.outcomes.push(outcome);
            }
            Admitted::RejectsBlock => {
                self.outcomes.push(outcome);
                self.end = BlockEnd::Rejected { transaction: index };
            }
            Admitted::No => self.end = BlockEnd::GasLimit { transaction: index },
        }
        admitted
    }
}
