//! Cache lines in virtual time: who has touched what last, and when it can be had.

use ahash::RandomState;
use hashbrown::HashMap;
use weft_mvmemory::LocationId;

/// What workers pass to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Line {
    /// A location that some unit has announced, written or read: its versions stand behind a lock.
    Location(LocationId),
    /// Status and record of a unit.
    Unit(u32),
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

/// All lines of a block.
#[derive(Debug)]
pub(super) struct Lines {
    states: HashMap<Line, State, RandomState>,
    transfer: u64,
}

impl Lines {
    pub(super) fn new(transfer: u64) -> Self {
        Self { states: HashMap::default(), transfer }
    }

    /// A worker that touches a line at `now` has it at the returned time.
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_moves_for_one_worker_at_a_time() {
        let mut lines = Lines::new(100);
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
        let mut lines = Lines::new(100);
        assert_eq!([lines.look(location, 0, 5), lines.look(location, 1, 5)], [5, 5]);
        lines.touch(Line::Location(location), 0, 5);
        assert_eq!([lines.look(location, 0, 6), lines.look(location, 1, 6)], [6, 106]);
    }
}
