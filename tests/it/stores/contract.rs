//! The questions that every store answers alike.

use std::collections::HashMap;

use bridge_host::sql;
use bridge_host::store::{Seq, Store, StoreError};
use registry::{CellId, Event, Query, QueueId, SessionId, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};
use tests::append::at;

use super::{File, Memory, Place, cell, event, log, replayed};

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

/// The questions that LiveStore is asked as well, by `tests/hosts`.
#[derive(Deserialize)]
struct Asked {
    statements: HashMap<String, String>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    commits: Vec<Vec<WireEvent>>,
    asks: Vec<Ask>,
}

#[derive(Deserialize)]
struct WireEvent {
    name: String,
    args: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Ask {
    ask: String,
    bind_values: Vec<String>,
    reply: Value,
}

impl Ask {
    fn query(&self) -> Query {
        let ids = || serde_json::from_str::<Vec<String>>(&self.bind_values[0]).unwrap();
        match self.ask.as_str() {
            "activeSessions" => Query::ActiveSessions,
            "pendingById" => Query::PendingById,
            "assignedTo" => Query::AssignedTo(SessionId::from(self.bind_values[0].as_str())),
            "openEntries" => Query::OpenEntries,
            "entries" => Query::Entries(ids().into_iter().map(QueueId::from).collect()),
            "execution" => Query::Execution(QueueId::from(self.bind_values[0].as_str())),
            "cellSources" => Query::CellSources(ids().into_iter().map(CellId::from).collect()),
            "work" => {
                let cells: Vec<CellId> = serde_json::from_str(&self.bind_values[1]).unwrap();
                Query::Work(SessionId::from(self.bind_values[0].as_str()), cells)
            }
            other => panic!("unknown question `{other}`"),
        }
    }
}

fn asked() -> Asked {
    serde_json::from_str(include_str!("../../stores/queries.json")).unwrap()
}

fn queries_are_answered_from_the_tables<P: Place>(place: &P) {
    for (number, case) in asked().cases.into_iter().enumerate() {
        let mut store = place.notebook(&number.to_string());
        for commit in case.commits {
            let events: Vec<_> = commit.into_iter().map(|WireEvent { name, args }| event(&name, args)).collect();
            store.append(store.next_seq(), at(), &events).unwrap();
        }
        for ask in case.asks {
            let reply = serde_json::to_value(store.answer(&ask.query())).unwrap();
            assert_eq!(reply["value"], ask.reply, "{}: {}", case.name, ask.ask);
        }
    }
}

/// What the hosts' stores are asked is what a core asks.
#[test]
fn the_questions_are_those_of_the_core() {
    let Asked { statements, cases } = asked();
    for ask in cases.iter().flat_map(|case| &case.asks) {
        let statement = sql::statement(&ask.query());
        assert_eq!((statement.query, &statement.bind_values), (&*statements[&ask.ask], &ask.bind_values));
    }
}
