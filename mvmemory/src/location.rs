//! One location: the versions of one key's value within a block, and the value that it had before the block.
//!
//! Guarantees:
//! - The base value is read from storage at most once per block, whoever asks ([`Location::base`]).
//! - Everything about the versions happens under one short lock; a location that nobody has written is read without it.
//! - `stamp` of an entry changes exactly when a reader could see a different content there.

use smallvec::SmallVec;

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
    /// Sorted by unit.
    versions: Mutex<SmallVec<[Entry<V>; 1]>>,
}

impl<K, V: Value> Location<K, V> {
    pub(crate) fn new() -> Self {
        Self {
            key: OnceLock::new(),
            base: OnceLock::new(),
            loading: Mutex::new(()),
            written: AtomicBool::new(false),
            versions: Mutex::new(SmallVec::new()),
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
        let below = versions.partition_point(|entry| entry.unit < unit);
        Self::resolve(&versions[..below], self.base.get())
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
        let below = versions.partition_point(|entry| entry.unit < unit);
        // The common cases compare versions, without touching values.
        match (versions[..below].last(), origin) {
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
        match Self::resolve(&versions[..below], self.base.get()) {
            Read::Value(now, _) => before == Some(&now),
            Read::Estimate(_) | Read::NeedsBase | Read::OutOfBounds => false,
        }
    }

    /// Records what incarnation `incarnation` of `unit` did here. True if a reader above could see a difference.
    pub(crate) fn write(&self, unit: u32, incarnation: u32, change: Change<V>) -> bool {
        let mut versions = self.versions.lock();
        let at = versions.partition_point(|entry| entry.unit < unit);
        match versions.get_mut(at) {
            Some(entry) if entry.unit == unit => {
                entry.estimate = false;
                if entry.change.as_ref() == Some(&change) {
                    return false;
                }
                entry.change = Some(change);
                entry.stamp = incarnation;
            }
            _ => self.insert(
                &mut versions,
                at,
                Entry { unit, stamp: incarnation, estimate: false, change: Some(change) },
            ),
        }
        true
    }

    /// Announces that `unit` is going to write here. Returns the closest unit below that is going to write here too:
    /// `unit` would wait for it.
    pub(crate) fn announce(&self, unit: u32) -> Option<u32> {
        let mut versions = self.versions.lock();
        let at = versions.partition_point(|entry| entry.unit < unit);
        let below = at.checked_sub(1).map(|below| &versions[below]).filter(|entry| entry.estimate);
        let below = below.map(|entry| entry.unit);
        if versions.get(at).is_none_or(|entry| entry.unit != unit) {
            self.insert(&mut versions, at, Entry { unit, stamp: 0, estimate: true, change: None });
        }
        below
    }

    fn insert(&self, versions: &mut SmallVec<[Entry<V>; 1]>, at: usize, entry: Entry<V>) {
        versions.insert(at, entry);
        // Release: whoever sees the flag and takes the lock finds the entry (the lock orders it as well; the flag
        // must not become visible to a validator later than the publication that the validator was started by).
        self.written.store(true, Ordering::Release);
    }

    /// Turns what `unit` wrote here into an estimate: it is about to run again.
    pub(crate) fn mark_estimate(&self, unit: u32) {
        let mut versions = self.versions.lock();
        if let Ok(at) = versions.binary_search_by_key(&unit, |entry| entry.unit) {
            versions[at].estimate = true;
        }
    }

    /// Removes what `unit` left here: its new incarnation does not write here. True if a reader above could have
    /// seen it.
    pub(crate) fn remove(&self, unit: u32) -> bool {
        let mut versions = self.versions.lock();
        match versions.binary_search_by_key(&unit, |entry| entry.unit) {
            Ok(at) => versions.remove(at).change.is_some(),
            Err(_) => false,
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
        let Ok(at) = versions.binary_search_by_key(&unit, |entry| entry.unit) else {
            return Ok(Ok(()));
        };
        let below = match at.checked_sub(1).map(|below| &versions[below].change) {
            None => base,
            Some(Some(Change::Set(value))) => value,
            Some(Some(Change::Add(_)) | None) => {
                unreachable!("below the commit frontier every delta is a value and no estimate is left")
            }
        };
        let Some(Change::Add(delta)) = &versions[at].change else {
            return Ok(Ok(()));
        };
        match V::apply(below.as_ref(), delta) {
            Ok(value) => {
                versions[at].change = Some(Change::Set(Some(value)));
                Ok(Ok(()))
            }
            Err(OutOfBounds) => Ok(Err(OutOfBounds)),
        }
    }

    /// The last value written by a unit below `end`, if any unit below `end` wrote here.
    pub(crate) fn take_final(&mut self, end: u32) -> Option<Option<V>> {
        let versions = self.versions.get_mut();
        let below = versions.partition_point(|entry| entry.unit < end);
        let top = below.checked_sub(1).map(|top| &mut versions[top])?;
        match top.change.take() {
            Some(Change::Set(value)) => Some(value),
            Some(Change::Add(_)) | None => unreachable!("below the commit frontier every entry is a value"),
        }
    }

    /// Empties the location for the next block; its memory is kept.
    pub(crate) fn reset(&mut self) {
        self.key.take();
        self.base.take();
        self.versions.get_mut().clear();
        self.written.store(false, Ordering::Relaxed); // exclusive access: nobody else can look
    }

    /// Units with an entry here, for diagnostics (hottest keys).
    pub(crate) fn writers(&mut self) -> usize {
        self.versions.get_mut().len()
    }
}
