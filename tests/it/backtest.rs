//! Does the backtest make of a log what a shadow made of the work, and does it know the old code's logs as its own?

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path as FilePath;

use bridge_core::{Backtest, Content, Fault, Parity, Path, Place, Verdict};
use bridge_host::step::LegacyKind;
use proptest::prelude::*;
use registry::{Container, Event};
use serde_json::Value;
use tests::host::{BAD_CELL, GOOD_CELL, Host, TELLING_CELLS};

use crate::audit::{played, steps};

pub(crate) fn fed(mut backtest: Backtest, log: &[Event]) -> Parity {
    for (at, event) in (1..).zip(log) {
        backtest.take(Place::Event(at), event);
    }
    backtest.finish()
}

pub(crate) fn backtest(log: &[Event]) -> Parity {
    fed(Backtest::new(Content::Hidden), log)
}

fn alike(parity: &Parity) {
    assert_eq!(parity.mismatched, 0, "{parity:#?}");
    assert!(parity.recorded.values().all(|recorded| recorded.deviating == 0), "{parity:#?}");
}

/// Verdicts by execution, as a shadow gave them.
fn shadowed(host: &Host) -> BTreeMap<String, BTreeSet<&'static str>> {
    let comparisons = host.owner.compared.iter().flat_map(|(_, comparison)| &comparison.executions);
    let names = |verdict: &Verdict| match verdict {
        Verdict::Known { names } => names.clone(),
        _ => BTreeSet::new(),
    };
    comparisons.map(|one| (one.queue_id.to_string(), names(&one.verdict))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn every_execution_that_ended_is_replayed_and_nothing_innocent_differs(
        kind in prop_oneof![Just(LegacyKind::Compat), Just(LegacyKind::Host)], steps in steps(),
    ) {
        let host = played(kind, steps);
        let parity = backtest(&host.owner.log);
        alike(&parity);
        prop_assert_eq!(parity.executions, host.requested.len() as u64);
        prop_assert_eq!(parity.replayed, (host.requested.len() - host.cancelled.len()) as u64);
        prop_assert_eq!(parity.not_replayed.values().sum::<u64>(), host.cancelled.len() as u64);
        let compared: u64 = parity.recorded.values().map(|recorded| recorded.compared).sum();
        prop_assert_eq!(compared, parity.replayed);
        let replayed: BTreeMap<String, BTreeSet<&str>> =
            parity.cells.iter().map(|one| (one.queue_id.to_string(), one.known.clone())).collect();
        for (id, names) in shadowed(&host) {
            prop_assert_eq!(Some(&names), replayed.get(&id), "{}", id);
        }
    }
}

#[test]
fn sources_are_taken_as_they_stood_at_each_run() {
    let mut host = Host::new();
    for source in ["<i>1</i>", "<i>2</i>"] {
        host.edit(GOOD_CELL, source);
        host.request(GOOD_CELL);
        host.finish();
    }
    host.edit(GOOD_CELL, "<i>later</i>");
    host.request("ghost");
    host.finish();
    let parity = backtest(&host.owner.log);
    alike(&parity);
    assert_eq!((parity.replayed, parity.repeated, parity.recorded[&Path::Legacy].compared), (3, 1, 3));
    assert!(parity.known_differences.contains_key("missing-cell-fails"));
}

#[test]
fn an_output_that_the_store_refused_is_read_from_its_mark() {
    let mut host = Host::new();
    host.owner.refuses =
        |event| matches!(event, Event::MultimediaResultOutputAdded(e) if e.cell_id.as_str() == BAD_CELL);
    [GOOD_CELL, BAD_CELL, GOOD_CELL].iter().for_each(|cell| host.request(cell));
    host.finish();
    host.owner.stop();
    let parity = backtest(&host.owner.log);
    alike(&parity);
    assert!(parity.known_differences.contains_key("no-error-output"), "{parity:#?}");
    assert_eq!(parity.not_replayed["never claimed"], 1);
}

#[test]
fn every_seeded_fault_of_the_registry_is_a_mismatch() {
    let mut host = Host::new();
    host.create_telling_cells();
    host.request_together(&TELLING_CELLS);
    host.finish();
    for (fault, name) in Fault::ALL {
        let parity = fed(Backtest::new(Content::Hidden).spoiled(fault), &host.owner.log);
        assert!(parity.replayed == 2 && parity.mismatched > 0, "{name}");
        assert!(!parity.mismatches[0].differences.is_empty(), "{name}");
    }
}

/// A log in which the old path has shown something else than its source.
fn deviating() -> Vec<Event> {
    let mut host = Host::new();
    host.edit(GOOD_CELL, "<b>secret</b>");
    host.request(GOOD_CELL);
    host.finish();
    let mut log = host.owner.log;
    for event in &mut log {
        if let Event::MultimediaResultOutputAdded(output) = event {
            output.representations.insert("text/html".to_owned(), Container::inline("<b>other secret</b>"));
        }
    }
    log
}

