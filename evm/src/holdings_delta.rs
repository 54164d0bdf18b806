//! What a transaction does to balance and nonce of an account that it has not looked at.

use alloy_primitives::U256;

use crate::canary::Canary;
use crate::state::Holdings;

/// A change of [`Holdings`] that conflicts with no other: a payment to the account, or transactions that it has sent, which it
/// can send only if its nonce is theirs and its balance is enough. Whether that is so shows when everything before is known.
///
/// (In words of 8 bytes: one of 16 would be aligned to 16, and all that is kept under a key would be larger.)
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HoldingsDelta {
    /// Wei that the account must have at least, an `u128`.
    needed: [u64; 2],
    /// Wei that it has more afterwards, an `i128`.
    gained: [u64; 2],
    /// The nonce that the account must have, above [`SENT_BITS`] bits with the number of transactions that it sends. Where it
    /// sends none its nonce does not matter.
    sent: u64,
}

const SENT_BITS: u32 = 16;

fn halves(number: u128) -> [u64; 2] {
    [number as u64, (number >> 64) as u64]
}

fn whole([low, high]: [u64; 2]) -> u128 {
    u128::from(high) << 64 | u128::from(low)
}

impl HoldingsDelta {
    /// A payment of `amount` wei. `None` for more than there could ever be.
    pub(crate) fn credit(amount: U256) -> Option<Self> {
        let gained = i128::try_from(amount).ok()?;
        Some(Self { needed: [0; 2], gained: halves(gained as u128), sent: 0 })
    }

    /// What makes `after` of an account that has exactly `least`, and of one with a higher balance as much more.
    /// `None` for numbers that do not occur.
    pub(crate) fn from_least(least: Holdings, after: Holdings) -> Option<Self> {
        let needed = u128::try_from(least.balance).ok()?;
        let gained = i128::try_from(after.balance).ok()?.checked_sub(i128::try_from(needed).ok()?)?;
        Self::new(needed, gained, least.nonce, after.nonce.checked_sub(least.nonce)?)
    }

    fn new(needed: u128, gained: i128, nonce: u64, sent: u64) -> Option<Self> {
        let is_usual = nonce < 1 << (u64::BITS - SENT_BITS) && sent < 1 << SENT_BITS;
        let sent = if sent == 0 { 0 } else { nonce << SENT_BITS | sent };
        is_usual.then(|| Self { needed: halves(needed), gained: halves(gained as u128), sent })
    }

    fn needed(&self) -> u128 {
        whole(self.needed)
    }

    fn gained(&self) -> i128 {
        whole(self.gained) as i128
    }

    /// How many transactions the account sends, the first of them with this nonce.
    fn sent(&self) -> (u64, u64) {
        (self.sent & ((1 << SENT_BITS) - 1), self.sent >> SENT_BITS)
    }

    /// What becomes of `holdings`. `None` where they do not allow it, or would be too much.
    #[inline]
    pub(crate) fn apply(&self, holdings: Holdings) -> Option<Holdings> {
        let (sent, nonce) = self.sent();
        if sent > 0 {
            let has_nonce = holdings.nonce == nonce || Canary::AssumeNonce.sings();
            let has_enough = holdings.balance >= U256::from(self.needed()) || Canary::AssumeBalance.sings();
            // So close to the end a sum of payments in between might not fit: nobody who sees only the total knows.
            let may_overflow = holdings.balance.bit(U256::BITS - 1);
            if !has_nonce || !has_enough || may_overflow {
                return None;
            }
        }
        let gained = self.gained();
        let magnitude = U256::from(gained.unsigned_abs());
        let balance = if gained < 0 {
            holdings.balance.checked_sub(magnitude)?
        } else {
            holdings.balance.checked_add(magnitude)?
        };
        Some(Holdings { balance, nonce: holdings.nonce + sent })
    }

    /// This change and `next` after it. `None` where they cannot follow each other, or numbers occur that do not occur.
    #[inline]
    pub(crate) fn then(&self, next: &Self) -> Option<Self> {
        if next.sent != 0 {
            return self.then_sends(next);
        }
        // Payments and fees: by far the most.
        let gained = self.gained().checked_add(next.gained())?;
        Some(Self { gained: halves(gained as u128), ..*self })
    }

