//! loom models of the scheduler: interleavings, and the values that a load may see, of a few threads on the real code. Each model is named after what it guards.
//!
//! A few models are complete. Where the number of interleavings explodes the model bounds the number of preemptions
//! (see [`model`]); nearly all concurrency bugs need no more than two or three.
//!
//! What a unit reads and writes are *relaxed* atomics here, weaker than any real memory would be: only the scheduler's
//! own orderings can make them come out right.

use std::ops::ControlFlow;

use loom::sync::Arc;
use loom::sync::atomic::{AtomicU32, Ordering::Relaxed};
use loom::thread;
use weft_mvmemory::{Change, LocationId, MvMemory, Origin, OutOfBounds, Read, Value};

use crate::sync::Mutex;
use crate::unit_set::UnitSet;
use crate::window::Window;
use crate::{Execution, HandOff, Scheduler, Task, Validation};

/// Checks `body` in every interleaving with at most `preemptions` preemptions (`None`: in all). The environment variable
/// `LOOM_MAX_PREEMPTIONS` raises the bounds, for a long run by hand.
fn model(preemptions: Option<usize>, body: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    let asked = builder.preemption_bound.unwrap_or(0);
    builder.preemption_bound = preemptions.map(|bound| bound.max(asked));
    // A whole block takes more steps than loom's default allows.
    builder.max_branches = 20_000;
    builder.check(body);
}

/// One location that unit 0 writes and all units above read: what it holds, and what every unit has last read there.
struct Toy {
    scheduler: Scheduler,
    /// 0 before unit 0 has written, then what its last incarnation wrote.
    value: AtomicU32,
    seen: Vec<AtomicU32>,
    /// How often each unit was aborted in its first incarnation.
    first_aborts: Vec<AtomicU32>,
    /// Number of committed units, as the commit step counts them.
    committed: AtomicU32,
    /// What unit 0 writes in its last incarnation: what all readers must have seen when they commit.
    last: u32,
}

impl Toy {
    fn new(units: u32, last: u32) -> Self {
        let each = || (0..units).map(|_| AtomicU32::new(0)).collect();
        Self {
            scheduler: Scheduler::new(units),
            value: AtomicU32::new(0),
            seen: each(),
            first_aborts: each(),
            committed: AtomicU32::new(0),
            last,
        }
    }

    /// Units above 0 read, unit 0 writes its incarnation + 1.
    fn execute(&self, execution: Execution) -> HandOff {
        let unit = execution.unit();
        if unit == 0 {
            self.value.store(execution.incarnation() + 1, Relaxed);
        } else {
            self.seen[unit as usize].store(self.value.load(Relaxed), Relaxed);
        }
        self.scheduler.finish_execution(execution, unit == 0)
    }

    fn validate(&self, validation: Validation) -> Option<Execution> {
        let unit = validation.unit();
        if unit == 0 || self.seen[unit as usize].load(Relaxed) == self.value.load(Relaxed) {
            if self.scheduler.confirm(validation) {
                self.commit();
            }
            return None;
        }
        self.abort(validation)
    }

    fn abort(&self, validation: Validation) -> Option<Execution> {
        let unit = validation.unit() as usize;
        let execution = self.scheduler.finish_abort(self.scheduler.abort(validation)?);
        if execution.incarnation() == 1 {
            let before = self.first_aborts[unit].fetch_add(1, Relaxed);
            assert_eq!(before, 0, "OneAbortPerVersion: unit {unit} was aborted twice in its first incarnation");
        }
        Some(execution)
    }

    fn commit(&self) {
        self.scheduler.commit(|unit| {
            assert_eq!(unit, self.committed.load(Relaxed), "units are committed in order, each of them once");
            if unit > 0 {
                let seen = self.seen[unit as usize].load(Relaxed);
                assert_eq!(seen, self.last, "ConsistentReads: unit {unit} is committed with a stale read");
            }
            self.committed.store(unit + 1, Relaxed);
            ControlFlow::Continue(())
        });
    }

    /// Carries on with `next` until neither it nor what it leads to is left, without asking for other work.
    fn follow(&self, mut next: Option<Execution>) {
        while let Some(execution) = next {
            let hand_off = self.execute(execution);
            let again = hand_off.validation.and_then(|validation| self.validate(validation));
            next = match (again, hand_off.execution) {
                (Some(again), Some(woken)) => {
                    self.scheduler.defer(woken);
                    Some(again)
                }
                (again, woken) => again.or(woken),
            };
        }
    }

