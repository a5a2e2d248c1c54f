//! The operator's command line: what a flag document would do, before it does it; and what a notebook's log shows, before
//! anything is installed.

mod audit;
mod parity;
mod repro;
mod table;

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use bridge_core::{Ability, Content, Known, Latch, ROUTE_FLAG, decide};
use clap::{Parser, Subcommand};
use flags::{Context, LiveFlags};

/// Status of a log in which something is wrong.
const FOUND: u8 = 1;

/// Status of an input that cannot be used.
const BAD_INPUT: u8 = 2;

#[derive(Parser)]
#[command(name = "runtime-bridge", version, about = "Looks at flag documents and at logs the way the bridge does")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Check a flag document; exit status 2 names the place of the first fault
    Check {
        /// The document, in flagd's format
        file: PathBuf,
    },
    /// Say which notebooks a new document would move, before it is put in force
    Plan {
        /// The document in force
        current: PathBuf,
        /// The new document
        next: PathBuf,
        /// A JSON file: an object of notebook ids, each with an object of its attributes
        #[arg(long, value_name = "FILE")]
        notebooks: PathBuf,
    },
    /// Say which route a notebook gets, and which rule decides
    Explain {
        /// The document, in flagd's format
        file: PathBuf,
        /// The notebook's id
        notebook: String,
        /// What the rules can target besides the notebook; the value is JSON, or text
        #[arg(long = "attribute", value_name = "NAME=VALUE", value_parser = attribute)]
        attributes: Vec<(String, serde_json::Value)>,
    },
    /// Say of a notebook's log whether each execution ended once and in its turn; exit status 1 where one did not
    Audit {
        /// JSON Lines of events, a store of ours, or the `eventlog@….db` of LiveStore 0.3 or 0.4; it is only read
        log: PathBuf,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Run both paths on what logs record, say which notebooks would differ, and in which order they may move; exit status 1
    /// where one would differ otherwise than the known differences say
    Parity {
        /// As for `audit`
        #[arg(required = true)]
        logs: Vec<PathBuf>,
        /// Print JSON
        #[arg(long)]
        json: bool,
        /// List every execution
        #[arg(long)]
        cells: bool,
        /// Print what differs too, which is what users have written
        #[arg(long)]
        show_content: bool,
    },
    /// Run both paths again on the facts of a mismatch record; exit status 0 where they differ as recorded, 3 where only some
    /// runs do, 4 where none does
    Repro {
        /// A file of the folder that `configure({ mismatches: { folder } })` names
        record: PathBuf,
        /// Run so often
        #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
        runs: u32,
        /// Look for fewer executions and shorter sources that still differ so; with a file, write that record to it
        #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true)]
        minimise: Option<Option<PathBuf>>,
        /// Write a Rust test with its snapshot, which fails until the difference is fixed or declared known: a folder, or the
        /// name of the test's file
        #[arg(long, value_name = "PLACE")]
        insta: Option<PathBuf>,
        /// Spoil the candidate with this fault instead of the recorded one: `none`, `NAME`, or `NAME:N` for every Nth run
        #[arg(long, value_name = "FAULT")]
        seed_fault: Option<repro::Seed>,
    },
}

/// What a command prints, and its exit status.
struct Answer {
    text: String,
    status: u8,
}

impl From<String> for Answer {
    fn from(text: String) -> Self {
        Self { text, status: 0 }
    }
}

#[expect(clippy::print_stderr, reason = "a command line speaks on its streams")]
fn main() -> ExitCode {
    let said = run(Arguments::parse().command).and_then(|answer| print(&answer.text).map(|()| answer.status));
    match said {
        Ok(status) => ExitCode::from(status),
        Err(text) => {
            eprintln!("{}", plain(&text));
            ExitCode::from(BAD_INPUT)
        }
    }
}

/// Prints an answer. Whoever reads no further than the first lines has what they wanted.
fn print(text: &str) -> Result<(), String> {
    let mut out = io::stdout().lock();
    match writeln!(out, "{}", plain(text)).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(format!("the answer cannot be printed: {error}"))
        }
        _ => Ok(()),
    }
}

/// Names come from logs and documents: what would steer a terminal is written out.
fn plain(text: &str) -> String {
    let steers = |character: char| character.is_control() && !matches!(character, '\n' | '\t');
    let written = |character: char| match steers(character) {
        true => character.escape_unicode().to_string(),
        false => character.to_string(),
    };
    if text.contains(steers) { text.chars().map(written).collect() } else { text.to_owned() }
}

fn run(command: Command) -> Result<Answer, String> {
    match command {
        Command::Check { file } => check(&file).map(Answer::from),
        Command::Plan { current, next, notebooks } => plan(&current, &next, &notebooks).map(Answer::from),
        Command::Explain { file, notebook, attributes } => explain(&file, &notebook, attributes).map(Answer::from),
        Command::Audit { log, json } => audit::run(&log, json),
        Command::Parity { logs, json, cells, show_content } => {
            let content = if show_content { Content::Shown } else { Content::Hidden };
            parity::run(&logs, &parity::Options { json, cells, content })
        }
        Command::Repro { record, runs, minimise, insta, seed_fault } => {
            repro::run(&record, &repro::Options { runs, minimise, insta, seed_fault })
        }
    }
}

