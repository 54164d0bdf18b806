//! Chapter 6 of the spec as it is written: one object, a sweep over all tasks after every success, and the anti-Sybil
//! sum in binary fractions. Nothing here is shared with the rules but the types.

use std::collections::BTreeMap;

use crate::state::{AccountReputation, Miner, TaskStatus, ValidationScore};
use crate::types::{Address, Hash};
use crate::wire::{AiMiningPayload, Difficulty};
use crate::{ExportedAnswer, ExportedTask, MiningExport};

/// The transaction is refused.
pub(super) struct Refused;

/// The object, and how often each thing worth testing has happened.
#[derive(Default)]
pub(super) struct Model {
    pub(super) object: MiningExport,
    pub(super) seen: BTreeMap<&'static str, u64>,
}

/// Where and when a transaction is executed.
#[derive(Clone, Copy)]
pub(super) struct At {
    pub(super) height: u64,
    pub(super) now: u64,
}

type Rule = Result<(), Refused>;

fn ensure(holds: bool) -> Rule {
    if holds { Ok(()) } else { Err(Refused) }
}

impl Model {
    pub(super) fn see(&mut self, what: &'static str) {
        *self.seen.entry(what).or_default() += 1;
    }

    pub(super) fn apply(&mut self, source: Address, payload: &AiMiningPayload, at: At) -> Rule {
        let before = self.object.clone();
        let result = self.step(source, payload, at);
        match result {
            Ok(()) => self.sweep(at.now),
            Err(_) => self.object = before,
        }
        result
    }

    fn step(&mut self, source: Address, payload: &AiMiningPayload, at: At) -> Rule {
        // Step A.
        match payload {
            AiMiningPayload::PublishTask { description: text, .. }
            | AiMiningPayload::SubmitAnswer { answer_content: text, .. } => {
                ensure((10..=2048).contains(&text.len()))?;
            }
            _ => {}
        }
        // Step B.
        match payload {
            AiMiningPayload::RegisterMiner { miner, registration_fee } => {
                self.register(source, *miner, *registration_fee, at)
            }
            AiMiningPayload::PublishTask { task_id, reward_amount, difficulty, deadline, description } => {
                let task = ExportedTask {
                    task_id: *task_id,
                    publisher: source,
                    description: description.clone(),
                    reward_amount: *reward_amount,
                    difficulty: *difficulty,
                    deadline: *deadline,
                    status: TaskStatus::Active,
                    published_at: at.height,
                    submitted_answers: vec![],
                    rewards_processed: false,
                };
                self.publish(source, task, at)
            }
            AiMiningPayload::SubmitAnswer { task_id, answer_content, answer_hash, stake_amount } => {
                let mut id = Vec::new();
                id.extend(task_id.0);
                id.extend(source.0);
                id.extend(answer_hash.0);
                id.extend(at.height.to_be_bytes());
                id.extend(at.now.to_be_bytes());
                let answer = ExportedAnswer {
                    answer_id: Hash(*blake3::hash(&id).as_bytes()),
                    answer_content: answer_content.clone(),
                    answer_hash: *answer_hash,
                    submitter: source,
                    stake_amount: *stake_amount,
                    validation_scores: vec![],
                    average_score: None,
                    submitted_at: at.height,
                };
                self.submit(source, *task_id, answer, at)
            }
            AiMiningPayload::ValidateAnswer { task_id, answer_id, validation_score } => {
                self.validate(source, *task_id, *answer_id, *validation_score, at)
            }
        }
    }

    fn register(&mut self, source: Address, address: Address, fee: u64, at: At) -> Rule {
        ensure(source == address)?;
        ensure(fee >= 1_000_000_000)?;
        ensure(!self.object.miners.contains_key(&address))?;
        let mut reputation =
            AccountReputation { created_at: at.height, stake_amount: fee, ..AccountReputation::default() };
        reputation.reputation_score = score(&reputation, at.height);
        self.object.account_reputations.insert(address, reputation);
        let miner = Miner {
            registration_fee: fee,
            registered_at: at.height,
            tasks_published: 0,
            answers_submitted: 0,
            validations_performed: 0,
            reputation: 500,
        };
        self.object.miners.insert(address, miner);
        self.object.statistics.total_miners += 1;
        self.see("registered");
        Ok(())
    }

    fn publish(&mut self, source: Address, task: ExportedTask, at: At) -> Rule {
        let reputation = self.object.miners.get(&source).ok_or(Refused)?.reputation;
        ensure(task.deadline > at.now)?;
        ensure(task.deadline <= at.now + 2_592_000)?;
        let (least, most) = match task.difficulty {
            Difficulty::Beginner => (5, 15),
            Difficulty::Intermediate => (15, 50),
            Difficulty::Advanced => (50, 200),
            Difficulty::Expert => (200, 500),
        };
        ensure((least * 1_000_000_000..=most * 1_000_000_000).contains(&task.reward_amount))?;
        ensure(reputation >= [200, 400, 600, 800][task.difficulty as usize])?;
        self.take_part(source, task.difficulty, None, at)?;
        ensure(!self.object.tasks.contains_key(&task.task_id))?;
        self.object.tasks.insert(task.task_id, task);
        self.object.statistics.total_tasks += 1;
        self.object.statistics.active_tasks += 1;
        self.miner(source).tasks_published += 2;
        self.add_reputation(source, 5);
        self.acted(source, at.now);
        self.see("published");
        Ok(())
    }

