//! Whole blocks of Ethereum transactions on any revm database: one call.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, U256};
use revm::bytecode::Bytecode;
use revm::context::TxEnv;
use revm::context::result::{ExecutionResult, InvalidTransaction};
use revm::database_interface::DatabaseRef;
use revm::primitives::B256Map;
use revm::primitives::hardfork::SpecId;
use weft_engine::{BlockError, BlockPolicy, Config, Engine, Metrics};

use crate::EvmEnv;
use crate::diff::{Basics, StateDiff};
use crate::reader::DatabaseReader;
use crate::state::{Holdings, Identity, StateKey, StateValue};
use crate::vm::{EvmVm, TransactionOutput};

/// Why a block has no result.
#[derive(Debug, thiserror::Error)]
pub enum ParallelError {
    /// A transaction is invalid, and with it the block.
    #[error("transaction {transaction} is invalid: {source}")]
    Invalid {
        /// The transaction, by its index in the block.
        transaction: usize,
        /// What is wrong with it.
        source: InvalidTransaction,
    },
    /// A transaction cannot be executed in the block's environment.
    #[error("transaction {transaction} cannot be executed: {reason}")]
    Impossible {
        /// The transaction, by its index in the block.
        transaction: usize,
        /// What revm says.
        reason: String,
    },
    /// The database failed, or the machine did.
    #[error(transparent)]
    Block(#[from] BlockError),
}

/// The final values of everything that a block has changed, as the engine gives them: ascending, without what came back
/// to its old value.
#[derive(Debug, Clone)]
pub struct BlockChanges {
    changes: Vec<(StateKey, Option<StateValue>)>,
    spec: SpecId,
}

/// What a block gives.
#[derive(Debug)]
pub struct ParallelExecuted {
    /// One result a transaction, in order.
    pub results: Vec<ExecutionResult>,
    /// What the block changes.
    pub changes: BlockChanges,
    /// What it cost.
    pub metrics: Metrics<StateKey>,
}

/// Executes blocks of Ethereum transactions in parallel, with the result of executing them one after another.
#[derive(Debug)]
pub struct ParallelEvm {
    engine: Engine<EvmVm>,
}

impl ParallelEvm {
    /// An engine with workers of its own, kept from block to block.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self { engine: Engine::new(config) }
    }

    /// The engine.
    #[must_use]
    pub fn engine(&self) -> &Engine<EvmVm> {
        &self.engine
    }

    /// Executes `transactions` in order, as far as anybody can tell, on the state that `db` gives.
    ///
    /// # Errors
    /// [`ParallelError`] where a transaction is invalid, the database fails, or revm panics.
    pub fn execute<DB: DatabaseRef + Sync>(
        &self,
        env: &EvmEnv,
        db: &DB,
        transactions: &[TxEnv],
    ) -> Result<ParallelExecuted, ParallelError> {
        let vm = EvmVm::new(env.clone());
        let reader = DatabaseReader::new(db);
        let block = self.engine.execute_block(&vm, &reader, transactions, BlockPolicy::default())?;
        let mut results = Vec::with_capacity(block.outcomes.len());
        for (transaction, outcome) in block.outcomes.into_iter().enumerate() {
            match outcome.output {
                TransactionOutput::Executed(result) => results.push(result),
                TransactionOutput::Invalid(source) => return Err(ParallelError::Invalid { transaction, source }),
                TransactionOutput::Impossible(reason) => {
                    return Err(ParallelError::Impossible { transaction, reason });
                }
            }
        }
        let changes = BlockChanges { changes: block.changes, spec: env.cfg_env.spec };
        Ok(ParallelExecuted { results, changes, metrics: block.metrics })
    }
}

/// The changed parts of one account.
#[derive(Debug, Default)]
pub(crate) struct ChangedAccount {
    holdings: Option<Holdings>,
    identity: Option<Identity>,
    slots: Vec<(u32, U256, U256)>,
}

