//! What the tests of the executors share: a small world of accounts, and every executor on the same block.

#![allow(dead_code, reason = "each test binary uses its part of it")]

pub(crate) mod contracts;
pub(crate) mod faults;
pub(crate) mod rewards;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use weft_engine::{BlockEnd, BlockPolicy, Config, Mode, OnRejected, WorkerPool};
use weft_ledger::crypto::{KeyPair, Signature};
use weft_ledger::rules::{BlockContext, BlockTotals, CreditVisibility, LedgerConfig, Receipt, RewardOrder};
use weft_ledger::state::{Account, Counter, Key, Value, apply_changes};
use weft_ledger::wire::{BurnPayload, EnergyPayload, FeeType, MultisigPayload, Payload, Transaction, Transfer};
use weft_ledger::{Address, Hash, SignedTransaction, TosError};
use weft_node::dag::DagExecutor;
use weft_node::executor::{
    BatchingExecutor, BlockExecutor, BlockInput, Changes, ExecutedBlock, ExecutorSettings, OptimisticExecutor,
    SequentialExecutor, SharedState, TransactionResult,
};
use weft_storage::{StateReader, StorageError};

/// Pays for every small transaction.
pub(crate) const FEE: u64 = 100_000;
/// The devnet.
pub(crate) const CHAIN: u8 = 3;
/// Every combination of threads and unit length that is tried.
const THREADS: [usize; 4] = [1, 2, 4, 8];
const UNITS: [usize; 3] = [1, 3, 8];

pub(crate) fn key(seed: u64) -> KeyPair {
    KeyPair::from_seed(seed)
}

/// The address of an account. Remembered: it costs a curve multiplication.
pub(crate) fn addr(seed: u64) -> Address {
    static KNOWN: OnceLock<Vec<Address>> = OnceLock::new();
    let known = KNOWN.get_or_init(|| (0..256).map(|seed| key(seed).address()).collect());
    known.get(seed as usize).copied().unwrap_or_else(|| key(seed).address())
}

pub(crate) fn account_key(seed: u64) -> Key {
    Key::Account(addr(seed))
}

pub(crate) fn entry(to: u64, amount: u64) -> Transfer {
    Transfer { asset: Hash::default(), destination: addr(to), amount, extra_data: None }
}

pub(crate) fn pay(to: u64, amount: u64) -> Payload {
    pay_all(&[(to, amount)])
}

pub(crate) fn pay_all(to: &[(u64, u64)]) -> Payload {
    Payload::Transfers(to.iter().map(|(to, amount)| entry(*to, *amount)).collect())
}

pub(crate) fn burn(amount: u64) -> Payload {
    Payload::Burn(BurnPayload { asset: Hash::default(), amount })
}

/// One needed signature of these participants; none deletes the configuration.
pub(crate) fn multisig(participants: &[u64]) -> Payload {
    let participants: Vec<Address> = participants.iter().map(|seed| addr(*seed)).collect();
    Payload::Multisig(MultisigPayload { threshold: u8::from(!participants.is_empty()), participants })
}

pub(crate) fn freeze(amount: u64) -> Payload {
    Payload::Energy(EnergyPayload::FreezeTos { amount, days: 3 })
}

/// An unsigned transaction with the usual fee.
pub(crate) fn draft(source: u64, nonce: u64, payload: Payload) -> Transaction {
    let fee = if matches!(payload, Payload::Energy(_)) { 0 } else { FEE };
    Transaction {
        chain_id: CHAIN,
        source: addr(source),
        payload,
        fee,
        fee_type: FeeType::Tos,
        nonce,
        reference_hash: Hash::default(),
        reference_topoheight: 0,
        multisig: None,
        signature: Signature::ZERO,
    }
}

/// A transaction whose signatures are not to be checked.
pub(crate) fn trusted(transaction: Transaction) -> SignedTransaction {
    let mut signed = SignedTransaction::from_transaction(transaction).unwrap();
    signed.trust();
    signed
}

