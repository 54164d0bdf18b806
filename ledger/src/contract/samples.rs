//! Contracts to test and to measure with: their modules, the inputs of their calls, the keys of their storage.
//!
//! The sources are in `ledger/contracts`; the head of each says what it does, and with which exit codes. The input's
//! first byte is the entry: the contracts are the same whether a transaction calls them or a contract.

use std::sync::OnceLock;

use super::{Module, assemble};

/// The exit code of all samples for an input of a wrong length.
pub const BAD_INPUT: u64 = 1;
/// The exit code of all samples for an entry that they do not have.
pub const UNKNOWN_ENTRY: u64 = 2;

/// A sample contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sample {
    /// Balances, allowances and a total supply.
    Token,
    /// Constant-product pools: each swap reads and writes both reserves.
    Amm,
    /// Numbers that grow by reading and writing them: increments of one counter conflict.
    Counter,
    /// Numbers that grow by `storage_add`: increments never conflict.
    AddCounter,
    /// Things with a number and an owner: mints queue for the next number.
    NftMint,
    /// Changes everything that it can, then uses up its gas.
    GasBurner,
    /// Reads up to 200 values.
    ManyReader,
    /// Calls contracts, between two changes of its own storage.
    Caller,
    /// As much arithmetic as is wanted, on a value of the caller's.
    Worker,
}

impl Sample {
    /// All samples.
    pub const ALL: [Self; 9] = [
        Self::Token,
        Self::Amm,
        Self::Counter,
        Self::AddCounter,
        Self::NftMint,
        Self::GasBurner,
        Self::ManyReader,
        Self::Caller,
        Self::Worker,
    ];

    /// The name; its source is the file of this name in `ledger/contracts`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Amm => "amm",
            Self::Counter => "counter",
            Self::AddCounter => "add_counter",
            Self::NftMint => "nft_mint",
            Self::GasBurner => "gas_burner",
            Self::ManyReader => "many_reader",
            Self::Caller => "caller",
            Self::Worker => "worker",
        }
    }

    /// The source.
    #[must_use]
    pub const fn source(self) -> &'static str {
        match self {
            Self::Token => include_str!("../../contracts/token.asm"),
            Self::Amm => include_str!("../../contracts/amm.asm"),
            Self::Counter => include_str!("../../contracts/counter.asm"),
            Self::AddCounter => include_str!("../../contracts/add_counter.asm"),
            Self::NftMint => include_str!("../../contracts/nft_mint.asm"),
            Self::GasBurner => include_str!("../../contracts/gas_burner.asm"),
            Self::ManyReader => include_str!("../../contracts/many_reader.asm"),
            Self::Caller => include_str!("../../contracts/caller.asm"),
            Self::Worker => include_str!("../../contracts/worker.asm"),
        }
    }

    /// The module; assembled at the first use, once in a process.
    ///
    /// # Panics
    /// Never: the sources are part of this crate, and its tests assemble them all.
    #[must_use]
    pub fn module(self) -> Module {
        static MODULES: [OnceLock<Module>; Sample::ALL.len()] = [const { OnceLock::new() }; Sample::ALL.len()];
        MODULES[self as usize]
            .get_or_init(|| match assemble(self.source()) {
                Ok(bytes) => Module::new(bytes),
                Err(error) => panic!("the source of {}, a part of this crate, does not assemble: {error}", self.name()),
            })
            .clone()
    }
}

/// An entry and its arguments, one after another.
fn input(entry: u8, arguments: &[&[u8]]) -> Vec<u8> {
    let mut input = vec![entry];
    arguments.iter().for_each(|argument| input.extend_from_slice(argument));
    input
}

/// A key: a letter and what follows it.
fn key(letter: u8, parts: &[&[u8]]) -> Vec<u8> {
    input(letter, parts)
}

/// A name as a topic of events: ASCII, filled with zeros.
fn topic(name: &str) -> crate::types::Hash {
    let mut topic = [0; 32];
    topic[..name.len()].copy_from_slice(name.as_bytes());
    crate::types::Hash(topic)
}

/// Inputs, keys and exit codes of [`Sample::Token`].
pub mod token {
    use super::{input, key, topic};
    use crate::types::{Address, Hash};

