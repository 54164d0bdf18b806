//! The chain on disk: what is imported stays, what is refused leaves nothing, and readers see whole blocks only.

mod common;

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use common::*;
use weft_engine::{Config, Mode, WorkerPool};
use weft_ledger::block::Block;
use weft_ledger::rules::RewardOrder;
use weft_ledger::state::{Account, Counter, Key, Value};
use weft_ledger::{COIN, Hash, SignedTransaction, TosError};
use weft_node::chain::{Beneficiaries, Chain, ChainView, Genesis, ImportError};
use weft_node::codec::{LedgerCodec, SCHEMA};
use weft_node::digest::genesis_digest;
use weft_node::executor::{BatchingExecutor, BlockExecutor, ExecutorSettings, OptimisticExecutor, SequentialExecutor};
use weft_node::workload::{Workload, WorkloadBuilder, block_id};
use weft_storage::{MemoryStore, RedbStore, StateStore};

fn optimistic(settings: ExecutorSettings) -> Box<dyn BlockExecutor> {
    let config = Config { mode: Mode::Optimistic, max_parallel_threads: 4, ..Config::default() };
    Box::new(OptimisticExecutor::new(config, settings))
}

fn on_disk(path: &Path, executor: Box<dyn BlockExecutor>) -> Chain {
    let store: RedbStore<Key, Value, LedgerCodec> = RedbStore::open(path, SCHEMA).unwrap();
    Chain::open(Arc::new(store), executor).unwrap()
}

fn in_memory(executor: Box<dyn BlockExecutor>, genesis: &Genesis) -> Chain {
    let chain = Chain::open(Arc::new(MemoryStore::new()), executor).unwrap();
    chain.initialise(genesis).unwrap();
    chain
}

/// The block after `view`'s.
fn next(view: &ChainView, transactions: &[SignedTransaction]) -> Block {
    Block {
        chain_id: CHAIN,
        number: view.head().number + 1,
        timestamp: 1,
        parent: view.last_id().unwrap(),
        transactions: transactions.iter().map(|transaction| transaction.wire().to_vec().into()).collect(),
    }
}

fn entries(view: &ChainView) -> State {
    let mut entries = State::new();
    let visit = &mut |key: &Key, value: &Value| {
        entries.insert(*key, value.clone());
        ControlFlow::Continue(())
    };
    view.snapshot().for_each(visit).unwrap();
    entries
}

fn mixed() -> (Genesis, Vec<Block>) {
    let mut generator = WorkloadBuilder::new(Workload::Mixed { accounts: 20 }).transactions(40).seed(11).build();
    (generator.genesis(), (0..4).map(|_| generator.next_block()).collect())
}

#[test]
fn a_chain_that_is_opened_again_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chain.redb");
    let (genesis, blocks) = mixed();
    let chain = on_disk(&path, optimistic(rejecting()));
    assert!(chain.view().is_empty());
    assert!(matches!(chain.import(&blocks[0]), Err(ImportError::Empty)));
    chain.initialise(&genesis).unwrap();
    assert!(matches!(chain.initialise(&genesis), Err(ImportError::Storage { block: 0, .. })));
    blocks[..2].iter().for_each(|block| drop(chain.import(block).unwrap()));
    let (head, id, state) = (chain.view().head(), chain.view().last_id().unwrap(), entries(&chain.view()));
    assert_eq!((head.number, id), (2, block_id(&blocks[1])));
    drop(chain);

    let chain = on_disk(&path, optimistic(rejecting()));
    let view = chain.view();
    assert_eq!((view.head(), view.last_id().unwrap(), entries(&view)), (head, id, state));
    blocks[2..].iter().for_each(|block| drop(chain.import(block).unwrap()));
    assert_eq!(view.head().number, 2, "a view does not change");
    for (at, block) in blocks.iter().enumerate() {
        let kept = chain.view().block(at as u64 + 1).unwrap().unwrap();
        let read = weft_ledger::block::BlockReader::new(&kept.body[..]).unwrap().next_block().unwrap().unwrap();
        assert_eq!(read, (block.clone(), block_id(block)));
    }
    assert!(chain.view().block(5).unwrap().is_none());
}

