//! Commutative changes (spec 7.2): they need no read, so they make nobody wait.

/// An addition, or a maximum. All are non-negative, so checking the sum is checking every step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delta {
    /// Atomic units onto an account's balance; creates the account, also with 0.
    Credit(u64),
    /// Atomic units for an account, visible after the block; creates the account then, also with 0.
    DeferredCredit(u64),
    /// Onto a counter; its overflow is error 0x0304.
    Count(u64),
    /// Onto a counter that stays at its maximum.
    CountSaturating(u64),
    /// Onto the 64-bit number in a contract's storage; where nothing is, it is 0.
    StorageAdd(u64),
    /// Raises a counter to this number, unless it is there already.
    Max(u64),
}