    /// Exit code: the caller may not mint.
    pub const NOT_OWNER: u64 = 3;
    /// Exit code: the sender has less.
    pub const NO_BALANCE: u64 = 4;
    /// Exit code: the caller may take less.
    pub const NO_ALLOWANCE: u64 = 5;
    /// Exit code: the supply would exceed 2^64-1.
    pub const SUPPLY_OVERFLOW: u64 = 6;

    /// Input of the constructor: the caller becomes the owner and gets `supply`.
    #[must_use]
    pub fn constructor(supply: u64) -> Vec<u8> {
        supply.to_le_bytes().to_vec()
    }

    /// New tokens for `to`; the owner only.
    #[must_use]
    pub fn mint(to: &Address, amount: u64) -> Vec<u8> {
        input(0, &[&to.0, &amount.to_le_bytes()])
    }

    /// From the caller to `to`.
    #[must_use]
    pub fn transfer(to: &Address, amount: u64) -> Vec<u8> {
        input(1, &[&to.0, &amount.to_le_bytes()])
    }

    /// Returns the balance of `address`, 8 bytes.
    #[must_use]
    pub fn balance_of(address: &Address) -> Vec<u8> {
        input(2, &[&address.0])
    }

    /// Sets what `spender` may take from the caller.
    #[must_use]
    pub fn approve(spender: &Address, amount: u64) -> Vec<u8> {
        input(3, &[&spender.0, &amount.to_le_bytes()])
    }

    /// From `from` to `to`, out of what the caller may take.
    #[must_use]
    pub fn transfer_from(from: &Address, to: &Address, amount: u64) -> Vec<u8> {
        input(4, &[&from.0, &to.0, &amount.to_le_bytes()])
    }

    /// Returns what `spender` may take from `owner`, 8 bytes.
    #[must_use]
    pub fn allowance(owner: &Address, spender: &Address) -> Vec<u8> {
        input(5, &[&owner.0, &spender.0])
    }

    /// Returns the supply, 8 bytes.
    #[must_use]
    pub fn total_supply() -> Vec<u8> {
        input(6, &[])
    }

    /// Returns the owner, 32 bytes, or nothing.
    #[must_use]
    pub fn owner() -> Vec<u8> {
        input(7, &[])
    }

    /// Where the owner is stored.
    #[must_use]
    pub fn owner_key() -> Vec<u8> {
        b"o".to_vec()
    }

    /// Where the supply is stored.
    #[must_use]
    pub fn supply_key() -> Vec<u8> {
        b"s".to_vec()
    }

    /// Where a balance is stored.
    #[must_use]
    pub fn balance_key(address: &Address) -> Vec<u8> {
        key(b'b', &[&address.0])
    }

    /// Where it is stored what `spender` may take from `owner`.
    #[must_use]
    pub fn allowance_key(owner: &Address, spender: &Address) -> Vec<u8> {
        key(b'a', &[&owner.0, &spender.0])
    }

    /// The first topic of transfers; then from and to. The data is the amount.
    #[must_use]
    pub fn transfer_topic() -> Hash {
        topic("Transfer")
    }

    /// The first topic of approvals; then owner and spender. The data is the amount.
    #[must_use]
    pub fn approval_topic() -> Hash {
        topic("Approval")
    }
}

/// Inputs, keys and exit codes of [`Sample::Amm`].
pub mod amm {
    use super::{input, key, topic};
    use crate::types::Hash;

    /// The most that a reserve can be.
    pub const MAX_RESERVE: u64 = u64::MAX / 1000;
    /// Exit code: the pool exists already.
    pub const POOL_EXISTS: u64 = 3;
    /// Exit code: there is no such pool.
    pub const NO_POOL: u64 = 4;
    /// Exit code: a reserve of 0, or above [`MAX_RESERVE`].
    pub const BAD_RESERVE: u64 = 5;
    /// Exit code: nothing goes in, or more than [`MAX_RESERVE`] allows.
    pub const BAD_AMOUNT: u64 = 6;
    /// Exit code: less would come out than is asked for.
    pub const SLIPPAGE: u64 = 7;

