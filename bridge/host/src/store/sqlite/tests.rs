//! What does an owner hear of a file that cannot serve? Always an error with a code and a hint, never a panic.

use std::fs;

use serde_json::json;
use tempfile::TempDir;

use super::schema::{APPLICATION_ID, SCHEMA_VERSION, create};
use super::*;

fn at() -> Timestamp {
    Timestamp::from_ms(1_700_000_000_000)
}

struct Folder {
    dir: TempDir,
}

impl Folder {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("notebooks.db")
    }

    fn open(&self) -> Result<SqliteStore, StoreError> {
        SqliteStore::open_patiently(self.file(), NotebookId::from("nb"), Duration::ZERO)
    }

    /// A plain connection, for what our own would not do.
    fn raw(&self) -> Connection {
        Connection::open(self.file()).unwrap()
    }

    /// A closed file with this many events.
    fn with_events(count: usize) -> Self {
        let folder = Self::new();
        folder.open().unwrap().append(Seq::FIRST, at(), &events(count)).unwrap();
        folder
    }
}

fn events(count: usize) -> Vec<Event> {
    let event = |number| json!({ "name": "v9.Test", "args": { "number": number, "text": "x".repeat(300) } });
    (0..count).map(|number| serde_json::from_value(event(number)).unwrap()).collect()
}

fn check<T: std::fmt::Debug>(outcome: Result<T, StoreError>, code: &str) {
    let error = outcome.unwrap_err();
    assert_eq!(error.code(), code, "{error}");
    assert!(!error.hint().is_empty() && !error.to_string().is_empty());
}

#[test]
fn a_file_that_is_no_database_is_foreign_and_stays_as_it_is() {
    let folder = Folder::new();
    let text = "name,age\n".repeat(500);
    fs::write(folder.file(), &text).unwrap();
    check(folder.open(), "STORE_FOREIGN");
    assert_eq!(fs::read_to_string(folder.file()).unwrap(), text);
}

#[test]
fn a_database_of_another_program_is_foreign_and_stays_as_it_is() {
    let folder = Folder::new();
    folder.raw().execute_batch("CREATE TABLE events (id INTEGER)").unwrap();
    let before = fs::read(folder.file()).unwrap();
    check(folder.open(), "STORE_FOREIGN");
    assert_eq!(fs::read(folder.file()).unwrap(), before);
}

#[test]
fn a_file_of_a_newer_version_is_refused() {
    let folder = Folder::with_events(1);
    folder.raw().pragma_update(None, "user_version", SCHEMA_VERSION + 1).unwrap();
    check(folder.open(), "STORE_NEWER");
}

#[test]
fn tables_that_somebody_else_just_created_are_left_alone() {
    let folder = Folder::with_events(2);
    create(&mut folder.raw()).unwrap();
    assert_eq!(folder.open().unwrap().next_seq(), Seq(2));
}

#[test]
fn a_file_that_claims_to_be_ours_without_our_tables_is_corrupt() {
    let folder = Folder::new();
    folder.raw().pragma_update(None, "application_id", APPLICATION_ID).unwrap();
    folder.raw().pragma_update(None, "user_version", SCHEMA_VERSION).unwrap();
    check(folder.open(), "STORE_CORRUPT");
}

#[test]
fn damaged_pages_are_corrupt() {
    let folder = Folder::with_events(200);
    let mut bytes = fs::read(folder.file()).unwrap();
    bytes[4096..].fill(0xa5);
    fs::write(folder.file(), bytes).unwrap();
    check(folder.open(), "STORE_CORRUPT");
}

#[test]
fn a_file_cut_short_is_corrupt() {
    let folder = Folder::with_events(200);
    let bytes = fs::read(folder.file()).unwrap();
    fs::write(folder.file(), &bytes[..bytes.len() / 2]).unwrap();
    check(folder.open(), "STORE_CORRUPT");
}

