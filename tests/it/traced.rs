//! Is an agent elsewhere compared by what it committed, with nothing asked again, and nothing innocent called a mismatch?

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path as FilePath;

use bridge_core::{
    Backtest, Comparison, ComparisonMode, Content, Control, Fault, KNOWN_DIFFERENCES, Observation, ObservedExecution,
    Parity, Path, Seen, Source, Verdict, Why, judge, judge_against_itself,
};
use registry::{Event, Now, QueueEntry, SessionIdentity};
use serde_json::{Value, json};

use crate::backtest::{backtest, fed, log_of};

/// What handlers of agents do, in the events of the log, by the name and the arguments that tell it.
pub(crate) type Told<'a> = (&'a str, Value);

pub(crate) fn event(name: &str, args: Value) -> Event {
    Event::from_parts(name, args).unwrap()
}

pub(crate) fn terminal(stream: &str, text: &str) -> Told<'static> {
    (
        "v1.TerminalOutputAdded",
        json!({ "content": { "type": "inline", "data": text }, "streamName": stream.to_owned() }),
    )
}

pub(crate) fn display(id: Option<&str>, text: &str) -> Told<'static> {
    let representations = json!({ "text/plain": { "type": "inline", "data": text } });
    match id {
        Some(id) => ("v1.MultimediaDisplayOutputAdded", json!({ "representations": representations, "displayId": id })),
        None => ("v1.MultimediaDisplayOutputAdded", json!({ "representations": representations })),
    }
}

pub(crate) fn result(text: &str) -> Told<'static> {
    let representations = json!({ "text/html": { "type": "inline", "data": text } });
    ("v1.MultimediaResultOutputAdded", json!({ "representations": representations, "executionCount": 3 }))
}

pub(crate) fn cleared(by: &str, wait: bool) -> Told<'static> {
    ("v1.CellOutputsCleared", json!({ "wait": wait, "clearedBy": by.to_owned() }))
}

