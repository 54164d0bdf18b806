//! Items 19 to 24: what a block writes, in which order, and all of it or nothing.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use weft_engine::{Config, Mode, WorkerPool};
use weft_ledger::block::Block;
use weft_ledger::contract::samples::{Sample, gas_burner, token};
use weft_ledger::rules::CallEnd;
use weft_ledger::state::{Account, Counter, Key, Value};
use weft_ledger::wire::Payload;
use weft_ledger::{Hash, SignedTransaction, TosError};
use weft_node::chain::{Chain, ImportError};
use weft_node::executor::{BatchingExecutor, BlockExecutor, OptimisticExecutor, SequentialExecutor, SharedState};
use weft_storage::{BlockCommit, BlockHead, MemoryStore, Snapshot, StateReader, StateStore, StateWriter, StorageError};

use super::common::contracts::*;
use super::common::*;
use super::succeed;

/// The digest and the sequence of writes, a hundred times.
#[test]
fn item_19_the_changes_come_in_one_order_every_time() {
    let world = contract_world();
    let transactions: Vec<_> = (1..=30_u64)
        .map(|seed| match seed % 3 {
            0 => tx(seed, 0, at(Sample::GasBurner, gas_burner::write(seed % 4, seed))),
            _ => tx(seed, 0, pay((seed * 7 + 3) % 40 + 40, 1)),
        })
        .collect();
    let expected = agree(rejecting(), &world, &transactions);
    assert!(expected.changes.is_sorted_by(|a, b| a.0 < b.0));
    let state: SharedState = Arc::new(MapReader(world));
    for (name, executor) in contenders(rejecting()).iter().filter(|(name, _)| !name.contains("units of 3")) {
        for round in 0..100 {
            let block = executor.execute(&input(&transactions), &state).unwrap();
            assert_eq!((block.digest, &block.changes), (expected.digest, &expected.changes), "{name}, round {round}");
        }
    }
}

/// The burned supply and the burned gas fail the transaction that they no longer fit; the fees, which are for
/// statistics only, stay at their maximum.
#[test]
fn item_20_no_counter_wraps() {
    // The last time that a burn or a call fits is the third.
    let kinds: [(Payload, Counter); 2] =
        [(burn(10), Counter::TotalBurned), (at(Sample::GasBurner, gas_burner::write(1, 1)), Counter::GasBurned)];
    for (payload, counted) in kinds {
        let mut world = contract_world();
        let once = counter(&succeed(&world, &[tx(1, 0, payload.clone())]), counted);
        assert!(once > 0);
        let transactions: Vec<_> =
            (1..=20).map(|seed| tx(seed, 0, if seed % 3 == 0 { payload.clone() } else { pay(seed + 40, 1) })).collect();
        world.insert(Key::Counter(counted), Value::Counter(u64::MAX - 3 * once - (once - 1)));
        for settings in [rejecting(), deferred(rejecting())] {
            assert_eq!(agree(settings, &world, &transactions).rejection, Some((11, TosError::Overflow)));
        }
        for settings in [skipping(), deferred(skipping())] {
            let block = agree(settings, &world, &transactions);
            assert_eq!(block.totals.rejected, 3);
            assert_eq!(counter(&after(&world, &block), counted), u64::MAX - (once - 1));
        }
    }
    let mut world = contract_world();
    world.insert(Key::Counter(Counter::Fees), Value::Counter(u64::MAX - FEE - 1));
    let payments: Vec<_> = (1..=20).map(|seed| tx(seed, 0, pay(seed + 40, 1))).collect();
    assert_eq!(counter(&succeed(&world, &payments), Counter::Fees), u64::MAX);
}

/// A store whose commits fail while it is told so.
struct Failing {
    inner: MemoryStore<Key, Value>,
    fails: AtomicBool,
}

impl StateReader<Key, Value> for Failing {
    fn read(&self, key: &Key) -> Result<Option<Value>, StorageError> {
        self.inner.read(key)
    }
}

impl StateWriter<Key, Value> for Failing {
    fn initialise(&self, entries: &[(Key, Value)], digest: [u8; 32]) -> Result<(), StorageError> {
        self.inner.initialise(entries, digest)
    }

    fn commit(&self, block: BlockCommit<'_, Key, Value>) -> Result<(), StorageError> {
        if self.fails.load(Ordering::Relaxed) {
            return Err(StorageError::corrupt("the disk", "full"));
        }
        self.inner.commit(block)
    }

    fn last_block(&self) -> Result<Option<BlockHead>, StorageError> {
        self.inner.last_block()
    }
}

impl StateStore<Key, Value> for Failing {
    fn snapshot(&self) -> Arc<dyn Snapshot<Key, Value>> {
        self.inner.snapshot()
    }
}

fn entries(chain: &Chain) -> State {
    let mut entries = State::new();
    let visit = &mut |key: &Key, value: &Value| {
        entries.insert(*key, value.clone());
        ControlFlow::Continue(())
    };
    chain.view().snapshot().for_each(visit).unwrap();
    entries
}