fn check(file: &Path) -> Result<String, String> {
    let live = load(file)?;
    let snapshot = live.load();
    let flags = snapshot.set().map_or(0, flags::FlagSet::len);
    let has_route = snapshot.set().is_some_and(|set| set.get(ROUTE_FLAG).is_some());
    let route =
        if has_route { "" } else { "; there is no flag `runtime-route`, so every notebook stays on the old path" };
    let noun = if flags == 1 { "flag" } else { "flags" };
    Ok(format!("{}: {flags} {noun}{route}", file.display()))
}

fn plan(current: &Path, next: &Path, notebooks: &Path) -> Result<String, String> {
    let known = known(notebooks)?;
    let plan = bridge_core::plan(&load(current)?.load(), true, &load(next)?.load(), &Latch::default(), &known);
    serde_json::to_string_pretty(&plan).map_err(|error| error.to_string())
}

fn known(file: &Path) -> Result<Vec<Known>, String> {
    let bad = |reason: String| {
        let hint = "write it as { \"notebook-1\": { \"team\": \"docs\" }, \"notebook-2\": {} }";
        format!("{}: {reason}\n  hint: {hint}", file.display())
    };
    let text = std::fs::read_to_string(file).map_err(|error| bad(format!("cannot be read: {error}")))?;
    let notebooks: BTreeMap<String, BTreeMap<String, serde_json::Value>> =
        serde_json::from_str(&text).map_err(|error| bad(error.to_string()))?;
    let known = |(id, attributes): (String, BTreeMap<String, serde_json::Value>)| Known {
        context: attributes
            .into_iter()
            .fold(Context::new(id), |context, (name, value)| context.with(name, value))
            .at(wall_ms()),
        ability: Ability { is_built_in: true, has_live_query: true },
        has_old_path: true,
    };
    Ok(notebooks.into_iter().map(known).collect())
}

fn explain(file: &Path, notebook: &str, attributes: Vec<(String, serde_json::Value)>) -> Result<String, String> {
    let live = load(file)?;
    let context = attributes
        .into_iter()
        .fold(Context::new(notebook), |context, (name, value)| context.with(name, value))
        .at(wall_ms());
    let snapshot = live.load();
    let ability = Ability { is_built_in: true, has_live_query: true };
    let decision = decide(&snapshot, true, &context, ability);
    let decision = serde_json::to_string_pretty(&decision).map_err(|error| error.to_string())?;
    let rule = snapshot.set().map(|set| set.explain(ROUTE_FLAG, &context).to_string()).unwrap_or_default();
    Ok(format!("{rule}\n{decision}"))
}

fn load(file: &Path) -> Result<LiveFlags, String> {
    let text = std::fs::read_to_string(file).map_err(|error| {
        format!("{}: cannot be read: {error}\n  hint: name a flag document in flagd's format", file.display())
    })?;
    let live = LiveFlags::new();
    live.apply(&text, &file.display().to_string())
        .map_err(|error| format!("{}: {error} [{}]\n  hint: {}", file.display(), error.code(), error.hint()))?;
    Ok(live)
}

fn attribute(text: &str) -> Result<(String, serde_json::Value), String> {
    let (name, value) = text.split_once('=').ok_or("write it as NAME=VALUE")?;
    let value = serde_json::from_str(value).unwrap_or_else(|_| value.into());
    Ok((name.to_owned(), value))
}