    fn submit(&mut self, source: Address, task: Hash, answer: ExportedAnswer, at: At) -> Rule {
        let reputation = self.object.miners.get(&source).ok_or(Refused)?.reputation;
        let task = self.object.tasks.get(&task).ok_or(Refused)?.clone();
        ensure(task.status == TaskStatus::Active)?;
        if at.now > task.deadline {
            self.see("answer after the deadline, not swept");
            return Err(Refused);
        }
        ensure(task.publisher != source)?;
        ensure(answer.stake_amount >= task.reward_amount / 10)?;
        ensure(answer.stake_amount <= task.reward_amount / 2)?;
        ensure(reputation >= [100, 300, 500, 700][task.difficulty as usize])?;
        self.take_part(source, task.difficulty, Some(answer.stake_amount), at)?;
        ensure(answer.answer_hash.0 == *blake3::hash(answer.answer_content.as_bytes()).as_bytes())?;
        if task.submitted_answers.iter().any(|other| other.submitter == source) {
            self.see("second answer of a submitter");
            return Err(Refused);
        }
        self.object.tasks.get_mut(&task.task_id).unwrap().submitted_answers.push(answer);
        self.miner(source).answers_submitted += 1;
        self.add_reputation(source, 10);
        self.acted(source, at.now);
        self.see("answered");
        Ok(())
    }

    fn validate(&mut self, source: Address, task: Hash, answer: Hash, score: u8, at: At) -> Rule {
        let reputation = self.object.miners.get(&source).ok_or(Refused)?.reputation;
        ensure(score <= 100)?;
        let mut task = self.object.tasks.get(&task).ok_or(Refused)?.clone();
        ensure(task.status != TaskStatus::Cancelled)?;
        let judged = task.submitted_answers.iter_mut().find(|other| other.answer_id == answer).ok_or(Refused)?;
        ensure(judged.submitter != source)?;
        ensure(task.publisher != source)?;
        ensure(reputation >= [150, 350, 550, 750][task.difficulty as usize])?;
        self.take_part(source, task.difficulty, None, at)?;
        if judged.validation_scores.iter().any(|other| other.validator == source) {
            self.see("second score of a validator");
            return Err(Refused);
        }
        judged.validation_scores.push(ValidationScore { validator: source, score, validated_at: at.height });
        let sum: usize = judged.validation_scores.iter().map(|entry| usize::from(entry.score)).sum();
        judged.average_score = Some((sum / judged.validation_scores.len()) as u8);
        let average = judged.average_score.unwrap();
        match (task.status, update_status(&mut task, at.now)) {
            (TaskStatus::Active, TaskStatus::Completed) => self.see("completed"),
            (TaskStatus::Active, TaskStatus::Expired) if average >= 70 => self.see("good score expires"),
            (TaskStatus::Active, TaskStatus::Expired) => self.see("bad score expires"),
            (TaskStatus::Active, _) => self.see("scored and still active"),
            (TaskStatus::Expired, _) if average >= 70 => self.see("good score after expiry"),
            (TaskStatus::Expired, _) => self.see("bad score after expiry"),
            (TaskStatus::Completed, _) => self.see("scored after completion"),
            (TaskStatus::Cancelled, _) => unreachable!("refused above"),
        }
        self.object.tasks.insert(task.task_id, task);
        self.miner(source).validations_performed += 1;
        self.add_reputation(source, 3);
        self.acted(source, at.now);
        self.validated(source, score);
        Ok(())
    }

    /// Cooldown, score and risk: what three of the variants ask alike.
    fn take_part(&mut self, source: Address, difficulty: Difficulty, stake: Option<u64>, at: At) -> Rule {
        let mut reputation = self.object.account_reputations[&source];
        if must_wait(&reputation, at.now) {
            self.see("cooldown");
            return Err(Refused);
        }
        if let Some(stake) = stake {
            reputation.stake_amount = stake;
        }
        reputation.reputation_score = score(&reputation, at.now);
        self.object.account_reputations.insert(source, reputation);
        if reputation.reputation_score < [1_000, 3_000, 5_000, 7_000][difficulty as usize] {
            self.see("score too low");
            return Err(Refused);
        }
        let (risk, hundredths) = risk(&reputation, at.now);
        match (hundredths, risk < 0.8) {
            (80, true) => self.see("risk of 80, passing"),
            (80, false) => self.see("risk of 80, refused"),
            (_, false) => self.see("risk above 80"),
            _ => {}
        }
        ensure(risk < 0.8)
    }

