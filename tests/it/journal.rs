//! Is what has side effects ever entered twice, because a crash made the log forget that it was?

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use bridge_host::journal::{Journal, MemoryJournal, SharedJournal, SqliteJournal};
use bridge_host::store::StoreError;
use registry::{Event, NotebookId, Now, QueueId, RuntimeType};
use tests::host::{GOOD_CELL, Host};

const START: Now = Now { wall_ms: 0, mono_ms: 0 };

fn effectful() -> RuntimeType {
    RuntimeType { has_side_effects: true, ..RuntimeType::html() }
}

/// A notebook on the registry that serves this type with this journal.
fn serving(runtime_type: &RuntimeType, journal: &SharedJournal) -> Host {
    let mut host = Host::new();
    host.owner.stop();
    host.owner.crash();
    host.owner.serve(runtime_type.clone());
    host.owner.keep_journal(Arc::clone(journal));
    host.route("registry");
    host.owner.start();
    host
}

/// A notebook on the registry whose process dies before the store has kept anything of its first execution.
fn crashed(runtime_type: &RuntimeType, journal: &SharedJournal) -> Host {
    let mut host = serving(runtime_type, journal);
    host.owner.refuses = |event| matches!(event, Event::ExecutionStarted(_) | Event::ExecutionCompleted(_));
    host.request_as("q1", GOOD_CELL, 1);
    host.owner.crash();
    host.owner.serve(runtime_type.clone());
    host.owner.keep_journal(Arc::clone(journal));
    host.request_as("q2", GOOD_CELL, 2);
    host.owner.start();
    host
}

/// The executions that the log knows as started, and how executions ended: by id, with the error if any.
fn told(host: &Host) -> (Vec<&str>, Vec<(&str, Option<&str>)>) {
    let started = host.owner.log.iter().filter_map(|event| match event {
        Event::ExecutionStarted(e) => Some(e.queue_id.as_str()),
        _ => None,
    });
    let ended = host.owner.log.iter().filter_map(|event| match event {
        Event::ExecutionCompleted(e) => Some((e.queue_id.as_str(), e.error.as_deref())),
        _ => None,
    });
    (started.collect(), ended.collect())
}

const ORPHANED: Option<&str> = Some("runtime-bridge: orphaned");

#[test]
fn what_was_entered_and_forgotten_by_the_log_ends_and_is_never_entered_again() {
    let journal: SharedJournal = Arc::new(Mutex::new(MemoryJournal::default()));
    let host = crashed(&effectful(), &journal);
    assert_eq!(told(&host), (vec!["q2"], vec![("q1", ORPHANED), ("q2", None)]));
}

#[test]
fn the_journal_in_a_file_says_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let journal: SharedJournal = Arc::new(Mutex::new(SqliteJournal::open(folder.path().join("j"), START).unwrap()));
    let host = crashed(&effectful(), &journal);
    assert_eq!(told(&host), (vec!["q2"], vec![("q1", ORPHANED), ("q2", None)]));
}

#[test]
fn html_is_exempt_and_is_shown_again() {
    let journal: SharedJournal = Arc::new(Mutex::new(MemoryJournal::default()));
    let host = crashed(&RuntimeType::html(), &journal);
    assert_eq!(told(&host), (vec!["q1", "q2"], vec![("q1", None), ("q2", None)]));
}

/// A disk that is full.
struct Full;

impl Journal for Full {
    fn enter(&mut self, _: Now, _: &NotebookId, _: &[QueueId]) -> Result<(), StoreError> {
        Err(StoreError::Full { path: "journal".into() })
    }

    fn entered(&mut self, _: &NotebookId) -> Result<std::collections::BTreeSet<QueueId>, StoreError> {
        Ok(std::collections::BTreeSet::new())
    }
}

#[test]
fn what_cannot_be_noted_is_not_entered() {
    let full: SharedJournal = Arc::new(Mutex::new(Full));
    let mut host = serving(&effectful(), &full);
    host.request_as("q1", GOOD_CELL, 1);
    assert!(host.owner.log.iter().all(|event| !matches!(event, Event::ExecutionStarted(_))));
}

/// The process notes starts one after the other until it is killed; whatever it was told is on the disk.
#[test]
fn every_acknowledged_start_survives_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("starts.db");
    let notebook = NotebookId::from("nb");
    let mut before = 0;
    for starts in [1, 40, 3, 100] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_enter"));
        let mut child = command.arg(&file).arg("nb").stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(|line| line.unwrap());
        let mut last = lines.by_ref().take(starts).last();
        child.kill().unwrap();
        child.wait().unwrap();
        last = lines.last().or(last);
        let acknowledged: usize = last.unwrap().parse().unwrap();
        let entered = SqliteJournal::open(&file, START).unwrap().entered(&notebook).unwrap();
        assert!(entered.len() > acknowledged && acknowledged >= before, "{} after {acknowledged}", entered.len());
        before = entered.len();
    }
}
