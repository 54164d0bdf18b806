//! SubmitAnswer (spec 6, B.3).

use std::sync::Arc;

use weft_engine::StateView;

use crate::crypto;
use crate::state::{Key, MiningTask, SubmittedAnswer, TaskStatus, Value};
use crate::types::{Address, Hash};

use super::limits::{is_text_length, stakes, submitter_reputation};
use super::{BlockContext, Failure, participation, records, reputation, require};

/// What is submitted.
pub(super) struct Answer<'a> {
    pub(super) task: Hash,
    pub(super) content: &'a Arc<str>,
    pub(super) declared_hash: Hash,
    pub(super) stake_amount: u64,
}

/// Checks and effects.
pub(super) fn apply<S: StateView<Key, Value>>(
    context: &BlockContext,
    source: Address,
    answer: &Answer<'_>,
    state: &mut S,
) -> Result<(), Failure> {
    let now = context.timestamp;
    require(is_text_length(answer.content))?;
    let mut record = records::registered(state, source)?;
    let task = records::published(state, answer.task)?;
    // A task that has been swept is past its deadline: the second line refuses it, without looking at the clock.
    require(task.status == TaskStatus::Active)?;
    require(now <= task.deadline)?;
    require(task.publisher != source)?;
    require(stakes(task.reward_amount).contains(&answer.stake_amount))?;
    let least = submitter_reputation(task.difficulty);
    participation::admit(&mut record, task.difficulty, least, Some(answer.stake_amount), now)?;
    require(crypto::hash(answer.content.as_bytes()) == answer.declared_hash)?;
    require(task.answers.iter().all(|other| other.submitter != source))?;

    let mut task = MiningTask::clone(&task);
    task.answers.push(SubmittedAnswer {
        answer_id: answer_id(answer.task, source, answer.declared_hash, context),
        answer_content: Arc::clone(answer.content),
        answer_hash: answer.declared_hash,
        submitter: source,
        stake_amount: answer.stake_amount,
        submitted_at: context.height,
        validation_scores: Vec::new(),
    });
    records::write_task(state, answer.task, task);
    record.miner.answers_submitted = record.miner.answers_submitted.saturating_add(1);
    reputation::change(&mut record.miner, reputation::FOR_ANSWER);
    reputation::note_action(&mut record.reputation, now);
    records::write_miner(state, source, record);
    Ok(())
}

/// The id of an answer: BLAKE3 over task, submitter, content hash, height and time.
#[must_use]
pub fn answer_id(task: Hash, submitter: Address, answer_hash: Hash, context: &BlockContext) -> Hash {
    let mut bytes = [0; 32 * 3 + 8 * 2];
    bytes[..32].copy_from_slice(&task.0);
    bytes[32..64].copy_from_slice(&submitter.0);
    bytes[64..96].copy_from_slice(&answer_hash.0);
    bytes[96..104].copy_from_slice(&context.height.to_be_bytes());
    bytes[104..].copy_from_slice(&context.timestamp.to_be_bytes());
    crypto::hash(&bytes)
}
