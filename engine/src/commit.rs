//! The commit frontier: what happens in commit order, one unit at a time.

use std::ops::ControlFlow;

use smallvec::SmallVec;
use weft_storage::StateReader;

use crate::adaptive::Watch;
use crate::admission::{Admitted, BlockEnd};
use crate::block::{BlockRun, UnitEnd};
use crate::canary::Canary;
use crate::error::BlockError;
use crate::overlay::Overlay;
use crate::progress::Progress;
use crate::record::{self, Record, WriteRecord};
use crate::sizing::{Committed, Sizing};
use crate::vm::{Outcome, StopReason, Verdict, Vm};

/// The stamp of what is published at the commit frontier: no incarnation has that number.
const AT_FRONTIER: u32 = u32::MAX;

/// How far the block is committed, and with what.
pub(crate) struct Commit<V: Vm, F> {
    pub(crate) progress: Progress<V, F>,
    pub(crate) error: Option<BlockError>,
    /// Units whose changes count.
    pub(crate) units: u32,
    pub(crate) deltas_resolved: u64,
    pub(crate) frontier_executions: u64,
    /// Whether executing in parallel is worth it; asked where there is a choice.
    pub(crate) watch: Option<Watch>,
    /// It is not: the block is to be gone on with otherwise, after the last committed unit.
    pub(crate) has_given_up: bool,
    /// Chooses the length of units, where there is a choice.
    pub(crate) sizing: Option<Sizing>,
    /// From the last committed unit on units are to have this length.
    pub(crate) next_length: Option<usize>,
    overlay: Overlay<V::Value>,
}

impl<V: Vm, F> Commit<V, F> {
    pub(crate) fn new(progress: Progress<V, F>, watch: Option<Watch>, sizing: Option<Sizing>) -> Self {
        Self {
            progress,
            error: None,
            units: 0,
            deltas_resolved: 0,
            frontier_executions: 0,
            watch,
            has_given_up: false,
            sizing,
            next_length: None,
            overlay: Overlay::new(),
        }
    }

    /// Whether the block ends where the execution of these outcomes assumed, which knew nothing of the gas used.
    fn is_as_executed(&self, outcomes: &[Outcome<V::Output>]) -> bool {
        let mut admission = self.progress.admission;
        let ends_at = outcomes.iter().position(|outcome| admission.admit(outcome) != Admitted::Yes);
        match ends_at {
            None => true,
            // A rejected transaction has changed nothing; one beyond the gas limit has.
            Some(at) => at + 1 == outcomes.len() && outcomes[at].verdict == Verdict::Rejected,
        }
    }
}

