//! Is an execution ever lost or run twice while routes flip?

use std::collections::BTreeMap;

use bridge_host::step::LegacyKind;
use proptest::prelude::*;
use registry::{Event, ExecutionStatus, QueueId, QueueStatus};
use tests::host::{BAD_CELL, GOOD_CELL, Host, Step, document};

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let routes = prop_oneof![Just("legacy"), Just("shadow"), Just("live"), Just("registry")];
    let step = prop_oneof![
        4 => (1..5u8).prop_map(Step::Request),
        3 => routes.prop_map(Step::Flip),
        1 => Just(Step::Cancel),
        3 => (1..120u64).prop_map(Step::Advance),
        1 => Just(Step::Restart),
    ];
    prop::collection::vec(step, 1..40)
}

fn kinds() -> impl Strategy<Value = LegacyKind> {
    prop_oneof![Just(LegacyKind::Compat), Just(LegacyKind::Host)]
}

/// What must always hold: each request ends once, is entered at most once and only under the session that holds the lease, a
/// success has one output, and no two sessions are ever active together.
fn check(host: &Host) {
    let mut started: BTreeMap<&QueueId, usize> = BTreeMap::new();
    let mut ended: BTreeMap<&QueueId, usize> = BTreeMap::new();
    let (mut successes, mut outputs) = (0, 0);
    let mut active = Vec::new();
    for event in &host.owner.log {
        match event {
            Event::ExecutionStarted(e) => {
                *started.entry(&e.queue_id).or_default() += 1;
                assert_eq!(active, [&e.runtime_session_id], "{} runs under the session of the lease", e.queue_id);
            }
            Event::ExecutionCompleted(e) => {
                *ended.entry(&e.queue_id).or_default() += 1;
                successes += usize::from(e.status == ExecutionStatus::Success);
            }
            Event::ExecutionCancelled(e) => *ended.entry(&e.queue_id).or_default() += 1,
            Event::MultimediaResultOutputAdded(_) => outputs += 1,
            Event::RuntimeSessionStarted(e) => active.push(&e.session_id),
            Event::RuntimeSessionTerminated(e) => active.retain(|session| **session != e.session_id),
            _ => {}
        }
        assert!(active.len() <= 1, "{active:?} are active together after {event:?}");
    }
    for id in &host.requested {
        let is_cancelled = host.cancelled.contains(id);
        assert_eq!(ended.get(id), Some(&1), "terminals of {id}");
        assert_eq!(started.get(id).copied().unwrap_or(0), usize::from(!is_cancelled), "starts of {id}");
    }
    assert_eq!(outputs, successes, "outputs");
    assert_eq!(host.owner.incidents, [], "no false alarm");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn no_execution_is_lost_or_run_twice_while_routes_flip(kind in kinds(), steps in steps()) {
        let mut host = Host::with_legacy(kind);
        for step in steps {
            host.perform(step);
        }
        host.finish();
        check(&host);
    }
}

