//! Does the registry take down what a handler does as the TypeScript `RuntimeAgent` did?

use std::collections::BTreeSet;
use std::path::Path;

use registry::Event;
use serde_json::{Value, json};
use tests::Trace;
use tests::placeholder::with_placeholders;
use tests::script::{executed, scripted};

/// Recordings that show something else, and what.
const OTHERS: &[(&str, &str)] = &[
    ("fault-clear", "a store that refuses"),
    ("fault-result", "a store that refuses"),
    ("fault-stdout", "a store that refuses"),
    ("png-artifact-with-text", "an artifact service"),
    ("png-custom-threshold", "an artifact service"),
    ("png-display-position-race", "an artifact service"),
    ("png-inline-result-after-completed", "a result behind the end"),
    ("png-result-after-completed", "a result behind the end"),
    ("png-threshold-artifact", "an artifact service"),
    ("png-update-display", "an artifact service"),
    ("same-cell-queued-slow", "a cell that runs twice at once"),
    ("throw-handler-throws-too", "an execution that never ends"),
];

fn recordings() -> Vec<Trace> {
    let traces = Path::new(env!("CARGO_MANIFEST_DIR")).join("traces");
    let mut all = Trace::read_all(&traces).unwrap();
    all.retain(|trace| trace.suite() == "agent");
    all
}

/// The events of one execution, from its first start to its first end: the recorded agent may run it again behind that.
fn run<'e>(events: impl Iterator<Item = &'e Value>, queue: &str, cell: &str) -> Vec<Value> {
    let is_of = |event: &Value, name: &str| event["name"] == name && event["args"]["queueId"] == queue;
    let mut run: Vec<Value> = Vec::new();
    for event in events.skip_while(|event| !is_of(event, "v1.ExecutionStarted")) {
        let args = &event["args"];
        let is_ours = match args.get("queueId") {
            Some(id) => id == queue && event["name"] != "v1.ExecutionAssigned",
            None => {
                event["name"].as_str().unwrap().contains("Output") && args.get("cellId").is_none_or(|id| id == cell)
            }
        };
        if is_ours {
            run.push(json!({ "kind": "event", "name": event["name"], "args": args }));
        }
        if is_of(event, "v1.ExecutionCompleted") {
            break;
        }
    }
    run
}

/// Ids by their first appearance in this very execution.
fn renumbered(run: &[Value]) -> Vec<Value> {
    let text = Value::from_iter(run.iter().cloned()).to_string();
    let (mut out, mut seen) = (String::new(), Vec::new());
    for (at, part) in text.split("<").enumerate() {
        let kind = ["output:", "delta:"].into_iter().find(|kind| at > 0 && part.starts_with(kind));
        let named = kind.and_then(|kind| Some((kind, part.split_once('>')?)));
        match named {
            Some((kind, (id, rest))) => {
                let nth = seen.iter().position(|known| known == id).unwrap_or_else(|| {
                    seen.push(id.to_owned());
                    seen.len() - 1
                });
                out.push_str(&format!("<{kind}{nth}>{rest}"));
            }
            None => out.push_str(&format!("{}{part}", if at > 0 { "<" } else { "" })),
        }
    }
    serde_json::from_str(&out).unwrap()
}

fn seen(event: &Event) -> Value {
    let mut seen = serde_json::to_value(event).unwrap();
    seen["kind"] = "event".into();
    seen
}

/// Each execution as recorded, and as the registry's agent does it.
fn both(trace: &Trace) -> Vec<(String, Vec<Value>, Vec<Value>)> {
    let recorded = || trace.observations.iter().filter(|seen| seen["kind"] == "event" && seen["by"] == "runtime");
    let mut executions = scripted(trace);
    executions
        .retain(|one| !run(recorded(), one.requested.queue_id.as_str(), one.requested.cell_id.as_str()).is_empty());
    let ours: Vec<Value> = executed(&executions).iter().map(seen).collect();
    let (ours, _) = with_placeholders(&trace.scenario, &ours, &json!({}));
    let pairs = executions.iter().map(|one| {
        let (queue, cell) = (one.requested.queue_id.as_str(), one.requested.cell_id.as_str());
        let both = (renumbered(&run(recorded(), queue, cell)), renumbered(&run(ours.iter(), queue, cell)));
        (format!("{} {queue}", trace.scenario), both.0, both.1)
    });
    pairs.collect()
}

#[test]
fn each_execution_is_taken_down_as_the_recorded_agent_did() {
    let (mut played, mut others) = (0, BTreeSet::new());
    for trace in recordings() {
        let name = trace.scenario.trim_start_matches("agent/").to_owned();
        let is_other = OTHERS.iter().any(|(other, _)| *other == name);
        for (execution, recorded, ours) in both(&trace) {
            match is_other {
                false => assert_eq!(ours, recorded, "{execution}"),
                true if ours != recorded => drop(others.insert(name.clone())),
                true => {}
            }
            played += usize::from(!is_other);
        }
    }
    assert_eq!(others, OTHERS.iter().map(|(name, _)| (*name).to_owned()).collect(), "left out without need");
    assert!(played > 40, "{played}");
}
