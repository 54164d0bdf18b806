//! Cache lines in virtual time: who has written what last, who has looked at it since, and when it can be had.

use ahash::RandomState;
use hashbrown::HashMap;
use weft_mvmemory::LocationId;

/// What workers pass to each other and write whenever they have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Line {
    /// A location that some unit has announced, written or read: its versions stand behind a lock.
    Location(LocationId),
    /// The counter of fresh units.
    Fresh,
    /// The executed prefix, and the counter of first validations behind it.
    Executed,
    /// The sets of units to execute or to validate again.
    Again,
    /// The commit frontier, and whoever holds it.
    Frontier,
}

#[derive(Debug, Clone, Copy)]
struct State {
    owner: usize,
    /// When it has arrived there.
    arrived: u64,
}

/// Status and record of a unit: written by some, looked at by others.
#[derive(Debug, Clone, Copy, Default)]
struct Unit {
    owner: Option<usize>,
    arrived: u64,
    /// Counts the changes of owner.
    version: u32,
}

/// All lines of a block.
#[derive(Debug)]
pub(super) struct Lines {
    states: HashMap<Line, State, RandomState>,
    units: Vec<Unit>,
    /// The version of each unit that each worker has looked at last.
    seen: Vec<Vec<u32>>,
    transfer: u64,
}

/// A worker that looks at one line after another has several on their way at a time.
const OVERLAPPING: u64 = 4;

impl Lines {
    pub(super) fn new(transfer: u64, units: usize, workers: usize) -> Self {
        let seen = (0..workers).map(|_| vec![0; units]).collect();
        Self { states: HashMap::default(), units: vec![Unit::default(); units], seen, transfer }
    }

    /// A worker that writes a line at `now` has it at the returned time. To be asked in the order of time, as far as that
    /// matters: who asks for a time to come keeps the line from everybody until then.
    pub(super) fn touch(&mut self, line: Line, worker: usize, now: u64) -> u64 {
        let state = self.states.entry(line).or_insert(State { owner: worker, arrived: now });
        if state.owner != worker {
            *state = State { owner: worker, arrived: now.max(state.arrived) + self.transfer };
        }
        // Its own: it may still be on its way here, for something else of this worker that took no time of its own.
        state.arrived.max(now)
    }

    /// As [`touch`](Self::touch), for a location that is only read: one that nobody has written stays in all caches.
    pub(super) fn look(&mut self, location: LocationId, worker: usize, now: u64) -> u64 {
        let line = Line::Location(location);
        if self.states.contains_key(&line) { self.touch(line, worker, now) } else { now }
    }

    /// As [`touch`](Self::touch), for a unit.
    pub(super) fn touch_unit(&mut self, unit: u32, worker: usize, now: u64) -> u64 {
        let line = &mut self.units[unit as usize];
        if line.owner != Some(worker) {
            let first = line.owner.is_none();
            line.arrived = if first { now } else { now.max(line.arrived) + self.transfer };
            line.owner = Some(worker);
            line.version += 1;
            self.seen[worker][unit as usize] = line.version;
        }
        line.arrived.max(now)
    }

    /// A worker that looks at the statuses of many units in a row has that of `unit` at the returned time. One that has
    /// not changed hands since it last looked is in its cache.
    pub(super) fn pass_by_unit(&mut self, unit: u32, worker: usize, now: u64) -> u64 {
        let version = self.units[unit as usize].version;
        let seen = &mut self.seen[worker][unit as usize];
        let known = *seen == version;
        *seen = version;
        if known { now } else { now + self.transfer / OVERLAPPING }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_moves_for_one_worker_at_a_time() {
        let mut lines = Lines::new(100, 0, 3);
        assert_eq!(lines.touch(Line::Fresh, 0, 10), 10, "nobody has had it");
        assert_eq!(lines.touch(Line::Fresh, 0, 20), 20, "it is there");
        assert_eq!(lines.touch(Line::Fresh, 1, 30), 130);
        assert_eq!(lines.touch(Line::Fresh, 2, 40), 230, "it is on its way to worker 1");
        assert_eq!(lines.touch(Line::Frontier, 2, 40), 40, "another line");
    }

    #[test]
    fn what_nobody_has_written_is_in_all_caches() {
        let memory = weft_mvmemory::MvMemory::<u8, crate::simulation::tests::Number>::new();
        let location = memory.intern(&1);
        let mut lines = Lines::new(100, 0, 2);
        assert_eq!([lines.look(location, 0, 5), lines.look(location, 1, 5)], [5, 5]);
        lines.touch(Line::Location(location), 0, 5);
        assert_eq!([lines.look(location, 0, 6), lines.look(location, 1, 6)], [6, 106]);
    }

    #[test]
    fn what_was_looked_at_stays_until_another_worker_writes_it() {
        let mut lines = Lines::new(100, 2, 3);
        assert_eq!(lines.touch_unit(1, 0, 10), 10);
        assert_eq!([lines.pass_by_unit(1, 1, 10), lines.pass_by_unit(1, 1, 40)], [35, 40]);
        assert_eq!(lines.pass_by_unit(0, 1, 40), 40, "nobody has had it");
        assert_eq!([lines.touch_unit(1, 2, 50), lines.touch_unit(1, 2, 200)], [150, 200]);
        assert_eq!([lines.pass_by_unit(1, 1, 200), lines.pass_by_unit(1, 2, 200)], [225, 200]);
    }
}
