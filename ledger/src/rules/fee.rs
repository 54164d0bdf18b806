//! The minimum fee (spec 4.3).

use crate::signed::SignedTransaction;
use crate::wire::Payload;

/// Atomic units for every started KiB of wire bytes.
pub const FEE_PER_KB: u64 = 10_000;
/// Atomic units for every entry of a transfers transaction.
pub const FEE_PER_TRANSFER: u64 = 5_000;
/// Atomic units for every multisig signature. The prose says 500; the code charges a transfer's fee (spec 4.3).
pub const FEE_PER_MULTISIG_SIGNATURE: u64 = 5_000;

/// The least TOS fee, in atomic units:
/// `ceil(wire_len / 1024) * 10000 + transfers * 5000 + multisig signatures * 5000`.
#[must_use]
pub fn required_fee(signed: &SignedTransaction) -> u64 {
    let transaction = signed.transaction();
    let transfers = match &transaction.payload {
        Payload::Transfers(entries) => entries.len() as u64,
        _ => 0,
    };
    let signatures = transaction.multisig.as_ref().map_or(0, |section| section.signatures.len() as u64);
    // Counts and lengths are bounded far below overflow by the wire format.
    (signed.wire_len() as u64).div_ceil(1024) * FEE_PER_KB
        + transfers * FEE_PER_TRANSFER
        + signatures * FEE_PER_MULTISIG_SIGNATURE
}
