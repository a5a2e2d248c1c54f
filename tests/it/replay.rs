//! What does `replay` say, and how does it end?

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;
use tempfile::TempDir;
use tests::{Trace, play};

/// How a run of the program ended, with everything that it wrote.
struct Ended {
    code: Option<i32>,
    said: String,
}

fn replay(arguments: &[&Path]) -> Ended {
    let output = Command::new(env!("CARGO_BIN_EXE_replay")).args(arguments).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    Ended { code: output.status.code(), said: String::from_utf8(said).unwrap() }
}

fn recorded(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("traces").join(name)
}

/// A directory with two traces of played suites and one of another.
fn traces() -> TempDir {
    let directory = TempDir::new().unwrap();
    for name in ["base__start-ok.json", "html__one-cell.json", "agent__echo.json"] {
        fs::copy(recorded(name), directory.path().join(name)).unwrap();
    }
    directory
}

/// What the Rust player sees of these traces, a line each.
fn observed(directory: &Path, names: &[&str]) -> String {
    let line = |name: &&str| {
        let trace = Trace::read(&directory.join(name)).unwrap();
        let played = play(&trace).unwrap();
        json!({ "scenario": trace.scenario, "observations": played.observations, "tables": played.tables }).to_string()
    };
    names.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Compares with observations that another player wrote.
fn check_observed(lines: &str, code: i32, said: &[&str]) {
    let directory = traces();
    let file = directory.path().join("observed.jsonl");
    fs::write(&file, lines).unwrap();
    let ended = replay(&[directory.path(), Path::new("--observed"), &file]);
    assert_eq!(ended.code, Some(code), "{}", ended.said);
    said.iter().for_each(|said| assert!(ended.said.contains(said), "no `{said}` in {}", ended.said));
}

#[test]
fn a_clean_replay_counts_what_it_played_and_what_not() {
    let ended = replay(&[traces().path()]);
    let expected = "replay (rust): 2 played, 2 clean, 0 different, 1 of other suites not played\n";
    assert_eq!((ended.code, ended.said.as_str()), (Some(0), expected));
}

#[test]
fn a_difference_shows_the_step_and_both_sides() {
    let directory = traces();
    let file = directory.path().join("html__one-cell.json");
    let text = fs::read_to_string(&file).unwrap().replacen(r#""executionCount":1}"#, r#""executionCount":7}"#, 1);
    fs::write(&file, text).unwrap();
    let ended = replay(&[directory.path()]);
    assert_eq!(ended.code, Some(1), "{}", ended.said);
    for said in ["html/one-cell: observation", "step ", "expected {", "observed {", "1 clean, 1 different"] {
        assert!(ended.said.contains(said), "no `{said}` in {}", ended.said);
    }
}

#[test]
fn observations_of_another_player_are_compared_in_place_of_playing() {
    let lines = observed(traces().path(), &["base__start-ok.json", "html__one-cell.json"]);
    check_observed(&lines, 0, &["replay (observed): 2 played, 2 clean, 0 different, 1 of other suites not played"]);
    let wrong = lines.replacen(r#""status":"starting""#, r#""status":"busy""#, 1);
    check_observed(&wrong, 1, &["base/start-ok: observation", "1 clean, 1 different"]);
}

#[test]
fn a_trace_that_nobody_played_is_a_difference() {
    let lines = observed(traces().path(), &["base__start-ok.json"]);
    check_observed(&lines, 1, &["html/one-cell: nothing observed"]);
}

#[test]
fn bad_input_is_refused_with_its_place_and_a_hint() {
    check_observed("{\"scenario\": 1}", 2, &["observed.jsonl`, line 1: ", "hint: "]);
    let stranger = json!({ "scenario": "base/unheard-of", "observations": [], "tables": {} });
    check_observed(&stranger.to_string(), 2, &["`base/unheard-of`", "hint: "]);
    let directory = traces();
    fs::write(directory.path().join("base__broken.json"), "{").unwrap();
    let ended = replay(&[directory.path()]);
    assert_eq!(ended.code, Some(2));
    assert!(
        ended.said.contains("base__broken.json` is not a trace: ") && ended.said.contains("hint: "),
        "{}",
        ended.said
    );
    assert_eq!(replay(&[&directory.path().join("nowhere")]).code, Some(2));
}
