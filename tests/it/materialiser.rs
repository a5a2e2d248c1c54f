//! Do events become the same rows as in the recorded LiveStore stores?
//!
//! Each trace is replayed: its setup as the events the recorder committed for it, then every recorded event. The tables
//! must come out equal, to the order of rows and columns, at the end and wherever the recording dumps them on its way.
//! Placeholders stand on both sides: dates and durations get fixed values before parsing, long texts become their lengths.

use std::fs;
use std::path::{Path, PathBuf};

use registry::{Event, NotebookState};
use serde_json::{Value, json};

/// UTF-16 units from which a recording keeps only the lengths of a text.
const LONG: usize = 2000;

/// The recordings that have a store.
const STORES: usize = 160;

fn traces() -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("traces");
    let mut files: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    files
}

/// The trace with values in place of placeholders that a typed field cannot hold.
fn read(file: &Path) -> Value {
    let text = fs::read_to_string(file).unwrap();
    let text = text.replace(r#""<time>""#, r#""2023-11-14T22:13:20.000Z""#).replace(r#""<ms>""#, "7");
    let mut trace = registry::json::from_str(&text).unwrap();
    shorten(&mut trace);
    trace
}

/// Puts `long:<UTF-16 units>:<bytes>` for a long text and for the object that stands for one.
fn shorten(value: &mut Value) {
    match value {
        Value::String(text) => {
            let units = text.encode_utf16().count();
            if units > LONG {
                *text = format!("long:{units}:{}", text.len());
            }
        }
        Value::Array(items) => items.iter_mut().for_each(shorten),
        Value::Object(fields) => match fields.get("$long") {
            Some(long) => *value = json!(format!("long:{}:{}", long["utf16"], long["bytes"])),
            None => fields.values_mut().for_each(shorten),
        },
        _ => {}
    }
}

fn rows<'a>(trace: &'a Value, name: &str) -> &'a [Value] {
    trace["setup"][name].as_array().map_or(&[], Vec::as_slice)
}

fn apply(state: &mut NotebookState, name: &str, args: Value) {
    state.apply(&Event::from_parts(name, args).unwrap());
}

fn apply_event(state: &mut NotebookState, event: &Value) {
    apply(state, event["name"].as_str().unwrap(), event["args"].clone());
}

/// The notebook that the recorder prepared.
fn prepared(trace: &Value) -> NotebookState {
    let mut state = NotebookState::new();
    rows(trace, "cells").iter().for_each(|cell| prepare_cell(&mut state, cell));
    rows(trace, "sessions").iter().for_each(|session| prepare_session(&mut state, session));
    rows(trace, "queue").iter().for_each(|entry| prepare_entry(&mut state, entry));
    rows(trace, "events").iter().for_each(|event| apply_event(&mut state, event));
    state
}

fn prepare_cell(state: &mut NotebookState, cell: &Value) {
    let id = &cell["id"];
    let created = json!({ "id": id, "fractionalIndex": "a0", "cellType": "code", "createdBy": "user-1" });
    apply(state, "v2.CellCreated", created);
    let source = source(&cell["source"]);
    apply(state, "v1.CellSourceChanged", json!({ "id": id, "source": source, "modifiedBy": "user-1" }));
}

fn source(source: &Value) -> String {
    match source {
        Value::String(text) => text.clone(),
        Value::Object(_) => {
            let repeat = &source["$repeat"];
            let times = usize::try_from(repeat["times"].as_u64().unwrap()).unwrap();
            repeat["text"].as_str().unwrap().repeat(times)
        }
        other => panic!("unknown source `{other}`"),
    }
}

fn prepare_session(state: &mut NotebookState, session: &Value) {
    let id = session["sessionId"].as_str().unwrap();
    let capabilities = json!({ "canExecuteCode": true, "canExecuteSql": false, "canExecuteAi": false });
    let runtime_type = session["runtimeType"].as_str().unwrap_or("python3");
    let started = json!({
        "sessionId": id,
        "runtimeId": session["runtimeId"].as_str().map_or(format!("rt-{id}"), str::to_owned),
        "runtimeType": runtime_type,
        "capabilities": capabilities,
    });
    apply(state, "v1.RuntimeSessionStarted", started);
    let status = session["status"].as_str().unwrap_or("ready");
    apply(state, "v1.RuntimeSessionStatusChanged", json!({ "sessionId": id, "status": status }));
}

