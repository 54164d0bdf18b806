use std::time::Duration;

use smallvec::SmallVec;
use weft_mvmemory::{Change, LocationId, MvMemory, OutOfBounds, Read, Reserve, Value};

use crate::admission::Admission;
use crate::config::BlockPolicy;
use crate::overlay::{Outside, Overlay, Place};
use crate::rare::{Kinds, WrittenKinds};
use crate::record::{Execution, Record};
use crate::vm::{Outcome, RareKind, StateView, Stop, Verdict, Vm};

/// A number to which one can add.
#[derive(Debug, Clone, PartialEq)]
struct Number(i64);

impl Value for Number {
    type Delta = i64;

    fn apply(base: Option<&Self>, delta: &i64) -> Result<Self, OutOfBounds> {
        Ok(Self(base.map_or(0, |base| base.0) + delta))
    }

    fn combine(first: &i64, second: &i64) -> Result<i64, OutOfBounds> {
        Ok(first + second)
    }
}

/// Keys from 100 on are hardly ever written. Nothing is ever executed: the tests play the machine themselves.
struct Machine;

impl Vm for Machine {
    type Transaction = ();
    type Key = u32;
    type Value = Number;
    type Output = usize;

    fn execute<S: StateView<u32, Number>>(&self, (): &(), _: &mut S) -> Result<Outcome<usize>, Stop> {
        unreachable!("the tests play the machine")
    }

    fn rare_kind(&self, key: &u32) -> Option<RareKind> {
        (*key >= 100).then(|| RareKind::new(0))
    }
}

/// The unit that is looked at; the ones below it write what it reads.
const UNIT: u32 = 5;

struct Stage {
    memory: MvMemory<u32, Number>,
    kinds: WrittenKinds,
    record: Record<Number, usize>,
    overlay: Overlay<Number>,
    outcomes: SmallVec<[Outcome<usize>; 1]>,
}

impl Stage {
    fn new() -> Self {
        Self {
            memory: MvMemory::new(),
            kinds: WrittenKinds::default(),
            record: Record::new(),
            overlay: Overlay::new(),
            outcomes: SmallVec::new(),
        }
    }

    fn location(&self, key: u32) -> LocationId {
        self.memory.intern_hashed(self.memory.hash(&key), &key, &mut Reserve::default())
    }

    fn access(&mut self, key: u32) -> usize {
        let (hash, location) = (self.memory.hash(&key), self.location(key));
        self.overlay.find(hash, |known| known == location).unwrap_or_else(|| self.overlay.insert(hash, location))
    }

    /// The next transaction does `what` and comes to an end.
    fn transaction(&mut self, what: impl FnOnce(&mut Self)) {
        self.overlay.begin_transaction(self.outcomes.len());
        what(self);
        assert!(self.overlay.apply_running());
        self.outcomes.push(Outcome::applied(self.outcomes.len(), 1));
    }

    fn read(&mut self, key: u32) {
        let at = self.access(key);
        let location = self.overlay.at(at).location;
        match self.memory.read_or_load(location, UNIT, |_| Ok::<_, ()>(None)) {
            Ok(Read::Value(_, weft_mvmemory::Origin::Base)) => self.overlay.read_outside(at, Outside::Base),
            Ok(Read::Value(value, origin)) => self.overlay.read_outside(at, Outside::Value(value, origin)),
            other => panic!("{other:?}"),
        }
    }

    fn change(&mut self, key: u32, change: Change<Number>) {
        let at = self.access(key);
        if key >= 100 {
            self.overlay.write_rare(RareKind::new(0));
        }
        self.overlay.change(at, change);
    }

    fn set(&mut self, key: u32, value: i64) {
        self.change(key, Change::Set(Some(Number(value))));
    }

    /// A unit below leaves `value` under `key`.
    fn below(&self, unit: u32, key: u32, change: Change<Number>) {
        self.memory.write(self.location(key), unit, 0, change);
    }

