//! AI mining (spec 6): miners register, publish tasks, answer them and judge each other's answers.
//!
//! The era switch is [`LedgerConfig::ai_mining`](super::LedgerConfig::ai_mining). A transaction pays its normal fee and
//! nothing else: registration fee, reward and stake are recorded, never moved. All failures are 0x0107.
//!
//! **Times.** The rules' constants are seconds, and a miner's `created_at` is a height, but all are compared with the
//! block's timestamp as it is, which on the chain of spec 6 is in milliseconds. That is what the old daemon did, and
//! what every state of its era depends on: 30 days for a deadline are 43 minutes there, a cooldown of an hour is
//! 3.6 seconds, and every account is older than any limit on its age. It is reproduced on purpose; nothing is
//! converted.
//!
//! **The sweep.** The old daemon went over all tasks after every successful mining transaction: an active task past
//! its deadline became expired. A sweep of a global list would make all mining transactions conflict. Here each
//! transaction only raises a clock to its block's time, which commutes, and what the sweep did is told from the clock
//! ([`MiningTask::status_at`](crate::state::MiningTask::status_at)). This gives the same in every order, because:
//!
//! - Block time is assumed not to decrease. Then no sweep before this block came after its time, so a task whose
//!   deadline is not before `now` has not been swept, and the stored status is the status. Nothing reads the clock
//!   then.
//! - Past the deadline an answer is refused whether the task has been swept or not.
//! - Past the deadline a score is taken whether the task has been swept or not, and completes nothing. Only one thing
//!   tells the two apart: the transaction's own status update expires a task that has not been swept, and expiring in
//!   that way was not counted (`active_tasks` stayed). So here, and only here, the clock is read, and expiry is stored
//!   only in that case.
//! - The sweep completed nothing, ever: an average changes only by a validation, whose own status update comes first.
//!   So `completed_tasks` and `total_rewards_distributed` of the old object are always 0, and a completed task stays
//!   counted in `active_tasks`. The export says so ([`MiningExport`](crate::MiningExport)).

mod anti_sybil;
mod completion;
mod expiry;
mod limits;
mod participation;
mod publish;
mod records;
mod register;
mod reputation;
mod score;
mod submit;
mod validate;

#[cfg(test)]
mod tests;

pub use limits::{MAX_DEADLINE_DISTANCE, MAX_TEXT_BYTES, MIN_REGISTRATION_FEE, MIN_TEXT_BYTES, PASSING_SCORE};
pub use submit::answer_id;

use weft_engine::{StateView, Touch};

use crate::error::TosError;
use crate::state::{Counter, Delta, Key, Value};
use crate::types::Address;
use crate::wire::AiMiningPayload;

use super::{BlockContext, Failure};

/// Step 13: all rules of the type, and its effects. The old daemon checked nothing before (spec 6), so signatures come
/// first.
pub(super) fn apply<S: StateView<Key, Value>>(
    context: &BlockContext,
    source: Address,
    payload: &AiMiningPayload,
    state: &mut S,
) -> Result<(), Failure> {
    match payload {
        AiMiningPayload::RegisterMiner { miner, registration_fee } => {
            register::apply(context, source, *miner, *registration_fee, state)?;
        }
        AiMiningPayload::PublishTask { task_id, reward_amount, difficulty, deadline, description } => {
            let task = publish::Task {
                id: *task_id,
                reward_amount: *reward_amount,
                difficulty: *difficulty,
                deadline: *deadline,
                description,
            };
            publish::apply(context, source, &task, state)?;
        }
        AiMiningPayload::SubmitAnswer { task_id, answer_content, answer_hash, stake_amount } => {
            let answer = submit::Answer {
                task: *task_id,
                content: answer_content,
                declared_hash: *answer_hash,
                stake_amount: *stake_amount,
            };
            submit::apply(context, source, &answer, state)?;
        }
        AiMiningPayload::ValidateAnswer { task_id, answer_id, validation_score } => {
            let judgement = validate::Judgement { task: *task_id, answer: *answer_id, score: *validation_score };
            validate::apply(context, source, judgement, state)?;
        }
    }
    // Where the old daemon swept over all tasks.
    state.add(Key::Counter(Counter::MiningClock), Delta::Max(context.timestamp))?;
    Ok(())
}

/// Names the keys that `payload` will surely touch. Whose records a completion changes nobody knows before.
pub(super) fn footprint(source: Address, payload: &AiMiningPayload, declare: &mut dyn FnMut(Key, Touch)) {
    declare(Key::Miner(source), Touch::Write);
    match payload {
        AiMiningPayload::PublishTask { task_id, .. }
        | AiMiningPayload::SubmitAnswer { task_id, .. }
        | AiMiningPayload::ValidateAnswer { task_id, .. } => declare(Key::MiningTask(*task_id), Touch::Write),
        AiMiningPayload::RegisterMiner { .. } => {}
    }
}

/// A rule: 0x0107 unless it holds.
fn require(holds: bool) -> Result<(), TosError> {
    if holds { Ok(()) } else { Err(TosError::InvalidPayload) }
}
