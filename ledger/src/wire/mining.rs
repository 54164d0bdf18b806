//! The payload of AI mining, opcode 6 (spec 2.6), in both directions.

use std::sync::Arc;

use crate::types::{Address, Hash};

use super::{DecodeError, DecodeReason, EncodeError, Reader, Writer};

/// How hard a task is: it decides the range of its reward and who may take part (spec 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Difficulty {
    /// The lowest reward.
    Beginner = 0,
    /// The second.
    Intermediate = 1,
    /// The third.
    Advanced = 2,
    /// The highest reward.
    Expert = 3,
}

impl Difficulty {
    /// Every difficulty, from the lowest on.
    pub const ALL: [Self; 4] = [Self::Beginner, Self::Intermediate, Self::Advanced, Self::Expert];

    /// The difficulty with this number on the wire.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }
}

/// The AI mining transactions (spec 2.6). Texts are shared with the state that they end up in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AiMiningPayload {
    /// Variant 0: announces a task.
    PublishTask {
        /// Chosen by the publisher; must be unused.
        task_id: Hash,
        /// Atomic units. Recorded, never paid.
        reward_amount: u64,
        /// Decides the reward's range and who may answer.
        difficulty: Difficulty,
        /// Last time at which answers are taken, in the unit of the block's timestamp.
        deadline: u64,
        /// What is to be done: at most 255 bytes on the wire.
        description: Arc<str>,
    },
    /// Variant 1: answers a task.
    SubmitAnswer {
        /// The task.
        task_id: Hash,
        /// The answer: at most 255 bytes on the wire.
        answer_content: Arc<str>,
        /// BLAKE3 of the answer's bytes.
        answer_hash: Hash,
        /// Atomic units. Recorded, never locked.
        stake_amount: u64,
    },
    /// Variant 2: judges somebody's answer.
    ValidateAnswer {
        /// The task.
        task_id: Hash,
        /// The answer.
        answer_id: Hash,
        /// 0 to 100 by the rules; the wire carries any byte.
        validation_score: u8,
    },
    /// Variant 3: lets the source take part.
    RegisterMiner {
        /// Must be the source.
        miner: Address,
        /// Atomic units. Recorded, never paid.
        registration_fee: u64,
    },
}

/// Reads what follows the opcode.
pub(super) fn read_payload(r: &mut Reader<'_>) -> Result<AiMiningPayload, DecodeError> {
    let offset = r.offset();
    Ok(match r.u8()? {
        0 => AiMiningPayload::PublishTask {
            task_id: Hash(r.array()?),
            reward_amount: r.u64()?,
            difficulty: read_difficulty(r)?,
            deadline: r.u64()?,
            description: read_text(r)?,
        },
        1 => AiMiningPayload::SubmitAnswer {
            task_id: Hash(r.array()?),
            answer_content: read_text(r)?,
            answer_hash: Hash(r.array()?),
            stake_amount: r.u64()?,
        },
        2 => AiMiningPayload::ValidateAnswer {
            task_id: Hash(r.array()?),
            answer_id: Hash(r.array()?),
            validation_score: r.u8()?,
        },
        3 => AiMiningPayload::RegisterMiner { miner: Address(r.array()?), registration_fee: r.u64()? },
        value => return Err(r.error_at(offset, DecodeReason::BadTag { what: "mining variant", value })),
    })
}

/// Reads a difficulty; the state's codec uses it too.
pub(crate) fn read_difficulty(r: &mut Reader<'_>) -> Result<Difficulty, DecodeError> {
    let offset = r.offset();
    let value = r.u8()?;
    Difficulty::from_number(value).ok_or(r.error_at(offset, DecodeReason::BadTag { what: "difficulty", value }))
}

fn read_text(r: &mut Reader<'_>) -> Result<Arc<str>, DecodeError> {
    let length = usize::from(r.u8()?);
    let start = r.offset();
    match std::str::from_utf8(r.bytes(length)?) {
        Ok(text) => Ok(text.into()),
        Err(_) => Err(r.error_at(start, DecodeReason::Utf8)),
    }
}

/// Writes what follows the opcode.
pub(super) fn write_payload(w: &mut Writer, payload: &AiMiningPayload) -> Result<(), EncodeError> {
    match payload {
        AiMiningPayload::PublishTask { task_id, reward_amount, difficulty, deadline, description } => {
            w.u8(0);
            w.bytes(&task_id.0);
            w.u64(*reward_amount);
            w.u8(*difficulty as u8);
            w.u64(*deadline);
            write_text(w, "bytes of description", description)?;
        }
        AiMiningPayload::SubmitAnswer { task_id, answer_content, answer_hash, stake_amount } => {
            w.u8(1);
            w.bytes(&task_id.0);
            write_text(w, "bytes of answer", answer_content)?;
            w.bytes(&answer_hash.0);
            w.u64(*stake_amount);
        }
        AiMiningPayload::ValidateAnswer { task_id, answer_id, validation_score } => {
            w.u8(2);
            w.bytes(&task_id.0);
            w.bytes(&answer_id.0);
            w.u8(*validation_score);
        }
        AiMiningPayload::RegisterMiner { miner, registration_fee } => {
            w.u8(3);
            w.bytes(&miner.0);
            w.u64(*registration_fee);
        }
    }
    Ok(())
}

/// The old daemon wrote the low byte of a longer length, which nothing can read back (spec 2.6): refused here.
fn write_text(w: &mut Writer, what: &'static str, text: &str) -> Result<(), EncodeError> {
    w.len_u8(what, text.len())?;
    w.bytes(text.as_bytes());
    Ok(())
}
