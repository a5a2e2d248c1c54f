//! Logs in SQLite files: our own store's, and the event log that LiveStore's Node adapter keeps (`eventlog@….db`, format 4 of
//! LiveStore 0.3, format 6 of 0.4).
//!
//! In LiveStore's log the order is that of the global number, then of the client's own number, which only events that are
//! never synced have. A rebase takes rows out and puts them in again under new numbers; 0.4 also counts the rebases, and of
//! two rows with one number the one of the later generation stands.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bridge_core::Place;
use registry::{Event, NotebookId};
use rusqlite::{Connection, Error, ErrorCode, OpenFlags, OptionalExtension, Row};

use super::{Form, Log, LogError, head, name};
use crate::store::record::decode;
use crate::store::sqlite::schema::{APPLICATION_ID, SCHEMA_VERSION};

/// Where a file's header says that its changes go to a write-ahead log, and the value that says so.
const JOURNAL_BYTE: (usize, u8) = (18, 2);

/// How long to wait for a writer to finish its transaction.
const PATIENCE: Duration = Duration::from_secs(5);

/// What LiveStore's adapter calls the file in the folder of a store.
const EVENTLOG: &str = "eventlog@";

const OURS: &str = "SELECT seq, 0, name, args FROM events WHERE notebook = ?1 ORDER BY seq";
const LIVESTORE_03: &str = "SELECT seqNumGlobal, seqNumClient, name, argsJson FROM eventlog WHERE ?1 <> '' ORDER BY seqNumGlobal, seqNumClient";
const LIVESTORE_04: &str = "SELECT seqNumGlobal, seqNumClient, name, argsJson, max(seqNumRebaseGeneration) FROM eventlog \
    WHERE ?1 <> '' GROUP BY seqNumGlobal, seqNumClient ORDER BY seqNumGlobal, seqNumClient";

/// The head is 0 where there is no sync backend: nothing waits for it then.
const UNSYNCED: &str = "SELECT count(*) FROM eventlog, (SELECT max(head) AS head FROM __livestore_sync_status) \
    WHERE head > 0 AND seqNumGlobal > head AND seqNumClient = 0";

pub(super) fn open(path: &Path) -> Result<Vec<Log>, LogError> {
    let connection = connect(path)?;
    let failed = |error: Error| fault(path, &error);
    match form(&connection, path)? {
        Form::Store => {
            let mut notebooks =
                connection.prepare("SELECT DISTINCT notebook FROM events ORDER BY notebook").map_err(failed)?;
            let notebooks = notebooks.query_map([], |row| row.get::<_, String>(0)).map_err(failed)?;
            notebooks.map(|id| Ok(Log::of(path, Form::Store, id.map_err(failed)?.into(), 0))).collect()
        }
        form => {
            let unsynced: i64 = connection.query_row(UNSYNCED, [], |row| row.get(0)).map_err(failed)?;
            Ok(vec![Log::of(path, form, store_id(path), unsynced.try_into().unwrap_or_default())])
        }
    }
}

pub(super) fn read(
    path: &Path,
    form: Form,
    notebook: &NotebookId,
    take: &mut dyn FnMut(Place, Event),
) -> Result<(), LogError> {
    let connection = connect(path)?;
    let failed = |error: Error| fault(path, &error);
    let query = match form {
        Form::LiveStore03 => LIVESTORE_03,
        Form::LiveStore04 => LIVESTORE_04,
        Form::Store | Form::JsonLines => OURS,
    };
    let mut statement = connection.prepare(query).map_err(failed)?;
    let mut rows = statement.query([notebook.as_str()]).map_err(failed)?;
    let mut last = None;
    while let Some(row) = rows.next().map_err(failed)? {
        let (number, own) = numbers(row).map_err(failed)?;
        check_next(path, last, number)?;
        last = Some(number);
        let place = if own == 0 { Place::Event(number) } else { Place::Local(number, own) };
        let event = decode(text(row, 2).map_err(failed)?, text(row, 3).map_err(failed)?);
        take(place, event.map_err(|source| LogError::Event { path: path.to_owned(), place, source })?);
    }
    Ok(())
}

/// A client's own event has the number of the event that it follows.
fn check_next(path: &Path, last: Option<u64>, number: u64) -> Result<(), LogError> {
    match last.filter(|last| number > last.saturating_add(1)) {
        Some(last) => Err(LogError::Gap { path: path.to_owned(), missing: last + 1, found: number }),
        None => Ok(()),
    }
}

