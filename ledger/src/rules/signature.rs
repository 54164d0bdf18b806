//! Step 11 of spec 4.1: the source's signature, then the participants' (spec 4.5).

use weft_engine::StateView;

use crate::crypto;
use crate::error::TosError;
use crate::signed::SignedTransaction;
use crate::state::{Key, Value};

use super::Failure;
use super::source::Source;

/// Checks all signatures that the source's configuration asks for.
pub(super) fn check<S: StateView<Key, Value>>(
    signed: &SignedTransaction,
    source: &Source,
    state: &mut S,
) -> Result<(), Failure> {
    if !signed.verify_signature() {
        return Err(TosError::InvalidSignature.into());
    }
    let section = match (source.account.has_multisig, &signed.transaction().multisig) {
        (false, None) => return Ok(()),
        (true, Some(section)) => section,
        (false, Some(_)) | (true, None) => return Err(TosError::InvalidPayload.into()),
    };
    let Some(Value::Multisig(config)) = state.read(&Key::Multisig(source.address))? else {
        return Err(TosError::InternalError.into());
    };
    if section.signatures.len() != usize::from(config.threshold) {
        return Err(TosError::InvalidPayload.into());
    }
    let message = signed.signing_hash();
    for entry in &section.signatures {
        let participant = config.participants.get(usize::from(entry.signer_id)).ok_or(TosError::InvalidPayload)?;
        if !signed.is_trusted() && !crypto::verify(participant, message.as_bytes(), &entry.signature) {
            return Err(TosError::InvalidSignature.into());
        }
    }
    Ok(())
}
