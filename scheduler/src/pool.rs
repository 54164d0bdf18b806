//! A pool of worker threads that is kept between blocks: starting a job costs a wake-up, never a spawn.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;

use parking_lot::{Condvar, Mutex};

/// What all workers run, with the number of the worker.
type Job = dyn Fn(usize) + Sync;
type Panic = Box<dyn std::any::Any + Send>;

/// A job, with its lifetime erased: see [`WorkerPool::run`].
#[derive(Clone, Copy)]
struct ErasedJob(*const (dyn Fn(usize) + Sync + 'static));

// SAFETY: the pointee is `Sync`, so it may be used from any thread; `WorkerPool::run` keeps it alive while any worker
// can reach it.
unsafe impl Send for ErasedJob {}

struct State {
    /// The job that runs, and how many workers it is for.
    job: Option<(ErasedJob, usize)>,
    /// Counts the jobs, so that a worker runs each of them once.
    epoch: u64,
    /// Workers that have not finished the job.
    running: usize,
    panic: Option<Panic>,
    closing: bool,
}

struct Shared {
    state: Mutex<State>,
    start: Condvar,
    done: Condvar,
}

/// Threads that run one job after another, the caller's own thread among them.
///
/// ```
/// use std::sync::atomic::{AtomicUsize, Ordering};
/// let pool = weft_scheduler::WorkerPool::new(4);
/// let sum = AtomicUsize::new(0);
/// pool.run(4, |worker| {
///     sum.fetch_add(worker, Ordering::Relaxed);
/// });
/// assert_eq!(sum.into_inner(), 0 + 1 + 2 + 3);
/// ```
pub struct WorkerPool {
    shared: Arc<Shared>,
    /// One job at a time.
    turn: Mutex<()>,
    threads: Vec<JoinHandle<()>>,
}

impl WorkerPool {
    /// A pool of `workers` workers (at least one). The caller of [`run`](Self::run) is worker 0, so `workers - 1`
    /// threads are started.
    ///
    /// # Panics
    /// When the operating system refuses a thread.
    #[must_use]
    pub fn new(workers: usize) -> Self {
        let shared = Arc::new(Shared {
            state: Mutex::new(State { job: None, epoch: 0, running: 0, panic: None, closing: false }),
            start: Condvar::new(),
            done: Condvar::new(),
        });
        let threads = (1..workers.max(1))
            .map(|worker| {
                let shared = Arc::clone(&shared);
                std::thread::Builder::new()
                    .name(format!("weft-{worker}"))
                    // A Vm may recurse as deeply as it could on a main thread.
                    .stack_size(8 << 20)
                    .spawn(move || work(&shared, worker))
                    .expect("the operating system gives the pool its threads")
            })
            .collect();
        Self { shared, turn: Mutex::new(()), threads }
    }

    /// Number of workers, the caller's thread included.
    #[must_use]
    pub fn workers(&self) -> usize {
        self.threads.len() + 1
    }

    /// Runs `job` once on each of the first `workers` workers (at most all of them), on this thread as worker 0, and
    /// returns when all have finished. Jobs of several callers run one after another; a job must not start another
    /// one on the same pool.
    ///
    /// # Panics
    /// When `job` panics on any worker: with that panic, after all workers have finished. When it is called from within
    /// a job of the same pool, which would wait for itself.
    pub fn run<'job>(&self, workers: usize, job: impl Fn(usize) + Sync + 'job) {
        let pool = Arc::as_ptr(&self.shared).addr();
        let is_inside = INSIDE.with_borrow(|pools| pools.contains(&pool));
        assert!(!is_inside, "a job must not start another one on its own pool");
        let _inside = Inside::enter(pool);
        let helpers = workers.clamp(1, self.workers()) - 1;
        if helpers == 0 {
            job(0);
            return;
        }
        let _turn = self.turn.lock();
        let job: &(dyn Fn(usize) + Sync + 'job) = &job;
        // SAFETY: only the lifetime changes. Workers use the pointer only between the start of this job and their
        // decrement of `running`, and this function does not return, nor unwind, before `running` is 0 again (its own
        // call of the job is caught); then `job` is still alive.
        let erased = ErasedJob(unsafe { std::mem::transmute::<*const (dyn Fn(usize) + Sync + 'job), *const Job>(job) });
        {
            let mut state = self.shared.state.lock();
            state.job = Some((erased, helpers));
            state.epoch += 1;
            state.running = helpers;
        }
        self.shared.start.notify_all();
        let own = catch_unwind(AssertUnwindSafe(|| job(0)));
        let mut state = self.shared.state.lock();
        while state.running > 0 {
            self.shared.done.wait(&mut state);
        }
        state.job = None;
        let theirs = state.panic.take();
        drop(state);
        if let Some(panic) = own.err().or(theirs) {
            resume_unwind(panic);
        }
    }

    /// Calls `each` for every index below `count`, on the first `workers` workers; indices are claimed `chunk` at a
    /// time, in order.
    pub fn for_each(&self, workers: usize, count: usize, chunk: usize, each: impl Fn(usize) + Sync) {
        use std::sync::atomic::{AtomicUsize, Ordering};
        let chunk = chunk.max(1);
        let next = AtomicUsize::new(0);
        self.run(workers.min(count.div_ceil(chunk)), |_| {
            loop {
                // Relaxed: only the claim has to be unique; the end of the job publishes the results.
                let from = next.fetch_add(chunk, Ordering::Relaxed);
                if from >= count {
                    return;
                }
                (from..count.min(from + chunk)).for_each(&each);
            }
        });
    }
}

std::thread_local! {
    /// The pools whose jobs this thread runs, one within the other: their addresses.
    static INSIDE: std::cell::RefCell<Vec<usize>> = const { std::cell::RefCell::new(Vec::new()) };
}

/// While it lives, this thread is inside a job of a pool.
struct Inside;

impl Inside {
    fn enter(pool: usize) -> Self {
        INSIDE.with_borrow_mut(|pools| pools.push(pool));
        Self
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        INSIDE.with_borrow_mut(Vec::pop);
    }
}

fn work(shared: &Arc<Shared>, worker: usize) {
    let _inside = Inside::enter(Arc::as_ptr(shared).addr());
    let mut seen = 0;
    let mut state = shared.state.lock();
    loop {
        match state.job {
            _ if state.closing => return,
            Some((job, helpers)) if state.epoch != seen => {
                seen = state.epoch;
                if worker > helpers {
                    continue;
                }
                drop(state);
                let result = catch_unwind(AssertUnwindSafe(|| {
                    // SAFETY: `run` keeps the job alive until we have decremented `running` below.
                    let job = unsafe { &*job.0 };
                    job(worker);
                }));
                state = shared.state.lock();
                if let Err(panic) = result {
                    state.panic.get_or_insert(panic);
                }
                state.running -= 1;
                if state.running == 0 {
                    shared.done.notify_one();
                }
            }
            _ => shared.start.wait(&mut state),
        }
    }
}

impl Drop for WorkerPool {
    fn drop(&mut self) {
        self.shared.state.lock().closing = true;
        self.shared.start.notify_all();
        for thread in self.threads.drain(..) {
            // A worker catches every panic of a job; it cannot fail otherwise.
            let _ = thread.join();
        }
    }
}

impl std::fmt::Debug for WorkerPool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WorkerPool").field("workers", &self.workers()).finish_non_exhaustive()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn every_index_is_visited_once() {
        let pool = WorkerPool::new(3);
        for count in [0, 1, 7, 1000] {
            let visits: Vec<AtomicUsize> = (0..count).map(|_| AtomicUsize::new(0)).collect();
            pool.for_each(3, count, 4, |i| {
                visits[i].fetch_add(1, Ordering::Relaxed);
            });
            assert!(visits.iter().all(|v| v.load(Ordering::Relaxed) == 1));
        }
    }

    /// Field notes, bug 11: a panic in one worker neither strands the others nor is swallowed.
    #[test]
    fn a_panic_reaches_the_caller_and_the_pool_lives_on() {
        let pool = WorkerPool::new(3);
        for guilty in 0..3 {
            let caught = catch_unwind(AssertUnwindSafe(|| {
                pool.run(3, |worker| assert_ne!(worker, guilty, "worker {worker} gives up"));
            }));
            let message = caught.expect_err("the panic is passed on");
            let message = message.downcast_ref::<String>().expect("a formatted message");
            assert!(message.contains(&format!("worker {guilty} gives up")), "{message}");
        }
        let count = AtomicUsize::new(0);
        pool.run(3, |_| {
            count.fetch_add(1, Ordering::Relaxed);
        });
        assert_eq!(count.into_inner(), 3);
    }

    #[test]
    fn a_job_that_starts_another_one_is_told_so() {
        let pool = WorkerPool::new(2);
        let nested = catch_unwind(AssertUnwindSafe(|| pool.run(2, |_| pool.run(1, |_| {}))));
        assert!(nested.is_err(), "it would wait for itself");
        // Another pool's job is another matter, and this one is as good as before.
        pool.run(2, |_| WorkerPool::new(2).run(2, |_| {}));
        let within =
            catch_unwind(AssertUnwindSafe(|| pool.run(1, |_| WorkerPool::new(1).run(1, |_| pool.run(1, |_| {})))));
        assert!(within.is_err(), "it would wait for itself, from within another pool's job");
    }

    #[test]
    fn callers_take_turns() {
        let pool = WorkerPool::new(2);
        let count = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        pool.run(2, |_| {
                            count.fetch_add(1, Ordering::Relaxed);
                        });
                    }
                });
            }
        });
        assert_eq!(count.into_inner(), 3 * 50 * 2);
    }
}
