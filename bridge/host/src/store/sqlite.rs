//! A store in an SQLite file. One file holds the logs of many notebooks.
//!
//! Only events are kept; the tables are made anew from them when a store is opened. An append is acknowledged when the
//! operating system has it on the disk (write-ahead log, `synchronous=FULL`), so it survives the end of the process and of
//! the power. Each store has a connection of its own. Stores may share a file, also from several processes: SQLite lets one
//! write at a time and the others wait, each for as long as it was opened for.

mod fault;
pub(crate) mod schema;

use std::path::{Path, PathBuf};
use std::time::Duration;

use registry::{Event, NotebookId, NotebookState, Timestamp};
use rusqlite::{Connection, OpenFlags, Row, TransactionBehavior, params};

pub(crate) use self::fault::fault;
use super::record::{Written, decode, encode};
use super::{Record, Seq, Store, StoreError};

/// How long a store waits for another writer, unless told otherwise: many times what a commit takes on a slow disk.
pub const PATIENCE: Duration = Duration::from_secs(5);

const INSERT: &str = "INSERT INTO events (notebook, seq, name, args, at) VALUES (?1, ?2, ?3, ?4, ?5)";
const NEXT: &str = "SELECT coalesce(max(seq) + 1, 0) FROM events WHERE notebook = ?1";
const READ: &str = "SELECT seq, name, args, at FROM events WHERE notebook = ?1 AND seq >= ?2 ORDER BY seq LIMIT ?3";

/// The log of one notebook in an SQLite file, with its tables in memory.
#[derive(Debug)]
pub struct SqliteStore {
    path: PathBuf,
    notebook: NotebookId,
    connection: Connection,
    next: Seq,
    state: NotebookState,
}

impl SqliteStore {
    /// Opens a notebook in a file and makes its tables from its log; a file or notebook that does not exist begins empty.
    /// Waits [`PATIENCE`] for other writers.
    ///
    /// # Errors
    /// When the file cannot be used, see [`StoreError`]. A file that is no store of ours is left as it is.
    pub fn open(path: impl Into<PathBuf>, notebook: NotebookId) -> Result<Self, StoreError> {
        Self::open_patiently(path, notebook, PATIENCE)
    }

    /// As [`SqliteStore::open`], waiting this long for other writers, now and at each append.
    ///
    /// # Errors
    /// As [`SqliteStore::open`].
    pub fn open_patiently(
        path: impl Into<PathBuf>,
        notebook: NotebookId,
        patience: Duration,
    ) -> Result<Self, StoreError> {
        let path = path.into();
        let connection = connect(&path, patience)?;
        let mut store = Self { path, notebook, connection, next: Seq::FIRST, state: NotebookState::new() };
        store.catch_up()?;
        Ok(store)
    }

    /// The notebook whose log this is.
    pub fn notebook(&self) -> &NotebookId {
        &self.notebook
    }

    /// Writes a batch, unless the log has moved on since.
    fn write(&mut self, expected: Seq, at: Timestamp, batch: &[Written]) -> Result<(), StoreError> {
        let Self { path, notebook, connection, .. } = self;
        let actual = insert(connection, notebook, expected, at, batch).map_err(|error| fault(path, &error))?;
        expected.expects(actual)
    }

    /// Gives the log from a place on to `take`, one event after the other.
    fn scan(&self, from: Seq, limit: usize, mut take: impl FnMut(Record)) -> Result<(), StoreError> {
        let failed = |error: rusqlite::Error| fault(&self.path, &error);
        let mut statement = self.connection.prepare_cached(READ).map_err(failed)?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut rows = statement.query(params![self.notebook.as_str(), column(from), limit]).map_err(failed)?;
        let mut next = from;
        while let Some(row) = rows.next().map_err(failed)? {
            take(self.record(row, next)?);
            next = next.after(1);
        }
        Ok(())
    }

    /// Reads the event of a row, which must stand at this place.
    fn record(&self, row: &Row<'_>, place: Seq) -> Result<Record, StoreError> {
        let (seq, event, at) = read_row(row).map_err(|error| fault(&self.path, &error))?;
        let (path, notebook) = (|| self.path.clone(), || self.notebook.clone());
        if seq != place {
            return Err(StoreError::Gap { path: path(), notebook: notebook(), missing: place, found: seq });
        }
        let event =
            event.map_err(|source| StoreError::Unreadable { path: path(), notebook: notebook(), seq, source })?;
        Ok(Record { seq, at, event })
    }
}

impl Store for SqliteStore {
    fn next_seq(&self) -> Seq {
        self.next
    }

    fn state(&self) -> &NotebookState {
        &self.state
    }

    fn append(&mut self, expected: Seq, at: Timestamp, events: &[Event]) -> Result<Seq, StoreError> {
        if expected != self.next {
            self.catch_up()?;
        }
        expected.expects(self.next)?;
        let batch = encode(events)?;
        self.write(expected, at, &batch)?;
        batch.iter().for_each(|written| self.state.apply(&written.event));
        self.next = expected.after(batch.len());
        Ok(self.next)
    }

    fn catch_up(&mut self) -> Result<Seq, StoreError> {
        // The tables are taken out for the scan, which borrows the store, and put back however it ends.
        let mut state = std::mem::take(&mut self.state);
        let mut next = self.next;
        let scanned = self.scan(self.next, usize::MAX, |record| {
            state.apply(&record.event);
            next = record.seq.after(1);
        });
        (self.state, self.next) = (state, next);
        scanned.map(|()| next)
    }

    fn read(&self, from: Seq, limit: usize) -> Result<Vec<Record>, StoreError> {
        let mut records = Vec::new();
        self.scan(from, limit, |record| records.push(record))?;
        Ok(records)
    }
}

fn connect(path: &Path, patience: Duration) -> Result<Connection, StoreError> {
    // Neither URIs nor SQLite's own mutex: a path is a path, and a store belongs to one thread.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let failed = |error: rusqlite::Error| fault(path, &error);
    let mut connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    connection.busy_timeout(patience).map_err(failed)?;
    schema::prepare(&mut connection, path)?;
    Ok(connection)
}

/// Inserts a batch in one transaction if the log goes on at `expected`, and gives where it went on.
fn insert(
    connection: &mut Connection,
    notebook: &NotebookId,
    expected: Seq,
    at: Timestamp,
    batch: &[Written],
) -> rusqlite::Result<Seq> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let actual = transaction.prepare_cached(NEXT)?.query_row([notebook.as_str()], |row| row.get(0).map(place))?;
    if actual != expected {
        return Ok(actual);
    }
    let mut insert = transaction.prepare_cached(INSERT)?;
    for (index, written) in batch.iter().enumerate() {
        let seq = column(expected.after(index));
        insert.execute(params![notebook.as_str(), seq, written.event.name(), written.args, at.as_ms()])?;
    }
    drop(insert);
    transaction.commit().map(|()| actual)
}

type ReadEvent = Result<Event, registry::EventError>;

fn read_row(row: &Row<'_>) -> rusqlite::Result<(Seq, ReadEvent, Timestamp)> {
    let name = row.get_ref(1)?.as_str()?;
    let args = row.get_ref(2)?.as_str()?;
    Ok((place(row.get(0)?), decode(name, args), Timestamp::from_ms(row.get(3)?)))
}

/// A place as SQLite counts: no log comes near the difference.
fn column(seq: Seq) -> i64 {
    i64::try_from(seq.0).unwrap_or(i64::MAX)
}

fn place(column: i64) -> Seq {
    Seq(u64::try_from(column).unwrap_or_default())
}

#[cfg(test)]
mod tests;
