//! Are mismatches written down so that anybody can run them again, and do they stay within their bounds?

use std::fs;
use std::path::Path;
use std::sync::mpsc::channel;

use bridge_core::{
    Case, Comparison, ComparisonMode, Decision, Fault, Observation, Record, Secret, SignatureSeen, Sources, mismatches,
};
use bridge_host::environment::NotebookKey;
use bridge_host::lane::{Books, Job, Lane, Seeded};
use bridge_host::records::{Records, RecordsStatus};
use proptest::prelude::*;
use registry::NotebookId;
use tests::host::Host;

const SECRET: Secret = Secret([5; 32]);
const CELL: &str = "<b>Ada</b>\n<i>4200</i>";

/// What so many executions come to on the route `shadow`, each with this fault, and each compared by itself.
fn compared(fault: &str, executions: u32) -> Vec<(Observation, Comparison, Decision)> {
    let mut host = Host::new();
    host.route("shadow");
    host.owner.fault = Some(Fault::parse(fault).unwrap());
    host.create("cell", CELL);
    for _ in 0..executions {
        host.request("cell");
        host.finish();
    }
    let decision = host.owner.status().leases[0].decision.clone();
    host.owner
        .compared
        .into_iter()
        .map(|(observation, comparison)| (observation, comparison, decision.clone()))
        .collect()
}

fn take(records: &Records, fault: &str, executions: u32) {
    for (observation, comparison, decision) in compared(fault, executions) {
        records.take(&Case {
            notebook: &NotebookId::from("nb"),
            observation: &observation,
            comparison: &comparison,
            decision: &decision,
            fault: Fault::parse(fault),
            build: "test",
            comparison_ms: 0.5,
        });
    }
}

fn open(folder: &Path, sources: Sources) -> Records {
    let records = Records::default();
    assert_eq!(records.configure(folder, sources, SECRET), []);
    records
}

/// The records of a folder, by their names.
fn read(folder: &Path) -> Vec<Record> {
    let mut names: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    let records = names.iter().filter(|path| !path.ends_with("counts.json"));
    records.map(|path| Record::from_json(&fs::read_to_string(path).unwrap()).unwrap()).collect()
}

fn status(records: &Records) -> RecordsStatus {
    records.status().unwrap()
}

#[test]
fn records_are_kept_within_their_number_and_counts_go_on_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("a/new/folder");
    let records = open(&folder, Sources::Redacted);
    take(&records, "dropped-output", 12);
    take(&records, "changed-character", 3);
    let totals = status(&records).totals;
    assert_eq!((totals.seen, totals.kept, totals.failed), (15, 13, 0));
    records.save();
    let restarted = open(&folder, Sources::Redacted);
    assert_eq!(status(&restarted), status(&records));
    take(&restarted, "changed-character", 1);
    let newest = read(&folder).into_iter().max_by_key(|record| record.seen.last_wall_ms).unwrap();
    assert_eq!((newest.seen.count, newest.seen.first_wall_ms < newest.seen.last_wall_ms), (4, true));
    assert_eq!(status(&restarted).totals.kept, 14);
    assert!(read(&folder).iter().all(|record| record.reproduces == Some(true)));
    assert!(!fs::read_to_string(folder.join("counts.json")).unwrap().contains("Ada"));
}

/// A record that `repro` and its tests have at hand; `UPDATE_DOCS=1` writes it anew.
#[test]
fn the_sample_is_what_is_recorded_today() {
    let mut host = Host::new();
    host.route("shadow");
    host.owner.fault = Fault::parse("changed-character");
    host.create("cell", CELL);
    host.request("cell");
    host.finish();
    let (observation, comparison) = &host.owner.compared[0];
    let case = Case {
        notebook: &NotebookId::from("nb"),
        observation,
        comparison,
        decision: &host.owner.status().leases[0].decision,
        fault: host.owner.fault,
        build: "0.1.0",
        comparison_ms: 0.5,
    };
    let seen = SignatureSeen { count: 1, first_wall_ms: 1_700_000_000_000, last_wall_ms: 1_700_000_000_000 };
    let mismatch = mismatches(comparison).next().unwrap();
    let record = case.record(mismatch, "0123456789ab-0".to_owned(), seen, Sources::Redacted, &SECRET);
    let text = format!("{}\n", serde_json::to_string_pretty(&record).unwrap());
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("mismatches/changed-character.json");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&file, &text).unwrap();
    }
    assert_eq!(fs::read_to_string(&file).unwrap_or_default(), text, "run it with UPDATE_DOCS=1 and commit the sample");
}

