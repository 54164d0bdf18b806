//! Bytes to [`Transaction`] (spec 2.2 to 2.4).

use smallvec::SmallVec;

use crate::contract::Module;
use crate::crypto::Signature;
use crate::types::{Address, Hash};

use super::cell::read_cell;
use super::opaque::{OpaqueKind, OpaquePayload};
use super::transaction::{
    BurnPayload, Constructor, Delegation, DeployContractPayload, Deposit, EnergyPayload, FeeType,
    InvokeContractPayload, MAX_DELEGATIONS, MAX_MODULE_BYTES, MAX_TRANSFERS, MultiSig, MultisigPayload, Payload,
    SignerSignature, Transaction, Transfer, opcode,
};
use super::{DecodeError, DecodeReason, Era, Reader, mining};

/// The first bytes of every module.
const ELF_MAGIC: [u8; 4] = [0x7f, 0x45, 0x4c, 0x46];
/// Smallest transfer entry, in bytes: asset, destination, amount, empty option.
const MIN_TRANSFER_BYTES: usize = 32 + 32 + 8 + 1;

type Decoded<T> = Result<T, DecodeError>;

impl Transaction {
    /// Decodes one transaction of [`Era::Standard`]; every byte must belong to it (spec 2.5).
    ///
    /// # Errors
    /// [`DecodeError`], which is error 0x0100 to the ledger.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        Self::decode_in(Era::Standard, bytes)
    }

    /// Decodes one transaction of `era`; every byte must belong to it (spec 2.5, 2.6).
    ///
    /// # Errors
    /// [`DecodeError`], which is error 0x0100 to the ledger.
    pub fn decode_in(era: Era, bytes: &[u8]) -> Result<Self, DecodeError> {
        decode_parts(era, bytes).map(|(transaction, _)| transaction)
    }
}

/// Decodes one transaction; also gives the length of its signing bytes (spec 2.3).
pub(crate) fn decode_parts(era: Era, bytes: &[u8]) -> Decoded<(Transaction, usize)> {
    let mut reader = Reader::new(bytes);
    let r = &mut reader;
    match r.u8()? {
        1 => {}
        other => return Err(r.error_at(0, DecodeReason::Version(other))),
    }
    let chain_id = r.u8()?;
    let source = address(r)?;
    let mut payload = payload(era, r)?;
    let fee = r.u64()?;
    let fee_type = fee_type(r)?;
    let nonce = r.u64()?;
    if let Payload::Opaque(opaque) = &mut payload {
        opaque.read_tail(r)?;
    }
    let reference_hash = hash(r)?;
    let reference_topoheight = r.u64()?;
    let signing_len = r.offset();
    let multisig = r.option(multisig_section)?;
    let signature = signature(r)?;
    reader.finish()?;
    let transaction = Transaction {
        chain_id,
        source,
        payload,
        fee,
        fee_type,
        nonce,
        reference_hash,
        reference_topoheight,
        multisig,
        signature,
    };
    Ok((transaction, signing_len))
}

fn address(r: &mut Reader<'_>) -> Decoded<Address> {
    r.array().map(Address)
}

fn hash(r: &mut Reader<'_>) -> Decoded<Hash> {
    r.array().map(Hash)
}

fn fee_type(r: &mut Reader<'_>) -> Decoded<FeeType> {
    let offset = r.offset();
    match r.u8()? {
        0 => Ok(FeeType::Tos),
        1 => Ok(FeeType::Energy),
        2 => Ok(FeeType::Uno),
        value => Err(r.error_at(offset, DecodeReason::BadTag { what: "fee type", value })),
    }
}

fn signature(r: &mut Reader<'_>) -> Decoded<Signature> {
    let offset = r.offset();
    let bytes = r.array()?;
    Signature::from_bytes(bytes).ok_or(DecodeError { offset, reason: DecodeReason::Scalar })
}

fn multisig_section(r: &mut Reader<'_>) -> Decoded<MultiSig> {
    let count = usize::from(r.u8()?);
    let mut seen = [false; 256];
    let mut signatures = Vec::with_capacity(r.capacity(count, 65));
    for _ in 0..count {
        let offset = r.offset();
        let signer_id = r.u8()?;
        if std::mem::replace(&mut seen[usize::from(signer_id)], true) {
            return Err(r.error_at(offset, DecodeReason::Repeated("signer")));
        }
        signatures.push(SignerSignature { signer_id, signature: signature(r)? });
    }
    Ok(MultiSig { signatures })
}

fn payload(era: Era, r: &mut Reader<'_>) -> Decoded<Payload> {
    let offset = r.offset();
    let code = r.u8()?;
    Ok(match code {
        opcode::BURN => Payload::Burn(BurnPayload { asset: hash(r)?, amount: r.u64()? }),
        opcode::TRANSFERS => Payload::Transfers(transfers(r)?),
        opcode::MULTISIG => Payload::Multisig(multisig(r)?),
        opcode::INVOKE_CONTRACT => Payload::InvokeContract(Box::new(invoke(r)?)),
        opcode::DEPLOY_CONTRACT => Payload::DeployContract(Box::new(deploy(r)?)),
        opcode::ENERGY => Payload::Energy(energy(r)?),
        opcode::AI_MINING if era == Era::AiMining => Payload::AiMining(Box::new(mining::read_payload(r)?)),
        other => match OpaqueKind::from_opcode(other) {
            Some(kind) => Payload::Opaque(Box::new(OpaquePayload::read_body(kind, r)?)),
            None => return Err(r.error_at(offset, DecodeReason::Opcode(other))),
        },
    })
}

