//! One location: the versions of one key's value within a block, and the value that it had before the block.
//!
//! Guarantees:
//! - The base value is read from storage at most once per block, whoever asks ([`Location::base`]).
//! - Everything about the versions happens under one short lock; a location that nobody has written is read without it.
//! - `stamp` of an entry changes exactly when a reader could see a different content there.

use smallvec::SmallVec;

use crate::canary::Canary;
use crate::sync::{AtomicBool, Mutex, OnceLock, Ordering};
use crate::{OutOfBounds, Value};

/// What a unit did to a location.
#[derive(Debug, Clone, PartialEq)]
pub enum Change<V: Value> {
    /// The location holds this value now; `None` is a deletion.
    Set(Option<V>),
    /// A commutative delta on whatever the location held.
    Add(V::Delta),
}

/// What one unit has left at a location.
#[derive(Debug)]
struct Entry<V: Value> {
    unit: u32,
    /// The incarnation that wrote this content first: later incarnations that write an equal content keep it.
    stamp: u32,
    /// The unit will write anew; readers must wait for it.
    estimate: bool,
    /// `None`: announced by a hint, nothing has been written yet (then `estimate` is set).
    change: Option<Change<V>>,
}

/// The entries of one location.
#[derive(Debug)]
struct Versions<V: Value> {
    /// Sorted by unit.
    entries: SmallVec<[Entry<V>; 1]>,
    /// Committed entries that were removed because nobody can read them any more.
    dropped: usize,
}

/// Entries at the end that are looked at one by one: nearly all work is close to the last writer.
const NEAR_THE_END: usize = 4;

impl<V: Value> Versions<V> {
    /// Number of entries of units below `unit`: where an entry of `unit` is or would be.
    fn below(&self, unit: u32) -> usize {
        let mut len = self.entries.len();
        let near = len.saturating_sub(NEAR_THE_END);
        while len > near {
            if self.entries[len - 1].unit < unit {
                return len;
            }
            len -= 1;
        }
        self.entries[..len].partition_point(|entry| entry.unit < unit)
    }

    /// Drops entries that nobody will read again: those below the committed entry at `at`, but for the one just below,
    /// which the same unit needs if it has to run again. So a hot counter stays as short as the window of units that
    /// are not committed.
    fn drop_before(&mut self, at: usize) {
        // What follows moves down: worth it when it is no more than what goes, so that each entry moves about once.
        if at > 16 && at * 2 > self.entries.len() {
            self.dropped += self.entries.drain(..at - 1).len();
        }
    }

    fn find(&self, unit: u32) -> Option<usize> {
        let at = self.below(unit);
        self.entries.get(at).filter(|entry| entry.unit == unit).map(|_| at)
    }
}

/// Where a read value came from, for validation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The value from before the block.
    Base,
    /// Written by `unit`, first with this content by incarnation `stamp`.
    Version {
        /// The writer.
        unit: u32,
        /// The incarnation that wrote this content first.
        stamp: u32,
    },
    /// Computed from deltas: whoever validates compares the value.
    Resolved,
}

/// What a unit finds when it reads a location.
#[derive(Debug, PartialEq)]
pub enum Read<V> {
    /// A value (or none), and where it came from.
    Value(Option<V>, Origin),
    /// `unit` is going to write here.
    Estimate(u32),
    /// Nothing below decides it: the base value is wanted and has not been loaded.
    NeedsBase,
    /// A delta below leaves its range: only the commit order can tell which transaction fails.
    OutOfBounds,
}

/// What an announcement finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Announced {
    /// Whether the unit had nothing at the location before.
    pub is_new: bool,
    /// The closest unit below with anything there, if that is an estimate: who reads the location waits for it.
    pub below: Option<u32>,
}

/// The versions of one key.
#[repr(align(64))] // neighbours are written by different workers; sharing a cache line would couple them
pub(crate) struct Location<K, V: Value> {
    key: OnceLock<K>,
    base: OnceLock<Option<V>>,
    /// Held while the base value is loaded, so that storage is asked once; never held together with `versions`.
    loading: Mutex<()>,
    /// Set before the first entry is inserted. A reader that misses it reads the base value, as if it had come
    /// before the writer; validation happens after the writer's publication and therefore sees it.
    written: AtomicBool,
    versions: Mutex<Versions<V>>,
}

impl<K, V: Value> Location<K, V> {
    pub(crate) fn new() -> Self {
        Self {
            key: OnceLock::new(),
            base: OnceLock::new(),
            loading: Mutex::new(()),
            written: AtomicBool::new(false),
            versions: Mutex::new(Versions { entries: SmallVec::new(), dropped: 0 }),
        }
    }

