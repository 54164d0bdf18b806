//! The view of a transaction that executes on the multi-version memory.

use weft_mvmemory::{Change, MvMemory, Origin, Read, Value};
use weft_scheduler::Scheduler;
use weft_storage::StateReader;

use crate::canary::Canary;
use crate::overlay::{Access, Outside, Overlay};
use crate::rare::{WrittenKinds, still_unwritten};
use crate::vm::{AddError, Checkpoint, RareKind, StateView, Stop, StopReason, Vm};

/// Calls on a view between two looks at whether the execution is still worth its while.
const CALLS_BETWEEN_CHECKS: usize = 256;

/// Calls on a view after which an execution gives up its worker if lower units wait for one.
const PATIENCE: usize = 1 << 16;

/// What the view of a unit works on.
pub(crate) struct MemoryView<'b, M: Vm, R> {
    pub(crate) vm: &'b M,
    pub(crate) memory: &'b MvMemory<M::Key, M::Value>,
    pub(crate) written_kinds: &'b WrittenKinds,
    pub(crate) reader: &'b R,
    pub(crate) scheduler: &'b Scheduler,
    pub(crate) overlay: &'b mut Overlay<M::Value>,
    pub(crate) unit: u32,
    /// The number of the unit in the memory, which counts on from one stretch of the block to the next.
    pub(crate) position: u32,
    /// Everything below is committed: deltas are applied to values at once, as in sequential execution.
    pub(crate) concrete: bool,
    /// Transactions of the unit have run before this one: they may have used up the block's gas.
    pub(crate) is_later_in_unit: bool,
    /// Nobody else goes on while this execution runs.
    pub(crate) takes_turns: bool,
    /// Set once; then the execution is void, whatever the virtual machine makes of it.
    pub(crate) stopped: Option<StopReason>,
    pub(crate) calls: CallCount,
}

/// How many calls a view has had, and when it looks next whether the execution is still worth its while.
pub(crate) struct CallCount {
    calls: usize,
    next_check: usize,
}

impl Default for CallCount {
    fn default() -> Self {
        Self { calls: 0, next_check: CALLS_BETWEEN_CHECKS }
    }
}

