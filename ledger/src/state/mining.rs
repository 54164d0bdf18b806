//! What AI mining stores (spec 6): one record a miner, one record a task.
//!
//! The old daemon kept all of it in one object, so that any two mining transactions conflicted (spec 10, item 37).
//! Here only those conflict that have a miner or a task in common. Three counters belong to it
//! ([`Counter::MiningClock`](super::Counter::MiningClock) and the two totals); they are only ever added to.

use std::sync::Arc;

use crate::types::{Address, Hash};
use crate::wire::Difficulty;

/// What a miner has done (spec 6, "miner").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Miner {
    /// Atomic units; recorded, never paid.
    pub registration_fee: u64,
    /// Height of the registration.
    pub registered_at: u64,
    /// Counts every task twice, as the old daemon did.
    pub tasks_published: u32,
    /// Answers to tasks of others.
    pub answers_submitted: u32,
    /// Scores given to answers of others.
    pub validations_performed: u32,
    /// 0 to 1000; a new miner has 500.
    pub reputation: u16,
}

/// What an account's score is computed from, and the score (spec 6, "rep").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AccountReputation {
    /// *Height* of the registration, though it is compared with times.
    pub created_at: u64,
    /// Mining transactions, the registration not counted.
    pub transaction_count: u64,
    /// The registration fee, then the stake of the last answer; atomic units.
    pub stake_amount: u64,
    /// Time of the last mining transaction, the registration not counted.
    pub last_submission_time: u64,
    /// 0 to 10000, as of the last mining transaction: it is not kept up to date in between.
    pub reputation_score: u64,
    /// Rewards of completed tasks, atomic units; recorded, never paid.
    pub total_rewards_earned: u64,
    /// Validations with a score of at least 70.
    pub successful_validations: u64,
    /// Validations; one of the answer that completes its task counts twice.
    pub total_validations: u64,
}

/// A registered miner. Both records begin with the registration and are changed by the same transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MinerRecord {
    /// What it has done.
    pub miner: Miner,
    /// What it is trusted with.
    pub reputation: AccountReputation,
}

/// What became of a task (spec 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum TaskStatus {
    /// Answers are taken.
    Active = 0,
    /// The deadline passed without a good answer.
    Expired = 1,
    /// An answer got an average of 70 in time.
    Completed = 2,
    /// No transaction cancels a task; the old daemon's object has the status all the same.
    Cancelled = 3,
}

impl TaskStatus {
    /// Every status, in the order of the numbers.
    pub const ALL: [Self; 4] = [Self::Active, Self::Expired, Self::Completed, Self::Cancelled];
}

/// One validator's judgement of one answer (spec 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ValidationScore {
    /// Who judged.
    pub validator: Address,
    /// 0 to 100.
    pub score: u8,
    /// Height of the judgement.
    pub validated_at: u64,
}

/// An answer to a task (spec 6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubmittedAnswer {
    /// Derived from task, submitter, content, height and time.
    pub answer_id: Hash,
    /// The answer.
    pub answer_content: Arc<str>,
    /// BLAKE3 of the answer's bytes.
    pub answer_hash: Hash,
    /// Who answered.
    pub submitter: Address,
    /// Atomic units; recorded, never locked.
    pub stake_amount: u64,
    /// Height of the submission.
    pub submitted_at: u64,
    /// At most one a validator, in the order in which they came.
    pub validation_scores: Vec<ValidationScore>,
}

impl SubmittedAnswer {
    /// The average score, rounded down; `None` before the first.
    #[must_use]
    pub fn average_score(&self) -> Option<u8> {
        let sum: u64 = self.validation_scores.iter().map(|entry| u64::from(entry.score)).sum();
        // The average of bytes is a byte.
        sum.checked_div(self.validation_scores.len() as u64).map(|average| average as u8)
    }
}

/// A task (spec 6). Whether its rewards were processed is not stored: that is done with the completion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MiningTask {
    /// Who wants it done.
    pub publisher: Address,
    /// What is to be done.
    pub description: Arc<str>,
    /// Atomic units; recorded, never paid.
    pub reward_amount: u64,
    /// Decides who may take part.
    pub difficulty: Difficulty,
    /// Last time at which answers are taken.
    pub deadline: u64,
    /// As stored: [`status_at`](Self::status_at) says what it is. [`TaskStatus::Expired`] is stored only by a
    /// validation that was itself the first to come after the deadline.
    pub status: TaskStatus,
    /// Height of the publication.
    pub published_at: u64,
    /// At most one a submitter, in the order in which they came.
    pub answers: Vec<SubmittedAnswer>,
}

impl MiningTask {
    /// The status when the mining clock ([`Counter::MiningClock`](super::Counter::MiningClock)) shows `clock`.
    ///
    /// In the old daemon every successful mining transaction swept over all tasks and marked those past their
    /// deadline. A task is marked by now exactly if one of these transactions came after its deadline, and the clock
    /// shows the latest of them.
    #[must_use]
    pub fn status_at(&self, clock: u64) -> TaskStatus {
        match self.status {
            TaskStatus::Active if clock > self.deadline => TaskStatus::Expired,
            status => status,
        }
    }

    /// The answer with the highest average, the last of equals; `None` before the first score.
    #[must_use]
    pub fn best_answer(&self) -> Option<&SubmittedAnswer> {
        let scored = self.answers.iter().filter_map(|answer| Some((answer.average_score()?, answer)));
        scored.max_by_key(|(score, _)| *score).map(|(_, answer)| answer)
    }
}
