//! How Ethereum's state is cut into keys: so finely that only what truly depends on each other conflicts.
//!
//! An account is two keys, not one. What it holds (balance and nonce, which whoever sends a transaction reads and writes
//! together) takes credits as deltas, so that payments to one receiver, and the fees of all transactions to one fee
//! recipient, conflict with nobody who does not look. What it *is* (its code, and whether it exists) is read by everybody
//! who calls or pays it, and hardly ever changes.
//!
//! Storage that is wiped by a self-destruct is not visited slot by slot: slots carry the [generation](Identity) of
//! their account, and the next generation begins with empty storage.

use std::hash::{Hash, Hasher};

use alloy_primitives::{Address, B256, FixedBytes, U256};
use revm::bytecode::Bytecode;
use weft_mvmemory::{OutOfBounds, Value};

use crate::canary::Canary;
use crate::holdings_delta::HoldingsDelta;

/// Identifies a part of the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum StateKey {
    /// Balance and nonce of an account.
    Holdings(Address),
    /// Whether an account exists, which code it has, and its generation.
    Identity(Address),
    /// A storage slot of an account, in one generation of the account.
    Slot(Address, u32, U256),
    /// Code from before the block, by its hash. Never changes.
    Code(B256),
    /// Code that the block deploys, by its hash. What is found under a hash never changes.
    DeployedCode(B256),
    /// The hash of an ancestor block, by its number. Never changes.
    BlockHash(u64),
}

/// In whole words, without the lengths that arrays are hashed with: a key is hashed at every access.
impl Hash for StateKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Self::Holdings(address) => hash_address(address, 0, state),
            Self::Identity(address) => hash_address(address, 1, state),
            Self::Slot(address, generation, slot) => {
                hash_address(address, 2 + u64::from(*generation), state);
                for limb in slot.as_limbs() {
                    state.write_u64(*limb);
                }
            }
            // The kind of the others does not matter: equal hashes of different keys cost a comparison.
            Self::Code(hash) | Self::DeployedCode(hash) => state.write_u64(word(hash, 0)),
            Self::BlockHash(number) => state.write_u64(*number),
        }
    }
}

/// The eight bytes from `start` on, as a number.
fn word<const N: usize>(bytes: &[u8; N], start: usize) -> u64 {
    u64::from_le_bytes(std::array::from_fn(|at| bytes[start + at]))
}

fn hash_address<H: Hasher>(Address(FixedBytes(bytes)): &Address, kind: u64, state: &mut H) {
    state.write_u64(word(bytes, 0));
    state.write_u64(word(bytes, 8));
    // Bytes 12 to 15 are in the second word as well: what the kind makes of them hides nothing.
    state.write_u64(word(bytes, 12) ^ kind);
}

/// What an account is, apart from balance, nonce and storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// The hash of the account's code.
    pub code_hash: B256,
    /// How often the account was created or destroyed in this block. Every time its storage begins empty.
    pub generation: u32,
    /// Whether the code was deployed, or delegated to (EIP-7702), in this block.
    pub is_deployed: bool,
    /// Whether the account is in the state trie. From EIP-161 on this matters for accounts only that hold nothing;
    /// any other account exists.
    pub exists: bool,
    /// Whether balance or nonce were not zero before the block. As long as the generation is 0 the account is not
    /// empty then: a balance is spent by sending a transaction, which leaves a nonce, or by contract code.
    pub was_funded: bool,
}

impl Identity {
    /// An account that is not there and never was.
    pub const ABSENT: Self = Self {
        code_hash: revm::primitives::KECCAK_EMPTY,
        generation: 0,
        is_deployed: false,
        exists: false,
        was_funded: false,
    };

    /// Whether the account has code.
    #[must_use]
    pub fn has_code(&self) -> bool {
        self.code_hash != revm::primitives::KECCAK_EMPTY
    }

    /// Whether the account is known to be not empty (EIP-161), without a look at balance and nonce.
    #[must_use]
    pub fn is_surely_not_empty(&self) -> bool {
        self.has_code() || (self.was_funded && (self.generation == 0 || Canary::FundedForever.sings()))
    }
}

/// Balance and nonce of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Holdings {
    /// In wei.
    pub balance: U256,
    /// Transactions sent, contracts created.
    pub nonce: u64,
}

impl Holdings {
    /// Whether there is neither.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.balance.is_zero() && self.nonce == 0
    }

    /// As a value; holdings of nothing are no value.
    pub(crate) fn into_value(self) -> Option<StateValue> {
        (!self.is_empty()).then_some(StateValue::Holdings(self))
    }
}

/// What is found under a [`StateKey`]. Empty holdings and slots of 0 are kept as no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StateValue {
    /// Balance and nonce.
    Holdings(Holdings),
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
    type Delta = HoldingsDelta;

    fn apply(base: Option<&Self>, delta: &HoldingsDelta) -> Result<Self, OutOfBounds> {
        let holdings = match base {
            None => Holdings::default(),
            Some(Self::Holdings(holdings)) => *holdings,
            // Nothing else is changed by deltas.
            Some(_) => return Err(OutOfBounds),
        };
        delta.apply(holdings).map(Self::Holdings).ok_or(OutOfBounds)
    }

    fn combine(first: &HoldingsDelta, second: &HoldingsDelta) -> Result<HoldingsDelta, OutOfBounds> {
        first.then(second).ok_or(OutOfBounds)
    }
}