#[test]
fn all_executors_make_the_same_chain() {
    let (genesis, blocks) = mixed();
    for settings in [rejecting(), deferred(rejecting())] {
        let pool = Arc::new(WorkerPool::new(4));
        let executors: [Box<dyn BlockExecutor>; 4] = [
            Box::new(SequentialExecutor::new(settings)),
            Box::new(BatchingExecutor::published(2, settings).unwrap()),
            Box::new(BatchingExecutor::pooled(4, settings, pool)),
            optimistic(settings),
        ];
        let chains = executors.map(|executor| in_memory(executor, &genesis));
        for block in &blocks {
            let heads: Vec<_> = chains
                .iter()
                .map(|chain| {
                    chain.import(block).unwrap();
                    (chain.view().head(), chain.view().state_digest().unwrap())
                })
                .collect();
            assert!(heads.iter().all(|head| *head == heads[0]), "block {}: {heads:?}", block.number);
        }
    }
}

#[test]
fn a_stream_of_blocks_makes_the_same_chain() {
    let folder = tempfile::tempdir().unwrap();
    let (genesis, blocks) = mixed();
    let one_by_one = in_memory(optimistic(rejecting()), &genesis);
    blocks.iter().for_each(|block| drop(one_by_one.import(block).unwrap()));
    let pool = Arc::new(WorkerPool::new(2));
    let executors: [Box<dyn BlockExecutor>; 3] = [
        Box::new(SequentialExecutor::new(rejecting())),
        Box::new(BatchingExecutor::pooled(2, rejecting(), pool)),
        optimistic(rejecting()),
    ];
    for (at, executor) in executors.into_iter().enumerate() {
        let chain = on_disk(&folder.path().join(format!("{at}.redb")), executor);
        chain.initialise(&genesis).unwrap();
        chain.import_all::<Block>([], |_| panic!("there is no block")).unwrap();
        let mut heads = Vec::new();
        chain.import_all(&blocks, |imported| heads.push((chain.view().head(), imported.block.digest))).unwrap();
        assert_eq!(heads.iter().map(|(head, _)| head.number).collect::<Vec<_>>(), [1, 2, 3, 4]);
        assert!(
            heads.iter().all(|(head, digest)| head.digest == digest.0),
            "each is on the chain when it is handed out"
        );
        assert_eq!(chain.view().head(), one_by_one.view().head());
        assert_eq!(entries(&chain.view()), entries(&one_by_one.view()));
    }
}

#[test]
fn a_stream_ends_with_the_block_that_is_refused() {
    let (genesis, blocks) = mixed();
    let mut undecodable = blocks.clone();
    undecodable[2].transactions[7] = vec![1, 2, 3].into();
    let mut forged = blocks.clone();
    let mut wire = forged[2].transactions[7].as_slice().to_vec();
    *wire.last_mut().expect("a transaction") ^= 1;
    forged[2].transactions[7] = wire.into();
    let missing = [&blocks[..2], &blocks[3..]].concat();
    for stream in [undecodable, forged, missing] {
        let alone = in_memory(optimistic(rejecting()), &genesis);
        stream[..2].iter().for_each(|block| drop(alone.import(block).unwrap()));
        let expected = alone.import(&stream[2]).unwrap_err();
        let chain = in_memory(optimistic(rejecting()), &genesis);
        let mut imported = 0;
        let error = chain.import_all(&stream, |_| imported += 1).unwrap_err();
        assert_eq!((imported, error.to_string()), (2, expected.to_string()));
        assert_eq!(chain.view().head(), alone.view().head());
        // And the chain goes on.
        chain.import_all(&blocks[2..], |_| imported += 1).unwrap();
        assert_eq!((imported, chain.view().head().number), (4, 4));
    }
}

