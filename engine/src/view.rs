//! The view of a transaction that executes on the multi-version memory.

use weft_mvmemory::{Change, LocationId, MvMemory, Origin, Read, Value};
use weft_scheduler::Scheduler;
use weft_storage::StateReader;

use crate::canary::Canary;
use crate::overlay::Overlay;
use crate::vm::{AddError, Checkpoint, Key, StateView, Stop, StopReason};

/// Calls on a view between two looks at whether the execution is still worth its while.
const CALLS_BETWEEN_CHECKS: usize = 256;

/// Calls on a view after which an execution gives up its worker if lower units wait for one.
const PATIENCE: usize = 1 << 16;

/// What the view of a unit works on.
pub(crate) struct MemoryView<'b, K, V: Value, R> {
    pub(crate) memory: &'b MvMemory<K, V>,
    pub(crate) reader: &'b R,
    pub(crate) scheduler: &'b Scheduler,
    pub(crate) overlay: &'b mut Overlay<V>,
    pub(crate) unit: u32,
    /// Everything below is committed: deltas are applied to values at once, as in sequential execution.
    pub(crate) concrete: bool,
    /// Transactions of the unit have run before this one: they may have used up the block's gas.
    pub(crate) is_later_in_unit: bool,
    /// Nobody else goes on while this execution runs.
    pub(crate) takes_turns: bool,
    /// Set once; then the execution is void, whatever the virtual machine makes of it.
    pub(crate) stopped: Option<StopReason>,
    calls: usize,
    next_check: usize,
}

impl<'b, K: Key, V: Value, R: StateReader<K, V>> MemoryView<'b, K, V, R> {
    pub(crate) fn new(
        memory: &'b MvMemory<K, V>,
        reader: &'b R,
        scheduler: &'b Scheduler,
        overlay: &'b mut Overlay<V>,
        unit: u32,
        concrete: bool,
    ) -> Self {
        Self {
            memory,
            reader,
            scheduler,
            overlay,
            unit,
            concrete,
            is_later_in_unit: false,
            takes_turns: false,
            stopped: None,
            calls: 0,
            next_check: CALLS_BETWEEN_CHECKS,
        }
    }

    fn stop(&mut self, reason: StopReason) -> Stop {
        self.stopped.get_or_insert(reason);
        Stop(())
    }

    /// The access to `key`. The key is hashed here and nowhere else.
    fn access(&mut self, key: &K) -> usize {
        let hash = self.memory.hash(key);
        let memory = self.memory;
        let known = self.overlay.find(hash, |location| memory.key(location) == key);
        known.unwrap_or_else(|| {
            let location = memory.intern_hashed(hash, key, &mut self.overlay.reserve);
            self.overlay.insert(hash, location)
        })
    }

    /// Loads the base value of a location.
    fn load_base(&mut self, location: LocationId) -> Result<(), Stop> {
        let (memory, reader) = (self.memory, self.reader);
        match memory.base(location, |key| reader.read(key)) {
            Ok(_) => Ok(()),
            Err(error) => Err(self.stop(StopReason::Storage(error))),
        }
    }

    /// What the location holds outside the unit. Read once: later reads see the same (field notes, bug 20).
    fn outside(&mut self, at: usize) -> Result<Option<V>, Stop> {
        if let Some((value, _)) = &self.overlay.at(at).outside {
            return Ok(value.clone());
        }
        let location = self.overlay.at(at).location;
        loop {
            match self.memory.read(location, self.unit) {
                Read::Value(value, origin) => {
                    self.overlay.at(at).outside = Some((value.clone(), origin));
                    return Ok(value);
                }
                Read::NeedsBase => self.load_base(location)?,
                Read::Estimate(on) => return Err(self.stop(StopReason::Estimate(on))),
                Read::OutOfBounds => return Err(self.stop(StopReason::Unresolvable)),
            }
        }
    }

    /// The value that the running transaction found, before its own changes.
    fn before_running(&mut self, at: usize) -> Result<Option<V>, Stop> {
        match self.overlay.at(at).unit.clone() {
            Some(Change::Set(value)) => Ok(value),
            Some(Change::Add(delta)) => {
                let outside = self.outside(at)?;
                let value = self.apply(outside.as_ref(), &delta)?;
                // From now on a value: whoever has read it depends on it anyway.
                self.overlay.at(at).unit = Some(Change::Set(value.clone()));
                Ok(value)
            }
            None => self.outside(at),
        }
    }

    /// Applies a delta that was accepted unseen. If it does not fit, sequential execution would have refused it
    /// earlier: only an execution on committed values shows what happens.
    fn apply(&mut self, base: Option<&V>, delta: &V::Delta) -> Result<Option<V>, Stop> {
        match V::apply(base, delta) {
            Ok(value) => Ok(Some(value)),
            Err(_) => Err(self.stop(StopReason::Unresolvable)),
        }
    }

    fn set(&mut self, key: &K, value: Option<V>) {
        let at = self.access(key);
        // Whether a write changes anything shows beside the base value. Fetched here it fails here, if it fails, as in
        // sequential execution, and not at the end of the block, where nobody knows who wrote.
        let location = self.overlay.at(at).location;
        if self.load_base(location).is_err() {
            return;
        }
        // A delta that is overwritten never reaches the commit, where it would be found not to fit.
        if self.settle_deltas(at).is_ok() {
            self.overlay.change(at, Change::Set(value));
        }
    }

