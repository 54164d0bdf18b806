//! ERC-20 tokens: OpenZeppelin's, set up by its own constructor and by transfers to whoever is to hold some.

use revm::primitives::{Address, Bytes, U256};

use super::abi;
use super::genesis::{Genesis, WorkloadError};

/// What everybody holds: 1 of 10¹⁸ parts.
pub(super) const HOLDING: U256 = U256::from_limbs([1_000_000_000_000_000_000, 0, 0, 0]);

/// A deployed token, of which `issuer` holds all that nobody else does.
#[derive(Debug, Clone, Copy)]
pub(super) struct Token {
    pub(super) address: Address,
    issuer: Address,
}

impl Token {
    pub(super) fn deploy(genesis: &mut Genesis, initcode: &Bytes, issuer: Address) -> Result<Self, WorkloadError> {
        let supply = U256::from(222_222_000_000_000_000_000_000_u128);
        let ([name_length, name], [symbol_length, symbol]) = (abi::text("Gold Token"), abi::text("GLD"));
        // Two texts, each where the head says: after four words, and after six.
        let (name_at, symbol_at) = (U256::from(128), U256::from(192));
        let arguments: [&dyn abi::Word; 8] =
            [&name_at, &symbol_at, &supply, &issuer, &name_length, &name, &symbol_length, &symbol];
        let address = genesis.deploy(issuer, abi::deploy(initcode, &arguments))?;
        Ok(Self { address, issuer })
    }

    /// Gives everybody the usual holding.
    pub(super) fn fund(&self, genesis: &mut Genesis, holders: &[Address]) -> Result<(), WorkloadError> {
        holders.iter().try_for_each(|&holder| genesis.call(self.issuer, self.address, transfer(holder, HOLDING)))
    }

    /// Lets `spender` spend whatever `owner` has.
    pub(super) fn approve(&self, genesis: &mut Genesis, owner: Address, spender: Address) -> Result<(), WorkloadError> {
        genesis.call(owner, self.address, abi::call("approve(address,uint256)", &[&spender, &U256::MAX]))
    }
}

/// The call that sends tokens.
pub(super) fn transfer(to: Address, amount: U256) -> Bytes {
    abi::call("transfer(address,uint256)", &[&to, &amount])
}
