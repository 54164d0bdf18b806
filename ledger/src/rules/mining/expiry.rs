//! The end of a task by its deadline (spec 6, step C).

use weft_engine::StateView;

use crate::error::TosError;
use crate::state::{Counter, Key, MiningTask, TaskStatus, Value};

use super::Failure;

/// Expires a stored active task whose deadline has passed, unless an earlier transaction has done it already: then the
/// clock says so from now on, and nothing need be stored.
///
/// This is the only place that reads the clock; see the [module](super) for why it must.
pub(super) fn expire<S: StateView<Key, Value>>(task: &mut MiningTask, state: &mut S) -> Result<(), Failure> {
    let clock = match state.read(&Key::Counter(Counter::MiningClock))? {
        Some(Value::Counter(clock)) => clock,
        Some(_) => return Err(TosError::InternalError.into()),
        None => 0,
    };
    if task.status_at(clock) == TaskStatus::Active {
        task.status = TaskStatus::Expired;
    }
    Ok(())
}