#[test]
fn the_state_digest_is_the_ledgers_own() {
    let folder = tempfile::tempdir().unwrap();
    let chain = on_disk(&folder.path().join("chain.redb"), optimistic(rejecting()));
    let (genesis, blocks) = mixed();
    chain.initialise(&genesis).unwrap();
    let first = chain.view().state_digest().unwrap();
    assert_eq!(Hash(chain.view().head().digest), first, "the chain of digests begins with the genesis");
    for block in &blocks {
        chain.import(block).unwrap();
        let view = chain.view();
        assert_eq!(view.state_digest().unwrap(), weft_ledger::state_digest(&entries(&view)));
        assert_ne!(view.state_digest().unwrap(), first);
    }
    // With resources, configurations and counters it is more than accounts that is digested.
    assert!(entries(&chain.view()).keys().any(|key| matches!(key, Key::Energy(_))));
    assert_eq!(chain.view().accounts().unwrap(), 20);
}

#[test]
fn a_refused_block_leaves_the_chain_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let chain = on_disk(&folder.path().join("chain.redb"), optimistic(rejecting()));
    chain.initialise(&state(&[(1, COIN), (2, COIN)]).into_iter().collect()).unwrap();
    chain.import(&next(&chain.view(), &[signed(1, 0, pay(2, 5))])).unwrap();
    let (head, state) = (chain.view().head(), entries(&chain.view()));

    let good = next(&chain.view(), &[signed(1, 1, pay(2, 5)), signed(2, 0, pay(1, 5))]);
    let refused = |block: &Block| chain.import(block).unwrap_err();
    assert!(matches!(refused(&Block { number: 1, ..good.clone() }), ImportError::NotNext { expected: 2, got: 1 }));
    assert!(matches!(refused(&Block { number: 3, ..good.clone() }), ImportError::NotNext { expected: 2, got: 3 }));
    assert!(matches!(refused(&Block { number: 0, ..good.clone() }), ImportError::NotNext { .. }));
    let foreign = Block { parent: Hash([1; 32]), ..good.clone() };
    assert!(matches!(refused(&foreign), ImportError::Parent { block: 2, got: Hash([1, ..]), .. }));
    let other_chain = Block { chain_id: 0, transactions: Vec::new(), ..good.clone() };
    assert!(matches!(refused(&other_chain), ImportError::ChainId { block: 2, expected: CHAIN, got: 0 }));
    let last = good.timestamp;
    let older = Block { timestamp: 0, ..good.clone() };
    assert!(matches!(refused(&older), ImportError::Time { block: 2, got: 0, .. }), "{last}");

    let mut undecodable = good.clone();
    undecodable.transactions[1] = vec![1, 2, 3].into();
    let error = refused(&undecodable);
    assert!(matches!(&error, ImportError::Decode { block: 2, source } if source.index == 1), "{error}");

    let overspending = next(&chain.view(), &[signed(1, 1, pay(2, 5)), signed(2, 0, pay(1, 5 * COIN))]);
    let error = refused(&overspending);
    let rejected = ImportError::Rejected { block: 2, transaction: 1, error: TosError::InsufficientBalance };
    assert_eq!(error.to_string(), rejected.to_string());

    let wrong = chain.import_expecting(&good, Hash([5; 32])).unwrap_err();
    let ImportError::Digest { block: 2, expected: Hash([5, ..]), got } = wrong else { panic!("{wrong}") };

    assert_eq!((chain.view().head(), entries(&chain.view())), (head, state));
    assert_eq!(chain.import_expecting(&good, got).unwrap().block.digest, got);
    assert_eq!(chain.view().balance(&addr(1)).unwrap(), COIN - 2 * FEE - 5);
    assert_eq!((chain.view().nonce(&addr(1)).unwrap(), chain.view().nonce(&addr(77)).unwrap()), (2, 0));
}

#[test]
fn deferred_credits_can_be_spent_in_the_next_block() {
    let chain = in_memory(optimistic(deferred(rejecting())), &state(&[(1, COIN)]).into_iter().collect());
    let both = [signed(1, 0, pay(2, 2 * FEE)), signed(2, 0, pay(1, FEE))];
    let error = chain.import(&next(&chain.view(), &both)).unwrap_err();
    assert!(matches!(error, ImportError::Rejected { transaction: 1, error: TosError::InsufficientFee, .. }), "{error}");
    for transaction in both {
        chain.import(&next(&chain.view(), &[transaction])).unwrap();
    }
    let view = chain.view();
    assert_eq!((view.balance(&addr(1)).unwrap(), view.balance(&addr(2)).unwrap()), (COIN - 2 * FEE, 0));
    assert!(entries(&view).keys().all(|key| !matches!(key, Key::PendingCredit(_))));
}

