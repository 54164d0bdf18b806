//! The state before a block, asked for as the block's execution needs it, with a record of all that was asked for.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use alloy_eips::eip2935::HISTORY_STORAGE_ADDRESS;
use alloy_eips::eip4788::BEACON_ROOTS_ADDRESS;
use alloy_eips::eip7002::WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS;
use alloy_eips::eip7251::CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS;
use alloy_primitives::{Address, B256, Bytes, U64, U256, keccak256};
use revm::bytecode::{Bytecode, BytecodeDecodeError};
use revm::database_interface::{DBErrorMarker, DatabaseRef};
use revm::primitives::KECCAK_EMPTY;
use revm::state::AccountInfo;
use serde_json::json;
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use super::rpc::{Rpc, RpcError};
use super::trace::Traces;
use crate::ethereum::file::PrestateAccount;

/// What the protocol itself calls, ahead of the transactions or after them: a tracer, which sees transactions only, does
/// not know what they were before the block.
const SYSTEM_CONTRACTS: [Address; 4] = [
    BEACON_ROOTS_ADDRESS,
    HISTORY_STORAGE_ADDRESS,
    WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS,
    CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS,
];

/// Why something of the state is not known.
#[derive(Debug, thiserror::Error)]
pub enum RemoteStateError {
    /// The node does not say.
    #[error(transparent)]
    Rpc(#[from] RpcError),
    /// What the node says is no code.
    #[error("the code of {address} is malformed: {source}")]
    Code {
        /// The account.
        address: Address,
        /// What is wrong.
        source: BytecodeDecodeError,
    },
    /// A block that `BLOCKHASH` asks for.
    #[error("the node has no block {0}, which BLOCKHASH asks for")]
    NoBlock(u64),
    /// Never asked for: every account comes with its code.
    #[error("code {0} is asked for by its hash")]
    CodeByHash(B256),
}

impl DBErrorMarker for RemoteStateError {}

/// All that an execution has read.
#[derive(Debug, Default)]
pub(super) struct Record {
    pub(super) accounts: BTreeMap<Address, PrestateAccount>,
    pub(super) block_hashes: BTreeMap<u64, B256>,
}

/// Answers that came before they were asked for.
#[derive(Debug, Default)]
pub(super) struct Prefetched {
    accounts: BTreeMap<Address, PrestateAccount>,
    slots: BTreeMap<(Address, B256), B256>,
}

/// The state after `parent`.
pub(super) struct RemoteState {
    rpc: Rpc,
    runtime: Handle,
    parent: u64,
    traces: Traces,
    prefetched: Prefetched,
    /// The transaction that is being executed; none ahead of them, or after.
    transaction: Cell<Option<usize>>,
    record: RefCell<Record>,
}

impl RemoteState {
    /// To be used where it may block: it waits for the node.
    pub(super) fn new(rpc: Rpc, runtime: Handle, parent: u64, traces: Traces, prefetched: Prefetched) -> Self {
        let (transaction, record) = (Cell::new(None), RefCell::default());
        Self { rpc, runtime, parent, traces, prefetched, transaction, record }
    }

    /// What is read from now on is read by this transaction, or by none.
    pub(super) fn enter(&self, transaction: Option<usize>) {
        self.transaction.set(transaction);
    }

    pub(super) fn into_record(self) -> Record {
        self.record.into_inner()
    }

    /// Who is asked: the trace of this transaction, what was fetched ahead, the node.
    fn account(&self, address: Address) -> Result<PrestateAccount, RemoteStateError> {
        if let Some(traced) = self.trace_of(address).and_then(|transaction| self.traces.account(transaction, address)) {
            let (balance, nonce, code) = (traced.balance, traced.nonce, traced.code.clone());
            return Ok(PrestateAccount { balance, nonce, code, storage: BTreeMap::new() });
        }
        if let Some(account) = self.prefetched.accounts.get(&address) {
            return Ok(account.clone());
        }
        Ok(self.runtime.block_on(account_at(&self.rpc, address, self.parent))?)
    }

    fn slot(&self, address: Address, slot: B256) -> Result<B256, RemoteStateError> {
        let trace = self.trace_of(address);
        if let Some(value) = trace.and_then(|transaction| self.traces.slot(transaction, address, slot)) {
            return Ok(value);
        }
        if let Some(value) = self.prefetched.slots.get(&(address, slot)) {
            return Ok(*value);
        }
        Ok(self.runtime.block_on(slot_at(&self.rpc, address, slot, self.parent))?)
    }