    /// Gives a fresh location its key. Called once, by its only owner, before the location is published.
    pub(crate) fn set_key(&self, key: K) {
        let first = self.key.set(key).is_ok();
        debug_assert!(first, "a location is given its key once");
    }

    pub(crate) fn key(&self) -> &K {
        self.key.get().expect("a location is published after it got its key")
    }

    pub(crate) fn take_key(&mut self) -> Option<K> {
        self.key.take()
    }

    /// The value from before the block; `load` is called if nobody has loaded it yet.
    pub(crate) fn base<E>(&self, load: impl FnOnce(&K) -> Result<Option<V>, E>) -> Result<&Option<V>, E> {
        if let Some(base) = self.base.get() {
            return Ok(base);
        }
        let _loading = self.loading.lock();
        if let Some(base) = self.base.get() {
            return Ok(base);
        }
        let loaded = load(self.key())?;
        Ok(self.base.get_or_init(|| loaded))
    }

    /// What `unit` reads here.
    pub(crate) fn read(&self, unit: u32) -> Read<V> {
        // Acquire: pairs with the Release in `insert`, see `written`.
        if !self.written.load(Ordering::Acquire) {
            return self.read_base();
        }
        let versions = self.versions.lock();
        let below = versions.below(unit);
        Self::resolve(&versions.entries[..below], self.base.get())
    }

    fn read_base(&self) -> Read<V> {
        match self.base.get() {
            Some(base) => Read::Value(base.clone(), Origin::Base),
            None => Read::NeedsBase,
        }
    }

    /// The value on top of `below`.
    fn resolve(below: &[Entry<V>], base: Option<&Option<V>>) -> Read<V> {
        let mut deltas_from = below.len();
        let (start, origin) = loop {
            let Some(entry) = deltas_from.checked_sub(1).map(|at| &below[at]) else {
                match base {
                    Some(base) => break (base, Origin::Base),
                    None => return Read::NeedsBase,
                }
            };
            match &entry.change {
                _ if entry.estimate => return Read::Estimate(entry.unit),
                Some(Change::Set(value)) => {
                    break (value, Origin::Version { unit: entry.unit, stamp: entry.stamp });
                }
                Some(Change::Add(_)) => deltas_from -= 1,
                None => unreachable!("an announced entry is an estimate until it is written or removed"),
            }
        };
        if deltas_from == below.len() {
            return Read::Value(start.clone(), origin);
        }
        let mut value = start.clone();
        for entry in &below[deltas_from..] {
            let Some(Change::Add(delta)) = &entry.change else {
                unreachable!("the walk above stopped at the first entry that is not a delta")
            };
            match V::apply(value.as_ref(), delta) {
                Ok(next) => value = Some(next),
                Err(OutOfBounds) => return Read::OutOfBounds,
            }
        }
        Read::Value(value, Origin::Resolved)
    }

    /// Whether `unit` would read here now what it read when it recorded `origin` (and `resolved`, the value, where
    /// the origin is [`Origin::Resolved`]).
    pub(crate) fn still_reads(&self, unit: u32, origin: Origin, resolved: Option<&Option<V>>) -> bool {
        if !self.written.load(Ordering::Acquire) {
            return origin == Origin::Base;
        }
        let versions = self.versions.lock();
        let below = versions.below(unit);
        // The common cases compare versions, without touching values.
        match (versions.entries[..below].last(), origin) {
            (_, Origin::Base) if Canary::LooseBaseRead.sings() => return true,
            (None, Origin::Base) => return true,
            (Some(entry), _) if entry.estimate => return false,
            (Some(Entry { change: Some(Change::Set(_)), unit, stamp, .. }), Origin::Version { unit: u, stamp: s })
                if *unit == u && *stamp == s =>
            {
                return true;
            }
            // A different writer: its value may be equal only where the old value is still at hand.
            (Some(Entry { change: Some(Change::Set(value)), .. }), Origin::Base) => {
                return self.base.get() == Some(value);
            }
            (_, Origin::Version { .. }) => return false,
            (_, Origin::Base | Origin::Resolved) => {}
        }
        let before = match origin {
            Origin::Base => self.base.get(),
            Origin::Version { .. } | Origin::Resolved => resolved,
        };
        match Self::resolve(&versions.entries[..below], self.base.get()) {
            Read::Value(now, _) => before == Some(&now),
            Read::Estimate(_) | Read::NeedsBase | Read::OutOfBounds => false,
        }
    }

    /// Whether a unit below `unit` has left anything here.
    pub(crate) fn has_below(&self, unit: u32) -> bool {
        self.written.load(Ordering::Acquire) && self.versions.lock().below(unit) > 0
    }

