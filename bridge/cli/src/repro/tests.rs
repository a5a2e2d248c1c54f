use std::process::{Command, Output};

use bridge_core::{Difference, Located, Spot};
use clap::Parser as _;

use super::*;
use crate::Arguments;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// Runs `repro` on the sample.
fn repro(options: &[&str]) -> Result<Answer, String> {
    let sample = format!("{ROOT}/tests/mismatches/changed-character.json");
    let words = ["runtime-bridge", "repro", &sample].into_iter().chain(options.iter().copied());
    crate::run(Arguments::try_parse_from(words).unwrap().command)
}

fn status(options: &[&str]) -> u8 {
    repro(options).unwrap().status
}

#[test]
fn the_status_says_whether_the_difference_is_still_there() {
    assert_eq!(status(&[]), 0);
    assert_eq!(status(&["--runs", "5"]), 0);
    assert_eq!(status(&["--runs", "4", "--seed-fault", "changed-character:2"]), FLAKY);
    assert_eq!(status(&["--runs", "3", "--seed-fault", "none"]), GONE);
    assert_eq!(status(&["--seed-fault", "dropped-output"]), GONE, "another difference is not this one");
}

#[test]
fn what_is_printed_shows_both_sides_and_where_they_part() {
    let text = repro(&[]).unwrap().text;
    let at = text.find("  outputs[0]").unwrap();
    let lines: Vec<&str> = text[at..].lines().take(4).collect();
    assert_eq!(lines[0], "  outputs[0].representations.text/html.inline: line 2, column 11 (character 21)");
    let (old, new) =
        (lines[1].strip_prefix("    old path | ").unwrap(), lines[2].strip_prefix("    registry | ").unwrap());
    assert_eq!((old.len(), &old[..10], &old[10..], &new[10..]), (11, &new[..10], ">", "?"));
    assert_eq!(lines[3], "             |           ^");
    assert!(text.contains("the old path's core does what was recorded"), "{text}");
    assert!(text.ends_with("reproduced: 1 of 1 run differ as recorded"), "{text}");
    let flaky = repro(&["--runs", "4", "--seed-fault", "changed-character:2"]).unwrap().text;
    assert!(flaky.ends_with("flaky: 2 of 4 runs differ as recorded"), "{flaky}");
}

#[test]
fn a_control_character_and_the_end_of_a_text_are_seen() {
    let at = Spot { offset: 4, line: 2, column: 3 };
    let difference =
        Difference { path: "p".into(), legacy: Some("a\nb\t\r\n".into()), registry: Some("a\nb\t".into()) };
    let shown = diff::show(&Located { difference, at: Some(at) });
    let expect = "  p: line 2, column 3 (character 4)\n    old path | b\\t\\r\\n\n    registry | b\\t (it ends here)\n             |    ^\n";
    assert_eq!(shown, expect);
}

#[test]
fn what_is_no_record_is_refused_with_code_place_and_hint() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("record.json");
    for (text, told) in [
        ("{ \"schema\": 1,\n 5", "line 2, column 2: "),
        ("{ \"schema\": 7 }", "`schema`: this build reads version 1, not `7` [RECORD_SCHEMA]"),
        ("{ \"schema\": 1 }", "[RECORD_UNREADABLE]"),
    ] {
        std::fs::write(&file, text).unwrap();
        let error = run(&file, &Options { runs: 1, minimise: None, insta: None, seed_fault: None }).err().unwrap();
        assert!(error.contains(told) && error.contains("record.json: ") && error.contains("\n  hint: "), "{error}");
    }
    assert!("nope".parse::<Seed>().unwrap_err().contains("dropped-output"));
    assert!("dropped-output:0".parse::<Seed>().is_err());
}

#[test]
fn a_smaller_record_still_differs() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("least.json");
    let answer = repro(&[&format!("--minimise={}", file.display())]).unwrap();
    assert!(
        answer.text.contains("reduced from 1 execution to 1, from 22 bytes of source to 0, in "),
        "{}",
        answer.text
    );
    let least = read(&file).unwrap();
    assert!(replay(&least, least.fault().unwrap()).unwrap().is_reproduced);
    assert_eq!(status(&["--minimise"]), 0);
}

/// Runs the tests of a crate of one written test. It shares what is compiled already.
fn cargo_test(folder: &Path) -> Output {
    let target = std::env::current_exe().unwrap().ancestors().nth(3).unwrap().to_owned();
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["test", "--offline", "--quiet"]).current_dir(folder);
    cargo.env("CARGO_TARGET_DIR", target).env("INSTA_UPDATE", "no").output().unwrap()
}

#[test]
fn a_written_test_fails_until_the_difference_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = format!(
        "[package]\nname = \"written\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[lib]\npath = \"lib.rs\"\n\n[workspace]\n\n\
         [dependencies]\nbridge-core = {{ path = \"{ROOT}/bridge/core\" }}\n\n[dev-dependencies]\n\
         insta = {{ version = \"1\", features = [\"json\", \"yaml\"] }}\n\n[profile.dev]\ndebug = \"line-tables-only\"\n"
    );
    std::fs::write(folder.path().join("Cargo.toml"), manifest).unwrap();
    std::fs::write(folder.path().join("lib.rs"), "").unwrap();
    std::fs::copy(format!("{ROOT}/Cargo.lock"), folder.path().join("Cargo.lock")).unwrap();
    let tests = folder.path().join("tests");
    repro(&["--insta", tests.to_str().unwrap()]).unwrap();
    let failed = cargo_test(folder.path());
    let told = String::from_utf8_lossy(&failed.stdout).into_owned() + &String::from_utf8_lossy(&failed.stderr);
    assert!(!failed.status.success() && told.contains("outputs[0].representations.text/html.inline"), "{told}");

    let record = tests.join("mismatch_0123456789ab_0.json");
    let fixed = Record { seeded_fault: None, ..read(&record).unwrap() };
    write_record(&fixed, &record).unwrap();
    let passed = cargo_test(folder.path());
    assert!(passed.status.success(), "{}", String::from_utf8_lossy(&passed.stdout));
}
