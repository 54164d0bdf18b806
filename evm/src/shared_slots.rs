//! Which slots all calls of one kind change: learnt from those that were executed, announced for those that were not.
//!
//! Swaps in one pool can only follow each other, but nothing in a transaction says so before it is executed. A unit that
//! is begun too early reads what the swap before it is about to change: its execution is in vain, and takes as long as
//! any. So the block learns. Calls of one *kind* have the callee and the first four bytes of their data in common; where
//! several of one kind, by different senders, have all changed one slot, the next one is taken to change it as well, and
//! says so in its [footprint](weft_engine::Vm::footprint): it waits for the one before it. Token transfers have no such
//! slot, and are asked a few times only.
//!
//! All of it is a hint. What is wrong costs time, and is forgotten where it is wrong too often.

use std::sync::atomic::{AtomicU64, Ordering};

use alloy_primitives::{Address, U256};
use parking_lot::Mutex;
use revm::context::TxEnv;
use revm::primitives::TxKind;
use revm::state::EvmState;

/// Kinds of calls that a block can learn about. A power of two. Where two have one place, it is the first one's.
const PLACES: usize = 256;

/// Slots of a call that are remembered: a call that changes more is seldom one of a chain.
const SLOTS: usize = 32;

/// Calls in a row that must have changed a slot before it is announced.
const ENOUGH: u32 = 3;
/// Calls that are looked at without finding a slot; then the kind has none.
const PATIENCE: u32 = 16;

/// What an announcement that comes true counts for, what one that does not, and how much is remembered of those that
/// did: with more than one of five wrong in the long run the kind is given up.
const TRUE: i32 = 1;
const FALSE: i32 = 4;
const MOST_TRUST: i32 = 16;

/// What is known of a kind, in the lowest bits of its place's tag.
const LOOKED_AT: u64 = 0;
const SHARED: u64 = 1;
const GIVEN_UP: u64 = 2;
const STATE: u64 = 3;

type Slot = (Address, U256);

/// What a block has learnt about calls.
#[derive(Debug)]
pub(crate) struct SharedSlots {
    places: Box<[Place]>,
}

#[derive(Debug, Default)]
struct Place {
    /// Which kind it is about, and what is known; 0: none. Relaxed throughout: everything else is under the lock, and
    /// who sees an old state looks once too often, or announces what is not announced any more.
    tag: AtomicU64,
    seen: Mutex<Seen>,
}

/// The calls of one kind so far.
#[derive(Debug, Default)]
struct Seen {
    /// What all calls of the current row have changed; once a slot is announced, that alone.
    slots: Vec<Slot>,
    /// Who has sent the last call.
    caller: Address,
    /// Calls of the row.
    row: u32,
    looked_at: u32,
    trust: i32,
}

impl SharedSlots {
    pub(crate) fn new() -> Self {
        Self { places: (0..PLACES).map(|_| Place::default()).collect() }
    }

    /// A slot that `transaction` is going to change, as far as others of its kind show.
    pub(crate) fn expected(&self, transaction: &TxEnv) -> Option<Slot> {
        let tag = kind_of(transaction)?;
        let place = self.place(tag);
        (place.tag.load(Ordering::Relaxed) == tag | SHARED).then(|| place.seen.lock().slots.first().copied()).flatten()
    }

    /// `transaction` was executed and leaves `state` in its journal.
    pub(crate) fn learn(&self, transaction: &TxEnv, state: &EvmState) {
        let Some(tag) = kind_of(transaction) else { return };
        let place = self.place(tag);
        let known = place.tag.load(Ordering::Relaxed);
        if known == 0 {
            if place.tag.compare_exchange(0, tag, Ordering::Relaxed, Ordering::Relaxed).is_err() {
                return;
            }
        } else if known & !STATE != tag || known & STATE == GIVEN_UP {
            return;
        }
        // Somebody else who learns about the same kind just now is enough.
        let Some(mut seen) = place.seen.try_lock() else { return };
        let next = match place.tag.load(Ordering::Relaxed) & STATE {
            LOOKED_AT => seen.look_at(transaction.caller, state),
            SHARED => seen.check(state),
            _ => return,
        };
        place.tag.store(tag | next, Ordering::Relaxed);
    }

    fn place(&self, tag: u64) -> &Place {
        &self.places[(tag >> 32) as usize % PLACES]
    }
}

impl Seen {
    /// Looks for a slot that all calls change. Gives what is known then.
    fn look_at(&mut self, caller: Address, state: &EvmState) -> u64 {
        self.looked_at += 1;
        if self.row > 0 && self.caller == caller {
            // What one sender changes again and again is his.
            return if self.looked_at > PATIENCE { GIVEN_UP } else { LOOKED_AT };
        }
        self.caller = caller;
        if self.row > 0 {
            self.slots.retain(|slot| is_changed(state, slot));
        }
        if self.slots.is_empty() {
            self.slots.extend(changed(state).take(SLOTS));
            self.row = 0;
        }
        self.row += 1;
        if self.row >= ENOUGH && !self.slots.is_empty() {
            // The same one for all kinds that share it, as far as possible.
            self.slots.sort_unstable();
            self.slots.truncate(1);
            self.trust = MOST_TRUST / 2;
            return SHARED;
        }
        if self.looked_at > PATIENCE { GIVEN_UP } else { LOOKED_AT }
    }