/// An execution as the recorded agent tells it: claimed, started, cleared, shown, ended.
pub(crate) fn told(queue: &str, cell: &str, shown: &[Told<'_>]) -> Vec<Event> {
    let ids = |rest: Value| {
        let mut args = json!({ "queueId": queue, "cellId": cell });
        rest.as_object().unwrap().iter().for_each(|(name, value)| args[name] = value.clone());
        args
    };
    let started = json!({ "runtimeSessionId": "s", "startedAt": "2024-01-01T00:00:00.000Z" });
    let mut events = vec![
        event("v1.ExecutionAssigned", json!({ "queueId": queue, "runtimeSessionId": "s" })),
        event("v1.ExecutionStarted", ids(started)),
        event("v1.CellOutputsCleared", json!({ "cellId": cell, "wait": false, "clearedBy": "runtime-agent" })),
    ];
    let mut position = 0;
    for (nth, (name, args)) in shown.iter().enumerate() {
        let mut args = args.clone();
        match *name {
            "v1.MultimediaDisplayOutputUpdated" => {}
            "v1.CellOutputsCleared" => args["cellId"] = cell.into(),
            name if name.ends_with("Appended") => args["id"] = format!("{queue}-delta-{nth}").into(),
            _ => {
                args["cellId"] = cell.into();
                args["id"] = format!("{queue}-{nth}").into();
                args["position"] = position.into();
                position += 1;
            }
        }
        events.push(event(name, args));
    }
    let ended = json!({ "status": "success", "completedAt": "2024-01-01T00:00:00.009Z", "executionDurationMs": 9 });
    events.push(event("v1.ExecutionCompleted", ids(ended)));
    events
}

fn observed(executions: Vec<Vec<Event>>) -> Observation {
    let execution = |(at, events): (usize, Vec<Event>)| {
        let id = events.iter().find_map(Event::queue_id).unwrap().clone();
        let cell = events.iter().find_map(|event| event.cell_id().filter(|_| event.queue_id().is_some())).unwrap();
        let entry = json!({ "id": id, "cellId": cell, "executionCount": 3, "status": "pending" });
        let entry: QueueEntry = serde_json::from_value(entry).unwrap();
        let source = Source::Text("print('once')".to_owned());
        ObservedExecution { entry, rank: at as u64, source, refused: Vec::new(), events, unclear: None }
    };
    let identity: SessionIdentity = serde_json::from_value(json!({
        "runtimeId": "agent", "sessionId": "s",
        "capabilities": { "canExecuteCode": true, "canExecuteSql": false, "canExecuteAi": true },
    }))
    .unwrap();
    Observation {
        serving: Path::Legacy,
        control: Control::External { runtime_type: "python3".to_owned() },
        identity,
        began: Now::default(),
        saw_refusal: false,
        executions: executions.into_iter().enumerate().map(execution).collect(),
    }
}

fn verdicts(comparison: &Comparison) -> Vec<&Verdict> {
    comparison.executions.iter().map(|execution| &execution.verdict).collect()
}

fn check(shown: &[Told<'_>], expect: &Verdict) {
    let comparison = judge(&observed(vec![told("q1", "c1", shown)]), None);
    assert_eq!(verdicts(&comparison), [expect], "{comparison:#?}");
    assert_eq!(comparison.order, Verdict::Match);
}

fn unclear(shown: &[Told<'_>], why: Why) {
    check(shown, &Verdict::Inconclusive { why });
}

/// Two executions in which every fault of a candidate shows, whatever it touches.
fn telling() -> Observation {
    let update = json!({ "displayId": "d", "representations": { "text/plain": { "type": "inline", "data": "two" } } });
    let long = "long ".repeat(14_000);
    let first = [
        terminal("stdout", "\u{feff}Ada &amp; Lovelace\r\n  "),
        terminal("stderr", &long),
        display(Some("d"), "One "),
        ("v1.MultimediaDisplayOutputUpdated", update),
        result("\u{feff}<b>Ada &amp; Lovelace</b>\r\n  "),
    ];
    let prose = ("v1.MarkdownOutputAdded", json!({ "content": { "type": "inline", "data": "# Title \r\n" } }));
    let more = json!({ "outputId": "q2-0", "delta": "more", "sequenceNumber": 0 });
    let second = [prose, ("v2.MarkdownOutputAppended", more), result(&format!("\u{feff}Other &amp; {long}\r\n "))];
    observed(vec![told("q1", "c1", &first), told("q2", "c2", &second)])
}

#[test]
fn whatever_a_handler_shows_is_shown_again() {
    let comparison = judge(&telling(), None);
    assert_eq!(verdicts(&comparison), [&Verdict::Match; 2], "{comparison:#?}");
    check(&[], &Verdict::Match);
    let error = json!({ "content": { "type": "inline", "data": { "ename": "E", "evalue": "v", "traceback": [] } } });
    let artifact = json!({ "representations": { "image/png": { "type": "artifact", "artifactId": "a-1" } } });
    let appended = json!({ "outputId": "q1-0", "content": { "type": "inline", "data": " and more" } });
    check(
        &[
            terminal("stdout", "text"),
            ("v1.TerminalOutputAppended", appended),
            ("v1.ErrorOutputAdded", error),
            cleared("runtime-agent", true),
            ("v1.MultimediaDisplayOutputAdded", artifact),
            cleared("runtime-agent", false),
            display(None, "last"),
        ],
        &Verdict::Match,
    );
}

#[test]
fn every_seeded_fault_is_a_mismatch() {
    for (fault, name) in Fault::ALL {
        let comparison = judge(&telling(), Some(fault));
        let is_seen = verdicts(&comparison)
            .into_iter()
            .chain([&comparison.order])
            .any(|verdict| matches!(verdict, Verdict::Mismatch { .. }));
        assert!(is_seen, "{name}: {comparison:#?}");
    }
}

/// Tools that a model has called, and what they gave, are outputs of the execution: the registry shows them again and asks
/// neither tool nor model, whatever they would say today. There is nothing in a candidate that could ask.
#[test]
fn test_25_tools_of_a_model_are_asked_once() {
    let call = |name: &str| {
        let data =
            json!({ "tool_call_id": name, "tool_name": name, "arguments": { "cellId": "c9" }, "status": "success" });
        let representations = json!({ "application/vnd.anode.aitool+json": { "type": "inline", "data": data } });
        ("v1.MultimediaDisplayOutputAdded", json!({ "representations": representations, "displayId": name.to_owned() }))
    };
    let answer = |text: &str| {
        let data = json!({ "result": text.to_owned(), "status": "success" });
        let representations = json!({ "application/vnd.anode.aitool.result+json": { "type": "inline", "data": data } });
        ("v1.MultimediaDisplayOutputAdded", json!({ "representations": representations }))
    };
    let prose =
        ("v1.MarkdownOutputAdded", json!({ "content": { "type": "inline", "data": "I will look", "metadata": {} } }));
    let more = json!({ "outputId": "q1-0", "delta": " at it.", "sequenceNumber": 0 });
    let asked = [prose, ("v2.MarkdownOutputAppended", more), call("execute_cell"), answer("41"), call("modify_cell")];
    check(&asked, &Verdict::Match);
    let mut other = asked.clone();
    other.swap(2, 4);
    let (one, two) = (told("q1", "c1", &asked), told("q1", "c1", &other));
    assert!(differ(&one, &two), "another order of calls is a difference");
}

/// Whether two tellings of an execution are different in canonical form.
fn differ(one: &[Event], two: &[Event]) -> bool {
    let canonical = |events: &[Event]| bridge_core::normalise(3, events, &mut bridge_core::Hits::new());
    canonical(one) != canonical(two)
}

#[test]
fn what_the_agent_does_otherwise_than_the_registry_is_a_mismatch() {
    let mut unclear = told("q1", "c1", &[terminal("stdout", "a")]);
    unclear.remove(2);
    let comparison = judge(&observed(vec![unclear]), None);
    let [Verdict::Mismatch { signature, .. }] = verdicts(&comparison)[..] else { panic!("{comparison:#?}") };
    assert!(signature.ends_with(":replaces"), "{signature}");
    let mut counted = result("a");
    counted.1["executionCount"] = 4.into();
    let comparison = judge(&observed(vec![told("q1", "c1", &[counted])]), None);
    assert!(matches!(verdicts(&comparison)[..], [Verdict::Mismatch { .. }]), "{comparison:#?}");
}

#[test]
fn what_cannot_be_turned_back_says_why() {
    unclear(&[terminal("stdout", "a"), cleared("ada", false)], Why::Interfered);
    let mut cancelled = told("q1", "c1", &[terminal("stdout", "a")]);
    cancelled.pop();
    let judged = |events: Vec<Event>| judge(&observed(vec![events]), None).executions.remove(0).verdict;
    assert_eq!(judged(cancelled.clone()), Verdict::Inconclusive { why: Why::Untraceable });
    let by = json!({ "queueId": "q1", "cellId": "c1", "cancelledBy": "ada", "reason": "enough" });
    cancelled.push(event("v1.ExecutionCancelled", by));
    assert_eq!(judged(cancelled), Verdict::Inconclusive { why: Why::Cancelled });
    let twice = [told("q1", "c1", &[]), told("q1", "c1", &[])].concat();
    assert_eq!(judged(twice), Verdict::Inconclusive { why: Why::RanTwice });
    let mut elsewhere = told("q1", "c1", &[]);
    elsewhere.insert(1, event("v1.ExecutionAssigned", json!({ "queueId": "q1", "runtimeSessionId": "other" })));
    assert_eq!(judged(elsewhere), Verdict::Inconclusive { why: Why::Interfered });
}

#[test]
fn what_is_unclear_of_one_execution_is_no_matter_to_the_next() {
    let disturbed = told("q1", "c1", &[terminal("stdout", "a"), cleared("ada", false)]);
    let comparison = judge(&observed(vec![disturbed, told("q2", "c2", &[terminal("stdout", "b")])]), None);
    assert_eq!(verdicts(&comparison), [&Verdict::Inconclusive { why: Why::Interfered }, &Verdict::Match]);
    assert_eq!(comparison.order, Verdict::Match);
}

#[test]
fn an_agent_that_keeps_another_order_is_no_fault_of_the_registry() {
    let mut observation = observed(vec![told("q1", "c1", &[]), told("q2", "c2", &[])]);
    (observation.executions[0].rank, observation.executions[1].rank) = (2, 1);
    let comparison = judge(&observation, None);
    assert_eq!(verdicts(&comparison), [&Verdict::Match; 2]);
    assert_eq!(comparison.order, Verdict::Inconclusive { why: Why::OtherOrder });
    assert!(matches!(judge(&telling(), Some(Fault::ReorderedExecutions)).order, Verdict::Mismatch { .. }));
}

#[test]
fn an_agent_elsewhere_is_not_run_against_itself() {
    let comparison = judge_against_itself(&telling(), None);
    assert_eq!(comparison.mode, ComparisonMode::Aa);
    assert_eq!(verdicts(&comparison), [&Verdict::Inconclusive { why: Why::NoControl }; 2]);
}

/// The logs that the recorded agent left, one a recording.
fn recordings() -> Vec<(String, Vec<Event>)> {
    let traces = FilePath::new(env!("CARGO_MANIFEST_DIR")).join("traces");
    let files = std::fs::read_dir(traces).unwrap().map(|entry| entry.unwrap().path());
    let named = files.map(|path| (path.file_stem().unwrap().to_string_lossy().into_owned(), path));
    let mut all: Vec<_> = named.filter(|(name, _)| name.starts_with("agent__")).collect();
    all.sort();
    all.into_iter().map(|(name, path)| (name, log_of(&path))).collect()
}

#[test]
fn every_recording_of_the_typescript_agent_is_as_the_registry_does_it_or_says_why_not() {
    let (mut clean, mut known, mut whys) = (0, BTreeSet::new(), BTreeMap::new());
    for (name, log) in recordings() {
        let parity = backtest(&log);
        let differing: BTreeSet<&str> =
            parity.mismatches.iter().flat_map(|site| &site.differences).map(|one| one.path.as_str()).collect();
        // The store refused to clear, and the agent went on.
        let expect: &[&str] = if name == "agent__fault-clear" { &["replaces"] } else { &[] };
        assert_eq!(differing, expect.iter().copied().collect(), "{name}: {parity:#?}");
        assert_eq!(parity.replayed, parity.traced.values().sum::<u64>(), "{name}");
        assert!(parity.recorded.is_empty(), "{name}");
        clean += parity.matched + parity.known;
        known.extend(parity.known_differences.keys().copied());
        for (why, count) in parity.unclear {
            *whys.entry(why).or_insert(0) += count;
        }
    }
    assert!(clean > 50, "{clean}");
    let rules = KNOWN_DIFFERENCES.iter().filter(|known| matches!(known.seen, Seen::Traced(_)));
    assert_eq!(known, rules.map(|known| known.name).collect());
    let expect = [Why::Interfered, Why::Cancelled, Why::RanTwice, Why::Untraceable];
    assert_eq!(whys.keys().copied().collect::<Vec<_>>(), expect, "{whys:?}");
}

/// A log of an agent of this type with these executions.
fn log(runtime_type: &str, executions: &[Vec<Event>]) -> Vec<Event> {
    let capabilities = json!({ "canExecuteCode": true, "canExecuteSql": true, "canExecuteAi": true });
    let started =
        json!({ "sessionId": "s", "runtimeId": "agent", "runtimeType": runtime_type, "capabilities": capabilities });
    let mut log = vec![event("v1.RuntimeSessionStarted", started)];
    for events in executions {
        let id = events.iter().find_map(Event::queue_id).unwrap();
        let cell = events.iter().find_map(|event| event.cell_id().filter(|_| event.queue_id().is_some())).unwrap();
        let new = json!({ "id": cell, "fractionalIndex": "a0", "cellType": "code", "createdBy": "u" });
        log.push(event("v2.CellCreated", new));
        let asked = json!({ "queueId": id, "cellId": cell, "executionCount": 3, "requestedBy": "u" });
        log.push(event("v1.ExecutionRequested", asked));
        log.extend(events.iter().cloned());
    }
    log
}

fn told_in_log() -> Vec<Event> {
    let executions: Vec<Vec<Event>> = telling().executions.into_iter().map(|one| one.events).collect();
    log("python3", &executions)
}

#[test]
fn a_backtest_says_how_many_were_replayed_by_trace() {
    let parity = backtest(&told_in_log());
    assert_eq!((parity.executions, parity.replayed, parity.matched), (2, 2, 2), "{parity:#?}");
    assert_eq!(parity.traced, BTreeMap::from([("python3".to_owned(), 2)]));
    assert!(parity.not_replayed.is_empty());
}

#[test]
fn every_seeded_fault_shows_in_a_backtest_by_trace() {
    for (fault, name) in Fault::ALL.into_iter().filter(|(fault, _)| !needs_two_at_once(*fault)) {
        let parity: Parity = fed(Backtest::new(Content::Hidden).spoiled(fault), &told_in_log());
        assert!(parity.mismatched > 0, "{name}: {parity:#?}");
    }
}

/// The executions of the log come one after the other: there is nothing to put in another order.
fn needs_two_at_once(fault: Fault) -> bool {
    fault == Fault::ReorderedExecutions
}

#[test]
fn a_clear_of_a_user_behind_the_end_is_no_part_of_the_execution() {
    let mut log = told_in_log();
    log.push(event("v1.CellOutputsCleared", json!({ "cellId": "c2", "wait": false, "clearedBy": "ada" })));
    assert_eq!(backtest(&log).matched, 2);
    let at = log.iter().position(|event| matches!(event, Event::TerminalOutputAdded(_))).unwrap();
    log.insert(at, event("v1.CellOutputsCleared", json!({ "cellId": "c1", "wait": false, "clearedBy": "ada" })));
    assert_eq!(backtest(&log).unclear, BTreeMap::from([(Why::Interfered, 1)]));
}