/// Items 21 and 27 of spec 10: a block shows whole or not at all, and nobody waits for it.
#[test]
fn readers_see_whole_blocks_while_others_are_imported() {
    const ACCOUNTS: u64 = 6;
    let folder = tempfile::tempdir().unwrap();
    let chain = on_disk(&folder.path().join("chain.redb"), optimistic(rejecting()));
    let genesis: Genesis = state(&(1..=ACCOUNTS).map(|seed| (seed, COIN)).collect::<Vec<_>>()).into_iter().collect();
    chain.initialise(&genesis).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let (mut views, mut last) = (0, 0);
            while !done.load(Ordering::Acquire) || views == 0 {
                let view = chain.view();
                let head = view.head().number;
                assert!(head >= last, "the head goes back from {last} to {head}");
                // Every account sends one transaction a block.
                let accounts = (1..=ACCOUNTS).map(|seed| view.account(&addr(seed)).unwrap().unwrap());
                let (nonces, sum) =
                    accounts.fold((Vec::new(), 0), |(mut nonces, sum), Account { nonce, balance, .. }| {
                        nonces.push(nonce);
                        (nonces, sum + balance)
                    });
                assert_eq!(nonces, vec![head; ACCOUNTS as usize], "nonces in the view of block {head}");
                let fees = match view.snapshot().read(&Key::Counter(Counter::Fees)).unwrap() {
                    Some(Value::Counter(fees)) => fees,
                    _ => 0,
                };
                assert_eq!((sum + fees, fees), (ACCOUNTS * COIN, head * ACCOUNTS * FEE));
                (views, last) = (views + 1, head);
            }
            views
        });
        for number in 0..30 {
            let transactions: Vec<_> =
                (1..=ACCOUNTS).map(|seed| signed(seed, number, pay(seed % ACCOUNTS + 1, seed * number))).collect();
            chain.import(&next(&chain.view(), &transactions)).unwrap();
        }
        done.store(true, Ordering::Release);
        assert!(reader.join().unwrap() > 30, "the reader was held up");
    });
    assert_eq!(chain.view().head().number, 30);
}

#[test]
fn a_generator_goes_on_with_the_chain_that_it_finds() {
    let make = || WorkloadBuilder::new(Workload::Mixed { accounts: 20 }).transactions(60).seed(4).build();
    let mut generator = make();
    let genesis = generator.genesis();
    let chain = in_memory(optimistic(rejecting()), &genesis);
    for number in 1..=12 {
        let block = generator.next_block();
        // One that knows the chain only makes the same block as one that has made all of it.
        let mut resumed = make();
        resumed.resume(&chain.view(), chain.view().last_id().unwrap()).unwrap();
        assert_eq!(resumed.next_block(), block, "block {number}");
        chain.import(&block).unwrap();
    }
}