fn numbers(row: &Row<'_>) -> rusqlite::Result<(u64, u64)> {
    let number = |at| row.get::<_, i64>(at).map(|number| u64::try_from(number).unwrap_or_default());
    Ok((number(0)?, number(1)?))
}

fn text<'a>(row: &'a Row<'_>, at: usize) -> rusqlite::Result<&'a str> {
    Ok(row.get_ref(at)?.as_str()?)
}

/// Opens a file without leaving a trace beside it.
fn connect(path: &Path) -> Result<Connection, LogError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = match shelter(path)? {
        Shelter::Shared => Connection::open_with_flags(path, flags),
        Shelter::Still => Connection::open_with_flags(immutable(path), flags | OpenFlags::SQLITE_OPEN_URI),
    };
    let connection = connection.map_err(|error| fault(path, &error))?;
    connection.busy_timeout(PATIENCE).map_err(|error| fault(path, &error))?;
    Ok(connection)
}

/// How a file may be read.
enum Shelter {
    /// With SQLite's locks: others may be writing.
    Shared,
    /// As it is: nobody has it open, and SQLite would create files to find that out.
    Still,
}

fn shelter(path: &Path) -> Result<Shelter, LogError> {
    let unopenable = |error: std::io::Error| LogError::Unopenable { path: path.to_owned(), detail: error.to_string() };
    let (at, wal) = JOURNAL_BYTE;
    if head(path).map_err(unopenable)?.get(at) != Some(&wal) || beside(path, "-shm").exists() {
        return Ok(Shelter::Shared);
    }
    match beside(path, "-wal").metadata() {
        Ok(changes) if changes.len() > 0 => Err(LogError::Unmerged { path: path.to_owned() }),
        _ => Ok(Shelter::Still),
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

/// The path as an URI with which SQLite takes no lock and looks for no changes.
fn immutable(path: &Path) -> String {
    let mut uri = String::from("file:");
    for character in path.to_string_lossy().chars() {
        match character {
            '%' => uri.push_str("%25"),
            '?' => uri.push_str("%3f"),
            '#' => uri.push_str("%23"),
            other => uri.push(other),
        }
    }
    uri + "?immutable=1"
}

fn form(connection: &Connection, path: &Path) -> Result<Form, LogError> {
    let failed = |error: Error| fault(path, &error);
    let number = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).map_err(failed);
    if number("PRAGMA application_id")? == APPLICATION_ID {
        let found = number("PRAGMA user_version")?;
        return if found > SCHEMA_VERSION {
            Err(LogError::Newer { path: path.to_owned(), found })
        } else {
            Ok(Form::Store)
        };
    }
    let has_column = |column: &str| {
        let sql = "SELECT 1 FROM pragma_table_info('eventlog') WHERE name = ?1";
        connection.query_row(sql, [column], |_| Ok(())).optional().map(|found| found.is_some()).map_err(failed)
    };
    if has_column("seqNumGlobal")? && has_column("argsJson")? {
        return Ok(if has_column("seqNumRebaseGeneration")? { Form::LiveStore04 } else { Form::LiveStore03 });
    }
    match number("SELECT count(*) FROM sqlite_schema WHERE name = '__livestore_schema'")? {
        0 => Err(LogError::NotALog { path: path.to_owned(), found: "an SQLite file without events" }),
        _ => Err(LogError::State { path: path.to_owned() }),
    }
}

/// LiveStore keeps a store in a folder of its id; a copy of the log has whatever name it was given.
fn store_id(path: &Path) -> NotebookId {
    let is_in_place = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(EVENTLOG));
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    match absolute.parent().and_then(Path::file_name).filter(|_| is_in_place) {
        Some(folder) => folder.to_string_lossy().into_owned().into(),
        None => name(path),
    }
}

fn fault(path: &Path, error: &Error) -> LogError {
    let path = path.to_owned();
    match error.sqlite_error_code() {
        // A journal that SQLite may not roll back: its writer is at work, or died over it.
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::ReadOnly) => LogError::Busy { path },
        Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
            LogError::Unopenable { path, detail: error.to_string() }
        }
        _ => LogError::Damaged { path, detail: error.to_string() },
    }
}
