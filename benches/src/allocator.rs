//! The allocator of the bench binaries, chosen by feature: results depend on it, so that it is named beside them.

use weft_node::memory::Counting;

#[cfg(feature = "jemalloc")]
type Inner = tikv_jemallocator::Jemalloc;
#[cfg(feature = "jemalloc")]
const INNER: Inner = tikv_jemallocator::Jemalloc;
#[cfg(feature = "jemalloc")]
const INNER_NAME: &str = "jemalloc";

#[cfg(all(feature = "snmalloc", not(feature = "jemalloc")))]
type Inner = snmalloc_rs::SnMalloc;
#[cfg(all(feature = "snmalloc", not(feature = "jemalloc")))]
const INNER: Inner = snmalloc_rs::SnMalloc;
#[cfg(all(feature = "snmalloc", not(feature = "jemalloc")))]
const INNER_NAME: &str = "snmalloc";

#[cfg(all(feature = "system-allocator", not(any(feature = "jemalloc", feature = "snmalloc"))))]
type Inner = std::alloc::System;
#[cfg(all(feature = "system-allocator", not(any(feature = "jemalloc", feature = "snmalloc"))))]
const INNER: Inner = std::alloc::System;
#[cfg(all(feature = "system-allocator", not(any(feature = "jemalloc", feature = "snmalloc"))))]
const INNER_NAME: &str = "system";

#[cfg(not(any(feature = "jemalloc", feature = "snmalloc", feature = "system-allocator")))]
type Inner = mimalloc::MiMalloc;
#[cfg(not(any(feature = "jemalloc", feature = "snmalloc", feature = "system-allocator")))]
const INNER: Inner = mimalloc::MiMalloc;
#[cfg(not(any(feature = "jemalloc", feature = "snmalloc", feature = "system-allocator")))]
const INNER_NAME: &str = "mimalloc";

/// What the bench binaries install as their global allocator.
pub type Allocator = Counting<Inner>;

/// Its only value.
pub const ALLOCATOR: Allocator = Counting(INNER);

/// Its name.
pub const NAME: &str = INNER_NAME;

/// Runs `work`; gives the most bytes that were in use at a time, beyond what was in use before. 0 in a program that has
/// not installed [`ALLOCATOR`].
pub fn peak<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let (result, peak) = weft_node::memory::peak(work);
    (result, peak.unwrap_or_default())
}