fn wall_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

    /// Runs a command line whose logs lie in the repository.
    fn run_line(line: &str) -> Result<Answer, String> {
        let words = line.split_whitespace().map(|word| match word.starts_with("tests/") {
            true => format!("{ROOT}/{word}"),
            false => word.to_owned(),
        });
        run(Arguments::try_parse_from(words).unwrap().command)
    }

    /// The commands of the README that have what they print behind them.
    #[test]
    fn the_readme_shows_what_the_commands_print() {
        let readme = std::fs::read_to_string(format!("{ROOT}/README.md")).unwrap();
        let samples: Vec<(&str, &str)> = readme
            .split("```console\n$ cargo run -p bridge-cli -- ")
            .skip(1)
            .filter_map(|sample| sample.split_once("\n```")?.0.split_once('\n'))
            .collect();
        assert_eq!(samples.len(), 2);
        for (line, printed) in samples {
            let answer = run_line(&format!("runtime-bridge {line}")).unwrap();
            assert_eq!(answer.text, printed, "{line}");
        }
    }

    #[test]
    fn an_audit_fails_on_a_fault_and_not_without() {
        let status = |line: &str| run_line(line).map(|answer| answer.status);
        assert_eq!(status("runtime-bridge audit tests/logs/tidy.jsonl"), Ok(0));
        assert_eq!(status("runtime-bridge audit tests/logs/worn.jsonl --json"), Ok(FOUND));
        assert_eq!(status("runtime-bridge parity tests/logs/tidy.jsonl tests/logs/worn.jsonl"), Ok(0));
    }

    #[test]
    fn a_file_that_is_no_log_is_refused_with_a_hint() {
        for command in ["audit", "parity"] {
            let text = run_line(&format!("runtime-bridge {command} tests/logs")).err().unwrap();
            assert!(text.contains("hint: "), "{text}");
        }
    }

    #[test]
    fn a_name_does_not_steer_the_terminal() {
        assert_eq!(plain("ü `a\x1b[2Jb\r\u{9b}`\n\t漢"), "ü `a\\u{1b}[2Jb\\u{d}\\u{9b}`\n\t漢");
    }

    #[test]
    fn json_holds_what_the_text_says_in_the_order_of_the_rollout() {
        let line = "runtime-bridge parity tests/logs/worn.jsonl tests/logs/tidy.jsonl --json --cells";
        let report: serde_json::Value = serde_json::from_str(&run_line(line).unwrap().text).unwrap();
        let order: Vec<&str> =
            report["notebooks"].as_array().unwrap().iter().map(|one| one["notebook"].as_str().unwrap()).collect();
        assert_eq!(order, ["tidy", "worn"]);
        let worn = &report["notebooks"][1];
        assert_eq!(worn["readiness"], "faulty");
        assert_eq!(worn["parity"]["cells"].as_array().unwrap().len(), 4);
        assert_eq!(worn["parity"]["recorded"]["legacy"]["deviating"], 0);
        assert_eq!(worn["audit"]["found"]["resurrected"], 1);
    }

    #[test]
    fn what_users_have_written_shows_only_when_asked() {
        let (folder, log) = document("");
        let text = std::fs::read_to_string(format!("{ROOT}/tests/logs/tidy.jsonl")).unwrap();
        let text = text.replacen("\"data\":\"<p>Draft</p>\"", "\"data\":\"<p>Secret</p>\"", 1);
        std::fs::write(&log, text).unwrap();
        for more in ["", " --cells", " --json", " --json --cells"] {
            let line = format!("runtime-bridge parity {}{more}", log.display());
            let hidden = run_line(&line).unwrap().text;
            assert!(!hidden.contains("Secret") && !hidden.contains("Draft"), "{hidden}");
            assert!(hidden.contains("outputs[0].representations.text/html.inline"), "{hidden}");
            let shown = run_line(&format!("{line} --show-content")).unwrap().text;
            assert!(shown.contains("Secret") && shown.contains("Draft"), "{shown}");
        }
        drop(folder);
    }

    fn document(text: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("flags.json");
        std::fs::write(&file, text).unwrap();
        (folder, file)
    }

    #[test]
    fn a_fault_is_named_with_file_line_code_and_hint() {
        let (_folder, file) = document("{\n  \"flags\": { \"runtime-route\": { \"state\": \"ON\" } }\n}");
        let text = check(&file).unwrap_err();
        assert!(text.contains("flags.json: ") && text.contains(":2:") | text.contains("line 2"), "{text}");
        assert!(text.contains("hint: "), "{text}");
    }

    #[test]
    fn a_plan_names_who_moves_and_bad_notebooks_are_refused() {
        let text = |route: &str| {
            format!(
                r#"{{ "flags": {{ "runtime-route": {{ "state": "ENABLED", "variants": {{ "v": "{route}" }},
                "defaultVariant": "v", "targeting": {{}} }} }} }}"#
            )
        };
        let ((_a, current), (_b, next)) = (document(&text("legacy")), document(&text("registry")));
        let (_c, notebooks) = document(r#"{ "nb-1": { "team": "docs" }, "nb-2": {} }"#);
        let answer = plan(&current, &next, &notebooks).unwrap();
        assert!(answer.contains("\"notebook\": \"nb-1\"") && answer.contains("\"to\": \"registry\""), "{answer}");
        let (_d, bad) = document("[1]");
        assert!(plan(&current, &next, &bad).unwrap_err().contains("hint: "));
    }

    #[test]
    fn an_explanation_names_route_and_rule() {
        let rule = r#"{ "if": [ { "in": [ { "var": "team" }, ["a", "b"] ] }, "registry", "legacy" ] }"#;
        let (_folder, file) = document(&format!(
            r#"{{ "flags": {{ "runtime-route": {{ "state": "ENABLED", "variants": {{ "legacy": "legacy", "registry": "registry" }},
            "defaultVariant": "legacy", "targeting": {rule} }} }} }}"#
        ));
        let text = explain(&file, "nb", vec![attribute("team=a").unwrap()]).unwrap();
        assert!(text.contains("\"route\": \"registry\"") && text.contains("targeting"), "{text}");
        let text = explain(&file, "nb", vec![attribute("team=c").unwrap()]).unwrap();
        assert!(text.contains("\"route\": \"legacy\""), "{text}");
    }
}
