//! The collaborative scheduler of weft, and the pool of workers that it keeps busy.
//!
//! The scheduler gives out units of one block to execute and to validate, keeps track of who waits for whom, and moves
//! the commit frontier. It knows units by their index, never what they read or write; whoever executes them tells it
//! what came of it.
//!
//! ```
//! use std::ops::ControlFlow;
//! use weft_scheduler::{Scheduler, Task};
//!
//! let scheduler = Scheduler::new(3);
//! let mut committed = Vec::new();
//! while let Some(task) = scheduler.next_task() {
//!     match task {
//!         Task::Execute(execution) => {
//!             // ... execute it and publish what it wrote, then:
//!             let hand_off = scheduler.finish_execution(execution, false);
//!             if let Some(validation) = hand_off.validation {
//!                 // ... compare what it read with what it would read now, then:
//!                 assert!(scheduler.confirm(validation));
//!                 scheduler.commit(|unit| {
//!                     committed.push(unit);
//!                     ControlFlow::Continue(())
//!                 });
//!             }
//!         }
//!         Task::Validate(_) => unreachable!("with one worker every validation was handed to it"),
//!     }
//! }
//! assert!(scheduler.is_over());
//! assert_eq!(committed, [0, 1, 2]);
//! ```

#[cfg(any(test, not(loom)))]
mod ahead;
mod canary;
mod dependents;
mod head_start;
mod idle;
mod pool;
mod scheduler;
mod status;
mod sync;
mod unit_set;
mod window;

#[cfg(all(test, loom))]
mod loom_tests;
#[cfg(all(test, not(loom)))]
mod scheduler_tests;

pub use pool::WorkerPool;
pub use scheduler::{Abort, Execution, HandOff, Scheduler, Task, Validation};
