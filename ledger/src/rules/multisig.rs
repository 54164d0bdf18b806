//! Multisig configurations (spec 5.3).

use std::collections::BTreeSet;
use std::sync::Arc;

use weft_engine::StateView;

use crate::error::TosError;
use crate::state::{Key, MultisigConfig, Value};
use crate::wire::MultisigPayload;

use super::source::Source;

/// Step 10. Some of it can only come from a structured transaction: the wire cannot carry it (spec 2.4.3).
pub(super) fn check(payload: &MultisigPayload, source: &Source) -> Result<(), TosError> {
    let MultisigPayload { threshold, participants } = payload;
    match (*threshold, participants.len()) {
        (0, 0) if source.account.has_multisig => Ok(()),
        (0, _) => Err(TosError::InvalidPayload),
        (_, 0) => Err(TosError::InvalidFormat),
        (_, count) if count > 255 => Err(TosError::InvalidPayload),
        (_, count) if participants.iter().collect::<BTreeSet<_>>().len() < count => Err(TosError::InvalidSignature),
        (_, count) if usize::from(*threshold) > count => Err(TosError::InvalidPayload),
        _ => Ok(()),
    }
}

/// Step 13: sets, replaces or deletes. A deletion is a change like any other (spec 10, item 10).
pub(super) fn apply<S: StateView<Key, Value>>(payload: &MultisigPayload, source: &mut Source, state: &mut S) {
    let key = Key::Multisig(source.address);
    source.account.has_multisig = payload.threshold > 0;
    if payload.threshold > 0 {
        let MultisigPayload { threshold, participants } = payload.clone();
        state.write(key, Value::Multisig(Arc::new(MultisigConfig { threshold, participants })));
    } else {
        state.delete(key);
    }
}