pub(crate) fn tx(source: u64, nonce: u64, payload: Payload) -> SignedTransaction {
    trusted(draft(source, nonce, payload))
}

/// The registration of a name, which has no rules: nothing but its bytes.
pub(crate) fn register_name() -> Payload {
    const OPCODE_AT: usize = 34;
    let burn = Payload::Burn(BurnPayload { asset: Hash::default(), amount: 1 });
    let mut wire = draft(1, 0, burn).encode().unwrap();
    wire.splice(OPCODE_AT..OPCODE_AT + 1 + 40, [21, 3, b'a', b'b', b'c']);
    Transaction::decode(&wire).unwrap().payload
}

/// As [`tx`], with one energy as the fee.
pub(crate) fn tx_for_energy(source: u64, nonce: u64, payload: Payload) -> SignedTransaction {
    trusted(Transaction { fee: 0, fee_type: FeeType::Energy, ..draft(source, nonce, payload) })
}

/// A transaction with a signature that is to be checked, and holds.
pub(crate) fn signed(source: u64, nonce: u64, payload: Payload) -> SignedTransaction {
    SignedTransaction::sign(draft(source, nonce, payload), &key(source)).unwrap()
}

/// One with the signature of somebody else.
pub(crate) fn badly_signed(source: u64, nonce: u64, payload: Payload) -> SignedTransaction {
    SignedTransaction::sign(draft(source, nonce, payload), &key(source + 1)).unwrap()
}

pub(crate) type State = BTreeMap<Key, Value>;

/// Accounts with these seeds and balances.
pub(crate) fn state(balances: &[(u64, u64)]) -> State {
    let account = |balance| Value::Account(Account { balance, ..Account::default() });
    balances.iter().map(|(seed, balance)| (account_key(*seed), account(*balance))).collect()
}

#[derive(Debug)]
pub(crate) struct MapReader(pub(crate) State);

impl StateReader<Key, Value> for MapReader {
    fn read(&self, key: &Key) -> Result<Option<Value>, StorageError> {
        Ok(self.0.get(key).cloned())
    }
}

pub(crate) fn context() -> BlockContext {
    BlockContext { chain_id: CHAIN, height: 7, timestamp: 70, ..BlockContext::default() }
}

/// Credits visible at once, first failure rejects the block.
pub(crate) fn rejecting() -> ExecutorSettings {
    ExecutorSettings::default()
}

/// Credits visible at once, failures are skipped.
pub(crate) fn skipping() -> ExecutorSettings {
    let policy = BlockPolicy { on_rejected: OnRejected::SkipInvalid, gas_limit: None };
    ExecutorSettings { policy, ..ExecutorSettings::default() }
}

pub(crate) fn deferred(settings: ExecutorSettings) -> ExecutorSettings {
    let ledger = LedgerConfig { credit_visibility: CreditVisibility::Deferred, ..settings.ledger };
    ExecutorSettings { ledger, ..settings }
}

/// Both policies under both credit visibilities.
pub(crate) fn all_settings() -> [ExecutorSettings; 4] {
    [rejecting(), skipping(), deferred(rejecting()), deferred(skipping())]
}

/// These settings, with rewards.
pub(crate) fn rewarded(order: RewardOrder, settings: ExecutorSettings) -> ExecutorSettings {
    let ledger = LedgerConfig { rewards: Some(order), ..settings.ledger };
    ExecutorSettings { ledger, ..settings }
}

/// Both orders of rewards under both credit visibilities.
pub(crate) fn all_rewarded(settings: ExecutorSettings) -> [ExecutorSettings; 4] {
    let [before, after] = [RewardOrder::Before, RewardOrder::After].map(|order| rewarded(order, settings));
    [before, after, deferred(before), deferred(after)]
}

/// What the miner and the developer get of the first block's 97,486,707 units.
pub(crate) const MINER: u64 = 87_738_037;
pub(crate) const DEVELOPER: u64 = 9_748_670;

