//! Types that the ledger carries but has no rules for (spec 2.4.8): their layout is checked field by field, and
//! their bytes are kept as they are. Every field has one encoding only, so what was accepted re-encodes unchanged.

use super::transaction::opcode;
use super::{DecodeError, DecodeReason, Reader};

/// Which type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OpaqueKind {
    /// Opcode 18.
    UnoTransfers,
    /// Opcode 19.
    ShieldTransfers,
    /// Opcode 20.
    UnshieldTransfers,
    /// Opcode 21.
    RegisterName,
    /// Opcode 23.
    AgentAccount,
}

impl OpaqueKind {
    /// The type opcode.
    #[must_use]
    pub const fn opcode(self) -> u8 {
        match self {
            Self::UnoTransfers => opcode::UNO_TRANSFERS,
            Self::ShieldTransfers => opcode::SHIELD_TRANSFERS,
            Self::UnshieldTransfers => opcode::UNSHIELD_TRANSFERS,
            Self::RegisterName => opcode::REGISTER_NAME,
            Self::AgentAccount => opcode::AGENT_ACCOUNT,
        }
    }

    /// The kind with this opcode.
    #[must_use]
    pub const fn from_opcode(code: u8) -> Option<Self> {
        match code {
            opcode::UNO_TRANSFERS => Some(Self::UnoTransfers),
            opcode::SHIELD_TRANSFERS => Some(Self::ShieldTransfers),
            opcode::UNSHIELD_TRANSFERS => Some(Self::UnshieldTransfers),
            opcode::REGISTER_NAME => Some(Self::RegisterName),
            opcode::AGENT_ACCOUNT => Some(Self::AgentAccount),
            _ => None,
        }
    }

    /// Whether it is one of the private transfer types, which have fields between nonce and reference.
    #[must_use]
    pub const fn is_privacy(self) -> bool {
        matches!(self, Self::UnoTransfers | Self::ShieldTransfers | Self::UnshieldTransfers)
    }
}

/// A payload without rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpaquePayload {
    kind: OpaqueKind,
    body: Box<[u8]>,
    tail: Box<[u8]>,
}

/// Size of a source commitment: asset, commitment, equality proof of six group elements or scalars. The proof's
/// size is not confirmed by any vector (spec 2.4.8).
const SOURCE_COMMITMENT_BYTES: usize = 32 + 32 + 192;

impl OpaquePayload {
    /// Checks and keeps the fields after the opcode.
    pub(super) fn read_body(kind: OpaqueKind, r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let start = r.offset();
        match kind {
            OpaqueKind::UnoTransfers => entries(r, false, 32 + 32 + 32 + 160)?,
            OpaqueKind::ShieldTransfers => entries(r, true, 32 + 32 + 96)?,
            OpaqueKind::UnshieldTransfers => entries(r, true, 32 + 32 + 160)?,
            OpaqueKind::RegisterName => name(r)?,
            OpaqueKind::AgentAccount => agent_account(r)?,
        }
        Ok(Self { kind, body: r.since(start).into(), tail: Box::default() })
    }

    /// Checks and keeps the fields between nonce and reference, which only the private transfers have.
    pub(super) fn read_tail(&mut self, r: &mut Reader<'_>) -> Result<(), DecodeError> {
        if !self.kind.is_privacy() {
            return Ok(());
        }
        let start = r.offset();
        let count = usize::from(r.u8()?);
        r.bytes(count * SOURCE_COMMITMENT_BYTES)?;
        let has_range_proof = match self.kind {
            OpaqueKind::UnoTransfers => true,
            OpaqueKind::UnshieldTransfers => count > 0,
            _ => false,
        };
        if has_range_proof {
            let length = usize::from(r.u16()?);
            r.bytes(length)?;
        }
        self.tail = r.since(start).into();
        Ok(())
    }

    /// Which type it is.
    #[must_use]
    pub const fn kind(&self) -> OpaqueKind {
        self.kind
    }

    /// The wire bytes after the opcode.
    #[must_use]
    pub const fn body(&self) -> &[u8] {
        &self.body
    }

    /// The wire bytes between nonce and reference.
    #[must_use]
    pub const fn tail(&self) -> &[u8] {
        &self.tail
    }
}

/// Transfers: asset, destination, an amount where it is public, a note, then proofs of fixed size.
fn entries(r: &mut Reader<'_>, public_amount: bool, proof_bytes: usize) -> Result<(), DecodeError> {
    let count = r.u16()?;
    for _ in 0..count {
        r.bytes(64)?;
        if public_amount {
            r.u64()?;
        }
        r.option(|r| {
            let length = usize::from(r.u16()?);
            r.bytes(length).map(drop)
        })?;
        r.bytes(proof_bytes)?;
    }
    Ok(())
}

fn name(r: &mut Reader<'_>) -> Result<(), DecodeError> {
    let length = usize::from(r.u8()?);
    let start = r.offset();
    match std::str::from_utf8(r.bytes(length)?) {
        Ok(_) => Ok(()),
        Err(_) => Err(r.error_at(start, DecodeReason::Utf8)),
    }
}

fn agent_account(r: &mut Reader<'_>) -> Result<(), DecodeError> {
    let offset = r.offset();
    let optional_key = |r: &mut Reader<'_>| r.option(|r| r.bytes(32).map(drop)).map(drop);
    match r.u8()? {
        0 => {
            r.bytes(64)?;
            optional_key(r)?;
            optional_key(r)
        }
        1 | 2 => r.bytes(32).map(drop),
        3 => r.u8().map(drop),
        4 | 5 => optional_key(r),
        6 => {
            r.bytes(8 + 32 + 8 + 8)?;
            for _ in 0..2 {
                let count = usize::from(r.u16()?);
                r.bytes(count * 32)?;
            }
            Ok(())
        }
        7 => r.u64().map(drop),
        value => Err(r.error_at(offset, DecodeReason::BadTag { what: "agent account variant", value })),
    }
}