fn prepare_entry(state: &mut NotebookState, entry: &Value) {
    let id = &entry["queueId"];
    let requested = json!({
        "queueId": id,
        "cellId": entry["cellId"],
        "executionCount": entry["executionCount"].as_i64().unwrap_or(1),
        "requestedBy": entry["requestedBy"].as_str().unwrap_or("user-1"),
    });
    apply(state, "v1.ExecutionRequested", requested);
    if let Some(session) = entry["assignTo"].as_str() {
        apply(state, "v1.ExecutionAssigned", json!({ "queueId": id, "runtimeSessionId": session }));
    }
}

/// The first line in which the tables differ from the recorded ones.
fn difference(state: &NotebookState, recorded: &Value) -> Option<String> {
    let mut tables = serde_json::to_value(state.tables()).unwrap();
    shorten(&mut tables);
    let (ours, theirs) = (lines(&tables), lines(recorded));
    let differs = (0..ours.len().max(theirs.len())).find(|&at| ours.get(at) != theirs.get(at))?;
    Some(format!("\n      ours {:?}\n    theirs {:?}", ours.get(differs), theirs.get(differs)))
}

/// One line a row, with its table.
fn lines(tables: &Value) -> Vec<String> {
    let tables = tables.as_object().unwrap();
    let row = |name: &str, row: &Value| format!("{name} {row}");
    let lines = |(name, rows): (&String, &Value)| -> Vec<String> {
        let rows = rows.as_array().unwrap();
        [format!("{name}: {}", rows.len())].into_iter().chain(rows.iter().map(|r| row(name, r))).collect()
    };
    tables.iter().flat_map(lines).collect()
}

/// Replays a trace and returns where it goes wrong.
fn check(trace: &Value) -> Vec<String> {
    let mut state = prepared(trace);
    let mut wrong = Vec::new();
    for seen in trace["observations"].as_array().unwrap() {
        match seen["kind"].as_str() {
            Some("event") => apply_event(&mut state, seen),
            Some("tables") => {
                wrong.extend(difference(&state, &seen["tables"]).map(|text| format!("at seq {}{text}", seen["seq"])));
            }
            _ => {}
        }
    }
    wrong.extend(difference(&state, &trace["tables"]).map(|text| format!("at the end{text}")));
    wrong
}

fn has_store(trace: &Value) -> bool {
    !trace["tables"].as_object().unwrap().is_empty()
}

#[test]
fn every_recorded_store_comes_out_row_for_row() {
    let mut wrong = Vec::new();
    let mut stores = 0;
    for trace in traces().iter().map(|file| read(file)).filter(has_store) {
        stores += 1;
        wrong.extend(check(&trace).iter().map(|text| format!("{}: {text}", trace["scenario"])));
    }
    assert!(wrong.is_empty(), "{} of {stores} differ\n{}", wrong.len(), wrong.join("\n"));
    assert!(stores >= STORES, "only {stores} traces with a store: are they all there?");
}

#[test]
fn a_recording_without_a_store_has_no_events() {
    for trace in traces().iter().map(|file| read(file)).filter(|trace| !has_store(trace)) {
        let events = trace["observations"].as_array().unwrap().iter().filter(|seen| seen["kind"] == "event");
        assert_eq!(events.count(), 0, "{}", trace["scenario"]);
    }
}

#[test]
fn every_recorded_event_is_written_as_it_was_recorded() {
    for trace in traces().iter().map(|file| read(file)) {
        for seen in trace["observations"].as_array().unwrap().iter().filter(|seen| seen["kind"] == "event") {
            let event = Event::from_parts(seen["name"].as_str().unwrap(), seen["args"].clone()).unwrap();
            let recorded = json!({ "name": seen["name"], "args": seen["args"] });
            assert_eq!(serde_json::to_string(&event).unwrap(), recorded.to_string(), "{}", trace["scenario"]);
        }
    }
}