    /// Makes values of the deltas which the unit has added to a location, and so makes sure that they fit.
    fn settle_deltas(&mut self, at: usize) -> Result<(), Stop> {
        if let Some(Change::Add(delta)) = self.overlay.at(at).running.clone() {
            let before = self.before_running(at)?;
            let value = self.apply(before.as_ref(), &delta)?;
            self.overlay.change(at, Change::Set(value));
        } else if let Some(Change::Add(_)) = &self.overlay.at(at).unit {
            self.before_running(at)?;
        }
        Ok(())
    }

    /// The running transaction was rejected: its deltas are dropped and never reach the commit, but it has been told
    /// that they fit, and may owe its outcome to that. On failure the view is stopped.
    pub(crate) fn settle_rejected(&mut self) {
        for at in 0..self.overlay.accesses().len() {
            if matches!(self.overlay.at(at).running, Some(Change::Add(_))) && self.settle_deltas(at).is_err() {
                return;
            }
        }
    }

    /// Counts a call and now and then looks whether the block is over or the unit has read something stale: a loop
    /// that only an inconsistent snapshot makes endless ends here (field notes, bugs 12 and 13).
    fn check(&mut self) -> Result<(), Stop> {
        self.calls += 1;
        if self.calls < self.next_check {
            return Ok(());
        }
        // Looking costs a visit of every read: rarer the more there are.
        self.next_check = self.calls + CALLS_BETWEEN_CHECKS.max(self.overlay.accesses().len() * 4);
        if self.scheduler.is_over() {
            return Err(self.stop(StopReason::Halted));
        }
        // Whether the block's gas reaches this far is known at the commit frontier only, to an execution there.
        if self.is_later_in_unit && !self.concrete && self.scheduler.is_at_frontier(self.unit) {
            return Err(self.stop(StopReason::Unresolvable));
        }
        let stale = self.overlay.accesses().iter().any(|access| {
            access.outside.as_ref().is_some_and(|(value, origin)| {
                !self.memory.still_reads(access.location, self.unit, *origin, Some(value))
            })
        });
        // Perhaps all workers loop because of what a lower unit wrote, and nobody is left to correct that unit.
        let others_wait = self.scheduler.call_for_help(self.unit) || self.takes_turns;
        let held_up = others_wait && self.calls > PATIENCE;
        if stale || held_up {
            return Err(self.stop(StopReason::Unresolvable));
        }
        // Deltas that were taken unseen may be what keeps the loop going: from now on they are values.
        for at in 0..self.overlay.accesses().len() {
            self.settle_deltas(at)?;
        }
        Ok(())
    }
}

impl<K: Key, V: Value, R: StateReader<K, V>> StateView<K, V> for MemoryView<'_, K, V, R> {
    fn read(&mut self, key: &K) -> Result<Option<V>, Stop> {
        self.check()?;
        let at = self.access(key);
        match self.overlay.at(at).running.clone() {
            Some(Change::Set(value)) => Ok(value),
            Some(Change::Add(_)) => {
                self.settle_deltas(at)?;
                match &self.overlay.at(at).running {
                    Some(Change::Set(value)) => Ok(value.clone()),
                    _ => unreachable!("the delta has just been made a value"),
                }
            }
            None => self.before_running(at),
        }
    }

    fn write(&mut self, key: K, value: V) {
        self.set(&key, Some(value));
    }

    fn delete(&mut self, key: K) {
        self.set(&key, None);
    }

    fn add(&mut self, key: K, delta: V::Delta) -> Result<(), AddError> {
        self.check()?;
        let at = self.access(&key);
        let access = self.overlay.at(at);
        if let Some(Change::Add(first)) = &access.running {
            if let Ok(both) = V::combine(first, &delta) {
                self.overlay.change(at, Change::Add(both));
                return Ok(());
            }
        } else if access.running.is_none()
            && !self.concrete
            && access.outside.is_none()
            && !matches!(access.unit, Some(Change::Set(_)))
        {
            // The base value is needed in commit order, where everybody would wait for storage: fetch it here.
            let location = access.location;
            self.load_base(location)?;
            self.overlay.change(at, Change::Add(delta));
            return Ok(());
        }
        // The value is known already, or has to be: the delta is applied to it, with the sequential result.
        let value = self.read(&key)?;
        let value = V::apply(value.as_ref(), &delta)?;
        self.overlay.change(at, Change::Set(Some(value)));
        Ok(())
    }

    fn checkpoint(&mut self) -> Checkpoint {
        Checkpoint::after(self.overlay.checkpoint())
    }

    fn rollback(&mut self, checkpoint: Checkpoint) -> Result<(), Stop> {
        // As for a rejected transaction: deltas that are dropped never reach the commit, but what follows may owe
        // itself to their having fitted.
        for at in self.overlay.changed_since(checkpoint.changes()) {
            let is_delta = matches!(self.overlay.at(at).running, Some(Change::Add(_)));
            if is_delta && !Canary::UnsettledRollback.sings() {
                self.settle_deltas(at)?;
            }
        }
        self.overlay.rollback(checkpoint.changes());
        Ok(())
    }

    fn poll(&mut self) -> Result<(), Stop> {
        self.check()
    }
}

/// Where a unit has read and what: kept until the unit is committed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReadRecord {
    pub(crate) location: LocationId,
    pub(crate) origin: Origin,
}
