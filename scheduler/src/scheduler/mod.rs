//! Which unit a worker executes or validates next, and which units are committed.
//!
//! How the parts fit together:
//!
//! - **First executions** are claimed in order by a counter. A second counter, the *executed prefix*, follows: below it
//!   every unit has executed at least once. **First validations** are claimed in order below the executed prefix; a
//!   unit that executes for the first time therefore never has to send anybody back to validation, and without
//!   conflicts every unit is validated exactly once.
//! - A few units may have a *head start*: they are begun before all others. For the prefix, validation and the frontier
//!   they are units like any other.
//! - With conflicts, first executions are claimed only within a *window* over the commit frontier, which follows how much
//!   is executed in vain. The unit at the frontier is always within; who finds all others beyond it sleeps.
//! - **Re-executions and repeated validations** wait in two sets from which the lowest is taken first.
//! - A **rewind** follows a re-execution that changed something: every unit above it that has been validated, or is
//!   being validated, goes back to validation. It is complete before the re-executed unit counts as executed, so the
//!   commit frontier, which needs that unit first, cannot overtake it.
//! - The **commit frontier** moves over validated units, one worker at a time. When it has reached the end the block
//!   is done; nothing else ends it (besides [`Scheduler::halt`]).

mod claim;
mod execution;
mod frontier;
mod task;
mod validation;
mod waiting;

use crossbeam_utils::CachePadded;

pub use self::task::{Abort, Execution, HandOff, Task, Validation};
#[cfg(not(loom))]
use crate::ahead::Ahead;
use crate::canary::Canary;
use crate::dependents::Dependents;
use crate::head_start::HeadStart;
use crate::idle::Idle;
use crate::status::{Phase, Status};
use crate::sync::{AtomicBool, AtomicU32, Ordering};
use crate::unit_set::UnitSet;
use crate::window::Window;

/// Everything about one unit. Neighbouring units are claimed by different workers at about the same time, so the
/// words of a unit share no cache line with those of the next.
#[derive(Debug)]
#[repr(align(64))]
struct Unit {
    status: Status,
    dependents: Dependents,
}

impl AsRef<Dependents> for Unit {
    fn as_ref(&self) -> &Dependents {
        &self.dependents
    }
}

/// Repeated validations that make it worth waking another worker.
const WORTH_A_WAKE: u32 = 8;

/// Schedules the units of one block. See the crate's documentation for an example.
#[derive(Debug)]
pub struct Scheduler {
    units: Vec<Unit>,
    len: u32,
    /// The next unit that has never been claimed for execution in its turn.
    fresh: CachePadded<AtomicU32>,
    /// Below it every unit has executed at least once. Only grows.
    executed: CachePadded<AtomicU32>,
    /// The next unit that has never been claimed for validation. Only grows; never above `executed`.
    unvalidated: CachePadded<AtomicU32>,
    /// Below it every unit is committed. Only grows; written by the holder of `committing`.
    committed: CachePadded<AtomicU32>,
    committing: CachePadded<AtomicBool>,
    /// Units to execute again.
    ready: UnitSet,
    /// Units to validate again.
    rewound: UnitSet,
    /// Which units may be claimed for their first execution.
    window: Window,
    /// Which units are claimed before it is their turn.
    head_start: HeadStart,
    idle: Idle,
    #[cfg(not(loom))]
    ahead: Ahead,
    /// Set once: the block is done or was halted.
    over: AtomicBool,
}

impl Scheduler {
    /// A scheduler for `units` units.
    #[must_use]
    pub fn new(units: u32) -> Self {
        Self {
            units: (0..units).map(|_| Unit { status: Status::new(), dependents: Dependents::new() }).collect(),
            len: units,
            fresh: CachePadded::new(AtomicU32::new(0)),
            executed: CachePadded::new(AtomicU32::new(0)),
            unvalidated: CachePadded::new(AtomicU32::new(0)),
            committed: CachePadded::new(AtomicU32::new(0)),
            committing: CachePadded::new(AtomicBool::new(false)),
            ready: UnitSet::with_limit(units),
            rewound: UnitSet::with_limit(units),
            window: Window::new(0),
            head_start: HeadStart::new(Vec::new()),
            idle: Idle::new(),
            #[cfg(not(loom))]
            ahead: Ahead::new(),
            over: AtomicBool::new(units == 0),
        }
    }

    /// Makes the scheduler ready for a block of `units` units. The memory of the last block is used again; what that
    /// costs depends on how many of its units were begun.
    pub fn reset(&mut self, units: u32) {
        // Units that were never begun are as they were made: nobody waits for them or has anything to say about them.
        for unit in self.touched() {
            let unit = &mut self.units[unit as usize];
            unit.status.reset();
            unit.dependents.reset();
        }
        if self.units.len() < units as usize {
            self.units.resize_with(units as usize, || Unit { status: Status::new(), dependents: Dependents::new() });
        }
        let reused = std::mem::take(&mut self.units);
        *self = Self { units: reused, len: units, ..Self::new(0) };
        self.ready = UnitSet::with_limit(units);
        self.rewound = UnitSet::with_limit(units);
        self.over = AtomicBool::new(units == 0);
    }

    /// From now on units are begun only so far beyond the commit frontier as is of use to so many workers. To be called
    /// before a block, after [`reset`](Self::reset), with at least one worker; else units are begun as far ahead as
    /// anybody asks for them.
    pub fn limit_run_ahead(&mut self, workers: usize) {
        self.window = Window::new(workers);
    }

    /// These units, each named once, are begun before all others, in this order. It pays for units that take a large part
    /// of the block's time and read nothing that those below them change. To be called before a block, after
    /// [`reset`](Self::reset).
    ///
    /// # Panics
    /// Where the block has no such unit.
    pub fn give_head_start(&mut self, units: Vec<u32>) {
        assert!(units.iter().all(|unit| *unit < self.len), "no unit of the block");
        self.head_start = HeadStart::new(units);
    }

    #[cfg(test)]
    pub(crate) fn set_window(&mut self, window: Window) {
        self.window = window;
    }

    /// Number of units of the block.
    #[must_use]
    pub fn units(&self) -> u32 {
        self.len
    }

    /// Whether the block is done or was halted: workers leave.
    pub fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    /// Ends the block early: workers leave as soon as they ask for more.
    pub fn halt(&self) {
        self.over.store(true, Ordering::Release);
        self.idle.wake_all();
        #[cfg(not(loom))]
        self.ahead.wake_all();
    }

    /// Number of units that have been handed out for execution in their turn: of those that come next only some with a
    /// head start have been begun.
    pub fn begun(&self) -> u32 {
        self.fresh.load(Ordering::Relaxed).min(self.len)
    }

    /// All units that have been handed out for execution at least once, each of them once. To be asked when the block is
    /// over.
    pub fn touched(&self) -> impl Iterator<Item = u32> + use<> {
        let begun = self.begun();
        let taken = if Canary::ForgetHeadStart.sings() { &[] } else { self.head_start.taken() };
        let ahead: Vec<u32> = taken.iter().copied().filter(|unit| *unit >= begun).collect();
        (0..begun).chain(ahead)
    }

    /// Number of units up to the highest one that has been handed out for execution.
    pub fn reach(&self) -> u32 {
        self.head_start.taken().iter().fold(self.begun(), |reach, unit| reach.max(unit + 1))
    }

    /// Whether a unit that had a head start is being executed at this moment.
    pub fn is_executing_ahead(&self) -> bool {
        let is_executing = |unit: &u32| self.units[*unit as usize].status.load().phase() == Phase::Executing;
        self.head_start.taken().iter().any(is_executing)
    }
}