/// Whatever the workload: contracts, pools, tokens, miners and waiting unfreezes are those of the chain.
#[test]
fn every_workload_can_be_gone_on_with() {
    let goes_on = |name: &str, transactions: usize, blocks: u64, every: u64| {
        let workload: Workload = name.parse().unwrap();
        let make = || WorkloadBuilder::new(workload).transactions(transactions).seed(4).build();
        let settings = ExecutorSettings { ledger: workload.ledger(), ..rejecting() };
        let mut generator = make();
        let chain = in_memory(optimistic(settings), &generator.genesis());
        for number in 1..=blocks {
            let block = generator.next_block();
            if number % every == 0 {
                let mut resumed = make();
                resumed.resume(&chain.view(), chain.view().last_id().unwrap()).unwrap();
                assert_eq!(resumed.next_block(), block, "{name}, block {number}");
                assert_eq!(resumed.context(), generator.context());
            }
            chain.import(&block).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    };
    for name in [
        "p2p-20",
        "independent",
        "shared-receiver",
        "one-sender",
        "zipf-20-1",
        "contract-independent-5",
        "contract-token-10",
        "contract-pool",
        "contract-pool-50",
        "contract-counter",
        "contract-add",
    ] {
        goes_on(name, 12, 3, 1);
    }
    goes_on("all-20", 80, 4, 1);
    // Until what was unfrozen first can be withdrawn.
    goes_on("all-20", 10, 160, 20);
}

#[test]
fn a_genesis_is_known_by_its_contracts_and_their_storage_too() {
    let digest = |genesis: &Genesis| {
        let chain = in_memory(optimistic(rejecting()), genesis);
        assert_eq!(Hash(chain.view().head().digest), genesis_digest(genesis));
        genesis_digest(genesis)
    };
    let of = |name: &str| WorkloadBuilder::new(name.parse().unwrap()).transactions(5).build().genesis();
    // All of them have the same five accounts.
    let names = ["contract-pool", "contract-pool-50", "contract-counter", "contract-add", "contract-independent"];
    let digests: std::collections::BTreeSet<Hash> = names.iter().map(|name| digest(&of(name))).collect();
    assert_eq!(digests.len(), names.len());
    let mut genesis = of("contract-pool");
    let at = genesis.iter().position(|(key, _)| matches!(key, Key::Storage(_))).unwrap();
    genesis[at].1 = Value::Storage(weft_ledger::state::StorageValue::new(b"other"));
    assert!(!digests.contains(&digest(&genesis)));
    let accounts: Genesis = state(&[(1, COIN)]).into_iter().collect();
    assert_eq!(digest(&accounts), weft_ledger::state_digest(&accounts.iter().cloned().collect()));
}

#[test]
fn two_imports_at_once_are_put_in_line() {
    let chain = in_memory(optimistic(rejecting()), &state(&[(1, COIN)]).into_iter().collect());
    let block = next(&chain.view(), &[signed(1, 0, pay(2, 5))]);
    let imported = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| chain.import(&block).is_ok())).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).filter(|imported| *imported).count()
    });
    assert_eq!((imported, chain.view().balance(&addr(2)).unwrap()), (1, 5));
}

#[test]
fn a_genesis_that_names_a_key_twice_is_refused() {
    let store: Arc<MemoryStore<Key, Value>> = Arc::new(MemoryStore::new());
    let chain = Chain::open(Arc::clone(&store) as Arc<dyn StateStore<Key, Value>>, optimistic(rejecting())).unwrap();
    let twice: Genesis = [1, 1].map(|seed| state(&[(seed, COIN)]).into_iter().next().unwrap()).to_vec();
    assert!(matches!(chain.initialise(&twice), Err(ImportError::Storage { block: 0, .. })));
    assert!(chain.view().is_empty());
}

#[test]
fn a_chain_rewards_whom_it_is_told_to_and_the_next_block_can_spend_it() {
    let genesis: Genesis = state(&[(1, COIN)]).into_iter().collect();
    let beneficiaries = Beneficiaries { miner: addr(9), developer: addr(8) };
    for order in [RewardOrder::Before, RewardOrder::After] {
        let chain = in_memory(optimistic(rewarded(order, rejecting())), &genesis).with_beneficiaries(beneficiaries);
        let first = chain.import(&next(&chain.view(), &[signed(1, 0, pay(2, 5))])).unwrap();
        assert_eq!(first.block.totals.emitted, u128::from(MINER + DEVELOPER));
        assert_eq!(chain.view().balance(&addr(9)).unwrap(), MINER + FEE);
        let spend = signed(9, 0, pay(3, MINER));
        let second = chain.import(&next(&chain.view(), &[spend])).unwrap();
        let view = chain.view();
        let got = u64::try_from(second.block.totals.miner).unwrap();
        assert_eq!((view.balance(&addr(3)).unwrap(), view.balance(&addr(9)).unwrap()), (MINER, got));
        assert_eq!(u128::from(supply(&entries(&view))), first.block.totals.emitted + second.block.totals.emitted);
    }
}
