//! A value for tests that need none in particular.

use weft_mvmemory::{NoDelta, OutOfBounds, Value};

/// Says nothing, and nothing can be added to it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Nothing;

impl Value for Nothing {
    type Delta = NoDelta;

    fn apply(_: Option<&Self>, delta: &NoDelta) -> Result<Self, OutOfBounds> {
        match *delta {}
    }

    fn combine(first: &NoDelta, _: &NoDelta) -> Result<NoDelta, OutOfBounds> {
        match *first {}
    }
}
