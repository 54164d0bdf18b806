//! A block that is valid, what comes of it, and the comparison of a path with that.

use alloy_primitives::Address;
use revm::context::TxEnv;
use weft_evm::EvmEnv;

use super::oracle;
use super::path::{Outcome, Path, Refused};
use super::world::World;

/// A block that is valid, and what comes of it.
#[derive(Debug)]
pub(crate) struct Block {
    env: EvmEnv,
    pre: World,
    transactions: Vec<TxEnv>,
    /// What each transaction is called when it comes out wrong.
    names: Vec<String>,
    pub(crate) expected: Outcome,
}

impl Block {
    pub(crate) fn new(env: EvmEnv, pre: World) -> Self {
        let expected = Outcome { results: Vec::new(), world: pre.clone() };
        Self { env, pre, transactions: Vec::new(), names: Vec::new(), expected }
    }

    /// Adds a transaction, if it is valid where it would stand.
    pub(crate) fn push(&mut self, name: impl Into<String>, tx: TxEnv) -> bool {
        let Ok(result) = oracle::step(&self.env, &mut self.expected.world, tx.clone()) else { return false };
        self.expected.results.push(result);
        self.transactions.push(tx);
        self.names.push(name.into());
        true
    }

    pub(crate) fn len(&self) -> usize {
        self.transactions.len()
    }

    pub(crate) fn into_transactions(self) -> Vec<TxEnv> {
        self.transactions
    }

    /// The nonce that the next transaction of `sender` needs.
    pub(crate) fn next_nonce(&self, sender: &Address) -> u64 {
        self.expected.world.accounts.get(sender).map_or(0, |account| account.nonce)
    }

    /// Executes the block and says in what the outcome differs from the expected one.
    pub(crate) fn check(&self, path: &Path) -> Result<(), String> {
        let name = |transaction: usize| self.names.get(transaction).map_or("none of the block's", String::as_str);
        let outcome = path.execute(&self.env, &self.pre, &self.transactions).map_err(|refused| match &refused {
            Refused::Invalid(transaction, _) => format!("{path}: {refused}: {}", name(*transaction)),
            Refused::Failed(_) => format!("{path}: {refused}"),
        })?;
        if outcome.results.len() != self.len() {
            return Err(format!("{path}: {} results of {}", outcome.results.len(), self.len()));
        }
        let results = outcome.results.iter().zip(&self.expected.results);
        if let Some((at, (result, expected))) = results.enumerate().find(|(_, (result, expected))| result != expected) {
            return Err(format!(
                "{path}, transaction {at} of {}, {}: {result:?} instead of {expected:?}",
                self.len(),
                name(at)
            ));
        }
        match outcome.world.differences(&self.expected.world).as_slice() {
            [] => Ok(()),
            differences => Err(format!("{path}, block that begins with {}: {}", name(0), differences.join("\n"))),
        }
    }
}