    /// Compares a call with what was announced for it.
    fn check(&mut self, state: &EvmState) -> u64 {
        let is_true = self.slots.iter().all(|slot| is_changed(state, slot));
        self.trust = if is_true { (self.trust + TRUE).min(MOST_TRUST) } else { self.trust - FALSE };
        if self.trust < 0 { GIVEN_UP } else { SHARED }
    }
}

/// A number for the callee and the function, which leaves the lowest bits free. `None` for what is not a call of a function.
fn kind_of(transaction: &TxEnv) -> Option<u64> {
    let TxKind::Call(to) = transaction.kind else { return None };
    let function = u32::from_le_bytes(*transaction.data.first_chunk()?);
    let [first, second] = [0, 8].map(|at| u64::from_le_bytes(std::array::from_fn(|byte| to[at + byte])));
    // Addresses are hashes already; kinds that meet by chance only learn from each other what is wrong.
    let mixed = (first ^ second.rotate_left(32) ^ u64::from(function)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    Some((mixed & !STATE).max(STATE + 1))
}

/// Slots of accounts that stay what they are: those of others are new ones each time.
fn changed(state: &EvmState) -> impl Iterator<Item = Slot> {
    let kept = state.iter().filter(|(_, account)| !account.is_created() && !account.is_selfdestructed());
    kept.flat_map(|(address, account)| {
        let slots = account.storage.iter().filter(|(_, value)| value.is_changed());
        slots.map(|(slot, _)| (*address, *slot))
    })
}

fn is_changed(state: &EvmState, (address, slot): &Slot) -> bool {
    state.get(address).and_then(|account| account.storage.get(slot)).is_some_and(|value| value.is_changed())
}

#[cfg(test)]
mod tests {
    use alloy_primitives::Bytes;
    use revm::state::{Account, EvmStorageSlot, TransactionId};

    use super::*;

    const POOL: Address = Address::repeat_byte(7);

    fn call(caller: u8, function: u8) -> TxEnv {
        let data = Bytes::from(vec![function; 4]);
        TxEnv { caller: Address::repeat_byte(caller), kind: TxKind::Call(POOL), data, ..TxEnv::default() }
    }

    /// The journal of a transaction that has changed these slots of the pool.
    fn journal(slots: &[u64]) -> EvmState {
        let mut account = Account::new_not_existing(TransactionId::ZERO);
        for slot in slots {
            let value = EvmStorageSlot::new_changed(U256::ZERO, U256::from(1), TransactionId::ZERO);
            account.storage.insert(U256::from(*slot), value);
        }
        EvmState::from_iter([(POOL, account)])
    }

    #[test]
    fn what_calls_of_one_kind_change_is_expected_of_the_next() {
        let shared = SharedSlots::new();
        for caller in 1..=3 {
            assert_eq!(shared.expected(&call(9, 1)), None);
            shared.learn(&call(caller, 1), &journal(&[10 + u64::from(caller), 5, 4]));
        }
        assert_eq!(shared.expected(&call(9, 1)), Some((POOL, U256::from(4))));
        assert_eq!(shared.expected(&call(9, 2)), None, "another function");
        let transfer = TxEnv { data: Bytes::new(), ..call(9, 1) };
        shared.learn(&transfer, &journal(&[]));
        assert_eq!(shared.expected(&transfer), None);
    }

    #[test]
    fn what_is_one_senders_or_nobodys_is_not_expected() {
        let shared = SharedSlots::new();
        for call_number in 0..100 {
            shared.learn(&call(1, 1), &journal(&[5]));
            shared.learn(&call(call_number, 2), &journal(&[u64::from(call_number)]));
        }
        assert_eq!([1, 2].map(|function| shared.expected(&call(9, function))), [None; 2]);
        (0..3).for_each(|caller| shared.learn(&call(caller, 2), &journal(&[5])));
        assert_eq!(shared.expected(&call(9, 2)), None, "it was given up");
    }

    #[test]
    fn what_is_wrong_too_often_is_forgotten() {
        let after = |is_true: fn(u8) -> bool| {
            let shared = SharedSlots::new();
            for caller in 0..200 {
                shared.learn(&call(caller, 1), &journal(&[if caller < 3 || is_true(caller) { 5 } else { 6 }]));
            }
            shared.expected(&call(9, 1))
        };
        assert_eq!(after(|caller| caller % 10 > 0), Some((POOL, U256::from(5))), "some transactions fail");
        assert_eq!(after(|caller| caller % 2 > 0), None);
    }
}
