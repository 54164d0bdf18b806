//! The memory of one run, and the only unsafe code of this crate.
//!
//! Why it cannot be avoided: the machine's address translation works on raw host memory, so every constructor of
//! `MemoryMapping` is unsafe. Everything else that touches a contract's memory goes through the translation, which
//! checks each access.

use std::cell::RefCell;
use std::ptr::{self, NonNull};

use solana_sbpf::ebpf::{MM_BYTECODE_START, MM_HEAP_START, MM_INPUT_START, MM_STACK_START};
use solana_sbpf::error::{EbpfError, ProgramResult};
use solana_sbpf::memory_region::{AccessType, MemoryMapping, MemoryRegion};
use solana_sbpf::vm::CallFrame;

use super::program::{CALL_FRAMES, ProgramRef, STACK_FRAME_BYTES};

/// Bytes of the stack: all frames.
const STACK_BYTES: usize = CALL_FRAMES * STACK_FRAME_BYTES;
/// Bytes of the heap.
const HEAP_BYTES: usize = 32 * 1024;
/// The stack and the heap grow by no less than this.
const GROWTH: usize = 4096;
/// Where the stack and the heap are among the regions of a mapping, which are in the order of their addresses.
const STACK_REGION: usize = 2;
const HEAP_REGION: usize = 3;
/// Buffers that a thread keeps: one for each contract of a full chain of calls.
const POOLED: usize = 64;
/// An input buffer larger than this is not kept.
const POOLED_INPUT: usize = 64 * 1024;

/// What a run needs of the host's memory; reused by the thread's next run.
///
/// In a pooled one every byte of the stack and of the heap is zero. These are `Vec`s, not boxes, because moving a `Vec`
/// leaves pointers into it valid in every model of aliasing.
#[derive(Default)]
struct Buffers {
    stack: Vec<u8>,
    heap: Vec<u8>,
    input: Vec<u8>,
    frames: Vec<CallFrame>,
}

thread_local! {
    static POOL: RefCell<Vec<Buffers>> = const { RefCell::new(Vec::new()) };
}

impl Buffers {
    fn take() -> Self {
        let pooled = POOL.try_with(|pool| pool.borrow_mut().pop()).ok().flatten();
        pooled.unwrap_or_else(|| Self { stack: vec![0; STACK_BYTES], heap: vec![0; HEAP_BYTES], ..Self::default() })
    }

    /// Zeroes what was mapped and keeps the buffers.
    fn give_back(mut self, stack_used: usize, heap_used: usize) {
        self.stack[..stack_used].fill(0);
        self.heap[..heap_used].fill(0);
        if self.input.capacity() > POOLED_INPUT {
            self.input = Vec::new();
        }
        // At the end of the thread there is no pool any more.
        let _ = POOL.try_with(|pool| {
            let mut pool = pool.borrow_mut();
            if pool.len() < POOLED {
                pool.push(self);
            }
        });
    }
}

/// The memory of one run: read-only data, stack, heap and input.
///
/// The stack and the heap are mapped as far as they were used: the access violation handler maps more. Of 288 KiB only
/// that part has to be zeroed when the run is over.
pub(super) struct Memory {
    mapping: MemoryMapping,
    // What the mapping points to; hence private, and dropped after it.
    buffers: Buffers,
    _program: ProgramRef,
}

impl Memory {
    /// Memory for a run of `program` on `input`; stack and heap are all zero.
    ///
    /// # Errors
    /// When the regions overlap, which they do not.
    pub(super) fn new(program: ProgramRef, input: &[u8]) -> Result<Self, EbpfError> {
        let mut buffers = Buffers::take();
        buffers.input.clear();
        buffers.input.extend_from_slice(input);
        let stack: *mut [u8] = buffers.stack.as_mut_slice();
        let heap: *mut [u8] = buffers.heap.as_mut_slice();
        let executable = program.executable();
        let regions = vec![
            executable.get_ro_region(),
            // Code cannot be read.
            MemoryRegion::new_empty(MM_BYTECODE_START),
            MemoryRegion::new(prefix(stack, STACK_FRAME_BYTES), MM_STACK_START),
            MemoryRegion::new(prefix(heap, 0), MM_HEAP_START),
            MemoryRegion::new(ptr::from_ref(buffers.input.as_slice()), MM_INPUT_START),
        ];
        let grow = move |region: &mut MemoryRegion, _: u64, _: AccessType, address: u64, bytes: u64| {
            let start = region.vm_addr_range().start;
            let whole = match start {
                MM_STACK_START => stack,
                MM_HEAP_START => heap,
                _ => return,
            };
            let end = address.checked_sub(start).and_then(|offset| offset.checked_add(bytes));
            let Some(end) = end.and_then(|end| usize::try_from(end).ok()).filter(|end| *end <= whole.len()) else {
                return;
            };
            let mapped = end.max(region.len().saturating_mul(2)).next_multiple_of(GROWTH).min(whole.len());
            // SAFETY: as below: the region becomes a longer part of the same buffer.
            unsafe {
                region.redirect(prefix(whole, mapped));
            }
        };
        // SAFETY: every region, those of `grow` included, points into memory that `Memory` owns: the buffers, and the
        // ELF file inside the program that `_program` keeps alive. None of it moves while the mapping exists, though
        // `Memory` itself may: the bytes are on the heap, nobody resizes the vectors, and nobody creates references
        // into them before the run is over. Fields are private and `mapping` is never lent out, so that no mapping
        // can outlive what it points to; it is also the first field, hence dropped first. Writable regions are plain
        // bytes: any value is valid. Stack and heap are different buffers, so the regions do not overlap.
        let mapping = unsafe {
            MemoryMapping::new_with_access_violation_handler(
                regions,
                executable.get_config(),
                executable.get_sbpf_version(),
                Box::new(grow),
            )
        }?;
        Ok(Self { mapping, buffers, _program: program })
    }

