//! The run of one block: whose turn it is, what that worker does, and how long that takes.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::ops::Range;
use std::time::Duration;

use weft_mvmemory::LocationId;
use weft_scheduler::{Execution, Validation};
use weft_storage::StateReader;

use super::Busy;
use super::costs::{Chance, Costs, Schedule};
use super::lines::{Line, Lines};
use crate::block::{BlockRun, Executed};
use crate::metrics::Counts;
use crate::overlay::Overlay;
use crate::vm::{Outcome, Vm};

/// What a worker does at its next turn. What the engine's worker does in one go is cut into steps, so that others have
/// their turns in between.
pub(super) enum Step<O> {
    /// Looks for something to do.
    Look,
    /// Announces what a unit will touch.
    Prepare(Execution),
    /// Runs a unit's transactions; after that so many nanoseconds of their time are left.
    Begin(Execution, u64),
    Publish(Executed<O>),
    /// Tells the scheduler, also whether somebody could see a difference.
    Finish(Execution, bool),
    /// Settles a validation whose reads were found current, or not. The execution is what it does after that, if
    /// anything.
    Conclude(Validation, bool, Option<Execution>),
    /// Looks whether the commit frontier can go on.
    Commit,
    /// Has looked around for long enough.
    FallAsleep,
    /// Has slept for long enough.
    StopNapping,
}

impl<O> Step<O> {
    /// A number for each kind of step.
    fn kind(&self) -> u64 {
        match self {
            Self::Look => 0,
            Self::Prepare(_) => 1,
            Self::Begin(..) => 2,
            Self::Publish(_) => 3,
            Self::Finish(..) => 4,
            Self::Conclude(..) => 5,
            Self::Commit => 6,
            Self::FallAsleep => 7,
            Self::StopNapping => 8,
        }
    }
}

/// When a worker's next turn is.
pub(super) enum Next {
    At(u64),
    /// It looks around until then, unless there is work earlier.
    LooksAround(u64),
    /// It sleeps until it is woken, or until then.
    Sleeps(Option<u64>),
    /// The block is over.
    Leaves,
}

/// What time is spent on.
#[derive(Clone, Copy)]
pub(super) enum On {
    Executing,
    Memory,
    Validating,
    Committing,
    Scheduling,
    Rewinding,
    Fetching,
    Idling,
}

pub(super) struct Worker<V: Vm> {
    pub(super) overlay: Overlay<V::Value>,
    pub(super) counts: Counts,
    pub(super) handed_over: Option<Execution>,
    pub(super) step: Step<V::Output>,
    /// Turns that were planned under another number are void.
    plan: u32,
    pub(super) looks_since: u64,
}

/// A planned turn. Ordered: by time, then as the schedule has it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Turn {
    time: u64,
    rank: u64,
    worker: usize,
    plan: u32,
}

/// [`Costs`] in nanoseconds.
pub(super) struct Prices {
    pub(super) step: u64,
    pub(super) unit: u64,
    pub(super) read: u64,
    pub(super) locate: u64,
    pub(super) write: u64,
    pub(super) validate: u64,
    pub(super) commit: u64,
    pub(super) delta: u64,
    pub(super) scan: u64,
    pub(super) transfer: u64,
    pub(super) look_around: u64,
    pub(super) wake: u64,
    pub(super) wake_call: u64,
    pub(super) crowding_per_mille: u64,
}

pub(super) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl From<Costs> for Prices {
    fn from(costs: Costs) -> Self {
        Self {
            step: nanoseconds(costs.step),
            unit: nanoseconds(costs.unit),
            read: nanoseconds(costs.read),
            locate: nanoseconds(costs.locate),
            write: nanoseconds(costs.write),
            validate: nanoseconds(costs.validate),
            commit: nanoseconds(costs.commit),
            delta: nanoseconds(costs.delta),
            scan: nanoseconds(costs.scan),
            transfer: nanoseconds(costs.transfer),
            look_around: nanoseconds(costs.look_around),
            wake: nanoseconds(costs.wake),
            wake_call: nanoseconds(costs.wake_call),
            crowding_per_mille: costs.crowding_per_mille.into(),
        }
    }
}

/// What a run came to.
pub(super) struct Over {
    pub(super) makespan: Duration,
    pub(super) busy: Busy,
    pub(super) narrow: Duration,
    pub(super) counts: Counts,
    pub(super) steps: u64,
    pub(super) fingerprint: u64,
}