fn transfers(r: &mut Reader<'_>) -> Decoded<SmallVec<[Transfer; 1]>> {
    let offset = r.offset();
    let count = usize::from(r.u16()?);
    if count == 0 || count > MAX_TRANSFERS {
        return Err(r.error_at(offset, DecodeReason::Limit { what: "transfers", value: count as u64 }));
    }
    let mut entries = SmallVec::with_capacity(r.capacity(count, MIN_TRANSFER_BYTES));
    for _ in 0..count {
        entries.push(Transfer {
            asset: hash(r)?,
            destination: address(r)?,
            amount: r.u64()?,
            extra_data: r.option(|r| {
                let length = usize::from(r.u16()?);
                r.bytes(length).map(Box::from)
            })?,
        });
    }
    Ok(entries)
}

fn multisig(r: &mut Reader<'_>) -> Decoded<MultisigPayload> {
    let threshold = r.u8()?;
    if threshold == 0 {
        return Ok(MultisigPayload { threshold, participants: Vec::new() });
    }
    let offset = r.offset();
    let count = usize::from(r.u8()?);
    if count == 0 {
        return Err(r.error_at(offset, DecodeReason::Limit { what: "participants", value: 0 }));
    }
    let mut participants: Vec<Address> = Vec::with_capacity(r.capacity(count, 32));
    for _ in 0..count {
        let offset = r.offset();
        let participant = address(r)?;
        if participants.contains(&participant) {
            return Err(r.error_at(offset, DecodeReason::Repeated("participant")));
        }
        participants.push(participant);
    }
    Ok(MultisigPayload { threshold, participants })
}

fn deposits(r: &mut Reader<'_>) -> Decoded<Vec<Deposit>> {
    let count = usize::from(r.u8()?);
    let mut deposits: Vec<Deposit> = Vec::with_capacity(r.capacity(count, 41));
    for _ in 0..count {
        let asset = hash(r)?;
        let offset = r.offset();
        match r.u8()? {
            0 => {}
            value => return Err(r.error_at(offset, DecodeReason::BadTag { what: "deposit kind", value })),
        }
        let amount = r.u64()?;
        match deposits.iter_mut().find(|deposit| deposit.asset == asset) {
            Some(first) => first.amount = amount,
            None => deposits.push(Deposit { asset, amount }),
        }
    }
    Ok(deposits)
}

fn invoke(r: &mut Reader<'_>) -> Decoded<InvokeContractPayload> {
    let contract = hash(r)?;
    let deposits = deposits(r)?;
    let entry_id = r.u16()?;
    let max_gas = r.u64()?;
    let count = usize::from(r.u8()?);
    let mut parameters = Vec::with_capacity(r.capacity(count, 2));
    for _ in 0..count {
        parameters.push(read_cell(r)?);
    }
    Ok(InvokeContractPayload { contract, deposits, entry_id, max_gas, parameters })
}

fn deploy(r: &mut Reader<'_>) -> Decoded<DeployContractPayload> {
    let offset = r.offset();
    let length = r.u32()? as usize;
    if length > MAX_MODULE_BYTES {
        return Err(r.error_at(offset, DecodeReason::Limit { what: "module bytes", value: length as u64 }));
    }
    let offset = r.offset();
    let module = r.bytes(length)?;
    if !module.starts_with(&ELF_MAGIC) {
        return Err(r.error_at(offset, DecodeReason::Module));
    }
    let constructor = r.option(|r| Ok(Constructor { max_gas: r.u64()?, deposits: deposits(r)? }))?;
    Ok(DeployContractPayload { module: Module::new(module), constructor })
}

fn energy(r: &mut Reader<'_>) -> Decoded<EnergyPayload> {
    let offset = r.offset();
    Ok(match r.u8()? {
        0 => EnergyPayload::FreezeTos { amount: r.u64()?, days: r.u32()? },
        1 => {
            let offset = r.offset();
            let value = r.u64()?;
            let count = match usize::try_from(value) {
                Ok(count) if count <= MAX_DELEGATIONS => count,
                _ => return Err(r.error_at(offset, DecodeReason::Limit { what: "delegations", value })),
            };
            let mut delegations = Vec::with_capacity(r.capacity(count, 40));
            for _ in 0..count {
                delegations.push(Delegation { delegatee: address(r)?, amount: r.u64()? });
            }
            EnergyPayload::FreezeTosDelegate { delegations, days: r.u32()? }
        }
        2 => EnergyPayload::UnfreezeTos {
            amount: r.u64()?,
            from_delegation: r.bool()?,
            record_index: r.option(Reader::u32)?,
            delegatee: r.option(address)?,
        },
        3 => EnergyPayload::WithdrawUnfrozen,
        value => return Err(r.error_at(offset, DecodeReason::BadTag { what: "energy variant", value })),
    })
}