impl<M: Vm, R: StateReader<M::Key, M::Value>> MemoryView<'_, M, R> {
    fn stop(&mut self, reason: StopReason) -> Stop {
        self.stopped.get_or_insert(reason);
        Stop(())
    }

    /// The access to `key`. The key is hashed here and nowhere else.
    fn access(&mut self, key: &M::Key) -> usize {
        let hash = self.memory.hash(key);
        let memory = self.memory;
        let known = self.overlay.find(hash, |location| memory.key(location) == key);
        known.unwrap_or_else(|| {
            let location = memory.intern_hashed(hash, key, &mut self.overlay.reserve);
            self.overlay.insert(hash, location)
        })
    }

    /// The kind of `key`, if nobody has written keys of its kind so far, this unit included.
    fn unwritten_kind(&self, key: &M::Key) -> Option<RareKind> {
        self.vm.rare_kind(key).filter(|kind| !self.overlay.written_kinds.contains(*kind))
    }

    /// Reads a key of a kind that nobody has written, see [`crate::rare`].
    fn read_unwritten(&mut self, key: &M::Key, kind: RareKind) -> Result<Option<M::Value>, Stop> {
        self.overlay.read_rare(self.memory.hash(key), kind);
        self.reader.read(key).map_err(|error| self.stop(StopReason::Storage(error)))
    }

    /// The unit is about to change `key`: from now on it finds keys of this kind by their locations.
    fn note_write(&mut self, key: &M::Key) {
        if let Some(kind) = self.vm.rare_kind(key) {
            self.overlay.write_rare(kind);
        }
    }

    /// The base value of an access, loaded if nobody has needed it.
    fn base(&mut self, at: usize) -> Result<&Option<M::Value>, Stop> {
        let (memory, reader) = (self.memory, self.reader);
        let location = self.overlay.at(at).location;
        memory.base(location, |key| reader.read(key)).map_err(|error| self.stop(StopReason::Storage(error)))
    }

    /// What the location holds outside the unit. Read once: later reads see the same (field notes, bug 20).
    #[inline]
    fn outside(&mut self, at: usize) -> Result<Option<M::Value>, Stop> {
        let (memory, reader) = (self.memory, self.reader);
        let access = self.overlay.at(at);
        match &access.outside {
            None => {}
            Some(Outside::Base) => return self.base(at).cloned(),
            Some(Outside::Value(value, _)) => return Ok(value.clone()),
        }
        let reason = match memory.read_or_load(access.location, self.position, |key| reader.read(key)) {
            Ok(Read::Value(value, Origin::Base)) => {
                self.overlay.read_outside(at, Outside::Base);
                return Ok(value);
            }
            Ok(Read::Value(value, origin)) => {
                self.overlay.read_outside(at, Outside::Value(value.clone(), origin));
                return Ok(value);
            }
            Ok(Read::Estimate(on)) => StopReason::Estimate(on),
            Ok(Read::OutOfBounds) => StopReason::Unresolvable,
            Ok(Read::NeedsBase) => unreachable!("the base value has been loaded"),
            Err(error) => StopReason::Storage(error),
        };
        Err(self.stop(reason))
    }

    /// The value that the running transaction found, before its own changes.
    #[inline]
    fn before_running(&mut self, at: usize) -> Result<Option<M::Value>, Stop> {
        match &self.overlay.at(at).unit {
            None => self.outside(at),
            Some(Change::Set(value)) => Ok(value.clone()),
            Some(Change::Add(delta)) => {
                let delta = delta.clone();
                let outside = self.outside(at)?;
                let value = self.apply(outside.as_ref(), &delta)?;
                // From now on a value: whoever has read it depends on it anyway.
                self.overlay.settle_unit(at, value.clone());
                Ok(value)
            }
        }
    }

    /// Whether to read here would make the unit depend on what units below do: not where it has read or overwritten the value
    /// before, and not where everything below is committed.
    fn depends_on_others(&mut self, at: usize) -> bool {
        let Access { location, outside, unit, running, .. } = self.overlay.at(at);
        !self.concrete
            && outside.is_none()
            && !matches!(running.as_ref().or(unit.as_ref()), Some(Change::Set(_)))
            && self.memory.is_touched_below(*location, self.position)
    }

    /// Reads a location.
    #[inline]
    fn read_access(&mut self, at: usize) -> Result<Option<M::Value>, Stop> {
        match &self.overlay.at(at).running {
            Some(Change::Set(value)) => Ok(value.clone()),
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

    /// Applies a delta that was accepted unseen. If it does not fit, sequential execution would have refused it
    /// earlier: only an execution on committed values shows what happens.
    fn apply(&mut self, base: Option<&M::Value>, delta: &<M::Value as Value>::Delta) -> Result<Option<M::Value>, Stop> {
        match M::Value::apply(base, delta) {
            Ok(value) => Ok(Some(value)),
            Err(_) => Err(self.stop(StopReason::Unresolvable)),
        }
    }

    fn set(&mut self, key: &M::Key, value: Option<M::Value>) {
        self.note_write(key);
        let at = self.access(key);
        // Whether a write changes anything shows beside the base value. Fetched here it fails here, if it fails, as in
        // sequential execution, and not at the end of the block, where nobody knows who wrote.
        if !matches!(self.overlay.at(at).outside, Some(Outside::Base)) && self.base(at).is_err() {
            return;
        }
        // A delta that is overwritten never reaches the commit, where it would be found not to fit.
        if self.settle_deltas(at).is_ok() {
            self.overlay.change(at, Change::Set(value));
        }
    }

    /// Makes values of the deltas which the unit has added to a location, and so makes sure that they fit.
    fn settle_deltas(&mut self, at: usize) -> Result<(), Stop> {
        let access = self.overlay.at(at);
        if let Some(Change::Add(delta)) = &access.running {
            let delta = delta.clone();
            let before = self.before_running(at)?;
            let value = self.apply(before.as_ref(), &delta)?;
            self.overlay.change(at, Change::Set(value));
        } else if let Some(Change::Add(_)) = &access.unit {
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
        self.calls.calls += 1;
        if self.calls.calls < self.calls.next_check {
            return Ok(());
        }
        self.look_around()
    }

    #[cold]
    fn look_around(&mut self) -> Result<(), Stop> {
        // Looking costs a visit of every read: rarer the more there are.
        self.calls.next_check = self.calls.calls + CALLS_BETWEEN_CHECKS.max(self.overlay.accesses().len() * 4);
        if self.scheduler.is_over() {
            return Err(self.stop(StopReason::Halted));
        }
        // Whether the block's gas reaches this far is known at the commit frontier only, to an execution there.
        if self.is_later_in_unit && !self.concrete && self.scheduler.is_at_frontier(self.unit) {
            return Err(self.stop(StopReason::Unresolvable));
        }
        let stale =
            self.overlay.accesses().iter().any(|access| {
                access.outside.as_ref().is_some_and(|outside| {
                    let (origin, value) = outside.origin();
                    !self.memory.still_reads(access.location, self.position, origin, value)
                })
            }) || !still_unwritten(self.overlay.rare_reads(), self.written_kinds.now(), self.memory, self.position);
        // Perhaps all workers loop because of what a lower unit wrote, and nobody is left to correct that unit.
        let others_wait = self.scheduler.call_for_help(self.unit) || self.takes_turns;
        let held_up = others_wait && self.calls.calls > PATIENCE;
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

impl<M: Vm, R: StateReader<M::Key, M::Value>> StateView<M::Key, M::Value> for MemoryView<'_, M, R> {
    fn read(&mut self, key: &M::Key) -> Result<Option<M::Value>, Stop> {
        self.check()?;
        if let Some(kind) = self.unwritten_kind(key) {
            return self.read_unwritten(key, kind);
        }
        let at = self.access(key);
        self.read_access(at)
    }

    fn read_unless_contended(&mut self, key: &M::Key) -> Result<Option<Option<M::Value>>, Stop> {
        self.check()?;
        if let Some(kind) = self.unwritten_kind(key) {
            return self.read_unwritten(key, kind).map(Some);
        }
        let at = self.access(key);
        if self.depends_on_others(at) { Ok(None) } else { self.read_access(at).map(Some) }
    }

    fn write(&mut self, key: M::Key, value: M::Value) {
        self.set(&key, Some(value));
    }

    fn delete(&mut self, key: M::Key) {
        self.set(&key, None);
    }

    fn add(&mut self, key: M::Key, delta: <M::Value as Value>::Delta) -> Result<(), AddError> {
        self.check()?;
        self.note_write(&key);
        let at = self.access(&key);
        let access = self.overlay.at(at);
        if let Some(Change::Add(first)) = &access.running {
            if let Ok(both) = M::Value::combine(first, &delta) {
                self.overlay.change(at, Change::Add(both));
                return Ok(());
            }
        } else if access.running.is_none()
            && !self.concrete
            && access.outside.is_none()
            && !matches!(access.unit, Some(Change::Set(_)))
        {
            // The base value is needed in commit order, where everybody would wait for storage: fetch it here.
            self.base(at)?;
            self.overlay.change(at, Change::Add(delta));
            return Ok(());
        }
        // The value is known already, or has to be: the delta is applied to it, with the sequential result.
        let value = self.read(&key)?;
        let value = M::Value::apply(value.as_ref(), &delta)?;
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
