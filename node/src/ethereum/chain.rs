//! Which chain a block is of, and by which rules it is executed.

use std::fmt;
use std::str::FromStr;

use alloy_consensus::Header;
use alloy_eips::eip7840::BlobParams;
use alloy_hardforks::{EthereumChainHardforks, EthereumHardfork, EthereumHardforks, ForkCondition};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use weft_evm::EvmEnv;

/// Mainnet's chain id.
pub const MAINNET: u64 = 1;

/// A chain other than mainnet. Its forks follow no schedule that is known here: every block says which one it is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Chain {
    /// What transactions are signed for (EIP-155).
    pub chain_id: u64,
    /// The rules.
    pub fork: Fork,
}

/// The latest fork that is active, by its name: `london`, `prague`, `osaka`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fork(pub EthereumHardfork);

/// A name that no fork has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no fork {name:?}: they are {}", known_forks())]
pub struct UnknownFork {
    /// The name.
    pub name: String,
}

/// Forks whose rules revm has; those that only change the difficulty's growth are named like any other.
fn known_forks() -> String {
    let forks: Vec<String> = supported().map(|fork| Fork(fork).to_string()).collect();
    forks.join(", ")
}

fn supported() -> impl Iterator<Item = EthereumHardfork> {
    // Of what comes after, the parameters are not settled.
    EthereumHardfork::VARIANTS.iter().copied().filter(|fork| *fork <= EthereumHardfork::Bpo2)
}

impl fmt::Display for Fork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.name().to_lowercase())
    }
}

impl FromStr for Fork {
    type Err = UnknownFork;

    fn from_str(name: &str) -> Result<Self, UnknownFork> {
        let fork = supported().find(|fork| fork.name().eq_ignore_ascii_case(name));
        fork.map(Self).ok_or_else(|| UnknownFork { name: name.to_owned() })
    }
}

impl Serialize for Fork {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Fork {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl EthereumHardforks for Fork {
    fn ethereum_fork_activation(&self, fork: EthereumHardfork) -> ForkCondition {
        if fork > self.0 {
            ForkCondition::Never
        } else if fork >= EthereumHardfork::Shanghai {
            // Those since the merge are asked for by time only.
            ForkCondition::Timestamp(0)
        } else {
            ForkCondition::Block(0)
        }
    }
}

/// The rules and the block as the machine sees them; of mainnet where the block names no other chain.
#[must_use]
pub fn environment(chain: Option<&Chain>, header: &Header) -> EvmEnv {
    match chain {
        None => environment_by(&EthereumChainHardforks::mainnet(), MAINNET, header),
        Some(chain) => environment_by(&chain.fork, chain.chain_id, header),
    }
}

fn environment_by(forks: &impl EthereumHardforks, chain_id: u64, header: &Header) -> EvmEnv {
    EvmEnv::for_eth_block(header, forks, chain_id, blob_params(forks, header.timestamp))
}

fn blob_params(forks: &impl EthereumHardforks, timestamp: u64) -> Option<BlobParams> {
    if forks.is_bpo2_active_at_timestamp(timestamp) {
        Some(BlobParams::bpo2())
    } else if forks.is_bpo1_active_at_timestamp(timestamp) {
        Some(BlobParams::bpo1())
    } else if forks.is_osaka_active_at_timestamp(timestamp) {
        Some(BlobParams::osaka())
    } else if forks.is_prague_active_at_timestamp(timestamp) {
        Some(BlobParams::prague())
    } else {
        forks.is_cancun_active_at_timestamp(timestamp).then(BlobParams::cancun)
    }
}

#[cfg(test)]
mod tests {
    use revm::primitives::hardfork::SpecId;

    use super::*;

    fn spec(fork: &str) -> SpecId {
        let chain = Chain { chain_id: 31_337, fork: fork.parse().unwrap() };
        let header = Header { number: 3, timestamp: 1_700_000_000, ..Header::default() };
        let env = environment(Some(&chain), &header);
        assert_eq!(env.cfg_env.chain_id, 31_337);
        env.cfg_env.spec
    }

    #[test]
    fn a_named_fork_is_the_latest_that_is_active() {
        assert_eq!(spec("frontier"), SpecId::FRONTIER);
        assert_eq!(spec("london"), SpecId::LONDON);
        assert_eq!(spec("paris"), SpecId::MERGE);
        assert_eq!(spec("Shanghai"), SpecId::SHANGHAI);
        assert_eq!(spec("cancun"), SpecId::CANCUN);
        assert_eq!(spec("prague"), SpecId::PRAGUE);
        assert_eq!(spec("osaka"), SpecId::OSAKA);
    }

    #[test]
    fn without_a_chain_the_block_is_mainnets() {
        let header = Header { number: 15_537_393, ..Header::default() };
        let env = environment(None, &header);
        assert_eq!((env.cfg_env.chain_id, env.cfg_env.spec), (1, SpecId::LONDON));
    }

    #[test]
    fn a_chain_is_written_as_an_object_with_the_name_of_its_fork() {
        let chain = Chain { chain_id: 31_337, fork: Fork(EthereumHardfork::Prague) };
        let text = serde_json::to_string(&chain).unwrap();
        assert_eq!(text, r#"{"chainId":31337,"fork":"prague"}"#);
        assert_eq!(serde_json::from_str::<Chain>(&text).unwrap(), chain);
        let error = serde_json::from_str::<Chain>(r#"{"chainId":5,"fork":"gaza"}"#).unwrap_err().to_string();
        assert!(error.contains(r#"there is no fork "gaza": they are frontier, "#), "{error}");
    }
}
