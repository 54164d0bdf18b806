//! What one unit reads and writes while it executes: a list of accesses that belongs to the worker.
//!
//! A unit is a run of consecutive transactions. The overlay keeps, for every location that the unit has touched, what
//! was read from outside (once: later reads see the same snapshot), what the unit's finished transactions have made of
//! it, and what the running transaction does. A rejected transaction is undone here and nothing of it is ever shared.

use hashbrown::HashTable;
use weft_mvmemory::{Change, LocationId, Origin, OutOfBounds, Reserve, Value};

use crate::canary::Canary;
use crate::rare::{Kinds, RareRead};
use crate::vm::RareKind;

/// From this number of accesses on they are found through an index: comparing a few hashes in a row is cheaper.
const INDEXED_FROM: usize = 16;

/// The checkpoint of a transaction that has changed nothing so far.
const BEFORE_ALL: usize = usize::MAX;

/// What a unit has read from outside.
#[derive(Debug)]
pub(crate) enum Outside<V> {
    /// The base value. It stays at its location as long as the block runs, so there is no need for a copy.
    Base,
    /// What the units below had made of it when it was read.
    Value(Option<V>, Origin),
}

impl<V> Outside<V> {
    /// Where it came from, and the value where that has been computed.
    pub(crate) fn origin(&self) -> (Origin, Option<&Option<V>>) {
        match self {
            Self::Base => (Origin::Base, None),
            Self::Value(value, origin) => (*origin, Some(value)),
        }
    }
}

/// A transaction of a unit, by its place in it. The last number stands for all from there on: what is said of one of
/// them is said of no earlier one.
pub(crate) type Place = u16;

/// One location that the unit has touched.
#[derive(Debug)]
pub(crate) struct Access<V: Value> {
    pub(crate) location: LocationId,
    /// Which of the unit's transactions has read from outside; meaningless before one has.
    pub(crate) read_by: Place,
    /// The first of the unit's finished transactions that has changed the location; meaningless before one has.
    pub(crate) changed_by: Place,
    /// What was read from outside the unit.
    pub(crate) outside: Option<Outside<V>>,
    /// What the unit's finished transactions have done.
    pub(crate) unit: Option<Change<V>>,
    /// What the running transaction has done.
    pub(crate) running: Option<Change<V>>,
}

/// What finished transactions of the unit had made of a location before a later one changed it again.
#[derive(Debug)]
pub(crate) struct Overwritten<V: Value> {
    pub(crate) location: LocationId,
    /// Who changed it again.
    pub(crate) by: Place,
    pub(crate) change: Change<V>,
}

/// The accesses of one unit.
#[derive(Debug)]
pub(crate) struct Overlay<V: Value> {
    accesses: Vec<Access<V>>,
    /// The hashes of their keys, apart: they are compared one after another. Equal keys have equal hashes, and different
    /// keys different locations.
    hashes: Vec<u64>,
    index: HashTable<u32>,
    /// Accesses that the running transaction has changed.
    touched: Vec<u32>,
    /// What the running transaction's changes since its first checkpoint behind a change have replaced, in order; unused before
    /// that.
    replaced: Vec<(u32, Option<Change<V>>)>,
    has_checkpoint: bool,
    /// The place of the running transaction.
    place: Place,
    /// What finished transactions have overwritten of each other, in order: with it the unit can go back to where one of
    /// them began.
    pub(crate) overwritten: Vec<Overwritten<V>>,
    /// The kinds of rarely written keys that are not read straight from storage.
    pub(crate) written_kinds: Kinds,
    /// Of them, those of which the unit has changed a key itself.
    changed_kinds: Kinds,
    rare_reads: Vec<RareRead>,
    /// For keys that nobody has named before in this block.
    pub(crate) reserve: Reserve,
}

