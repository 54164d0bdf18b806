//! Transactions written as closures: for tests that need one transaction to do one precise thing, at one precise time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use weft_engine::{AddError, BlockPolicy, Engine, Metrics, Mode, Outcome, StateView, Stop, Touch, Vm};
use weft_storage::StateReader;

use crate::gate::Stage;
use crate::program::{Cell, Key, Sum};
use crate::run::{BlockResult, config, run_with_metrics};

/// The state as a closure sees it.
pub type View<'v> = dyn StateView<Key, Cell> + 'v;
/// What a scripted transaction gives back: the numbers that it wants to be compared.
pub type Log = Vec<u64>;
/// What a scripted transaction does.
pub type Run = dyn Fn(&mut View<'_>) -> Result<Outcome<Log>, Stop> + Send + Sync;

/// One scripted transaction.
pub struct Script {
    run: Box<Run>,
    hints: Vec<Key>,
    weight: u64,
    before_footprint: Box<dyn Fn() + Send + Sync>,
    on_footprint: Box<dyn Fn() + Send + Sync>,
    begun: AtomicUsize,
}

impl Script {
    /// A transaction that does what `run` does.
    pub fn new(run: impl Fn(&mut View<'_>) -> Result<Outcome<Log>, Stop> + Send + Sync + 'static) -> Self {
        Self {
            run: Box::new(run),
            hints: Vec::new(),
            weight: 1,
            before_footprint: Box::new(|| {}),
            on_footprint: Box::new(|| {}),
            begun: AtomicUsize::new(0),
        }
    }

    /// A transaction that does nothing: it fills a block up.
    #[must_use]
    pub fn nothing() -> Self {
        Self::new(|_| done([]))
    }

    /// The same transaction, with hints.
    #[must_use]
    pub fn hinting(mut self, hints: impl IntoIterator<Item = Key>) -> Self {
        self.hints = hints.into_iter().collect();
        self
    }

    /// The same transaction, which claims to take so many times as long as others.
    #[must_use]
    pub fn weighing(mut self, weight: u64) -> Self {
        self.weight = weight;
        self
    }

    /// The same transaction; `call` is called whenever its hints are asked for, before they are given.
    #[must_use]
    pub fn before_footprint(mut self, call: impl Fn() + Send + Sync + 'static) -> Self {
        self.before_footprint = Box::new(call);
        self
    }

    /// The same transaction; `call` is called whenever its hints are asked for, after they were given.
    #[must_use]
    pub fn on_footprint(mut self, call: impl Fn() + Send + Sync + 'static) -> Self {
        self.on_footprint = Box::new(call);
        self
    }

    /// How many executions have begun so far.
    #[must_use]
    pub fn begun(&self) -> usize {
        self.begun.load(Ordering::Relaxed)
    }
}

/// Ends a script as applied, without gas.
///
/// # Errors
/// Never; it is what a script's closure returns.
pub fn done(log: impl Into<Log>) -> Result<Outcome<Log>, Stop> {
    Ok(Outcome::applied(log.into(), 0))
}

/// Ends a script as rejected.
///
/// # Errors
/// Never; it is what a script's closure returns.
pub fn rejected(log: impl Into<Log>) -> Result<Outcome<Log>, Stop> {
    Ok(Outcome::rejected(log.into()))
}

/// The number at `key`; 0 where there is none.
///
/// # Errors
/// The engine's [`Stop`].
pub fn number(state: &mut View<'_>, key: Key) -> Result<u64, Stop> {
    Ok(state.read(&key)?.map_or(0, |cell| cell.0))
}

/// Adds to a key of which no sum is out of bounds.
///
/// # Errors
/// The engine's [`Stop`].
///
/// # Panics
/// When the sum is out of bounds all the same.
pub fn add(state: &mut View<'_>, key: Key, by: i64) -> Result<(), Stop> {
    match state.add(key, Sum::of(by)) {
        Ok(()) => Ok(()),
        Err(AddError::Stop(stop)) => Err(stop),
        Err(AddError::OutOfBounds) => panic!("{by} is too much for key {key}"),
    }
}

/// The schedule that makes most reads stale: a first transaction that does `late` when all `others`, which stand
/// behind it, have executed once without it.
pub fn after_all_others(
    stage: Stage,
    late: impl Fn(&mut View<'_>) -> Result<(), Stop> + Send + Sync + 'static,
    others: Vec<Box<Run>>,
) -> Vec<Script> {
    let (gate, count) = (stage.gate(), others.len());
    let executed = Arc::clone(&gate);
    let mut block = vec![Script::new(move |state| {
        executed.wait_for(count);
        late(state)?;
        done([])
    })];
    block.extend(others.into_iter().map(|other| {
        let executed = Arc::clone(&gate);
        Script::new(move |state| {
            let outcome = other(state);
            executed.signal();
            outcome
        })
    }));
    block
}

/// The machine that executes scripts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scripts;

impl Vm for Scripts {
    type Transaction = Script;
    type Key = Key;
    type Value = Cell;
    type Output = Log;

    fn execute<S: StateView<Key, Cell>>(&self, script: &Script, state: &mut S) -> Result<Outcome<Log>, Stop> {
        script.begun.fetch_add(1, Ordering::Relaxed);
        (script.run)(state)
    }

    fn footprint(&self, script: &Script, declare: &mut dyn FnMut(Key, Touch)) {
        (script.before_footprint)();
        script.hints.iter().for_each(|key| declare(*key, Touch::Write));
        (script.on_footprint)();
    }

    fn weight(&self, script: &Script) -> u64 {
        script.weight
    }
}

/// What came of a staged block.
#[derive(Debug)]
pub struct Staged {
    /// The result, equal on both paths.
    pub result: Result<BlockResult<Scripts>, String>,
    /// What it cost in parallel; `None` where there is no result.
    pub metrics: Option<Metrics<Key>>,
    /// How many executions of each transaction began in parallel.
    pub begun: Vec<usize>,
}

impl Staged {
    /// The metrics of a block that has a result.
    ///
    /// # Panics
    /// When it has none.
    #[must_use]
    pub fn metrics(&self) -> &Metrics<Key> {
        self.metrics.as_ref().expect("the block has a result")
    }

    /// The log of a transaction of a block that has a result.
    ///
    /// # Panics
    /// When it has none.
    #[must_use]
    pub fn log(&self, transaction: usize) -> &[u64] {
        &self.result.as_ref().expect("the block has a result").outcomes[transaction].output
    }
}

/// Runs the block that `build` makes sequentially and then in parallel, on `threads` workers.
///
/// # Panics
/// When the two results differ.
pub fn staged(
    threads: usize,
    unit_length: usize,
    state: &impl StateReader<Key, Cell>,
    policy: BlockPolicy,
    build: impl Fn(Stage) -> Vec<Script>,
) -> Staged {
    let sequential = Engine::<Scripts>::new(config(Mode::Sequential, 1, 1));
    let expected = run_with_metrics(&sequential, &Scripts, state, &build(Stage::Sequential), policy);
    let expected = expected.map(|(result, _)| result).map_err(|error| error.to_string());

    let parallel = Engine::<Scripts>::new(config(Mode::Optimistic, threads, unit_length));
    let block = build(Stage::Parallel);
    let (result, metrics) = match run_with_metrics(&parallel, &Scripts, state, &block, policy) {
        Ok((result, metrics)) => (Ok(result), Some(metrics)),
        Err(error) => (Err(error.to_string()), None),
    };
    assert_eq!(result, expected, "threads {threads}, units of {unit_length}");
    Staged { result, metrics, begun: block.iter().map(Script::begun).collect() }
}
