//! What everything costs in virtual time, and what varies from run to run.

use std::time::Duration;

/// What the bookkeeping costs, in virtual time; the transactions' own time is given with the block.
///
/// The defaults are calibrated on a virtual machine with two cores (EPYC, Zen 5): with them the simulation of one and
/// two workers is compared with the engine's by `weft simulate --validate`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Costs {
    /// A scheduling step: asking for a task, finishing an execution, settling a validation.
    pub step: Duration,
    /// What executing a unit costs beside its transactions: its record, its overlay.
    pub unit: Duration,
    /// Reading a location from the multi-version memory instead of a plain cache, and recording it.
    pub read: Duration,
    /// Naming a location that nobody has named before in the block: its key is kept, its base value fetched.
    pub locate: Duration,
    /// Announcing, publishing or removing a version, and turning it into an estimate.
    pub write: Duration,
    /// Resolving one read again.
    pub validate: Duration,
    /// Committing a unit; one worker at a time.
    pub commit: Duration,
    /// Turning a delta into a value, within the commit.
    pub delta: Duration,
    /// Looking at one unit in a rewind, beside its cache line.
    pub scan: Duration,
    /// Moving a cache line that another worker has touched last. A line moves for one worker at a time.
    pub transfer: Duration,
    /// How long a worker looks around for work before it sleeps.
    pub look_around: Duration,
    /// From a wake-up to the moment when the sleeper works. Several who are woken at once come one after another,
    /// because they need the same lock.
    pub wake: Duration,
    /// CPU time of a wake-up: for who wakes, and again for who is woken.
    pub wake_call: Duration,
    /// Making the scheduler and the records ready, for each unit; before the block begins, on one worker.
    pub set_up: Duration,
    /// Collecting a location's final value after the last commit; all workers share in it.
    pub collect: Duration,
    /// Cores share memory, caches and power: by so many thousandths an execution is longer for every other worker that
    /// executes when it begins.
    pub crowding_per_mille: u32,
}

impl Default for Costs {
    fn default() -> Self {
        let nanoseconds = Duration::from_nanos;
        Self {
            step: nanoseconds(15),
            unit: nanoseconds(80),
            read: nanoseconds(60),
            locate: nanoseconds(200),
            write: nanoseconds(30),
            validate: nanoseconds(10),
            commit: nanoseconds(30),
            delta: nanoseconds(30),
            scan: nanoseconds(1),
            transfer: nanoseconds(100),
            look_around: nanoseconds(1_500),
            wake: nanoseconds(20_000),
            wake_call: nanoseconds(2_000),
            set_up: nanoseconds(10),
            collect: nanoseconds(40),
            crowding_per_mille: 0,
        }
    }
}

impl Costs {
    /// Nothing costs anything: what is left is what the order of the scheduler's decisions costs.
    #[must_use]
    pub const fn free() -> Self {
        let nothing = Duration::ZERO;
        Self {
            step: nothing,
            unit: nothing,
            read: nothing,
            locate: nothing,
            write: nothing,
            validate: nothing,
            commit: nothing,
            delta: nothing,
            scan: nothing,
            transfer: nothing,
            look_around: nothing,
            wake: nothing,
            wake_call: nothing,
            set_up: nothing,
            collect: nothing,
            crowding_per_mille: 0,
        }
    }
}

/// In which order things happen where costs leave it open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schedule {
    /// Every duration is what it costs; what happens at the same time happens in the order of the workers.
    Steady {
        /// When, in percent of its time, an execution reads. All its reads happen at that moment.
        read_percent: u32,
    },
    /// Everything that costs do not forbid: durations vary at random, executions read at random moments, what happens at
    /// the same time happens in random order. For tests: every seed is another schedule, and the same seed the same.
    Shaken {
        /// Chooses the schedule.
        seed: u64,
    },
}

impl Default for Schedule {
    /// Steady; executions read when they begin, so that none can overlap with what it depends on.
    fn default() -> Self {
        Self::Steady { read_percent: 0 }
    }
}

/// Turns durations into those of a schedule.
#[derive(Debug)]
pub(super) struct Chance {
    schedule: Schedule,
    state: u64,
}

impl Chance {
    pub(super) fn new(schedule: Schedule) -> Self {
        let state = match schedule {
            Schedule::Steady { .. } => 0,
            Schedule::Shaken { seed } => seed,
        };
        Self { schedule, state }
    }

    /// SplitMix64.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut random = self.state;
        random = (random ^ random >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        random = (random ^ random >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        random ^ random >> 31
    }

    const fn is_steady(&self) -> bool {
        matches!(self.schedule, Schedule::Steady { .. })
    }

    /// How long something takes that should take so many nanoseconds.
    pub(super) fn vary(&mut self, nanoseconds: u64) -> u64 {
        if self.is_steady() {
            return nanoseconds;
        }
        // From nothing to a bit less than four times, the shorter the likelier.
        let (a, b) = (self.next() % 2048, self.next() % 2048);
        // Nothing is shorter than the clock's tick, so that free steps get another order too.
        nanoseconds.saturating_mul(a * b) / (1024 * 1024) + self.next() % 3
    }

    /// How much of an execution's time passes before it reads.
    pub(super) fn until_read(&mut self, nanoseconds: u64) -> u64 {
        let percent = match self.schedule {
            Schedule::Steady { read_percent } => u64::from(read_percent.min(100)),
            Schedule::Shaken { .. } => self.next() % 101,
        };
        // In this order, so that no product leaves its range.
        nanoseconds / 100 * percent + nanoseconds % 100 * percent / 100
    }

    /// Which of `count` things comes first where none has to.
    pub(super) fn first_of(&mut self, count: usize) -> usize {
        if self.is_steady() { 0 } else { (self.next() % count.max(1) as u64) as usize }
    }

    /// The rank of something among all that happens at the same time.
    pub(super) fn rank(&mut self, worker: usize) -> u64 {
        if self.is_steady() { worker as u64 } else { self.next() }
    }
}
