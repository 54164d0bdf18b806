//! The bytecode of published contracts, from where `benches/install-contracts` has put the npm packages.

use std::path::PathBuf;
use std::{fs, io};

use revm::primitives::{Bytes, hex};

/// Why a contract is not there.
#[derive(Debug, thiserror::Error)]
pub enum ArtifactError {
    /// The packages are not installed.
    #[error("{path}: {source}; benches/install-contracts installs the contracts", path = path.display())]
    Io {
        /// The file that was looked for.
        path: PathBuf,
        /// Why it could not be read.
        source: io::Error,
    },
    /// The file is not JSON.
    #[error("{path}: {source}", path = path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// The file has no bytecode.
    #[error("{path}: has no bytecode that can be deployed", path = path.display())]
    Bytecode {
        /// The file.
        path: PathBuf,
    },
}

/// A published contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contract {
    /// An ERC-20 token whose whole supply is minted by the constructor.
    Token,
    /// What makes Uniswap's pools.
    Factory,
    /// What users call to swap.
    Router,
    /// What users call to provide liquidity.
    PositionManager,
}

impl Contract {
    const fn file(self) -> &'static str {
        match self {
            Self::Token => "@openzeppelin/contracts/build/contracts/ERC20PresetFixedSupply.json",
            Self::Factory => "@uniswap/v3-core/artifacts/contracts/UniswapV3Factory.sol/UniswapV3Factory.json",
            Self::Router => "@uniswap/v3-periphery/artifacts/contracts/SwapRouter.sol/SwapRouter.json",
            Self::PositionManager => {
                "@uniswap/v3-periphery/artifacts/contracts/NonfungiblePositionManager.sol/NonfungiblePositionManager.json"
            }
        }
    }

    /// The code that deploys it, to which the constructor's arguments are appended.
    ///
    /// # Errors
    /// [`ArtifactError`], above all where the packages are not installed.
    pub fn initcode(self) -> Result<Bytes, ArtifactError> {
        let directory = std::env::var_os("WEFT_CONTRACTS").map_or_else(|| "target/contracts".into(), PathBuf::from);
        let path = directory.join("node_modules").join(self.file());
        let bytes = fs::read(&path).map_err(|source| ArtifactError::Io { path: path.clone(), source })?;
        let json: serde_json::Value =
            serde_json::from_slice(&bytes).map_err(|source| ArtifactError::Json { path: path.clone(), source })?;
        let bytecode =
            json["bytecode"].as_str().and_then(|text| hex::decode(text).ok()).filter(|code| !code.is_empty());
        bytecode.map(Bytes::from).ok_or(ArtifactError::Bytecode { path })
    }
}
