//! The run of one block: whose turn it is, what that worker does, and how long that takes.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::ops::ControlFlow;
use std::time::Duration;

use weft_mvmemory::LocationId;
use weft_scheduler::{Execution, Task, Validation};
use weft_storage::StateReader;

use super::Busy;
use super::costs::{Chance, Costs, Schedule};
use super::lines::{Line, Lines};
use crate::block::{BlockRun, Checked, Executed, nap};
use crate::metrics::Counts;
use crate::overlay::Overlay;
use crate::vm::{Outcome, Vm};

/// What a worker does at its next turn. What the engine's worker does in one go is cut into steps, so that others have
/// their turns in between.
enum Step<O> {
    /// Looks for something to do.
    Look,
    /// Announces what a unit will touch.
    Prepare(Execution),
    /// Runs a unit's transactions; after that so many nanoseconds of their time are left.
    Begin(Execution, u64),
    Publish(Executed<O>),
    /// Tells the scheduler, also whether somebody could see a difference.
    Finish(Execution, bool),
    /// Settles a validation. The execution is what it does after that, if anything.
    Check(Validation, Option<Execution>),
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
            Self::Check(..) => 5,
            Self::Commit => 6,
            Self::FallAsleep => 7,
            Self::StopNapping => 8,
        }
    }
}

