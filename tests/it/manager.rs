//! Does the manager do what renders, effects and their clean-ups would do?
//!
//! The recordings show the common cases; here is what the mechanism says of the others, on both routes.

use bridge_host::step::Method;
use registry::Event;
use serde_json::{Value, json};
use tests::owner::MemoryOwner;

fn event(name: &str, args: Value) -> Event {
    Event::from_parts(name, args).unwrap()
}

fn requests(ids: &[&str]) -> Vec<Event> {
    let request = |id: &&str| {
        let args = json!({ "queueId": id, "cellId": "c", "executionCount": 1, "requestedBy": "u" });
        event("v1.ExecutionRequested", args)
    };
    ids.iter().map(request).collect()
}

fn route(owner: &mut MemoryOwner, variant: &str) {
    let document = json!({ "flags": { "runtime-route": {
        "state": "ENABLED", "variants": { "legacy": "legacy", "registry": "registry" }, "defaultVariant": variant,
        "metadata": { "boundary": "drain" },
    } } });
    owner.flags.apply(&document.to_string(), "test").unwrap();
    owner.flags_changed();
}

/// A mounted manager with a session on this route.
fn started(variant: &str) -> MemoryOwner {
    let mut owner = MemoryOwner::new();
    route(&mut owner, variant);
    owner.mount();
    owner.call_manager([Method::StartRuntime]);
    assert!(owner.shown.last().unwrap().is_active);
    owner.log.clear();
    owner
}

/// The log in short: sessions by what happened to them, executions with their entry.
fn told(owner: &MemoryOwner) -> Vec<String> {
    let tell = |event: &Event| {
        let name = event.name().trim_start_matches("v1.").trim_start_matches("Runtime");
        let name = name.trim_start_matches("Execution").trim_start_matches("Multimedia");
        event.queue_id().map_or_else(|| name.to_owned(), |id| format!("{name} {id}"))
    };
    owner.log.iter().filter(|event| !event.name().ends_with("Requested")).map(tell).collect()
}

fn check(owner: &MemoryOwner, expected: &[&str]) {
    assert_eq!(told(owner), expected);
}

#[test]
fn the_next_entry_is_claimed_by_its_id_as_text_while_one_is_run() {
    let mut owner = started("legacy");
    owner.commit(requests(&["q9", "q10"]));
    let first = ["Assigned q10", "Assigned q9", "Started q10", "ResultOutputAdded", "Completed q10"];
    let second = ["Started q9", "ResultOutputAdded", "Completed q9"];
    check(&owner, &[&first[..], &second[..]].concat());
}

#[test]
fn what_is_pending_when_the_manager_stops_is_not_claimed() {
    let mut owner = started("legacy");
    owner.call_manager([Method::Stop]);
    owner.commit(requests(&["q1"]));
    check(&owner, &["SessionTerminated", "SessionTerminated"]);
}

#[test]
fn a_stop_in_the_tick_of_its_start_finds_nothing_to_stop() {
    let mut owner = MemoryOwner::new();
    route(&mut owner, "legacy");
    owner.mount();
    owner.call_manager([Method::StartRuntime, Method::Stop]);
    check(&owner, &["SessionStarted", "SessionStatusChanged"]);
    assert_eq!(owner.shown.iter().map(|state| state.is_active).collect::<Vec<_>>(), [false, true]);
}

#[test]
fn a_start_in_the_tick_of_a_stop_does_nothing() {
    let mut owner = started("legacy");
    owner.call_manager([Method::Stop, Method::StartRuntime]);
    check(&owner, &["SessionTerminated", "SessionTerminated"]);
    assert!(!owner.shown.last().unwrap().is_active);
}

#[test]
fn a_logout_terminates_in_its_effect_and_again_in_the_clean_up() {
    let mut owner = started("legacy");
    owner.call_manager([Method::SetAuth { is_authenticated: false }]);
    check(&owner, &["SessionTerminated", "SessionTerminated"]);
}

#[test]
fn an_unmounted_manager_commits_one_termination_and_hears_of_no_request() {
    let mut owner = started("legacy");
    owner.call_manager([Method::Unmount]);
    owner.commit(requests(&["q1"]));
    check(&owner, &["SessionTerminated"]);
}

#[test]
fn the_delayed_start_of_a_restart_survives_the_component_on_the_legacy_route_alone() {
    for (variant, told) in [("legacy", &["SessionStarted", "SessionStatusChanged"][..]), ("registry", &[])] {
        let mut owner = MemoryOwner::new();
        route(&mut owner, variant);
        owner.mount();
        owner.call_manager([Method::RestartRuntime, Method::Unmount]);
        owner.advance(100);
        check(&owner, told);
    }
}

#[test]
fn a_restart_restarts_on_the_registry_route_alone() {
    for (variant, is_active) in [("legacy", false), ("registry", true)] {
        let mut owner = started(variant);
        owner.call_manager([Method::RestartRuntime]);
        owner.advance(100);
        assert_eq!(owner.shown.last().unwrap().is_active, is_active, "{variant}");
    }
}

#[test]
fn a_failing_claim_leaves_the_other_effects_of_the_render_to_run_before_the_manager_unmounts() {
    let mut owner = started("legacy");
    owner.refuses = |event| matches!(event, Event::ExecutionAssigned(e) if e.queue_id.as_str() == "q2");
    owner.commit(requests(&["q1", "q2"]));
    check(&owner, &["Assigned q1", "Started q1", "ResultOutputAdded", "Completed q1", "SessionTerminated"]);
    assert_eq!(owner.raised.len(), 1);
}

#[test]
fn a_failing_start_shows_its_error_and_the_next_one_clears_it() {
    let mut owner = MemoryOwner::new();
    route(&mut owner, "legacy");
    owner.mount();
    owner.refuses = |event| matches!(event, Event::RuntimeSessionStarted(_));
    owner.call_manager([Method::StartRuntime]);
    assert_eq!(owner.shown.last().unwrap().error.as_deref(), Some("refused"));
    assert!(owner.status().leases.is_empty());
    owner.refuses = |_| false;
    owner.call_manager([Method::StartRuntime]);
    let state = owner.shown.last().unwrap();
    assert_eq!((state.is_active, state.error.as_deref()), (true, None));
}

#[test]
fn an_execution_that_cannot_start_is_reported_as_failed() {
    let mut owner = started("legacy");
    owner.refuses = |event| matches!(event, Event::ExecutionStarted(_));
    owner.commit(requests(&["q1"]));
    check(&owner, &["Assigned q1", "ErrorOutputAdded", "Completed q1"]);
}

#[test]
fn a_flip_takes_pending_entries_along_and_the_manager_stays_active() {
    let mut owner = started("legacy");
    for id in ["q1", "q2", "q3"] {
        owner.state.apply(&requests(&[id])[0]);
    }
    owner.commit([]);
    route(&mut owner, "registry");
    owner.commit(requests(&["q4"]));
    let status = owner.status();
    assert_eq!(status.executions.terminal, 4);
    let session = owner.shown.last().unwrap().session_id.clone().unwrap();
    assert!(session.starts_with("html-registry-"), "{session}");
    assert!(owner.shown.iter().skip(1).all(|state| state.is_active));
}
