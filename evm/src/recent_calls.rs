//! Whom senders have called last. Who calls a contract again most likely meets what he has changed there before, his balance
//! of a token above all, and had better wait for it, though [nothing else](crate::assumed) makes him wait.
//!
//! A hint: what is forgotten, or taken for another sender's, costs time.

use std::sync::atomic::{AtomicU64, Ordering};

use alloy_primitives::Address;

/// Senders that are remembered. A power of two.
const PLACES: usize = 1024;

/// The last calls of each sender: of those in a row that go to one contract, the first.
#[derive(Debug)]
pub(crate) struct RecentCalls {
    /// Of sender, contract and nonce so many bits as there is room for.
    firsts: Box<[AtomicU64]>,
}

const NONCE_BITS: u32 = 16;

impl RecentCalls {
    pub(crate) fn new() -> Self {
        Self { firsts: (0..PLACES).map(|_| AtomicU64::new(u64::MAX)).collect() }
    }

    /// Whether the call of `callee` by `caller`, with this nonce, follows another one. The same call may be asked about
    /// several times, by who looks ahead.
    pub(crate) fn repeats(&self, caller: Address, callee: Address, nonce: u64) -> bool {
        // Addresses are hashes: any bytes of them will do.
        let [.., a, b, c] = caller.into_array();
        let [.., d, e, f] = callee.into_array();
        let ends = u64::from_be_bytes([0, 0, a, b, c, d, e, f]);
        let call = ends << NONCE_BITS | nonce & ((1 << NONCE_BITS) - 1);
        let first = &self.firsts[usize::from(u16::from_be_bytes([b, c])) % PLACES];
        // Relaxed: nothing else hangs on it.
        let known = first.load(Ordering::Relaxed);
        if known >> NONCE_BITS == ends {
            return known != call;
        }
        first.store(call, Ordering::Relaxed);
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_calls_the_same_contract_again_is_recognised() {
        let [alice, bob] = [1, 2].map(Address::with_last_byte);
        let [token, pool] = [11, 12].map(Address::with_last_byte);
        let calls = RecentCalls::new();
        let made = [
            ((alice, token, 5), false),
            ((bob, token, 0), false),
            ((alice, token, 6), true),
            ((alice, token, 7), true),
            ((alice, pool, 8), false),
            ((alice, pool, 9), true),
            ((alice, token, 10), false),
            ((bob, token, 1), true),
        ];
        for ((caller, callee, nonce), repeats) in made {
            // Whoever looks ahead asks first.
            for _ in 0..2 {
                assert_eq!(calls.repeats(caller, callee, nonce), repeats, "{nonce}");
            }
        }
    }
}
