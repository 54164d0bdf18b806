//! The environment of a block that has nothing special.

use alloy_primitives::{Address, B256, U256};
use revm::context::{BlockEnv, CfgEnv};
use revm::primitives::hardfork::SpecId;
use weft_evm::EvmEnv;

const BASE_FEE: u64 = 7;

/// Block 1000 under the rules of `spec`.
pub(crate) fn env(spec: SpecId, coinbase: Address) -> EvmEnv {
    let cfg = CfgEnv::new_with_spec(spec);
    let mut block = BlockEnv {
        number: U256::from(1_000),
        beneficiary: coinbase,
        timestamp: U256::from(1_700_000_000),
        gas_limit: 30_000_000,
        basefee: if spec.is_enabled_in(SpecId::LONDON) { BASE_FEE } else { 0 },
        difficulty: U256::from(2),
        prevrandao: Some(B256::repeat_byte(0x77)),
        ..BlockEnv::default()
    };
    block.set_blob_excess_gas_and_price(0, cfg.blob_base_fee_update_fraction());
    EvmEnv::new(cfg, block)
}
