//! The journal in an SQLite file.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use registry::{NotebookId, Now, QueueId};
use rusqlite::{Connection, params};

use super::Journal;
use crate::store::StoreError;
use crate::store::sqlite::{PATIENCE, fault};

/// How long a start is remembered, in milliseconds: thirty days. No store forgets for longer what it has been told, and a row
/// takes a hundred bytes.
pub const KEPT_MS: i64 = 30 * 24 * 60 * 60 * 1000;

/// Tells our files from other SQLite files: "rtbj" in ASCII.
const APPLICATION_ID: i64 = 0x7274_626a;

const TABLE: &str = "CREATE TABLE IF NOT EXISTS starts (
    notebook TEXT NOT NULL,
    execution TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (notebook, execution)
) STRICT, WITHOUT ROWID";

/// A journal in an SQLite file, which several processes may share.
#[derive(Debug)]
pub struct SqliteJournal {
    path: PathBuf,
    connection: Connection,
}

impl SqliteJournal {
    /// Opens a journal and forgets what is older than [`KEPT_MS`]; a file that does not exist begins empty.
    ///
    /// # Errors
    /// When the file cannot be used. One that is no journal of ours is left as it is.
    pub fn open(path: impl Into<PathBuf>, now: Now) -> Result<Self, StoreError> {
        let path = path.into();
        let connection = connect(&path).map_err(|error| fault(&path, &error))?;
        let Some(connection) = connection else { return Err(StoreError::Foreign { path }) };
        let forgotten = connection.execute("DELETE FROM starts WHERE at < ?1", [now.wall_ms.saturating_sub(KEPT_MS)]);
        forgotten.map_err(|error| fault(&path, &error))?;
        Ok(Self { path, connection })
    }

    fn insert(&mut self, now: Now, notebook: &NotebookId, executions: &[QueueId]) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction()?;
        for id in executions {
            let mut statement = transaction.prepare_cached("INSERT OR IGNORE INTO starts VALUES (?1, ?2, ?3)")?;
            statement.execute(params![notebook.as_str(), id.as_str(), now.wall_ms])?;
        }
        transaction.commit()
    }

    fn read(&self, notebook: &NotebookId) -> rusqlite::Result<BTreeSet<QueueId>> {
        let mut statement = self.connection.prepare_cached("SELECT execution FROM starts WHERE notebook = ?1")?;
        let ids = statement.query_map([notebook.as_str()], |row| row.get::<_, String>(0))?;
        ids.map(|id| id.map(QueueId::from)).collect()
    }
}

impl Journal for SqliteJournal {
    fn enter(&mut self, now: Now, notebook: &NotebookId, executions: &[QueueId]) -> Result<(), StoreError> {
        self.insert(now, notebook, executions).map_err(|error| fault(&self.path, &error))
    }

    fn entered(&mut self, notebook: &NotebookId) -> Result<BTreeSet<QueueId>, StoreError> {
        self.read(notebook).map_err(|error| fault(&self.path, &error))
    }
}

/// A connection to a journal whose commits are on the disk when they return; nothing where the file is somebody else's.
fn connect(path: &Path) -> rusqlite::Result<Option<Connection>> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(PATIENCE)?;
    let number = |sql| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
    let is_empty = number("SELECT count(*) FROM sqlite_schema")? == 0;
    if !is_empty && number("PRAGMA application_id")? != APPLICATION_ID {
        return Ok(None);
    }
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    connection.execute_batch(TABLE)?;
    Ok(Some(connection))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn at(wall_ms: i64) -> Now {
        Now { wall_ms, mono_ms: 0 }
    }

    fn ids(ids: &[&str]) -> Vec<QueueId> {
        ids.iter().map(|id| QueueId::from(*id)).collect()
    }

    #[test]
    fn what_is_entered_is_known_to_the_next_process_for_a_month() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("starts.db");
        let (one, other) = (NotebookId::from("one"), NotebookId::from("other"));
        let mut journal = SqliteJournal::open(&file, at(0)).unwrap();
        journal.enter(at(0), &one, &ids(&["q1", "q2"])).unwrap();
        journal.enter(at(5), &one, &ids(&["q2", "q3"])).unwrap();
        drop(journal);
        let mut journal = SqliteJournal::open(&file, at(KEPT_MS)).unwrap();
        assert_eq!(journal.entered(&one).unwrap(), ids(&["q1", "q2", "q3"]).into_iter().collect());
        assert!(journal.entered(&other).unwrap().is_empty());
        drop(journal);
        let mut journal = SqliteJournal::open(&file, at(KEPT_MS + 1)).unwrap();
        assert_eq!(journal.entered(&one).unwrap(), ids(&["q3"]).into_iter().collect());
    }

    #[test]
    fn somebody_elses_file_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (text, database) = (folder.path().join("text"), folder.path().join("other.db"));
        fs::write(&text, "name,age\n".repeat(500)).unwrap();
        Connection::open(&database).unwrap().execute_batch("CREATE TABLE t (a)").unwrap();
        for file in [text, database] {
            let before = fs::read(&file).unwrap();
            assert_eq!(SqliteJournal::open(&file, at(0)).unwrap_err().code(), "STORE_FOREIGN");
            assert_eq!(fs::read(&file).unwrap(), before);
        }
    }
}
