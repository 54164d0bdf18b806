//! What a versioned value must be able to do: be compared, be cloned, and take a commutative delta.

use std::fmt::Debug;

/// A delta left the range that its value can represent (an overflow or an underflow).
///
/// It says nothing about where: whoever applies the delta knows the key and the transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the delta leaves the range of the value")]
pub struct OutOfBounds;

/// A value that the multi-version memory can hold.
///
/// `PartialEq` must be an equivalence: two equal values are interchangeable for every reader, because a re-executed
/// transaction that writes an equal value invalidates nobody.
pub trait Value: Clone + PartialEq + Debug + Send + Sync + 'static {
    /// A commutative change to a value, such as a credit. Use [`NoDelta`] where there is none.
    type Delta: Clone + PartialEq + Debug + Send + Sync + 'static;

    /// The value after `delta` is applied to `base`; `None` is a key without a value.
    ///
    /// # Errors
    /// [`OutOfBounds`] when the result cannot be represented. It must be a function of `base` and `delta` alone.
    fn apply(base: Option<&Self>, delta: &Self::Delta) -> Result<Self, OutOfBounds>;

    /// One delta with the effect of `first` and then `second`.
    ///
    /// For every base, applying the result must fail exactly where applying the two in order fails.
    ///
    /// # Errors
    /// [`OutOfBounds`] when no such delta can be represented; the caller then works with concrete values.
    fn combine(first: &Self::Delta, second: &Self::Delta) -> Result<Self::Delta, OutOfBounds>;
}

/// The delta type of values that have none: it cannot be constructed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoDelta {}
