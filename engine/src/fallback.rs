//! What executes the transactions of a block that are not worth executing in parallel.
//!
//! By default that is the engine's own sequential path, which keeps the state key by key. A chain whose machine executes
//! faster on a state of its own brings it as a [`Fallback`], with
//! [`Engine::execute_block_beside`](crate::Engine::execute_block_beside).

use std::marker::PhantomData;
use std::ops::Range;

use weft_storage::{StateReader, StorageError};

use crate::admission::Admitted;
use crate::error::BlockError;
use crate::vm::{Outcome, Vm};

/// Executes transactions one after another, on a state of its own between those of a block's parallel stretches. What
/// comes of it must be what the [`Vm`] would have given.
///
/// It is `Sync` because the workers of a parallel stretch read what it has left.
pub trait Fallback<V: Vm>: Sync {
    /// What a parallel stretch has made of a key, as this takes it over.
    type TakenOver: Send;

    /// The value of `key` after the transactions so far. `None` where it is what the storage has.
    fn current(&self, key: &V::Key) -> Option<Option<V::Value>>;

    /// Executes `transactions[stretch]`, and hands every outcome to `commit`. Where that says anything but
    /// [`Admitted::Yes`], the block has ended: this transaction changes nothing, and the ones after it are not executed.
    ///
    /// A panic is the transaction's whose outcome is the next.
    ///
    /// # Errors
    /// [`BlockError`] where a transaction has no outcome. The block has no result then, and this is not asked again.
    fn execute(
        &mut self,
        transactions: &[V::Transaction],
        stretch: Range<usize>,
        commit: impl FnMut(Outcome<V::Output>) -> Admitted,
    ) -> Result<(), BlockError>;

    /// What is to be taken over of a key that a parallel stretch has changed from `base` to `last`. Several workers ask.
    fn taken_over(key: V::Key, base: &Option<V::Value>, last: Option<V::Value>) -> Self::TakenOver;

    /// Takes over what a parallel stretch that was given up has changed, in no order. The block waits for it: what was
    /// executed in parallel may be most of it, and what is left little.
    ///
    /// # Errors
    /// [`BlockError`] where that needs the storage, and the storage fails. As above, the block has no result then.
    fn take_over(&mut self, changes: Vec<Self::TakenOver>) -> Result<(), BlockError>;
}

/// The state as the earlier stretches of the block have left it.
pub(crate) struct Layered<'s, V, B, R> {
    fallback: &'s B,
    reader: &'s R,
    machine: PhantomData<fn() -> V>,
}

impl<'s, V: Vm, B: Fallback<V>, R> Layered<'s, V, B, R> {
    pub(crate) fn new(fallback: &'s B, reader: &'s R) -> Self {
        Self { fallback, reader, machine: PhantomData }
    }
}

impl<V: Vm, B: Fallback<V>, R: StateReader<V::Key, V::Value>> StateReader<V::Key, V::Value> for Layered<'_, V, B, R> {
    fn read(&self, key: &V::Key) -> Result<Option<V::Value>, StorageError> {
        match self.fallback.current(key) {
            Some(current) => Ok(current),
            None => self.reader.read(key),
        }
    }
}