    /// Records what incarnation `incarnation` of `unit` did here. True if a reader above could see a difference.
    pub(crate) fn write(&self, unit: u32, incarnation: u32, change: Change<V>) -> bool {
        let mut versions = self.versions.lock();
        let at = versions.below(unit);
        match versions.entries.get_mut(at) {
            Some(entry) if entry.unit == unit => {
                entry.estimate = false;
                if entry.change.as_ref() == Some(&change) {
                    return false;
                }
                entry.change = Some(change);
                if !Canary::KeepStamp.sings() {
                    entry.stamp = incarnation;
                }
            }
            _ => self.insert(
                &mut versions,
                at,
                Entry { unit, stamp: incarnation, estimate: false, change: Some(change) },
            ),
        }
        true
    }

    /// Announces that `unit` is going to write or to add here.
    pub(crate) fn announce(&self, unit: u32) -> Announced {
        let mut versions = self.versions.lock();
        let at = versions.below(unit);
        let below = at.checked_sub(1).map(|below| &versions.entries[below]).filter(|entry| entry.estimate);
        let below = below.map(|entry| entry.unit);
        let is_new = versions.entries.get(at).is_none_or(|entry| entry.unit != unit);
        if is_new {
            self.insert(&mut versions, at, Entry { unit, stamp: 0, estimate: true, change: None });
        }
        Announced { is_new, below }
    }

    fn insert(&self, versions: &mut Versions<V>, at: usize, entry: Entry<V>) {
        versions.entries.insert(at, entry);
        // Release: whoever sees the flag and takes the lock finds the entry (the lock orders it as well; the flag
        // must not become visible to a validator later than the publication that the validator was started by).
        self.written.store(!Canary::HiddenWrite.sings(), Ordering::Release);
    }

    /// Turns what `unit` wrote here into an estimate: it is about to run again.
    pub(crate) fn mark_estimate(&self, unit: u32) {
        let mut versions = self.versions.lock();
        if let Some(at) = versions.find(unit) {
            versions.entries[at].estimate = true;
        }
    }

    /// Removes what `unit` left here: its new incarnation does not write here. True if a reader above could have
    /// seen it.
    pub(crate) fn remove(&self, unit: u32) -> bool {
        let mut versions = self.versions.lock();
        match versions.find(unit) {
            Some(at) => versions.entries.remove(at).change.is_some() && !Canary::SilentRemoval.sings(),
            None => false,
        }
    }

    /// Turns the delta of `unit`, below which everything is committed and materialised, into a value.
    pub(crate) fn materialise<E>(
        &self,
        unit: u32,
        load: impl FnOnce(&K) -> Result<Option<V>, E>,
    ) -> Result<Result<(), OutOfBounds>, E> {
        let base = self.base(load)?;
        let mut versions = self.versions.lock();
        let Some(at) = versions.find(unit) else {
            return Ok(Ok(()));
        };
        let below = match at.checked_sub(1).map(|below| &versions.entries[below].change) {
            None => base,
            Some(Some(Change::Set(value))) => value,
            Some(Some(Change::Add(_)) | None) => {
                unreachable!("below the commit frontier every delta is a value and no estimate is left")
            }
        };
        let Some(Change::Add(delta)) = &versions.entries[at].change else {
            return Ok(Ok(()));
        };
        match V::apply(below.as_ref(), delta) {
            Ok(value) => {
                versions.entries[at].change = Some(Change::Set(Some(value)));
                versions.drop_before(at);
                Ok(Ok(()))
            }
            Err(OutOfBounds) => Ok(Err(OutOfBounds)),
        }
    }

    /// The last value written by a unit below `end`, if any unit below `end` wrote here.
    pub(crate) fn take_final(&mut self, end: u32) -> Option<Option<V>> {
        let versions = self.versions.get_mut();
        let below = versions.below(end);
        let top = below.checked_sub(1).map(|top| &mut versions.entries[top])?;
        match top.change.take() {
            Some(Change::Set(value)) => Some(value),
            Some(Change::Add(_)) | None => unreachable!("below the commit frontier every entry is a value"),
        }
    }

    /// Empties the location for the next block; its memory is kept.
    pub(crate) fn reset(&mut self) {
        self.key.take();
        if !Canary::StaleBase.sings() {
            self.base.take();
        }
        let versions = self.versions.get_mut();
        versions.entries.clear();
        versions.dropped = 0;
        self.written.store(false, Ordering::Relaxed); // exclusive access: nobody else can look
    }

    /// Whether nothing is left of a block.
    pub(crate) fn is_empty(&mut self) -> bool {
        self.key.get().is_none() && self.versions.get_mut().entries.is_empty()
    }

    /// Units that have written here, for diagnostics (hottest keys).
    pub(crate) fn writers(&mut self) -> usize {
        let versions = self.versions.get_mut();
        versions.dropped + versions.entries.len()
    }
}
