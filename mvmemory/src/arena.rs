//! Locations by number: a list that only grows during a block and never moves what it holds.

use crossbeam_utils::CachePadded;

use crate::Value;
use crate::fetch::fetch;
use crate::location::Location;
use crate::once::Once;
use crate::sync::{AtomicU32, Ordering};

/// Locations come in runs, of which each is twice as long as the one before, and run `r` holds `FIRST << r`: 24 cover more
/// than any block can name. A power of two.
#[cfg(not(loom))]
const FIRST: u32 = 256;
#[cfg(loom)]
const FIRST: u32 = 2;
#[cfg(not(loom))]
const RUNS: usize = 24;
#[cfg(loom)]
const RUNS: usize = 3;
/// A run is made in so many chunks, as a power of two: of what there is at most an eighth is not used, and not half.
#[cfg(not(loom))]
const CHUNK_BITS: u32 = 3;
#[cfg(loom)]
const CHUNK_BITS: u32 = 0;

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
    chunks: [Chunk<K, V>; RUNS << CHUNK_BITS],
    /// On a cache line of its own: it is written all the time, and everything around it is read all the time.
    len: CachePadded<AtomicU32>,
}

/// Chunk and offset of a number, and how many the chunk holds.
#[inline]
fn place(id: u32) -> (usize, usize, usize) {
    // With as many numbers before them as the first run has, runs begin at powers of two. (The lowest bit says that it is
    // not 0: its logarithm is one instruction then, and this is done at every access.)
    let shifted = id + FIRST;
    let length_bits = (shifted | 1).ilog2() - CHUNK_BITS;
    let chunk = (length_bits << CHUNK_BITS) + (shifted >> length_bits) - FIRST_CHUNK;
    let length = 1 << length_bits;
    (chunk as usize, shifted as usize & (length - 1), length)
}

/// What [`place`] would give as the first chunk.
const FIRST_CHUNK: u32 = ((FIRST.ilog2() - CHUNK_BITS) << CHUNK_BITS) + (1 << CHUNK_BITS);

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
        let (chunk, offset, length) = place(id);
        let slot = self.chunks.get(chunk).expect("a block names fewer than 2^31 locations");
        let chunk = slot.get_or_init(|| (0..length).map(|_| Location::new()).collect());
        chunk[offset].set_key(key);
        // The worker's next new key comes to lie on the next location, which is in no cache: asked for now it is there by then.
        if !reserve.numbers.is_empty()
            && let Some(next) = chunk.get(offset + 1)
        {
            fetch(next);
        }
        id
    }

    #[inline]
    pub(crate) fn get(&self, id: u32) -> &Location<K, V> {
        let (chunk, offset, _) = place(id);
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
        let first = FIRST as usize >> CHUNK_BITS;
        let mut expected = (0, 0, first);
        for id in 0..100_000 {
            assert_eq!(place(id), expected, "place of {id}");
            let (chunk, offset, length) = expected;
            expected = if offset + 1 < length {
                (chunk, offset + 1, length)
            } else {
                (chunk + 1, 0, first << ((chunk + 1) >> CHUNK_BITS))
            };
        }
        let (last, ..) = place((1 << 31) - 1);
        assert!(last < RUNS << CHUNK_BITS, "there is a place for the highest number");
    }
}