    /// What the machine wants to have of it.
    pub(super) fn mapping_ptr(&mut self) -> NonNull<MemoryMapping> {
        NonNull::from_mut(&mut self.mapping)
    }

    /// The frames that the interpreter needs, to be given back.
    pub(super) fn take_frames(&mut self) -> Vec<CallFrame> {
        let mut frames = std::mem::take(&mut self.buffers.frames);
        frames.resize_with(CALL_FRAMES, CallFrame::default);
        frames
    }

    /// Keeps the frames for the next run. Their contents do not matter: a call writes its frame before anybody reads.
    pub(super) fn give_frames(&mut self, frames: Vec<CallFrame>) {
        self.buffers.frames = frames;
    }

    /// Appends `bytes` bytes at `address` to `into`.
    ///
    /// # Errors
    /// An access violation; what was read before stays in `into`.
    pub(super) fn read(&mut self, address: u64, bytes: u64, into: &mut impl Extend<u8>) -> Result<(), EbpfError> {
        let mut at = 0;
        while at < bytes {
            // No access is answered for an address that wrapped around: the last region ends far below.
            let (from, left) = (address.wrapping_add(at), bytes - at);
            if left >= 8 {
                into.extend(self.load::<u64>(from)?.to_le_bytes());
                at += 8;
            } else {
                into.extend([self.load::<u8>(from)? as u8]);
                at += 1;
            }
        }
        Ok(())
    }

    /// The 32 bytes at `address`.
    ///
    /// # Errors
    /// An access violation.
    pub(super) fn read_32(&mut self, address: u64) -> Result<[u8; 32], EbpfError> {
        let mut bytes = [0; 32];
        for (at, part) in (0..).step_by(8).zip(bytes.as_chunks_mut::<8>().0) {
            *part = self.load::<u64>(address.wrapping_add(at))?.to_le_bytes();
        }
        Ok(bytes)
    }

    /// Writes `bytes` at `address`.
    ///
    /// # Errors
    /// An access violation; a part may be written.
    pub(super) fn write(&mut self, address: u64, bytes: &[u8]) -> Result<(), EbpfError> {
        let (words, rest) = bytes.as_chunks::<8>();
        let mut to = address;
        for word in words {
            result(self.mapping.store(u64::from_le_bytes(*word), to))?;
            to = to.wrapping_add(8);
        }
        for byte in rest {
            result(self.mapping.store(*byte, to))?;
            to = to.wrapping_add(1);
        }
        Ok(())
    }

    fn load<T: solana_sbpf::aligned_memory::Pod + Into<u64>>(&mut self, address: u64) -> Result<u64, EbpfError> {
        result(self.mapping.load::<T>(address))
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        let used = |region: usize| self.mapping.get_regions().get(region).map_or(usize::MAX, MemoryRegion::len);
        let (stack, heap) = (used(STACK_REGION).min(STACK_BYTES), used(HEAP_REGION).min(HEAP_BYTES));
        std::mem::take(&mut self.buffers).give_back(stack, heap);
    }
}

/// The first `bytes` bytes of a buffer.
fn prefix(buffer: *mut [u8], bytes: usize) -> *mut [u8] {
    ptr::slice_from_raw_parts_mut(buffer.cast::<u8>(), bytes.min(buffer.len()))
}

fn result(result: ProgramResult) -> Result<u64, EbpfError> {
    match result {
        ProgramResult::Ok(value) => Ok(value),
        ProgramResult::Err(error) => Err(error),
    }
}
