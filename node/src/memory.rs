//! Peak memory: an allocator that can count the bytes in use.
//!
//! A program installs [`Counting`] around its allocator; [`peak`] then counts while it runs something. Else each call
//! looks at one flag that nobody changes, which is too little to be measured. Resident memory would be no measure:
//! allocators keep what was freed, so that the second executor would seem to need nothing.

use std::alloc::{GlobalAlloc, Layout};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

static COUNTS: AtomicBool = AtomicBool::new(false);
static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

/// What was allocated before may be freed in between: the count starts high enough not to fall below 0.
const BASE: usize = usize::MAX / 2;

/// An allocator that can count the bytes in use, by any of the process's threads.
#[derive(Debug, Default, Clone, Copy)]
pub struct Counting<A>(pub A);

/// Runs `work`; gives the most bytes that were in use at a time, beyond what was in use before: bytes as they were asked
/// for, without what the allocator itself needs. `None` where the program's allocator is not a [`Counting`] one. Whatever
/// else runs at the same time is counted, too, so that only one of these may run at a time.
pub fn peak<T>(work: impl FnOnce() -> T) -> (T, Option<usize>) {
    start();
    drop(std::hint::black_box(Box::new(0_u8)));
    let is_installed = PEAK.load(Ordering::SeqCst) > BASE;
    start();
    let result = work();
    COUNTS.store(false, Ordering::SeqCst);
    (result, is_installed.then(|| PEAK.load(Ordering::SeqCst).saturating_sub(BASE)))
}

fn start() {
    LIVE.store(BASE, Ordering::Relaxed);
    PEAK.store(BASE, Ordering::Relaxed);
    COUNTS.store(true, Ordering::SeqCst);
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
