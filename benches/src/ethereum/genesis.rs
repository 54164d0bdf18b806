//! The state that a workload begins with, made by executing transactions: what real constructors and real calls leave
//! behind, nothing guessed.

use std::collections::HashMap;

use revm::context::TxEnv;
use revm::context::result::ExecutionResult;
use revm::primitives::{Address, Bytes, TxKind, U256};
use revm::state::AccountInfo;
use weft_evm::sequential::{self, SequentialError};

use super::artifacts::ArtifactError;
use super::database::{MemoryDatabase, MissingError};
use super::{BENEFICIARY, set_up};

/// What the fork allows at most (EIP-7825).
const GAS_LIMIT: u64 = 1 << 24;

/// Set-up transactions that are executed at a time. The journal of a long set-up would be large.
const STRETCH: usize = 4096;

/// Why a workload cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum WorkloadError {
    /// A contract is not there.
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
    /// A transaction of the set-up is invalid.
    #[error("setting up the state: {0}")]
    Invalid(#[from] SequentialError<MissingError>),
    /// A transaction of the set-up fails.
    #[error("setting up the state: transaction {transaction} fails: {reason}")]
    Failed {
        /// Its index in the set-up's stretch.
        transaction: usize,
        /// What revm says.
        reason: String,
    },
}

/// A state in the making.
#[derive(Debug)]
pub struct Genesis {
    database: MemoryDatabase,
    /// How many transactions everybody will have sent when what is pending is executed.
    nonces: HashMap<Address, u64>,
    pending: Vec<TxEnv>,
}

impl Default for Genesis {
    fn default() -> Self {
        let mut genesis = Self { database: MemoryDatabase::default(), nonces: HashMap::new(), pending: Vec::new() };
        genesis.fund(BENEFICIARY);
        genesis
    }
}

impl Genesis {
    /// Gives somebody ether to pay with.
    pub fn fund(&mut self, address: Address) {
        // 4,567 ether.
        let balance = U256::from(4_567_000_000_000_000_000_000_u128);
        self.database.insert(address, AccountInfo { balance, code: None, ..AccountInfo::default() });
    }

    /// The nonce of the next transaction of this sender, who then has sent it.
    pub fn next_nonce(&mut self, sender: Address) -> u64 {
        let database = &self.database;
        let nonce = self.nonces.entry(sender).or_insert_with(|| database.nonce(&sender));
        *nonce += 1;
        *nonce - 1
    }

    /// Calls a contract, free of charge.
    ///
    /// # Errors
    /// [`WorkloadError`] where this or an earlier transaction fails.
    pub fn call(&mut self, sender: Address, contract: Address, data: Bytes) -> Result<(), WorkloadError> {
        let nonce = self.next_nonce(sender);
        self.send(TxEnv { caller: sender, nonce, kind: TxKind::Call(contract), data, ..TxEnv::default() })
    }

    /// Deploys a contract; gives its address.
    ///
    /// # Errors
    /// [`WorkloadError`] where this or an earlier transaction fails.
    pub fn deploy(&mut self, sender: Address, initcode: Bytes) -> Result<Address, WorkloadError> {
        let nonce = self.next_nonce(sender);
        self.send(TxEnv { caller: sender, nonce, kind: TxKind::Create, data: initcode, ..TxEnv::default() })?;
        Ok(sender.create(nonce))
    }

    fn send(&mut self, transaction: TxEnv) -> Result<(), WorkloadError> {
        self.pending.push(TxEnv { gas_limit: GAS_LIMIT, ..transaction });
        if self.pending.len() >= STRETCH { self.execute() } else { Ok(()) }
    }

    fn execute(&mut self) -> Result<(), WorkloadError> {
        let executed = sequential::execute(&set_up(), &self.database, &self.pending)?;
        self.pending.clear();
        if let Some((transaction, result)) =
            executed.results.iter().enumerate().find(|(_, result)| !result.is_success())
        {
            let reason = match result {
                // A Solidity message stands after selector, offset and length.
                ExecutionResult::Revert { output, .. } => {
                    String::from_utf8_lossy(output.get(68..).unwrap_or(output)).into_owned()
                }
                other => format!("{other:?}"),
            };
            return Err(WorkloadError::Failed { transaction, reason });
        }
        self.database.apply(executed.state);
        Ok(())
    }

    /// The finished state.
    ///
    /// # Errors
    /// [`WorkloadError`] where a transaction of the set-up fails.
    pub fn finish(mut self) -> Result<MemoryDatabase, WorkloadError> {
        self.execute()?;
        Ok(self.database)
    }
}
