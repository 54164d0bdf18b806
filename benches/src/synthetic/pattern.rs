//! Who conflicts with whom.

use std::fmt;
use std::str::FromStr;

use rand::SeedableRng;
use rand::seq::index::sample;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use super::vm::Transaction;

/// Keys from here on belong to one transaction alone; below are those that are shared.
const OWN: u64 = 1 << 32;
/// The key that all transactions of a chain have in common.
const SHARED: u64 = 0;
/// Keys that a transaction touches at most.
const TOUCHED: usize = 4;

/// A shape of conflicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(into = "String")]
pub enum Pattern {
    /// Every transaction has keys of its own.
    Independent,
    /// All read and write one key: each reads what the one before wrote there.
    Chain,
    /// The same, and every transaction says beforehand what it writes.
    HintedChain,
    /// Each reads a key that the one before wrote and nobody touches later: a chain without a hot key.
    Relay,
    /// Four keys of so many, drawn; at least 4.
    Random(u32),
    /// Keys of their own, and all add to one counter without reading it.
    Add,
}

/// The transactions of a block, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The transactions.
    pub transactions: Vec<Transaction>,
    /// Whether they say beforehand what they write.
    pub has_hints: bool,
}

impl Pattern {
    /// A block of so many transactions; the same one for the same seed.
    #[must_use]
    pub fn block(self, transactions: usize, seed: u64) -> Block {
        let mut chance = ChaCha8Rng::seed_from_u64(seed);
        let transactions = (0..transactions as u64).map(|index| self.transaction(index, &mut chance)).collect();
        Block { transactions, has_hints: self == Self::HintedChain }
    }

    fn transaction(self, index: u64, chance: &mut ChaCha8Rng) -> Transaction {
        let own = |number: u64| OWN + index * TOUCHED as u64 + number;
        // What is written is read before, as balances are.
        let writing_three_of = |reads: [u64; 4]| {
            let [first, second, third, _] = reads;
            Transaction { reads, writes: [first, second, third], adds_to: None }
        };
        match self {
            Self::Independent => writing_three_of([own(0), own(1), own(2), own(3)]),
            Self::Chain | Self::HintedChain => writing_three_of([SHARED, own(1), own(2), own(3)]),
            Self::Relay => Transaction {
                reads: [index, own(1), own(2), own(3)],
                writes: [index + 1, own(1), own(2)],
                adds_to: None,
            },
            Self::Random(keys) => {
                let drawn = sample(chance, (keys as usize).max(TOUCHED), TOUCHED);
                writing_three_of(std::array::from_fn(|at| drawn.index(at) as u64))
            }
            Self::Add => Transaction { adds_to: Some(SHARED), ..writing_three_of([own(0), own(1), own(2), own(3)]) },
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Independent => formatter.write_str("independent"),
            Self::Chain => formatter.write_str("chain"),
            Self::HintedChain => formatter.write_str("hinted-chain"),
            Self::Relay => formatter.write_str("relay"),
            Self::Random(keys) => write!(formatter, "random-{keys}"),
            Self::Add => formatter.write_str("add"),
        }
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> Self {
        pattern.to_string()
    }
}

/// No pattern has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no pattern is called {0:?}; there are independent, chain, hinted-chain, relay, random-N with N from 4, add")]
pub struct UnknownPattern(String);

impl FromStr for Pattern {
    type Err = UnknownPattern;

    fn from_str(name: &str) -> Result<Self, UnknownPattern> {
        let unknown = || UnknownPattern(name.to_owned());
        Ok(match name {
            "independent" => Self::Independent,
            "chain" => Self::Chain,
            "hinted-chain" => Self::HintedChain,
            "relay" => Self::Relay,
            "add" => Self::Add,
            _ => {
                let keys = name.strip_prefix("random-").and_then(|keys| keys.parse().ok());
                Self::Random(keys.filter(|&keys| keys as usize >= TOUCHED).ok_or_else(unknown)?)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    const PATTERNS: [Pattern; 6] =
        [Pattern::Independent, Pattern::Chain, Pattern::HintedChain, Pattern::Relay, Pattern::Random(17), Pattern::Add];

    #[test]
    fn names_are_read_back() {
        for pattern in PATTERNS {
            assert_eq!(pattern.to_string().parse(), Ok(pattern));
        }
        for name in ["", "random", "random-3", "random-x", "chains"] {
            assert_eq!(name.parse::<Pattern>(), Err(UnknownPattern(name.to_owned())));
        }
    }

    #[test]
    fn every_transaction_touches_distinct_keys() {
        for pattern in PATTERNS {
            for transaction in pattern.block(100, 1).transactions {
                assert_eq!(HashSet::from(transaction.reads).len(), 4, "{pattern}");
                assert_eq!(HashSet::from(transaction.writes).len(), 3, "{pattern}");
            }
        }
    }

    #[test]
    fn transactions_conflict_as_the_pattern_says() {
        let conflicts = |pattern: Pattern| {
            let block = pattern.block(100, 1);
            let mut pairs = block.transactions.windows(2);
            pairs.by_ref().filter(|pair| pair[1].reads.iter().any(|key| pair[0].writes.contains(key))).count()
        };
        assert_eq!(conflicts(Pattern::Independent), 0);
        assert_eq!(conflicts(Pattern::Add), 0);
        assert_eq!(conflicts(Pattern::Chain), 99);
        assert_eq!(conflicts(Pattern::HintedChain), 99);
        assert_eq!(conflicts(Pattern::Relay), 99);
        assert_eq!(conflicts(Pattern::Random(4)), 99);
        assert!((1..99).contains(&conflicts(Pattern::Random(17))));
    }

    #[test]
    fn only_one_pattern_adds_and_all_of_it_to_one_counter() {
        for pattern in PATTERNS {
            let adds_to = (pattern == Pattern::Add).then_some(SHARED);
            assert!(pattern.block(100, 1).transactions.iter().all(|one| one.adds_to == adds_to), "{pattern}");
        }
        let own = Pattern::Add.block(100, 1).transactions;
        assert!(own.iter().all(|one| !one.reads.contains(&SHARED)), "nobody reads the counter");
    }

    #[test]
    fn a_seed_gives_one_block() {
        assert_eq!(Pattern::Random(100).block(50, 3), Pattern::Random(100).block(50, 3));
        assert_ne!(Pattern::Random(100).block(50, 3), Pattern::Random(100).block(50, 4));
    }
}