    fn then_sends(&self, next: &Self) -> Option<Self> {
        let ((sent, nonce), (next_sent, next_nonce)) = (self.sent(), next.sent());
        if sent > 0 && nonce + sent != next_nonce {
            return None;
        }
        let gained = self.gained();
        let needed_next = if gained < 0 {
            next.needed().checked_add(gained.unsigned_abs())?
        } else {
            next.needed().saturating_sub(gained.unsigned_abs())
        };
        let nonce = if sent > 0 { nonce } else { next_nonce };
        Self::new(self.needed().max(needed_next), gained.checked_add(next.gained())?, nonce, sent + next_sent)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::state::StateValue;

    fn holdings(balance: u64, nonce: u64) -> Holdings {
        Holdings { balance: U256::from(balance), nonce }
    }

    fn credit(amount: u64) -> HoldingsDelta {
        HoldingsDelta::credit(U256::from(amount)).expect("a usual amount")
    }

    /// A transaction that must have `needed` and spends `spent` of it.
    fn spending(nonce: u64, needed: u64, spent: u64) -> HoldingsDelta {
        let (least, after) = (holdings(needed, nonce), holdings(needed - spent, nonce + 1));
        HoldingsDelta::from_least(least, after).expect("usual figures")
    }

    #[test]
    fn who_sends_must_have_the_nonce_and_enough() {
        let spending = spending(7, 100, 30);
        assert_eq!(spending.apply(holdings(100, 7)), Some(holdings(70, 8)));
        assert_eq!(spending.apply(holdings(1000, 7)), Some(holdings(970, 8)));
        for refused in [holdings(99, 7), holdings(1000, 6), holdings(1000, 8), Holdings::default()] {
            assert_eq!(spending.apply(refused), None, "{refused:?}");
        }
    }

    #[test]
    fn who_is_paid_may_have_anything_but_too_much() {
        assert_eq!(credit(5).apply(holdings(1, 9)), Some(holdings(6, 9)));
        assert_eq!(credit(5).apply(Holdings::default()), Some(holdings(5, 0)));
        let full = Holdings { balance: U256::MAX - U256::from(4), nonce: 0 };
        assert_eq!(credit(5).apply(full), None);
        assert_eq!(credit(4).apply(full).map(|after| after.balance), Some(U256::MAX));
    }

    #[test]
    fn who_could_have_too_much_on_the_way_is_not_judged_by_the_total() {
        let both = credit(5).then(&spending(0, 5, 5)).expect("they can follow each other");
        assert_eq!(both.apply(Holdings { balance: U256::MAX - U256::from(1), nonce: 0 }), None);
        assert_eq!(both.apply(holdings(3, 0)), Some(holdings(3, 1)));
    }

    #[test]
    fn what_does_not_occur_is_no_delta() {
        assert_eq!(HoldingsDelta::credit(U256::MAX), None);
        assert_eq!(HoldingsDelta::credit(U256::from(i128::MAX) + U256::from(1)), None);
        assert_eq!(HoldingsDelta::from_least(holdings(1, 1 << 48), holdings(0, (1 << 48) + 1)), None);
        let large = Holdings { balance: U256::MAX, nonce: 0 };
        assert_eq!(HoldingsDelta::from_least(large, large), None);
        let most = HoldingsDelta::credit(U256::from(i128::MAX)).expect("just so");
        assert_eq!(most.then(&credit(1)), None);
        let mut many = spending(0, 1, 0);
        for nonce in 1..u64::from(u16::MAX) {
            many = many.then(&spending(nonce, 1, 0)).expect("they follow each other");
        }
        assert_eq!(many.then(&spending(u64::from(u16::MAX), 1, 0)), None);
        assert_eq!(many.apply(holdings(1, 0)), Some(holdings(1, u64::from(u16::MAX))));
    }

    #[test]
    fn nonces_follow_each_other() {
        assert_eq!(spending(1, 1, 1).then(&spending(1, 1, 1)), None);
        assert_eq!(spending(1, 1, 1).then(&spending(3, 1, 1)), None);
        assert!(spending(1, 1, 1).then(&spending(2, 1, 1)).is_some());
        assert!(credit(1).then(&spending(9, 1, 1)).and_then(|both| both.then(&spending(10, 1, 1))).is_some());
    }

    #[test]
    fn it_takes_no_more_room_than_a_value() {
        assert_eq!(size_of::<weft_mvmemory::Change<StateValue>>(), size_of::<StateValue>());
    }

    fn delta() -> impl Strategy<Value = HoldingsDelta> {
        prop_oneof![
            (0..50_u64).prop_map(credit),
            (0..4_u64, 1..60_u64, 0..60_u64).prop_map(|(nonce, needed, spent)| spending(
                nonce,
                needed,
                spent.min(needed)
            )),
        ]
    }

    proptest! {
        /// One after the other or both at once, in whatever order they are put together: it is the same.
        #[test]
        fn several_at_once_are_as_one_after_the_other(
            first in delta(), second in delta(), third in delta(), balance in 0..120_u64, nonce in 0..4_u64,
        ) {
            let start = holdings(balance, nonce);
            let in_turn = [first, second, third].iter().try_fold(start, |holdings, delta| delta.apply(holdings));
            let left = first.then(&second).and_then(|both| both.then(&third));
            let right = second.then(&third).and_then(|both| first.then(&both));
            prop_assert_eq!(left, right);
            prop_assert_eq!(left.and_then(|all| all.apply(start)), in_turn);
        }
    }
}
