//! States that cannot be read, or not without a panic.

use std::sync::Once;

use weft_ledger::state::{Key, Value};
use weft_storage::{StateReader, StorageError};

use super::State;

/// A state of which one key cannot be read.
pub(crate) struct Broken(pub(crate) State, pub(crate) Key);

impl StateReader<Key, Value> for Broken {
    fn read(&self, key: &Key) -> Result<Option<Value>, StorageError> {
        if *key == self.1 {
            return Err(StorageError::corrupt("that key", "broken"));
        }
        Ok(self.0.get(key).cloned())
    }
}

const PROVOKED: &str = "provoked by a test";

/// A state that panics where one key is read.
pub(crate) struct Panicking(pub(crate) State, pub(crate) Key);

impl Panicking {
    pub(crate) fn new(state: State, key: Key) -> Self {
        // The default hook would print each of them, also those that only speculation meets.
        static QUIET: Once = Once::new();
        QUIET.call_once(|| {
            let loud = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                let message = panic.payload().downcast_ref::<&str>();
                if message.is_none_or(|message| !message.contains(PROVOKED)) {
                    loud(panic);
                }
            }));
        });
        Self(state, key)
    }
}

impl StateReader<Key, Value> for Panicking {
    fn read(&self, key: &Key) -> Result<Option<Value>, StorageError> {
        assert!(*key != self.1, "provoked by a test");
        Ok(self.0.get(key).cloned())
    }
}