/// A block of these.
pub(crate) fn rewarding(miner: u64, developer: u64) -> BlockContext {
    BlockContext { miner: addr(miner), developer: addr(developer), ..context() }
}

/// The emitted supply.
pub(crate) fn supply(state: &State) -> u64 {
    counter(state, Counter::TotalSupply)
}

pub(crate) type Contender = (String, Box<dyn BlockExecutor>);

/// Every parallel executor in every configuration. Made once for each settings and kept to the end of the process:
/// threads cost more than small blocks.
pub(crate) fn contenders(settings: ExecutorSettings) -> &'static [Contender] {
    static MADE: Mutex<Vec<(ExecutorSettings, &'static [Contender])>> = Mutex::new(Vec::new());
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, known)) = made.iter().find(|(of, _)| *of == settings) {
        return known;
    }
    let new: &'static [Contender] = make(settings).leak();
    made.push((settings, new));
    new
}

/// The workers of all optimistic executors, and of all pooled ones.
pub(crate) fn pool() -> &'static Arc<WorkerPool> {
    static POOL: OnceLock<Arc<WorkerPool>> = OnceLock::new();
    POOL.get_or_init(|| Arc::new(WorkerPool::new(8)))
}

/// The adaptive path with trials of two units that always fail: a block alternates between the paths.
pub(crate) fn alternating(settings: ExecutorSettings) -> Contender {
    let config = Config {
        mode: Mode::Auto,
        max_parallel_threads: 4,
        min_transactions_for_parallel: 2,
        trial_units: 2,
        worthwhile_percent: u32::MAX,
        ..Config::default()
    };
    let executor = OptimisticExecutor::with_pool(config, settings, Arc::clone(pool()));
    ("optimistic and sequential in turns".to_owned(), Box::new(executor))
}

fn make(settings: ExecutorSettings) -> Vec<Contender> {
    let pool = pool();
    let mut made: Vec<Contender> = Vec::new();
    for threads in THREADS {
        let published = BatchingExecutor::published(threads, settings).unwrap();
        let pooled = BatchingExecutor::pooled(threads, settings, Arc::clone(pool));
        made.push((format!("batching (published), {threads} threads"), Box::new(published)));
        made.push((format!("batching (pooled), {threads} threads"), Box::new(pooled)));
        let dag = DagExecutor::new(threads, settings, Arc::clone(pool));
        made.push((format!("dag, {threads} threads"), Box::new(dag)));
    }
    for (threads, unit_length) in THREADS.iter().flat_map(|threads| UNITS.iter().map(move |units| (*threads, *units))) {
        let config = Config { mode: Mode::Optimistic, max_parallel_threads: threads, unit_length, ..Config::default() };
        let executor = OptimisticExecutor::with_pool(config, settings, Arc::clone(pool));
        made.push((format!("optimistic, {threads} threads, units of {unit_length}"), Box::new(executor)));
    }
    made.push(alternating(settings));
    let config = Config { mode: Mode::Optimistic, max_parallel_threads: 2, prefetch_threads: 3, ..Config::default() };
    let config = Config { unit_length: 4, prefetch_distance: 16, ..config };
    let executor = OptimisticExecutor::with_pool(config, settings, Arc::clone(pool)).with_units_by_block();
    made.push(("optimistic, 2 threads, 3 prefetching".to_owned(), Box::new(executor)));
    made
}

/// All of a block's result that must not depend on the executor.
#[derive(Debug, PartialEq)]
pub(crate) struct Comparable {
    pub(crate) results: Vec<TransactionResult>,
    /// With what contracts returned and announced.
    pub(crate) receipts: Vec<Receipt>,
    pub(crate) changes: Changes,
    pub(crate) totals: BlockTotals,
    pub(crate) digest: Hash,
    pub(crate) end: BlockEnd,
    pub(crate) rejection: Option<(usize, TosError)>,
}

