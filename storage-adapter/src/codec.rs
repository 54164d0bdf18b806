//! How keys and values become bytes.
//!
//! Two traits, because of Rust's orphan rule: a crate that owns its types implements [`StorageCodec`] on them and is
//! done. A crate that joins foreign types to this store (a node, with its ledger's keys) implements [`StateCodec`] on a
//! marker type of its own and names that as the store's third parameter.

use crate::StorageError;

/// A type that can be stored.
///
/// - `decode(encode(x))` gives `x` back, for every `x`.
/// - **Keys**: the encodings of two keys compare, as byte strings, like the keys themselves. Integers are therefore
///   big-endian, signed ones with the sign bit flipped, and only the last field of a composite key may vary in length.
///   A store refuses a change set whose encoded keys do not ascend.
/// - Bytes that `encode` never produces are refused by `decode`: they may come from a damaged file.
pub trait StorageCodec: Sized {
    /// Appends the encoding to `out`, and leaves what is there alone.
    fn encode(&self, out: &mut Vec<u8>);

    /// Reads back what [`encode`](Self::encode) appended; `bytes` is exactly that.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`] when no value is encoded like this.
    fn decode(bytes: &[u8]) -> Result<Self, StorageError>;
}

/// Encodes the keys `K` and the values `V` of one store; see [`StorageCodec`] for what the bytes have to satisfy.
pub trait StateCodec<K, V>: 'static {
    /// Appends the encoding of `key` to `out`; the encodings compare like the keys.
    fn encode_key(key: &K, out: &mut Vec<u8>);

    /// Reads a key back.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`] when no key is encoded like this.
    fn decode_key(bytes: &[u8]) -> Result<K, StorageError>;

    /// Appends the encoding of `value` to `out`.
    fn encode_value(value: &V, out: &mut Vec<u8>);

    /// Reads a value back.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`] when no value is encoded like this.
    fn decode_value(bytes: &[u8]) -> Result<V, StorageError>;
}

/// The [`StateCodec`] of types that implement [`StorageCodec`] themselves.
#[derive(Debug, Clone, Copy)]
pub struct OwnCodec;

impl<K: StorageCodec, V: StorageCodec> StateCodec<K, V> for OwnCodec {
    fn encode_key(key: &K, out: &mut Vec<u8>) {
        key.encode(out);
    }

    fn decode_key(bytes: &[u8]) -> Result<K, StorageError> {
        K::decode(bytes)
    }

    fn encode_value(value: &V, out: &mut Vec<u8>) {
        value.encode(out);
    }

    fn decode_value(bytes: &[u8]) -> Result<V, StorageError> {
        V::decode(bytes)
    }
}

macro_rules! big_endian {
    ($($int:ty),*) => {$(
        /// Big-endian, so that the bytes compare like the numbers.
        impl StorageCodec for $int {
            fn encode(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_be_bytes());
            }

            fn decode(bytes: &[u8]) -> Result<Self, StorageError> {
                Ok(Self::from_be_bytes(exactly(stringify!($int), bytes)?))
            }
        }
    )*};
}

big_endian!(u8, u16, u32, u64, u128);

/// The bytes themselves.
impl<const N: usize> StorageCodec for [u8; N] {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }

    fn decode(bytes: &[u8]) -> Result<Self, StorageError> {
        exactly("byte array", bytes)
    }
}

/// The bytes themselves.
impl StorageCodec for Vec<u8> {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }

    fn decode(bytes: &[u8]) -> Result<Self, StorageError> {
        Ok(bytes.to_vec())
    }
}

/// UTF-8.
impl StorageCodec for String {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.as_bytes());
    }

    fn decode(bytes: &[u8]) -> Result<Self, StorageError> {
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(text.to_owned()),
            Err(error) => Err(StorageError::corrupt("string", error.to_string())),
        }
    }
}

fn exactly<const N: usize>(what: &str, bytes: &[u8]) -> Result<[u8; N], StorageError> {
    bytes.try_into().map_err(|_| StorageError::corrupt(what, format!("{} bytes instead of {N}", bytes.len())))
}
