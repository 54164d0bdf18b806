//! The archive of state tests, read as it is: nothing is unpacked.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use tar::Archive;

/// Where the archive lies: in the folder that the environment names, or beside the repository.
pub(crate) fn location() -> PathBuf {
    let shared = std::env::var_os("WEFT_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared"), PathBuf::from);
    shared.join("ethereum-tests/GeneralStateTests.tar.gz")
}

/// Calls `visit` with the path and the text of every JSON file in a gzipped tar, in the archive's order.
pub(crate) fn json_files(archive: impl Read, mut visit: impl FnMut(&str, &[u8])) -> std::io::Result<usize> {
    let mut archive = Archive::new(GzDecoder::new(archive));
    let mut text = Vec::new();
    let mut files = 0;
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = entry.path()?.to_string_lossy().into_owned();
        if entry.header().entry_type().is_file() && path.ends_with(".json") {
            text.clear();
            entry.read_to_end(&mut text)?;
            visit(path.strip_prefix("GeneralStateTests/").unwrap_or(&path), &text);
            files += 1;
        }
    }
    Ok(files)
}

/// The archive, opened.
pub(crate) fn open() -> File {
    let path = location();
    File::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
