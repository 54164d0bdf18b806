//! Locations by number: a list that only grows during a block and never moves what it holds.

use crossbeam_utils::CachePadded;

use crate::Value;
use crate::location::Location;
use crate::once::Once;
use crate::sync::{AtomicU32, Ordering};

/// Chunk `c` holds `FIRST << c` locations: 24 chunks cover more than any block can name. A power of two.
#[cfg(not(loom))]
const FIRST: u32 = 256;
#[cfg(loom)]
const FIRST: u32 = 2;
#[cfg(not(loom))]
const CHUNKS: usize = 24;
#[cfg(loom)]
const CHUNKS: usize = 3;

/// Numbers that a worker reserves at once.
const RESERVED: u32 = 16;

/// Locations that are next to each other, once somebody has wanted one of them.
type Chunk<K, V> = Once<Box<[Location<K, V>]>>;

/// Numbers of locations that belong to one worker until it uses them. Workers that name new keys would meet at the
/// counter otherwise, and their locations would be neighbours.
///
/// A reserve is for one block: with the next one begins a new numbering.
#[derive(Debug)]
pub struct Reserve {
    numbers: std::ops::Range<u32>,
    step: u32,
}

impl Reserve {
    /// For callers that name one key.
    pub(crate) fn single() -> Self {
        Self { numbers: 0..0, step: 1 }
    }
}

impl Default for Reserve {
    /// An empty reserve, to be used for one block.
    fn default() -> Self {
        Self { numbers: 0..0, step: RESERVED }
    }
}

/// A growing list of locations. Numbers are given out once per block; chunks are kept between blocks.
pub(crate) struct Arena<K, V: Value> {
    chunks: [Chunk<K, V>; CHUNKS],
    /// On a cache line of its own: it is written all the time, and everything around it is read all the time.
    len: CachePadded<AtomicU32>,
}

/// Chunk and offset of a number.
#[inline]
fn place(id: u32) -> (usize, usize) {
    // With as many numbers before them as the first chunk has, chunks begin at powers of two.
    let shifted = id + FIRST;
    let chunk = shifted.ilog2() - FIRST.ilog2();
    (chunk as usize, (shifted ^ (FIRST << chunk)) as usize)
}

impl<K, V: Value> Arena<K, V> {
    pub(crate) fn new() -> Self {
        Self { chunks: std::array::from_fn(|_| Once::new()), len: CachePadded::new(AtomicU32::new(0)) }
    }

    /// The number of a location of its own for the caller, which has this key.
    ///
    /// # Panics
    /// When a block names more than 2^31 locations.
    #[inline]
    pub(crate) fn allocate(&self, reserve: &mut Reserve, key: K) -> u32 {
        if reserve.numbers.is_empty() {
            // Relaxed: the counter only has to give every caller numbers of its own; what is at a number is published
            // by whoever publishes the number.
            let first = self.len.fetch_add(reserve.step, Ordering::Relaxed);
            reserve.numbers = first..first + reserve.step;
        }
        let id = reserve.numbers.next().expect("the reserve has just been filled");
        let (chunk, offset) = place(id);
        let slot = self.chunks.get(chunk).expect("a block names fewer than 2^31 locations");
        let chunk = slot.get_or_init(|| (0..(FIRST as usize) << chunk).map(|_| Location::new()).collect());
        chunk[offset].set_key(key);
        id
    }

    #[inline]
    pub(crate) fn get(&self, id: u32) -> &Location<K, V> {
        let (chunk, offset) = place(id);
        let chunk = self.chunks[chunk].get().expect("a number is known only after its chunk exists");
        &chunk[offset]
    }

    pub(crate) fn len(&self) -> u32 {
        self.len.load(Ordering::Relaxed)
    }

    /// Every location that was given out, chunk by chunk; perhaps some more, which are empty: of a chunk in which all
    /// numbers were reserved and none was used there is nothing to visit.
    pub(crate) fn slices_mut(&mut self) -> impl Iterator<Item = &mut [Location<K, V>]> {
        let mut left = self.len() as usize;
        self.chunks.iter_mut().filter_map(Once::get_mut).map(move |chunk| {
            let used = left.min(chunk.len());
            left -= used;
            &mut chunk[..used]
        })
    }

    /// Every location that was given out.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Location<K, V>> {
        self.slices_mut().flatten()
    }

    /// Forgets which locations were given out; they must be empty. Their memory stays.
    pub(crate) fn forget(&mut self) {
        self.len.store(0, Ordering::Relaxed); // exclusive access
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn places_are_consecutive_and_without_gaps() {
        let mut expected = (0, 0);
        for id in 0..100_000 {
            assert_eq!(place(id), expected, "place of {id}");
            expected.1 += 1;
            if expected.1 == (FIRST << expected.0) as usize {
                expected = (expected.0 + 1, 0);
            }
        }
    }
}
