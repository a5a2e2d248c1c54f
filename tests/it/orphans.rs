//! What becomes of executions whose session is gone, or which do not end in time for a flip?

use bridge_host::step::LegacyKind;
use registry::{
    Capabilities, CellId, Event, ExecutionAssigned, ExecutionCompleted, ExecutionStarted, QueueId, RuntimeId,
    SessionId, SessionIdentity, Timestamp, session_events,
};
use tests::host::{GOOD_CELL, Host, Step};

/// An entry as a session that is gone has left it.
fn left_behind(host: &mut Host, id: &str, is_started: bool) {
    host.request_as(id, GOOD_CELL, 1);
    let session = SessionId::from("gone");
    let assigned = ExecutionAssigned { queue_id: QueueId::from(id), runtime_session_id: session.clone() };
    host.owner.commit([assigned.into()]);
    if is_started {
        let started = ExecutionStarted {
            queue_id: QueueId::from(id),
            cell_id: CellId::from(GOOD_CELL),
            runtime_session_id: session,
            started_at: Timestamp::from_ms(0),
        };
        host.owner.commit([started.into()]);
    }
}

/// How executions ended: by id, with the error if any.
fn ends(host: &Host) -> Vec<(String, Option<String>)> {
    let end = |event: &Event| match event {
        Event::ExecutionCompleted(ExecutionCompleted { queue_id, error, .. }) => {
            Some((queue_id.to_string(), error.clone()))
        }
        _ => None,
    };
    host.owner.log.iter().filter_map(end).collect()
}

fn end(id: &str, error: Option<&str>) -> (String, Option<String>) {
    (id.to_owned(), error.map(str::to_owned))
}

/// A notebook without a session.
fn at_rest() -> Host {
    let mut host = Host::new();
    host.owner.stop();
    host
}

#[test]
fn what_was_assigned_to_a_session_that_is_gone_runs_on_the_registry() {
    let mut host = at_rest();
    left_behind(&mut host, "q1", false);
    host.route("registry");
    host.owner.start();
    assert_eq!(ends(&host), [end("q1", None)]);
}

#[test]
fn what_was_started_by_a_session_that_is_gone_ends_and_is_never_run() {
    let mut host = at_rest();
    left_behind(&mut host, "q1", true);
    host.route("registry");
    host.owner.start();
    host.request_as("q2", GOOD_CELL, 2);
    assert_eq!(ends(&host), [end("q1", Some("runtime-bridge: orphaned")), end("q2", None)]);
}

#[test]
fn the_old_system_strands_as_it_always_did_while_it_was_never_left() {
    let mut host = at_rest();
    left_behind(&mut host, "q1", false);
    left_behind(&mut host, "q2", true);
    host.owner.start();
    host.finish();
    assert_eq!(ends(&host), []);
}

#[test]
fn a_flip_finds_what_the_old_path_has_stranded() {
    let mut host = Host::new();
    left_behind(&mut host, "q1", true);
    left_behind(&mut host, "q2", false);
    host.perform(Step::Flip("registry"));
    assert_eq!(ends(&host), [end("q1", Some("runtime-bridge: orphaned")), end("q2", None)]);
}

#[test]
fn a_sweep_that_the_store_refuses_is_made_again_by_the_next_session() {
    let mut host = at_rest();
    left_behind(&mut host, "q1", true);
    host.route("registry");
    host.owner.refuses = |event| matches!(event, Event::ExecutionCompleted(_));
    host.owner.start();
    host.owner.stop();
    assert_eq!(ends(&host), []);
    host.owner.refuses = |_| false;
    host.owner.start();
    assert_eq!(ends(&host), [end("q1", Some("runtime-bridge: orphaned"))]);
}

/// Host code that has started one execution and ends none.
fn hanging() -> Host {
    let mut host = Host::with_legacy(LegacyKind::Host);
    host.owner.hang();
    host.request_as("q1", GOOD_CELL, 1);
    host.owner.advance(160);
    host.request_as("q2", GOOD_CELL, 1);
    host.request_as("q3", GOOD_CELL, 1);
    host
}

