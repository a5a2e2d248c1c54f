//! Is what agents elsewhere execute followed in the tables on the route `shadow`, and only there, without a trace of it in the log?

use bridge_core::{Fault, Verdict, Why};
use registry::Event;
use serde_json::json;
use tests::host::document;
use tests::owner::MemoryOwner;

use crate::backtest::log_of;
use crate::traced::{Told, cleared, display, event, result, terminal, told};

/// A notebook whose store is attached, with an agent of this type in it.
fn notebook(route: &str, runtime_type: &str) -> MemoryOwner {
    let mut owner = MemoryOwner::new();
    owner.flags.apply(&document(route), "test").unwrap();
    owner.attach(true);
    let capabilities = json!({ "canExecuteCode": true, "canExecuteSql": true, "canExecuteAi": true });
    let started =
        json!({ "sessionId": "s", "runtimeId": "agent", "runtimeType": runtime_type, "capabilities": capabilities });
    owner.commit([event("v1.RuntimeSessionStarted", started)]);
    for cell in ["c1", "c2"] {
        let new = json!({ "id": cell, "fractionalIndex": "a0", "cellType": "code", "createdBy": "u" });
        owner.commit([event("v2.CellCreated", new)]);
    }
    owner
}

fn request(owner: &mut MemoryOwner, queue: &str, cell: &str) {
    let asked = json!({ "queueId": queue, "cellId": cell, "executionCount": 3, "requestedBy": "u" });
    owner.commit([event("v1.ExecutionRequested", asked)]);
}

/// The agent executes a cell, one commit after the other.
fn execute(owner: &mut MemoryOwner, queue: &str, cell: &str, shown: &[Told<'_>]) {
    request(owner, queue, cell);
    told(queue, cell, shown).into_iter().for_each(|event| owner.commit([event]));
}

fn verdicts(owner: &MemoryOwner) -> Vec<Verdict> {
    let compared = owner.compared.iter().flat_map(|(_, comparison)| &comparison.executions);
    compared.map(|execution| execution.verdict.clone()).collect()
}

fn shown() -> Vec<Told<'static>> {
    let update = json!({ "displayId": "d", "representations": { "text/plain": { "type": "inline", "data": "two" } } });
    let error = json!({ "content": { "type": "inline", "data": { "ename": "E", "evalue": "v", "traceback": ["t"] } } });
    let prose = json!({ "content": { "type": "inline", "data": "# Title", "metadata": { "ai": true } } });
    let more = json!({ "outputId": "q1-5", "delta": " and more", "sequenceNumber": 0 });
    let image = json!({ "representations": { "image/png": { "type": "artifact", "artifactId": "a-1" } } });
    vec![
        terminal("stdout", "Text\r\n"),
        terminal("stderr", "warned"),
        display(Some("d"), "one"),
        ("v1.MultimediaDisplayOutputUpdated", update),
        ("v1.ErrorOutputAdded", error),
        ("v1.MarkdownOutputAdded", prose),
        ("v2.MarkdownOutputAppended", more),
        ("v1.MultimediaDisplayOutputAdded", image),
        result("<b>Value</b>"),
    ]
}

#[test]
fn what_an_agent_executes_is_compared_on_the_route_shadow_and_nothing_of_it_is_in_the_log() {
    let mut log = Vec::new();
    for (route, compared) in [("legacy", 0), ("shadow", 2), ("live", 0), ("registry", 0)] {
        let mut owner = notebook(route, "python3");
        execute(&mut owner, "q1", "c1", &shown());
        execute(&mut owner, "q2", "c2", &[]);
        assert_eq!(verdicts(&owner), vec![Verdict::Match; compared], "on {route}: {:#?}", owner.compared);
        assert!(owner.status().leases.is_empty(), "on {route}");
        if log.is_empty() {
            log.clone_from(&owner.log);
        }
        assert_eq!(owner.log, log, "on {route}");
        assert_eq!(owner.follows(), Some(route == "shadow"));
    }
}

#[test]
fn html_is_not_followed_and_neither_is_a_store_that_is_not_attached() {
    let mut owner = notebook("shadow", "html");
    execute(&mut owner, "q1", "c1", &shown());
    assert!(owner.compared.is_empty());
    let mut owner = notebook("shadow", "python3");
    owner.attach(false);
    execute(&mut owner, "q1", "c1", &shown());
    assert!(owner.compared.is_empty());
    assert_eq!(owner.follows(), None);
}

#[test]
fn what_arrives_all_at_once_is_compared_too() {
    let mut owner = notebook("shadow", "python3");
    request(&mut owner, "q1", "c1");
    owner.commit(told("q1", "c1", &shown()));
    assert_eq!(verdicts(&owner), [Verdict::Match]);
}

#[test]
fn a_candidate_that_is_wrong_is_noticed() {
    for fault in [Fault::DroppedOutput, Fault::ChangedCharacter, Fault::DroppedTerminal, Fault::SwappedOutputs] {
        let mut owner = notebook("shadow", "python3");
        owner.fault = Some(fault);
        execute(&mut owner, "q1", "c1", &shown());
        assert!(matches!(verdicts(&owner)[..], [Verdict::Mismatch { .. }]), "{fault:?}");
    }
}

