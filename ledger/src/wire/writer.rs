//! Writes the wire primitives (spec 2.1).

use thiserror::Error;

/// A structure that the wire format cannot carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum EncodeError {
    /// A count or length above what its field or its limit allows.
    #[error("{value} {what}: the wire format carries {max}")]
    TooMany {
        /// What is counted.
        what: &'static str,
        /// The number given.
        value: usize,
        /// The largest number allowed.
        max: usize,
    },
    /// A list that may not be empty.
    #[error("no {0}: the wire format needs at least one")]
    Empty(&'static str),
    /// A field that has no place beside another.
    #[error("{0}")]
    Contradiction(&'static str),
}

/// Checks a length against what its field carries.
///
/// # Errors
/// [`EncodeError::TooMany`].
pub(crate) const fn limit(what: &'static str, value: usize, max: usize) -> Result<usize, EncodeError> {
    if value > max { Err(EncodeError::TooMany { what, value, max }) } else { Ok(value) }
}

/// Appends wire primitives to a buffer. All integers are big-endian.
#[derive(Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// An empty buffer with room for `capacity` bytes.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self { bytes: Vec::with_capacity(capacity) }
    }

    /// Bytes written so far.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing has been written.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The buffer.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Raw bytes.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// One byte.
    pub fn u8(&mut self, value: u8) {
        self.bytes.push(value);
    }

    /// A `u16`.
    pub fn u16(&mut self, value: u16) {
        self.bytes(&value.to_be_bytes());
    }

    /// A `u32`.
    pub fn u32(&mut self, value: u32) {
        self.bytes(&value.to_be_bytes());
    }

    /// A `u64`.
    pub fn u64(&mut self, value: u64) {
        self.bytes(&value.to_be_bytes());
    }

    /// A bool: 0 or 1.
    pub fn bool(&mut self, value: bool) {
        self.u8(u8::from(value));
    }

    /// A length as one byte.
    ///
    /// # Errors
    /// [`EncodeError::TooMany`] above 255.
    pub fn len_u8(&mut self, what: &'static str, value: usize) -> Result<(), EncodeError> {
        limit(what, value, 0xff).map(|value| self.u8(value as u8))
    }

    /// A length as `u16`.
    ///
    /// # Errors
    /// [`EncodeError::TooMany`] above 65535.
    pub fn len_u16(&mut self, what: &'static str, value: usize) -> Result<(), EncodeError> {
        limit(what, value, 0xffff).map(|value| self.u16(value as u16))
    }
}
