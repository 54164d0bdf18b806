//! One transaction of the mixture of everything: every type that the ledger has, valid in order. Calls of contracts may
//! fail: that is a result, not an invalid transaction.

use rand::RngExt;
use rand_chacha::ChaCha12Rng;
use weft_ledger::Hash;
use weft_ledger::rules::BlockContext;
use weft_ledger::wire::{EnergyPayload, FeeType};

use super::accounts::Accounts;
use super::mining::Tasks;
use super::{Draft, FEE, calls, deploys, mining, mixed};

/// Time of the first block, in milliseconds: long after the heights that miners' ages are counted from.
pub(super) const START: u64 = 1_700_000_000_000;
/// Time between two blocks: no miner has to rest longer than 3600 (spec 6), in the unit of block times.
pub(super) const INTERVAL: u64 = 4_000;

/// What the transactions of one block know of each other.
#[derive(Debug)]
pub(super) struct Scene {
    context: BlockContext,
    seed: u64,
    tasks: Tasks,
    /// Contracts that were deployed.
    deployed: Vec<Hash>,
}

impl Scene {
    pub(super) fn new(context: BlockContext, seed: u64) -> Self {
        Self { context, seed, tasks: Tasks::default(), deployed: Vec::new() }
    }

    /// Transaction number `at` of the block.
    pub(super) fn draft(&mut self, accounts: &mut Accounts, at: usize, random: &mut ChaCha12Rng) -> Draft {
        match random.random_range(0..200_u32) {
            0..80 => mixed::draft(accounts, self.context.height, random),
            80..84 => self.withdraw(accounts, random),
            84..100 => {
                let drawn = mining::draft(accounts, &mut self.tasks, &self.context, random);
                drawn.unwrap_or_else(|| mixed::draft(accounts, self.context.height, random))
            }
            100..103 => self.deploy(accounts, at, random),
            _ => {
                let source = random.random_range(0..accounts.len());
                let payload = calls::draw(accounts, source, &self.deployed, self.serial(at), random);
                accounts.draft(source, payload, FEE, FeeType::Tos)
            }
        }
    }

    /// Takes back what was unfrozen long enough ago: often nothing, which is valid too.
    fn withdraw(&self, accounts: &mut Accounts, random: &mut ChaCha12Rng) -> Draft {
        let source = random.random_range(0..accounts.len());
        let known = accounts.get_mut(source);
        if known.frozen == 0 && known.unfreezes.is_empty() {
            return mixed::draft(accounts, self.context.height, random);
        }
        known.unfreezes.retain(|expires| *expires > self.context.height);
        mixed::energy(accounts, source, EnergyPayload::WithdrawUnfrozen)
    }

    fn deploy(&mut self, accounts: &mut Accounts, at: usize, random: &mut ChaCha12Rng) -> Draft {
        let source = random.random_range(0..accounts.len());
        let (payload, contract) = deploys::payload(self.serial(at), random);
        self.deployed.extend(contract);
        accounts.draft(source, payload, FEE, FeeType::Tos)
    }

    /// A number that no other transaction of the chain has.
    fn serial(&self, at: usize) -> u64 {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"weft workload serial");
        [self.seed, self.context.height, at as u64].iter().for_each(|number| {
            hasher.update(&number.to_be_bytes());
        });
        let hash = hasher.finalize();
        // A signed 64-bit number in the assembler's texts; and far above the numbers of the pools.
        hash.as_bytes().iter().take(7).fold(1, |serial, byte| serial << 8 | u64::from(*byte))
    }
}
