//! PublishTask (spec 6, B.2).

use std::sync::Arc;

use weft_engine::StateView;

use crate::state::{Counter, Delta, Key, MiningTask, TaskStatus, Value};
use crate::types::{Address, Hash};
use crate::wire::Difficulty;

use super::limits::{MAX_DEADLINE_DISTANCE, is_text_length, publisher_reputation, rewards};
use super::{BlockContext, Failure, participation, records, reputation, require};

/// What is published.
pub(super) struct Task<'a> {
    pub(super) id: Hash,
    pub(super) reward_amount: u64,
    pub(super) difficulty: Difficulty,
    pub(super) deadline: u64,
    pub(super) description: &'a Arc<str>,
}

/// Checks and effects.
pub(super) fn apply<S: StateView<Key, Value>>(
    context: &BlockContext,
    source: Address,
    task: &Task<'_>,
    state: &mut S,
) -> Result<(), Failure> {
    let now = context.timestamp;
    require(is_text_length(task.description))?;
    let mut record = records::registered(state, source)?;
    require(task.deadline > now)?;
    // At the end of time every deadline is near enough; the old daemon's sum wrapped there.
    require(task.deadline <= now.saturating_add(MAX_DEADLINE_DISTANCE))?;
    require(rewards(task.difficulty).contains(&task.reward_amount))?;
    participation::admit(&mut record, task.difficulty, publisher_reputation(task.difficulty), None, now)?;
    require(records::task(state, task.id)?.is_none())?;

    // Twice: once with the task and once with the transaction, as in the old daemon.
    record.miner.tasks_published = record.miner.tasks_published.saturating_add(2);
    reputation::change(&mut record.miner, reputation::FOR_TASK);
    reputation::note_action(&mut record.reputation, now);
    records::write_miner(state, source, record);
    let published = MiningTask {
        publisher: source,
        description: Arc::clone(task.description),
        reward_amount: task.reward_amount,
        difficulty: task.difficulty,
        deadline: task.deadline,
        status: TaskStatus::Active,
        published_at: context.height,
        answers: Vec::new(),
    };
    records::write_task(state, task.id, published);
    state.add(Key::Counter(Counter::MiningTasks), Delta::CountSaturating(1))?;
    Ok(())
}
