//! One block on the multi-version memory: what the workers do with the tasks that the scheduler gives them.

use std::ops::{ControlFlow, Range};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{Duration, Instant};

use crossbeam_utils::CachePadded;
use parking_lot::Mutex;
use smallvec::SmallVec;
use weft_mvmemory::MvMemory;
use weft_scheduler::{Execution, Scheduler, Task, Validation};
use weft_storage::StateReader;

use crate::admission::{Admission, Admitted};
use crate::canary::Canary;
use crate::commit::Commit;
use crate::config::BlockPolicy;
use crate::error::{BlockError, panic_message};
use crate::metrics::{Counts, Stopwatch};
use crate::overlay::Overlay;
use crate::patience::nap;
use crate::rare::WrittenKinds;
use crate::record::{self, SharedRecord};
use crate::resume::Resumed;
use crate::view::{CallCount, MemoryView};
use crate::vm::{Outcome, StopReason, Verdict, Vm};
use crate::work_time::WorkTime;

pub(crate) type UnitRecord<V> = SharedRecord<<V as Vm>::Value, <V as Vm>::Output>;

/// How the execution of a unit ended.
pub(crate) enum UnitEnd<O> {
    Outcomes(SmallVec<[Outcome<O>; 1]>),
    Stopped {
        transaction: usize,
        reason: StopReason,
        /// Of the transactions before it in the unit.
        outcomes: SmallVec<[Outcome<O>; 1]>,
    },
    Panicked {
        transaction: usize,
        message: String,
    },
    /// A stop without a reason: the virtual machine made it up.
    Forged {
        transaction: usize,
    },
}

/// An execution that has come to its end on its worker's overlay; nothing of it is published yet.
pub(crate) struct Executed<O> {
    execution: Execution,
    end: record::Execution<O>,
    on_final_values: bool,
    begun: Option<Instant>,
    /// So many of its transactions were not run again, which had once taken so long.
    pub(crate) resumed: usize,
    resumed_took: Duration,
}

impl<O> Executed<O> {
    pub(crate) fn unit(&self) -> u32 {
        self.execution.unit()
    }
}

/// What a validation came to.
pub(crate) enum Checked {
    /// The reads are what they were: the commit frontier may be able to go on.
    Confirmed,
    /// It is settled otherwise.
    Settled,
    /// The unit has to run again.
    Again(Execution),
}

/// One block while it is executed.
pub(crate) struct BlockRun<'b, V: Vm, R, F> {
    pub(crate) vm: &'b V,
    pub(crate) reader: &'b R,
    pub(crate) transactions: &'b [V::Transaction],
    /// The transaction that the first unit begins with.
    pub(crate) first: usize,
    /// The number of the first unit in the memory: the units of the block's earlier stretches come before it.
    pub(crate) first_position: u32,
    pub(crate) unit_length: usize,
    pub(crate) policy: BlockPolicy,
    /// Whether to measure how long the executions take.
    pub(crate) is_watched: bool,
    /// Where to say so, if somebody wants to know how much has been done.
    pub(crate) work_time: Option<&'b WorkTime>,
    /// Whether all workers take turns on one thread: then nothing changes while an execution runs, and one that loops
    /// because of what it has read has to be ended.
    pub(crate) takes_turns: bool,
    pub(crate) memory: &'b MvMemory<V::Key, V::Value>,
    pub(crate) scheduler: &'b Scheduler,
    pub(crate) written_kinds: &'b WrittenKinds,
    pub(crate) records: &'b [UnitRecord<V>],
    /// Padded: whoever commits writes it, and everybody reads what is around it.
    pub(crate) commit: CachePadded<Mutex<Commit<V, F>>>,
}

