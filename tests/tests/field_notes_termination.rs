//! Field notes, section 2, "Termination and counters": bugs 1 to 7 of other engines, as tests of this one.
//!
//! The schedules are forced: transactions wait for each other through gates, so that what was a rare race elsewhere
//! happens in every run here.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use weft_engine::{BlockPolicy, Engine, Mode, OutOfBounds, Outcome, StateView, Stop, Value, Vm};
use weft_tests::gate::Stage;
use weft_tests::program::Cell;
use weft_tests::run::{MapState, config, parallel_equals_sequential, run_with_metrics};
use weft_tests::script::{Run, Script, Scripts, View, add, after_all_others, done, number, staged};

const N: usize = 40;

/// The first transaction writes last: all others have executed before, and have read what was there before it.
fn late_writer(stage: Stage) -> Vec<Script> {
    let late = |state: &mut View<'_>| {
        state.write(1, Cell(7));
        Ok(())
    };
    let others = (1..N).map(|_| -> Box<Run> { Box::new(|state| done([number(state, 1)?])) });
    after_all_others(stage, late, others.collect())
}

/// Bug 1: a block declared done while a unit is still to be validated commits stale reads. Here every unit but the
/// first is stale when the last first execution ends.
#[test]
fn the_block_is_not_done_before_every_stale_read_is_found() {
    for threads in [2, 3, 4, 8] {
        let staged = staged(threads, 1, &MapState::default(), BlockPolicy::default(), late_writer);
        assert!((1..N).all(|i| staged.log(i) == [7]), "threads {threads}");
    }
}

/// Bug 2: a validation counted twice for one transaction. Every execution is validated exactly once here: nothing
/// rewinds, because no repeated execution changes anything that somebody reads.
#[test]
fn every_execution_is_validated_exactly_once() {
    for threads in [2, 3, 4, 8] {
        let staged = staged(threads, 1, &MapState::default(), BlockPolicy::default(), late_writer);
        let metrics = staged.metrics();
        assert_eq!(metrics.aborts, N as u64 - 1, "OneAbortPerVersion, threads {threads}: {metrics:?}");
        assert_eq!(metrics.executions, 2 * N as u64 - 1, "threads {threads}: {metrics:?}");
        assert_eq!(metrics.validations, metrics.executions, "threads {threads}: {metrics:?}");
    }
}

/// Bug 3: a status whose bits are all zero counts as containing every flag. The first unit of a block has that status
/// until it executes: it must neither be validated nor committed before.
#[test]
fn the_all_zero_status_is_neither_executed_nor_committed() {
    for threads in [1, 2, 8] {
        let executed = Arc::new(AtomicUsize::new(0));
        let block: Vec<Script> = (0..2)
            .map(|_| {
                let executed = Arc::clone(&executed);
                Script::new(move |_| {
                    // Time for another worker to take the untouched unit for a finished one.
                    std::thread::sleep(Duration::from_millis(5));
                    executed.fetch_add(1, Ordering::SeqCst);
                    done([])
                })
            })
            .collect();
        let engine = Engine::new(config(Mode::Optimistic, threads, 1));
        let mut executed_at_commit = Vec::new();
        engine
            .execute_block_with(&Scripts, &MapState::default(), &block, BlockPolicy::default(), |index, _| {
                executed_at_commit.push((index, executed.load(Ordering::SeqCst)))
            })
            .expect("a result");
        assert_eq!(executed_at_commit.len(), 2);
        assert!(executed_at_commit.iter().all(|(index, executed)| executed > index), "{executed_at_commit:?}");
        assert_eq!(executed.load(Ordering::SeqCst), 2, "no execution is repeated, threads {threads}");
    }
}

/// A value whose comparison can be held up: comparing two values of [`MARK`] is what a validation does here.
#[derive(Debug, Clone, Copy)]
struct Tripwire(u64);

const MARK: u64 = 1_000_005;

