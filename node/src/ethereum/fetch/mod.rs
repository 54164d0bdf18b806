//! Block files from any node that speaks Ethereum's JSON-RPC.
//!
//! A block is executed here, with plain revm, over a state that asks the node for whatever is read: that is the prestate,
//! neither more nor less. Where the node traces (`debug_traceBlockByNumber`), most of the answers are there ahead of the
//! questions; where it does not, it takes more requests, and the file is the same. A file is written only if the block
//! reproduces its header out of that file.

mod error;
mod execution;
mod remote_state;
mod rpc;
mod trace;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use alloy_consensus::{Transaction as _, TxType};
use alloy_evm::FromRecoveredTx;
use alloy_primitives::{Address, B256, U64};
use alloy_rpc_types_eth::{Block, Transaction};
use revm::context::TxEnv;
use serde_json::json;
use tokio::runtime::Handle;
use url::Url;

pub use self::error::{BlockFailure, FetchError};
pub use self::execution::{ExecutionError, ReplayError};
pub use self::remote_state::RemoteStateError;
use self::remote_state::{Prefetched, Record, RemoteState};
use self::rpc::Rpc;
pub use self::rpc::{Endpoint, RpcError, RpcFailure};
use self::trace::{TraceEntry, Traces};
use super::chain::{Chain, Fork, MAINNET, environment};
use super::file::BlockFile;

/// JSON-RPC's code for a method that is not there.
const NO_METHOD: i64 = -32601;

/// How a node is asked.
#[derive(Debug, Clone)]
pub struct FetchSettings {
    /// How often a request that was interrupted or put off is repeated.
    pub retries: u32,
    /// How long an answer may take.
    pub timeout: Duration,
    /// The pause ahead of the first repetition; doubled with every one.
    pub backoff: Duration,
    /// Whether the node's tracer is asked for the prestate.
    pub trace: bool,
    /// The fork that the blocks are of, where the chain is not mainnet.
    pub fork: Option<Fork>,
}

impl Default for FetchSettings {
    fn default() -> Self {
        Self {
            retries: 5,
            timeout: Duration::from_secs(60),
            backoff: Duration::from_millis(500),
            trace: true,
            fork: None,
        }
    }
}

/// A block file, and what it took.
#[derive(Debug)]
pub struct Fetched {
    /// Checked against its header.
    pub file: BlockFile,
    /// Whether the node's tracer gave most of the prestate.
    pub traced: bool,
    /// Requests to the node, with those that were repeated.
    pub requests: u64,
}

/// A node that blocks are fetched from.
#[derive(Debug)]
pub struct Fetcher {
    rpc: Rpc,
    chain: Option<Chain>,
    /// Until the node says that it has no tracer.
    trace: AtomicBool,
}

impl Fetcher {
    /// Asks a node for its chain.
    ///
    /// # Errors
    /// [`FetchError`] where the URL is none, the node does not answer, or its chain's forks are not known.
    pub async fn connect(url: &str, settings: &FetchSettings) -> Result<Self, FetchError> {
        let no_url = |reason: String| FetchError::Url { url: url.to_owned(), reason };
        let parsed = Url::parse(url).map_err(|error| no_url(error.to_string()))?;
        if !matches!(parsed.scheme(), "http" | "https") {
            return Err(no_url(format!("its scheme is {:?}", parsed.scheme())));
        }
        let client = |reason| FetchError::Client { url: Endpoint::of(&parsed), reason };
        let rpc = Rpc::new(&parsed, settings).map_err(client)?;
        let chain_id = rpc.ask::<U64>("eth_chainId", json!([])).await?.to();
        let url = || rpc.url().clone();
        let chain = match (chain_id, settings.fork) {
            (MAINNET, None) => None,
            (MAINNET, Some(fork)) => return Err(FetchError::MainnetFork { url: url(), fork }),
            (_, None) => return Err(FetchError::NoFork { url: url(), chain_id }),
            (_, Some(fork)) => Some(Chain { chain_id, fork }),
        };
        Ok(Self { rpc, chain, trace: AtomicBool::new(settings.trace) })
    }

    /// The number of the chain's last block.
    ///
    /// # Errors
    /// [`FetchError::Rpc`] where the node does not answer.
    pub async fn latest(&self) -> Result<u64, FetchError> {
        Ok(self.rpc.ask::<U64>("eth_blockNumber", json!([])).await?.to())
    }

    /// Fetches a block with all that its execution reads, and checks that it reproduces its header.
    ///
    /// To be called on a runtime with more than one thread or with blocking threads: the execution is on one of these.
    ///
    /// # Errors
    /// [`FetchError::Block`] where the node does not say all, or what it says does not fit together.
    pub async fn fetch(&self, number: u64) -> Result<Fetched, FetchError> {
        let before = self.rpc.requests();
        let fetched = self.fetch_block(number).await;
        let (file, traced) = fetched.map_err(|reason| FetchError::Block { block: number, reason })?;
        Ok(Fetched { file, traced, requests: self.rpc.requests() - before })
    }