/// A run, and how far it has come.
pub(super) struct Run<'r, 'b, V: Vm, R, F> {
    pub(super) block: &'r BlockRun<'b, V, R, F>,
    pub(super) prices: Prices,
    pub(super) chance: Chance,
    lines: Lines,
    pub(super) workers: Vec<Worker<V>>,
    turns: BinaryHeap<Reverse<Turn>>,
    /// Those who sleep, first those who have slept longest.
    pub(super) sleepers: VecDeque<usize>,
    pub(super) looking_around: Vec<usize>,
    /// How long each unit's transactions take.
    pub(super) times: Vec<u64>,
    /// How long the last execution of each unit took.
    pub(super) took: Vec<u64>,
    /// Units from here on were never claimed for validation.
    pub(super) unvalidated: u32,
    /// Units that are being validated, or were, and have not been sent back or aborted since.
    pub(super) is_validated: Vec<bool>,
    /// Who commits does so until then.
    pub(super) committing_until: u64,
    pub(super) spent: [u64; 8],
    /// Workers that execute transactions, since when, and for how long there was one at most.
    pub(super) executing: usize,
    executing_since: u64,
    narrow: u64,
    steps: u64,
    fingerprint: u64,
    /// For the locations that a step touches.
    pub(super) touched: Vec<LocationId>,
}