/// What the tripwire does while it is armed. The test that uses it is the only one.
static TRIPPED: parking_lot::Mutex<Option<Box<dyn Fn() + Send>>> = parking_lot::Mutex::new(None);

impl PartialEq for Tripwire {
    fn eq(&self, other: &Self) -> bool {
        if self.0 == MARK && other.0 == MARK {
            // Taken out first: only the first comparison is held up, and no lock is held meanwhile.
            let armed = TRIPPED.lock().take();
            if let Some(trip) = armed {
                trip();
            }
        }
        self.0 == other.0
    }
}

impl Value for Tripwire {
    type Delta = u64;

    fn apply(base: Option<&Self>, delta: &u64) -> Result<Self, OutOfBounds> {
        Ok(Self(base.map_or(0, |base| base.0) + delta))
    }

    fn combine(first: &u64, second: &u64) -> Result<u64, OutOfBounds> {
        Ok(first + second)
    }
}

/// The block of the next test: see there.
struct HeldValidation {
    stage: Stage,
    executed: Arc<weft_tests::gate::Gate>,
    validating: Arc<weft_tests::gate::Gate>,
    second: AtomicUsize,
}

impl HeldValidation {
    fn new(stage: Stage) -> Self {
        Self { stage, executed: stage.gate(), validating: stage.gate(), second: AtomicUsize::new(0) }
    }
}

impl Vm for HeldValidation {
    type Transaction = usize;
    type Key = u8;
    type Value = Tripwire;
    type Output = u64;

    fn execute<S: StateView<u8, Tripwire>>(&self, index: &usize, state: &mut S) -> Result<Outcome<u64>, Stop> {
        let mut output = 0;
        match index {
            // Writes A when all others have executed without it.
            0 => {
                self.executed.wait_for(HELD_LENGTH - 1);
                state.write(b'A', Tripwire(1));
            }
            // Committed, and a value, before the last one's validation looks at it: nothing else needs C any more.
            1 => assert!(state.add(b'C', 5).is_ok(), "no sum is out of bounds"),
            // B follows from A, and is not written without it: no estimate gives the next incarnation's write away.
            // That incarnation comes while transaction 3 is being validated.
            2 => {
                let a = state.read(&b'A')?.map_or(0, |a| a.0);
                if self.second.fetch_add(1, Ordering::SeqCst) > 0 && self.stage == Stage::Parallel {
                    self.validating.wait();
                }
                if a > 0 {
                    state.write(b'B', Tripwire(10 + a));
                }
            }
            // Reads B, which is validated first, and C, whose validation compares values and is held up.
            3 => {
                output = state.read(&b'B')?.map_or(0, |b| b.0);
                output += state.read(&b'C')?.map_or(0, |c| c.0) - MARK;
            }
            // Enough others that the prefix's growth wakes the second worker.
            _ => {}
        }
        self.executed.signal();
        Ok(Outcome::applied(output, 0))
    }
}

const HELD_LENGTH: usize = 24;

/// Bug 5: a validation that began before a rewind must not let its transaction commit after it. The validation of
/// transaction 3 has already found B unchanged when transaction 2 writes B anew; it ends "current", too late.
#[test]
fn a_validation_from_before_a_rewind_does_not_settle_anything() {
    let state: MapState<u8, Tripwire> = [(b'C', Tripwire(MARK - 5))].into_iter().collect();
    let block: Vec<usize> = (0..HELD_LENGTH).collect();
    for _ in 0..5 {
        let vm = HeldValidation::new(Stage::Parallel);
        let validating = Arc::clone(&vm.validating);
        *TRIPPED.lock() = Some(Box::new(move || {
            validating.signal();
            // Nothing tells from outside when the rewind is complete. Too short a sleep would only make the test
            // weaker, never fail.
            std::thread::sleep(Duration::from_millis(30));
        }));
        let engine = Engine::new(config(Mode::Optimistic, 2, 1));
        let (result, _) = run_with_metrics(&engine, &vm, &state, &block, BlockPolicy::default()).expect("a result");
        assert!(
            TRIPPED.lock().take().is_none(),
            "the validation was never held up: the schedule is not the forced one"
        );

        let sequential = Engine::new(config(Mode::Sequential, 1, 1));
        let vm = HeldValidation::new(Stage::Sequential);
        let expected = run_with_metrics(&sequential, &vm, &state, &block, BlockPolicy::default()).expect("a result").0;
        assert_eq!(expected.outcomes[3].output, 11);
        assert_eq!(result.outcomes, expected.outcomes);
        assert_eq!(result.changes, expected.changes);
    }
}

