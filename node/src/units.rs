//! How many transactions a unit of speculation holds, by what the block holds.

use weft_ledger::SignedTransaction;
use weft_ledger::wire::Payload;

/// Transactions of a unit of speculation that suit blocks of transfers: a transfer is executed in less time than a
/// unit's bookkeeping takes.
pub const UNIT_LENGTH: usize = 8;

/// In a block with more than one contract call among so many transactions every transaction is a unit.
const CALLS_ONE_IN: usize = 20;

/// The length of units that suits a block: 1 where more than 5 % of the transactions call a contract, else
/// [`UNIT_LENGTH`].
///
/// A call takes microseconds, so that its bookkeeping hardly counts; but a unit that has to be repeated repeats all its
/// calls, and a unit that touches a hot key holds up everybody behind it for all of them. A few calls among transfers
/// cost less than units of one would cost the transfers.
#[must_use]
pub fn unit_length_of(transactions: &[SignedTransaction]) -> usize {
    let calls = transactions.iter().filter(|signed| matches!(signed.transaction().payload, Payload::InvokeContract(_)));
    if calls.count() * CALLS_ONE_IN > transactions.len() { 1 } else { UNIT_LENGTH }
}
