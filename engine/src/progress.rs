//! How far a block has come: what all paths keep, so that one can go on where another has stopped.

use crate::admission::{Admission, BlockEnd};
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
}