    async fn fetch_block(&self, number: u64) -> Result<(BlockFile, bool), BlockFailure> {
        let parent = number.checked_sub(1).ok_or(BlockFailure::Genesis)?;
        let block: Option<Block> = self.rpc.ask("eth_getBlockByNumber", json!([U64::from(number), true])).await?;
        let block = block.ok_or_else(|| BlockFailure::Missing(self.rpc.url().clone()))?;
        // An empty list reads as one of hashes.
        if block.transactions.is_hashes() && !block.transactions.is_empty() {
            return Err(BlockFailure::OnlyHashes(self.rpc.url().clone()));
        }
        let credited = self.credited(&block).await?;
        let traces = self.traces(number, block.transactions.len()).await?;
        let traced = traces.as_ref().is_some_and(|traces| !traces.is_empty());
        let assembled = match traces {
            Some(traces) => match self.assemble(&block, parent, &credited, traces, Prefetched::default()).await {
                Err(failure) if failure.is_about_the_content() => {
                    tracing::warn!(block = number, "{failure}: without the tracer");
                    None
                }
                other => Some((other?, traced)),
            },
            None => None,
        };
        let (file, traced) = match assembled {
            Some(assembled) => assembled,
            None => {
                let (accounts, slots) = named(&block, &credited);
                let prefetched = remote_state::prefetch(&self.rpc, parent, accounts, slots).await?;
                (self.assemble(&block, parent, &credited, Traces::default(), prefetched).await?, false)
            }
        };
        let now = remote_state::block_hash(&self.rpc, number).await?;
        let now = now.ok_or_else(|| BlockFailure::Missing(self.rpc.url().clone()))?;
        if now != block.header.hash {
            return Err(BlockFailure::Reorganised { before: block.header.hash, now });
        }
        Ok((file, traced))
    }

    /// Accounts that get something without a transaction.
    async fn credited(&self, block: &Block) -> Result<Vec<Address>, RpcError> {
        #[derive(serde::Deserialize)]
        struct Ommer {
            miner: Address,
        }
        let mut credited = vec![block.header.beneficiary];
        for at in 0..block.uncles.len() {
            let params = json!([U64::from(block.header.number), U64::from(at)]);
            let ommer: Ommer = self.rpc.ask("eth_getUncleByBlockNumberAndIndex", params).await?;
            credited.push(ommer.miner);
        }
        credited.extend(block.withdrawals.iter().flatten().map(|withdrawal| withdrawal.address));
        Ok(credited)
    }

    /// What the node's tracer says; nothing where it has none, or will not.
    async fn traces(&self, number: u64, transactions: usize) -> Result<Option<Traces>, RpcError> {
        if transactions == 0 || !self.trace.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let params = json!([U64::from(number), { "tracer": "prestateTracer" }]);
        let entries = match self.rpc.ask::<Vec<TraceEntry>>("debug_traceBlockByNumber", params).await {
            Ok(entries) => entries,
            // Gone is gone: the other requests would end the same way.
            Err(error @ RpcError { failure: RpcFailure::Connection(_), .. }) => return Err(error),
            Err(error) => {
                tracing::info!(block = number, "{error}: without the tracer");
                // It may be the one block that takes too long, or is too old. Who has no tracer has none for the next.
                if matches!(error.failure, RpcFailure::Refused { code: NO_METHOD, .. } | RpcFailure::Status { .. }) {
                    self.trace.store(false, Ordering::Relaxed);
                }
                return Ok(None);
            }
        };
        Ok(Traces::new(entries, transactions))
    }

    /// Executes the block over the node's state and gives it with all that it reads.
    async fn assemble(
        &self,
        block: &Block,
        parent: u64,
        credited: &[Address],
        traces: Traces,
        prefetched: Prefetched,
    ) -> Result<BlockFile, BlockFailure> {
        let (chain, block, header) = (self.chain, block.clone(), block.header.inner.clone());
        let env = environment(chain.as_ref(), &header);
        let types: Vec<TxType> = transactions(&block).map(|transaction| transaction.inner.tx_type()).collect();
        let transactions: Vec<TxEnv> = transactions(&block).map(executable).collect();
        let credited = credited.to_vec();
        let state = RemoteState::new(self.rpc.clone(), Handle::current(), parent, traces, prefetched);
        let executed = tokio::task::spawn_blocking(move || {
            execution::execute(&env, &header, transactions.clone(), &credited, &state)?;
            let Record { accounts: prestate, block_hashes } = state.into_record();
            let file = BlockFile { chain, block, prestate, block_hashes };
            match execution::contradictions(&file, &transactions, &types)?.into_iter().next() {
                None => Ok(file),
                Some(mismatch) => Err(BlockFailure::Header { spec: env.cfg_env.spec, mismatch }),
            }
        });
        executed.await.map_err(|error| BlockFailure::Ended(error.to_string()))?
    }
}

fn transactions(block: &Block) -> impl Iterator<Item = &Transaction> {
    block.transactions.as_transactions().unwrap_or_default().iter()
}

fn executable(transaction: &Transaction) -> TxEnv {
    TxEnv::from_recovered_tx(transaction.inner.inner(), transaction.inner.signer())
}

/// What the block itself names, and reads whatever its code does.
fn named(block: &Block, credited: &[Address]) -> (BTreeSet<Address>, BTreeSet<(Address, B256)>) {
    let mut accounts: BTreeSet<Address> = credited.iter().copied().collect();
    let mut slots = BTreeSet::new();
    for transaction in transactions(block) {
        accounts.insert(transaction.inner.signer());
        accounts.extend(transaction.to());
        for item in transaction.access_list().into_iter().flat_map(|list| &list.0) {
            accounts.insert(item.address);
            slots.extend(item.storage_keys.iter().map(|slot| (item.address, *slot)));
        }
    }
    (accounts, slots)
}
