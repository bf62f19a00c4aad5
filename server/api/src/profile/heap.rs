//! What is allocated and by whom, from a sample of all allocations.
//!
//! Enters: every allocation of the process, through [`Sampled`]. Leaves: a profile of what was allocated and what is
//! still alive. Always holds: before [`watch`] an allocation costs one more read of a flag; afterwards about one in
//! half a megabyte is kept, with its stack; nothing that is allocated in here is itself looked at.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::sync::{LazyLock, Mutex, PoisonError};

/// Allocated bytes from one kept allocation to the next, on each thread.
pub(super) const SAMPLE_BYTES: usize = 512 << 10;
/// Further callers are not told.
const STACK_FRAMES_MAX: usize = 64;
/// Distinct stacks; what comes from further ones is counted without a stack.
const STACKS_MAX: usize = 16 << 10;
/// Slots that tell at once that an address is not kept.
const FILTER_SLOTS: usize = 64 << 10;

static WATCHED: AtomicBool = AtomicBool::new(false);
static FILTER: [AtomicU32; FILTER_SLOTS] = [const { AtomicU32::new(0) }; FILTER_SLOTS];
static KEPT: LazyLock<Mutex<Kept>> = LazyLock::new(Mutex::default);

thread_local! {
    static BYTES_LEFT: Cell<usize> = const { Cell::new(SAMPLE_BYTES) };
    /// In here, where allocations are not looked at.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

type Stack = Vec<usize>;

/// What was kept of the allocations of one stack.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Amounts {
    pub allocated: u64,
    pub allocated_bytes: u64,
    pub alive: u64,
    pub alive_bytes: u64,
}

#[derive(Default)]
struct Kept {
    stacks: HashMap<Stack, Amounts>,
    alive: HashMap<usize, (Stack, usize)>,
}

impl Kept {
    fn allocated(&mut self, address: usize, bytes: usize, stack: Stack) {
        let room = self.stacks.len() < STACKS_MAX || self.stacks.contains_key(&stack);
        let stack = if room { stack } else { Stack::new() };
        let amounts = self.stacks.entry(stack.clone()).or_default();
        amounts.allocated += 1;
        amounts.allocated_bytes += bytes as u64;
        amounts.alive += 1;
        amounts.alive_bytes += bytes as u64;
        self.alive.insert(address, (stack, bytes));
    }

    /// True if it was kept.
    fn freed(&mut self, address: usize) -> bool {
        let Some((stack, bytes)) = self.alive.remove(&address) else {
            return false;
        };
        if let Some(amounts) = self.stacks.get_mut(&stack) {
            amounts.alive -= 1;
            amounts.alive_bytes -= bytes as u64;
        }
        true
    }
}

/// An allocator that is looked at.
pub struct Sampled<A>(pub A);

// SAFETY: every call is handed on as it came, and its answer handed back.
#[expect(unsafe_code, reason = "an allocator is unsafe by its nature")]
unsafe impl<A: GlobalAlloc> GlobalAlloc for Sampled<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let address = unsafe { self.0.alloc(layout) };
        allocated(address, layout.size());
        address
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let address = unsafe { self.0.alloc_zeroed(layout) };
        allocated(address, layout.size());
        address
    }

    unsafe fn realloc(&self, old: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        // Before it is let go: afterwards the address may be somebody else's.
        freed(old);
        let address = unsafe { self.0.realloc(old, layout, bytes) };
        allocated(address, bytes);
        address
    }

    unsafe fn dealloc(&self, address: *mut u8, layout: Layout) {
        freed(address);
        unsafe { self.0.dealloc(address, layout) }
    }
}

/// From now on allocations are looked at, until the process ends.
pub fn watch() {
    LazyLock::force(&KEPT);
    WATCHED.store(true, Relaxed);
}

pub(super) fn is_watched() -> bool {
    WATCHED.load(Relaxed)
}

#[inline]
fn allocated(address: *mut u8, bytes: usize) {
    if WATCHED.load(Relaxed) && !address.is_null() && is_due(bytes) {
        keep(address as usize, bytes);
    }
}

