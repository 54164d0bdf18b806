//! Locations that lie next to each other: as many as a worker reserves at once.

use crate::Value;
use crate::location::{Location, LocationMut, NOBODY, Root, Written};
use crate::sync::AtomicU32;

/// Locations of a group. So many numbers of lowest writers fill a cache line.
#[cfg(not(loom))]
pub(crate) const GROUP: usize = 16;
#[cfg(loom)]
pub(crate) const GROUP: usize = 2;

/// Some locations, with what is only read apart from what is written: who reads a location that nobody has written
/// touches its root, and a number that shares its cache line with those of its neighbours.
#[repr(align(64))] // a group's line of numbers is not also another group's
pub(crate) struct Group<K, V: Value> {
    roots: [Root<K, V>; GROUP],
    lowest: [AtomicU32; GROUP],
    written: [Written<V>; GROUP],
}

impl<K, V: Value> Group<K, V> {
    pub(crate) fn new() -> Self {
        Self {
            roots: std::array::from_fn(|_| Root::new()),
            lowest: std::array::from_fn(|_| AtomicU32::new(NOBODY)),
            written: std::array::from_fn(|_| Written::new()),
        }
    }

    /// The location with number `id`, one of this group's.
    pub(crate) fn get(&self, id: usize) -> Location<'_, K, V> {
        let at = id % GROUP;
        Location { root: &self.roots[at], lowest: &self.lowest[at], written: &self.written[at] }
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = LocationMut<'_, K, V>> {
        let numbers = self.lowest.iter_mut().zip(&mut self.written);
        self.roots.iter_mut().zip(numbers).map(|(root, (lowest, written))| LocationMut { root, lowest, written })
    }
}