#[test]
fn damage_at_any_place_is_an_error_or_harmless_but_never_a_panic() {
    let folder = Folder::with_events(40);
    let bytes = fs::read(folder.file()).unwrap();
    for at in (0..bytes.len()).step_by(61) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0xff;
        fs::write(folder.file(), damaged).unwrap();
        if let Err(error) = folder.open() {
            assert!(error.code().starts_with("STORE_") && !error.hint().is_empty(), "byte {at}: {error}");
        }
    }
}

#[test]
fn an_event_that_cannot_be_read_is_named_and_those_before_it_are_readable() {
    let folder = Folder::with_events(3);
    folder.raw().execute_batch("UPDATE events SET name = 'v1.CellDeleted', args = '{}' WHERE seq = 2").unwrap();
    check(folder.open(), "STORE_UNREADABLE_EVENT");
    let connection = connect(&folder.file(), Duration::ZERO).unwrap();
    let (path, notebook) = (folder.file(), NotebookId::from("nb"));
    let store = SqliteStore { path, notebook, connection, next: Seq::FIRST, state: NotebookState::new() };
    assert_eq!(store.read(Seq::FIRST, 2).unwrap().len(), 2);
    check(store.read(Seq::FIRST, 3), "STORE_UNREADABLE_EVENT");
}

#[test]
fn a_missing_event_is_a_gap() {
    let folder = Folder::with_events(3);
    folder.raw().execute_batch("DELETE FROM events WHERE seq = 1").unwrap();
    let error = folder.open().unwrap_err();
    assert!(matches!(error, StoreError::Gap { missing: Seq(1), found: Seq(2), .. }), "{error}");
}

#[test]
fn a_locked_file_is_told_and_serves_again_afterwards() {
    let folder = Folder::new();
    let mut store = folder.open().unwrap();
    let other = folder.raw();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    check(store.append(Seq::FIRST, at(), &events(1)), "STORE_LOCKED");
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(store.append(Seq::FIRST, at(), &events(1)), Ok(Seq(1)));
}

#[test]
fn a_file_locked_for_good_cannot_be_opened() {
    let folder = Folder::with_events(1);
    let other = folder.raw();
    other.execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE").unwrap();
    check(folder.open(), "STORE_LOCKED");
}

#[test]
fn a_full_disk_loses_nothing_and_serves_again_once_there_is_space() {
    let folder = Folder::with_events(10);
    let mut store = folder.open().unwrap();
    let pages: i64 = store.connection.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
    let limit = |store: &SqliteStore, pages: i64| {
        store.connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(())).unwrap();
    };
    limit(&store, pages);
    let tables = store.state().clone();
    check(store.append(Seq(10), at(), &events(200)), "STORE_FULL");
    assert_eq!((store.next_seq(), store.state()), (Seq(10), &tables));
    assert_eq!(folder.open().unwrap().next_seq(), Seq(10));
    limit(&store, pages + 1000);
    assert_eq!(store.append(Seq(10), at(), &events(200)), Ok(Seq(210)));
}

#[test]
fn a_file_that_cannot_be_written_is_read_only() {
    let folder = Folder::with_events(1);
    let mut store = folder.open().unwrap();
    store.connection.pragma_update(None, "query_only", true).unwrap();
    check(store.append(Seq(1), at(), &events(1)), "STORE_READ_ONLY");
    assert_eq!(store.read(Seq::FIRST, 9).unwrap().len(), 1);
}

#[test]
fn a_path_without_a_directory_cannot_be_opened() {
    let folder = Folder::new();
    let path = folder.dir.path().join("missing/notebooks.db");
    check(SqliteStore::open(path, NotebookId::from("nb")), "STORE_UNOPENABLE");
    check(SqliteStore::open(folder.dir.path(), NotebookId::from("nb")), "STORE_UNOPENABLE");
}

#[test]
fn what_is_no_file_is_not_durable() {
    check(SqliteStore::open(":memory:", NotebookId::from("nb")), "STORE_NOT_DURABLE");
}

#[test]
fn acknowledged_means_synced() {
    let store = Folder::new().open().unwrap();
    let pragma = |name: &str| store.connection.query_row(name, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(pragma("PRAGMA synchronous"), 2);
    assert_eq!(pragma("PRAGMA fullfsync"), 1);
}