pub(crate) fn comparable(block: &ExecutedBlock) -> Comparable {
    Comparable {
        results: block.results().collect(),
        receipts: block.receipts().cloned().collect(),
        changes: block.changes.clone(),
        totals: block.totals,
        digest: block.digest,
        end: block.end,
        rejection: block.rejection(),
    }
}

/// A block of `transactions`. What is known of their signatures is what the given ones know: each executor gets
/// copies of its own, so that none lives on what another has checked.
pub(crate) fn input(transactions: &[SignedTransaction]) -> BlockInput {
    input_in(context(), transactions)
}

/// As [`input`], in these surroundings.
pub(crate) fn input_in(context: BlockContext, transactions: &[SignedTransaction]) -> BlockInput {
    BlockInput { context, transactions: transactions.into(), parent_digest: Hash([7; 32]) }
}

/// Executes sequentially and by every other executor, and gives the result on which all agree.
pub(crate) fn agree(settings: ExecutorSettings, state: &State, transactions: &[SignedTransaction]) -> Comparable {
    agree_in(settings, context(), state, transactions)
}

/// As [`agree`], in these surroundings.
pub(crate) fn agree_in(
    settings: ExecutorSettings,
    context: BlockContext,
    state: &State,
    transactions: &[SignedTransaction],
) -> Comparable {
    let state: SharedState = Arc::new(MapReader(state.clone()));
    agree_on_in(settings, context, &state, transactions)
}

pub(crate) fn agree_on(
    settings: ExecutorSettings,
    state: &SharedState,
    transactions: &[SignedTransaction],
) -> Comparable {
    agree_on_in(settings, context(), state, transactions)
}

fn agree_on_in(
    settings: ExecutorSettings,
    context: BlockContext,
    state: &SharedState,
    transactions: &[SignedTransaction],
) -> Comparable {
    let expected = SequentialExecutor::new(settings).execute(&input_in(context, transactions), state);
    let expected = comparable(&expected.expect("sequential execution has a result"));
    for (name, executor) in contenders(settings) {
        let block = executor.execute(&input_in(context, transactions), state);
        let got = comparable(&block.unwrap_or_else(|error| panic!("{name}: {error}")));
        assert_same(name, &got, &expected);
    }
    expected
}

/// Names the part that differs: a whole block is too much to read.
pub(crate) fn assert_same(name: &str, got: &Comparable, expected: &Comparable) {
    fn same<T: PartialEq + Debug>(name: &str, what: &str, got: &[T], expected: &[T]) {
        let differs = got.iter().zip(expected).position(|(got, expected)| got != expected);
        if let Some(at) = differs {
            panic!("{name}: {what} {at} is {:?}, expected {:?}", got[at], expected[at]);
        }
        assert_eq!(got.len(), expected.len(), "{name}: number of {what}s");
    }
    same(name, "result", &got.results, &expected.results);
    same(name, "receipt", &got.receipts, &expected.receipts);
    same(name, "change", &got.changes, &expected.changes);
    assert_eq!(got, expected, "{name}");
}

/// The state after a block.
pub(crate) fn after(state: &State, block: &Comparable) -> State {
    let mut after = state.clone();
    apply_changes(&mut after, block.changes.iter().cloned().collect());
    after
}

pub(crate) fn account(state: &State, seed: u64) -> Account {
    match state.get(&account_key(seed)) {
        Some(Value::Account(account)) => account.clone(),
        other => panic!("account {seed}: {other:?}"),
    }
}

pub(crate) fn balance(state: &State, seed: u64) -> u64 {
    account(state, seed).balance
}

pub(crate) fn counter(state: &State, counter: Counter) -> u64 {
    match state.get(&Key::Counter(counter)) {
        Some(Value::Counter(number)) => *number,
        None => 0,
        other => panic!("{counter:?}: {other:?}"),
    }
}

/// Why each transaction failed.
pub(crate) fn errors(block: &Comparable) -> Vec<Option<TosError>> {
    block.results.iter().map(|result| result.error).collect()
}