    /// Works until there is nothing to do at the moment.
    fn drain(&self) {
        while let Some(task) = self.scheduler.next_task() {
            match task {
                Task::Execute(execution) => self.follow(Some(execution)),
                Task::Validate(validation) => {
                    let again = self.validate(validation);
                    self.follow(again);
                }
            }
        }
    }

    /// Works until the block is over, as a worker does.
    fn work(&self) {
        while !self.scheduler.is_over() {
            self.drain();
            self.scheduler.wait_for_work();
        }
    }

    fn assert_done(&self) {
        assert!(self.scheduler.is_over(), "EveryTransactionCommits: the frontier is stuck");
        assert_eq!(self.committed.load(Relaxed), self.scheduler.units());
    }
}

fn next_execution(scheduler: &Scheduler, unit: u32) -> Execution {
    match scheduler.next_task() {
        Some(Task::Execute(execution)) if execution.unit() == unit => execution,
        other => panic!("wanted to execute unit {unit}, got {other:?}"),
    }
}

fn next_validation(scheduler: &Scheduler, unit: u32) -> Validation {
    match scheduler.next_task() {
        Some(Task::Validate(validation)) if validation.unit() == unit => validation,
        other => panic!("wanted to validate unit {unit}, got {other:?}"),
    }
}

/// A block whose units have all executed once and have read what unit 0 wrote, and whose unit 0 is about to publish its
/// second incarnation. The other units wait for their first validation.
fn with_unit_0_aborted(units: u32) -> (Toy, Execution) {
    let toy = Toy::new(units, 2);
    let first = next_execution(&toy.scheduler, 0);
    toy.value.store(1, Relaxed);
    for unit in 1..units {
        let hand_off = toy.execute(next_execution(&toy.scheduler, unit));
        assert_eq!(hand_off.validation, None, "nothing is validated before all below has executed");
    }
    let first = toy.execute(first).validation.expect("the first unit is validated by who executed it");
    let again = toy.abort(first).expect("nobody else has settled it");
    (toy, again)
}

/// Bug 5 of the field notes: unit 1 is claimed for validation while unit 0 publishes and rewinds. Whoever comes first,
/// unit 1 is never committed with what unit 0's first incarnation wrote.
#[test]
fn loom_claim_against_rewind() {
    model(Some(3), || {
        let (toy, again) = with_unit_0_aborted(2);
        let toy = Arc::new(toy);
        let other = Arc::clone(&toy);
        let claimer = thread::spawn(move || other.drain());
        toy.follow(Some(again));
        toy.drain();
        claimer.join().unwrap();
        toy.drain(); // what the claimer left because it was not its turn
        toy.assert_done();
    });
}

/// The validation is already being made when the rewind comes: its verdict, formed before, must not count.
#[test]
fn loom_validation_in_flight_against_rewind() {
    model(Some(3), || {
        let (toy, again) = with_unit_0_aborted(2);
        let in_flight = next_validation(&toy.scheduler, 1);
        let toy = Arc::new(toy);
        let other = Arc::clone(&toy);
        let validator = thread::spawn(move || {
            let again = other.validate(in_flight);
            other.follow(again);
        });
        toy.follow(Some(again));
        validator.join().unwrap();
        toy.drain();
        toy.assert_done();
    });
}

/// Two units above the rewind, and two threads that claim and settle them while it runs. At most three preemptions.
#[test]
fn loom_two_claims_against_rewind() {
    model(Some(3), || {
        let (toy, again) = with_unit_0_aborted(3);
        let toy = Arc::new(toy);
        let other = Arc::clone(&toy);
        let claimer = thread::spawn(move || other.drain());
        toy.follow(Some(again));
        toy.drain();
        claimer.join().unwrap();
        toy.drain();
        toy.assert_done();
    });
}

/// OneAbortPerVersion: two workers hold validations of one version, of two waves, and both want to abort it while the
/// commit frontier arrives.
#[test]
fn loom_abort_against_rewind_and_commit() {
    model(Some(3), || {
        let (toy, again) = with_unit_0_aborted(2);
        let in_flight = next_validation(&toy.scheduler, 1);
        let toy = Arc::new(toy);
        let other = Arc::clone(&toy);
        let aborter = thread::spawn(move || {
            // It is sure that the read is stale: it saw unit 0's estimate.
            let again = other.abort(in_flight);
            other.follow(again);
            other.drain();
        });
        toy.follow(Some(again));
        toy.drain();
        aborter.join().unwrap();
        toy.drain();
        toy.assert_done();
    });
}

