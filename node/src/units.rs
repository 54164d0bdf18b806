//! How many transactions a unit of speculation holds, by what the block holds.

use weft_ledger::SignedTransaction;
use weft_ledger::wire::Payload;

/// Transactions of a unit of speculation that suit blocks of transfers: a transfer is executed in less time than a
/// unit's bookkeeping takes.
pub const UNIT_LENGTH: usize = 8;

/// Transactions of a unit that suit blocks of contract calls.
///
/// A call takes microseconds, so that bookkeeping counts less than for a transfer; and a unit that has to be repeated
/// repeats all its calls, and one that touches a hot key holds up everybody behind it for all of them. Pairs still save
/// more than they cost: token transfers and swaps went from 1.2 to 1.3 times sequential on two cores, and units of 8 lost
/// half of that again where few accounts were hot.
pub const CALL_UNIT_LENGTH: usize = 2;

/// Up to this length units grow while a block runs, where its transactions are cheap and do not conflict.
pub const LONGEST_UNIT: usize = 64;

/// A block with more than one contract call among so many transactions is one of contract calls.
const CALLS_ONE_IN: usize = 20;

/// The length of units that suits a block: [`CALL_UNIT_LENGTH`] where more than 5 % of the transactions call a contract,
/// else [`UNIT_LENGTH`]: a few calls among transfers cost less than short units would cost the transfers.
#[must_use]
pub fn unit_length_of(transactions: &[SignedTransaction]) -> usize {
    let calls = transactions.iter().filter(|signed| matches!(signed.transaction().payload, Payload::InvokeContract(_)));
    if calls.count() * CALLS_ONE_IN > transactions.len() { CALL_UNIT_LENGTH } else { UNIT_LENGTH }
}
