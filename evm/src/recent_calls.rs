//! Whom senders have called last. Who calls a contract again most likely meets what he has changed there before, his balance
//! of a token above all, and had better wait for it, though [nothing else](crate::assumed) makes him wait.
//!
//! A hint: what is forgotten, or taken for another sender's, costs time.

use std::sync::atomic::{AtomicU32, Ordering};

use alloy_primitives::Address;

/// Senders that are remembered. A power of two.
const PLACES: usize = 1024;

/// The last call of each sender.
#[derive(Debug)]
pub(crate) struct RecentCalls {
    callees: Box<[AtomicU32]>,
}

impl RecentCalls {
    pub(crate) fn new() -> Self {
        Self { callees: (0..PLACES).map(|_| AtomicU32::new(0)).collect() }
    }

    /// Whether the last call that `caller` was seen to make was to the same contract.
    pub(crate) fn repeats(&self, caller: Address, callee: Address) -> bool {
        // Addresses are hashes: any bytes of them will do.
        let place = u16::from_be_bytes([caller[18], caller[19]]);
        let callee = u32::from_be_bytes([callee[16], callee[17], callee[18], callee[19]]);
        let last = &self.callees[usize::from(place) % PLACES];
        // Relaxed: nothing else hangs on it. Not written where nothing changes, so that workers do not take the line from
        // each other.
        let repeats = last.load(Ordering::Relaxed) == callee;
        if !repeats {
            last.store(callee, Ordering::Relaxed);
        }
        repeats
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
        let made = [(alice, token), (bob, token), (alice, token), (alice, pool), (alice, token), (bob, token)];
        let repeats = made.map(|(caller, callee)| calls.repeats(caller, callee));
        assert_eq!(repeats, [false, false, true, false, false, true]);
    }
}
