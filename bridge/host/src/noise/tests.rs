//! Does what is known of noise outlive its process, and does nothing that is found in its place do harm?

use bridge_core::{Source, Verdict, judge_against_itself};
use registry::Now;
use serde_json::json;
use tempfile::TempDir;

use super::*;

/// A process with its noise kept beside a latch in this folder.
struct Process {
    noise: Noise,
    started: Vec<&'static str>,
}

fn latch(folder: &TempDir) -> PathBuf {
    folder.path().join("latch")
}

fn file(folder: &TempDir) -> PathBuf {
    folder.path().join("latch.noise")
}

fn process(folder: &TempDir) -> Process {
    let noise = Noise::default();
    let started = noise.keep_beside(&latch(folder)).iter().map(|news| news.code).collect();
    assert!(noise.is_beside(&latch(folder)));
    Process { noise, started }
}

impl Process {
    /// A pair that differs in one number, and what it was taken for.
    fn pair(&self) -> Verdict {
        let served = observation("<p>1</p>");
        // The control's own core shows the same, but for the number.
        let mut again = served.clone();
        again.executions[0].source = Source::Text("<p>2</p>".to_owned());
        let mut comparison = judge_against_itself(&again, None);
        self.noise.take(&served, &mut comparison);
        comparison.executions.remove(0).verdict
    }
}

/// One execution, which the old path has served.
fn observation(html: &str) -> Observation {
    let completed_at = "2026-01-01T00:00:00.000Z";
    let representations = json!({ "text/html": { "type": "inline", "data": html, "metadata": {} } });
    let events = json!([
        { "name": "v1.ExecutionAssigned", "args": { "queueId": "q", "runtimeSessionId": "s" } },
        { "name": "v1.ExecutionStarted",
            "args": { "queueId": "q", "cellId": "c", "runtimeSessionId": "s", "startedAt": completed_at } },
        { "name": "v1.MultimediaResultOutputAdded", "args": { "id": "o", "cellId": "c", "position": 0,
            "representations": representations, "executionCount": 1 } },
        { "name": "v1.ExecutionCompleted", "args": { "queueId": "q", "cellId": "c", "status": "success",
            "completedAt": completed_at, "executionDurationMs": 1 } },
    ]);
    let execution = json!({
        "entry": { "id": "q", "cellId": "c", "executionCount": 3, "status": "pending" },
        "rank": 0, "source": { "is": "text", "text": html }, "refused": [], "events": events,
    });
    let capabilities = json!({ "canExecuteCode": true, "canExecuteSql": false, "canExecuteAi": false });
    let observation = json!({
        "serving": "legacy", "began": Now::default(), "sawRefusal": false, "executions": [execution],
        "identity": { "runtimeId": "r", "sessionId": "s", "capabilities": capabilities },
    });
    serde_json::from_value(observation).unwrap()
}

fn is_noise(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Noise { .. })
}

#[test]
fn what_has_become_noise_is_known_to_the_next_process_although_nobody_has_saved_it() {
    let folder = tempfile::tempdir().unwrap();
    let first = process(&folder);
    assert!(!is_noise(&first.pair()), "nothing is known yet");
    assert!(!file(&folder).exists(), "one difference proves nothing, and is written in a minute");
    assert!(!is_noise(&first.pair()));
    assert!(file(&folder).exists(), "two of two are proof");
    let second = process(&folder);
    assert!(is_noise(&second.pair()) && second.started.is_empty());
}

#[test]
fn what_is_less_than_proof_is_known_to_the_next_process_once_it_was_saved() {
    let folder = tempfile::tempdir().unwrap();
    process(&folder).pair();
    let first = process(&folder);
    first.pair();
    assert_eq!(first.noise.save(), None);
    let second = process(&folder);
    second.pair();
    assert!(is_noise(&second.pair()), "one before and one after");
}

#[test]
fn what_cannot_be_read_is_set_aside_and_told_and_learned_anew() {
    for put in [
        |path: &Path| std::fs::write(path, "not noise").unwrap(),
        |path: &Path| std::fs::write(path, [0xff; 100]).unwrap(),
        |path: &Path| std::fs::create_dir(path).unwrap(),
    ] {
        let folder = tempfile::tempdir().unwrap();
        put(&file(&folder));
        let first = process(&folder);
        assert_eq!(first.started, ["NOISE_UNREADABLE"]);
        assert!(folder.path().join("latch.noise.unreadable").exists() && !file(&folder).exists());
        (0..2).for_each(|_| drop(first.pair()));
        let second = process(&folder);
        assert!(is_noise(&second.pair()) && second.started.is_empty());
    }
}

#[test]
fn what_another_build_has_learned_is_written_over_and_not_believed() {
    let folder = tempfile::tempdir().unwrap();
    let first = process(&folder);
    (0..2).for_each(|_| drop(first.pair()));
    std::fs::write(file(&folder), first.noise.model().state("another build")).unwrap();
    let second = process(&folder);
    assert!(second.started.is_empty() && !is_noise(&second.pair()));
}

#[test]
fn what_cannot_be_written_is_told_once_and_in_force_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let process = process(&folder);
    std::fs::create_dir(file(&folder)).unwrap();
    (0..2).for_each(|_| drop(process.pair()));
    let told: Vec<_> = process.noise.news().iter().map(|news| news.code).collect();
    assert_eq!(told, ["NOISE_NOT_SAVED"]);
    assert!(is_noise(&process.pair()));
    assert_eq!(process.noise.save(), None, "it was told");
}

#[test]
fn an_owner_that_saves_waits_for_no_lane_that_is_writing() {
    let folder = tempfile::tempdir().unwrap();
    let process = process(&folder);
    process.pair();
    let writing = lock(&process.noise.writing);
    assert_eq!(process.noise.save(), None);
    drop(writing);
    assert!(!file(&folder).exists());
    assert_eq!(process.noise.save(), None);
    assert!(file(&folder).exists(), "it was not taken for written");
}
