//! The wire format, version T1 (spec 2): what a transaction is as bytes, in both directions.
//!
//! Decoding accepts exactly what spec 2 allows and never reserves memory by a count that the input merely claims.
//! Encoding is its inverse: whatever decodes encodes to the same bytes, except deposits that name an asset twice
//! (spec 2.4.4 collapses them).

mod cell;
mod decode;
mod encode;
mod era;
mod mining;
mod opaque;
mod reader;
mod transaction;
mod writer;

#[cfg(test)]
mod mining_tests;
#[cfg(test)]
mod wire_tests;

pub use cell::{MAX_CELL_BYTES, MAX_CELL_COUNT, MAX_CELL_DEPTH, Primitive, ValueCell};
pub(crate) use decode::decode_parts;
pub use era::Era;
pub(crate) use mining::read_difficulty;
pub use mining::{AiMiningPayload, Difficulty};
pub use opaque::{OpaqueKind, OpaquePayload};
pub use reader::{DecodeError, DecodeReason, Reader};
pub use transaction::{
    BurnPayload, Constructor, Delegation, DeployContractPayload, Deposit, EnergyPayload, FeeType,
    InvokeContractPayload, MAX_DELEGATIONS, MAX_MODULE_BYTES, MAX_TRANSFERS, MultiSig, MultisigPayload, Payload,
    SignerSignature, Transaction, Transfer, opcode,
};
pub use writer::{EncodeError, Writer};
