//! What many cases gave, by fork.

use std::collections::BTreeMap;
use std::fmt;

use crate::case::Case;
use crate::check::{Passed, check};
use crate::common::path::Path;

/// Cases that are known not to come out as their files say: part of the name, how many of them there are, what is seen.
///
/// EIP-7610: they create a contract at an address without code and nonce that has storage. The files want a collision;
/// revm (43.0) looks at code and nonce only, and lets the new contract start with empty storage. There is no such
/// account on the main network and none can come into being, so the two rules cannot be told apart there.
const STORAGE_ONLY: [(&str, usize); 5] = [
    ("stSStoreTest/InitCollisionParis.json", 4),
    ("stCreate2/RevertInCreateInInitCreate2Paris.json", 1),
    ("stCreate2/create2collisionStorageParis.json", 3),
    ("stExtCodeHash/dynamicAccountOverwriteEmpty_Paris.json", 1),
    ("stRevertTest/RevertInCreateInInit_Paris.json", 1),
];

/// Constantinople without Petersburg's correction: it never was on the main network, and revm does not have it.
const NOT_IN_REVM: &str = "Constantinople";

/// The cases of one fork.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Executed, with the state and the logs that the file has.
    pub(crate) executed: usize,
    /// Invalid transactions that were rejected for the right reason.
    pub(crate) rejected: usize,
    /// Known not to come out right: see [`STORAGE_ONLY`].
    pub(crate) storage_only: usize,
    /// Cases of a fork that revm does not have.
    pub(crate) no_such_fork: usize,
}

/// What many cases gave.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) forks: BTreeMap<String, Counts>,
    /// Which cases came out wrong, and how.
    pub(crate) failed: Vec<String>,
}

impl Report {
    /// Runs a case and counts how it went.
    pub(crate) fn run(&mut self, case: &Case, path: &Path) {
        let outcome = check(case, path);
        let counts = self.forks.entry(case.fork.clone()).or_default();
        let storage_only = STORAGE_ONLY.iter().any(|(file, _)| case.name.starts_with(file));
        match outcome {
            Ok(_) if storage_only || case.fork == NOT_IN_REVM => {
                self.failed.push(format!("{}: passes, and is said not to", case.name));
            }
            Ok(Passed::Executed) => counts.executed += 1,
            Ok(Passed::Rejected) => counts.rejected += 1,
            Err(error) if storage_only && error.starts_with("state root") => counts.storage_only += 1,
            Err(_) if case.env.is_none() && case.fork == NOT_IN_REVM => counts.no_such_fork += 1,
            Err(error) => self.failed.push(format!("{}, {path}: {error}", case.name)),
        }
    }

    /// How many cases are known not to come out right.
    pub(crate) fn storage_only() -> usize {
        STORAGE_ONLY.iter().map(|(_, cases)| cases).sum()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (fork, counts) in &self.forks {
            let Counts { executed, rejected, storage_only, no_such_fork } = counts;
            write!(f, "{fork}: {executed} executed, {rejected} rejected")?;
            for (number, what) in [(storage_only, "with EIP-7610"), (no_such_fork, "of a fork that revm does not have")]
            {
                if *number > 0 {
                    write!(f, ", {number} {what}")?;
                }
            }
            writeln!(f)?;
        }
        write!(f, "{} failed", self.failed.len())
    }
}
