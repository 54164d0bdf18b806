//! Asking for cache lines before they are needed, without waiting for them.

#![expect(unsafe_code, reason = "prefetching is an intrinsic; it reads nothing that the program could see")]

/// Bytes of a cache line.
#[cfg(target_arch = "x86_64")]
const LINE: usize = 64;

/// Asks for all cache lines of `value`, on x86-64. Elsewhere nothing happens: Rust has no stable intrinsic for it there, and to
/// read what others may be writing is no substitute.
#[inline]
pub(crate) fn fetch<T>(value: &T) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        let first = std::ptr::from_ref(value).cast::<i8>();
        for line in 0..size_of::<T>().div_ceil(LINE) {
            // SAFETY: the instruction is part of every x86-64 processor. It moves a cache line and has no other effect:
            // no fault whatever the address, and nothing that the memory model calls an access.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(first.wrapping_add(line * LINE)) };
        }
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = value;
}
