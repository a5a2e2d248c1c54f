//! Does the audit find what is wrong with a log, and nothing in a log without faults?

use bridge_core::{Audit, Auditor, FindingKind, Place, Served};
use bridge_host::step::LegacyKind;
use proptest::prelude::*;
use registry::{Event, ExecutionAssigned, QueueId, RuntimeId, RuntimeSessionStarted, SessionId};
use tests::host::{GOOD_CELL, Host, Step};

pub(crate) fn audit(log: &[Event]) -> Audit {
    let mut auditor = Auditor::new();
    for (at, event) in (1..).zip(log) {
        auditor.take(Place::Event(at), event);
    }
    auditor.finish()
}

/// What hosts do, while routes flip.
pub(crate) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let routes = prop_oneof![Just("legacy"), Just("shadow"), Just("live"), Just("registry")];
    let step = prop_oneof![
        4 => (1..5u8).prop_map(Step::Request),
        2 => routes.prop_map(Step::Flip),
        1 => Just(Step::Cancel),
        3 => (1..120u64).prop_map(Step::Advance),
        1 => Just(Step::Restart),
    ];
    prop::collection::vec(step, 1..30)
}

/// The host after these steps. The ids of past flips are forgotten, lest a restart on the old path take the registry's.
pub(crate) fn played(kind: LegacyKind, steps: Vec<Step>) -> Host {
    let mut host = Host::with_legacy(kind);
    for step in steps {
        host.owner.adopted.clear();
        host.perform(step);
    }
    host.finish();
    host.owner.stop();
    host
}

/// One way in which a log can go wrong.
#[derive(Clone, Copy, Debug)]
enum Harm {
    DropEnd,
    DropWork,
    DoubleStart,
    DoubleEnd,
    ClaimAfterEnd,
    SwapTurns,
    RunAtOnce,
    SecondSession,
    EndSessionBeforeStart,
    TwoSessionsInOne,
}

const HARMS: [(Harm, &[FindingKind]); 10] = [
    (Harm::DropEnd, &[FindingKind::LeftExecuting]),
    (Harm::DropWork, &[FindingKind::NeverClaimed]),
    (Harm::DoubleStart, &[FindingKind::StartedTwice]),
    (Harm::DoubleEnd, &[FindingKind::EndedTwice]),
    (Harm::ClaimAfterEnd, &[FindingKind::Resurrected]),
    (Harm::SwapTurns, &[FindingKind::Reordered]),
    (Harm::RunAtOnce, &[FindingKind::RanAtOnce]),
    (Harm::SecondSession, &[FindingKind::TwoActiveSessions]),
    (Harm::EndSessionBeforeStart, &[FindingKind::Stranded]),
    (Harm::TwoSessionsInOne, &[FindingKind::MixedOutputs]),
];

/// The places of one execution's own events, from its claim to its end.
fn work(log: &[Event], id: &QueueId) -> Vec<usize> {
    let is_own = |event: &Event| event.queue_id() == Some(id) && !matches!(event, Event::ExecutionRequested(_));
    let own: Vec<usize> = (0..log.len()).filter(|at| is_own(&log[*at])).collect();
    match own.as_slice() {
        [first, .., last] => (*first..=*last).collect(),
        _ => Vec::new(),
    }
}

fn session(id: &str) -> Event {
    let capabilities = registry::Capabilities::default();
    let runtime_id = RuntimeId::from("registry-other");
    let session_id = SessionId::from(id);
    RuntimeSessionStarted { session_id, runtime_id, runtime_type: "html".to_owned(), capabilities }.into()
}

/// The log with this harm done to an execution, or to it and the one after it.
fn harmed(log: &[Event], harm: Harm, id: &QueueId, next: &QueueId) -> Vec<Event> {
    let mut log = log.to_vec();
    let places = work(&log, id);
    let (first, last) = (places[0], *places.last().unwrap());
    let start = places.iter().copied().find(|at| matches!(log[*at], Event::ExecutionStarted(_))).unwrap();
    let (claim, end) = (log[first].clone(), log[last].clone());
    match harm {
        Harm::DropEnd => drop(log.remove(last)),
        Harm::DropWork => drop(log.drain(first..=last)),
        Harm::DoubleStart => log.insert(last, log[start].clone()),
        Harm::DoubleEnd => log.push(end),
        Harm::ClaimAfterEnd => log.push(claim),
        Harm::SwapTurns => {
            let later = work(&log, next);
            let moved: Vec<Event> = log.drain(later[0]..=*later.last().unwrap()).collect();
            log.splice(first..first, moved);
        }
        Harm::RunAtOnce => {
            log.remove(last);
            let started = *work(&log, next).last().unwrap();
            log.insert(started, end);
        }
        Harm::SecondSession => log.insert(start, session("html-registry-other-1")),
        Harm::EndSessionBeforeStart => drop(log.drain(start..=last)),
        Harm::TwoSessionsInOne => {
            let output = places.iter().copied().find(|at| matches!(log[*at], Event::MultimediaResultOutputAdded(_)));
            let other = SessionId::from("html-registry-other-1");
            let Event::ExecutionStarted(mut started) = log[start].clone() else { unreachable!() };
            started.runtime_session_id = other;
            let shown = log[output.unwrap()].clone();
            log.splice(last..last, [started.into(), shown]);
        }
    }
    log
}