impl<V: Value> Overlay<V> {
    pub(crate) fn new() -> Self {
        Self {
            accesses: Vec::new(),
            hashes: Vec::new(),
            index: HashTable::new(),
            touched: Vec::new(),
            replaced: Vec::new(),
            has_checkpoint: false,
            place: 0,
            overwritten: Vec::new(),
            written_kinds: Kinds::default(),
            changed_kinds: Kinds::default(),
            rare_reads: Vec::new(),
            reserve: Reserve::default(),
        }
    }

    /// Forgets everything, for the next block.
    pub(crate) fn begin_block(&mut self) {
        self.clear();
        self.reserve = Reserve::default();
    }

    /// Forgets everything, for the next unit. The memory stays.
    pub(crate) fn clear(&mut self) {
        self.accesses.clear();
        self.hashes.clear();
        self.index.clear();
        self.touched.clear();
        self.rare_reads.clear();
        self.changed_kinds = Kinds::default();
        self.overwritten.clear();
        self.forget_checkpoints();
    }

    /// The unit's transaction at `place` begins.
    pub(crate) fn begin_transaction(&mut self, place: usize) {
        self.place = Place::try_from(place).unwrap_or(Place::MAX);
    }

    /// A rarely written key was read without a location.
    pub(crate) fn read_rare(&mut self, hash: u64, kind: RareKind) {
        // The same contract is called again and again; a long list is not worth searching.
        let mut last = self.rare_reads.iter().rev().take(INDEXED_FROM);
        if !last.any(|known| known.hash == hash && known.kind == kind) {
            self.rare_reads.push(RareRead { hash, kind, by: self.place });
        }
    }

    /// A rarely written key was read without a location by a transaction that does not run again.
    pub(crate) fn restore_rare(&mut self, read: RareRead) {
        self.rare_reads.push(read);
    }

    pub(crate) fn rare_reads(&self) -> &[RareRead] {
        &self.rare_reads
    }

    /// The unit changes a rarely written key.
    pub(crate) fn write_rare(&mut self, kind: RareKind) {
        self.written_kinds.insert(kind);
        self.changed_kinds.insert(kind);
    }

    /// The kinds of rarely written keys that the unit has changed.
    pub(crate) fn changed_kinds(&self) -> Kinds {
        self.changed_kinds
    }

    pub(crate) fn accesses(&self) -> &[Access<V>] {
        &self.accesses
    }

    pub(crate) fn accesses_mut(&mut self) -> &mut [Access<V>] {
        &mut self.accesses
    }

    pub(crate) fn at(&mut self, at: usize) -> &mut Access<V> {
        &mut self.accesses[at]
    }

    /// The access to the key with `hash` for which `is_key` holds.
    #[inline]
    pub(crate) fn find(&self, hash: u64, is_key: impl Fn(LocationId) -> bool) -> Option<usize> {
        if self.hashes.len() < INDEXED_FROM {
            let mut alike = self.hashes.iter().enumerate().filter(|(_, known)| **known == hash);
            return alike.find(|(at, _)| is_key(self.accesses[*at].location)).map(|(at, _)| at);
        }
        let fits = |&at: &u32| self.hashes[at as usize] == hash && is_key(self.accesses[at as usize].location);
        self.index.find(hash, fits).map(|&at| at as usize)
    }

    /// Adds an access to a location that has none yet.
    pub(crate) fn insert(&mut self, hash: u64, location: LocationId) -> usize {
        let at = self.accesses.len();
        self.accesses.push(Access { location, read_by: 0, changed_by: 0, outside: None, unit: None, running: None });
        self.hashes.push(hash);
        if self.hashes.len() >= INDEXED_FROM {
            self.index_from(if self.hashes.len() == INDEXED_FROM { 0 } else { at });
        }
        at
    }

    /// Puts the accesses from `first` on into the index.
    fn index_from(&mut self, first: usize) {
        let hashes = &self.hashes;
        for (at, hash) in hashes.iter().enumerate().skip(first) {
            self.index.insert_unique(*hash, at as u32, |&at| hashes[at as usize]);
        }
    }

