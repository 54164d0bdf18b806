//! Contracts by hand: everything that reads state in another way.

use alloy_primitives::{Address, B256, U256, keccak256};
use revm::bytecode::opcode::*;

/// Of the token, all with who creates it.
pub(crate) const SUPPLY: u64 = 1_000_000_000;

fn joined(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

/// Code that does `constructor` and leaves `runtime` behind.
pub(crate) fn creation(constructor: &[u8], runtime: &[u8]) -> Vec<u8> {
    let length = u16::try_from(runtime.len()).unwrap().to_be_bytes();
    let offset = u16::try_from(constructor.len() + 15).unwrap().to_be_bytes();
    let copy: &[u8] = &[
        PUSH2, length[0], length[1], DUP1, PUSH2, offset[0], offset[1], PUSH1, 0, CODECOPY, PUSH1, 0, RETURN, STOP,
        STOP,
    ];
    joined(&[constructor, copy, runtime])
}

/// Two words of calldata: to whom, and how much. Balances are a mapping, a transfer is an event, too much is a revert.
pub(crate) fn token() -> Vec<u8> {
    let mut supply = [0; 9];
    supply[0] = PUSH8;
    supply[1..].copy_from_slice(&SUPPLY.to_be_bytes());
    let constructor = joined(&[&[CALLER, PUSH1, 0, MSTORE], &supply, &[PUSH1, 64, PUSH1, 0, KECCAK256, SSTORE]]);
    let event = keccak256("Transfer(address,address,uint256)");
    #[rustfmt::skip]
    let take = [
        CALLER, PUSH1, 0, MSTORE, PUSH1, 64, PUSH1, 0, KECCAK256, DUP1, SLOAD, // slot, balance
        PUSH1, 32, CALLDATALOAD, DUP1, DUP3, LT, PUSH1, 84, JUMPI, // slot, balance, amount
        DUP1, SWAP2, SUB, SWAP1, SWAP2, SSTORE, // amount
    ];
    #[rustfmt::skip]
    let give = [
        PUSH1, 0, CALLDATALOAD, PUSH1, 0, MSTORE, PUSH1, 64, PUSH1, 0, KECCAK256, DUP1, SLOAD, // amount, slot, balance
        DUP3, ADD, SWAP1, SSTORE, PUSH1, 0, MSTORE,
    ];
    let log =
        joined(&[&[PUSH1, 0, CALLDATALOAD, CALLER, PUSH32], event.as_slice(), &[PUSH1, 32, PUSH1, 0, LOG3, STOP]]);
    let mut runtime = joined(&[&take, &give, &log]);
    let revert = u8::try_from(runtime.len()).unwrap();
    // The target of the jump in `take`.
    runtime[take.len() - 8] = revert;
    runtime.extend([JUMPDEST, PUSH1, 0, PUSH1, 0, REVERT]);
    creation(&constructor, &runtime)
}

/// What the token takes.
pub(crate) fn transfer(to: Address, amount: u64) -> Vec<u8> {
    joined(&[to.into_word().as_slice(), &U256::from(amount).to_be_bytes::<32>()])
}

/// Where the token keeps a balance.
pub(crate) fn balance_slot(holder: Address) -> B256 {
    keccak256(joined(&[holder.into_word().as_slice(), B256::ZERO.as_slice()]))
}

/// A word of salt, and the code of what CREATE2 creates; slot 0 is its address.
pub(crate) fn factory() -> Vec<u8> {
    #[rustfmt::skip]
    let runtime = [
        PUSH1, 32, CALLDATASIZE, SUB, DUP1, PUSH1, 32, PUSH1, 0, CALLDATACOPY, // size
        PUSH1, 0, CALLDATALOAD, SWAP1, PUSH1, 0, CALLVALUE, CREATE2, PUSH1, 0, SSTORE, STOP,
    ];
    creation(&[], &runtime)
}

/// Counts its calls in slot 0, from 7.
pub(crate) fn counter() -> Vec<u8> {
    creation(&[PUSH1, 7, PUSH1, 0, SSTORE], &[PUSH1, 1, PUSH1, 0, SLOAD, ADD, PUSH1, 0, SSTORE, STOP])
}

/// Destroys itself whenever it is called.
pub(crate) fn destructible() -> Vec<u8> {
    creation(&[], &[CALLER, SELFDESTRUCT])
}

/// Never exists after the transaction that creates it.
pub(crate) fn ephemeral() -> Vec<u8> {
    vec![CALLER, SELFDESTRUCT]
}

/// Keeps the hashes of the last block and of the one two ahead of it, and of one that is too old.
pub(crate) fn hashes() -> Vec<u8> {
    #[rustfmt::skip]
    let runtime = [
        PUSH1, 1, NUMBER, SUB, BLOCKHASH, PUSH1, 0, SSTORE,
        PUSH1, 3, NUMBER, SUB, BLOCKHASH, PUSH1, 1, SSTORE,
        PUSH2, 4, 0, NUMBER, SUB, BLOCKHASH, PUSH1, 2, SSTORE, STOP,
    ];
    creation(&[], &runtime)
}

/// Keeps what can be seen of the coinbase, of itself, and of the account that its calldata names.
pub(crate) fn probe() -> Vec<u8> {
    #[rustfmt::skip]
    let runtime = [
        COINBASE, BALANCE, PUSH1, 0, SSTORE,
        SELFBALANCE, PUSH1, 1, SSTORE,
        PUSH1, 0, CALLDATALOAD, BALANCE, PUSH1, 2, SSTORE,
        PUSH1, 0, CALLDATALOAD, EXTCODEHASH, PUSH1, 3, SSTORE, STOP,
    ];
    creation(&[], &runtime)
}

/// Asks the contract that its first word names with its second, and keeps the answer.
pub(crate) fn asker() -> Vec<u8> {
    #[rustfmt::skip]
    let runtime = [
        PUSH1, 32, CALLDATALOAD, PUSH1, 0, MSTORE,
        PUSH1, 32, PUSH1, 32, PUSH1, 32, PUSH1, 0, PUSH1, 0, CALLDATALOAD, GAS, STATICCALL, PUSH1, 0, SSTORE,
        PUSH1, 32, MLOAD, PUSH1, 1, SSTORE, STOP,
    ];
    creation(&[], &runtime)
}

/// Ends when the gas does.
pub(crate) fn endless() -> Vec<u8> {
    creation(&[], &[JUMPDEST, PUSH1, 1, PUSH1, 0, SSTORE, PUSH1, 0, JUMP])
}
