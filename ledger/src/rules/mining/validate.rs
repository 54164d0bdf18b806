//! ValidateAnswer (spec 6, B.4).

use weft_engine::StateView;

use crate::error::TosError;
use crate::state::{Key, MiningTask, TaskStatus, ValidationScore, Value};
use crate::types::{Address, Hash};

use super::limits::{MAX_SCORE, validator_reputation};
use super::{BlockContext, Failure, completion, expiry, participation, records, reputation, require};

/// What is judged, and how.
#[derive(Clone, Copy)]
pub(super) struct Judgement {
    pub(super) task: Hash,
    pub(super) answer: Hash,
    pub(super) score: u8,
}

/// Checks and effects. An expired or completed task still takes scores.
pub(super) fn apply<S: StateView<Key, Value>>(
    context: &BlockContext,
    source: Address,
    judgement: Judgement,
    state: &mut S,
) -> Result<(), Failure> {
    let now = context.timestamp;
    let mut record = records::registered(state, source)?;
    require(judgement.score <= MAX_SCORE)?;
    let task = records::published(state, judgement.task)?;
    require(task.status != TaskStatus::Cancelled)?;
    let position = task.answers.iter().position(|answer| answer.answer_id == judgement.answer);
    let position = position.ok_or(TosError::InvalidPayload)?;
    let answer = &task.answers[position];
    require(answer.submitter != source)?;
    require(task.publisher != source)?;
    participation::admit(&mut record, task.difficulty, validator_reputation(task.difficulty), None, now)?;
    require(answer.validation_scores.iter().all(|other| other.validator != source))?;

    let mut task = MiningTask::clone(&task);
    let entry = ValidationScore { validator: source, score: judgement.score, validated_at: context.height };
    task.answers[position].validation_scores.push(entry);
    record.miner.validations_performed = record.miner.validations_performed.saturating_add(1);
    reputation::change(&mut record.miner, reputation::FOR_VALIDATION);
    reputation::note_action(&mut record.reputation, now);
    reputation::note_validation(&mut record.reputation, judgement.score);
    // Before a completion, which may change it again.
    records::write_miner(state, source, record);
    if task.status == TaskStatus::Active {
        if now > task.deadline {
            expiry::expire(&mut task, state)?;
        } else {
            completion::complete_if_good(&mut task, state)?;
        }
    }
    records::write_task(state, judgement.task, task);
    Ok(())
}
