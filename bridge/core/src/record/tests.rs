use registry::{Capabilities, CellId, Now, QueueEntry, QueueStatus, RuntimeId, SessionId, SessionIdentity};

use super::*;
use crate::shadow::ObservedExecution;
use crate::{Ability, Control, Path, judge};

const SECRET: Secret = Secret([3; 32]);
const SEEN: SignatureSeen = SignatureSeen { count: 1, first_wall_ms: 0, last_wall_ms: 0 };
/// A source in which every fault of a text shows but the one that takes a long text to show.
const TELLING: &str = "\u{feff}<b class=\"salary\">Ada &amp; Lovelace</b>\n<i>earns 4200</i>  \r\n";

/// What this path makes of cells with these sources.
fn observed(serving: Path, sources: &[&str]) -> Observation {
    let execution = |(at, source): (usize, &&str)| ObservedExecution {
        entry: QueueEntry {
            id: QueueId::from(format!("payroll-{at}")),
            cell_id: CellId::from(format!("ada-{at}")),
            execution_count: 3,
            status: QueueStatus::Pending,
            assigned_runtime_session: None,
        },
        rank: at as u64,
        source: Source::Text((*source).to_owned()),
        refused: Vec::new(),
        events: Vec::new(),
        unclear: None,
    };
    let facts = Observation {
        serving,
        control: Control::Path,
        identity: SessionIdentity {
            runtime_id: RuntimeId::from("html-runtime-x"),
            session_id: SessionId::from("html-runtime-x-1"),
            capabilities: Capabilities::default(),
        },
        began: Now { wall_ms: 1_700_000_000_000, mono_ms: 5 },
        saw_refusal: false,
        executions: sources.iter().enumerate().map(execution).collect(),
    };
    replay::rerun(&facts)
}

/// The record of the last mismatch that this fault brings about.
fn recorded(observation: &Observation, fault: &str, sources: Sources) -> Record {
    let fault = Fault::parse(fault).unwrap();
    let comparison = judge(observation, Some(fault));
    let context = flags::Context::new("the notebook of Ada");
    let ability = Ability { is_built_in: true, has_live_query: true };
    let case = Case {
        notebook: &NotebookId::from("the notebook of Ada"),
        observation,
        comparison: &comparison,
        decision: &crate::decide(&flags::LiveFlags::new().load(), false, &context, ability),
        fault: Some(fault),
        build: "test",
        comparison_ms: 1.0,
    };
    let mismatch = mismatches(&comparison).last().unwrap();
    case.record(mismatch, "0123456789ab-0".to_owned(), SEEN, sources, &SECRET)
}

fn json(record: &Record) -> String {
    serde_json::to_string_pretty(record).unwrap()
}

#[test]
fn a_redacted_record_tells_nobody_what_was_written_and_reproduces() {
    for serving in [Path::Legacy, Path::Registry] {
        for (_, fault) in Fault::ALL {
            let long = if fault == "truncated" { TELLING.repeat(1500) } else { TELLING.to_owned() };
            let record = recorded(&observed(serving, &["<p>one</p>", &long]), fault, Sources::Redacted);
            let text = json(&record);
            for told in ["Ada", "Lovelace", "salary", "4200", "earns", "class", "payroll", "html-runtime"] {
                assert!(!text.contains(told), "{told} in {text}");
            }
            assert_eq!(record.reproduces, Some(true), "{fault}: {text}");
            let read = Record::from_json(&text).unwrap();
            assert_eq!(read, record);
            assert!(read.replay(read.fault().unwrap()).unwrap().is_reproduced, "{fault}");
            assert!(!read.replay(None).unwrap().is_reproduced, "{fault}");
        }
    }
}