#[test]
fn a_recording_that_our_core_does_not_repeat_is_told_and_content_only_when_asked() {
    let parity = backtest(&deviating());
    let recorded = &parity.recorded[&Path::Legacy];
    assert_eq!((recorded.compared, recorded.deviating, parity.mismatched), (1, 1, 0));
    assert_eq!(recorded.deviations[0].differences[0].path, "outputs[0].representations.text/html.inline");
    let told = |content| serde_json::to_string(&fed(Backtest::new(content), &deviating())).unwrap();
    assert!(!told(Content::Hidden).contains("secret"));
    assert!(told(Content::Shown).contains("other secret"));
}

#[test]
fn what_nobody_ended_or_announced_is_counted_apart() {
    let text = [
        r#"{"name":"v1.RuntimeSessionStarted","args":{"sessionId":"s","runtimeId":"r","runtimeType":"python3","capabilities":{"canExecuteCode":true,"canExecuteSql":false,"canExecuteAi":false}}}"#,
        r#"{"name":"v1.ExecutionRequested","args":{"queueId":"q1","cellId":"c","executionCount":1,"requestedBy":"u"}}"#,
        r#"{"name":"v1.ExecutionAssigned","args":{"queueId":"q1","runtimeSessionId":"s"}}"#,
        r#"{"name":"v1.ExecutionRequested","args":{"queueId":"q2","cellId":"c","executionCount":2,"requestedBy":"u"}}"#,
        r#"{"name":"v1.ExecutionAssigned","args":{"queueId":"q2","runtimeSessionId":"elsewhere"}}"#,
    ];
    let log: Vec<Event> = text.iter().map(|line| Event::from_json(line).unwrap()).collect();
    let parity = backtest(&log);
    assert_eq!(parity.replayed, 0);
    let expect = [("its session is not in this log".to_owned(), 1), ("never ended".to_owned(), 1)];
    assert_eq!(parity.not_replayed, expect.into());
}

/// A recording of the real old code as the log that it left: placeholders become ids and dates.
pub(crate) fn log_of(trace: &FilePath) -> Vec<Event> {
    let text = fs::read_to_string(trace).unwrap();
    let text = text.replace("<runtime:", "html-runtime-<").replace("<time>", "2024-01-01T00:00:00.000Z");
    let trace: Value = registry::json::from_str(&text.replace("\"<ms>\"", "7")).unwrap();
    let mut log = Vec::new();
    let mut push = |name: &str, args: Value| log.push(Event::from_parts(name, args).unwrap());
    for cell in trace["setup"]["cells"].as_array().into_iter().flatten() {
        let source = match &cell["source"] {
            Value::String(text) => text.clone(),
            repeated => repeat(&repeated["$repeat"]),
        };
        let (id, user) = (&cell["id"], "user-1");
        push(
            "v2.CellCreated",
            serde_json::json!({ "id": id, "fractionalIndex": "a0", "cellType": "code", "createdBy": user }),
        );
        push("v1.CellSourceChanged", serde_json::json!({ "id": id, "source": source, "modifiedBy": user }));
    }
    for entry in trace["setup"]["queue"].as_array().into_iter().flatten() {
        let count = entry["executionCount"].as_i64().unwrap_or(1);
        let args = serde_json::json!({ "queueId": entry["queueId"], "cellId": entry["cellId"], "executionCount": count,
            "requestedBy": "user-1" });
        push("v1.ExecutionRequested", args);
    }
    for seen in trace["observations"].as_array().into_iter().flatten().filter(|seen| seen["kind"] == "event") {
        push(seen["name"].as_str().unwrap(), seen["args"].clone());
    }
    log
}

fn repeat(repeated: &Value) -> String {
    let times = repeated["times"].as_u64().unwrap_or_default();
    repeated["text"].as_str().unwrap_or_default().repeat(usize::try_from(times).unwrap())
}

/// The logs that the real old code left are the strongest evidence that there is of our reproduction.
#[test]
fn the_recordings_of_the_old_code_are_repeated_by_our_core() {
    let traces = FilePath::new(env!("CARGO_MANIFEST_DIR")).join("traces");
    let mut compared = BTreeMap::from([("html", 0), ("manager", 0)]);
    for entry in fs::read_dir(traces).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let Some(total) = name.split_once("__").and_then(|(suite, _)| compared.get_mut(suite)) else { continue };
        let parity = backtest(&log_of(&path));
        let recorded = parity.recorded.get(&Path::Legacy).cloned().unwrap_or_default();
        assert_eq!((recorded.deviating, parity.mismatched), (0, 0), "{name}: {parity:#?}");
        *total += recorded.compared;
    }
    assert!(compared["html"] > 40 && compared["manager"] > 10, "{compared:?}");
}
