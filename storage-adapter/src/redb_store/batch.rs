//! A change set as bytes, ready to be written.
//!
//! Guarantees that the encoded keys ascend strictly: redb then inserts leaf by leaf, and a codec that does not preserve
//! the keys' order is found out before anything is written.

use crate::{StateCodec, StorageError};

/// Encoded changes. All bytes stand in one buffer: one allocation that grows, not two for every change.
pub(super) struct Batch {
    bytes: Vec<u8>,
    ends: Vec<Ends>,
}

/// Where one change ends in the buffer; it starts where the one before it ends.
struct Ends {
    key: usize,
    // None for a deletion.
    value: Option<usize>,
}

impl Batch {
    /// Encodes the changes of block `number`.
    pub(super) fn encode<'a, K: 'a, V: 'a, C: StateCodec<K, V>>(
        number: u64,
        changes: impl ExactSizeIterator<Item = (&'a K, Option<&'a V>)>,
    ) -> Result<Self, StorageError> {
        // A guess that holds for small records; a wrong one costs a few moves of the buffer.
        let mut bytes = Vec::with_capacity(changes.len().saturating_mul(96));
        let mut ends = Vec::with_capacity(changes.len());
        let mut previous: Option<(usize, usize)> = None;
        for (index, (key, value)) in changes.enumerate() {
            let start = bytes.len();
            C::encode_key(key, &mut bytes);
            let key_end = bytes.len();
            if previous.is_some_and(|(from, to)| bytes[from..to] >= bytes[start..key_end]) {
                return Err(StorageError::Unsorted { number, index });
            }
            previous = Some((start, key_end));
            let value = value.map(|value| {
                C::encode_value(value, &mut bytes);
                bytes.len()
            });
            ends.push(Ends { key: key_end, value });
        }
        Ok(Self { bytes, ends })
    }

    /// Keys in ascending order, each with its new value or `None` for a deletion.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
        let mut start = 0;
        self.ends.iter().map(move |ends| {
            let key = &self.bytes[start..ends.key];
            let value = ends.value.map(|end| &self.bytes[ends.key..end]);
            start = ends.value.unwrap_or(ends.key);
            (key, value)
        })
    }
}
