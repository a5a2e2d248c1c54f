//! Whose file it is, and which form it has.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use super::fault::fault;
use crate::store::StoreError;

/// Tells our files from other SQLite files: "rtbr" in ASCII.
pub(crate) const APPLICATION_ID: i64 = 0x7274_6272;

/// The form of the tables below. A later form migrates files of the earlier ones when it opens them.
pub(crate) const SCHEMA_VERSION: i64 = 1;

/// `at` is in milliseconds since 1970-01-01T00:00:00Z, `args` is JSON. The uniqueness is what makes appends optimistic.
const TABLES: &str = "CREATE TABLE events (
    notebook TEXT NOT NULL,
    seq INTEGER NOT NULL CHECK (seq >= 0),
    name TEXT NOT NULL,
    args TEXT NOT NULL,
    at INTEGER NOT NULL,
    UNIQUE (notebook, seq)
) STRICT";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// Nothing is in it.
    Empty,
    /// The present one.
    Current,
    /// A later one.
    Newer(i64),
    /// Not ours.
    Foreign,
}

/// Makes a connection ready for events; the file is not written before it is known to be ours or empty.
pub(super) fn prepare(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let failed = |error: rusqlite::Error| fault(path, &error);
    match form(connection).map_err(failed)? {
        Form::Current => make_durable(connection, path),
        Form::Empty => {
            create(connection).map_err(failed)?;
            prepare(connection, path)
        }
        Form::Newer(found) => Err(StoreError::Newer { path: path.to_owned(), found, known: SCHEMA_VERSION }),
        Form::Foreign => Err(StoreError::Foreign { path: path.to_owned() }),
    }
}

/// Reads the form as of one moment: somebody else may be creating the tables.
fn form(connection: &mut Connection) -> rusqlite::Result<Form> {
    let transaction = connection.transaction()?;
    form_within(&transaction)
}

fn form_within(connection: &Connection) -> rusqlite::Result<Form> {
    let number = |sql| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
    let tables = number("SELECT count(*) FROM sqlite_schema")?;
    Ok(match (number("PRAGMA application_id")?, number("PRAGMA user_version")?) {
        (APPLICATION_ID, SCHEMA_VERSION) => Form::Current,
        (APPLICATION_ID, version) if version > SCHEMA_VERSION => Form::Newer(version),
        (0, 0) if tables == 0 => Form::Empty,
        _ => Form::Foreign,
    })
}

/// Acknowledged means on the disk. On macOS a sync leaves the data in the drive's cache, hence `fullfsync`.
fn make_durable(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let failed = |error: rusqlite::Error| fault(path, &error);
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0)).map_err(failed)?;
    if mode != "wal" {
        return Err(StoreError::NotDurable { path: path.to_owned(), mode });
    }
    connection.execute_batch("PRAGMA synchronous = FULL; PRAGMA fullfsync = ON").map_err(failed)
}

/// Creates the tables, unless somebody else just did.
pub(super) fn create(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if form_within(&transaction)? == Form::Empty {
        transaction.execute_batch(TABLES)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    }
    transaction.commit()
}
