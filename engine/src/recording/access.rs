//! What the transactions of a block touch, and how: what a chain with access lists would be told beforehand.

use std::ops::Range;

/// How a transaction touches a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Access {
    /// It reads the key.
    Read,
    /// It sets or removes the value without looking at it.
    Write,
    /// It reads the value and sets or removes it.
    ReadWrite,
    /// It adds to the value without looking at it: additions change places freely.
    Add,
}

impl Access {
    /// Whether what the transaction does depends on the value that it finds.
    #[must_use]
    pub const fn reads(self) -> bool {
        matches!(self, Self::Read | Self::ReadWrite)
    }

    /// Whether it sets or removes the value. Adding is neither.
    #[must_use]
    pub const fn writes(self) -> bool {
        matches!(self, Self::Write | Self::ReadWrite)
    }
}

/// The complete accesses of a block: for each transaction each key that it touches, once, in the order of first touch.
#[derive(Debug, Clone)]
pub struct BlockAccess<K> {
    touched: Vec<(K, Access)>,
    /// Where each transaction's accesses end.
    ends: Vec<usize>,
    /// Whether each transaction is known to be rejected.
    rejected: Vec<bool>,
}

impl<K> Default for BlockAccess<K> {
    fn default() -> Self {
        Self { touched: Vec::new(), ends: Vec::new(), rejected: Vec::new() }
    }
}

impl<K> BlockAccess<K> {
    /// Of no transaction.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a transaction of which is not known beforehand whether it is rejected, or which is not.
    pub fn push(&mut self, accesses: impl IntoIterator<Item = (K, Access)>) {
        self.append(accesses, false);
    }

    /// Appends a transaction that is rejected: it touches what it touches, and changes nothing.
    pub fn push_rejected(&mut self, accesses: impl IntoIterator<Item = (K, Access)>) {
        self.append(accesses, true);
    }

    fn append(&mut self, accesses: impl IntoIterator<Item = (K, Access)>, is_rejected: bool) {
        self.touched.extend(accesses);
        self.ends.push(self.touched.len());
        self.rejected.push(is_rejected);
    }

    /// The transactions whose accesses are known. Fewer than the block has where it ends early: nothing is known of
    /// what is never executed.
    #[must_use]
    pub fn transactions(&self) -> usize {
        self.ends.len()
    }

    /// What one transaction touches.
    ///
    /// # Panics
    /// When nothing is known of the transaction.
    #[must_use]
    pub fn of(&self, transaction: usize) -> &[(K, Access)] {
        &self.touched[self.range(transaction)]
    }

    /// Whether a transaction is known to be rejected: what it changes, nobody sees.
    ///
    /// # Panics
    /// When nothing is known of the transaction.
    #[must_use]
    pub fn is_rejected(&self, transaction: usize) -> bool {
        self.rejected[transaction]
    }

    /// All accesses, of one transaction after another.
    #[must_use]
    pub fn all(&self) -> &[(K, Access)] {
        &self.touched
    }

    /// Where in [`BlockAccess::all`] one transaction's accesses are.
    ///
    /// # Panics
    /// When nothing is known of the transaction.
    #[must_use]
    pub fn range(&self, transaction: usize) -> Range<usize> {
        let start = transaction.checked_sub(1).map_or(0, |before| self.ends[before]);
        start..self.ends[transaction]
    }
}

impl<K, A: IntoIterator<Item = (K, Access)>> FromIterator<A> for BlockAccess<K> {
    fn from_iter<T: IntoIterator<Item = A>>(transactions: T) -> Self {
        let mut block = Self::new();
        transactions.into_iter().for_each(|transaction| block.push(transaction));
        block
    }
}
