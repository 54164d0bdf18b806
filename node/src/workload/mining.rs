//! AI mining within the mixture of everything: miners register, publish tasks, answer and judge, valid in order.
//!
//! A task lives in the block that publishes it: what a generator that goes on with a chain would have to know of older
//! ones is nothing then. Blocks are far enough apart for every miner to act in each of them, once.

use rand::RngExt;
use rand_chacha::ChaCha12Rng;
use weft_ledger::rules::BlockContext;
use weft_ledger::rules::mining::{MAX_DEADLINE_DISTANCE, MIN_REGISTRATION_FEE, PASSING_SCORE, answer_id};
use weft_ledger::wire::{AiMiningPayload, Difficulty, FeeType, Payload};
use weft_ledger::{Address, Hash, crypto};

use super::accounts::Accounts;
use super::{Draft, FEE};

/// The reward of every task, in atomic units: the least of the easiest.
const REWARD: u64 = 5_000_000_000;
/// Whoever does not judge publishes until so many tasks wait for an answer, and answers then.
const OPEN_TASKS: usize = 2;
/// Scores that an answer gets before nobody looks at it any more.
const SCORES: u64 = 4;

/// Enough for all that one block can do with a task.
const FEWEST_MINERS: usize = 6;

/// The tasks of a block.
#[derive(Debug, Default)]
pub(super) struct Tasks {
    /// Without an answer.
    open: Vec<Hash>,
    /// Each task has one answer: there is nothing that a second one would show.
    answers: Vec<Answer>,
    published: u64,
}

#[derive(Debug)]
struct Answer {
    task: Hash,
    id: Hash,
    scores: u64,
}

/// What a miner does next, or `None` where it has acted in this block already.
pub(super) fn draft(
    accounts: &mut Accounts,
    tasks: &mut Tasks,
    context: &BlockContext,
    random: &mut ChaCha12Rng,
) -> Option<Draft> {
    // Few of the accounts are miners: so even the first block is more than registrations.
    let miners = (accounts.len() / 16).max(FEWEST_MINERS);
    let source = random.random_range(0..miners);
    let address = accounts.address(source);
    let block = context.height + 1;
    let known = accounts.get_mut(source);
    let payload = if !known.is_miner {
        known.is_miner = true;
        AiMiningPayload::RegisterMiner { miner: address, registration_fee: MIN_REGISTRATION_FEE }
    } else if known.mined_in == block {
        return None;
    } else {
        known.mined_in = block;
        let wants_to_judge = random.random_range(0..4) > 0;
        if wants_to_judge && !tasks.answers.is_empty() {
            judge(tasks, random)
        } else if tasks.open.len() < OPEN_TASKS {
            publish(tasks, context)
        } else {
            answer(tasks, address, context, random)
        }
    };
    Some(accounts.draft(source, Payload::AiMining(Box::new(payload)), FEE, FeeType::Tos))
}

fn publish(tasks: &mut Tasks, context: &BlockContext) -> AiMiningPayload {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"weft workload task");
    hasher.update(&context.height.to_be_bytes());
    hasher.update(&tasks.published.to_be_bytes());
    tasks.published += 1;
    let task_id = Hash(*hasher.finalize().as_bytes());
    tasks.open.push(task_id);
    AiMiningPayload::PublishTask {
        task_id,
        reward_amount: REWARD,
        difficulty: Difficulty::Beginner,
        deadline: context.timestamp + MAX_DEADLINE_DISTANCE,
        description: format!("a task of block {}", context.height + 1).into(),
    }
}

fn answer(tasks: &mut Tasks, submitter: Address, context: &BlockContext, random: &mut ChaCha12Rng) -> AiMiningPayload {
    let task_id = tasks.open.swap_remove(random.random_range(0..tasks.open.len()));
    let answer_content = format!("an answer of block {}", context.height + 1);
    let answer_hash = crypto::hash(answer_content.as_bytes());
    let id = answer_id(task_id, submitter, answer_hash, context);
    tasks.answers.push(Answer { task: task_id, id, scores: 0 });
    let answer_content = answer_content.into();
    AiMiningPayload::SubmitAnswer { task_id, answer_content, answer_hash, stake_amount: REWARD / 4 }
}

fn judge(tasks: &mut Tasks, random: &mut ChaCha12Rng) -> AiMiningPayload {
    let at = random.random_range(0..tasks.answers.len());
    let answer = &mut tasks.answers[at];
    answer.scores += 1;
    let (task_id, answer_id) = (answer.task, answer.id);
    if answer.scores == SCORES {
        tasks.answers.swap_remove(at);
    }
    // On both sides of what completes a task.
    let validation_score = random.random_range(PASSING_SCORE - 15..=PASSING_SCORE + 15);
    AiMiningPayload::ValidateAnswer { task_id, answer_id, validation_score }
}