    /// Records what the running transaction has read from outside.
    pub(crate) fn read_outside(&mut self, at: usize, outside: Outside<V>) {
        let access = &mut self.accesses[at];
        (access.outside, access.read_by) = (Some(outside), self.place);
    }

    /// The running transaction has read what the finished ones have added to: from now on it is a value.
    pub(crate) fn settle_unit(&mut self, at: usize, value: Option<V>) {
        let access = &mut self.accesses[at];
        if let Some(change) = access.unit.replace(Change::Set(value)) {
            self.overwritten.push(Overwritten { location: access.location, by: self.place, change });
        }
    }

    /// Records what the running transaction does.
    pub(crate) fn change(&mut self, at: usize, change: Change<V>) {
        let replaced = self.accesses[at].running.replace(change);
        if replaced.is_none() {
            self.touched.push(at as u32);
        }
        if self.has_checkpoint {
            self.replaced.push((at as u32, replaced));
        }
    }

    /// Where the running transaction's changes stand. Nothing is written down for who comes back to where there were none:
    /// most transactions that take such a checkpoint never do.
    pub(crate) fn checkpoint(&mut self) -> usize {
        if self.touched.is_empty() {
            return BEFORE_ALL;
        }
        self.has_checkpoint = true;
        self.replaced.len()
    }

    /// The accesses that have changed since `checkpoint`; one that has changed twice may come twice.
    pub(crate) fn changed_since(&self, checkpoint: usize) -> Vec<usize> {
        if checkpoint == BEFORE_ALL {
            return self.touched.iter().map(|at| *at as usize).collect();
        }
        self.replaced.iter().skip(checkpoint).map(|(at, _)| *at as usize).collect()
    }

    /// Undoes the running transaction's changes since `checkpoint`.
    pub(crate) fn rollback(&mut self, checkpoint: usize) {
        if checkpoint == BEFORE_ALL {
            self.drop_running();
            return;
        }
        while self.replaced.len() > checkpoint
            && let Some((at, replaced)) = self.replaced.pop()
        {
            self.accesses[at as usize].running = replaced;
        }
    }

    fn forget_checkpoints(&mut self) {
        self.replaced.clear();
        self.has_checkpoint = false;
    }

    /// The running transaction is applied: its changes become the unit's. False if a delta of it cannot be combined
    /// with the unit's: only concrete values can tell then what happens.
    pub(crate) fn apply_running(&mut self) -> bool {
        let mut whole = true;
        self.forget_checkpoints();
        for at in self.touched.drain(..) {
            let access = &mut self.accesses[at as usize];
            let both = match (&access.unit, &access.running) {
                (_, None) => continue,
                (Some(Change::Add(first)), Some(Change::Add(second))) => V::combine(first, second).map(Change::Add),
                // A rollback brings back a delta whose base has become a value in the meantime.
                (Some(Change::Set(value)), Some(Change::Add(delta))) if !Canary::LostRollbackBase.sings() => {
                    V::apply(value.as_ref(), delta).map(|sum| Change::Set(Some(sum)))
                }
                (_, Some(_)) => {
                    // Not taken out and put in: a change takes cache lines, and is moved in pieces.
                    std::mem::swap(&mut access.unit, &mut access.running);
                    match access.running.take() {
                        None => access.changed_by = self.place,
                        Some(change) => {
                            self.overwritten.push(Overwritten { location: access.location, by: self.place, change });
                        }
                    }
                    continue;
                }
            };
            access.running = None;
            match both {
                Ok(both) => {
                    if let Some(change) = access.unit.replace(both) {
                        self.overwritten.push(Overwritten { location: access.location, by: self.place, change });
                    }
                }
                Err(OutOfBounds) => whole = false,
            }
        }
        whole
    }

    /// The running transaction is undone.
    pub(crate) fn drop_running(&mut self) {
        self.forget_checkpoints();
        for at in self.touched.drain(..) {
            self.accesses[at as usize].running = None;
        }
    }
}
