//! The TOS ledger as a weft virtual machine: wire format, signatures and rules of the TOS chain, as one
//! [`Vm`](weft_engine::Vm). It knows neither threads nor databases.
//!
//! ```
//! use std::collections::BTreeMap;
//! use weft_engine::{StateView, Vm};
//! use weft_ledger::crypto::{KeyPair, Signature};
//! use weft_ledger::rules::{BlockContext, LedgerConfig, TosVm};
//! use weft_ledger::state::{Account, Key, Value};
//! use weft_ledger::wire::{FeeType, Payload, Transaction, Transfer};
//! use weft_ledger::{Hash, SignedTransaction};
//! # use weft_engine::{AddError, Checkpoint, Stop};
//! # // What the engine does, without the engine: a map.
//! # struct Map(BTreeMap<Key, Value>);
//! # impl StateView<Key, Value> for Map {
//! #     fn read(&mut self, key: &Key) -> Result<Option<Value>, Stop> { Ok(self.0.get(key).cloned()) }
//! #     fn write(&mut self, key: Key, value: Value) { self.0.insert(key, value); }
//! #     fn delete(&mut self, key: Key) { self.0.remove(&key); }
//! #     fn add(&mut self, key: Key, delta: weft_ledger::state::Delta) -> Result<(), AddError> {
//! #         let value = <Value as weft_engine::Value>::apply(self.0.get(&key), &delta)?;
//! #         self.0.insert(key, value);
//! #         Ok(())
//! #     }
//! #     fn checkpoint(&mut self) -> Checkpoint { unreachable!("nobody takes one here") }
//! #     fn rollback(&mut self, _: Checkpoint) -> Result<(), Stop> { unreachable!("nobody takes one here") }
//! #     fn poll(&mut self) -> Result<(), Stop> { Ok(()) }
//! # }
//!
//! let (alice, bob) = (KeyPair::from_seed(2), KeyPair::from_seed(3));
//! let payment = Transaction {
//!     chain_id: 3,
//!     source: alice.address(),
//!     payload: Payload::Transfers(
//!         [Transfer { asset: Hash::default(), destination: bob.address(), amount: 500, extra_data: None }].into(),
//!     ),
//!     fee: 15_000,
//!     fee_type: FeeType::Tos,
//!     nonce: 0,
//!     reference_hash: Hash::default(),
//!     reference_topoheight: 0,
//!     multisig: None,
//!     signature: Signature::ZERO,
//! };
//! let wire = SignedTransaction::sign(payment, &alice)?.wire().to_vec();
//!
//! // Elsewhere the bytes arrive, and are executed on a state.
//! let received = SignedTransaction::decode(wire)?;
//! let funded = Value::Account(Account { balance: 20_000, ..Account::default() });
//! let mut state = Map(BTreeMap::from([(Key::Account(alice.address()), funded)]));
//! let context = BlockContext { chain_id: 3, ..BlockContext::default() };
//! let outcome = TosVm::new(LedgerConfig::default(), context).execute(&received, &mut state).expect("nobody stops it");
//!
//! assert_eq!(outcome.output.result, Ok(()));
//! let left = Account { balance: 4_500, nonce: 1, ..Account::default() };
//! assert_eq!(state.0[&Key::Account(alice.address())], Value::Account(left));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! - [`wire`]: bytes to transactions and back. [`crypto`]: keys and signatures. [`block`]: chains of blocks as files.
//! - [`rules`]: what a transaction does. [`contract`]: the machine that runs contracts, and samples of them.
//! - [`state`]: keys, values, commutative deltas, and their bytes in a database. [`state_digest`]: one hash of it all.
//! - [`conformance`]: the public vectors of the chain, on any executor.
//!
//! "Spec" in these pages is the rules' text, by chapter: 1 identities, 2 wire, 3 state, 4 verification order and
//! errors, 5 rules of the types, 6 AI mining, 7 blocks, 9 contradictory vectors, 10 past defects.
// One module may: `contract::sbpf::memory`, which says why.
#![deny(unsafe_code)]

pub mod block;
pub mod conformance;
pub mod contract;
pub mod crypto;
mod digest;
mod error;
mod export;
pub mod hex;
mod mining_export;
pub mod rules;
mod signed;
pub mod state;
mod types;
pub mod wire;

#[cfg(test)]
mod export_tests;
#[cfg(test)]
mod testing;

pub use digest::{StateDigest, digest_export, digest_stream, state_digest};
pub use error::TosError;
pub use export::{ExportedAccount, ExportedAccounts, GlobalState, StateExport};
pub use mining_export::{ExportedAnswer, ExportedTask, MiningExport, MiningStatistics};
pub use signed::{SignatureState, SignedTransaction, WireBytes};
pub use types::{Address, COIN, Hash};
