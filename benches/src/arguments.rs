//! What arguments the programs take: a number that makes no sense is refused before anything is measured.

use clap::builder::RangedU64ValueParser;

/// Takes numbers of threads: none is nobody, and more than any machine has cores would only fail to start.
#[must_use]
pub fn threads() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..=1024)
}

/// As [`threads`], or none.
#[must_use]
pub fn threads_or_none() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(0..=1024)
}

/// Takes numbers of things of which there has to be one at least, up to a million.
#[must_use]
pub fn at_least_one() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..=1_000_000)
}