impl ChangedAccount {
    /// The account after the block. `before` is what it was.
    pub(crate) fn after(&self, before: Option<Basics>, clears: bool) -> Option<Basics> {
        let unset = Basics { balance: U256::ZERO, nonce: 0, code_hash: Identity::ABSENT.code_hash };
        let was = before.unwrap_or(unset);
        let holdings = self.holdings.unwrap_or(Holdings { balance: was.balance, nonce: was.nonce });
        let after = Basics {
            balance: holdings.balance,
            nonce: holdings.nonce,
            code_hash: self.identity.map_or(was.code_hash, |identity| identity.code_hash),
        };
        let exists = self.identity.map_or(before.is_some(), |identity| identity.exists);
        (exists || (clears && !after.is_empty())).then_some(after)
    }

    pub(crate) fn generation(&self) -> u32 {
        self.identity.map_or(0, |identity| identity.generation)
    }

    /// The slots of the account's last generation.
    pub(crate) fn last_slots(&self) -> impl Iterator<Item = (U256, U256)> + '_ {
        let last = self.generation();
        self.slots.iter().filter(move |(generation, ..)| *generation == last).map(|(_, slot, value)| (*slot, *value))
    }
}

impl BlockChanges {
    /// The changes as the engine gives them, by key.
    #[must_use]
    pub fn entries(&self) -> &[(StateKey, Option<StateValue>)] {
        &self.changes
    }

    /// How many values are changed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.changes.len()
    }

    /// Whether nothing is changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    pub(crate) fn clears_empty_accounts(&self) -> bool {
        self.spec.is_enabled_in(SpecId::SPURIOUS_DRAGON)
    }

    /// By account, with the codes that are new.
    pub(crate) fn by_account(&self) -> (BTreeMap<Address, ChangedAccount>, B256Map<Bytecode>) {
        let mut accounts: BTreeMap<Address, ChangedAccount> = BTreeMap::new();
        let mut codes = B256Map::default();
        for (key, value) in &self.changes {
            match (key, value) {
                (StateKey::Holdings(address), value) => {
                    let holdings =
                        if let Some(StateValue::Holdings(holdings)) = value { *holdings } else { Holdings::default() };
                    accounts.entry(*address).or_default().holdings = Some(holdings);
                }
                (StateKey::Identity(address), value) => {
                    let identity =
                        if let Some(StateValue::Identity(identity)) = value { *identity } else { Identity::ABSENT };
                    accounts.entry(*address).or_default().identity = Some(identity);
                }
                (StateKey::Slot(address, generation, slot), value) => {
                    let value = if let Some(StateValue::Slot(value)) = value { *value } else { U256::ZERO };
                    accounts.entry(*address).or_default().slots.push((*generation, *slot, value));
                }
                (StateKey::DeployedCode(hash), Some(StateValue::Code(code))) => {
                    codes.insert(*hash, code.clone());
                }
                // Neither is ever removed, nor written otherwise.
                (StateKey::Code(_) | StateKey::DeployedCode(_) | StateKey::BlockHash(_), _) => {}
            }
        }
        (accounts, codes)
    }

    /// What differs from the state before the block.
    ///
    /// # Errors
    /// What `db` fails with, which must be what the block was executed on.
    pub fn diff<DB: DatabaseRef>(&self, db: &DB) -> Result<StateDiff, DB::Error> {
        let mut diff = StateDiff::default();
        for (address, account) in self.by_account().0 {
            let before = db.basic_ref(address)?.map(|info| Basics::from(&info));
            let after = account.after(before, self.clears_empty_accounts());
            diff.insert(db, address, after, account.generation() > 0, account.last_slots())?;
        }
        Ok(diff)
    }

    /// New code, by its hash.
    pub fn codes(&self) -> impl Iterator<Item = (B256, &Bytecode)> + '_ {
        self.changes.iter().filter_map(|(key, value)| match (key, value) {
            (StateKey::DeployedCode(hash), Some(StateValue::Code(code))) => Some((*hash, code)),
            _ => None,
        })
    }
}
