//! Opening and creating the file, and telling what is wrong with one that cannot be used.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use redb::{Builder, Database, DatabaseError, ReadableDatabase, ReadableTable, TableHandle};

use super::{BACKEND, layout, redb_error};
use crate::StorageError;

/// How a [`RedbStore`](super::RedbStore) is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedbOptions {
    /// Memory for cached pages, in bytes. 1 GiB by default.
    pub cache_bytes: usize,
    /// Create the database when there is no file, or an empty one. On by default.
    pub create: bool,
    /// Check every page of the file on opening, on by default. It takes as long as reading the file. Without it, a
    /// file that something else has damaged may be noticed only when the damaged part is read, or never.
    pub verify: bool,
    /// Make recovery after a crash immediate, instead of as long as reading the file, for a second disk flush a commit.
    /// Off by default. It does not turn `verify` off, which reads the file in any case.
    pub quick_repair: bool,
}

impl Default for RedbOptions {
    fn default() -> Self {
        Self { cache_bytes: 1 << 30, create: true, verify: true, quick_repair: false }
    }
}

/// Opens or creates the database at `path`, and checks that it is one of this layout and this schema.
pub(super) fn open(path: &Path, schema: &str, options: &RedbOptions) -> Result<Database, StorageError> {
    let exists = path.try_exists().map_err(|error| io_failed(path, "look for", error))?;
    if exists {
        return open_existing(path, schema, options);
    }
    if !options.create {
        return Err(io_failed(path, "open", io::ErrorKind::NotFound.into()));
    }
    create(path, schema, options)
}

fn open_existing(path: &Path, schema: &str, options: &RedbOptions) -> Result<Database, StorageError> {
    let database = open_file(path, options)?;
    prepare(&database, path, schema)?;
    Ok(database)
}

// redb refuses a file that it was killed over before its first flush, and nobody but the user could then tell it from
// something precious. So a new database gets its name only when it is whole.
fn create(path: &Path, schema: &str, options: &RedbOptions) -> Result<Database, StorageError> {
    let mut name = OsString::from(path);
    name.push(".creating");
    let draft = PathBuf::from(name);
    let database = match open_file(&draft, options) {
        Err(StorageError::Locked { .. }) => {
            return Err(StorageError::Locked { path: path.to_path_buf() });
        }
        Err(StorageError::NotADatabase { .. } | StorageError::DamagedFile { .. }) => {
            fs::remove_file(&draft).map_err(|error| io_failed(&draft, "remove the unfinished", error))?;
            open_file(&draft, options)?
        }
        other => other?,
    };
    // Another process may have created it since we looked. It held the draft's lock until its rename was done, and we
    // hold that lock now, so what stands at `path` from here on is not replaced by anybody.
    if path.try_exists().map_err(|error| io_failed(path, "look for", error))? {
        drop(database);
        return open_existing(path, schema, options);
    }
    prepare(&database, path, schema)?;
    fs::rename(&draft, path).map_err(|error| io_failed(path, "name the new", error))?;
    sync_directory(path)?;
    Ok(database)
}

/// Makes a rename durable. Windows has no such call and needs none.
fn sync_directory(path: &Path) -> Result<(), StorageError> {
    if cfg!(unix) {
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        fs::File::open(parent)
            .and_then(|directory| directory.sync_all())
            .map_err(|error| io_failed(parent, "flush the directory", error))?;
    }
    Ok(())
}

fn open_file(path: &Path, options: &RedbOptions) -> Result<Database, StorageError> {
    let mut builder = Builder::new();
    builder.set_cache_size(options.cache_bytes).set_check_integrity_on_open(options.verify);
    // redb says that it may panic over a file that was altered from outside, unless it verifies it. Nothing is shared
    // with the closure that a panic could leave half done.
    let opened =
        catch_unwind(AssertUnwindSafe(|| if options.create { builder.create(path) } else { builder.open(path) }));
    match opened {
        Ok(Ok(database)) => Ok(database),
        Ok(Err(error)) => Err(open_failed(path, error)),
        Err(_) => Err(damaged(path, "redb panicked while it opened it")),
    }
}

