//! The bytes of miners and tasks in a database.

use std::sync::Arc;

use crate::types::{Address, Hash};
use crate::wire::{DecodeError, DecodeReason, Reader, read_difficulty};

use super::codec::{numbers, read_list};
use super::{AccountReputation, Miner, MinerRecord, MiningTask, SubmittedAnswer, TaskStatus, ValidationScore};

/// Smallest score and smallest answer, in bytes.
const SCORE_BYTES: usize = 32 + 8 + 1;
const MIN_ANSWER_BYTES: usize = 32 * 3 + 8 * 4;

/// Appends the fields of a miner.
pub(super) fn write_miner(out: &mut Vec<u8>, record: &MinerRecord) {
    let MinerRecord { miner, reputation } = record;
    numbers(out, &[miner.registration_fee, miner.registered_at]);
    for count in [miner.tasks_published, miner.answers_submitted, miner.validations_performed] {
        out.extend_from_slice(&count.to_be_bytes());
    }
    out.extend_from_slice(&miner.reputation.to_be_bytes());
    let AccountReputation {
        created_at,
        transaction_count,
        stake_amount,
        last_submission_time,
        reputation_score,
        total_rewards_earned,
        successful_validations,
        total_validations,
    } = *reputation;
    numbers(out, &[created_at, transaction_count, stake_amount, last_submission_time]);
    numbers(out, &[reputation_score, total_rewards_earned, successful_validations, total_validations]);
}

/// Reads what [`write_miner`] wrote.
pub(super) fn read_miner(r: &mut Reader<'_>) -> Result<MinerRecord, DecodeError> {
    let miner = Miner {
        registration_fee: r.u64()?,
        registered_at: r.u64()?,
        tasks_published: r.u32()?,
        answers_submitted: r.u32()?,
        validations_performed: r.u32()?,
        reputation: r.u16()?,
    };
    let reputation = AccountReputation {
        created_at: r.u64()?,
        transaction_count: r.u64()?,
        stake_amount: r.u64()?,
        last_submission_time: r.u64()?,
        reputation_score: r.u64()?,
        total_rewards_earned: r.u64()?,
        successful_validations: r.u64()?,
        total_validations: r.u64()?,
    };
    Ok(MinerRecord { miner, reputation })
}

/// Appends the fields of a task.
pub(super) fn write_task(out: &mut Vec<u8>, task: &MiningTask) {
    out.extend_from_slice(&task.publisher.0);
    numbers(out, &[task.reward_amount, task.deadline, task.published_at]);
    out.extend_from_slice(&[task.difficulty as u8, task.status as u8]);
    write_text(out, &task.description);
    numbers(out, &[task.answers.len() as u64]);
    for answer in &task.answers {
        out.extend_from_slice(&answer.answer_id.0);
        out.extend_from_slice(&answer.answer_hash.0);
        out.extend_from_slice(&answer.submitter.0);
        numbers(out, &[answer.stake_amount, answer.submitted_at]);
        write_text(out, &answer.answer_content);
        numbers(out, &[answer.validation_scores.len() as u64]);
        for score in &answer.validation_scores {
            out.extend_from_slice(&score.validator.0);
            numbers(out, &[score.validated_at]);
            out.push(score.score);
        }
    }
}

/// Reads what [`write_task`] wrote.
pub(super) fn read_task(r: &mut Reader<'_>) -> Result<MiningTask, DecodeError> {
    let publisher = Address(r.array()?);
    let (reward_amount, deadline, published_at) = (r.u64()?, r.u64()?, r.u64()?);
    let difficulty = read_difficulty(r)?;
    let offset = r.offset();
    let value = r.u8()?;
    let status = TaskStatus::ALL.into_iter().find(|status| *status as u8 == value);
    let status = status.ok_or(r.error_at(offset, DecodeReason::BadTag { what: "task status", value }))?;
    let description = read_text(r)?;
    let answers = r.u64()?;
    let answers = read_list(r, answers, MIN_ANSWER_BYTES, read_answer)?;
    Ok(MiningTask { publisher, description, reward_amount, difficulty, deadline, status, published_at, answers })
}

fn read_answer(r: &mut Reader<'_>) -> Result<SubmittedAnswer, DecodeError> {
    let (answer_id, answer_hash) = (Hash(r.array()?), Hash(r.array()?));
    let submitter = Address(r.array()?);
    let (stake_amount, submitted_at) = (r.u64()?, r.u64()?);
    let answer_content = read_text(r)?;
    let scores = r.u64()?;
    let validation_scores = read_list(r, scores, SCORE_BYTES, |r| {
        Ok(ValidationScore { validator: Address(r.array()?), validated_at: r.u64()?, score: r.u8()? })
    })?;
    Ok(SubmittedAnswer {
        answer_id,
        answer_content,
        answer_hash,
        submitter,
        stake_amount,
        submitted_at,
        validation_scores,
    })
}

fn write_text(out: &mut Vec<u8>, text: &str) {
    numbers(out, &[text.len() as u64]);
    out.extend_from_slice(text.as_bytes());
}

fn read_text(r: &mut Reader<'_>) -> Result<Arc<str>, DecodeError> {
    // A length beyond the address space is beyond the bytes too.
    let length = usize::try_from(r.u64()?).unwrap_or(usize::MAX);
    let start = r.offset();
    match std::str::from_utf8(r.bytes(length)?) {
        Ok(text) => Ok(text.into()),
        Err(_) => Err(r.error_at(start, DecodeReason::Utf8)),
    }
}
