//! The values of a block: every version, written once by whoever makes it and read by anybody afterwards.

use std::sync::OnceLock;

use weft_engine::recording::{Access, BlockAccess};
use weft_engine::{Changes, Value, Vm};
use weft_storage::StateReader;

use super::graph::{Graph, NONE, Origin, Planned, VersionId};
use super::view::Failure;

/// One place for a value, one for an addition.
type Place<V> = OnceLock<Option<<V as Vm>::Value>>;
type Addition<V> = OnceLock<<<V as Vm>::Value as Value>::Delta>;

/// The places, kept from block to block.
#[derive(Debug)]
pub struct Places<V: Vm> {
    values: Vec<Place<V>>,
    additions: Vec<Addition<V>>,
}

impl<V: Vm> Default for Places<V> {
    fn default() -> Self {
        Self { values: Vec::new(), additions: Vec::new() }
    }
}

impl<V: Vm> Places<V> {
    /// Empties all places, and makes as many as the block needs.
    pub(super) fn prepare(&mut self, graph: &Graph) {
        self.values.clear();
        self.values.resize_with(graph.origins.len(), OnceLock::new);
        self.additions.clear();
        self.additions.resize_with(graph.additions.len(), OnceLock::new);
    }

    /// Takes back what the last transaction of a block has changed: it turned out not to be part of the block. `before`
    /// are the values that it found where it writes, in the order of its accesses.
    pub(super) fn withdraw(
        &mut self,
        accesses: &[(V::Key, Access)],
        planned: &[Planned],
        before: Vec<Option<V::Value>>,
    ) {
        let mut before = before.into_iter();
        for ((_, access), planned) in accesses.iter().zip(planned) {
            if access.writes() {
                self.values[planned.after as usize] = before.next().map_or_else(OnceLock::new, OnceLock::from);
            } else if *access == Access::Add {
                self.additions[planned.after as usize].take();
            }
        }
    }
}

/// What the transactions of a block work on.
pub(super) struct Versions<'b, V: Vm, R: ?Sized> {
    pub(super) places: &'b Places<V>,
    pub(super) graph: &'b Graph,
    pub(super) block: &'b BlockAccess<V::Key>,
    pub(super) reader: &'b R,
}

impl<V: Vm, R: StateReader<V::Key, V::Value> + ?Sized> Versions<'_, V, R> {
    /// A version, which is made now if it is from before the block, or a sum.
    pub(super) fn value(&self, version: VersionId) -> Result<&Option<V::Value>, Failure> {
        let place = &self.places.values[version as usize];
        if let Some(value) = place.get() {
            return Ok(value);
        }
        match self.graph.origins[version as usize] {
            Origin::Base(access) => {
                let key = &self.block.all()[access as usize].0;
                let value = self.reader.read(key).map_err(Failure::Storage)?;
                Ok(place.get_or_init(|| value))
            }
            Origin::Sum { below, last } => {
                let sum = self.sum(below, last)?;
                Ok(place.get_or_init(|| sum))
            }
            // Whoever writes it is on a level below, and has left it here; unless it did something else than declared.
            Origin::Written => Err(Failure::Undeclared),
        }
    }

    /// A value and what was added to it, in order: each addition meets what it meets sequentially.
    fn sum(&self, below: VersionId, last: u32) -> Result<Option<V::Value>, Failure> {
        let mut links = Vec::new();
        let mut at = last;
        while at != NONE {
            links.push(at);
            at = self.graph.additions[at as usize];
        }
        let mut sum = self.value(below)?.clone();
        for at in links.into_iter().rev() {
            if let Some(delta) = self.places.additions[at as usize].get() {
                sum = Some(V::Value::apply(sum.as_ref(), delta).map_err(|_| Failure::Undeclared)?);
            }
        }
        Ok(sum)
    }

    /// What a transaction found, or would have found, where it writes.
    pub(super) fn before_writes(
        &self,
        accesses: &[(V::Key, Access)],
        planned: &[Planned],
    ) -> Result<Vec<Option<V::Value>>, Failure> {
        let writes = accesses.iter().zip(planned).filter(|((_, access), _)| access.writes());
        writes.map(|(_, planned)| self.value(planned.before).cloned()).collect()
    }

    /// Reads the value from before the block, if `version` is one.
    pub(super) fn load_base(&self, version: VersionId) -> Result<(), Failure> {
        match self.graph.origins[version as usize] {
            Origin::Base(_) => self.value(version).map(drop),
            Origin::Written | Origin::Sum { .. } => Ok(()),
        }
    }

    pub(super) fn set(&self, version: VersionId, value: Option<V::Value>) {
        let first = self.places.values[version as usize].set(value);
        debug_assert!(first.is_ok(), "version {version} is written once");
    }

    pub(super) fn add(&self, addition: u32, delta: <V::Value as Value>::Delta) {
        let first = self.places.additions[addition as usize].set(delta);
        debug_assert!(first.is_ok(), "addition {addition} is made once");
    }

    /// What the block has changed, in ascending order of keys.
    pub(super) fn changes(&self) -> Result<Changes<V>, Failure> {
        let mut changes = Vec::with_capacity(self.graph.changed.len());
        for &(base, latest) in &self.graph.changed {
            let value = self.value(latest)?;
            if value != self.value(base)?
                && let Origin::Base(access) = self.graph.origins[base as usize]
            {
                changes.push((self.block.all()[access as usize].0.clone(), value.clone()));
            }
        }
        changes.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        Ok(changes)
    }
}