fn open_failed(path: &Path, error: DatabaseError) -> StorageError {
    let not_a_database = |reason: String| StorageError::NotADatabase { path: path.to_path_buf(), reason };
    match error {
        DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch => {
            StorageError::Locked { path: path.to_path_buf() }
        }
        DatabaseError::UpgradeRequired(_) => not_a_database(error.to_string()),
        DatabaseError::RepairAborted => damaged(path, error.to_string()),
        DatabaseError::Storage(redb::StorageError::Io(error)) => match error.kind() {
            io::ErrorKind::InvalidData => not_a_database(error.to_string()),
            io::ErrorKind::UnexpectedEof => damaged(path, "it ends too early"),
            _ => io_failed(path, "open", error),
        },
        error => redb_error(path, || "open".to_owned(), error),
    }
}

fn io_failed(path: &Path, what: &str, error: io::Error) -> StorageError {
    StorageError::backend(BACKEND, format!("{what} {}", path.display()), error)
}

fn damaged(path: &Path, reason: impl Into<String>) -> StorageError {
    StorageError::DamagedFile { path: path.to_path_buf(), reason: reason.into() }
}

/// Writes the tables and the description of the layout into an empty database; checks them in any other.
pub(super) fn prepare(database: &Database, path: &Path, schema: &str) -> Result<(), StorageError> {
    let failed = |error| redb_error(path, || "read the layout".to_owned(), error);
    let names = table_names(database).map_err(failed)?;
    if names.is_empty() {
        return describe(database, schema).map_err(|error| redb_error(path, || "create the tables".to_owned(), error));
    }
    if !names.iter().any(|name| name == layout::META.name()) {
        let reason = format!("a redb database with the tables {}", names.join(", "));
        return Err(StorageError::NotADatabase { path: path.to_path_buf(), reason });
    }
    let (version, found) = description(database).map_err(failed)?;
    let Some(found_version) = version.as_deref().and_then(|bytes| Some(u32::from_be_bytes(bytes.try_into().ok()?)))
    else {
        return Err(damaged(path, "it does not state its layout version"));
    };
    if found_version != layout::VERSION {
        return Err(StorageError::LayoutVersion {
            path: path.to_path_buf(),
            found: found_version,
            supported: layout::VERSION,
        });
    }
    let Some(found) = found.and_then(|bytes| String::from_utf8(bytes).ok()) else {
        return Err(damaged(path, "it does not state its schema"));
    };
    if found != schema {
        return Err(StorageError::SchemaMismatch { path: path.to_path_buf(), found, expected: schema.to_owned() });
    }
    Ok(())
}

fn table_names(database: &Database) -> Result<Vec<String>, redb::Error> {
    let transaction = database.begin_read()?;
    let plain = transaction.list_tables()?.map(|table| table.name().to_owned());
    let multi = transaction.list_multimap_tables()?.map(|table| redb::MultimapTableHandle::name(&table).to_owned());
    Ok(plain.chain(multi).collect())
}

// One transaction, so that a database has either no tables or all of them with their description.
fn describe(database: &Database, schema: &str) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    {
        let mut meta = transaction.open_table(layout::META)?;
        meta.insert(layout::LAYOUT, layout::VERSION.to_be_bytes().as_slice())?;
        meta.insert(layout::SCHEMA, schema.as_bytes())?;
        transaction.open_table(layout::STATE)?;
        transaction.open_table(layout::BLOCKS)?;
    }
    transaction.commit()?;
    Ok(())
}

type Description = (Option<Vec<u8>>, Option<Vec<u8>>);

/// Layout version and schema, as they stand in the file.
fn description(database: &Database) -> Result<Description, redb::Error> {
    let transaction = database.begin_read()?;
    let meta = transaction.open_table(layout::META)?;
    let bytes = |name: &str| -> Result<Option<Vec<u8>>, redb::Error> {
        Ok(ReadableTable::get(&meta, name)?.map(|bytes| bytes.value().to_vec()))
    };
    Ok((bytes(layout::LAYOUT)?, bytes(layout::SCHEMA)?))
}