/// No wake-up is lost and none comes twice: unit 1 begins to wait for unit 0 while that finishes.
#[test]
fn loom_registration_against_finish() {
    model(None, || {
        let scheduler = Arc::new(Scheduler::new(2));
        let first = next_execution(&scheduler, 0);
        let second = next_execution(&scheduler, 1);
        let other = Arc::clone(&scheduler);
        let waiter = thread::spawn(move || other.suspend(second, 0));
        let woken = scheduler.finish_execution(first, true).execution;
        let kept = waiter.join().unwrap();
        let owners: Vec<Execution> = woken.into_iter().chain(kept).collect();
        assert_eq!(owners.len(), 1, "unit 1 is woken once: {owners:?}");
        assert_eq!((owners[0].unit(), owners[0].incarnation()), (1, 0));
    });
}

/// The same with two waiting units on one list: each of them belongs to one owner afterwards, or is offered to all.
#[test]
fn loom_two_registrations_against_finish() {
    model(Some(3), || {
        let scheduler = Arc::new(Scheduler::new(3));
        let first = next_execution(&scheduler, 0);
        let waiters: Vec<_> = (1..3)
            .map(|unit| {
                let execution = next_execution(&scheduler, unit);
                let scheduler = Arc::clone(&scheduler);
                thread::spawn(move || scheduler.suspend(execution, 0))
            })
            .collect();
        let hand_off = scheduler.finish_execution(first, true);
        let mut units: Vec<u32> = hand_off.execution.iter().map(Execution::unit).collect();
        for waiter in waiters {
            units.extend(waiter.join().unwrap().iter().map(Execution::unit));
        }
        while let Some(Task::Execute(execution)) = scheduler.next_task() {
            units.push(execution.unit());
        }
        units.sort_unstable();
        assert_eq!(units, [1, 2], "every waiting unit is woken once");
    });
}

/// The unit that is waited for finishes, is aborted and finishes again while the other begins to wait: a link that is
/// used again on the same list (ABA) does no harm, and the last finish at the latest wakes. Bug 6 of the field notes:
/// a wake-up that is too early only makes the unit wait again.
#[test]
fn loom_registration_against_abort_and_finish() {
    model(Some(4), || {
        let scheduler = Arc::new(Scheduler::new(2));
        let first = next_execution(&scheduler, 0);
        let second = next_execution(&scheduler, 1);
        let estimate = Arc::new(AtomicU32::new(1));
        let (other, seen) = (Arc::clone(&scheduler), Arc::clone(&estimate));
        let waiter = thread::spawn(move || {
            let mut mine = Some(second);
            while let Some(execution) = mine {
                if seen.load(Relaxed) == 0 {
                    return Some(execution);
                }
                mine = other.suspend(execution, 0);
                thread::yield_now();
            }
            None
        });
        let hand_off = scheduler.finish_execution(first, true);
        let mut woken: Vec<Execution> = hand_off.execution.into_iter().collect();
        let validation = hand_off.validation.expect("the lowest unit is validated at once");
        let abort = scheduler.abort(validation).expect("nobody else has settled it");
        let again = scheduler.finish_abort(abort);
        // Woken too early: it waits again.
        if let Some(early) = woken.pop() {
            woken.extend(scheduler.suspend(early, 0));
        }
        estimate.store(0, Relaxed);
        woken.extend(scheduler.finish_execution(again, true).execution);
        woken.extend(waiter.join().unwrap());
        assert_eq!(woken.len(), 1, "unit 1 belongs to one worker: {woken:?}");
    });
}

/// Two workers confirm neighbouring units: whoever does not get the frontier's lock may leave, the other one sees what
/// was confirmed. All is committed, in order, once.
#[test]
fn loom_commit_hand_over() {
    model(None, || {
        let toy = Toy::new(2, 1);
        let first = toy.execute(next_execution(&toy.scheduler, 0)).validation.expect("the lowest unit is its own");
        let second = toy.execute(next_execution(&toy.scheduler, 1)).validation.expect("the prefix ends behind it");
        let toy = Arc::new(toy);
        let other = Arc::clone(&toy);
        let confirmer = thread::spawn(move || assert!(other.validate(second).is_none()));
        assert!(toy.validate(first).is_none());
        confirmer.join().unwrap();
        toy.assert_done();
    });
}

