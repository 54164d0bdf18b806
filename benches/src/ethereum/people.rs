//! Who takes part: seeded addresses, and who of them is drawn how often.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use revm::primitives::Address;

/// Accounts from which the workloads with conflicts draw.
pub(super) const ACCOUNTS: usize = 100_000;

/// Deterministic chance.
#[derive(Debug)]
pub(super) struct People {
    chance: ChaCha8Rng,
}

/// Which of some accounts a transaction is drawn to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Draw {
    /// Everybody alike.
    Uniform,
    /// A tenth of the accounts gets this share of the draws.
    Hot(f64),
}

impl People {
    pub(super) fn new(seed: u64) -> Self {
        Self { chance: ChaCha8Rng::seed_from_u64(seed) }
    }

    pub(super) fn address(&mut self) -> Address {
        Address::from(self.chance.random::<[u8; 20]>())
    }

    pub(super) fn addresses(&mut self, count: usize) -> Vec<Address> {
        (0..count).map(|_| self.address()).collect()
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.chance.random_range(0..bound.max(1))
    }

    pub(super) fn is_head(&mut self) -> bool {
        self.chance.random()
    }

    /// One of `people`, of whom there must be some.
    pub(super) fn draw(&mut self, people: &[Address], draw: Draw) -> Address {
        let cold = people.len() - people.len() / 10;
        let index = match draw {
            Draw::Hot(share) if cold < people.len() => {
                if self.chance.random_bool(share) {
                    self.chance.random_range(cold..people.len())
                } else {
                    self.below(cold)
                }
            }
            Draw::Hot(_) | Draw::Uniform => self.below(people.len()),
        };
        people[index]
    }
}