#[inline]
fn freed(address: *mut u8) {
    if WATCHED.load(Relaxed) && slot(address as usize).load(Relaxed) > 0 {
        forget(address as usize);
    }
}

fn is_due(bytes: usize) -> bool {
    // A thread that is ending has no cell any more, and is not looked at.
    let due = BYTES_LEFT.try_with(|left| match left.get().checked_sub(bytes) {
        Some(less) => {
            left.set(less);
            false
        }
        None => {
            left.set(SAMPLE_BYTES);
            true
        }
    });
    due.unwrap_or(false)
}

#[cold]
fn keep(address: usize, bytes: usize) {
    inside(|| {
        let stack = stack();
        let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
        kept.allocated(address, bytes, stack);
        slot(address).fetch_add(1, Relaxed);
    });
}

#[cold]
fn forget(address: usize) {
    inside(|| {
        let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.freed(address) {
            slot(address).fetch_sub(1, Relaxed);
        }
    });
}

/// What happens in here allocates, too; that is left alone.
fn inside<T>(work: impl FnOnce() -> T) -> Option<T> {
    let entered = INSIDE.try_with(|inside| !inside.replace(true)).unwrap_or(false);
    let done = entered.then(work);
    if entered {
        // The cell was there a moment ago.
        let _ = INSIDE.try_with(|inside| inside.set(false));
    }
    done
}

/// Addresses of allocations are multiples of sixteen.
fn slot(address: usize) -> &'static AtomicU32 {
    &FILTER[(address >> 4).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48]
}

fn stack() -> Stack {
    let mut stack = Vec::with_capacity(STACK_FRAMES_MAX);
    backtrace::trace(|frame| {
        stack.push(frame.ip() as usize);
        stack.len() < STACK_FRAMES_MAX
    });
    stack
}

/// What was kept so far.
pub(super) fn kept() -> Vec<(Stack, Amounts)> {
    let copy = || {
        let kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
        kept.stacks
            .iter()
            .map(|(stack, amounts)| (stack.clone(), *amounts))
            .collect()
    };
    inside(copy).unwrap_or_default()
}

impl Amounts {
    /// As many as there were of all, kept or not, in the order of a profile's columns: an allocation of some size is
    /// kept with a probability that follows from it (Go's runtime/pprof, scaleHeapSample).
    pub fn scaled(&self) -> [i64; 4] {
        let of = |count: u64, bytes: u64| {
            if count == 0 {
                return [0, 0];
            }
            let mean_bytes = bytes as f64 / count as f64;
            let scale = 1.0 / (1.0 - (-mean_bytes / SAMPLE_BYTES as f64).exp());
            [(count as f64 * scale) as i64, (bytes as f64 * scale) as i64]
        };
        let [allocated, allocated_bytes] = of(self.allocated, self.allocated_bytes);
        let [alive, alive_bytes] = of(self.alive, self.alive_bytes);
        [allocated, allocated_bytes, alive, alive_bytes]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_freed_was_allocated_and_is_alive_no_more() {
        let mut kept = Kept::default();
        kept.allocated(16, 100, vec![1, 2]);
        kept.allocated(32, 50, vec![1, 2]);
        assert!(kept.freed(16) && !kept.freed(16));
        let amounts = kept.stacks[&vec![1, 2]];
        assert_eq!((amounts.allocated, amounts.allocated_bytes), (2, 150));
        assert_eq!((amounts.alive, amounts.alive_bytes), (1, 50));
    }

    #[test]
    fn a_small_allocation_stands_for_many_and_a_large_one_for_itself() {
        let of = |bytes| Amounts {
            allocated: 1,
            allocated_bytes: bytes,
            ..Amounts::default()
        };
        let [small, small_bytes, alive, _] = of(1 << 10).scaled();
        assert!(
            (500..530).contains(&small) && small_bytes > 512 << 10 && alive == 0,
            "{small}"
        );
        assert_eq!(of(64 << 20).scaled()[..2], [1, 64 << 20]);
    }
}
