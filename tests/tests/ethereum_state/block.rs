//! Blocks of many cases, and the comparison of a path with the oracle on them.

use revm::context::TxEnv;
use weft_evm::EvmEnv;

use crate::common::oracle;
use crate::common::world::World;
use crate::path::{Outcome, Path};

/// A block that is valid, and what comes of it.
#[derive(Debug)]
pub(crate) struct Block {
    env: EvmEnv,
    pre: World,
    transactions: Vec<TxEnv>,
    /// The case that each transaction comes from.
    names: Vec<String>,
    pub(crate) expected: Outcome,
}

impl Block {
    pub(crate) fn new(env: EvmEnv, pre: World) -> Self {
        let expected = Outcome { results: Vec::new(), world: pre.clone() };
        Self { env, pre, transactions: Vec::new(), names: Vec::new(), expected }
    }

    /// Adds a transaction, if it is valid where it would stand.
    pub(crate) fn push(&mut self, name: &str, tx: TxEnv) -> bool {
        let Ok(result) = oracle::step(&self.env, &mut self.expected.world, tx.clone()) else { return false };
        self.expected.results.push(result);
        self.transactions.push(tx);
        self.names.push(name.to_owned());
        true
    }

    pub(crate) fn len(&self) -> usize {
        self.transactions.len()
    }

    /// The nonce that the next transaction of `sender` needs.
    pub(crate) fn next_nonce(&self, sender: &alloy_primitives::Address) -> u64 {
        self.expected.world.accounts.get(sender).map_or(0, |account| account.nonce)
    }

    /// Executes the block and says in what the outcome differs from the expected one.
    pub(crate) fn check(&self, path: Path) -> Result<(), String> {
        let of = |transaction: usize| format!("{path}, transaction {transaction} of {}", self.len());
        let outcome = path.execute(&self.env, &self.pre, &self.transactions).map_err(|rejected| {
            let name = self.names.get(rejected.transaction).map_or("none of the block's", String::as_str);
            format!("{}, {name}: rejected: {}", of(rejected.transaction), rejected.error)
        })?;
        if outcome.results.len() != self.len() {
            return Err(format!("{path}: {} results of {}", outcome.results.len(), self.len()));
        }
        let results = outcome.results.iter().zip(&self.expected.results);
        if let Some((at, (result, expected))) = results.enumerate().find(|(_, (result, expected))| result != expected) {
            return Err(format!("{}, {}: {result:?} instead of {expected:?}", of(at), self.names[at]));
        }
        match outcome.world.differences(&self.expected.world).as_slice() {
            [] => Ok(()),
            differences => Err(format!("{path}, from {}: {}", self.names[0], differences.join("\n"))),
        }
    }
}