#[test]
fn a_record_says_where_a_text_differs() {
    for sources in [Sources::Redacted, Sources::Full] {
        let record = recorded(&observed(Path::Legacy, &[TELLING]), "changed-character", sources);
        let [located] = &record.differences[..] else { panic!("{:#?}", record.differences) };
        assert_eq!(located.difference.path, "outputs[0].representations.text/html.inline");
        assert_eq!(located.at, Some(Spot { offset: TELLING.chars().count() - 1, line: 2, column: 21 }));
    }
}

#[test]
fn a_full_record_holds_the_source_and_never_what_no_record_may_hold() {
    let record = recorded(&observed(Path::Legacy, &[TELLING]), "dropped-output", Sources::Full);
    assert!(json(&record).contains("Ada &amp; Lovelace"));
    let mut observation = observed(Path::Legacy, &["x"]);
    let output = observation.executions[0].events.iter_mut().find_map(|event| match event {
        Event::MultimediaResultOutputAdded(output) => Some(output),
        _ => None,
    });
    let container = registry::Container::Inline {
        data: serde_json::json!({ "API-Key": "s3cr3t", "kept": 1 }),
        metadata: serde_json::json!({ "Authorization": "s3cr3t" }).as_object().cloned(),
    };
    output.unwrap().representations.insert("application/json".to_owned(), container);
    for sources in [Sources::Redacted, Sources::Full] {
        let text = json(&recorded(&observation, "dropped-output", sources));
        assert!(!text.contains("s3cr3t") && !text.contains("uthorization"), "{text}");
    }
}

#[test]
fn an_execution_is_recorded_alone_where_that_shows_the_difference() {
    let observation = observed(Path::Legacy, &["one", "two", "three"]);
    let record = recorded(&observation, "dropped-output", Sources::Redacted);
    assert_eq!(record.facts.unwrap().executions.len(), 1);
    assert_eq!(record.control.head.lines().count(), 4);
}

#[test]
fn a_record_is_bounded_whatever_a_cell_holds() {
    let record = recorded(&observed(Path::Legacy, &[&"x".repeat(1_000_000)]), "changed-character", Sources::Full);
    assert!(record.facts.is_none());
    assert_eq!(record.facts().unwrap_err().code(), "RECORD_WITHOUT_FACTS");
    assert!(record.control.bytes > 1_000_000 && record.control.tail.is_some());
    assert!(json(&record).len() < 3 * MAX_EXCERPT_BYTES);
    assert_eq!(record.differences[0].at.unwrap().offset, 999_999);
}

#[test]
fn a_record_is_reduced_to_what_still_differs() {
    let long = format!("{TELLING}{}", "<p>a paragraph</p>\n".repeat(50));
    let observation = observed(Path::Legacy, &["one", &long, "three"]);
    let record = recorded(&observation, "changed-character", Sources::Redacted);
    let whole = Record { facts: Some(observation), execution: Some(QueueId::from("payroll-1")), ..record };
    let least = minimise(&whole, whole.fault().unwrap()).unwrap();
    assert_eq!(least.executions, (3, 1));
    assert_eq!(least.source_bytes, (6 + 2 + long.len(), 0));
    assert!(least.record.replay(least.record.fault().unwrap()).unwrap().is_reproduced);
    assert!(least.record.control_deviations().unwrap().is_empty());
}

#[test]
fn what_is_no_record_is_refused_with_its_place() {
    let check = |text: &str, code: &str, place: &str| {
        let error = Record::from_json(text).unwrap_err();
        assert_eq!(error.code(), code);
        assert!(error.to_string().contains(place), "{error}");
        assert!(!error.hint().is_empty());
    };
    check("{", "RECORD_UNREADABLE", "line 1, column 1");
    check("{}", "RECORD_UNREADABLE", "missing field `schema`");
    check(r#"{ "schema": 99 }"#, "RECORD_SCHEMA", "`99`");
    let record = recorded(&observed(Path::Legacy, &["x"]), "dropped-output", Sources::Full);
    let unknown = Record { seeded_fault: Some("nope".to_owned()), ..record };
    assert_eq!(unknown.fault().unwrap_err().code(), "UNKNOWN_FAULT");
}