impl<V, R, F> BlockRun<'_, V, R, F>
where
    V: Vm,
    R: StateReader<V::Key, V::Value>,
    F: FnMut(usize, &Outcome<V::Output>) + Send,
{
    /// Takes part in the block until it is over. A panic of the caller's code that is run in commit order ends the
    /// block for all workers before it is passed on.
    pub(crate) fn work(&self, overlay: &mut Overlay<V::Value>) -> Counts {
        match catch_unwind(AssertUnwindSafe(|| self.take_part(overlay))) {
            Ok(counts) => counts,
            Err(panic) => {
                self.scheduler.halt();
                resume_unwind(panic)
            }
        }
    }

    fn take_part(&self, overlay: &mut Overlay<V::Value>) -> Counts {
        let watch = Stopwatch::start();
        overlay.begin_block();
        let mut counts = Counts::default();
        let mut handed_over: Option<Execution> = None;
        while !self.scheduler.is_over() {
            if handed_over.is_none()
                && let Some(longest) = nap(&mut counts)
            {
                self.scheduler.nap(longest);
            }
            let task = handed_over.take().map(Task::Execute).or_else(|| self.scheduler.next_task());
            handed_over = match task {
                Some(Task::Execute(execution)) => self.execute(execution, overlay, &mut counts),
                Some(Task::Validate(validation)) => self.validate(validation, &mut counts),
                None => {
                    self.scheduler.wait_for_work();
                    None
                }
            };
        }
        counts.cpu = watch.cpu();
        counts
    }

    /// The number of a unit in the memory.
    pub(crate) fn position(&self, unit: u32) -> u32 {
        self.first_position + unit
    }

    pub(crate) fn range(&self, unit: u32) -> Range<usize> {
        let start = self.first + unit as usize * self.unit_length;
        start..(start + self.unit_length).min(self.transactions.len())
    }

    /// Executes a unit. Returns what this worker should execute next, if it has a reason.
    fn execute(&self, execution: Execution, overlay: &mut Overlay<V::Value>, counts: &mut Counts) -> Option<Execution> {
        let execution = match self.prepare(execution, overlay, counts) {
            ControlFlow::Continue(execution) => execution,
            ControlFlow::Break(next) => return next,
        };
        let executed = match self.begin(execution, overlay, counts) {
            ControlFlow::Continue(executed) => executed,
            ControlFlow::Break(next) => return next,
        };
        let (execution, changed) = self.publish(executed, overlay, counts);
        let hand_off = self.scheduler.finish_execution(execution, changed);
        let again = hand_off.validation.and_then(|validation| self.validate(validation, counts));
        self.choose(again, hand_off.execution)
    }

    /// Makes the overlay ready for a unit, and announces what the unit will touch. Breaks with what to execute instead,
    /// if anything, where the unit has to wait for another one.
    #[inline]
    pub(crate) fn prepare(
        &self,
        execution: Execution,
        overlay: &mut Overlay<V::Value>,
        counts: &mut Counts,
    ) -> ControlFlow<Option<Execution>, Execution> {
        overlay.clear();
        if execution.incarnation() == 0
            && let Some(on) = self.announce(execution.unit(), overlay)
        {
            counts.suspend();
            self.note_disturbance(execution.unit());
            return ControlFlow::Break(self.scheduler.suspend(execution, on));
        }
        ControlFlow::Continue(execution)
    }

    /// Runs a unit that was [prepared](Self::prepare). Breaks with what to execute instead, if anything, where that
    /// comes to no end.
    #[inline]
    pub(crate) fn begin(
        &self,
        execution: Execution,
        overlay: &mut Overlay<V::Value>,
        counts: &mut Counts,
    ) -> ControlFlow<Option<Execution>, Executed<V::Output>> {
        let unit = execution.unit();
        let begun = self.is_watched.then(Instant::now);
        let committed = self.scheduler.committed();
        let on_final_values = committed == unit;
        if self.unit_length > 1 && execution.incarnation() == 0 {
            self.load_announced(overlay);
        }
        // Only now: what is current beside final values is final itself.
        let before = self.resume(unit, overlay, counts);
        let (resumed, resumed_took) = (before.outcomes.len(), before.took);
        let admission = Admission::without_gas_limit(self.policy);
        let end = match self.run(unit, overlay, admission, before.outcomes, false) {
            UnitEnd::Outcomes(outcomes) => record::Execution::Outcomes(outcomes),
            UnitEnd::Stopped { transaction, reason: StopReason::Estimate(on), outcomes } => {
                let Some(on) = on.checked_sub(self.first_position).filter(|on| *on >= committed) else {
                    // A committed unit has left an estimate behind: who waits for it waits for ever.
                    self.fail(BlockError::Inconsistent { transaction });
                    return ControlFlow::Break(Some(execution));
                };
                counts.suspend();
                self.note_disturbance(unit);
                if !outcomes.is_empty() {
                    let took = resumed_took + begun.map_or(Duration::ZERO, |begun| begun.elapsed());
                    self.records[unit as usize].lock().suspend(outcomes, overlay, took);
                }
                return ControlFlow::Break(self.scheduler.suspend(execution, on));
            }
            UnitEnd::Stopped { reason: StopReason::Halted, .. } => return ControlFlow::Break(Some(execution)),
            UnitEnd::Stopped { .. } | UnitEnd::Panicked { .. } | UnitEnd::Forged { .. } => {
                record::Execution::AtFrontier
            }
        };
        ControlFlow::Continue(Executed { execution, end, on_final_values, begun, resumed, resumed_took })
    }

    /// Puts onto `overlay` what is still true of what the unit has done before.
    fn resume(&self, unit: u32, overlay: &mut Overlay<V::Value>, counts: &mut Counts) -> Resumed<V::Output> {
        if self.unit_length == 1 {
            return Resumed::nothing();
        }
        let environment = (self.vm, self.memory, self.written_kinds);
        let admission = Admission::without_gas_limit(self.policy);
        let mut record = self.records[unit as usize].lock();
        let resumed = record.resume(environment, self.position(unit), admission, overlay);
        counts.resumed_transactions += resumed.outcomes.len() as u64;
        resumed
    }

    /// Publishes what an execution left on the overlay. True if somebody above could see a difference; the scheduler is
    /// to be told so next.
    #[inline]
    pub(crate) fn publish(
        &self,
        executed: Executed<V::Output>,
        overlay: &mut Overlay<V::Value>,
        counts: &mut Counts,
    ) -> (Execution, bool) {
        let Executed { execution, end, on_final_values, begun, resumed_took, .. } = executed;
        counts.execute();
        let unit = execution.unit();
        let mut record = self.records[unit as usize].lock();
        let with_writes = matches!(end, record::Execution::Outcomes(_));
        record.execution = end;
        record.on_final_values = on_final_values;
        record.was_disturbed |= execution.incarnation() > 0;
        record.took = resumed_took + begun.map_or(Duration::ZERO, |begun| begun.elapsed());
        if let Some(all) = self.work_time {
            counts.unsaid.executed(record.took, all);
        }
        let position = self.position(unit);
        let changed =
            record.publish(self.memory, self.written_kinds, position, execution.incarnation(), overlay, with_writes);
        drop(record);
        (execution, changed)
    }

    /// The unit has to wait for another one. Of interest to whoever chooses the length of units.
    fn note_disturbance(&self, unit: u32) {
        if self.is_watched {
            self.records[unit as usize].lock().was_disturbed = true;
        }
    }

    /// What a worker does first: its own unit again, or a unit that was woken and handed to it.
    pub(crate) fn choose(&self, again: Option<Execution>, woken: Option<Execution>) -> Option<Execution> {
        match (again, woken) {
            (Some(again), Some(woken)) => {
                self.scheduler.defer(woken);
                Some(again)
            }
            (again, woken) => again.or(woken),
        }
    }

    /// Runs the transactions of a unit on `overlay`, up to the one with which the block ends, as far as `admission` knows:
    /// what would come after it has no right to fail, or to be waited for. The overlay holds what the first of them have
    /// done, which have `outcomes` already.
    pub(crate) fn run(
        &self,
        unit: u32,
        overlay: &mut Overlay<V::Value>,
        mut admission: Admission,
        mut outcomes: SmallVec<[Outcome<V::Output>; 1]>,
        concrete: bool,
    ) -> UnitEnd<V::Output> {
        let range = self.range(unit);
        overlay.written_kinds = self.written_kinds.now().and(overlay.changed_kinds());
        for outcome in &outcomes {
            admission.admit(outcome);
        }
        outcomes.reserve_exact(range.len() - outcomes.len());
        for transaction in range.skip(outcomes.len()) {
            overlay.begin_transaction(outcomes.len());
            let mut view = MemoryView {
                vm: self.vm,
                memory: self.memory,
                written_kinds: self.written_kinds,
                reader: self.reader,
                scheduler: self.scheduler,
                overlay: &mut *overlay,
                unit,
                position: self.position(unit),
                concrete,
                takes_turns: self.takes_turns && !concrete,
                is_later_in_unit: !outcomes.is_empty(),
                stopped: None,
                calls: CallCount::default(),
            };
            let executed =
                catch_unwind(AssertUnwindSafe(|| self.vm.execute(&self.transactions[transaction], &mut view)));
            if let Ok(Ok(outcome)) = &executed
                && outcome.verdict == Verdict::Rejected
            {
                view.settle_rejected();
            }
            if let Some(reason) = view.stopped {
                return UnitEnd::Stopped { transaction, reason, outcomes };
            }
            let outcome = match executed {
                Ok(Ok(outcome)) => outcome,
                Ok(Err(_)) => return UnitEnd::Forged { transaction },
                Err(panic) => return UnitEnd::Panicked { transaction, message: panic_message(&*panic) },
            };
            let admitted = admission.admit(&outcome);
            if admitted != Admitted::Yes {
                overlay.drop_running();
                outcomes.push(outcome);
                break;
            }
            if outcome.verdict == Verdict::Rejected {
                overlay.drop_running();
            } else if !overlay.apply_running() {
                return UnitEnd::Stopped { transaction, reason: StopReason::Unresolvable, outcomes };
            }
            outcomes.push(outcome);
        }
        UnitEnd::Outcomes(outcomes)
    }

    /// Validates a unit. Returns its next execution if it has to run again.
    fn validate(&self, validation: Validation, counts: &mut Counts) -> Option<Execution> {
        let is_current = self.is_current(&validation, counts);
        match self.conclude(validation, is_current, counts) {
            Checked::Confirmed => {
                self.scheduler.commit(|unit| self.commit_unit(unit));
                None
            }
            Checked::Settled => None,
            Checked::Again(execution) => Some(execution),
        }
    }

    /// Compares what a unit has read with what it would read now.
    #[inline]
    pub(crate) fn is_current(&self, validation: &Validation, counts: &mut Counts) -> bool {
        counts.validations += 1;
        let unit = validation.unit();
        let skipped = Canary::SkipValidation.sings() && counts.validations.is_multiple_of(3);
        if skipped {
            return true;
        }
        let (record, position) = (self.records[unit as usize].lock(), self.position(unit));
        if record.on_final_values {
            // Nobody below could write any more. (Once the unit is committed itself, what it has read may be dropped; a
            // validation that comes so late settles nothing.)
            debug_assert!(
                record.reads_are_current(self.memory, position) || self.scheduler.committed() > unit,
                "what is committed does not change"
            );
            return true;
        }
        record.is_current(self.memory, self.written_kinds, position)
    }

    /// Settles a validation by what came of the comparison.
    #[inline]
    pub(crate) fn conclude(&self, validation: Validation, is_current: bool, counts: &mut Counts) -> Checked {
        let unit = validation.unit();
        if is_current {
            return if self.scheduler.confirm(validation) { Checked::Confirmed } else { Checked::Settled };
        }
        let Some(abort) = self.scheduler.abort(validation) else { return Checked::Settled };
        counts.aborts += 1;
        // Since we could abort it, this is the incarnation that we have looked at.
        let record = self.records[unit as usize].lock();
        if let Some(all) = self.work_time {
            counts.unsaid.was_in_vain(record.took, all);
        }
        for write in &record.writes {
            self.memory.mark_estimate(write.location, self.position(unit));
        }
        drop(record);
        Checked::Again(self.scheduler.finish_abort(abort))
    }

    fn fail(&self, error: BlockError) {
        self.commit.lock().error.get_or_insert(error);
        self.scheduler.halt();
    }
}
