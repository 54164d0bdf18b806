//! Random blocks of contracts that decide by what they see, under every fork: in parallel, with any number of threads
//! and any length of units, they come out as one after another. `PROPTEST_CASES` says how many.

#[path = "../common/mod.rs"]
mod common;

mod coverage;
mod program;
mod scene;
mod strategy;

use std::sync::LazyLock;

use common::oracle;
use common::path::{Path, Refused};
use proptest::prelude::*;
use revm::context::result::EVMError;
use scene::Stage;
use strategy::{long_scene, scene};

static PATHS: LazyLock<Vec<Path>> = LazyLock::new(|| {
    let parallel = [1, 2, 4].into_iter().flat_map(|threads| [1, 3, 8].map(|units| Path::parallel(threads, units)));
    let others = [Path::Sequential, Path::not_divided(), Path::prefetching(2, 2, 3)];
    others.into_iter().chain(parallel).chain(alternating().take(2)).collect()
});

static ALTERNATING: LazyLock<Vec<Path>> = LazyLock::new(|| alternating().collect());

/// Paths on which parallel stretches are never worth it, always, or as it comes. A last one that is shorter than a trial
/// is not judged: the block ends with it.
fn alternating() -> impl Iterator<Item = Path> {
    let trials = [(1, 1, u32::MAX), (3, 2, u32::MAX), (1, 1, 0), (1, 3, u32::MAX), (1, 1, 100), (2, 1, 60)];
    trials.into_iter().map(|(units, length, percent)| Path::alternating(units, length, percent))
}

proptest! {
    #[test]
    fn every_path_gives_what_one_transaction_after_another_gives(scene in scene()) {
        let block = Stage::new(&scene).block(&scene.actions);
        for path in PATHS.iter() {
            if let Err(difference) = block.check(path) {
                return Err(TestCaseError::fail(difference));
            }
        }
    }

    #[test]
    fn parallel_stretches_and_sequential_ones_take_over_from_each_other(scene in long_scene()) {
        let block = Stage::new(&scene).block(&scene.actions);
        for path in ALTERNATING.iter() {
            if let Err(difference) = block.check(path) {
                return Err(TestCaseError::fail(difference));
            }
        }
    }

    /// The transactions have the nonces of a block in which all are valid. In the order in which they stand here, one is
    /// missing, and those that needed it are invalid.
    #[test]
    fn every_path_names_the_same_invalid_transaction(scene in scene(), without in any::<proptest::sample::Index>()) {
        let stage = Stage::new(&scene);
        let mut transactions = stage.block(&scene.actions).into_transactions();
        if !transactions.is_empty() {
            transactions.remove(without.index(transactions.len()));
        }
        let mut world = stage.pre.clone();
        let mut results = Vec::new();
        let mut invalid = None;
        for (index, tx) in transactions.iter().enumerate() {
            match oracle::step(&stage.env, &mut world, tx.clone()) {
                Ok(result) => results.push(result),
                Err(EVMError::Transaction(error)) => {
                    invalid = Some((index, error));
                    break;
                }
                Err(error) => return Err(TestCaseError::fail(format!("{error:?}"))),
            }
        }
        for path in PATHS.iter() {
            match (path.execute(&stage.env, &stage.pre, &transactions), &invalid) {
                (Ok(outcome), None) => prop_assert_eq!(&outcome.results, &results, "{}", path),
                (Err(Refused::Invalid(index, error)), Some(expected)) => {
                    prop_assert_eq!(&(index, error), expected, "{}", path);
                }
                (Ok(_), Some(expected)) => prop_assert!(false, "{}: not refused: {:?}", path, expected),
                (Err(refused), _) => prop_assert!(false, "{}: {}, expected {:?}", path, refused, invalid),
            }
        }
    }
}
