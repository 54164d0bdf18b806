//! The ledger's bytes in a database.

use weft_ledger::state::{Key, Value, decode_key, decode_value, encode_key, encode_value};
use weft_storage::{StateCodec, StorageError};

/// What the database is told to hold: opened with another one it refuses.
pub const SCHEMA: &str = "tos-ledger/1";

/// Stores the ledger's keys and values as the ledger encodes them; the order of keys is kept.
#[derive(Debug, Clone, Copy)]
pub struct LedgerCodec;

impl StateCodec<Key, Value> for LedgerCodec {
    fn encode_key(key: &Key, out: &mut Vec<u8>) {
        encode_key(key, out);
    }

    fn decode_key(bytes: &[u8]) -> Result<Key, StorageError> {
        decode_key(bytes).map_err(|error| StorageError::corrupt("a state key", error.to_string()))
    }

    fn encode_value(value: &Value, out: &mut Vec<u8>) {
        encode_value(value, out);
    }

    fn decode_value(bytes: &[u8]) -> Result<Value, StorageError> {
        decode_value(bytes).map_err(|error| StorageError::corrupt("a state value", error.to_string()))
    }
}