/// Three executions of one session of the registry, requested together.
fn registry_log() -> (Vec<Event>, [QueueId; 3]) {
    let mut host = Host::new();
    host.route("registry");
    ["q3", "q1", "q2"].iter().for_each(|id| host.request_as(id, GOOD_CELL, 1));
    host.finish();
    host.owner.stop();
    (host.owner.log, ["q3", "q1", "q2"].map(QueueId::from))
}

/// Requests come first, as they do where somebody runs a whole notebook.
fn with_requests_first(log: &[Event]) -> Vec<Event> {
    let (requests, rest): (Vec<Event>, Vec<Event>) =
        log.iter().cloned().partition(|event| matches!(event, Event::ExecutionRequested(_)));
    let at = rest.iter().rposition(|event| matches!(event, Event::RuntimeSessionStarted(_))).unwrap() + 1;
    [&rest[..at], &requests, &rest[at..]].concat()
}

#[test]
fn every_harm_is_found_in_every_place() {
    let (log, ids) = registry_log();
    let log = with_requests_first(&log);
    assert!(audit(&log).is_clean(), "{:#?}", audit(&log));
    for (harm, expect) in HARMS {
        for pair in ids.windows(2) {
            let found = audit(&harmed(&log, harm, &pair[0], &pair[1]));
            let kinds: Vec<FindingKind> = found.findings.iter().map(|finding| finding.kind).collect();
            assert!(!found.is_clean(), "{harm:?}");
            assert!(expect.iter().all(|kind| kinds.contains(kind)), "{harm:?} to {}: {kinds:?}", pair[0]);
        }
    }
}

#[test]
fn what_a_user_cancels_is_the_users() {
    let (log, ids) = registry_log();
    let cell_id = GOOD_CELL.into();
    let cancel = registry::ExecutionCancelled {
        queue_id: ids[0].clone(),
        cell_id,
        cancelled_by: "user".into(),
        actor_id: None,
        reason: "user".into(),
    };
    let mut after = log.clone();
    after.push(cancel.clone().into());
    let found = audit(&after);
    assert!(found.is_clean());
    assert_eq!(found.theirs[0].kind, FindingKind::CancelledAfterEnd);

    let mut during = log.clone();
    during.insert(*work(&log, &ids[0]).last().unwrap(), cancel.clone().into());
    let found = audit(&during);
    assert!(found.is_clean(), "{found:#?}");
    let kinds: Vec<FindingKind> = found.theirs.iter().map(|finding| finding.kind).collect();
    assert_eq!(kinds, [FindingKind::Cancelled, FindingKind::CompletedAfterCancel]);

    let mut before = log.clone();
    before.insert(work(&log, &ids[0])[0], cancel.into());
    let found = audit(&before);
    assert_eq!(found.findings[0].kind, FindingKind::Resurrected, "it ran although it was cancelled");
}

#[test]
fn who_served_is_told_from_the_runtimes_id() {
    let mut host = Host::new();
    host.request(GOOD_CELL);
    host.finish();
    host.route("registry");
    host.request(GOOD_CELL);
    host.finish();
    let session_id = SessionId::from("python3-agent-1");
    let agent = RuntimeSessionStarted {
        session_id: session_id.clone(),
        runtime_id: "agent".into(),
        runtime_type: "python3".to_owned(),
        capabilities: registry::Capabilities::default(),
    };
    host.owner.stop();
    host.request(GOOD_CELL);
    let claimed = ExecutionAssigned { queue_id: host.requested[2].clone(), runtime_session_id: session_id };
    host.owner.commit([agent.into(), claimed.into()]);
    host.request(GOOD_CELL);
    let served: Vec<(Served, u64)> =
        audit(&host.owner.log).served.iter().map(|(who, tally)| (*who, tally.executions)).collect();
    assert_eq!(served, [(Served::Legacy, 1), (Served::Registry, 1), (Served::Foreign, 1), (Served::Nobody, 1)]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    /// What flips leave behind passes; without any one of the ends it does not.
    #[test]
    fn logs_of_flipping_routes_are_clean_and_no_missing_end_escapes(
        kind in prop_oneof![Just(LegacyKind::Compat), Just(LegacyKind::Host)], steps in steps(), pick in any::<prop::sample::Index>(),
    ) {
        let log = played(kind, steps).owner.log;
        let found = audit(&log);
        prop_assert!(found.is_clean(), "{:#?}", found);
        let ends: Vec<usize> =
            (0..log.len()).filter(|at| matches!(log[*at], Event::ExecutionCompleted(_))).collect();
        if !ends.is_empty() {
            let mut cut = log.clone();
            cut.remove(ends[pick.index(ends.len())]);
            prop_assert!(!audit(&cut).is_clean());
        }
    }
}