/// Each request has a cell of its own: where a cell is run anew on the old path while an execution of it that was fenced still
/// hangs in the host's code, nobody can tell their outputs apart.
fn steps_of_a_hanging_host() -> impl Strategy<Value = Vec<Step>> {
    let routes = prop_oneof![Just("legacy"), Just("shadow"), Just("live"), Just("registry")];
    let step = prop_oneof![
        4 => Just(Step::RequestNewCell),
        3 => routes.prop_map(Step::Flip),
        3 => (1..120u64).prop_map(Step::Advance),
        1 => Just(Step::Restart),
        1 => Just(Step::Hang),
        1 => Just(Step::Wake),
        1 => Just(Step::Advance(33_000)),
    ];
    prop::collection::vec(step, 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn no_execution_is_lost_or_run_twice_although_host_code_hangs(steps in steps_of_a_hanging_host()) {
        let mut host = Host::with_legacy(LegacyKind::Host);
        for step in steps {
            host.perform(step);
        }
        host.finish();
        check(&host);
    }
}

#[test]
fn a_flip_gives_the_host_new_ids_once() {
    let mut host = Host::new();
    host.perform(Step::Flip("registry"));
    assert_eq!(host.owner.adopted.len(), 1);
    assert!(host.owner.adopted[0].runtime_id.is_registry());
    host.perform(Step::Flip("legacy"));
    host.perform(Step::Flip("legacy"));
    assert_eq!(host.owner.adopted.len(), 2);
    assert!(!host.owner.adopted[1].runtime_id.is_registry());
}

#[test]
fn a_refused_announcement_leaves_the_session_where_it_was() {
    let mut host = Host::new();
    host.owner.refuses = |event| matches!(event, Event::RuntimeSessionStarted(_));
    host.perform(Step::Flip("registry"));
    host.owner.refuses = |_| false;
    assert_eq!(host.owner.adopted.len(), 0);
    host.perform(Step::Request(3));
    host.finish();
    check(&host);
}

#[test]
fn one_refused_execution_fails_alone() {
    let mut host = Host::new();
    host.perform(Step::Flip("registry"));
    host.owner.refuses =
        |event| matches!(event, Event::MultimediaResultOutputAdded(e) if e.cell_id.as_str() == BAD_CELL);
    for cell in [GOOD_CELL, BAD_CELL, GOOD_CELL] {
        host.request(cell);
    }
    let statuses: Vec<QueueStatus> = host.owner.state.queue().map(|row| row.status).collect();
    assert_eq!(statuses, [QueueStatus::Completed, QueueStatus::Failed, QueueStatus::Completed]);
    check(&host);
}

#[test]
fn a_batch_with_a_refused_execution_is_committed_one_by_one() {
    let mut host = Host::new();
    host.owner.refuses =
        |event| matches!(event, Event::MultimediaResultOutputAdded(e) if e.cell_id.as_str() == BAD_CELL);
    host.owner.stop();
    for cell in [GOOD_CELL, BAD_CELL, GOOD_CELL, BAD_CELL] {
        host.request(cell);
    }
    host.owner.flags.apply(&document("registry"), "test").unwrap();
    host.owner.start();
    let statuses: Vec<QueueStatus> = host.owner.state.queue().map(|row| row.status).collect();
    assert_eq!(statuses, [QueueStatus::Completed, QueueStatus::Failed, QueueStatus::Completed, QueueStatus::Failed]);
    check(&host);
}

#[test]
fn a_cell_that_does_not_exist_fails_with_its_reason() {
    let mut host = Host::new();
    host.perform(Step::Flip("registry"));
    host.request("ghost");
    let error = host.owner.log.iter().find_map(|event| match event {
        Event::ExecutionCompleted(e) => e.error.clone(),
        _ => None,
    });
    assert_eq!(error.as_deref(), Some("cell not found"));
}

#[test]
fn a_refused_announcement_leaves_the_hosts_code_what_it_has_claimed() {
    let mut host = Host::with_legacy(LegacyKind::Host);
    host.perform(Step::Request(1));
    host.perform(Step::Advance(50));
    host.owner.refuses = |event| matches!(event, Event::RuntimeSessionStarted(_));
    host.perform(Step::Flip("registry"));
    host.owner.refuses = |_| false;
    host.finish();
    check(&host);
}

#[test]
fn the_hosts_code_announces_no_session_that_a_flip_has_announced() {
    let mut host = Host::with_legacy(LegacyKind::Host);
    host.perform(Step::Flip("registry"));
    host.perform(Step::Restart);
    host.perform(Step::Flip("legacy"));
    host.perform(Step::Request(2));
    host.finish();
    check(&host);
    let started = host.owner.log.iter().filter(|event| matches!(event, Event::RuntimeSessionStarted(_))).count();
    assert_eq!(started, 4, "two starts and two flips");
}