    fn publish(&mut self) {
        let took = Duration::from_micros(10) * self.outcomes.len() as u32;
        (self.record.execution, self.record.took) = (Execution::Outcomes(std::mem::take(&mut self.outcomes)), took);
        self.record.publish(&self.memory, &self.kinds, UNIT, 0, &mut self.overlay, true);
        self.overlay.clear();
    }

    fn suspend(&mut self) {
        let took = Duration::from_micros(10) * self.outcomes.len() as u32;
        self.record.suspend(std::mem::take(&mut self.outcomes), &mut self.overlay, took);
        self.overlay.clear();
    }

    /// Goes on with the unit; says with which transaction.
    fn resume(&mut self) -> usize {
        let admission = Admission::without_gas_limit(BlockPolicy::default());
        let environment = (&Machine, &self.memory, &self.kinds);
        let resumed = self.record.resume(environment, UNIT, admission, &mut self.overlay);
        assert_eq!(resumed.took, Duration::from_micros(10) * resumed.outcomes.len() as u32);
        assert!(resumed.outcomes.iter().map(|outcome| outcome.output).eq(0..resumed.outcomes.len()));
        self.outcomes = resumed.outcomes;
        self.outcomes.len()
    }

    /// What the overlay holds: keys with what the unit has made of them, sorted.
    fn changes(&self) -> Vec<(u32, Change<Number>)> {
        let changed = self.overlay.accesses().iter().filter_map(|access| Some((access.location, access.unit.clone()?)));
        let mut changes: Vec<_> = changed.map(|(location, change)| (*self.memory.key(location), change)).collect();
        changes.sort_by_key(|(key, _)| *key);
        changes
    }

    /// The keys that the overlay has from outside, sorted.
    fn reads(&self) -> Vec<u32> {
        let read = self.overlay.accesses().iter().filter(|access| access.outside.is_some());
        let mut keys: Vec<u32> = read.map(|access| *self.memory.key(access.location)).collect();
        keys.sort_unstable();
        keys
    }
}

fn set(value: i64) -> Change<Number> {
    Change::Set(Some(Number(value)))
}

/// Three transactions that read 1, 2 and 3, write 11 all three of them, and each another one.
fn staged() -> Stage {
    let mut stage = Stage::new();
    for i in 0..3 {
        stage.transaction(|stage| {
            stage.read(1 + i);
            stage.set(11, i64::from(i));
            stage.set(20 + i, 7);
        });
    }
    stage
}

#[test]
fn it_goes_on_with_the_first_transaction_that_has_read_something_stale() {
    type End = fn(&mut Stage);
    for end in [Stage::publish as End, Stage::suspend] {
        for stale in 1..=3 {
            let mut stage = staged();
            end(&mut stage);
            stage.below(2, stale, set(9));
            // A later one that is stale as well changes nothing.
            stage.below(2, 3, set(9));
            let first = stale as usize - 1;
            assert_eq!(stage.resume(), first);
            let last_before = (first > 0).then(|| (11, set(first as i64 - 1)));
            let own = (0..first as u32).map(|i| (20 + i, set(7)));
            assert_eq!(stage.changes(), last_before.into_iter().chain(own).collect::<Vec<_>>());
            assert_eq!(stage.reads(), (1..stale).collect::<Vec<_>>());
        }
        let mut stage = staged();
        end(&mut stage);
        assert_eq!(stage.resume(), 3, "nothing is stale");
        assert_eq!(stage.changes(), [(11, set(2)), (20, set(7)), (21, set(7)), (22, set(7))]);
    }
}

/// What is put back can be gone back from as well.
#[test]
fn it_goes_on_more_than_once() {
    let mut stage = staged();
    stage.publish();
    stage.below(2, 3, set(9));
    assert_eq!(stage.resume(), 2);
    stage.transaction(|stage| stage.set(11, 30));
    stage.suspend();
    stage.below(2, 2, set(9));
    assert_eq!(stage.resume(), 1);
    assert_eq!(stage.changes(), [(11, set(0)), (20, set(7))]);
    stage.transaction(|stage| stage.set(11, 31));
    stage.transaction(|stage| stage.set(11, 32));
    stage.publish();
    stage.below(2, 1, set(9));
    assert_eq!(stage.resume(), 0);
    assert_eq!((stage.changes(), stage.reads()), (vec![], vec![]));
}