/// The same with three workers and three units. At most two preemptions.
#[test]
fn loom_commit_hand_over_among_three() {
    model(Some(2), || {
        let toy = Toy::new(3, 1);
        let mut validations = Vec::new();
        for unit in 0..3 {
            let hand_off = toy.execute(next_execution(&toy.scheduler, unit));
            validations.push(hand_off.validation.expect("the prefix ends behind it"));
        }
        let toy = Arc::new(toy);
        let threads: Vec<_> = validations
            .drain(1..)
            .map(|validation| {
                let toy = Arc::clone(&toy);
                thread::spawn(move || assert!(toy.validate(validation).is_none()))
            })
            .collect();
        assert!(toy.validate(validations.remove(0)).is_none());
        for thread in threads {
            thread.join().unwrap();
        }
        toy.assert_done();
    });
}

/// Halting (a limit, an error) while another worker moves the frontier: nothing is committed out of order, and both
/// leave.
#[test]
fn loom_halt_against_commit_and_wait() {
    model(Some(3), || {
        let toy = Toy::new(2, 1);
        let first = toy.execute(next_execution(&toy.scheduler, 0)).validation.expect("the lowest unit is its own");
        let toy = Arc::new(toy);
        let other = Arc::clone(&toy);
        let worker = thread::spawn(move || {
            other.validate(first);
            other.work();
        });
        toy.scheduler.halt();
        worker.join().unwrap();
        assert!(toy.scheduler.is_over());
        assert_eq!(toy.committed.load(Relaxed), toy.scheduler.committed());
    });
}

/// A worker goes to sleep while another one offers a unit: it wakes up, or does not fall asleep. loom reports a lost
/// wake-up as a deadlock.
#[test]
fn loom_park_against_offer() {
    model(None, || {
        let scheduler = Arc::new(Scheduler::new(1));
        let execution = next_execution(&scheduler, 0);
        let other = Arc::clone(&scheduler);
        let sleeper = thread::spawn(move || {
            loop {
                match other.next_task() {
                    Some(Task::Execute(execution)) => return execution.unit(),
                    Some(Task::Validate(_)) => unreachable!("nothing has executed"),
                    None => other.wait_for_work(),
                }
            }
        });
        scheduler.defer(execution);
        assert_eq!(sleeper.join().unwrap(), 0);
    });
}

/// A unit with two dependents finishes: one is handed over, the other one must reach the sleeping worker even if the
/// finisher never asks for work again.
#[test]
fn loom_park_against_finish() {
    model(Some(3), || {
        let scheduler = Arc::new(Scheduler::new(3));
        let first = next_execution(&scheduler, 0);
        for unit in 1..3 {
            let execution = next_execution(&scheduler, unit);
            assert_eq!(scheduler.suspend(execution, 0), None);
        }
        let other = Arc::clone(&scheduler);
        let sleeper = thread::spawn(move || {
            loop {
                match other.next_task() {
                    Some(Task::Execute(execution)) => return execution.unit(),
                    Some(Task::Validate(validation)) => assert_eq!(validation.unit(), 0), // left open
                    None => other.wait_for_work(),
                }
            }
        });
        let hand_off = scheduler.finish_execution(first, false);
        assert_eq!(hand_off.execution.map(|execution| execution.unit()), Some(1), "the lowest is handed over");
        assert_eq!(sleeper.join().unwrap(), 2);
    });
}

/// A worker finds all units beyond the window and goes to sleep while the frontier moves: it is woken for what the window
/// lets in at once then, even if the other worker never asks for work again. At most one preemption.
#[test]
fn loom_park_against_window() {
    model(Some(1), || {
        let mut toy = Toy::new(4, 1);
        toy.scheduler.set_window(Window::of_units(2, 2));
        let (first, second) = (next_execution(&toy.scheduler, 0), next_execution(&toy.scheduler, 1));
        assert_eq!(toy.scheduler.next_task(), None, "unit 2 is beyond the window");
        let toy = Arc::new(toy);
        let sleeper = {
            let toy = Arc::clone(&toy);
            thread::spawn(move || toy.work())
        };
        toy.follow(Some(first));
        toy.follow(Some(second));
        if toy.scheduler.begun() > 2 {
            // The other one has begun a unit that was let in alone; who follows it must not leave either.
            toy.work();
        }
        sleeper.join().unwrap();
        toy.assert_done();
    });
}

