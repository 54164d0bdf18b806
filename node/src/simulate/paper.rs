//! The transfers that the Block-STM paper measures, and what it measured (arXiv 2203.06871, section 5: up to 32 threads
//! of a c5a.16xlarge, blocks of 10,000).

use std::time::{Duration, Instant};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha12Rng;
use weft_engine::{NoDelta, OutOfBounds, Outcome, StateView, Stop, Touch, Value, Vm};
use weft_storage::{StateReader, StorageError};

/// Thousands of transactions a second that the paper gives for sequential execution.
pub const SEQUENTIAL_KTPS: f64 = 10.4;

/// The paper's numbers of threads.
pub const THREADS: [usize; 4] = [4, 8, 16, 32];

/// Thousands of transactions a second at these numbers of threads, by the number of accounts.
pub const KTPS: [(usize, [f64; 4]); 5] = [
    (2, [8.6, 7.9, 7.4, 7.0]),
    (10, [17.7, 15.7, 15.0, 14.5]),
    (100, [33.7, 53.7, 75.2, 82.8]),
    (1000, [35.8, 64.1, 108.2, 160.0]),
    (10_000, [36.6, 65.3, 111.2, 166.4]),
];

/// How long a transfer takes there, executed sequentially.
#[must_use]
pub fn transfer_time() -> Duration {
    Duration::from_secs_f64(1e-3 / SEQUENTIAL_KTPS)
}

/// What was published for so many accounts and threads: times as fast as sequential.
#[must_use]
pub fn published_speed_up(accounts: usize, threads: usize) -> Option<f64> {
    let (_, ktps) = KTPS.iter().find(|row| row.0 == accounts)?;
    let at = THREADS.iter().position(|known| *known == threads)?;
    Some(ktps[at] / SEQUENTIAL_KTPS)
}

/// What a transfer touches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resource {
    /// Configuration of the chain: read by everybody, written by nobody.
    Configuration(u8),
    /// An account's sequence number.
    Sequence(u32),
    /// An account's balance.
    Balance(u32),
    /// An account's event counter.
    Events(u32),
}

/// A resource's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Number(pub u64);

impl Value for Number {
    type Delta = NoDelta;

    fn apply(_: Option<&Self>, delta: &NoDelta) -> Result<Self, OutOfBounds> {
        match *delta {}
    }

    fn combine(first: &NoDelta, _: &NoDelta) -> Result<NoDelta, OutOfBounds> {
        match *first {}
    }
}

/// A transfer between two accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transfer {
    from: u32,
    to: u32,
    amount: u64,
}

/// Executes transfers with the reads and writes of the paper's Aptos transfers: 8 reads, 5 of them of what is then
/// written, by both accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PaperVm {
    /// Whether a transfer announces what it will write. The paper's do not.
    pub announces: bool,
    /// How long a transfer keeps its core busy, after its reads. Nothing where time is virtual.
    pub takes: Duration,
}

const CONFIGURATIONS: [Resource; 3] =
    [Resource::Configuration(0), Resource::Configuration(1), Resource::Configuration(2)];

impl Transfer {
    fn written(self) -> [Resource; 5] {
        let Self { from, to, .. } = self;
        [
            Resource::Sequence(from),
            Resource::Balance(from),
            Resource::Events(from),
            Resource::Balance(to),
            Resource::Events(to),
        ]
    }
}

impl Vm for PaperVm {
    type Transaction = Transfer;
    type Key = Resource;
    type Value = Number;
    /// The sender's sequence number and balance, and the receiver's balance.
    type Output = [u64; 3];

    fn execute<S: StateView<Resource, Number>>(
        &self,
        transfer: &Transfer,
        state: &mut S,
    ) -> Result<Outcome<[u64; 3]>, Stop> {
        let begun = Instant::now();
        for configuration in CONFIGURATIONS {
            state.read(&configuration)?;
        }
        let resources = transfer.written();
        let mut numbers = [0; 5];
        for (number, resource) in numbers.iter_mut().zip(&resources) {
            *number = state.read(resource)?.map_or(0, |number| number.0);
        }
        while begun.elapsed() < self.takes {
            std::hint::spin_loop();
        }
        let [sequence, from, from_events, to, to_events] = numbers;
        let moved = transfer.amount.min(from);
        let after = [sequence + 1, from - moved, from_events + 1, to + moved, to_events + 1];
        for (resource, number) in resources.into_iter().zip(after) {
            state.write(resource, Number(number));
        }
        Ok(Outcome::applied([after[0], after[1], after[3]], 0))
    }

    fn footprint(&self, transfer: &Transfer, declare: &mut dyn FnMut(Resource, Touch)) {
        if self.announces {
            transfer.written().into_iter().for_each(|resource| declare(resource, Touch::Write));
        }
    }
}

/// Every account has a balance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PaperState;

impl StateReader<Resource, Number> for PaperState {
    fn read(&self, resource: &Resource) -> Result<Option<Number>, StorageError> {
        Ok(Some(match resource {
            Resource::Balance(_) => Number(1_000_000_000),
            Resource::Configuration(_) | Resource::Sequence(_) | Resource::Events(_) => Number(0),
        }))
    }
}

/// A block of transfers between accounts drawn at random, at least two.
#[must_use]
pub fn block(accounts: usize, transactions: usize, seed: u64) -> Vec<Transfer> {
    let accounts = u32::try_from(accounts).unwrap_or(u32::MAX).max(2);
    let mut random = ChaCha12Rng::seed_from_u64(seed);
    let transfer = |_| {
        let from = random.random_range(0..accounts);
        let to = (from + random.random_range(1..accounts)) % accounts;
        Transfer { from, to, amount: random.random_range(1..1000) }
    };
    (0..transactions).map(transfer).collect()
}
