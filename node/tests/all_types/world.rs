//! The state that random blocks are executed on: made by executing the blocks that lead to it.

use std::sync::{Arc, Mutex, OnceLock};

use weft_engine::{BlockPolicy, OnRejected};
use weft_ledger::contract::Module;
use weft_ledger::contract::samples::{Sample, amm, caller, counter, many_reader, nft_mint, token};
use weft_ledger::rules::{BlockContext, ContractIds, LedgerConfig};
use weft_ledger::state::{Account, Counter, EnergyResource, Key, MultisigConfig, Value, apply_changes};
use weft_ledger::wire::{AiMiningPayload, Difficulty, Payload};
use weft_ledger::{COIN, Hash, SignedTransaction, crypto};
use weft_node::executor::{BlockExecutor, ExecutorSettings, SequentialExecutor, SharedState};
use weft_storage::{StateReader, StorageError};

use crate::Case;
use crate::common::contracts::{GAS, deploy, id_in, invoke, not_executable, purse, purse_input, slot};
use crate::common::*;
use crate::generator::Action;

/// Long after the heights that accounts begin at: no miner is too young.
const NOW: u64 = 10_000_000;
/// The reward of tasks that anybody may work on.
pub(crate) const REWARD: u64 = 5_000_000_000;

pub(crate) fn context() -> BlockContext {
    BlockContext { timestamp: NOW, hash: Hash([3; 32]), ..crate::common::context() }
}

#[derive(Clone)]
pub(crate) struct World {
    pub(crate) state: State,
    settings: ExecutorSettings,
}

/// A state that changes between blocks.
struct Living(Mutex<State>);

impl StateReader<Key, Value> for Living {
    fn read(&self, key: &Key) -> Result<Option<Value>, StorageError> {
        Ok(self.0.lock().unwrap().get(key).cloned())
    }
}

/// The contracts that are there, in the order in which actions name them.
pub(crate) fn modules() -> Vec<Module> {
    Sample::ALL.map(Sample::module).into_iter().chain([purse(), not_executable()]).collect()
}

impl World {
    /// Accounts 1 to 8 exist, contracts of account 1, five miners, two tasks and an answer.
    pub(crate) fn new(ids: ContractIds, near_the_end: bool) -> Self {
        static MADE: [OnceLock<World>; 2] = [const { OnceLock::new() }; 2];
        let mut world = MADE[usize::from(ids == ContractIds::Deployer)].get_or_init(|| Self::make(ids)).clone();
        if near_the_end {
            world.bring_near_the_end();
        }
        world
    }

    fn make(contract_ids: ContractIds) -> Self {
        let ledger = LedgerConfig { contract_ids, ai_mining: true, ..LedgerConfig::default() };
        let policy = BlockPolicy { on_rejected: OnRejected::RejectBlock, gas_limit: None };
        let settings = ExecutorSettings { ledger, policy };
        let balances = [(1, 500), (2, 100), (3, 100), (4, 100), (5, 40), (6, 20), (7, 1), (8, 10)];
        let mut world = Self { state: state(&balances.map(|(seed, coins)| (seed, coins * COIN))), settings };
        let mut history = Vec::new();
        let mut nonces = [0; 9];
        let mut then = |source: usize, payload| {
            history.push(tx(source as u64, nonces[source], payload));
            nonces[source] += 1;
        };
        let id = |module: &Module| id_in(settings, 1, module);
        modules().into_iter().for_each(|module| then(1, deploy(module)));
        let contract = |sample: Sample| id(&sample.module());
        then(1, invoke(contract(Sample::Amm), amm::init(0, 1_000_000, 2_000_000)));
        for seed in 1..=4 {
            then(1, invoke(contract(Sample::Token), token::mint(&addr(seed), 10_000)));
        }
        then(2, invoke(contract(Sample::Token), token::approve(&addr(3), 500)));
        then(1, invoke(contract(Sample::Counter), counter::increment(0, 5)));
        then(1, invoke(contract(Sample::AddCounter), counter::increment(0, 5)));
        then(2, invoke(contract(Sample::NftMint), nft_mint::mint(&addr(2))));
        then(1, invoke(contract(Sample::ManyReader), many_reader::set(1, 77)));
        let purse = id(&purse());
        then(1, pay_contract(&purse, 3 * COIN));
        then(1, invoke(purse, purse_input::set(1, b"a longer value")));
        then(1, invoke(purse, purse_input::add(0, 9)));
        for seed in 1..=5 {
            let register = AiMiningPayload::RegisterMiner { miner: addr(seed as u64), registration_fee: 1_000_000_000 };
            then(seed, Payload::AiMining(register.into()));
        }
        for task in [0, 1] {
            then(1 + task, publish(task as u8, REWARD, Difficulty::Beginner, NOW + 50_000 * task as u64));
        }
        then(3, answer(0, 1, REWARD / 4));
        then(8, freeze(3 * COIN));
        let context = BlockContext { height: 1, timestamp: NOW - 5000, ..context() };
        world.import(context, &history);

        let state = &mut world.state;
        let signers = Value::Multisig(MultisigConfig { threshold: 1, participants: vec![addr(7)] }.into());
        state.insert(Key::Multisig(addr(6)), signers);
        let account = account(state, 6);
        state.insert(account_key(6), Value::Account(Account { has_multisig: true, energy: 3, ..account }));
        let resource = EnergyResource { energy: 2, frozen_tos: 2 * COIN, ..EnergyResource::default() };
        state.insert(Key::Energy(addr(2)), Value::Energy(resource));
        let account = super::account(state, 2);
        state.insert(account_key(2), Value::Account(Account { has_energy: true, ..account }));
        world
    }