/// Two workers and a window of one unit: whoever moves the frontier goes on, and nothing wakes the other one before the
/// end. At most two preemptions.
#[test]
fn loom_window_of_one_unit() {
    model(Some(2), || {
        let mut toy = Toy::new(3, 1);
        toy.scheduler.set_window(Window::of_units(1, 2));
        let toy = Arc::new(toy);
        let other = {
            let toy = Arc::clone(&toy);
            thread::spawn(move || toy.work())
        };
        toy.work();
        other.join().unwrap();
        toy.assert_done();
    });
}

/// Two workers and a unit with a head start, which both the list and the counter offer: it is executed by one of them,
/// too early or not, and commits with what it should have read. At most two preemptions.
#[test]
fn loom_head_start_against_turn() {
    model(Some(2), || {
        let mut toy = Toy::new(2, 1);
        toy.scheduler.give_head_start(vec![1]);
        let toy = Arc::new(toy);
        let other = {
            let toy = Arc::clone(&toy);
            thread::spawn(move || toy.work())
        };
        toy.work();
        other.join().unwrap();
        toy.assert_done();
    });
}

/// Two sleepers and one offer: one of them takes it and halts, and both leave.
#[test]
fn loom_two_parked_against_offer_and_halt() {
    model(Some(2), || {
        let scheduler = Arc::new(Scheduler::new(1));
        let execution = next_execution(&scheduler, 0);
        let sleepers: Vec<_> = (0..2)
            .map(|_| {
                let scheduler = Arc::clone(&scheduler);
                thread::spawn(move || {
                    let mut taken = 0;
                    while !scheduler.is_over() {
                        match scheduler.next_task() {
                            Some(_) => {
                                taken += 1;
                                scheduler.halt();
                            }
                            None => scheduler.wait_for_work(),
                        }
                    }
                    taken
                })
            })
            .collect();
        scheduler.defer(execution);
        let taken: u32 = sleepers.into_iter().map(|sleeper| sleeper.join().unwrap()).sum();
        assert_eq!(taken, 1, "the unit is claimed once");
    });
}

/// Nothing that is inserted is lost or taken twice, over two levels of the set: the taker empties a word and clears
/// the hint above it while the inserter fills it again.
#[test]
fn loom_set_insert_against_take() {
    model(None, || {
        let set = Arc::new(UnitSet::with_limit(65));
        set.insert(64);
        let other = Arc::clone(&set);
        let taker = thread::spawn(move || {
            let first = other.take_lowest();
            [first, other.take_lowest()]
        });
        set.insert(64);
        set.insert(0);
        let mut taken: Vec<u32> = taker.join().unwrap().into_iter().flatten().collect();
        taken.extend(std::iter::from_fn(|| set.take_lowest()));
        taken.sort_unstable();
        // 64 was inserted twice: the second insertion may have come before or after the first was taken.
        assert!(matches!(taken[..], [0, 64] | [0, 64, 64]), "{taken:?}");
        assert!(!set.may_have_some(), "an empty set ends up without hints");
    });
}

/// Two takers and an inserter in the same words. At most three preemptions.
#[test]
fn loom_set_two_takers() {
    model(Some(3), || {
        let set = Arc::new(UnitSet::with_limit(130));
        set.insert(1);
        set.insert(129);
        let takers: Vec<_> = (0..2)
            .map(|_| {
                let set = Arc::clone(&set);
                thread::spawn(move || set.take_lowest())
            })
            .collect();
        set.insert(128);
        let mut taken: Vec<u32> = takers.into_iter().filter_map(|taker| taker.join().unwrap()).collect();
        taken.extend(std::iter::from_fn(|| set.take_lowest()));
        taken.sort_unstable();
        assert_eq!(taken, [1, 128, 129]);
    });
}

// ---------------------------------------------------------------------------------------------------------------------
// Whole blocks: the worker loop of the engine in miniature, over the real scheduler and the real multi-version memory.

#[derive(Clone, Copy, PartialEq, Debug)]
struct Number(u32);

impl Value for Number {
    type Delta = u32;
    fn apply(base: Option<&Self>, delta: &u32) -> Result<Self, OutOfBounds> {
        base.map_or(0, |base| base.0).checked_add(*delta).map(Number).ok_or(OutOfBounds)
    }
    fn combine(first: &u32, second: &u32) -> Result<u32, OutOfBounds> {
        first.checked_add(*second).ok_or(OutOfBounds)
    }
}

