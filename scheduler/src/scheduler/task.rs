//! What workers are given to do, and the rights that they hold meanwhile.

use crate::status::Word;

/// The right to execute a unit. Given back by [`finish_execution`](super::Scheduler::finish_execution),
/// [`suspend`](super::Scheduler::suspend) or [`defer`](super::Scheduler::defer).
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a unit that is claimed and not given back never finishes"]
pub struct Execution {
    pub(super) unit: u32,
    pub(super) incarnation: u32,
}

impl Execution {
    /// The unit to execute.
    pub fn unit(&self) -> u32 {
        self.unit
    }

    /// How often the unit was aborted before: 0 for its first execution.
    pub fn incarnation(&self) -> u32 {
        self.incarnation
    }
}

/// The right to validate what a unit has read. Given back by [`confirm`](super::Scheduler::confirm) or
/// [`abort`](super::Scheduler::abort).
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a validation that is not settled keeps its unit from committing"]
pub struct Validation {
    pub(super) unit: u32,
    pub(super) claimed: Word,
}

impl Validation {
    /// The unit to validate.
    pub fn unit(&self) -> u32 {
        self.unit
    }
}

/// The right to turn the writes of an aborted unit into estimates. Given back by
/// [`finish_abort`](super::Scheduler::finish_abort).
#[derive(Debug)]
#[must_use = "an abort that is not finished keeps its unit from running again"]
pub struct Abort {
    pub(super) unit: u32,
    pub(super) incarnation: u32,
}

/// What a worker is to do next.
#[derive(Debug, PartialEq, Eq)]
pub enum Task {
    /// Execute a unit.
    Execute(Execution),
    /// Validate what a unit has read.
    Validate(Validation),
}

/// What the worker that has finished an execution should do itself, because its caches are warm: first the
/// validation, then the execution.
#[derive(Debug, Default)]
#[must_use = "what is handed over and not done is never done"]
pub struct HandOff {
    /// The validation of the unit that was just executed.
    pub validation: Option<Validation>,
    /// A unit that was waiting for it.
    pub execution: Option<Execution>,
}