    /// Step C.
    fn sweep(&mut self, now: u64) {
        let mut done = Vec::new();
        let statistics = &mut self.object.statistics;
        let mut swept = 0;
        for task in self.object.tasks.values_mut() {
            match (task.status, update_status(task, now)) {
                (TaskStatus::Active, TaskStatus::Expired) => {
                    statistics.active_tasks -= 1;
                    swept += 1;
                }
                (TaskStatus::Active, TaskStatus::Completed) => {
                    statistics.active_tasks -= 1;
                    statistics.completed_tasks += 1;
                    statistics.total_rewards_distributed += task.reward_amount;
                }
                _ => {}
            }
            if task.status == TaskStatus::Completed && !task.rewards_processed {
                task.rewards_processed = true;
                done.push(task.clone());
            }
        }
        if swept > 0 {
            self.see("swept");
        }
        for task in done {
            let best = best(&task).expect("a completed task has a scored answer");
            self.add_reputation(best.submitter, 10);
            self.object.account_reputations.get_mut(&best.submitter).unwrap().total_rewards_earned +=
                task.reward_amount;
            for entry in &best.validation_scores {
                self.add_reputation(entry.validator, if entry.score >= 70 { 3 } else { -2 });
                self.validated(entry.validator, entry.score);
                if entry.score < 70 {
                    self.see("bad score in a completion");
                }
            }
            self.add_reputation(task.publisher, 5);
            if task.submitted_answers.iter().filter(|answer| answer.average_score.is_some()).count() > 1 {
                self.see("completed with several scored answers");
            }
        }
    }

    fn miner(&mut self, address: Address) -> &mut Miner {
        self.object.miners.get_mut(&address).unwrap()
    }

    fn add_reputation(&mut self, address: Address, by: i32) {
        let miner = self.miner(address);
        miner.reputation = (i32::from(miner.reputation) + by).clamp(0, 1000) as u16;
    }

    fn acted(&mut self, address: Address, now: u64) {
        let reputation = self.object.account_reputations.get_mut(&address).unwrap();
        reputation.last_submission_time = now;
        reputation.transaction_count += 1;
    }

    fn validated(&mut self, address: Address, score: u8) {
        let reputation = self.object.account_reputations.get_mut(&address).unwrap();
        reputation.total_validations += 1;
        reputation.successful_validations += u64::from(score >= 70);
    }
}

fn best(task: &ExportedTask) -> Option<ExportedAnswer> {
    let mut best: Option<&ExportedAnswer> = None;
    for answer in task.submitted_answers.iter().filter(|answer| answer.average_score.is_some()) {
        if best.is_none_or(|best| answer.average_score >= best.average_score) {
            best = Some(answer);
        }
    }
    best.cloned()
}

fn update_status(task: &mut ExportedTask, now: u64) -> TaskStatus {
    if task.status == TaskStatus::Active {
        if now > task.deadline {
            task.status = TaskStatus::Expired;
        } else if best(task).is_some_and(|best| best.average_score >= Some(70)) {
            task.status = TaskStatus::Completed;
        }
    }
    task.status
}

fn score(reputation: &AccountReputation, now: u64) -> u64 {
    let days = now.saturating_sub(reputation.created_at) / 86_400;
    let age = (days * 10_000 / 30).min(10_000);
    let history = (reputation.transaction_count * 10_000 / 100).min(10_000);
    let stake = (u128::from(reputation.stake_amount) * 10_000 / 1_000_000).min(10_000) as u64;
    let base = age * 3_000 / 10_000 + history * 4_000 / 10_000 + stake * 3_000 / 10_000;
    let bonus = match reputation.total_validations {
        0..=10 => 0,
        total => (reputation.successful_validations * 10_000 / total).saturating_sub(8_000).min(2_000),
    };
    (base + bonus + if days > 90 { 1_000 } else { 0 }).min(10_000)
}

fn must_wait(reputation: &AccountReputation, now: u64) -> bool {
    let cooldown = if reputation.reputation_score >= 9_000 {
        300
    } else if reputation.reputation_score >= 7_000 {
        900
    } else if reputation.reputation_score >= 3_000 {
        1_800
    } else {
        3_600
    };
    reputation.transaction_count != 0 && now.saturating_sub(reputation.last_submission_time) < cooldown
}

/// The sum as the old daemon computed it, and in hundredths.
fn risk(reputation: &AccountReputation, now: u64) -> (f64, u32) {
    let hours = now.saturating_sub(reputation.created_at) / 3_600;
    let mut terms = Vec::new();
    if hours < 24 {
        terms.push((0.4, 40));
    } else if hours < 168 {
        terms.push((0.2, 20));
    }
    if reputation.transaction_count == 0 {
        terms.push((0.3, 30));
    } else if reputation.transaction_count < 5 {
        terms.push((0.15, 15));
    }
    if reputation.stake_amount == 0 {
        terms.push((0.3, 30));
    } else if reputation.stake_amount < 10_000 {
        terms.push((0.2, 20));
    }
    if reputation.reputation_score < 1_000 {
        terms.push((0.5, 50));
    } else if reputation.reputation_score < 3_000 {
        terms.push((0.2, 20));
    }
    if must_wait(reputation, now) {
        terms.push((0.1, 10));
    }
    terms.iter().fold((0.0, 0), |(sum, hundredths), (term, more)| (sum + term, hundredths + more))
}