/// When a worker's next turn is.
enum Next {
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
enum On {
    Executing,
    Memory,
    Validating,
    Committing,
    Scheduling,
    Fetching,
    Idling,
}

struct Worker<V: Vm> {
    overlay: Overlay<V::Value>,
    counts: Counts,
    handed_over: Option<Execution>,
    step: Step<V::Output>,
    /// Turns that were planned under another number are void.
    plan: u32,
    looks_since: u64,
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
struct Prices {
    step: u64,
    unit: u64,
    read: u64,
    write: u64,
    validate: u64,
    commit: u64,
    delta: u64,
    transfer: u64,
    look_around: u64,
    wake: u64,
    wake_call: u64,
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl From<Costs> for Prices {
    fn from(costs: Costs) -> Self {
        Self {
            step: nanoseconds(costs.step),
            unit: nanoseconds(costs.unit),
            read: nanoseconds(costs.read),
            write: nanoseconds(costs.write),
            validate: nanoseconds(costs.validate),
            commit: nanoseconds(costs.commit),
            delta: nanoseconds(costs.delta),
            transfer: nanoseconds(costs.transfer),
            look_around: nanoseconds(costs.look_around),
            wake: nanoseconds(costs.wake),
            wake_call: nanoseconds(costs.wake_call),
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
    block: &'r BlockRun<'b, V, R, F>,
    prices: Prices,
    chance: Chance,
    lines: Lines,
    workers: Vec<Worker<V>>,
    turns: BinaryHeap<Reverse<Turn>>,
    /// Those who sleep, first those who have slept longest.
    sleepers: VecDeque<usize>,
    looking_around: Vec<usize>,
    /// How long each unit's transactions take.
    times: Vec<u64>,
    /// How long the last execution of each unit took.
    took: Vec<u64>,
    /// Units from here on were never claimed for execution, or for validation.
    fresh: u32,
    unvalidated: u32,
    /// Who commits does so until then.
    committing_until: u64,
    spent: [u64; 7],
    /// Workers that execute transactions, since when, and for how long there was one at most.
    executing: usize,
    executing_since: u64,
    narrow: u64,
    steps: u64,
    fingerprint: u64,
    /// For the locations that a step touches.
    touched: Vec<LocationId>,
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
            lines: Lines::new(nanoseconds(costs.transfer)),
            workers: (0..workers).map(|_| worker()).collect(),
            turns: BinaryHeap::new(),
            sleepers: VecDeque::new(),
            looking_around: Vec::new(),
            times: (0..units).map(|unit| nanoseconds(block.range(unit).map(&time_of).sum())).collect(),
            took: vec![0; units as usize],
            fresh: 0,
            unvalidated: 0,
            committing_until: 0,
            spent: [0; 7],
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
    fn spend(&mut self, now: &mut u64, on: On, time: u64) {
        let time = self.chance.vary(time);
        self.spent[on as usize] += time;
        *now += time;
    }

    /// Waits for a cache line that the worker is going to write.
    fn fetch(&mut self, now: &mut u64, worker: usize, line: Line) {
        let arrived = self.lines.touch(line, worker, *now);
        self.spent[On::Fetching as usize] += arrived - *now;
        *now = arrived;
    }

    /// Waits for the versions of a location that the worker reads.
    fn look(&mut self, now: &mut u64, worker: usize, location: LocationId) {
        let arrived = self.lines.look(location, worker, *now);
        self.spent[On::Fetching as usize] += arrived - *now;
        *now = arrived;
    }

    /// From now on `more` workers more are executing transactions, or less.
    fn executes(&mut self, now: u64, more: isize) {
        if self.executing <= 1 {
            self.narrow += now.saturating_sub(self.executing_since);
        }
        self.executing_since = now;
        self.executing = self.executing.saturating_add_signed(more);
    }

    fn take(&mut self, step: Step<V::Output>, worker: usize, now: u64) -> Next {
        match step {
            Step::Look => self.next_task(worker, now),
            Step::Prepare(execution) => self.prepare(execution, worker, now),
            Step::Begin(execution, rest) => self.begin(execution, rest, worker, now),
            Step::Publish(executed) => self.publish(executed, worker, now),
            Step::Finish(execution, changed) => self.finish(execution, changed, worker, now),
            Step::Check(validation, woken) => self.check(validation, woken, worker, now),
            Step::Commit => self.commit(worker, now),
            Step::FallAsleep => {
                self.looking_around.retain(|other| *other != worker);
                self.spent[On::Idling as usize] += now - self.workers[worker].looks_since;
                if self.block.scheduler.fall_asleep() { Next::Sleeps(None) } else { Next::At(now) }
            }
            Step::StopNapping => {
                self.sleepers.retain(|other| *other != worker);
                self.block.scheduler.stop_napping();
                Next::At(now)
            }
        }
    }

    /// As `BlockRun::take_part`.
    fn next_task(&mut self, worker: usize, mut now: u64) -> Next {
        let scheduler = self.block.scheduler;
        if scheduler.is_over() {
            return Next::Leaves;
        }
        let handed_over = self.workers[worker].handed_over.take();
        if let Some(execution) = handed_over {
            self.workers[worker].step = Step::Prepare(execution);
            return Next::At(now);
        }
        if let Some(longest) = nap(&mut self.workers[worker].counts)
            && scheduler.fall_into_nap()
        {
            return Next::Sleeps(Some(now + nanoseconds(longest)));
        }
        let task = scheduler.next_task();
        self.spend(&mut now, On::Scheduling, self.prices.step);
        match task {
            Some(Task::Execute(execution)) => {
                let is_fresh = execution.unit() >= self.fresh;
                self.fresh = self.fresh.max(execution.unit() + 1);
                self.fetch(&mut now, worker, if is_fresh { Line::Fresh } else { Line::Again });
                self.workers[worker].step = Step::Prepare(execution);
                Next::At(now)
            }
            Some(Task::Validate(validation)) => {
                let is_first = validation.unit() >= self.unvalidated;
                self.fetch(&mut now, worker, if is_first { Line::Executed } else { Line::Again });
                self.validate(validation, None, worker, now)
            }
            None => Next::LooksAround(now + self.chance.vary(self.prices.look_around)),
        }
    }

    fn prepare(&mut self, execution: Execution, worker: usize, mut now: u64) -> Next {
        let (unit, is_first) = (execution.unit(), execution.incarnation() == 0);
        let this = &mut self.workers[worker];
        let prepared = self.block.prepare(execution, &mut this.overlay, &mut this.counts);
        self.fetch(&mut now, worker, Line::Unit(unit));
        if is_first {
            let mut announced = std::mem::take(&mut self.touched);
            announced.extend(self.workers[worker].overlay.accesses().iter().map(|access| access.location));
            self.write(&mut now, worker, &mut announced);
        }
        match prepared {
            ControlFlow::Break(instead) => self.go_on_with(instead, worker, now),
            ControlFlow::Continue(execution) => {
                self.spend(&mut now, On::Memory, self.prices.unit);
                let time = self.chance.vary(self.times[unit as usize]);
                let until_read = self.chance.until_read(time);
                self.took[unit as usize] = time;
                self.spent[On::Executing as usize] += until_read;
                self.executes(now, 1);
                self.workers[worker].step = Step::Begin(execution, time - until_read);
                Next::At(now + until_read)
            }
        }
    }

    fn begin(&mut self, execution: Execution, rest: u64, worker: usize, mut now: u64) -> Next {
        let this = &mut self.workers[worker];
        let begun = self.block.begin(execution, &mut this.overlay, &mut this.counts);
        let mut touched = std::mem::take(&mut self.touched);
        let accesses = this.overlay.accesses();
        touched.extend(accesses.iter().filter(|access| access.outside.is_some()).map(|access| access.location));
        for location in touched.drain(..) {
            self.look(&mut now, worker, location);
            self.spend(&mut now, On::Memory, self.prices.read);
        }
        let next = match begun {
            ControlFlow::Break(instead) => {
                self.executes(now, -1);
                self.spend(&mut now, On::Scheduling, self.prices.step);
                self.go_on_with(instead, worker, now)
            }
            ControlFlow::Continue(executed) => {
                self.spent[On::Executing as usize] += rest;
                now += rest;
                let accesses = self.workers[worker].overlay.accesses();
                touched.extend(accesses.iter().filter(|access| access.unit.is_some()).map(|access| access.location));
                self.write(&mut now, worker, &mut touched);
                self.workers[worker].step = Step::Publish(executed);
                return Next::At(now);
            }
        };
        self.touched = touched;
        next
    }

    /// Versions of these locations are written; gives the list back, empty.
    fn write(&mut self, now: &mut u64, worker: usize, locations: &mut Vec<LocationId>) {
        for location in locations.drain(..) {
            self.fetch(now, worker, Line::Location(location));
            self.spend(now, On::Memory, self.prices.write);
        }
        self.touched = std::mem::take(locations);
    }

    fn publish(&mut self, executed: Executed<V::Output>, worker: usize, mut now: u64) -> Next {
        self.executes(now, -1);
        let this = &mut self.workers[worker];
        let (execution, changed) = self.block.publish(executed, &mut this.overlay, &mut this.counts);
        self.spend(&mut now, On::Scheduling, self.prices.step);
        self.fetch(&mut now, worker, Line::Unit(execution.unit()));
        self.workers[worker].step = Step::Finish(execution, changed);
        Next::At(now)
    }

    fn finish(&mut self, execution: Execution, changed: bool, worker: usize, mut now: u64) -> Next {
        let (unit, again) = (execution.unit(), execution.incarnation() > 0);
        let hand_off = self.block.scheduler.finish_execution(execution, changed);
        if !again {
            self.fetch(&mut now, worker, Line::Executed);
        } else if changed {
            for above in unit + 1..self.unvalidated {
                self.fetch(&mut now, worker, Line::Unit(above));
            }
        }
        match hand_off.validation {
            Some(validation) => self.validate(validation, hand_off.execution, worker, now),
            None => {
                self.workers[worker].handed_over = self.block.choose(None, hand_off.execution);
                Next::At(now)
            }
        }
    }

    /// Begins a validation that is claimed.
    fn validate(&mut self, validation: Validation, woken: Option<Execution>, worker: usize, mut now: u64) -> Next {
        let unit = validation.unit();
        self.unvalidated = self.unvalidated.max(unit + 1);
        self.fetch(&mut now, worker, Line::Unit(unit));
        let mut touched = std::mem::take(&mut self.touched);
        touched.extend(self.block.records[unit as usize].lock().reads().map(|read| read.location));
        for location in touched.drain(..) {
            self.look(&mut now, worker, location);
            self.spend(&mut now, On::Validating, self.prices.validate);
        }
        self.touched = touched;
        self.spend(&mut now, On::Scheduling, self.prices.step);
        self.workers[worker].step = Step::Check(validation, woken);
        Next::At(now)
    }

    fn check(&mut self, validation: Validation, woken: Option<Execution>, worker: usize, mut now: u64) -> Next {
        let unit = validation.unit();
        match self.block.check(validation, &mut self.workers[worker].counts) {
            Checked::Confirmed => {
                self.workers[worker].handed_over = self.block.choose(None, woken);
                self.commit(worker, now)
            }
            Checked::Settled => {
                let woken = self.block.choose(None, woken);
                self.go_on_with(woken, worker, now)
            }
            Checked::Again(execution) => {
                let mut estimates = std::mem::take(&mut self.touched);
                estimates.extend(self.block.records[unit as usize].lock().writes.iter().map(|write| write.location));
                self.write(&mut now, worker, &mut estimates);
                let next = self.block.choose(Some(execution), woken);
                self.go_on_with(next, worker, now)
            }
        }
    }

    /// Commits what can be committed now. The time that this takes is up when the worker looks again; what others confirm
    /// in the meantime they leave to it.
    fn commit(&mut self, worker: usize, mut now: u64) -> Next {
        let nothing = Next::At(now);
        if self.committing_until > now {
            return nothing;
        }
        let deltas = |block: &BlockRun<'b, V, R, F>| {
            let commit = block.commit.lock();
            (commit.deltas_resolved, commit.frontier_executions)
        };
        let before = deltas(self.block);
        let mut units = Vec::new();
        let mut again = 0;
        self.block.scheduler.commit(|unit| {
            let executions = deltas(self.block).1;
            let flow = self.block.commit_unit(unit);
            if deltas(self.block).1 > executions {
                again += self.times[unit as usize];
            }
            units.push(unit);
            flow
        });
        if units.is_empty() {
            return nothing;
        }
        self.fetch(&mut now, worker, Line::Frontier);
        for unit in units {
            self.fetch(&mut now, worker, Line::Unit(unit));
            self.spend(&mut now, On::Committing, self.prices.commit);
        }
        let resolved = deltas(self.block).0 - before.0;
        self.spend(&mut now, On::Committing, resolved * self.prices.delta + again);
        self.committing_until = now;
        self.workers[worker].step = Step::Commit;
        Next::At(now)
    }

    /// The worker executes this next, or looks for something to do.
    fn go_on_with(&mut self, execution: Option<Execution>, worker: usize, now: u64) -> Next {
        self.workers[worker].handed_over = execution;
        Next::At(now)
    }
}
