//! Why there is no block file.

use alloy_primitives::B256;
use revm::primitives::hardfork::SpecId;

use super::execution::{ExecutionError, ReplayError};
use super::remote_state::RemoteStateError;
use super::rpc::{Endpoint, RpcError};
use crate::ethereum::chain::Fork;
use crate::ethereum::receipts::HeaderMismatch;

/// Why there is no block file.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// What was given is no address of a node.
    #[error("{url:?} is no http or https URL: {reason}")]
    Url {
        /// What was given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// HTTP or TLS cannot be set up on this machine.
    #[error("{url}: no client for it: {reason}")]
    Client {
        /// The node.
        url: Endpoint,
        /// What is missing.
        reason: String,
    },
    /// The node does not answer, ahead of any block.
    #[error(transparent)]
    Rpc(#[from] RpcError),
    /// Forks follow a schedule that is not known here.
    #[error("{url}: the chain id is {chain_id}, and only mainnet's forks are known: the fork has to be named")]
    NoFork {
        /// The node.
        url: Endpoint,
        /// Its chain.
        chain_id: u64,
    },
    /// Mainnet's forks are known.
    #[error(
        "{url}: the node is on mainnet, whose blocks are of the fork that their time gives: {fork} cannot be chosen"
    )]
    MainnetFork {
        /// The node.
        url: Endpoint,
        /// What was chosen.
        fork: Fork,
    },
    /// One block.
    #[error("block {block}: {reason}")]
    Block {
        /// Its number.
        block: u64,
        /// What is wrong.
        reason: BlockFailure,
    },
}

/// Why there is no file of one block.
#[derive(Debug, thiserror::Error)]
pub enum BlockFailure {
    /// The node does not answer.
    #[error(transparent)]
    Rpc(#[from] RpcError),
    /// The node is not that far, or has forgotten it.
    #[error("{0} has no such block")]
    Missing(Endpoint),
    /// Nothing comes before it.
    #[error("the first block is not executed")]
    Genesis,
    /// The node gives hashes.
    #[error("{0} gives its transactions' hashes only")]
    OnlyHashes(Endpoint),
    /// Its transactions cannot be executed.
    #[error(transparent)]
    Execution(Box<ExecutionError>),
    /// The file does not give the transactions that the block has.
    #[error("executed from the file: {0}")]
    Replay(Box<ReplayError>),
    /// The execution is not that of the chain: another fork, or a node whose answers do not fit together.
    #[error("executed from the file by the rules of {spec}, it contradicts its header: {mismatch}; nothing is written")]
    Header {
        /// The rules.
        spec: SpecId,
        /// The first contradiction.
        mismatch: HeaderMismatch,
    },
    /// The chain has another block of that number by now.
    #[error("the chain has changed meanwhile: it was {before}, now it is {now}")]
    Reorganised {
        /// When its transactions were asked for.
        before: B256,
        /// At the end.
        now: B256,
    },
    /// The execution has panicked or was cancelled.
    #[error("the execution has ended early: {0}")]
    Ended(String),
}

impl From<ExecutionError> for BlockFailure {
    fn from(error: ExecutionError) -> Self {
        Self::Execution(Box::new(error))
    }
}

impl From<ReplayError> for BlockFailure {
    fn from(error: ReplayError) -> Self {
        Self::Replay(Box::new(error))
    }
}

impl BlockFailure {
    /// Whether other answers could give another outcome.
    pub(super) fn is_about_the_content(&self) -> bool {
        match self {
            Self::Header { .. } | Self::Replay(_) => true,
            Self::Execution(error) => matches!(error.state_error(), None | Some(RemoteStateError::Code { .. })),
            _ => false,
        }
    }
}
