//! Reading and writing miners and tasks.

use std::sync::Arc;

use weft_engine::StateView;

use crate::error::TosError;
use crate::state::{Key, MinerRecord, MiningTask, Value};
use crate::types::{Address, Hash};

use super::Failure;

/// The record of a miner, or `None` for everybody else.
pub(super) fn miner<S: StateView<Key, Value>>(state: &mut S, address: Address) -> Result<Option<MinerRecord>, Failure> {
    match state.read(&Key::Miner(address))? {
        Some(Value::Miner(record)) => Ok(Some(*record)),
        Some(_) => Err(TosError::InternalError.into()),
        None => Ok(None),
    }
}

/// The record of somebody who must be a miner.
pub(super) fn registered<S: StateView<Key, Value>>(state: &mut S, address: Address) -> Result<MinerRecord, Failure> {
    Ok(miner(state, address)?.ok_or(TosError::InvalidPayload)?)
}

/// Stores a miner's record.
pub(super) fn write_miner<S: StateView<Key, Value>>(state: &mut S, address: Address, record: MinerRecord) {
    state.write(Key::Miner(address), Value::Miner(Arc::new(record)));
}

/// The task with this id, or `None` for an unused one.
pub(super) fn task<S: StateView<Key, Value>>(state: &mut S, id: Hash) -> Result<Option<Arc<MiningTask>>, Failure> {
    match state.read(&Key::MiningTask(id))? {
        Some(Value::MiningTask(task)) => Ok(Some(task)),
        Some(_) => Err(TosError::InternalError.into()),
        None => Ok(None),
    }
}

/// The task with an id that must be in use.
pub(super) fn published<S: StateView<Key, Value>>(state: &mut S, id: Hash) -> Result<Arc<MiningTask>, Failure> {
    Ok(task(state, id)?.ok_or(TosError::InvalidPayload)?)
}

/// Stores a task.
pub(super) fn write_task<S: StateView<Key, Value>>(state: &mut S, id: Hash, task: MiningTask) {
    state.write(Key::MiningTask(id), Value::MiningTask(Arc::new(task)));
}