/// Texts of every kind of character, escape sequences among them.
fn text() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        4 => "[a-z]{1,4}",
        2 => "[ -/:-@\\[-`{-~\r\n\t]{1,3}",
        2 => "[A-Z0-9]{1,4}",
        1 => "[éßЖ日本한🙂\u{feff}\u{2028}\u{300}]{1,3}",
        1 => "\u{1b}\\[[0-9;]{0,5}[mKA]",
        1 => any::<String>(),
    ];
    prop::collection::vec(part, 0..8).prop_map(|parts| parts.concat())
}

/// Characters that two texts have in common at their beginning.
fn common(one: &str, other: &str) -> usize {
    one.chars().zip(other.chars()).take_while(|(left, right)| left == right).count()
}

proptest! {
    /// Whoever reads a redacted record sees where two texts part, and how long and how many lines they are.
    #[test]
    fn redacted_texts_part_where_the_texts_did(start in text(), one in text(), other in text()) {
        let (one, other) = (format!("{start}{one}"), format!("{start}{other}"));
        let (hidden, other_hidden) = (SECRET.text(&one), SECRET.text(&other));
        prop_assert_eq!(common(&one, &other), common(&hidden, &other_hidden));
        prop_assert_eq!(one == other, hidden == other_hidden);
        prop_assert_eq!(one.len(), hidden.len());
        let shape = |text: &str| text.chars().map(|c| (c.len_utf8(), c.is_whitespace(), c.is_control())).collect::<Vec<_>>();
        prop_assert_eq!(shape(&one), shape(&hidden));
    }
}

#[test]
fn what_users_have_written_is_in_full_records_only() {
    for (sources, is_told) in [(Sources::Redacted, false), (Sources::Full, true)] {
        let folder = tempfile::tempdir().unwrap();
        take(&open(folder.path(), sources), "dropped-output", 1);
        let [record] = &read(folder.path())[..] else { panic!("one record") };
        let text = serde_json::to_string(record).unwrap();
        assert_eq!((text.contains("Ada"), text.contains("4200")), (is_told, is_told), "{text}");
    }
}

#[test]
fn a_folder_that_cannot_be_written_is_told_once_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "not a folder").unwrap();
    let records = Records::default();
    let news = records.configure(&file.join("below"), Sources::Redacted, SECRET);
    assert_eq!(news.iter().map(|news| news.code).collect::<Vec<_>>(), ["MISMATCHES_NOT_KEPT"]);
    take(&records, "dropped-output", 3);
    assert_eq!(records.news(), []);
    assert_eq!((status(&records).totals.seen, status(&records).totals.failed), (3, 3));
}

#[test]
fn damaged_counts_are_told_and_made_up_from_the_records() {
    let folder = tempfile::tempdir().unwrap();
    take(&open(folder.path(), Sources::Redacted), "dropped-output", 4);
    fs::write(folder.path().join("counts.json"), "{").unwrap();
    fs::write(folder.path().join("0123.json.1-2.new"), "half").unwrap();
    let records = Records::default();
    let news = records.configure(folder.path(), Sources::Redacted, SECRET);
    assert_eq!(news.iter().map(|news| news.code).collect::<Vec<_>>(), ["MISMATCHES_COUNTS_LOST"]);
    assert_eq!((status(&records).totals.seen, status(&records).totals.kept), (4, 4));
    let name =
        fs::read_dir(folder.path()).unwrap().find(|entry| !entry.as_ref().unwrap().path().ends_with("counts.json"));
    fs::remove_file(name.unwrap().unwrap().path()).unwrap();
    assert_eq!(status(&open(folder.path(), Sources::Redacted)).totals.kept, 3);
}

#[test]
fn the_lane_writes_and_the_owner_only_looks() {
    let folder = tempfile::tempdir().unwrap();
    let records = open(folder.path(), Sources::Redacted);
    let (wake, woken) = channel();
    let lane = Lane::open(Books { records: records.clone(), ..Books::default() }, move || {
        let _ = wake.send(());
    })
    .unwrap();
    let fault = Fault::parse("doubled-output");
    for (observation, _, decision) in compared("doubled-output", 2) {
        let (key, notebook) = (NotebookKey(1), NotebookId::from("nb"));
        let seeded = fault.map(Seeded::Fault);
        let mode = ComparisonMode::Paths;
        let job = Job { key, notebook, observation, decision, mode, age: 0, seeded, marks: None, program: None };
        assert!(lane.submit(job));
    }
    woken.iter().take(2).for_each(drop);
    assert_eq!((lane.take_done(NotebookKey(1)).len(), status(&records).totals.kept), (2, 2));
    assert!(read(folder.path()).iter().all(|record| record.route.route == "shadow"));
}