#[test]
fn what_a_later_transaction_has_made_a_value_is_a_delta_again() {
    let mut stage = Stage::new();
    stage.below(1, 1, set(100));
    stage.transaction(|stage| stage.change(1, Change::Add(5)));
    stage.transaction(|stage| {
        stage.read(1);
        let at = stage.access(1);
        stage.overlay.settle_unit(at, Some(Number(105)));
        stage.set(1, 210);
    });
    stage.publish();
    stage.below(2, 1, set(200));
    assert_eq!(stage.resume(), 1);
    assert_eq!((stage.changes(), stage.reads()), (vec![(1, Change::Add(5))], vec![]));
}

/// A sum that was computed from deltas becomes a version when they are committed: equal values are the same.
#[test]
fn sums_are_compared_by_value() {
    for (last, is_committed, goes_on_with) in [(2, false, 1), (2, true, 1), (3, false, 0), (3, true, 0)] {
        let mut stage = Stage::new();
        stage.memory.base(stage.location(1), |_| Ok::<_, ()>(Some(Number(1)))).expect("a base");
        stage.below(1, 1, Change::Add(1));
        stage.below(2, 1, Change::Add(2));
        stage.transaction(|stage| stage.read(1));
        stage.publish();
        stage.below(2, 1, Change::Add(last));
        for unit in [1, 2].into_iter().filter(|_| is_committed) {
            assert!(stage.memory.materialise(stage.location(1), unit, |_| Ok::<_, ()>(None)).expect("a base").is_ok());
        }
        assert_eq!(stage.resume(), goes_on_with);
    }
}

#[test]
fn what_was_read_without_a_location_counts() {
    let staged = || {
        let mut stage = Stage::new();
        stage.transaction(|stage| stage.set(1, 1));
        let hash = stage.memory.hash(&100);
        stage.transaction(|stage| stage.overlay.read_rare(hash, RareKind::new(0)));
        stage.transaction(|stage| stage.set(101, 1));
        stage.publish();
        stage
    };
    let mut stage = staged();
    assert_eq!(stage.resume(), 3);
    assert_eq!(stage.overlay.rare_reads().len(), 1);
    assert!(!stage.overlay.changed_kinds().is_empty(), "it has written such a key itself");
    let mut stage = staged();
    let mut kinds = Kinds::default();
    kinds.insert(RareKind::new(0));
    stage.kinds.mark(kinds);
    stage.below(2, 100, set(1));
    assert_eq!(stage.resume(), 1);
    assert!(stage.overlay.rare_reads().is_empty() && stage.overlay.changed_kinds().is_empty());
}

/// The block ends with a rejected transaction: it runs again, and nothing comes after it.
#[test]
fn what_ends_the_block_runs_again() {
    let mut stage = staged();
    let last = stage.outcomes.last_mut().expect("three");
    last.verdict = Verdict::Rejected;
    stage.publish();
    assert_eq!(stage.resume(), 2);
}

#[test]
fn what_has_come_to_no_outcome_begins_anew() {
    let mut stage = staged();
    stage.publish();
    stage.record.execution = Execution::AtFrontier;
    assert_eq!(stage.resume(), 0);
    assert_eq!((stage.changes(), stage.reads()), (vec![], vec![]));
}

/// Places end before such a unit does: what is stale beyond the last place is stale from there on.
#[test]
fn a_unit_may_be_longer_than_its_places_can_say() {
    let last = usize::from(Place::MAX);
    let mut stage = Stage::new();
    for i in 0..last + 3 {
        stage.transaction(|stage| stage.set(11, i as i64));
    }
    stage.transaction(|stage| stage.read(1));
    stage.publish();
    stage.below(2, 1, set(9));
    assert_eq!(stage.resume(), last);
    assert_eq!(stage.changes(), [(11, set(last as i64 - 1))]);
}
