//! Random histories on the ledger and on the model, transaction by transaction; and, block by block, in parallel.

use std::cell::RefCell;
use std::collections::BTreeMap;

use proptest::prelude::ProptestConfig;
use proptest::test_runner::TestRunner;
use weft_engine::{BlockPolicy, Config, Engine, Mode, OnRejected};
use weft_storage::{StateReader, StorageError};

use super::history::{ACTORS, Act, actor, history};
use super::model::{At, Model};
use super::world::NOW;
use crate::error::TosError;
use crate::rules::{BlockContext, LedgerConfig, Receipt, TosVm};
use crate::state::{Account, Counter, Key, MinerRecord, Value, apply_changes};
use crate::testing::sequential::execute_one;
use crate::testing::{FEE, unsigned};
use crate::wire::{Payload, Transaction};
use crate::{MiningExport, SignedTransaction};

type State = BTreeMap<Key, Value>;

fn ledger() -> LedgerConfig {
    LedgerConfig { ai_mining: true, ..LedgerConfig::default() }
}

fn genesis(miners: &[Option<MinerRecord>]) -> (State, Model) {
    let (mut state, mut model) = (State::new(), Model::default());
    for (number, miner) in (0..ACTORS).zip(miners) {
        let address = actor(number);
        let account = Account { balance: u64::MAX / 2, ..Account::default() };
        state.insert(Key::Account(address), Value::Account(account));
        if let Some(record) = miner {
            state.insert(Key::Miner(address), Value::Miner((*record).into()));
            model.object.miners.insert(address, record.miner);
            model.object.account_reputations.insert(address, record.reputation);
            model.object.statistics.total_miners += 1;
        }
    }
    let registered = Value::Counter(model.object.statistics.total_miners);
    state.insert(Key::Counter(Counter::MiningMiners), registered);
    (state, model)
}

fn export(state: &State) -> MiningExport {
    MiningExport::of(state.iter().map(|(key, value)| (*key, value.clone())))
}

/// A block as it was executed: its surroundings, its transactions, what became of them, and the state after it.
struct Executed {
    context: BlockContext,
    transactions: Vec<SignedTransaction>,
    receipts: Vec<Receipt>,
    after: State,
}

/// Runs the history on ledger and model; gives the state at the start, and the blocks.
fn run(miners: &[Option<MinerRecord>], acts: &[Act], model: &mut Model) -> (State, Vec<Executed>) {
    let (start, seeded) = genesis(miners);
    model.object = seeded.object;
    let mut state = start.clone();
    let mut blocks = Vec::new();
    let mut tasks = Vec::new();
    let mut context = BlockContext { chain_id: 3, height: 1_000, timestamp: NOW, ..BlockContext::default() };
    let (mut transactions, mut receipts) = (Vec::new(), Vec::new());
    for act in acts {
        let Some((who, payload)) = act.payload(model, &mut tasks, context.timestamp) else {
            let Act::Block { later } = act else { continue };
            let (transactions, receipts) = (std::mem::take(&mut transactions), std::mem::take(&mut receipts));
            blocks.push(Executed { context, transactions, receipts, after: state.clone() });
            context.height += 1;
            context.timestamp += later;
            continue;
        };
        let source = actor(who);
        let Some(Value::Account(account)) = state.get(&Key::Account(source)) else { panic!("an account vanished") };
        let nonce = account.nonce;
        let payload = Payload::AiMining(Box::new(payload));
        let mut signed =
            SignedTransaction::from_transaction(Transaction { source, nonce, ..unsigned(2, payload) }).unwrap();
        signed.trust();

        let step = execute_one(&TosVm::new(ledger(), context), &signed, &state, &BTreeMap::new());
        let Payload::AiMining(payload) = &signed.transaction().payload else { unreachable!() };
        let at = At { height: context.height, now: context.timestamp };
        let expected = match model.apply(source, payload, at) {
            Ok(()) => Receipt { result: Ok(()), fee: FEE, burned: 0, contract: None },
            Err(_) => Receipt::failure(TosError::InvalidPayload),
        };
        assert_eq!(step.outcome.output, expected, "{payload:?} of {source} at {context:?}");
        if expected.result.is_err() {
            assert!(step.changes.is_empty());
        }
        apply_changes(&mut state, step.changes);
        assert_eq!(export(&state), model.object, "after {payload:?} of {source} at {context:?}");
        transactions.push(signed);
        receipts.push(expected);
    }
    blocks.push(Executed { context, transactions, receipts, after: state });
    (start, blocks)
}

struct MapReader<'a>(&'a State);

impl StateReader<Key, Value> for MapReader<'_> {
    fn read(&self, key: &Key) -> Result<Option<Value>, StorageError> {
        Ok(self.0.get(key).cloned())
    }
}

/// The same blocks on the parallel engine.
fn in_parallel(engine: &Engine<TosVm>, start: State, blocks: &[Executed]) {
    let policy = BlockPolicy { on_rejected: OnRejected::SkipInvalid, gas_limit: None };
    let mut state = start;
    for block in blocks {
        let vm = TosVm::new(ledger(), block.context);
        let output = engine.execute_block(&vm, &MapReader(&state), &block.transactions, policy).unwrap();
        let receipts: Vec<_> = output.outcomes.iter().map(|outcome| outcome.output.clone()).collect();
        assert_eq!(receipts, block.receipts);
        apply_changes(&mut state, output.changes.into_iter().collect());
        assert_eq!(state, block.after);
    }
}

/// Enough for everything below to happen many times, however few cases the environment asks for.
fn config() -> ProptestConfig {
    let asked = ProptestConfig::default();
    ProptestConfig { cases: asked.cases.max(600), failure_persistence: None, ..asked }
}

#[test]
fn random_histories_end_as_the_specification_has_it() {
    let engine = Engine::new(Config { max_parallel_threads: 4, mode: Mode::Optimistic, ..Config::default() });
    let seen: RefCell<BTreeMap<&'static str, u64>> = RefCell::default();
    let mut runner = TestRunner::new(config());
    let result = runner.run(&history(), |(miners, acts)| {
        let mut model = Model::default();
        let (start, blocks) = run(&miners, &acts, &mut model);
        in_parallel(&engine, start, &blocks);
        for (what, count) in model.seen {
            *seen.borrow_mut().entry(what).or_default() += count;
        }
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
    let seen = seen.into_inner();
    let wanted = [
        "registered",
        "published",
        "answered",
        "scored and still active",
        "completed",
        "completed with several scored answers",
        "bad score in a completion",
        "scored after completion",
        "swept",
        "good score after expiry",
        "bad score after expiry",
        "good score expires",
        "bad score expires",
        "answer after the deadline, not swept",
        "second answer of a submitter",
        "second score of a validator",
        "cooldown",
        "score too low",
        "risk of 80, passing",
        "risk of 80, refused",
        "risk above 80",
    ];
    let missing: Vec<_> = wanted.iter().filter(|what| !seen.contains_key(*what)).collect();
    assert!(missing.is_empty(), "these never happened: {missing:?}, of {seen:?}");
}
