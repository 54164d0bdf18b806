//! The end of a task by a good answer (spec 6, step C).

use weft_engine::StateView;

use crate::state::{Key, MinerRecord, MiningTask, TaskStatus, Value};
use crate::types::Address;

use super::limits::PASSING_SCORE;
use super::{Failure, records, reputation};

/// Completes an active task if its best answer is good enough, and settles the reputation of everybody who had a part
/// in it. A task is completed once, so this happens once.
pub(super) fn complete_if_good<S: StateView<Key, Value>>(task: &mut MiningTask, state: &mut S) -> Result<(), Failure> {
    let Some(best) = task.best_answer() else { return Ok(()) };
    if best.average_score().is_none_or(|average| average < PASSING_SCORE) {
        return Ok(());
    }
    update(state, best.submitter, |record| reputation::reward_submitter(record, task.reward_amount))?;
    for entry in &best.validation_scores {
        update(state, entry.validator, |record| reputation::settle_validator(record, entry.score))?;
    }
    update(state, task.publisher, |record| reputation::change(&mut record.miner, reputation::FOR_TASK))?;
    task.status = TaskStatus::Completed;
    Ok(())
}

/// Changes a miner's record. Whoever has none is passed over; but nobody loses one.
fn update<S: StateView<Key, Value>>(
    state: &mut S,
    address: Address,
    change: impl FnOnce(&mut MinerRecord),
) -> Result<(), Failure> {
    if let Some(mut record) = records::miner(state, address)? {
        change(&mut record);
        records::write_miner(state, address, record);
    }
    Ok(())
}