type Key = u8;

/// What a unit does.
#[derive(Clone, Copy)]
enum Program {
    /// Reads a key and writes twice that plus one to another: neither commutative nor idempotent.
    Next(Key, Key),
    /// Writes the second key, or the third one if the first is odd: the write set depends on the read.
    Choose(Key, Key, Key),
    /// Adds without reading.
    Add(Key, u32),
}

impl Program {
    /// Calls `read` and `write` as the program wants it; `None` as soon as `read` gives `None`.
    fn run(self, mut read: impl FnMut(Key) -> Option<u32>, mut write: impl FnMut(Key, Change<Number>)) -> Option<()> {
        let set = |number| Change::Set(Some(Number(number)));
        match self {
            Self::Next(from, to) => {
                let number = read(from)?;
                write(to, set(number * 2 + 1));
            }
            Self::Choose(by, even, odd) => {
                let number = read(by)?;
                write(if number % 2 == 0 { even } else { odd }, set(7));
            }
            Self::Add(key, by) => write(key, Change::Add(by)),
        }
        Some(())
    }
}

#[derive(Default)]
struct Record {
    reads: Vec<(LocationId, Origin, Option<Number>)>,
    writes: Vec<LocationId>,
}

/// What `engine/src/block.rs` does with a block, without everything that does not concern scheduler and memory.
struct Block {
    programs: Vec<Program>,
    scheduler: Scheduler,
    /// All keys have one hash here: loom's runs must be alike, and a random hasher would make them differ.
    memory: MvMemory<Key, Number, OneHash>,
    records: Vec<Mutex<Record>>,
    committed: AtomicU32,
}

#[derive(Clone, Default)]
struct OneHash;

impl std::hash::BuildHasher for OneHash {
    type Hasher = OneHash;
    fn build_hasher(&self) -> OneHash {
        OneHash
    }
}

impl std::hash::Hasher for OneHash {
    fn finish(&self) -> u64 {
        0
    }
    fn write(&mut self, _: &[u8]) {}
}

fn from_storage(_: &Key) -> Result<Option<Number>, std::convert::Infallible> {
    Ok(Some(Number(0)))
}

impl Block {
    fn new(programs: &[Program]) -> Self {
        Self {
            programs: programs.to_vec(),
            scheduler: Scheduler::new(programs.len() as u32),
            memory: MvMemory::with_hasher(OneHash),
            records: programs.iter().map(|_| Mutex::new(Record::default())).collect(),
            committed: AtomicU32::new(0),
        }
    }

    fn work(&self) {
        let mut handed_over = None;
        while !self.scheduler.is_over() {
            let task = handed_over.take().map(Task::Execute).or_else(|| self.scheduler.next_task());
            handed_over = match task {
                Some(Task::Execute(execution)) => self.execute(execution),
                Some(Task::Validate(validation)) => self.validate(validation),
                None => {
                    self.scheduler.wait_for_work();
                    None
                }
            };
        }
    }

    fn execute(&self, execution: Execution) -> Option<Execution> {
        let (unit, incarnation) = (execution.unit(), execution.incarnation());
        let mut reads = Vec::new();
        let mut changes = Vec::new();
        let mut wait_for = None;
        let read = |key: Key| {
            let location = self.memory.intern(&key);
            loop {
                match self.memory.read(location, unit) {
                    Read::Value(value, origin) => {
                        reads.push((location, origin, value));
                        return Some(value.map_or(0, |number| number.0));
                    }
                    Read::NeedsBase => drop(self.memory.base(location, from_storage)),
                    Read::Estimate(on) => {
                        wait_for = Some(on);
                        return None;
                    }
                    Read::OutOfBounds => unreachable!("the numbers are small"),
                }
            }
        };
        let finished =
            self.programs[unit as usize].run(read, |key, change| changes.push((self.memory.intern(&key), change)));
        if finished.is_none() {
            return self.scheduler.suspend(execution, wait_for.expect("only an estimate ends a program"));
        }
        let changed = {
            let mut record = self.records[unit as usize].lock();
            record.reads = reads;
            let before = std::mem::take(&mut record.writes);
            let mut changed = false;
            for (location, change) in changes {
                record.writes.push(location);
                changed |= self.memory.write(location, unit, incarnation, change);
            }
            for old in before.into_iter().filter(|old| !record.writes.contains(old)) {
                changed |= self.memory.remove(old, unit);
            }
            changed
        };
        let hand_off = self.scheduler.finish_execution(execution, changed);
        let Some(validation) = hand_off.validation else { return hand_off.execution };
        match (self.validate(validation), hand_off.execution) {
            (Some(again), Some(woken)) => {
                self.scheduler.defer(woken);
                Some(again)
            }
            (again, woken) => again.or(woken),
        }
    }