impl<'r, 'b, V, R, F> Run<'r, 'b, V, R, F>
where
    V: Vm,
    R: StateReader<V::Key, V::Value>,
    F: FnMut(usize, &Outcome<V::Output>) + Send,
{
    pub(super) fn new(
        block: &'r BlockRun<'b, V, R, F>,
        costs: Costs,
        schedule: Schedule,
        workers: usize,
        time_of: impl Fn(usize) -> Duration,
    ) -> Self {
        let units = block.scheduler.units();
        let worker = || {
            let mut overlay = Overlay::new();
            overlay.begin_block();
            let (counts, step) = (Counts::default(), Step::Look);
            Worker { overlay, counts, handed_over: None, step, plan: 0, looks_since: 0 }
        };
        Self {
            block,
            prices: costs.into(),
            chance: Chance::new(schedule),
            lines: Lines::new(nanoseconds(costs.transfer), units as usize, workers),
            workers: (0..workers).map(|_| worker()).collect(),
            turns: BinaryHeap::new(),
            sleepers: VecDeque::new(),
            looking_around: Vec::new(),
            times: (0..units).map(|unit| nanoseconds(block.range(unit).map(&time_of).sum())).collect(),
            took: vec![0; units as usize],
            unvalidated: 0,
            is_validated: vec![false; units as usize],
            committing_until: 0,
            spent: [0; 8],
            executing: 0,
            executing_since: 0,
            narrow: 0,
            steps: 0,
            fingerprint: 0,
            touched: Vec::new(),
        }
    }

    /// Runs the block, from `begin` on.
    ///
    /// # Panics
    /// When all workers sleep and the block is not over: the scheduler has lost a wake-up.
    pub(super) fn until_over(mut self, begin: u64) -> Over {
        self.executing_since = begin;
        for worker in 0..self.workers.len() {
            // The pool wakes its threads one after another, see `Costs::wake`.
            let wake = self.chance.vary(self.prices.wake);
            let last = self.turns.iter().map(|turn| turn.0.time).max().unwrap_or(begin);
            self.plan(worker, if worker == 0 { begin } else { last + wake });
        }
        let mut makespan = begin;
        let mut left = 0;
        while let Some(Reverse(turn)) = self.turns.pop() {
            let Turn { time: now, worker, plan, .. } = turn;
            if self.workers[worker].plan != plan {
                continue;
            }
            self.steps += 1;
            let step = std::mem::replace(&mut self.workers[worker].step, Step::Look);
            let what = (worker as u64) << 4 | step.kind();
            self.fingerprint = (self.fingerprint.rotate_left(5) ^ now ^ what << 40).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let next = self.take(step, worker, now);
            let delay = self.wake_others(now);
            match next {
                Next::At(time) => self.plan(worker, time + delay),
                Next::LooksAround(until) => {
                    self.workers[worker].step = Step::FallAsleep;
                    self.workers[worker].looks_since = now;
                    self.looking_around.push(worker);
                    self.plan(worker, until + delay);
                }
                Next::Sleeps(until) => {
                    self.sleepers.push_back(worker);
                    self.workers[worker].plan += 1;
                    if let Some(until) = until {
                        self.workers[worker].step = Step::StopNapping;
                        self.plan(worker, until);
                    }
                }
                Next::Leaves => {
                    left += 1;
                    makespan = makespan.max(now + delay);
                }
            }
            self.call_those_who_look_around(now);
        }
        assert_eq!(left, self.workers.len(), "a worker sleeps, and the block is not over: a wake-up was lost");
        self.over(makespan)
    }

    fn over(mut self, makespan: u64) -> Over {
        self.executes(makespan, 0);
        let committed = self.block.commit.lock().units as usize;
        let useful: u64 = self.took.iter().take(committed).sum();
        let of = |on: On| Duration::from_nanos(self.spent[on as usize]);
        let mut counts = Counts::default();
        self.workers.iter().for_each(|worker| counts += worker.counts);
        Over {
            makespan: Duration::from_nanos(makespan),
            busy: Busy {
                executing: of(On::Executing),
                wasted: of(On::Executing).saturating_sub(Duration::from_nanos(useful)),
                memory: of(On::Memory),
                validating: of(On::Validating),
                committing: of(On::Committing),
                scheduling: of(On::Scheduling),
                rewinding: of(On::Rewinding),
                fetching: of(On::Fetching),
                idling: of(On::Idling),
                framing: Duration::ZERO,
            },
            narrow: Duration::from_nanos(self.narrow),
            counts,
            steps: self.steps,
            fingerprint: self.fingerprint,
        }
    }

    /// Plans a worker's next turn; one that was planned before is void.
    fn plan(&mut self, worker: usize, time: u64) {
        let rank = self.chance.rank(worker);
        let plan = &mut self.workers[worker].plan;
        *plan += 1;
        self.turns.push(Reverse(Turn { time, rank, worker, plan: *plan }));
    }

    /// Wakes whom the scheduler has had woken in this turn. Returns how long that keeps the worker.
    fn wake_others(&mut self, now: u64) -> u64 {
        let (mut awake_at, mut delay) = (now, 0);
        while self.block.scheduler.take_wake() {
            let which = self.chance.first_of(self.sleepers.len());
            let Some(sleeper) = self.sleepers.remove(which) else {
                unreachable!("the scheduler counts the same sleepers");
            };
            let call = self.chance.vary(self.prices.wake_call);
            self.spent[On::Idling as usize] += call * 2;
            delay += call;
            // They need one lock, one after another.
            awake_at += self.chance.vary(self.prices.wake);
            self.workers[sleeper].step = Step::Look;
            self.plan(sleeper, awake_at);
        }
        delay
    }

    /// Those who look around see at once that there is something to do.
    fn call_those_who_look_around(&mut self, now: u64) {
        let scheduler = self.block.scheduler;
        if self.looking_around.is_empty() || !(scheduler.is_over() || scheduler.has_work()) {
            return;
        }
        for worker in std::mem::take(&mut self.looking_around) {
            let time = now + self.chance.vary(self.prices.transfer);
            self.spent[On::Idling as usize] += time - self.workers[worker].looks_since.min(time);
            self.workers[worker].step = Step::Look;
            self.plan(worker, time);
        }
    }

    /// Lets time pass.
    pub(super) fn spend(&mut self, now: &mut u64, on: On, time: u64) {
        let time = self.chance.vary(time);
        self.spent[on as usize] += time;
        *now += time;
    }

    /// Pays for the locations that were named since there were `before` of them.
    pub(super) fn locate(&mut self, now: &mut u64, before: usize) {
        let named = self.block.memory.locations().saturating_sub(before) as u64;
        self.spend(now, On::Memory, named * self.prices.locate);
    }

    /// Waits for a cache line that the worker is going to write.
    pub(super) fn fetch(&mut self, now: &mut u64, worker: usize, line: Line) {
        let arrived = self.lines.touch(line, worker, *now);
        self.spent[On::Fetching as usize] += arrived - *now;
        *now = arrived;
    }

    /// Waits for a unit's status and record, which the worker is going to write.
    pub(super) fn fetch_unit(&mut self, now: &mut u64, worker: usize, unit: u32) {
        let arrived = self.lines.touch_unit(unit, worker, *now);
        self.spent[On::Fetching as usize] += arrived - *now;
        *now = arrived;
    }

    /// Looks at the status of one unit after another, and sends those back to validation that are being validated or were.
    pub(super) fn rewind(&mut self, now: &mut u64, worker: usize, units: Range<u32>) {
        let begun = *now;
        for unit in units {
            let is_back = std::mem::take(&mut self.is_validated[unit as usize]);
            if is_back {
                *now = self.lines.touch_unit(unit, worker, *now);
                *now = self.lines.touch(Line::Again, worker, *now);
            } else {
                *now = self.lines.pass_by_unit(unit, worker, *now);
            }
            *now += self.prices.scan;
        }
        self.spent[On::Rewinding as usize] += *now - begun;
    }

    /// Waits for the versions of a location that the worker reads.
    pub(super) fn look(&mut self, now: &mut u64, worker: usize, location: LocationId) {
        let arrived = self.lines.look(location, worker, *now);
        self.spent[On::Fetching as usize] += arrived - *now;
        *now = arrived;
    }

    /// From now on `more` workers more are executing transactions, or less.
    pub(super) fn executes(&mut self, now: u64, more: isize) {
        if self.executing <= 1 {
            self.narrow += now.saturating_sub(self.executing_since);
        }
        self.executing_since = now;
        self.executing = self.executing.saturating_add_signed(more);
    }
}