    /// What goes in, and what comes out.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Direction {
        /// The first asset for the second.
        AToB,
        /// The second asset for the first.
        BToA,
    }

    /// Makes a pool.
    #[must_use]
    pub fn init(pool: u64, reserve_a: u64, reserve_b: u64) -> Vec<u8> {
        input(0, &[&pool.to_le_bytes(), &reserve_a.to_le_bytes(), &reserve_b.to_le_bytes()])
    }

    /// Returns what comes out, 8 bytes.
    #[must_use]
    pub fn swap(pool: u64, direction: Direction, amount_in: u64, min_out: u64) -> Vec<u8> {
        input(1, &[&pool.to_le_bytes(), &[direction as u8], &amount_in.to_le_bytes(), &min_out.to_le_bytes()])
    }

    /// Returns both reserves, 16 bytes.
    #[must_use]
    pub fn reserves(pool: u64) -> Vec<u8> {
        input(2, &[&pool.to_le_bytes()])
    }

    /// Where the first reserve is stored.
    #[must_use]
    pub fn reserve_a_key(pool: u64) -> Vec<u8> {
        key(b'a', &[&pool.to_le_bytes()])
    }

    /// Where the second reserve is stored.
    #[must_use]
    pub fn reserve_b_key(pool: u64) -> Vec<u8> {
        key(b'b', &[&pool.to_le_bytes()])
    }

    /// The topic of swaps. The data is pool, direction, in and out, 8 bytes each.
    #[must_use]
    pub fn swap_topic() -> Hash {
        topic("Swap")
    }
}

/// Inputs, keys and exit codes of [`Sample::Counter`] and [`Sample::AddCounter`]: they are the same.
pub mod counter {
    use super::{input, key};

    /// Exit code: the counter would exceed 2^64-1.
    pub const OVERFLOW: u64 = 3;

    /// Adds to a counter.
    #[must_use]
    pub fn increment(id: u64, amount: u64) -> Vec<u8> {
        input(0, &[&id.to_le_bytes(), &amount.to_le_bytes()])
    }

    /// Returns the counter, 8 bytes.
    #[must_use]
    pub fn get(id: u64) -> Vec<u8> {
        input(1, &[&id.to_le_bytes()])
    }

    /// Where a counter is stored.
    #[must_use]
    pub fn counter_key(id: u64) -> Vec<u8> {
        key(b'c', &[&id.to_le_bytes()])
    }
}

/// Inputs, keys and exit codes of [`Sample::NftMint`].
pub mod nft_mint {
    use super::{input, key, topic};
    use crate::types::{Address, Hash};

    /// Exit code: there is no such thing.
    pub const NO_SUCH: u64 = 3;
    /// Exit code: the caller does not own it.
    pub const NOT_OWNER: u64 = 4;
    /// Exit code: no number is left.
    pub const ALL_USED: u64 = 5;

    /// Returns the number of the new thing, 8 bytes.
    #[must_use]
    pub fn mint(to: &Address) -> Vec<u8> {
        input(0, &[&to.0])
    }

    /// Returns the owner, 32 bytes.
    #[must_use]
    pub fn owner_of(id: u64) -> Vec<u8> {
        input(1, &[&id.to_le_bytes()])
    }

    /// Gives a thing of the caller's to `to`.
    #[must_use]
    pub fn transfer(id: u64, to: &Address) -> Vec<u8> {
        input(2, &[&id.to_le_bytes(), &to.0])
    }

    /// Where the next number is stored.
    #[must_use]
    pub fn next_key() -> Vec<u8> {
        b"n".to_vec()
    }

    /// Where the owner is stored.
    #[must_use]
    pub fn owner_key(id: u64) -> Vec<u8> {
        key(b'o', &[&id.to_le_bytes()])
    }

    /// The first topic of mints and transfers; then from and to. The data is the number.
    #[must_use]
    pub fn transfer_topic() -> Hash {
        topic("Transfer")
    }
}

/// Inputs, keys and exit codes of [`Sample::GasBurner`].
pub mod gas_burner {
    use super::{input, key};

    /// Exit code: the sum would exceed 2^64-1.
    pub const OVERFLOW: u64 = 3;
    /// Exit code: the value is 0.
    pub const ZERO: u64 = 4;

    /// Changes everything, then uses up all gas: a trap.
    #[must_use]
    pub fn burn(id: u64, value: u64) -> Vec<u8> {
        input(0, &[&id.to_le_bytes(), &value.to_le_bytes()])
    }

    /// The same changes, and success.
    #[must_use]
    pub fn write(id: u64, value: u64) -> Vec<u8> {
        input(1, &[&id.to_le_bytes(), &value.to_le_bytes()])
    }