/// Bug 6: a stale wake-up resumes a transaction before the values that it waits for are there. The second transaction
/// finds the first one's announcement and sleeps; when it begins to execute, the value has been written.
#[test]
fn who_waits_for_a_value_is_woken_when_it_is_written() {
    for _ in 0..20 {
        let staged = staged(2, 1, &MapState::default(), BlockPolicy::default(), |stage| {
            let (writing, waiting) = (stage.gate(), stage.gate());
            let (announced, asleep) = (Arc::clone(&writing), Arc::clone(&waiting));
            let first = Script::new(move |state| {
                announced.signal();
                asleep.wait();
                // The waiting transaction goes to sleep now.
                std::thread::sleep(Duration::from_millis(2));
                state.write(1, Cell(7));
                done([])
            });
            let second = Script::new(|state| {
                let seen = number(state, 1)?;
                state.write(1, Cell(seen + 1));
                done([seen])
            });
            // The second gives its hint after the first has announced its own.
            let second = second.before_footprint(move || writing.wait()).on_footprint(move || waiting.signal());
            let (first, second) = (first.hinting([1]), second.hinting([1]));
            vec![first, second]
        });
        assert_eq!(staged.begun, [1, 1], "nobody executes in vain");
        assert_eq!(staged.metrics().suspensions, 1);
        assert_eq!(staged.metrics().aborts, 0);
        assert_eq!(staged.log(1), [7]);
    }
}

/// Bug 7: a read recorded under one version and validated under another is repeated for ever, even with one worker.
/// One worker goes in order and commits each unit before it takes the next: it repeats nothing, whatever conflicts.
#[test]
fn one_worker_repeats_nothing() {
    for unit_length in [1, 3] {
        let (_, metrics) = parallel_equals_sequential(
            1,
            unit_length,
            &Scripts,
            &MapState::default(),
            &conflicting_block(),
            BlockPolicy::default(),
        );
        assert_eq!(metrics.executions, metrics.units, "units of {unit_length}: {metrics:?}");
        assert_eq!(metrics.validations, metrics.units, "units of {unit_length}: {metrics:?}");
        assert_eq!(metrics.aborts, 0, "units of {unit_length}: {metrics:?}");
    }
}

/// Bug 7, with several workers: a unit that is executed on committed values is not stale any more, so a block ends,
/// and the number of executions is bounded by what conflicts: each one of a unit but the last was aborted.
#[test]
fn every_execution_but_the_last_was_aborted() {
    for threads in [2, 4, 8] {
        let (_, metrics) = parallel_equals_sequential(
            threads,
            1,
            &Scripts,
            &MapState::default(),
            &conflicting_block(),
            BlockPolicy::default(),
        );
        assert_eq!(metrics.executions, metrics.units + metrics.aborts, "threads {threads}: {metrics:?}");
    }
}

/// Reads, blind writes, deletions and deltas on three keys.
fn conflicting_block() -> Vec<Script> {
    (0..200u16)
        .map(|i| {
            Script::new(move |state| {
                let seen = number(state, i % 3)?;
                match i % 4 {
                    0 => state.write((i + 1) % 3, Cell(seen + 1)),
                    1 => state.delete(i % 3),
                    2 => add(state, (i + 2) % 3, 3)?,
                    _ => state.write(i % 3, Cell(seen * 2 % 1000)),
                }
                done([seen])
            })
        })
        .collect()
}