    fn import(&mut self, context: BlockContext, transactions: &[SignedTransaction]) {
        let state: SharedState = Arc::new(MapReader(self.state.clone()));
        let block = SequentialExecutor::new(self.settings).execute(&input_in(context, transactions), &state).unwrap();
        assert_eq!(block.rejection(), None, "{:?}", transactions[block.rejection().unwrap().0]);
        apply_changes(&mut self.state, block.changes.into_iter().collect());
    }

    /// Sums that nearly overflow.
    fn bring_near_the_end(&mut self) {
        let ids = self.settings;
        let state = &mut self.state;
        let rich = account(state, 4);
        state.insert(account_key(4), Value::Account(Account { balance: u64::MAX - COIN, ..rich }));
        for (counter, room) in [(Counter::TotalBurned, 1500), (Counter::TotalEnergy, 10), (Counter::GasBurned, 30_000)]
        {
            state.insert(Key::Counter(counter), Value::Counter(u64::MAX - room));
        }
        let mut number = |module: Module, key: Vec<u8>, room: u64| {
            let value = weft_ledger::state::StorageValue::new(&(u64::MAX - room).to_le_bytes());
            state.insert(slot(&id_in(ids, 1, &module), &key), Value::Storage(value));
        };
        number(Sample::AddCounter.module(), counter::counter_key(0), 1000);
        number(Sample::Counter.module(), counter::counter_key(0), 1000);
        number(Sample::Token.module(), token::balance_key(&addr(2)), 300);
        number(Sample::Caller.module(), caller::before_key(), 3);
        number(purse(), vec![0], 700);
    }

    /// The transactions of a block: each with the nonce that its source has when the ones before it are executed one
    /// after another, as far as they are kept.
    pub(crate) fn transactions(&self, case: &Case, actions: &[Action]) -> Vec<SignedTransaction> {
        let living = Arc::new(Living(Mutex::new(self.state.clone())));
        let state: SharedState = Arc::clone(&living) as SharedState;
        let ledger = LedgerConfig { rewards: None, ..case.settings.ledger };
        let policy = BlockPolicy { on_rejected: OnRejected::SkipInvalid, gas_limit: None };
        let executor = SequentialExecutor::new(ExecutorSettings { ledger, policy });
        let mut kept = Vec::new();
        for action in actions {
            let transaction = action.transaction(case.settings, &living.0.lock().unwrap());
            let block = executor.execute(&input_in(case.context, std::slice::from_ref(&transaction)), &state).unwrap();
            if block.totals.rejected == 0 || kept.len() >= case.clean_until {
                kept.push(transaction);
            }
            apply_changes(&mut living.0.lock().unwrap(), block.changes.into_iter().collect());
        }
        kept
    }
}

/// An ordinary transfer to the account of a contract.
pub(crate) fn pay_contract(contract: &Hash, amount: u64) -> Payload {
    let mut to_contract = entry(1, amount);
    to_contract.destination = weft_ledger::Address(contract.0);
    Payload::Transfers([to_contract].into_iter().collect())
}

pub(crate) fn task_id(task: u8) -> Hash {
    Hash([task + 1; 32])
}

pub(crate) fn publish(task: u8, reward_amount: u64, difficulty: Difficulty, deadline: u64) -> Payload {
    let description = "a task, described".into();
    let task_id = task_id(task);
    Payload::AiMining(AiMiningPayload::PublishTask { task_id, reward_amount, difficulty, deadline, description }.into())
}

pub(crate) fn answer(task: u8, content: u8, stake_amount: u64) -> Payload {
    let answer_content = format!("an answer, number {content}");
    let answer_hash = crypto::hash(answer_content.as_bytes());
    let answer = AiMiningPayload::SubmitAnswer {
        task_id: task_id(task),
        answer_content: answer_content.into(),
        answer_hash,
        stake_amount,
    };
    Payload::AiMining(answer.into())
}

/// Offers that no call of this world uses up but a burner's.
pub(crate) const ENOUGH: u64 = GAS;
