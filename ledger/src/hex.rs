//! Hexadecimal text by the entry rules of spec 2.5: an even number of `[0-9a-fA-F]`, no prefix, no inner blanks.

use thiserror::Error;

/// Why a text is not hexadecimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum HexError {
    /// A half byte at the end.
    #[error("odd number of hex digits ({digits})")]
    OddLength {
        /// How many digits there are.
        digits: usize,
    },
    /// Something else than a hex digit.
    #[error("not a hex digit at position {position}")]
    BadDigit {
        /// The byte position in the trimmed text.
        position: usize,
    },
    /// A fixed-size field of another size.
    #[error("{actual} bytes where {expected} are needed")]
    Length {
        /// The size of the field in bytes.
        expected: usize,
        /// The size of the text in bytes.
        actual: usize,
    },
}

fn digit(byte: u8, position: usize) -> Result<u8, HexError> {
    match byte {
        b'0'..=b'9' => Ok(byte - b'0'),
        b'a'..=b'f' => Ok(byte - b'a' + 10),
        b'A'..=b'F' => Ok(byte - b'A' + 10),
        _ => Err(HexError::BadDigit { position }),
    }
}

/// The bytes that `text` spells. Blanks around it are dropped, as the daemon does; blanks inside are an error.
///
/// # Errors
/// [`HexError::BadDigit`] before [`HexError::OddLength`]: a prefix such as `0x` is named as what it is.
pub fn decode(text: &str) -> Result<Vec<u8>, HexError> {
    let digits = text.trim_matches([' ', '\t', '\r', '\n']).as_bytes();
    let mut bytes = Vec::with_capacity(digits.len() / 2);
    let mut high = None;
    for (position, &byte) in digits.iter().enumerate() {
        let value = digit(byte, position)?;
        match high.take() {
            None => high = Some(value),
            Some(upper) => bytes.push(upper << 4 | value),
        }
    }
    if high.is_some() {
        return Err(HexError::OddLength { digits: digits.len() });
    }
    Ok(bytes)
}

/// Like [`decode`], for a field of exactly `N` bytes.
///
/// # Errors
/// As [`decode`], and [`HexError::Length`].
pub fn decode_array<const N: usize>(text: &str) -> Result<[u8; N], HexError> {
    let bytes = decode(text)?;
    <[u8; N]>::try_from(bytes.as_slice()).map_err(|_| HexError::Length { expected: N, actual: bytes.len() })
}

/// `bytes` in lower-case hex.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(DIGITS[usize::from(byte >> 4)] as char);
        text.push(DIGITS[usize::from(byte & 15)] as char);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_cases_and_outer_blanks_are_read() {
        assert_eq!(decode(" 00fFA1\n"), Ok(vec![0, 0xff, 0xa1]));
        assert_eq!(encode(&[0, 0xff, 0xa1]), "00ffa1");
        assert_eq!(decode(""), Ok(vec![]));
    }

    #[test]
    fn prefix_blank_letter_and_odd_length_are_refused() {
        assert_eq!(decode("0x12"), Err(HexError::BadDigit { position: 1 }));
        assert_eq!(decode("0X12"), Err(HexError::BadDigit { position: 1 }));
        assert_eq!(decode("12 34"), Err(HexError::BadDigit { position: 2 }));
        assert_eq!(decode("zz"), Err(HexError::BadDigit { position: 0 }));
        assert_eq!(decode("é0"), Err(HexError::BadDigit { position: 0 }));
        assert_eq!(decode("123"), Err(HexError::OddLength { digits: 3 }));
        assert_eq!(decode_array::<2>("123456"), Err(HexError::Length { expected: 2, actual: 3 }));
    }
}
