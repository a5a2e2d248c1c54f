//! The questions that every store answers alike.

use bridge_host::store::{Seq, Store, StoreError};
use registry::{CellId, Event, Query, QueueEntry, QueueId, Reply, SessionId, Timestamp};
use serde_json::json;
use tests::append::at;

use super::{File, Memory, Place, cell, event, log, replayed, requested};

/// Asks each question of each store.
macro_rules! contract {
    ($($question:ident,)*) => {
        mod memory {
            use super::*;
            $(#[test] fn $question() { super::$question(&Memory::new()); })*
        }

        mod sqlite {
            use super::*;
            $(#[test] fn $question() { super::$question(&File::new()); })*
        }
    };
}

contract! {
    an_empty_store_begins_at_the_first_place,
    a_batch_is_appended_in_order_with_its_date,
    an_empty_batch_changes_nothing,
    an_append_at_another_place_than_the_next_is_a_conflict_and_writes_nothing,
    a_batch_with_an_event_that_cannot_be_read_back_is_refused_as_a_whole,
    the_log_is_read_from_any_place_and_no_further_than_asked,
    replaying_the_log_gives_the_tables,
    an_unknown_event_is_kept_to_the_letter,
    numbers_come_back_as_javascript_writes_them,
    queries_are_answered_from_the_tables,
}

fn an_empty_store_begins_at_the_first_place<P: Place>(place: &P) {
    let mut store = place.store();
    assert_eq!(store.next_seq(), Seq::FIRST);
    assert_eq!(store.catch_up(), Ok(Seq::FIRST));
    assert_eq!(log(&store), []);
    assert_eq!(store.state(), &replayed(&[]));
}

fn a_batch_is_appended_in_order_with_its_date<P: Place>(place: &P) {
    let mut store = place.store();
    let later = Timestamp::from_ms(at().as_ms() + 1);
    assert_eq!(store.append(Seq(0), at(), &[cell("b"), cell("a")]), Ok(Seq(2)));
    assert_eq!(store.append(Seq(2), later, &[cell("c")]), Ok(Seq(3)));
    let records: Vec<_> = log(&store).into_iter().map(|record| (record.seq, record.at, record.event)).collect();
    assert_eq!(records, [(Seq(0), at(), cell("b")), (Seq(1), at(), cell("a")), (Seq(2), later, cell("c"))]);
    let cells: Vec<_> = store.state().cells().map(|row| row.id.as_str()).collect();
    assert_eq!(cells, ["b", "a", "c"]);
}

fn an_empty_batch_changes_nothing<P: Place>(place: &P) {
    let mut store = place.store();
    store.append(Seq(0), at(), &[cell("a")]).unwrap();
    assert_eq!(store.append(Seq(1), at(), &[]), Ok(Seq(1)));
    assert_eq!(log(&store).len(), 1);
}

fn an_append_at_another_place_than_the_next_is_a_conflict_and_writes_nothing<P: Place>(place: &P) {
    let mut store = place.store();
    store.append(Seq(0), at(), &[cell("a"), cell("b")]).unwrap();
    let tables = store.state().clone();
    for expected in [0, 1, 3, u64::MAX].map(Seq) {
        let error = store.append(expected, at(), &[cell("c")]).unwrap_err();
        assert_eq!(error, StoreError::Conflict { expected, actual: Seq(2) });
        assert_eq!(error.code(), "STORE_CONFLICT");
    }
    assert_eq!((store.next_seq(), log(&store).len(), store.state()), (Seq(2), 2, &tables));
    assert_eq!(store.append(Seq(2), at(), &[cell("c")]), Ok(Seq(3)));
}

fn a_batch_with_an_event_that_cannot_be_read_back_is_refused_as_a_whole<P: Place>(place: &P) {
    let mut store = place.store();
    let disguised = Event::Unknown { name: "v1.CellDeleted".into(), args: json!({}) };
    let error = store.append(Seq(0), at(), &[cell("a"), disguised]).unwrap_err();
    assert!(matches!(error, StoreError::Unwritable { index: 1, .. }), "{error}");
    assert_eq!((log(&store).len(), store.state().cells().count()), (0, 0));
    assert_eq!(store.append(Seq(0), at(), &[cell("a")]), Ok(Seq(1)));
}

fn the_log_is_read_from_any_place_and_no_further_than_asked<P: Place>(place: &P) {
    let mut store = place.store();
    let cells: Vec<_> = (0..5).map(|number| cell(&format!("c{number}"))).collect();
    store.append(Seq(0), at(), &cells).unwrap();
    let read = |from, limit| -> Vec<_> {
        store.read(Seq(from), limit).unwrap().into_iter().map(|record| (record.seq.0, record.event)).collect()
    };
    assert_eq!(read(1, 2), [(1, cells[1].clone()), (2, cells[2].clone())]);
    assert_eq!(read(3, 9).len(), 2);
    assert_eq!(read(0, 0), []);
    assert_eq!(read(5, 9), []);
    assert_eq!(read(u64::MAX, 9), []);
}

fn replaying_the_log_gives_the_tables<P: Place>(place: &P) {
    let mut store = place.store();
    for _ in 0..20 {
        let next = store.next_seq();
        store.append(next, at(), &tests::append::batch(next).unwrap()).unwrap();
        assert_eq!(store.state(), &replayed(&log(&store)));
    }
    assert_eq!(store.state().outputs().count(), 20);
}

fn an_unknown_event_is_kept_to_the_letter<P: Place>(place: &P) {
    let mut store = place.store();
    let args = json!({ "z": 1, "a": [null, "\u{0}\u{1f600}\"", 1.5, -0.0, u64::MAX], "nested": { "b": {}, "a": [] } });
    let unknown = event("v7.SomethingNew", args.clone());
    store.append(Seq(0), at(), &[unknown.clone(), event("", json!(null))]).unwrap();
    let log = log(&store);
    assert_eq!(log[0].event, unknown);
    let Event::Unknown { args: kept, .. } = &log[0].event else { panic!("it became known") };
    assert_eq!(kept.to_string(), args.to_string(), "with its keys in order");
    assert_eq!(log[1].event.name(), "");
}

fn numbers_come_back_as_javascript_writes_them<P: Place>(place: &P) {
    let mut store = place.store();
    let Event::CellCreatedV1(mut created) =
        event("v1.CellCreated", json!({ "id": "a", "cellType": "code", "position": 1, "createdBy": "user" }))
    else {
        panic!("not a created cell")
    };
    created.position = serde_json::Number::from_f64(1.0).unwrap();
    store.append(Seq(0), at(), &[created.into()]).unwrap();
    let Event::CellCreatedV1(read) = &log(&store)[0].event else { panic!("another event") };
    assert_eq!(read.position.to_string(), "1");
}

/// Sessions s1 (over) and s2, and the entries q9 (assigned to s2), q10 and q1 (pending), q5 (executing), q3 (cancelled).
fn busy_notebook() -> Vec<Event> {
    let started = |id: &str| {
        let capabilities = json!({ "canExecuteCode": true, "canExecuteSql": false, "canExecuteAi": false });
        let args = json!({ "sessionId": id, "runtimeId": id, "runtimeType": "html", "capabilities": capabilities });
        event("v1.RuntimeSessionStarted", args)
    };
    let assigned = |id: &str| event("v1.ExecutionAssigned", json!({ "queueId": id, "runtimeSessionId": "s2" }));
    let mut events = vec![cell("a"), cell("b"), started("s1"), started("s2")];
    events.push(event("v1.CellSourceChanged", json!({ "id": "b", "source": "hi", "modifiedBy": "user" })));
    events.push(event("v1.RuntimeSessionTerminated", json!({ "sessionId": "s1", "reason": "shutdown" })));
    events.extend(["q9", "q10", "q1", "q5", "q3"].map(|id| requested(id, "a")));
    events.extend([assigned("q9"), assigned("q5")]);
    events.push(event(
        "v1.ExecutionStarted",
        json!({ "queueId": "q5", "cellId": "a", "runtimeSessionId": "s2", "startedAt": at() }),
    ));
    events.push(event(
        "v1.ExecutionCancelled",
        json!({ "queueId": "q3", "cellId": "a", "cancelledBy": "user", "reason": "x" }),
    ));
    events
}

fn queries_are_answered_from_the_tables<P: Place>(place: &P) {
    let mut store = place.store();
    store.append(Seq(0), at(), &busy_notebook()).unwrap();
    let ids = |query: &Query| match store.answer(query) {
        Reply::Entries(entries) => entries.iter().map(|entry| entry.id.to_string()).collect::<Vec<_>>().join(" "),
        other => panic!("not entries: {other:?}"),
    };
    assert_eq!(store.answer(&Query::ActiveSessions), Reply::Sessions(vec![SessionId::from("s2")]));
    assert_eq!(ids(&Query::PendingById), "q1 q10");
    assert_eq!(ids(&Query::AssignedTo(SessionId::from("s2"))), "q9");
    assert_eq!(ids(&Query::AssignedTo(SessionId::from("s1"))), "");
    assert_eq!(ids(&Query::OpenEntries), "q9 q10 q1 q5");
    assert_eq!(ids(&Query::Entries(["q3", "none", "q9"].map(QueueId::from).to_vec())), "q9 q3");
    let sources = store.answer(&Query::CellSources(["b", "none", "a"].map(CellId::from).to_vec()));
    assert_eq!(serde_json::to_value(sources).unwrap()["value"], json!({ "b": "hi", "a": "" }));
    check_rows(&store);
}

/// An entry says the same as its row.
fn check_rows(store: &impl Store) {
    let Reply::Entries(entries) = store.answer(&Query::OpenEntries) else { panic!("not entries") };
    for entry in entries {
        let row = store.state().queue_entry(&entry.id).unwrap();
        let expected = QueueEntry {
            id: row.id.clone(),
            cell_id: row.cell_id.clone(),
            execution_count: row.execution_count,
            status: row.status,
            assigned_runtime_session: row.assigned_runtime_session.clone(),
        };
        assert_eq!(entry, expected);
    }
}