    /// Where the last value is stored; also in the transient storage.
    #[must_use]
    pub fn value_key(id: u64) -> Vec<u8> {
        key(b'g', &[&id.to_le_bytes()])
    }

    /// Where the sum of the values is stored.
    #[must_use]
    pub fn sum_key(id: u64) -> Vec<u8> {
        key(b't', &[&id.to_le_bytes()])
    }
}

/// Inputs, keys and exit codes of [`Sample::ManyReader`].
pub mod many_reader {
    use super::{input, key};

    /// The most values of one call.
    pub const MOST: u64 = 200;
    /// Exit code: more than [`MOST`].
    pub const TOO_MANY: u64 = 3;

    /// Returns the checksum of `count` values from `first` on, 8 bytes.
    #[must_use]
    pub fn read(first: u64, count: u64) -> Vec<u8> {
        input(0, &[&first.to_le_bytes(), &count.to_le_bytes()])
    }

    /// The same, and writes it as the value `to`.
    #[must_use]
    pub fn store(first: u64, count: u64, to: u64) -> Vec<u8> {
        input(1, &[&first.to_le_bytes(), &count.to_le_bytes(), &to.to_le_bytes()])
    }

    /// Writes a value.
    #[must_use]
    pub fn set(id: u64, value: u64) -> Vec<u8> {
        input(2, &[&id.to_le_bytes(), &value.to_le_bytes()])
    }

    /// Where a value is stored.
    #[must_use]
    pub fn value_key(id: u64) -> Vec<u8> {
        key(b'k', &[&id.to_le_bytes()])
    }

    /// The checksum of these values.
    #[must_use]
    pub fn checksum(values: impl IntoIterator<Item = u64>) -> u64 {
        values.into_iter().fold(0, |sum: u64, value| sum.wrapping_mul(31).wrapping_add(value))
    }
}

/// Inputs, keys and exit codes of [`Sample::Caller`].
pub mod caller {
    use super::input;
    use crate::types::Hash;

    /// Exit code: the call gave none, and its failure is propagated.
    pub const NO_EXIT_CODE: u64 = 3;

    /// What a caller does when the call fails.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum OnFailure {
        /// Succeed all the same.
        Ignore,
        /// Fail with the same code, or with [`NO_EXIT_CODE`].
        Propagate,
    }

    /// Calls `contract`. Returns what it gave (8 bytes) and the first 1024 bytes of what it returned.
    #[must_use]
    pub fn call(on_failure: OnFailure, contract: &Hash, call_input: &[u8]) -> Vec<u8> {
        input(0, &[&[on_failure as u8], &contract.0, call_input])
    }

    /// Calls itself, which gives 2^64-2: it is running already. Returns the same as [`call`].
    #[must_use]
    pub fn call_self(on_failure: OnFailure, call_input: &[u8]) -> Vec<u8> {
        input(1, &[&[on_failure as u8], call_input])
    }

    /// A chain, as input of a first caller: it calls the first of `contracts`, that one the next, and so on; the last
    /// one gets `last_input`. All but the last must be callers.
    #[must_use]
    pub fn chain(on_failure: OnFailure, contracts: &[Hash], last_input: &[u8]) -> Vec<u8> {
        contracts.iter().rev().fold(last_input.to_vec(), |inner, contract| call(on_failure, contract, &inner))
    }

    /// Where it is stored how many calls were begun.
    #[must_use]
    pub fn before_key() -> Vec<u8> {
        b"b".to_vec()
    }

    /// Where it is stored what the last call gave.
    #[must_use]
    pub fn after_key() -> Vec<u8> {
        b"a".to_vec()
    }
}

/// Inputs and keys of [`Sample::Worker`].
pub mod worker {
    use super::{input, key};
    use crate::types::Address;

    /// So many iterations on the caller's value.
    #[must_use]
    pub fn work(iterations: u64) -> Vec<u8> {
        input(0, &[&iterations.to_le_bytes()])
    }

    /// Where a caller's value is stored.
    #[must_use]
    pub fn value_key(caller: &Address) -> Vec<u8> {
        key(b'w', &[&caller.0])
    }

    /// What an iteration makes of a value.
    #[must_use]
    pub fn step(value: u64) -> u64 {
        let value = value.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        value ^ (value >> 29)
    }
}
