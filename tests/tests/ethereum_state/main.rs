//! Ethereum's state tests on weft's paths.

#[path = "../../../evm/tests/common/mod.rs"]
mod common;

mod archive;
mod case;
mod check;
mod path;
mod root;

use std::collections::BTreeMap;
use std::io::Write;

use case::Case;
use path::Path;

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    archive::json_files(archive::open(), |path, text| cases.extend(case::read(path, text).unwrap())).unwrap();
    cases
}

#[test]
#[ignore = "needs ../shared"]
fn every_case_on_its_own() {
    let start = std::time::Instant::now();
    let cases = cases();
    writeln!(std::io::stdout(), "read {} in {:?}", cases.len(), start.elapsed()).unwrap();
    let mut counts = BTreeMap::<String, [usize; 3]>::new();
    let mut slow = Vec::new();
    for case in &cases {
        let start = std::time::Instant::now();
        let r = check::check(case, Path::Parallel { threads: 1, unit_length: 1 });
        slow.push((start.elapsed(), &case.name));
        let c = counts.entry(case.fork.clone()).or_default();
        match r {
            Ok(check::Passed::Executed) => c[0] += 1,
            Ok(check::Passed::Rejected) => c[1] += 1,
            Err(e) => {
                c[2] += 1;
                writeln!(std::io::stdout(), "FAILED {}: {e}", case.name).unwrap();
            }
        }
    }
    slow.sort();
    for s in slow.iter().rev().take(40) {
        writeln!(std::io::stdout(), "{s:?}").unwrap();
    }
    writeln!(std::io::stdout(), "{counts:?} {:?}", start.elapsed()).unwrap();
}