#[test]
fn a_drain_ends_at_its_deadline_and_what_did_not_end_is_fenced() {
    let mut host = hanging();
    host.perform(Step::Flip("registry"));
    host.owner.advance(31_000);
    assert_eq!(ends(&host), []);
    host.owner.advance(1_100);
    assert_eq!(ends(&host), [end("q1", Some("runtime-bridge: fenced")), end("q2", None), end("q3", None)]);
    assert_eq!(host.owner.status().gate_counts.late, 0);
    host.owner.wake_hanging();
    host.owner.advance(160);
    assert_eq!(ends(&host).len(), 3);
    assert_eq!(host.owner.status().gate_counts.late, 2, "its output and its end");
}

#[test]
fn a_draining_host_begins_nothing_more() {
    let mut host = hanging();
    host.perform(Step::Flip("registry"));
    host.owner.advance(1_000);
    let assigned = host.owner.log.iter().filter(|event| matches!(event, Event::ExecutionAssigned(_))).count();
    assert!(assigned <= 2, "{assigned} claims: one runs, one may have been claimed before the flip");
    host.owner.wake_hanging();
    host.owner.advance(500);
    assert_eq!(ends(&host), [end("q1", None), end("q2", None), end("q3", None)]);
}

#[test]
fn a_flip_that_is_called_off_fences_nothing() {
    let mut host = hanging();
    host.perform(Step::Flip("registry"));
    host.owner.advance(1_000);
    host.perform(Step::Flip("legacy"));
    host.owner.advance(60_000);
    assert_eq!(ends(&host), []);
    host.owner.wake_hanging();
    host.finish();
    assert_eq!(ends(&host), [end("q1", None), end("q2", None), end("q3", None)]);
}

/// Host code that serves again after the registry did, until a session of another process displaces it.
fn displaced_elsewhere(host: &mut Host) {
    let event = |event: &Event| match event {
        Event::RuntimeSessionStarted(e) => Some(e.session_id.clone()),
        _ => None,
    };
    let ours = host.owner.log.iter().rev().find_map(event).unwrap();
    let elsewhere = SessionIdentity {
        runtime_id: RuntimeId::from("elsewhere"),
        session_id: SessionId::from("elsewhere"),
        capabilities: Capabilities::default(),
    };
    host.owner.commit(session_events(vec![ours], &elsewhere, "html".to_owned()));
}

/// Whether an entry has been claimed at all.
fn is_claimed(host: &Host, id: &str) -> bool {
    host.owner.log.iter().any(|event| matches!(event, Event::ExecutionAssigned(e) if e.queue_id.as_str() == id))
}

#[test]
fn host_code_that_another_process_has_displaced_claims_nothing_more() {
    let mut host = Host::with_legacy(LegacyKind::Host);
    host.route("registry");
    host.route("legacy");
    host.owner.advance(160);
    host.request_as("q1", GOOD_CELL, 1);
    host.owner.advance(160);
    assert_eq!(ends(&host), [end("q1", None)]);
    displaced_elsewhere(&mut host);
    host.owner.advance(160);
    host.request_as("q2", GOOD_CELL, 1);
    host.owner.advance(500);
    assert!(!is_claimed(&host, "q2"));
    assert!(host.owner.status().leases.is_empty());
}

#[test]
fn what_displaced_host_code_has_started_still_ends() {
    let mut host = Host::with_legacy(LegacyKind::Host);
    host.route("registry");
    host.route("legacy");
    host.owner.advance(160);
    host.owner.hang();
    host.request_as("q1", GOOD_CELL, 1);
    host.owner.advance(160);
    displaced_elsewhere(&mut host);
    host.owner.advance(160);
    host.request_as("q2", GOOD_CELL, 1);
    host.owner.wake_hanging();
    host.owner.advance(500);
    assert_eq!(ends(&host), [end("q1", None)]);
    assert!(!is_claimed(&host, "q2"));
}

#[test]
fn host_code_that_never_left_the_old_system_does_not_notice_as_it_never_did() {
    let mut host = Host::with_legacy(LegacyKind::Host);
    displaced_elsewhere(&mut host);
    host.owner.advance(160);
    host.request_as("q1", GOOD_CELL, 1);
    host.owner.advance(160);
    assert_eq!(ends(&host), [end("q1", None)]);
}
