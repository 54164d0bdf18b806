//! What a contract sees of the world: the other side of the system calls (spec 8).

use smallvec::SmallVec;

use crate::state::StorageValue;
use crate::types::{Address, Hash};

use super::{Limits, Module};

/// The host ends this execution; pass it up. The host remembers why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interrupted;

/// The block that a contract runs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BlockData {
    /// The block's hash.
    pub hash: Hash,
    /// Its height; the topoheight is the same number (spec 8).
    pub height: u64,
    /// Its time, in seconds.
    pub timestamp: u64,
}

/// One call of a contract.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CallData {
    /// The contract that runs.
    pub contract: Hash,
    /// Who calls it: the source of the transaction, or a contract.
    pub caller: Address,
    /// Which entry is called; the contract dispatches.
    pub entry_id: u16,
    /// Whether this is the call that a deployment makes (spec 5.5); then `entry_id` is the hook's number.
    pub is_constructor: bool,
    /// The input.
    pub input: Vec<u8>,
}

/// What does not change while a contract runs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Environment {
    /// The block.
    pub block: BlockData,
    /// The hash of the transaction.
    pub transaction: Hash,
    /// The source of the transaction.
    pub signer: Address,
    /// The call.
    pub call: CallData,
}

/// What a contract announces; kept in the transaction's receipt if the transaction's call succeeds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Who announces it.
    pub contract: Hash,
    /// Up to four topics.
    pub topics: SmallVec<[Hash; 1]>,
    /// The data.
    pub data: Box<[u8]>,
}

/// Why a transfer of a contract did not happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransferError {
    /// A contract can only give what is its own.
    NotOwner,
    /// Sender and receiver are the same.
    SenderIsReceiver,
    /// The contract does not have so much.
    InsufficientBalance,
    /// The receiver's balance would exceed 2^64-1.
    BalanceOverflow,
    /// The host ends this execution.
    Interrupted,
}

/// A sum in storage does not fit, or what is there is no 64-bit number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StorageFull {
    /// The sum exceeds 2^64-1, or the stored value is not 8 bytes long.
    OutOfBounds,
    /// The host ends this execution.
    Interrupted,
}

/// What a called contract gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invoked {
    /// Compute units that the callee used; they count against the caller.
    pub gas_used: u64,
    /// Its exit code (0: its changes stay; anything else: they are undone), or why there is none.
    pub end: Result<u64, InvokeError>,
    /// What it returned.
    pub output: Vec<u8>,
}

/// Why a called contract gave no exit code. The caller goes on (spec 8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvokeError {
    /// There is no such contract.
    NotFound,
    /// It is running already.
    Reentrant,
    /// Too many calls in one another.
    Depth,
    /// It trapped: not executable, out of gas, a fault.
    Trapped,
}

/// The state and the surroundings of a running contract.
///
/// Lengths are checked by the machine before the host is asked: keys and values are within [`Limits`].
pub trait Host {
    /// What does not change while the contract runs.
    fn environment(&self) -> &Environment;

    /// What of `asset` came with the transaction for this contract; 0 where none did.
    fn deposit(&self, asset: &Hash) -> u64;

    /// The value under `key` in the contract's own storage.
    ///
    /// # Errors
    /// [`Interrupted`]; pass it up.
    fn storage_read(&mut self, key: &[u8]) -> Result<Option<StorageValue>, Interrupted>;

    /// Sets the value under `key` in the contract's own storage; an empty value removes it.
    ///
    /// # Errors
    /// [`Interrupted`]; pass it up.
    fn storage_write(&mut self, key: &[u8], value: &[u8]) -> Result<(), Interrupted>;

    /// Adds to the 64-bit little-endian number under `key` in the contract's own storage, which is 0 where nothing is,
    /// without reading it: it conflicts with nobody who does not read the key.
    ///
    /// # Errors
    /// [`StorageFull`].
    fn storage_add(&mut self, key: &[u8], amount: u64) -> Result<(), StorageFull>;

    /// The value under `key` in the contract's transient storage of this transaction.
    fn transient_read(&mut self, key: &[u8]) -> Option<StorageValue>;

    /// Sets the value under `key` in the contract's transient storage; an empty value removes it.
    fn transient_write(&mut self, key: &[u8], value: &[u8]);

    /// The balance of `address`, with this execution's transfers; 0 where there is no account.
    ///
    /// # Errors
    /// [`Interrupted`]; pass it up.
    fn balance(&mut self, address: &Address) -> Result<u64, Interrupted>;

    /// Moves `amount` from `from`, which must be the contract itself, to `to`. 0 is no error and does nothing.
    ///
    /// # Errors
    /// [`TransferError`].
    fn transfer(&mut self, from: &Address, to: &Address, amount: u64) -> Result<(), TransferError>;

    /// Calls another contract with at most `gas` compute units.
    ///
    /// # Errors
    /// [`Interrupted`]; pass it up.
    fn invoke(&mut self, target: &Hash, input: Vec<u8>, gas: u64) -> Result<Invoked, Interrupted>;

    /// The code of a contract.
    ///
    /// # Errors
    /// [`Interrupted`]; pass it up.
    fn code(&mut self, contract: &Hash) -> Result<Option<Module>, Interrupted>;

    /// Keeps an event. More than [`Limits::events`] are counted, and make the transaction fail in the end.
    fn emit(&mut self, event: Event);

    /// Sets what the call returns.
    fn set_return_data(&mut self, data: &[u8]);

    /// Asks whether to go on.
    ///
    /// # Errors
    /// [`Interrupted`]; pass it up.
    fn poll(&mut self) -> Result<(), Interrupted>;

    /// Accounts for `bytes` of code that is about to run. False if it is too much for one transaction.
    fn load_code(&mut self, bytes: usize, limits: &Limits) -> bool;
}
