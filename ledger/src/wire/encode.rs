//! [`Transaction`] to bytes (spec 2.2 to 2.4): the inverse of decoding.

use super::cell::write_cell;
use super::transaction::{
    Deposit, EnergyPayload, MAX_DELEGATIONS, MAX_MODULE_BYTES, MAX_TRANSFERS, Payload, Transaction,
};
use super::writer::limit;
use super::{EncodeError, Writer, mining};

/// Room for everything of fixed size in an envelope, in bytes.
const ENVELOPE_BYTES: usize = 160;

impl Transaction {
    /// The complete wire bytes.
    ///
    /// # Errors
    /// [`EncodeError`] when a list does not fit its count field. What was decoded always fits.
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        self.encode_parts().map(|(bytes, _)| bytes)
    }

    /// The bytes that the source signs: fields 1 to 10 of the envelope (spec 2.3).
    ///
    /// # Errors
    /// As [`Transaction::encode`].
    pub fn signing_bytes(&self) -> Result<Vec<u8>, EncodeError> {
        let mut writer = Writer::with_capacity(ENVELOPE_BYTES + self.payload_size_hint());
        self.write_signed_part(&mut writer)?;
        Ok(writer.into_bytes())
    }

    /// The complete wire bytes, and how many of them are signed.
    pub(crate) fn encode_parts(&self) -> Result<(Vec<u8>, usize), EncodeError> {
        let mut writer = Writer::with_capacity(ENVELOPE_BYTES + self.payload_size_hint());
        self.write_signed_part(&mut writer)?;
        let signing_len = writer.len();
        writer.bool(self.multisig.is_some());
        if let Some(section) = &self.multisig {
            writer.len_u8("signatures", section.signatures.len())?;
            for entry in &section.signatures {
                writer.u8(entry.signer_id);
                writer.bytes(&entry.signature.to_bytes());
            }
        }
        writer.bytes(&self.signature.to_bytes());
        Ok((writer.into_bytes(), signing_len))
    }

    fn payload_size_hint(&self) -> usize {
        match &self.payload {
            Payload::Transfers(entries) => entries.len() * 80,
            Payload::Multisig(payload) => payload.participants.len() * 32,
            Payload::DeployContract(payload) => payload.module.bytes().len(),
            Payload::AiMining(_) => 1 + 32 + 32 + 8 + 1 + 255,
            _ => 64,
        }
    }

    fn write_signed_part(&self, w: &mut Writer) -> Result<(), EncodeError> {
        w.u8(1);
        w.u8(self.chain_id);
        w.bytes(&self.source.0);
        w.u8(self.payload.opcode());
        payload(w, &self.payload)?;
        w.u64(self.fee);
        w.u8(self.fee_type as u8);
        w.u64(self.nonce);
        if let Payload::Opaque(opaque) = &self.payload {
            w.bytes(opaque.tail());
        }
        w.bytes(&self.reference_hash.0);
        w.u64(self.reference_topoheight);
        Ok(())
    }
}

fn payload(w: &mut Writer, payload: &Payload) -> Result<(), EncodeError> {
    match payload {
        Payload::Burn(burn) => {
            w.bytes(&burn.asset.0);
            w.u64(burn.amount);
        }
        Payload::Transfers(entries) => {
            if entries.is_empty() {
                return Err(EncodeError::Empty("transfers"));
            }
            w.u16(limit("transfers", entries.len(), MAX_TRANSFERS)? as u16);
            for entry in entries {
                w.bytes(&entry.asset.0);
                w.bytes(&entry.destination.0);
                w.u64(entry.amount);
                w.bool(entry.extra_data.is_some());
                if let Some(extra) = &entry.extra_data {
                    w.len_u16("bytes of extra data", extra.len())?;
                    w.bytes(extra);
                }
            }
        }
        Payload::Multisig(config) => {
            w.u8(config.threshold);
            if config.threshold > 0 {
                w.len_u8("participants", config.participants.len())?;
                config.participants.iter().for_each(|participant| w.bytes(&participant.0));
            } else if !config.participants.is_empty() {
                return Err(EncodeError::Contradiction("threshold 0 has no participants on the wire"));
            }
        }
        Payload::InvokeContract(call) => {
            w.bytes(&call.contract.0);
            deposits(w, &call.deposits)?;
            w.u16(call.entry_id);
            w.u64(call.max_gas);
            w.len_u8("parameters", call.parameters.len())?;
            for parameter in &call.parameters {
                write_cell(w, parameter)?;
            }
        }
        Payload::DeployContract(deployment) => {
            let length = limit("module bytes", deployment.module.bytes().len(), MAX_MODULE_BYTES)?;
            w.u32(length as u32);
            w.bytes(deployment.module.bytes());
            w.bool(deployment.constructor.is_some());
            if let Some(constructor) = &deployment.constructor {
                w.u64(constructor.max_gas);
                deposits(w, &constructor.deposits)?;
            }
        }
        Payload::Energy(action) => energy(w, action)?,
        Payload::AiMining(action) => mining::write_payload(w, action)?,
        Payload::Opaque(opaque) => w.bytes(opaque.body()),
    }
    Ok(())
}

fn deposits(w: &mut Writer, deposits: &[Deposit]) -> Result<(), EncodeError> {
    w.len_u8("deposits", deposits.len())?;
    for deposit in deposits {
        w.bytes(&deposit.asset.0);
        w.u8(0);
        w.u64(deposit.amount);
    }
    Ok(())
}

fn energy(w: &mut Writer, action: &EnergyPayload) -> Result<(), EncodeError> {
    match action {
        EnergyPayload::FreezeTos { amount, days } => {
            w.u8(0);
            w.u64(*amount);
            w.u32(*days);
        }
        EnergyPayload::FreezeTosDelegate { delegations, days } => {
            w.u8(1);
            w.u64(limit("delegations", delegations.len(), MAX_DELEGATIONS)? as u64);
            for delegation in delegations {
                w.bytes(&delegation.delegatee.0);
                w.u64(delegation.amount);
            }
            w.u32(*days);
        }
        EnergyPayload::UnfreezeTos { amount, from_delegation, record_index, delegatee } => {
            w.u8(2);
            w.u64(*amount);
            w.bool(*from_delegation);
            w.bool(record_index.is_some());
            if let Some(index) = record_index {
                w.u32(*index);
            }
            w.bool(delegatee.is_some());
            if let Some(delegatee) = delegatee {
                w.bytes(&delegatee.0);
            }
        }
        EnergyPayload::WithdrawUnfrozen => w.u8(3),
    }
    Ok(())
}
