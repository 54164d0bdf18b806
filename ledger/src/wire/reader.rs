//! Reads the wire primitives (spec 2.1). Every failure names the byte offset at which it was found.

use thiserror::Error;

/// Why bytes do not decode. All of these are error 0x0100 to the ledger (spec 2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DecodeReason {
    /// The input ends inside a field.
    #[error("{needed} more bytes are needed, {left} are left")]
    TooShort {
        /// Size of the field, in bytes.
        needed: usize,
        /// What is left of the input, in bytes.
        left: usize,
    },
    /// Bytes follow the last field.
    #[error("{0} bytes follow the end")]
    Trailing(usize),
    /// A bool that is neither 0 nor 1.
    #[error("{0} is not a bool")]
    BadBool(u8),
    /// The version is not 1.
    #[error("version {0} is not known")]
    Version(u8),
    /// The type opcode is not assigned.
    #[error("opcode {0} is not assigned")]
    Opcode(u8),
    /// A tag outside its enumeration.
    #[error("{value} is not a {what}")]
    BadTag {
        /// The enumeration.
        what: &'static str,
        /// The tag found.
        value: u8,
    },
    /// A count or length outside its limits.
    #[error("{value} {what}: outside the limits")]
    Limit {
        /// What is counted.
        what: &'static str,
        /// The number found.
        value: u64,
    },
    /// An entry that may not occur twice.
    #[error("the {0} occurs twice")]
    Repeated(&'static str),
    /// A text that is not UTF-8.
    #[error("the text is not UTF-8")]
    Utf8,
    /// A scalar that is not below the group order (spec 1.3).
    #[error("the scalar is not canonical")]
    Scalar,
    /// A module without the ELF magic (spec 2.4.5).
    #[error("the module has no ELF header")]
    Module,
    /// The bounds of a range are not numbers of one type (spec 2.4.7).
    #[error("the bounds of the range are not two numbers of one type")]
    Range,
    /// Cells nested too deeply (spec 2.4.7).
    #[error("cells are nested too deeply")]
    Depth,
}

/// A decoding failure and where it was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("byte {offset}: {reason}")]
pub struct DecodeError {
    /// Offset in bytes from the start of the input.
    pub offset: usize,
    /// What is wrong there.
    pub reason: DecodeReason,
}

/// A cursor over untrusted bytes.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Reader<'a> {
    /// Starts at the first byte.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, offset: 0 }
    }

    /// Bytes read so far.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.offset
    }

    /// Bytes left.
    #[must_use]
    pub const fn remaining(&self) -> usize {
        self.bytes.len() - self.offset
    }

    /// The bytes from `start` up to the cursor; empty if `start` lies behind it.
    #[must_use]
    pub fn since(&self, start: usize) -> &'a [u8] {
        self.bytes.get(start..self.offset).unwrap_or_default()
    }

    /// An error at `offset`.
    #[must_use]
    pub const fn error_at(&self, offset: usize, reason: DecodeReason) -> DecodeError {
        DecodeError { offset, reason }
    }

    /// How many entries of at least `entry` bytes can follow: the only safe bound for reserving memory.
    #[must_use]
    pub fn capacity(&self, count: usize, entry: usize) -> usize {
        count.min(self.remaining() / entry.max(1))
    }

    /// The next `count` bytes.
    ///
    /// # Errors
    /// [`DecodeReason::TooShort`].
    pub fn bytes(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        match self.bytes[self.offset..].get(..count) {
            Some(taken) => {
                self.offset += count;
                Ok(taken)
            }
            None => Err(self.error_at(self.offset, DecodeReason::TooShort { needed: count, left: self.remaining() })),
        }
    }

    /// The next `N` bytes.
    ///
    /// # Errors
    /// [`DecodeReason::TooShort`].
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let mut array = [0; N];
        array.copy_from_slice(self.bytes(N)?);
        Ok(array)
    }

    /// One byte.
    ///
    /// # Errors
    /// [`DecodeReason::TooShort`].
    pub fn u8(&mut self) -> Result<u8, DecodeError> {
        Ok(self.array::<1>()?[0])
    }

    /// A big-endian `u16`.
    ///
    /// # Errors
    /// [`DecodeReason::TooShort`].
    pub fn u16(&mut self) -> Result<u16, DecodeError> {
        self.array().map(u16::from_be_bytes)
    }

    /// A big-endian `u32`.
    ///
    /// # Errors
    /// [`DecodeReason::TooShort`].
    pub fn u32(&mut self) -> Result<u32, DecodeError> {
        self.array().map(u32::from_be_bytes)
    }

    /// A big-endian `u64`.
    ///
    /// # Errors
    /// [`DecodeReason::TooShort`].
    pub fn u64(&mut self) -> Result<u64, DecodeError> {
        self.array().map(u64::from_be_bytes)
    }

    /// A bool: one byte, 0 or 1 and nothing else.
    ///
    /// # Errors
    /// [`DecodeReason::TooShort`], [`DecodeReason::BadBool`].
    pub fn bool(&mut self) -> Result<bool, DecodeError> {
        let offset = self.offset;
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(self.error_at(offset, DecodeReason::BadBool(other))),
        }
    }

    /// An optional field: a bool, then the field if it is 1.
    ///
    /// # Errors
    /// Those of [`Reader::bool`] and of `read`.
    pub fn option<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Option<T>, DecodeError> {
        if self.bool()? { read(self).map(Some) } else { Ok(None) }
    }

    /// Requires that nothing is left.
    ///
    /// # Errors
    /// [`DecodeReason::Trailing`].
    pub const fn finish(self) -> Result<(), DecodeError> {
        match self.remaining() {
            0 => Ok(()),
            left => Err(DecodeError { offset: self.offset, reason: DecodeReason::Trailing(left) }),
        }
    }
}