    fn validate(&self, validation: Validation) -> Option<Execution> {
        let unit = validation.unit();
        let record = self.records[unit as usize].lock();
        let mut reads = record.reads.iter();
        if reads.all(|(location, origin, value)| self.memory.still_reads(*location, unit, *origin, Some(value))) {
            drop(reads);
            drop(record);
            if self.scheduler.confirm(validation) {
                self.scheduler.commit(|unit| self.commit_unit(unit));
            }
            return None;
        }
        let abort = self.scheduler.abort(validation)?;
        for location in &record.writes {
            self.memory.mark_estimate(*location, unit);
        }
        drop(record);
        Some(self.scheduler.finish_abort(abort))
    }

    fn commit_unit(&self, unit: u32) -> ControlFlow<()> {
        assert_eq!(unit, self.committed.load(Relaxed), "CommitPrefixStable: in order, each unit once");
        self.committed.store(unit + 1, Relaxed);
        let record = self.records[unit as usize].lock();
        for (location, origin, value) in &record.reads {
            let current = self.memory.still_reads(*location, unit, *origin, Some(value));
            assert!(current, "NoWriteInBetween: unit {unit} is committed with a stale read");
        }
        for location in &record.writes {
            let materialised = self.memory.materialise(*location, unit, from_storage);
            assert_eq!(materialised, Ok(Ok(())));
        }
        ControlFlow::Continue(())
    }
}

/// FinalEqualsSequential for one block on `threads` threads.
fn check_block(preemptions: usize, threads: usize, programs: &'static [Program]) {
    let mut expected = std::collections::BTreeMap::new();
    for program in programs {
        let before = expected.clone();
        let read = |key: Key| Some(before.get(&key).map_or(0, |number: &Number| number.0));
        let write = |key, change| {
            let number = match change {
                Change::Set(number) => number.expect("no program deletes"),
                Change::Add(by) => Number(before.get(&key).map_or(0, |number: &Number| number.0) + by),
            };
            expected.insert(key, number);
        };
        program.run(read, write);
    }
    let expected: Vec<_> = expected.into_iter().map(|(key, number)| (key, Some(number))).collect();

    model(Some(preemptions), move || {
        let block = Arc::new(Block::new(programs));
        let workers: Vec<_> = (1..threads)
            .map(|_| {
                let block = Arc::clone(&block);
                thread::spawn(move || block.work())
            })
            .collect();
        block.work();
        for worker in workers {
            worker.join().unwrap();
        }
        let mut block = Arc::try_unwrap(block).unwrap_or_else(|_| panic!("all workers have left"));
        assert_eq!(block.committed.load(Relaxed), programs.len() as u32);
        let changes = block.memory.finish(programs.len() as u32, from_storage);
        assert_eq!(changes.as_ref(), Ok(&expected));
    });
}

/// Two units that read and write the same key. At most two preemptions.
#[test]
fn loom_block_of_two_in_conflict() {
    check_block(2, 2, &[Program::Next(0, 0), Program::Next(0, 0)]);
}

/// A chain of three units. At most one preemption.
#[test]
fn loom_block_chain_of_three() {
    check_block(1, 2, &[Program::Next(0, 0), Program::Next(0, 1), Program::Next(1, 0)]);
}

/// Bug 18 of the field notes: the second unit, once it has seen the first one's write, writes another key; who has read
/// what it wrote before must notice. At most one preemption.
#[test]
fn loom_block_write_set_changes() {
    check_block(1, 2, &[Program::Next(0, 0), Program::Choose(0, 1, 2), Program::Next(1, 3)]);
}

/// Bug 22 of the field notes: a delta changes what a reader above it sees. At most one preemption.
#[test]
fn loom_block_delta_and_reader() {
    check_block(1, 2, &[Program::Next(0, 0), Program::Add(0, 5), Program::Next(0, 1)]);
}