impl<V, R, F> BlockRun<'_, V, R, F>
where
    V: Vm,
    R: StateReader<V::Key, V::Value>,
    F: FnMut(usize, &Outcome<V::Output>) + Send,
{
    /// Commits one unit: everything below it is committed, and its reads are final.
    pub(crate) fn commit_unit(&self, unit: u32) -> ControlFlow<()> {
        let commit = &mut *self.commit.lock();
        match self.settle(unit, commit) {
            Ok(flow) => flow,
            Err(error) => {
                commit.error.get_or_insert(error);
                ControlFlow::Break(())
            }
        }
    }

    fn settle(&self, unit: u32, commit: &mut Commit<V, F>) -> Result<ControlFlow<()>, BlockError> {
        let mut record = self.records[unit as usize].lock();
        let fits = match &record.execution {
            // The gas limit may end the block inside the unit: then what the rest of it wrote has to go.
            record::Execution::Outcomes(outcomes) => commit.is_as_executed(outcomes),
            record::Execution::None | record::Execution::AtFrontier => false,
        };
        if !fits || !self.resolve_deltas(unit, &record.writes, commit)? {
            self.execute_at_frontier(unit, &mut record, commit)?;
        }
        let first = self.range(unit).start;
        let record::Execution::Outcomes(outcomes) = std::mem::take(&mut record.execution) else {
            return Err(BlockError::Inconsistent { transaction: first });
        };
        for (offset, outcome) in outcomes.into_iter().enumerate() {
            let transaction = first + offset;
            match commit.progress.admission.admit(&outcome) {
                Admitted::Yes => {
                    (commit.progress.on_commit)(transaction, &outcome);
                    commit.progress.outcomes.push(outcome);
                }
                Admitted::RejectsBlock => {
                    commit.progress.outcomes.push(outcome);
                    commit.progress.end = BlockEnd::Rejected { transaction };
                    return Ok(ControlFlow::Break(()));
                }
                Admitted::No => {
                    commit.progress.end = BlockEnd::GasLimit { transaction };
                    // The transactions before it in the unit count.
                    commit.units = self.position(unit) + u32::from(offset > 0);
                    return Ok(ControlFlow::Break(()));
                }
            }
        }
        commit.units = self.position(unit) + 1;
        Ok(self.judge(unit, &record, commit))
    }

    /// Whether the block goes on as it does, now that `unit` is committed: breaks where units are to have another length, and
    /// where executing in parallel is given up.
    fn judge(&self, unit: u32, record: &Record<V::Value, V::Output>, commit: &mut Commit<V, F>) -> ControlFlow<()> {
        if let Some(sizing) = &mut commit.sizing {
            let committed = Committed {
                transactions: self.range(unit).len(),
                took: record.took,
                was_disturbed: record.was_disturbed,
                ahead: self.scheduler.reach().saturating_sub(unit + 1),
            };
            if let Some(length) = sizing.committed(committed) {
                commit.next_length = Some(length);
                if let Some(watch) = &mut commit.watch {
                    watch.begin_window();
                }
                return ControlFlow::Break(());
            }
        }
        if let Some(watch) = &mut commit.watch {
            if self.scheduler.is_executing_ahead() {
                // What that worker does shows only when its unit is committed: until it is back, nothing is judged.
                watch.begin_window();
            } else if !watch.is_worth_it(record.took) {
                commit.has_given_up = true;
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    }

    /// Turns the deltas of a unit into values. False if one leaves its range.
    fn resolve_deltas(&self, unit: u32, writes: &[WriteRecord], commit: &mut Commit<V, F>) -> Result<bool, BlockError> {
        for write in writes.iter().filter(|write| write.is_delta) {
            let resolved = self
                .memory
                .materialise(write.location, self.position(unit), |key| self.reader.read(key))
                .map_err(|source| BlockError::Storage { transaction: self.range(unit).start, source })?;
            commit.deltas_resolved += 1;
            if resolved.is_err() && !Canary::TrustDeltas.sings() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Executes `unit` on final values, as far as it is part of the block, publishes the result and sends who has read above back to
    /// validation. What goes wrong here goes wrong in sequential execution too.
    fn execute_at_frontier(
        &self,
        unit: u32,
        record: &mut Record<V::Value, V::Output>,
        commit: &mut Commit<V, F>,
    ) -> Result<(), BlockError> {
        commit.frontier_executions += 1;
        commit.overlay.clear();
        let outcomes = match self.run(unit, &mut commit.overlay, commit.progress.admission, SmallVec::new(), true) {
            UnitEnd::Outcomes(outcomes) => outcomes,
            UnitEnd::Stopped { transaction, reason: StopReason::Storage(source), .. } => {
                return Err(BlockError::Storage { transaction, source });
            }
            UnitEnd::Stopped { transaction, .. } => return Err(BlockError::Inconsistent { transaction }),
            UnitEnd::Panicked { transaction, message } => {
                return Err(BlockError::Panicked { transaction, message });
            }
            UnitEnd::Forged { transaction } => return Err(BlockError::Stopped { transaction }),
        };
        record.execution = record::Execution::Outcomes(outcomes);
        if record.publish(self.memory, self.written_kinds, self.position(unit), AT_FRONTIER, &mut commit.overlay, true)
        {
            self.scheduler.rewind_above(unit);
        }
        Ok(())
    }
}
