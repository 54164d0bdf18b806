//! The analysis of a block: from its accesses to an order by levels, and to where each transaction finds its values.
//!
//! Every change has a place of its own, a *version*, written once. Workers therefore share nothing that changes, and
//! nothing has to be merged between levels. Additions are kept by themselves and summed up, in order, for whoever reads
//! the key next.

use std::hash::Hash;
use std::ops::Range;

use ahash::AHashMap;
use weft_engine::recording::{Access, BlockAccess};

use super::levels::KeyLevels;

/// The number of a value that a key has at some point of the block.
pub(super) type VersionId = u32;

/// No addition comes before.
pub(super) const NONE: u32 = u32::MAX;

/// Where a version comes from.
#[derive(Debug, Clone, Copy)]
pub(super) enum Origin {
    /// From before the block; the key is that of this access.
    Base(u32),
    /// A transaction writes it.
    Written,
    /// The version below, and additions to it: this one and, linked, those before it.
    Sum { below: VersionId, last: u32 },
}

/// What is known of one access beforehand.
#[derive(Debug, Clone, Copy)]
pub(super) struct Planned {
    /// The version that the transaction finds; for an addition the one from before the block, if nobody has written.
    pub(super) before: VersionId,
    /// The version that it writes, or the number of its addition.
    pub(super) after: u32,
}

/// A key at the end of the block.
#[derive(Debug, Clone, Copy)]
pub(super) struct KeyState {
    levels: KeyLevels,
    pub(super) base: VersionId,
    latest: VersionId,
    last_addition: u32,
}

/// What the analysis finds.
#[derive(Debug)]
pub(super) struct Graph {
    /// For each access.
    pub(super) planned: Vec<Planned>,
    /// For each version.
    pub(super) origins: Vec<Origin>,
    /// For each addition the one before it on its key, since the last version; or [`NONE`].
    pub(super) additions: Vec<u32>,
    /// The keys that are written or added to: the versions before and after the block.
    pub(super) changed: Vec<(VersionId, VersionId)>,
    /// The transactions, by level.
    pub(super) order: Vec<u32>,
    /// Where in `order` each level is.
    pub(super) levels: Vec<Range<usize>>,
}

impl Graph {
    /// Analyses a block.
    pub(super) fn new<K: Eq + Hash>(block: &BlockAccess<K>) -> Self {
        let touched = block.all();
        let mut builder = Builder {
            planned: Vec::with_capacity(touched.len()),
            origins: Vec::with_capacity(touched.len() * 2),
            additions: Vec::new(),
        };
        let mut keys: Vec<KeyState> = Vec::with_capacity(touched.len());
        let mut numbers: AHashMap<&K, u32> = AHashMap::with_capacity(touched.len());
        let mut of_transaction: Vec<u32> = Vec::new();
        let mut levels = Vec::with_capacity(block.transactions());
        for transaction in 0..block.transactions() {
            of_transaction.clear();
            let mut level = 0;
            for at in block.range(transaction) {
                let (key, access) = &touched[at];
                let number = *numbers.entry(key).or_insert_with(|| {
                    let base = builder.version(Origin::Base(at as u32));
                    keys.push(KeyState { levels: KeyLevels::default(), base, latest: base, last_addition: NONE });
                    keys.len() as u32 - 1
                });
                of_transaction.push(number);
                level = level.max(keys[number as usize].levels.lowest(*access));
            }
            for (at, &number) in block.range(transaction).zip(&of_transaction) {
                let (access, key) = (touched[at].1, &mut keys[number as usize]);
                key.levels.touch(access, level);
                builder.access(key, access);
            }
            levels.push(level);
        }
        let mut changed = Vec::with_capacity(keys.len());
        for key in &mut keys {
            builder.close_sum(key);
            if key.latest != key.base {
                changed.push((key.base, key.latest));
            }
        }
        let (order, levels) = by_level(&levels);
        let Builder { planned, origins, additions } = builder;
        Self { planned, origins, additions, changed, order, levels }
    }
}

struct Builder {
    planned: Vec<Planned>,
    origins: Vec<Origin>,
    additions: Vec<u32>,
}

impl Builder {
    fn version(&mut self, origin: Origin) -> VersionId {
        self.origins.push(origin);
        self.origins.len() as u32 - 1
    }

    /// Makes a version of what has been added since the last one.
    fn close_sum(&mut self, key: &mut KeyState) {
        if key.last_addition != NONE {
            key.latest = self.version(Origin::Sum { below: key.latest, last: key.last_addition });
            key.last_addition = NONE;
        }
    }

    /// The next access to a key.
    fn access(&mut self, key: &mut KeyState, access: Access) {
        if access == Access::Add {
            self.additions.push(key.last_addition);
            key.last_addition = self.additions.len() as u32 - 1;
            self.planned.push(Planned { before: key.latest, after: key.last_addition });
            return;
        }
        self.close_sum(key);
        let before = key.latest;
        if access.writes() {
            key.latest = self.version(Origin::Written);
        }
        self.planned.push(Planned { before, after: key.latest });
    }
}

/// The transactions by level, in the block's order within one, and where each level begins and ends.
fn by_level(levels: &[u32]) -> (Vec<u32>, Vec<Range<usize>>) {
    let count = levels.iter().max().map_or(0, |highest| *highest as usize + 1);
    let mut next = vec![0_usize; count + 1];
    levels.iter().for_each(|level| next[*level as usize + 1] += 1);
    for level in 0..count {
        next[level + 1] += next[level];
    }
    let ranges = next.windows(2).map(|ends| ends[0]..ends[1]).collect();
    let mut order = vec![0; levels.len()];
    for (transaction, level) in levels.iter().enumerate() {
        let place = &mut next[*level as usize];
        order[*place] = transaction as u32;
        *place += 1;
    }
    (order, ranges)
}

#[cfg(test)]
mod tests {
    use super::super::levels::levels;
    use super::*;
    use proptest::prelude::*;

    fn accesses() -> impl Strategy<Value = Vec<Vec<(u8, Access)>>> {
        let access = prop_oneof![Just(Access::Read), Just(Access::Write), Just(Access::ReadWrite), Just(Access::Add),];
        let transaction = prop::collection::btree_map(0..6_u8, access, 0..4);
        prop::collection::vec(transaction.prop_map(|keys| keys.into_iter().collect()), 0..25)
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_order_is_by_level_and_every_version_comes_from_below(transactions in accesses()) {
            let block: BlockAccess<u8> = transactions.into_iter().collect();
            let (expected, graph) = (levels(&block), Graph::new(&block));
            let mut level_of_version = vec![None; graph.origins.len()];
            let mut seen = Vec::new();
            for (level, range) in graph.levels.iter().enumerate() {
                prop_assert!(graph.order[range.clone()].is_sorted());
                for &transaction in &graph.order[range.clone()] {
                    seen.push(transaction);
                    prop_assert_eq!(expected[transaction as usize] as usize, level);
                    for at in block.range(transaction as usize) {
                        if block.all()[at].1.writes() {
                            level_of_version[graph.planned[at].after as usize] = Some(level);
                        }
                    }
                }
            }
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..block.transactions() as u32).collect::<Vec<_>>());
            for (transaction, level) in expected.iter().enumerate() {
                for at in block.range(transaction) {
                    let before = graph.planned[at].before as usize;
                    if let Origin::Written = graph.origins[before] {
                        prop_assert!(level_of_version[before] < Some(*level as usize));
                    }
                }
            }
        }
    }
}
