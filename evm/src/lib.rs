//! Ethereum as a weft virtual machine: revm, unmodified, on the engine's multi-version memory.
//!
//! [`ParallelEvm`] executes the transactions of a block on all cores, on any revm database, and gives what revm gives
//! for one after another. [`WeftBlockExecutorFactory`] does the same behind the traits by which nodes run blocks.
//!
//! ```
//! use alloy_primitives::{Address, TxKind, U256, bytes};
//! use revm::bytecode::Bytecode;
//! use revm::context::{BlockEnv, CfgEnv, TxEnv};
//! use revm::database::{CacheDB, EmptyDB};
//! use revm::primitives::hardfork::SpecId;
//! use revm::state::AccountInfo;
//! use weft_engine::{Config, Mode};
//! use weft_evm::{EvmEnv, ParallelEvm};
//!
//! let [alice, bob, carol, counter] = [1, 2, 3, 4].map(Address::repeat_byte);
//! let mut db = CacheDB::new(EmptyDB::default());
//! for account in [alice, bob] {
//!     db.insert_account_info(account, AccountInfo::from_balance(U256::from(1_000)));
//! }
//! // It counts its calls in slot 0.
//! let code = Bytecode::new_legacy(bytes!("5f546001015f55"));
//! db.insert_account_info(counter, AccountInfo::from_bytecode(code));
//!
//! let call = |caller, nonce, to, value| TxEnv {
//!     caller,
//!     nonce,
//!     kind: TxKind::Call(to),
//!     value: U256::from(value),
//!     gas_limit: 100_000,
//!     gas_price: 0,
//!     ..TxEnv::default()
//! };
//! let block = [call(alice, 0, carol, 10), call(bob, 0, carol, 20), call(alice, 1, counter, 0)];
//! let env = EvmEnv::new(CfgEnv::new_with_spec(SpecId::PRAGUE), BlockEnv::default());
//!
//! // Left to itself the engine executes so short a block sequentially.
//! let evm = ParallelEvm::new(Config { mode: Mode::Optimistic, ..Config::default() });
//! let executed = evm.execute(&env, &db, &block)?;
//! assert!(executed.results.iter().all(|result| result.is_success()));
//!
//! let bundle = executed.changes.bundle(&db)?;
//! assert_eq!(bundle.account(&carol).unwrap().info.as_ref().unwrap().balance, U256::from(30));
//! assert_eq!(bundle.account(&counter).unwrap().storage_slot(U256::ZERO), Some(U256::from(1)));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # How the state is cut into keys
//!
//! Transactions conflict where one reads a [`StateKey`] that an earlier one writes. An account is two keys: what it
//! holds ([`Holdings`]: balance and nonce) and what it is ([`Identity`]: its code, and whether it exists). Every storage
//! slot is a key. Who calls a contract reads what it is, and not what it holds; so payments to a contract do not
//! conflict with calls to it. A self-destruct wipes storage without visiting it: slots carry the generation of their
//! account, and the next generation begins empty.
//!
//! # What is deferred
//!
//! A payment is a delta: it is added to a balance that nobody has read. That is how many payments to one account, and
//! the fees of all transactions to the block's beneficiary, go without a conflict. The balance is read once something
//! asks for it: `BALANCE`, `SELFBALANCE`, a payment *from* the account, its creation or destruction. Then the order of
//! the block counts, and the transaction conflicts with those before it that have paid the account.
//!
//! # Guarantees
//!
//! - Results (gas, logs, output) and changes are those of revm for the transactions in their order, for every fork,
//!   number of threads and length of units, whatever the schedule was.
//! - What speculation meets counts only if sequential execution meets it, too: an invalid transaction, a failure of the
//!   database, a panic. Each is a [`ParallelError`] that names the transaction.
//! - Nothing is written: the changes are the caller's, as a list, a [`StateDiff`], revm state maps or a bundle.
//!
//! # Limits
//!
//! - Balances near 2²⁵⁶. Where a call would overflow its receiver's balance, revm debits the payer and fails the call
//!   with all its gas, and its journal has no entry by which a revert could undo the debit. weft executes such a
//!   transaction again, with nothing deferred, if the payment stands in the end or somebody looks at the balance. If it
//!   is reverted unseen, the overflow is not noticed: the call uses the gas, and the payer keeps the ether, as if there
//!   were room for it. There is not that much ether on any chain.
//! - Before EIP-161, [`sequential`] is no oracle for blocks that destroy accounts; its documentation says why.
//! - [`WeftBlockExecutor`] does not show the transactions of `execute_block` to an inspector, and gives them the
//!   precompiles of the fork, not those that the wrapped factory's machine has been given. Receipt builders and the
//!   database's hooks see no changes of single transactions, only those of the block.
//! - Chains with transactions or rules of their own need a [`Vm`](weft_engine::Vm) of their own.

mod access;
mod assumed;
mod below;
mod block_changes;
mod canary;
mod changes;
mod commit;
mod database;
mod diff;
mod executor;
mod fallback;
mod holdings_delta;
mod journal;
mod machine;
mod parallel;
mod reader;
mod recent_calls;
mod recent_hashes;
pub mod sequential;
mod shared_slots;
mod state;
mod transfer;
mod units;
mod vm;

pub use alloy_evm::EvmEnv;
pub use block_changes::BlockChanges;
pub use diff::{AccountDiff, Basics, StateDiff};
pub use executor::{ParentState, WeftBlockExecutor, WeftBlockExecutorFactory};
pub use holdings_delta::HoldingsDelta;
pub use parallel::{ParallelError, ParallelEvm, ParallelExecuted};
pub use state::{Holdings, Identity, StateKey, StateValue};
pub use vm::{EvmVm, TransactionOutput};
