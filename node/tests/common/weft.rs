//! Runs the built binary, and knows what must be true of every run.

#![allow(dead_code, reason = "each test binary uses its part of it")]

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value as Json;

/// A run of `weft` that has ended.
#[derive(Debug)]
pub(crate) struct Ran {
    code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs `weft` in `folder`. However it ends, it ends by itself, and without a panic.
pub(crate) fn weft(folder: &Path, arguments: &[&str]) -> Ran {
    ended(command(folder, arguments).output().unwrap())
}

pub(crate) fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_weft"));
    command.current_dir(folder).args(arguments).env_remove("WEFT_LOG").env_remove("RUST_BACKTRACE");
    command
}

pub(crate) fn ended(output: Output) -> Ran {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let (out, err) = (text(output.stdout), text(output.stderr));
    assert!(!err.contains("panicked"), "{err}");
    let code = output.status.code().unwrap_or_else(|| panic!("ended by a signal: {}, {err}", output.status));
    Ran { code, out, err }
}

impl Ran {
    /// It succeeded.
    #[track_caller]
    pub(crate) fn succeeds(self) -> Self {
        assert_eq!(self.code, 0, "{}{}", self.out, self.err);
        self
    }

    /// It failed; gives what it says of that.
    #[track_caller]
    pub(crate) fn fails(self) -> String {
        assert_ne!(self.code, 0, "{}", self.out);
        assert!(!self.err.trim().is_empty(), "it fails without a word");
        self.err
    }

    /// It failed by its exit code; what there is to say is in its output.
    #[track_caller]
    pub(crate) fn fails_silently(self) {
        assert_ne!(self.code, 0, "{}", self.out);
        assert_eq!(self.err, "");
    }

    /// It failed, and says all of this.
    #[track_caller]
    pub(crate) fn fails_with(self, parts: &[&str]) {
        let error = self.fails();
        for part in parts {
            assert!(error.contains(part), "{part:?} is not in: {error}");
        }
    }

    /// It succeeded and printed JSON, and nothing besides.
    #[track_caller]
    pub(crate) fn json(self) -> Json {
        let ran = self.succeeds();
        assert_eq!(ran.err, "");
        serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {}", ran.out))
    }
}