#[test]
fn what_an_agent_leaves_standing_of_an_earlier_run_is_a_mismatch() {
    let mut owner = notebook("shadow", "python3");
    execute(&mut owner, "q1", "c1", &[terminal("stdout", "a")]);
    request(&mut owner, "q2", "c1");
    let mut events = told("q2", "c1", &[terminal("stdout", "b")]);
    events.retain(|event| !matches!(event, Event::CellOutputsCleared(_)));
    events.into_iter().for_each(|event| owner.commit([event]));
    let [Verdict::Match, Verdict::Mismatch { signature, .. }] = &verdicts(&owner)[..] else {
        panic!("{owner:?}", owner = owner.compared)
    };
    assert!(signature.ends_with(":replaces"), "{signature}");
}

#[test]
fn what_a_row_no_longer_tells_says_nothing() {
    let mut owner = notebook("shadow", "python3");
    request(&mut owner, "q1", "c1");
    request(&mut owner, "q2", "c1");
    owner.commit([told("q1", "c1", &shown()), told("q2", "c1", &[])].concat());
    assert_eq!(verdicts(&owner), [Verdict::Inconclusive { why: Why::OutputsGone }, Verdict::Match]);
    let mut owner = notebook("shadow", "python3");
    request(&mut owner, "q1", "c1");
    let mut events = told("q1", "c1", &[terminal("stdout", "a")]);
    events.pop();
    events.into_iter().for_each(|event| owner.commit([event]));
    let by = json!({ "queueId": "q1", "cellId": "c1", "cancelledBy": "ada", "reason": "enough" });
    owner.commit([event("v1.ExecutionCancelled", by)]);
    assert_eq!(verdicts(&owner), [Verdict::Inconclusive { why: Why::Cancelled }]);
}

#[test]
fn a_flip_away_from_shadow_ends_the_following_and_one_back_begins_it() {
    let mut owner = notebook("shadow", "python3");
    request(&mut owner, "q1", "c1");
    for route in ["legacy", "registry"] {
        owner.flags.apply(&document(route), "test").unwrap();
        owner.flags_changed();
        assert_eq!(owner.follows(), Some(false), "{route}");
    }
    told("q1", "c1", &shown()).into_iter().for_each(|event| owner.commit([event]));
    assert!(owner.compared.is_empty());
    owner.flags.apply(&document("shadow"), "test").unwrap();
    owner.flags_changed();
    execute(&mut owner, "q2", "c2", &[cleared("runtime-agent", false), display(None, "x")]);
    assert_eq!(verdicts(&owner), [Verdict::Match]);
}

#[test]
fn a_session_that_is_over_is_followed_no_longer_and_the_next_one_is() {
    let mut owner = notebook("shadow", "python3");
    owner.commit([event("v1.RuntimeSessionTerminated", json!({ "sessionId": "s", "reason": "shutdown" }))]);
    assert_eq!(owner.follows(), Some(false));
    let capabilities = json!({ "canExecuteCode": false, "canExecuteSql": false, "canExecuteAi": true });
    let started = json!({ "sessionId": "s", "runtimeId": "agent", "runtimeType": "ai", "capabilities": capabilities });
    owner.commit([event("v1.RuntimeSessionStarted", started)]);
    execute(&mut owner, "q1", "c1", &shown());
    assert_eq!(owner.compared[0].0.runtime_type(), "ai");
}

#[test]
fn what_is_followed_is_bounded() {
    let mut owner = notebook("shadow", "python3");
    let ids: Vec<String> = (0..300).map(|n| format!("q{n:03}")).collect();
    ids.iter().for_each(|id| request(&mut owner, id, "c1"));
    assert_eq!(owner.status().following, 256);
    for id in &ids {
        told(id, "c1", &[]).into_iter().for_each(|event| owner.commit([event]));
    }
    assert_eq!(verdicts(&owner), vec![Verdict::Match; 300], "there is room again for those that were left out");
    assert_eq!(owner.status().following, 0);
}

/// The recordings are of html sessions; here they are of another type, and their tables are all there is to go by.
#[test]
fn no_recording_of_the_typescript_agent_is_a_mismatch_by_its_tables() {
    let traces = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("traces");
    let mut matched = 0;
    for entry in std::fs::read_dir(traces).unwrap() {
        let path = entry.unwrap().path();
        if !path.file_stem().unwrap().to_string_lossy().starts_with("agent__") {
            continue;
        }
        let mut owner = notebook("shadow", "python3");
        for mut event in log_of(&path) {
            if let Event::RuntimeSessionStarted(started) = &mut event {
                started.runtime_type = "python3".to_owned();
            }
            owner.commit([event]);
        }
        for verdict in verdicts(&owner) {
            assert!(!matches!(verdict, Verdict::Mismatch { .. }), "{}: {verdict:#?}", path.display());
            matched += usize::from(verdict == Verdict::Match);
        }
    }
    assert!(matched > 50, "{matched}");
}
