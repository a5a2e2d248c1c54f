//! Do the cores do what the old code was recorded to do?
//!
//! Each trace of the suites that the Rust player plays is played and compared with its recording, exactly: on virtual time
//! even a repeated state callback comes where it came. Then the comparison itself is put to the test.

use std::path::Path;

use serde_json::{Value, json};
use tests::compare::{Closeness, Difference, compare};
use tests::{Played, Trace, play};

fn traces() -> Vec<Trace> {
    Trace::read_all(&Path::new(env!("CARGO_MANIFEST_DIR")).join("traces")).unwrap()
}

fn trace(scenario: &str) -> Trace {
    let found = traces().into_iter().find(|trace| trace.scenario == scenario);
    found.unwrap_or_else(|| panic!("no trace `{scenario}`"))
}

fn difference(trace: &Trace) -> Option<Difference> {
    compare(trace, &play(trace).unwrap(), Closeness::Exact)
}

fn check(scenario: &str) {
    if let Some(difference) = difference(&trace(scenario)) {
        panic!("{difference}");
    }
}

fn check_suite(suite: &str, count: usize) {
    let traces: Vec<_> = traces().into_iter().filter(|trace| trace.suite() == suite).collect();
    let differences: Vec<_> = traces.iter().filter_map(difference).map(|difference| difference.to_string()).collect();
    assert!(differences.is_empty(), "{} of {} differ\n{}", differences.len(), traces.len(), differences.join("\n"));
    assert!(traces.len() >= count, "only {} traces of {suite}: are they all there?", traces.len());
}

#[test]
fn the_lifecycle_is_as_recorded() {
    check_suite("base", 30);
}

#[test]
fn the_html_runtime_is_as_recorded() {
    check_suite("html", 46);
}

#[test]
fn the_manager_is_as_recorded() {
    check_suite("manager", 25);
}

#[test]
fn the_registry_of_runtimes_is_as_recorded() {
    check_suite("registry", 21);
}

#[test]
fn the_factory_of_runtimes_is_as_recorded() {
    check_suite("factory", 11);
}

#[test]
fn the_configuration_of_an_agent_is_as_recorded() {
    check_suite("config", 4);
}

#[test]
fn a_stop_in_a_busy_callback_is_handled_before_the_next_commit() {
    check("html/stop-from-busy-callback");
}

#[test]
fn executions_of_one_poll_interleave_at_their_awaits() {
    check("html/preassigned-own");
}

#[test]
fn a_failing_output_is_reported_between_the_commits_around_it() {
    check("html/fault-output");
}

#[test]
fn a_start_in_the_pause_of_a_restart_is_the_one_that_counts() {
    check("base/restart-raced-by-start");
}

/// A trace, and what was really played of it.
fn played(scenario: &str) -> (Trace, Played) {
    let trace = trace(scenario);
    let played = play(&trace).unwrap();
    assert_eq!(compare(&trace, &played, Closeness::Allowed), None);
    (trace, played)
}

/// Changes the recording and expects that the comparison sees it, under both kinds of closeness.
fn check_seen(scenario: &str, change: impl Fn(&mut Trace)) -> Difference {
    let (mut trace, played) = played(scenario);
    change(&mut trace);
    assert!(compare(&trace, &played, Closeness::Exact).is_some());
    compare(&trace, &played, Closeness::Allowed).unwrap()
}

fn position(trace: &Trace, name: &str) -> usize {
    trace.observations.iter().position(|seen| seen["name"] == name).unwrap()
}

#[test]
fn a_dropped_event_is_seen() {
    let difference = check_seen("html/one-cell", |trace| {
        let at = position(trace, "v1.ExecutionStarted");
        trace.observations.remove(at);
    });
    assert!(difference.observed.contains("v1.ExecutionStarted"), "{difference}");
    assert!(difference.to_string().contains("\"op\":\"advance\""), "{difference}");
}

#[test]
fn a_changed_field_is_seen_wherever_it_stands() {
    check_seen("html/one-cell", |trace| {
        let at = position(trace, "v1.MultimediaResultOutputAdded");
        trace.observations[at]["args"]["executionCount"] = json!(2);
    });
    check_seen("html/one-cell", |trace| {
        let at = position(trace, "v1.RuntimeSessionStarted");
        trace.observations[at]["dropped"]["capabilities"]["supportsRestart"] = json!(false);
    });
    let difference = check_seen("html/one-cell", |trace| trace.tables["outputs"][0]["position"] = json!(1));
    assert_eq!(difference.place, "outputs[0]");
}

#[test]
fn two_swapped_observations_are_seen() {
    check_seen("html/preassigned-own", |trace| {
        let at = trace.observations.iter().rposition(|seen| seen["name"] == "v1.ExecutionStarted").unwrap();
        trace.observations.swap(at, at + 1);
    });
}

#[test]
fn an_observation_too_many_is_seen() {
    let difference = check_seen("base/start-ok", |trace| {
        trace.observations.push(json!({ "at": 3, "kind": "return", "value": "<undefined>" }));
    });
    assert_eq!(difference.observed, "(nothing more)");
}

#[test]
fn an_id_that_refers_elsewhere_is_seen() {
    check_seen("base/restart-raced-by-start", |trace| {
        let last = trace.observations.last_mut().unwrap();
        last["value"]["state"]["runtimeId"] = json!("<runtime:1>");
    });
}

#[test]
fn a_repeated_state_may_be_missing_only_where_that_is_allowed() {
    let (mut trace, played) = played("base/update-same-ms");
    let states = |trace: &Trace| -> Vec<usize> {
        let is_state = |seen: &Value| seen["kind"] == "state";
        trace.observations.iter().enumerate().filter(|(_, seen)| is_state(seen)).map(|(at, _)| at).collect()
    };
    let repeated = *states(&trace).last().unwrap();
    trace.observations.remove(repeated);
    assert_eq!(compare(&trace, &played, Closeness::Allowed), None);
    assert!(compare(&trace, &played, Closeness::Exact).is_some());
}

#[test]
fn an_unknown_operation_names_the_trace_and_the_step() {
    let mut trace = trace("base/start-ok");
    trace.steps.push(json!({ "op": "levitate", "args": { "runtime": "r" } }));
    let error = play(&trace).unwrap_err().to_string();
    assert!(error.contains("`base/start-ok`, step 4") && error.contains("levitate"), "{error}");
}

#[test]
fn two_plays_of_a_trace_are_equal_to_the_byte() {
    for trace in traces().iter().filter(|trace| trace.suite() == "html") {
        assert_eq!(play(trace).unwrap(), play(trace).unwrap(), "{}", trace.scenario);
    }
}
