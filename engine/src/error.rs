//! Why a block could not be executed at all. A transaction that fails is an outcome, never one of these.

use weft_storage::StorageError;

/// The block has no result; the state is untouched.
#[derive(Debug, thiserror::Error)]
pub enum BlockError {
    /// The storage failed to deliver a value that the block needs.
    #[error("transaction {transaction}: {source}")]
    Storage {
        /// The transaction that needs the value, by its index in the block.
        transaction: usize,
        /// What the storage said.
        #[source]
        source: StorageError,
    },
    /// The storage failed to deliver the old value of a key that the block has written.
    #[error("comparing the block's changes with the state before it: {0}")]
    Changes(#[source] StorageError),
    /// The virtual machine panics on a transaction, with every earlier transaction committed.
    #[error("transaction {transaction} makes the virtual machine panic: {message}")]
    Panicked {
        /// The transaction, by its index in the block.
        transaction: usize,
        /// What the panic said.
        message: String,
    },
    /// The virtual machine breaks its contract: it returned a `Stop` that no call on its view had given it.
    #[error("transaction {transaction}: the virtual machine stopped although the engine did not ask it to")]
    Stopped {
        /// The transaction, by its index in the block.
        transaction: usize,
    },
    /// The block has more transactions than the engine numbers.
    #[error("a block of {transactions} transactions is too long: at most 2^31 units")]
    TooLong {
        /// The number of transactions.
        transactions: usize,
    },
    /// A unit whose inputs were final was found stale: a defect of the engine (or a `Value` whose equality is not an
    /// equivalence). Reported, since a retry would never end.
    #[error("transaction {transaction} was found stale although everything before it is committed")]
    Inconsistent {
        /// The first transaction of the unit, by its index in the block.
        transaction: usize,
    },
}

/// The message of a caught panic.
pub(crate) fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|message| (*message).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".to_owned())
}
