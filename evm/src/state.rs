//! How Ethereum's state is cut into keys: so finely that only what truly depends on each other conflicts.
//!
//! An account is three keys, not one. Its balance takes credits as deltas, so that payments to one receiver, and the
//! fees of all transactions to one fee recipient, conflict with nobody who does not look at that balance. Its nonce
//! changes with every transaction that it sends, which concerns nobody whom it is paid by. What it *is* (its code, and
//! whether it exists) hardly ever changes.
//!
//! Storage that is wiped by a self-destruct is not visited slot by slot: slots carry the [generation](Identity) of
//! their account, and the next generation begins with empty storage.

use alloy_primitives::{Address, B256, U256};
use revm::bytecode::Bytecode;
use weft_mvmemory::{OutOfBounds, Value};

/// Identifies a part of the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StateKey {
    /// The balance of an account.
    Balance(Address),
    /// The nonce of an account.
    Nonce(Address),
    /// Whether an account exists, which code it has, and its generation.
    Identity(Address),
    /// A storage slot of an account, in one generation of the account.
    Slot(Address, u32, U256),
    /// Code by its hash. What is found under a hash never changes.
    Code(B256),
    /// The hash of an ancestor block, by its number. Never changes.
    BlockHash(u64),
}

/// What an account is, apart from balance, nonce and storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// The hash of the account's code.
    pub code_hash: B256,
    /// How often the account was created or destroyed in this block. Every time its storage begins empty.
    pub generation: u32,
    /// Whether the account is in the state trie. From EIP-161 on this matters for accounts only that hold nothing;
    /// any other account exists.
    pub exists: bool,
    /// Whether balance or nonce were not zero before the block. As long as the generation is 0 the account is not
    /// empty then: a balance is spent by sending a transaction, which leaves a nonce, or by contract code.
    pub was_funded: bool,
}

impl Identity {
    /// An account that is not there and never was.
    pub const ABSENT: Self =
        Self { code_hash: revm::primitives::KECCAK_EMPTY, generation: 0, exists: false, was_funded: false };

    /// Whether the account has code.
    #[must_use]
    pub fn has_code(&self) -> bool {
        self.code_hash != revm::primitives::KECCAK_EMPTY
    }

    /// Whether the account is known to be not empty (EIP-161), without a look at balance and nonce.
    #[must_use]
    pub fn is_surely_not_empty(&self) -> bool {
        self.has_code() || (self.was_funded && self.generation == 0)
    }
}

/// What is found under a [`StateKey`]. Zero balances, nonces and slots are kept as no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StateValue {
    /// A balance in wei.
    Balance(U256),
    /// A nonce.
    Nonce(u64),
    /// What an account is.
    Identity(Identity),
    /// The content of a storage slot.
    Slot(U256),
    /// Code.
    Code(Bytecode),
    /// A block hash.
    BlockHash(B256),
}

impl Value for StateValue {
    /// A credit to a balance, in wei.
    type Delta = U256;

    fn apply(base: Option<&Self>, delta: &U256) -> Result<Self, OutOfBounds> {
        let balance = match base {
            None => U256::ZERO,
            Some(Self::Balance(balance)) => *balance,
            // Only balances are credited.
            Some(_) => return Err(OutOfBounds),
        };
        balance.checked_add(*delta).map(Self::Balance).ok_or(OutOfBounds)
    }

    fn combine(first: &U256, second: &U256) -> Result<U256, OutOfBounds> {
        first.checked_add(*second).ok_or(OutOfBounds)
    }
}
