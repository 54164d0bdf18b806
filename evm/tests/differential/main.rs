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
use revm::primitives::hardfork::SpecId;
use scene::Stage;
use strategy::scene;

static PATHS: LazyLock<Vec<Path>> = LazyLock::new(|| {
    let parallel = [1, 2, 4].into_iter().flat_map(|threads| [1, 3, 8].map(|units| Path::parallel(threads, units)));
    std::iter::once(Path::Sequential).chain(parallel).collect()
});

/// Before EIP-161 an account that is destroyed and one that is there without anything are not the same, and a journal
/// that is kept from one transaction to the next does not tell them apart: plain revm counts from there on.
fn paths(spec: SpecId) -> impl Iterator<Item = &'static Path> {
    let keeps_journal = spec.is_enabled_in(SpecId::SPURIOUS_DRAGON);
    PATHS.iter().filter(move |path| keeps_journal || !matches!(path, Path::Sequential))
}

proptest! {
    #[test]
    fn every_path_gives_what_one_transaction_after_another_gives(scene in scene()) {
        let block = Stage::new(&scene).block(&scene.actions);
        for path in paths(scene.spec) {
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
        for path in paths(scene.spec) {
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