    /// The transaction whose trace tells of the account: revm asks for everything once, and what was not asked for before
    /// this transaction was not changed before it.
    fn trace_of(&self, address: Address) -> Option<usize> {
        self.transaction.get().filter(|_| !SYSTEM_CONTRACTS.contains(&address))
    }
}

impl DatabaseRef for RemoteState {
    type Error = RemoteStateError;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>, RemoteStateError> {
        let known = self.record.borrow().accounts.get(&address).cloned();
        let account = match known {
            Some(account) => account,
            None => {
                let account = self.account(address)?;
                self.record.borrow_mut().accounts.insert(address, account.clone());
                account
            }
        };
        let (code_hash, code) = if account.code.is_empty() {
            (KECCAK_EMPTY, Bytecode::default())
        } else {
            let code = Bytecode::new_raw_checked(account.code.clone())
                .map_err(|source| RemoteStateError::Code { address, source })?;
            (keccak256(&account.code), code)
        };
        let info = AccountInfo::new(account.balance, account.nonce, code_hash, code);
        Ok((!info.is_empty()).then_some(info))
    }

    fn code_by_hash_ref(&self, code_hash: B256) -> Result<Bytecode, RemoteStateError> {
        if code_hash == KECCAK_EMPTY {
            return Ok(Bytecode::default());
        }
        Err(RemoteStateError::CodeByHash(code_hash))
    }

    fn storage_ref(&self, address: Address, index: U256) -> Result<U256, RemoteStateError> {
        let slot = B256::from(index);
        let known = self.record.borrow().accounts.get(&address).and_then(|account| account.storage.get(&slot).copied());
        if let Some(value) = known {
            return Ok(value.into());
        }
        // A slot that is read has an account that was read: this is for its record only.
        self.basic_ref(address)?;
        let value = self.slot(address, slot)?;
        self.record.borrow_mut().accounts.entry(address).or_default().storage.insert(slot, value);
        Ok(value.into())
    }

    fn block_hash_ref(&self, number: u64) -> Result<B256, RemoteStateError> {
        if let Some(hash) = self.record.borrow().block_hashes.get(&number) {
            return Ok(*hash);
        }
        let hash = self.runtime.block_on(block_hash(&self.rpc, number))?;
        let hash = hash.ok_or(RemoteStateError::NoBlock(number))?;
        self.record.borrow_mut().block_hashes.insert(number, hash);
        Ok(hash)
    }
}

/// Asks for what a block is going to read for sure, all at once.
pub(super) async fn prefetch(
    rpc: &Rpc,
    parent: u64,
    accounts: BTreeSet<Address>,
    slots: BTreeSet<(Address, B256)>,
) -> Result<Prefetched, RpcError> {
    // Dropped with what is still under way when the first one fails.
    let mut asked_accounts = JoinSet::new();
    for address in accounts {
        let rpc = rpc.clone();
        asked_accounts.spawn(async move { account_at(&rpc, address, parent).await.map(|account| (address, account)) });
    }
    let mut asked_slots = JoinSet::new();
    for (address, slot) in slots {
        let rpc = rpc.clone();
        asked_slots
            .spawn(async move { slot_at(&rpc, address, slot, parent).await.map(|value| ((address, slot), value)) });
    }
    let mut prefetched = Prefetched::default();
    while let Some(Ok(answer)) = asked_accounts.join_next().await {
        prefetched.accounts.extend([answer?]);
    }
    while let Some(Ok(answer)) = asked_slots.join_next().await {
        prefetched.slots.extend([answer?]);
    }
    Ok(prefetched)
}

async fn account_at(rpc: &Rpc, address: Address, block: u64) -> Result<PrestateAccount, RpcError> {
    let params = || json!([address, U64::from(block)]);
    let (balance, nonce, code) = tokio::try_join!(
        rpc.ask::<U256>("eth_getBalance", params()),
        rpc.ask::<U64>("eth_getTransactionCount", params()),
        rpc.ask::<Bytes>("eth_getCode", params()),
    )?;
    Ok(PrestateAccount { balance, nonce: nonce.to(), code, storage: BTreeMap::new() })
}

async fn slot_at(rpc: &Rpc, address: Address, slot: B256, block: u64) -> Result<B256, RpcError> {
    // Some nodes leave leading zeroes out.
    let value: U256 = rpc.ask("eth_getStorageAt", json!([address, slot, U64::from(block)])).await?;
    Ok(value.into())
}

/// Nothing where the node has no such block.
pub(super) async fn block_hash(rpc: &Rpc, number: u64) -> Result<Option<B256>, RpcError> {
    #[derive(serde::Deserialize)]
    struct Hash {
        hash: B256,
    }
    let block: Option<Hash> = rpc.ask("eth_getBlockByNumber", json!([U64::from(number), false])).await?;
    Ok(block.map(|block| block.hash))
}
