//! The state of AI mining as the one object that the old daemon kept it in (spec 6).

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use crate::state::{
    AccountReputation, Counter, Key, Miner, MiningTask, SubmittedAnswer, TaskStatus, ValidationScore, Value,
};
use crate::types::{Address, Hash};
use crate::wire::Difficulty;

/// System-wide numbers (spec 6, `stats`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MiningStatistics {
    /// Tasks ever published.
    pub total_tasks: u64,
    /// Tasks that no sweep has expired. Completed tasks stay counted, and so do those that a validation expired: the
    /// old daemon subtracted only what its sweep ended, and the sweep came second.
    pub active_tasks: u64,
    /// Always 0: tasks that a sweep completed, and no sweep ever did.
    pub completed_tasks: u64,
    /// Miners ever registered.
    pub total_miners: u64,
    /// Always 0, as [`completed_tasks`](Self::completed_tasks).
    pub total_rewards_distributed: u64,
    /// Always 0: no transaction made the old daemon compute it.
    pub total_staked: u64,
}

/// An answer as it is exported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportedAnswer {
    /// Its id.
    pub answer_id: Hash,
    /// The answer.
    pub answer_content: Arc<str>,
    /// BLAKE3 of the answer's bytes.
    pub answer_hash: Hash,
    /// Who answered.
    pub submitter: Address,
    /// Atomic units.
    pub stake_amount: u64,
    /// In the order in which they came.
    pub validation_scores: Vec<ValidationScore>,
    /// Their average, rounded down.
    pub average_score: Option<u8>,
    /// Height of the submission.
    pub submitted_at: u64,
}

/// A task as it is exported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportedTask {
    /// Its id.
    pub task_id: Hash,
    /// Who wants it done.
    pub publisher: Address,
    /// What is to be done.
    pub description: Arc<str>,
    /// Atomic units.
    pub reward_amount: u64,
    /// As published.
    pub difficulty: Difficulty,
    /// As published.
    pub deadline: u64,
    /// What the last sweep left, not what is stored.
    pub status: TaskStatus,
    /// Height of the publication.
    pub published_at: u64,
    /// In the order in which they came.
    pub submitted_answers: Vec<ExportedAnswer>,
    /// Whether the completion has been settled.
    pub rewards_processed: bool,
}

/// The whole state of AI mining (spec 6): all maps ascend by key, which the old daemon's did not.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MiningExport {
    /// By id.
    pub tasks: BTreeMap<Hash, ExportedTask>,
    /// By address.
    pub miners: BTreeMap<Address, Miner>,
    /// By address: the same as those of the miners.
    pub account_reputations: BTreeMap<Address, AccountReputation>,
    /// System-wide numbers.
    pub statistics: MiningStatistics,
}

impl From<&SubmittedAnswer> for ExportedAnswer {
    fn from(answer: &SubmittedAnswer) -> Self {
        Self {
            answer_id: answer.answer_id,
            answer_content: Arc::clone(&answer.answer_content),
            answer_hash: answer.answer_hash,
            submitter: answer.submitter,
            stake_amount: answer.stake_amount,
            validation_scores: answer.validation_scores.clone(),
            average_score: answer.average_score(),
            submitted_at: answer.submitted_at,
        }
    }
}

impl ExportedTask {
    /// The task `task_id` when the mining clock shows `clock`.
    #[must_use]
    pub fn new(task_id: Hash, task: &MiningTask, clock: u64) -> Self {
        Self {
            task_id,
            publisher: task.publisher,
            description: Arc::clone(&task.description),
            reward_amount: task.reward_amount,
            difficulty: task.difficulty,
            deadline: task.deadline,
            status: task.status_at(clock),
            published_at: task.published_at,
            submitted_answers: task.answers.iter().map(ExportedAnswer::from).collect(),
            rewards_processed: task.status == TaskStatus::Completed,
        }
    }
}

impl MiningExport {
    /// Exports what `entries` hold of AI mining; the rest is passed over. In any order, each key at most once.
    pub fn of(entries: impl IntoIterator<Item = (Key, Value)>) -> Self {
        let Ok(export) = Self::try_of(entries.into_iter().map(Ok::<_, Infallible>));
        export
    }

    /// As [`of`](Self::of), from entries that can fail to be read.
    ///
    /// # Errors
    /// The first of the entries.
    pub fn try_of<E>(entries: impl IntoIterator<Item = Result<(Key, Value), E>>) -> Result<Self, E> {
        let mut export = Self::default();
        let mut clock = 0;
        // The clock can come after the tasks that it decides on.
        let mut tasks = Vec::new();
        for entry in entries {
            match entry? {
                (Key::Counter(Counter::MiningClock), Value::Counter(number)) => clock = number,
                (Key::Counter(Counter::MiningTasks), Value::Counter(number)) => {
                    export.statistics.total_tasks = number;
                }
                (Key::Counter(Counter::MiningMiners), Value::Counter(number)) => {
                    export.statistics.total_miners = number;
                }
                (Key::Miner(address), Value::Miner(record)) => {
                    export.miners.insert(address, record.miner);
                    export.account_reputations.insert(address, record.reputation);
                }
                (Key::MiningTask(id), Value::MiningTask(task)) => tasks.push((id, task)),
                _ => {}
            }
        }
        for (id, task) in tasks {
            if !was_swept(&task, clock) {
                export.statistics.active_tasks += 1;
            }
            export.tasks.insert(id, ExportedTask::new(id, &task, clock));
        }
        Ok(export)
    }
}

/// Whether the old daemon would have taken the task from the active ones: stored as active, and expired by the clock.
fn was_swept(task: &MiningTask, clock: u64) -> bool {
    task.status == TaskStatus::Active && task.status_at(clock) == TaskStatus::Expired
}
