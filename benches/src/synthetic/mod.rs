//! What the engine itself costs: a synthetic transaction whose work is adjustable in time, in blocks of adjustable
//! conflict, against sequential execution of the same block on the same engine.
//!
//! A transaction reads four keys, computes for as long as it is told, and writes three; what it writes depends on all
//! that it has read, so that a stale read shows in every result after it. The state below is computed from the key: no
//! storage is measured.

mod break_even;
mod measure;
mod pattern;
mod vm;
mod work;

pub use break_even::{BreakEven, Point, break_even};
pub use measure::{Case, Contender, DiffersError, Figures, MeasureError, Measurement, Plan, Target, measure};
pub use pattern::{Block, Pattern, UnknownPattern};
pub use vm::{Base, Number, Synthetic, Transaction};
pub use work::{Calibration, spin};
