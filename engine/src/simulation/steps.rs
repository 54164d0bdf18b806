//! What a worker does at its turn, with the engine's own steps, and what that costs.

use std::ops::ControlFlow;

use weft_mvmemory::LocationId;
use weft_scheduler::{Execution, Task, Validation};
use weft_storage::StateReader;

use super::lines::Line;
use super::run::{Next, On, Run, Step, nanoseconds};
use crate::block::{BlockRun, Checked, Executed};
use crate::patience::nap;
use crate::vm::{Outcome, Vm};

impl<'b, V, R, F> Run<'_, 'b, V, R, F>
where
    V: Vm,
    R: StateReader<V::Key, V::Value>,
    F: FnMut(usize, &Outcome<V::Output>) + Send,
{
    /// Takes a step. Everything that it changes it changes at once; the time that it costs passes before the worker's
    /// next one.
    pub(super) fn take(&mut self, step: Step<V::Output>, worker: usize, now: u64) -> Next {
        match step {
            Step::Look => self.next_task(worker, now),
            Step::Prepare(execution) => self.prepare(execution, worker, now),
            Step::Begin(execution, rest) => self.begin(execution, rest, worker, now),
            Step::Publish(executed) => self.publish(executed, worker, now),
            Step::Finish(execution, changed) => self.finish(execution, changed, worker, now),
            Step::Conclude(validation, is_current, woken) => self.conclude(validation, is_current, woken, worker, now),
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
        let begun = scheduler.begun();
        let task = scheduler.next_task();
        self.spend(&mut now, On::Scheduling, self.prices.step);
        match task {
            Some(Task::Execute(execution)) => {
                // A unit with a head start is not taken from the counter.
                let is_fresh = scheduler.begun() > begun;
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
        let named = self.block.memory.locations();
        let this = &mut self.workers[worker];
        let prepared = self.block.prepare(execution, &mut this.overlay, &mut this.counts);
        self.locate(&mut now, named);
        self.fetch_unit(&mut now, worker, unit);
        if is_first {
            let mut announced = std::mem::take(&mut self.touched);
            announced.extend(self.workers[worker].overlay.accesses().iter().map(|access| access.location));
            self.write(&mut now, worker, &mut announced);
        }
        match prepared {
            ControlFlow::Break(instead) => self.go_on_with(instead, worker, now),
            ControlFlow::Continue(execution) => {
                self.spend(&mut now, On::Memory, self.prices.unit);
                let alone = self.times[unit as usize];
                let crowd = self.prices.crowding_per_mille.saturating_mul(self.executing as u64);
                let time = self.chance.vary(alone.saturating_add(alone.saturating_mul(crowd) / 1000));
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
        let named = self.block.memory.locations();
        let this = &mut self.workers[worker];
        let begun = self.block.begin(execution, &mut this.overlay, &mut this.counts);
        let mut touched = std::mem::take(&mut self.touched);
        let accesses = this.overlay.accesses();
        touched.extend(accesses.iter().filter(|access| access.outside.is_some()).map(|access| access.location));
        self.locate(&mut now, named);
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
                let rest = self.without_resumed(rest, &executed);
                self.spent[On::Executing as usize] += rest;
                self.workers[worker].step = Step::Publish(executed);
                Next::At(now + rest)
            }
        };
        self.touched = touched;
        next
    }

    /// What is left of an execution of which `rest` was left: what it took up from an earlier one does not take time.
    fn without_resumed(&self, rest: u64, executed: &Executed<V::Output>) -> u64 {
        let (resumed, whole) = (executed.resumed as u64, self.took[executed.unit() as usize]);
        rest.saturating_sub(whole * resumed / self.block.range(executed.unit()).len().max(1) as u64)
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
        let mut written = std::mem::take(&mut self.touched);
        let accesses = this.overlay.accesses().iter().filter(|access| access.unit.is_some());
        written.extend(accesses.map(|access| access.location));
        let (execution, changed) = self.block.publish(executed, &mut this.overlay, &mut this.counts);
        self.write(&mut now, worker, &mut written);
        self.spend(&mut now, On::Scheduling, self.prices.step);
        self.fetch_unit(&mut now, worker, execution.unit());
        self.workers[worker].step = Step::Finish(execution, changed);
        Next::At(now)
    }

    fn finish(&mut self, execution: Execution, changed: bool, worker: usize, mut now: u64) -> Next {
        let (unit, again) = (execution.unit(), execution.incarnation() > 0);
        let hand_off = self.block.scheduler.finish_execution(execution, changed);
        if !again {
            self.fetch(&mut now, worker, Line::Executed);
        } else if changed {
            self.rewind(&mut now, worker, unit + 1..self.unvalidated);
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
        self.is_validated[unit as usize] = true;
        self.fetch_unit(&mut now, worker, unit);
        let mut touched = std::mem::take(&mut self.touched);
        touched.extend(self.block.records[unit as usize].lock().reads().map(|read| read.location));
        for location in touched.drain(..) {
            self.look(&mut now, worker, location);
            self.spend(&mut now, On::Validating, self.prices.validate);
        }
        self.touched = touched;
        self.spend(&mut now, On::Scheduling, self.prices.step);
        // Compared at the beginning, so that whatever happens before it is settled comes too late for the comparison.
        let is_current = self.block.is_current(&validation, &mut self.workers[worker].counts);
        self.workers[worker].step = Step::Conclude(validation, is_current, woken);
        Next::At(now)
    }

    fn conclude(
        &mut self,
        validation: Validation,
        is_current: bool,
        woken: Option<Execution>,
        worker: usize,
        mut now: u64,
    ) -> Next {
        let unit = validation.unit();
        match self.block.conclude(validation, is_current, &mut self.workers[worker].counts) {
            Checked::Confirmed => {
                self.workers[worker].handed_over = self.block.choose(None, woken);
                self.commit(worker, now)
            }
            Checked::Settled => {
                let woken = self.block.choose(None, woken);
                self.go_on_with(woken, worker, now)
            }
            Checked::Again(execution) => {
                self.is_validated[unit as usize] = false;
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
            self.fetch_unit(&mut now, worker, unit);
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
