//! Random blocks of contracts that decide by what they see, under every fork: in parallel, with any number of threads
//! and any length of units, they come out as one after another. `PROPTEST_CASES` says how many.

#[path = "../common/mod.rs"]
mod common;

mod asm;
mod program;
mod scene;
mod strategy;

use std::sync::LazyLock;

use common::path::Path;
use proptest::prelude::*;
use scene::Stage;
use strategy::scene;

static PATHS: LazyLock<Vec<Path>> = LazyLock::new(|| {
    let parallel = [1, 2, 4].into_iter().flat_map(|threads| [1, 3, 8].map(|units| Path::parallel(threads, units)));
    std::iter::once(Path::Sequential).chain(parallel).collect()
});

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
}
