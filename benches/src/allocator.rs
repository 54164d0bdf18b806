//! The allocator of the bench binaries, chosen by feature: results depend on it, so that it is named beside them.
//!
//! It counts what is allocated while [`peak`] runs. Else it only looks at a flag.

use std::alloc::{GlobalAlloc, Layout};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

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

static COUNTS: AtomicBool = AtomicBool::new(false);
static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

/// An allocator that can count the bytes in use.
#[derive(Debug, Default, Clone, Copy)]
pub struct Counting<A>(A);

/// Runs `work`; gives the most bytes that were in use at a time, beyond what was in use before.
pub fn peak<T>(work: impl FnOnce() -> T) -> (T, usize) {
    // What was allocated before may be freed in between: the count starts high enough not to fall below 0.
    const BASE: usize = usize::MAX / 2;
    LIVE.store(BASE, Ordering::Relaxed);
    PEAK.store(BASE, Ordering::Relaxed);
    COUNTS.store(true, Ordering::SeqCst);
    let result = work();
    COUNTS.store(false, Ordering::SeqCst);
    (result, PEAK.load(Ordering::SeqCst).saturating_sub(BASE))
}

fn grow(bytes: usize) {
    if COUNTS.load(Ordering::Relaxed) {
        let live = LIVE.fetch_add(bytes, Ordering::Relaxed) + bytes;
        PEAK.fetch_max(live, Ordering::Relaxed);
    }
}

fn shrink(bytes: usize) {
    if COUNTS.load(Ordering::Relaxed) {
        LIVE.fetch_sub(bytes, Ordering::Relaxed);
    }
}

// SAFETY: every call is passed on as it is to an allocator that keeps the contract; counting does not allocate.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Counting<A> {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        grow(layout.size());
        // SAFETY: the caller's promises are those that the inner allocator asks for.
        unsafe { self.0.alloc(layout) }
    }

    #[inline]
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        shrink(layout.size());
        // SAFETY: the pointer came from the inner allocator, with this layout.
        unsafe { self.0.dealloc(pointer, layout) }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        grow(layout.size());
        // SAFETY: the caller's promises are those that the inner allocator asks for.
        unsafe { self.0.alloc_zeroed(layout) }
    }

    #[inline]
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        grow(size);
        shrink(layout.size());
        // SAFETY: the pointer came from the inner allocator, with this layout; the caller answers for the size.
        unsafe { self.0.realloc(pointer, layout, size) }
    }
}
