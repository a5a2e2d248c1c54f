use std::fs;

#[cfg(feature = "sqlite")]
use registry::{CellSourceChanged, Timestamp};

use super::*;
#[cfg(feature = "sqlite")]
use crate::store::{Seq, Store, sqlite::SqliteStore};

fn file(name: &str, content: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, content).unwrap();
    (folder, path)
}

fn read(log: &Log) -> Result<Vec<(String, String)>, LogError> {
    let mut events = Vec::new();
    log.read(&mut |place, event| events.push((place.to_string(), event.name().to_owned())))?;
    Ok(events)
}

fn check_error(name: &str, content: &[u8], expect: &str) {
    let (_folder, path) = file(name, content);
    let error = open(&path).and_then(|logs| read(&logs[0])).unwrap_err();
    let text = error.to_string();
    assert!(text.contains(expect) && text.contains(name), "{text}");
    assert!(!error.hint().is_empty());
}

fn pairs(expect: &[(&str, &str)]) -> Vec<(String, String)> {
    expect.iter().map(|(place, name)| ((*place).to_owned(), (*name).to_owned())).collect()
}

#[test]
fn lines_are_events_and_unknown_ones_are_kept() {
    let text = "\u{feff}{\"name\":\"v1.PresenceSet\",\"args\":{\"userId\":\"u\"}}\n\r\n{\"name\":\"v9.New\",\"args\":[1],\"seq\":3}";
    let (_folder, path) = file("nb-7.jsonl", text.as_bytes());
    let [log] = &open(&path).unwrap()[..] else { panic!("one log") };
    assert_eq!((log.notebook.as_str(), log.form), ("nb-7", Form::JsonLines));
    assert_eq!(read(log).unwrap(), pairs(&[("line 1", "v1.PresenceSet"), ("line 3", "v9.New")]));
}

#[test]
fn what_is_no_log_is_refused_with_its_place() {
    check_error("a.jsonl", b"", "an empty file");
    check_error("a.ipynb", b"[1]", "not a log");
    check_error("a.jsonl", b"{\"name\":\"v1.PresenceSet\",\"args\":{\"userId\":\"u\"}}\n{\"na", "line 2: not an event");
    check_error("a.jsonl", b"{\"name\":\"v1.PresenceSet\",\"args\":{}}", "line 1: bad arguments of `v1.PresenceSet`");
    check_error("a.jsonl", b"{\n\xff", "line 1");
    check_error("a.jsonl", b"\n  {\"name\":\"v9.New\",\"args\":0}\n\xff", "line 3: not UTF-8");
    let error = open(Path::new("nowhere.jsonl")).unwrap_err();
    assert!(error.to_string().contains("nowhere.jsonl: cannot be opened"), "{error}");
}

#[cfg(feature = "sqlite")]
#[test]
fn our_stores_file_holds_a_log_per_notebook_and_gains_no_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("100% #1?.db");
    let changed = CellSourceChanged { id: "c".into(), source: "x".into(), modified_by: "u".into() };
    let mut stores: Vec<SqliteStore> =
        ["nb-1", "nb-2"].iter().map(|id| SqliteStore::open(&path, (*id).into()).unwrap()).collect();
    for store in &mut stores {
        store.append(Seq::FIRST, Timestamp::from_ms(0), &[changed.clone().into()]).unwrap();
    }
    let seen = || {
        let logs = open(&path).unwrap();
        logs.iter().map(|log| (log.notebook.to_string(), read(log).unwrap())).collect::<Vec<_>>()
    };
    let of_each = pairs(&[("event 0", "v1.CellSourceChanged")]);
    let expect = vec![("nb-1".to_owned(), of_each.clone()), ("nb-2".to_owned(), of_each)];
    assert_eq!(seen(), expect, "while it is open");
    drop(stores);
    assert_eq!(seen(), expect, "once it is closed");
    let names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["100% #1?.db"]);
}

#[cfg(feature = "sqlite")]
#[test]
fn changes_that_nobody_has_merged_are_not_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    drop(SqliteStore::open(&path, "nb".into()).unwrap());
    fs::write(folder.path().join("a.db-wal"), b"changes").unwrap();
    assert!(matches!(open(&path), Err(LogError::Unmerged { .. })));
}

/// The tables of LiveStore 0.4, as its adapter makes them.
#[cfg(feature = "sqlite")]
fn eventlog(rows: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("nb-4")).unwrap();
    let path = folder.path().join("nb-4/eventlog@6.db");
    let connection = rusqlite::Connection::open(&path).unwrap();
    let tables = "CREATE TABLE eventlog (seqNumGlobal integer not null, seqNumClient integer not null,
        seqNumRebaseGeneration integer not null, name text not null, argsJson text not null,
        PRIMARY KEY (seqNumGlobal, seqNumClient, seqNumRebaseGeneration)) strict;
        CREATE TABLE __livestore_sync_status (head integer primary key, backendId text) strict;";
    connection.execute_batch(&format!("{tables} {rows}")).unwrap();
    (folder, path)
}

#[cfg(feature = "sqlite")]
#[test]
fn a_rebased_event_stands_once_where_the_rebase_put_it() {
    let (_folder, path) = eventlog(
        r#"INSERT INTO eventlog VALUES (2, 0, 0, 'v9.Old', '{}'), (2, 0, 1, 'v9.Rebased', '{}'), (1, 0, 0, 'v9.First', '{}'),
            (1, 1, 0, 'v9.Own', '{}'), (3, 0, 1, 'v9.Last', '{}');
           INSERT INTO __livestore_sync_status VALUES (1, 'b')"#,
    );
    let [log] = &open(&path).unwrap()[..] else { panic!("one log") };
    assert_eq!((log.notebook.as_str(), log.form, log.unsynced), ("nb-4", Form::LiveStore04, 3));
    let expect = [("event 1", "v9.First"), ("event 1+1", "v9.Own"), ("event 2", "v9.Rebased"), ("event 3", "v9.Last")];
    assert_eq!(read(log).unwrap(), pairs(&expect));
}

#[cfg(feature = "sqlite")]
#[test]
fn a_gap_and_an_event_that_does_not_fit_are_named_with_their_numbers() {
    let check = |rows: &str, expect: &str| {
        let (_folder, path) = eventlog(&format!("INSERT INTO eventlog VALUES {rows}"));
        let error = read(&open(&path).unwrap()[0]).unwrap_err().to_string();
        assert!(error.contains(expect), "{error}");
    };
    check("(1, 0, 0, 'v9.A', '{}'), (4, 0, 0, 'v9.B', '{}')", "event 2 is missing before `4`");
    check("(1, 0, 0, 'v9.A', '{}'), (2, 0, 0, 'v1.PresenceSet', '{}')", "event 2: bad arguments");
    check("(1, 0, 0, 'v9.A', 'x')", "event 1: not an event");
}

#[cfg(feature = "sqlite")]
#[test]
fn other_databases_are_told_apart() {
    let check = |sql: &str, expect: &str| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("other.db");
        rusqlite::Connection::open(&path).unwrap().execute_batch(sql).unwrap();
        let error = open(&path).unwrap_err().to_string();
        assert!(error.contains(expect), "{error}");
    };
    check("CREATE TABLE t (a)", "without events");
    check("CREATE TABLE __livestore_schema (a)", "LiveStore's tables");
    check("PRAGMA application_id = 0x72746272; PRAGMA user_version = 99; CREATE TABLE t (a)", "schema `99`");
}
