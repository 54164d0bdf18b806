//! What suits a block, as far as its transactions show: whether to divide it at all, and into units of what length.

use alloy_primitives::Address;
use revm::context::{CfgEnv, TxEnv};

use crate::assumed::shows_its_sender;

/// A mere transfer is executed in less time than a unit's bookkeeping takes.
const TRANSFERS: usize = 16;

/// A call takes microseconds. What a unit reads that was stale costs the execution of all its transactions.
const CALLS: usize = 1;

/// A block with more than one call among so many transactions is one of calls.
const CALLS_ONE_IN: usize = 20;

/// What there is to gain of a mere transfer, in nanoseconds: a third of what it takes. The rest is what it takes longer in parallel.
const TRANSFER_TIME: u64 = 250;

/// Of a call's gas limit, which is all that shows of its length: so much for every nanosecond that it takes, about. (Beside that
/// its bookkeeping does not matter.)
const CALL_GAS: u64 = 10;

/// Waking a worker and handing it something takes some ten microseconds, and so does collecting what it has done. A block
/// with so many nanoseconds to gain from does not get them back.
const SHORT_TIME: u64 = 550_000;

/// Whether a block is executed faster than it could be divided.
pub(crate) fn is_short(transactions: &[TxEnv]) -> bool {
    let mut time = 0_u64;
    for transaction in transactions {
        time += if is_transfer(transaction) { TRANSFER_TIME } else { transaction.gas_limit / CALL_GAS };
        if time >= SHORT_TIME {
            return false;
        }
    }
    true
}

/// Of a block's transactions, in percent: if one sender has sent so many, they are a chain that leaves too little beside
/// it. What is executed in parallel takes a third longer.
const CHAIN_PERCENT: usize = 60;

/// Whether most of the block is the transactions of one sender that can only follow each other: calls, which most likely meet
/// what those before them have changed, and whatever has to [wait](crate::assumed) for the sender's nonce.
pub(crate) fn is_chain(transactions: &[TxEnv], cfg: &CfgEnv) -> bool {
    // Whoever sends more than half is what is left when different senders cancel each other out.
    let mut candidate = Address::ZERO;
    let mut lead = 0_usize;
    for transaction in transactions {
        if lead == 0 {
            candidate = transaction.caller;
        }
        if candidate == transaction.caller {
            lead += 1;
        } else {
            lead -= 1;
        }
    }
    if lead == 0 {
        return false;
    }
    let waits = |transaction: &&TxEnv| !is_transfer(transaction) || !shows_its_sender(transaction, cfg);
    let sent = transactions.iter().filter(|transaction| transaction.caller == candidate).filter(waits).count();
    sent * 100 > transactions.len() * CHAIN_PERCENT
}

/// The length of units that suits a block.
pub(crate) fn unit_length_of(transactions: &[TxEnv]) -> usize {
    let calls = transactions.iter().filter(|transaction| !is_transfer(transaction)).count();
    if calls * CALLS_ONE_IN > transactions.len() { CALLS } else { TRANSFERS }
}

/// Whether a transaction does no more than move ether, as far as it shows.
fn is_transfer(transaction: &TxEnv) -> bool {
    transaction.data.is_empty() && transaction.kind.is_call()
}

#[cfg(test)]
mod tests {
    use alloy_primitives::{Bytes, U256};
    use revm::primitives::TxKind;
    use revm::primitives::hardfork::SpecId;

    use super::*;

    /// A payment by one of as many as there are numbers.
    fn transfer(sender: u8) -> TxEnv {
        let (caller, kind) = (Address::repeat_byte(sender), TxKind::Call(Address::repeat_byte(0xee)));
        TxEnv { caller, kind, value: U256::from(1), ..TxEnv::default() }
    }

    fn call(sender: u8, gas_limit: u64) -> TxEnv {
        TxEnv { data: Bytes::from_static(&[1]), gas_limit, ..transfer(sender) }
    }

    #[test]
    fn a_block_is_short_by_what_there_is_to_gain() {
        assert!(is_short(&[]));
        assert!(is_short(&vec![transfer(1); 2_100]));
        assert!(!is_short(&vec![transfer(1); 2_200]));
        assert!(is_short(&vec![call(1, 100_000); 50]));
        assert!(!is_short(&vec![call(1, 100_000); 60]), "six million gas");
        let both = [vec![transfer(1); 1_000], vec![call(1, 100_000); 35]].concat();
        assert!(!is_short(&both), "together");
    }

    #[test]
    fn calls_of_one_sender_are_a_chain_and_his_payments_are_not() {
        let mut cfg = CfgEnv::default();
        cfg.set_spec_and_mainnet_gas_params(SpecId::CANCUN);
        let of_one = |count: u8| (0..10).map(|at| call(if at < count { 0 } else { at }, 0)).collect::<Vec<_>>();
        assert!(is_chain(&of_one(7), &cfg));
        assert!(!is_chain(&of_one(6), &cfg), "no more than 60 %");
        assert!(!is_chain(&[], &cfg));
        assert!(!is_chain(&vec![transfer(1); 10], &cfg), "nobody has to wait");
        cfg.set_spec_and_mainnet_gas_params(SpecId::HOMESTEAD);
        assert!(is_chain(&vec![transfer(1); 10], &cfg), "everybody waits for the sender's nonce");
    }

    #[test]
    fn units_are_long_where_hardly_anything_is_called() {
        let with_calls = |calls: usize| [vec![transfer(1); 100 - calls], vec![call(1, 0); calls]].concat();
        assert_eq!(
            [0, 5, 6, 100].map(|calls| unit_length_of(&with_calls(calls))),
            [TRANSFERS, TRANSFERS, CALLS, CALLS]
        );
    }
}