/// A failing commit, a rejected block and one with a wrong digest leave the old state; then the block is imported whole.
/// (What a crash leaves on the disk is tested with the stores.)
#[test]
fn item_21_a_block_is_committed_whole_or_not_at_all() {
    let pool = Arc::new(WorkerPool::new(4));
    let config = Config { mode: Mode::Optimistic, max_parallel_threads: 4, ..Config::default() };
    let executors: [Box<dyn BlockExecutor>; 4] = [
        Box::new(SequentialExecutor::new(rejecting())),
        Box::new(BatchingExecutor::published(4, rejecting()).unwrap()),
        Box::new(BatchingExecutor::pooled(4, rejecting(), Arc::clone(&pool))),
        Box::new(OptimisticExecutor::with_pool(config, rejecting(), pool)),
    ];
    for executor in executors {
        let store = Arc::new(Failing { inner: MemoryStore::new(), fails: AtomicBool::new(false) });
        let chain = Chain::open(Arc::clone(&store) as Arc<dyn StateStore<Key, Value>>, executor).unwrap();
        chain.initialise(&contract_world().into_iter().collect()).unwrap();
        let (head, before) = (chain.view().head(), entries(&chain));
        let of = |transactions: &[SignedTransaction]| Block {
            chain_id: CHAIN,
            number: 1,
            timestamp: 5,
            parent: chain.view().last_id().unwrap(),
            transactions: transactions.iter().map(|transaction| transaction.wire().to_vec().into()).collect(),
        };
        let good = [
            signed(1, 0, pay(40, 5)),
            signed(2, 0, deploy(built(1, "mov64 r0, 0"))),
            signed(3, 0, at(Sample::GasBurner, gas_burner::write(1, 2))),
            signed(4, 0, multisig(&[5])),
        ];
        let bad = [&good[..], &[signed(6, 1, pay(1, 1))]].concat();
        assert!(matches!(chain.import(&of(&bad)), Err(ImportError::Rejected { transaction: 4, .. })));
        assert!(matches!(chain.import_expecting(&of(&good), Hash([5; 32])), Err(ImportError::Digest { .. })));
        store.fails.store(true, Ordering::Relaxed);
        assert!(matches!(chain.import(&of(&good)), Err(ImportError::Storage { block: 1, .. })));
        assert_eq!((chain.view().head(), &entries(&chain)), (head, &before), "{chain:?}");
        store.fails.store(false, Ordering::Relaxed);
        let imported = comparable(&chain.import(&of(&good)).unwrap().block);
        assert_eq!(entries(&chain), after(&before, &imported));
        assert_eq!(imported.totals.accepted, 4);
    }
}

/// An account that is only read, or credited with nothing, is not rewritten; neither is what a contract only looks at.
#[test]
fn item_22_only_what_is_modified_is_written() {
    let mut world = contract_world();
    put_bytes(&mut world, purse().hash(), b"k", b"value");
    for settings in [skipping(), deferred(skipping())] {
        // Account 2 gets 0; account 3 is read by a transaction that fails.
        let block = agree(settings, &world, &[tx(1, 0, pay(2, 0)), tx(3, 4, pay(1, 1))]);
        let changed = |block: &Comparable| -> Vec<Key> {
            let keys = block.changes.iter().map(|(key, _)| *key);
            keys.filter(|key| !matches!(key, Key::Counter(_))).collect()
        };
        assert_eq!(changed(&block), [account_key(1)]);
        let looks = [
            tx(1, 0, at_purse(purse_input::get(b'k'))),
            tx(1, 1, at_purse(purse_input::code(&id(Sample::Token)))),
            tx(1, 2, at(Sample::Token, token::balance_of(&addr(5)))),
            // It pays nothing, to somebody who is not there.
            tx(1, 3, at_purse(purse_input::pay(purse_input::Ends::Well, &addr(99), 0))),
        ];
        let block = agree(settings, &world, &looks);
        assert_eq!(ended(&block), [const { CallEnd::Success }; 4]);
        assert_eq!(changed(&block), [account_key(1)]);
    }
}

/// What is changed and changed back, or comes and goes, is no change; what is deleted is one. For a multisig
/// configuration: item 10.
#[test]
fn item_23_what_is_as_before_is_no_change() {
    let contract = *purse().hash();
    let mut world = contract_world();
    put_bytes(&mut world, &contract, b"k", b"old");
    let (set, delete) =
        (|key, value: &[u8]| at_purse(purse_input::set(key, value)), |key| at_purse(purse_input::delete(key)));
    let changes_of = |key: &[u8], payloads: &[Payload]| {
        let transactions: Vec<_> =
            payloads.iter().zip(1..).map(|(payload, seed)| tx(seed, 0, payload.clone())).collect();
        let [now, later] = [rejecting(), deferred(rejecting())].map(|settings| {
            let block = agree(settings, &world, &transactions);
            assert_eq!(ended(&block), vec![CallEnd::Success; payloads.len()]);
            block.changes.into_iter().find(|(changed, _)| *changed == slot(&contract, key))
        });
        assert_eq!(now, later);
        now.map(|(_, value)| value.is_some())
    };
    assert_eq!(changes_of(b"k", &[set(b'k', b"new"), set(b'k', b"old")]), None);
    assert_eq!(changes_of(b"k", &[delete(b'k'), set(b'k', b"old")]), None);
    assert_eq!(changes_of(b"k", &[set(b'k', b"new"), delete(b'k')]), Some(false));
    assert_eq!(changes_of(b"k", &[set(b'k', b"")]), Some(false));
    assert_eq!(changes_of(b"n", &[set(b'n', b"new"), delete(b'n')]), None);
    assert_eq!(changes_of(b"n", &[delete(b'n'), set(b'n', b"new")]), Some(true));
    assert_eq!(changes_of(b"n", &[delete(b'n')]), None);
}

/// A new receiver exists afterwards even of nothing, and so does one that a contract pays.
#[test]
fn item_24_a_new_receiver_exists_afterwards() {
    let world = contract_world();
    for settings in [rejecting(), deferred(rejecting())] {
        let payment = purse_input::pay(purse_input::Ends::Well, &addr(98), 7);
        let block = agree(settings, &world, &[tx(1, 0, pay(99, 0)), tx(2, 0, at_purse(payment))]);
        let end = after(&world, &block);
        assert_eq!(account(&end, 99), Account::default());
        assert_eq!(account(&end, 98), Account { balance: 7, ..Account::default() });
    }
}
