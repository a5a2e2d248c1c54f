//! `replay DIR`: plays the recorded traces of a directory and says where the play differs from the recording.
//!
//! It writes nothing. Exit code 0: no difference. 1: a difference, or no observations of a trace that ought to be played.
//! 2: the input cannot be used.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use serde::Deserialize;
use serde_json::Value;
use tests::compare::{Closeness, Difference, compare};
use tests::{Played, Trace, play};

/// The suites that the Rust player plays.
const SUITES: [&str; 6] = ["base", "html", "manager", "registry", "factory", "config"];

/// Plays recorded traces, or takes what another player saw, and compares with the recordings.
#[derive(Parser)]
struct Options {
    /// The directory with the recorded `*.json` traces.
    directory: PathBuf,
    /// What another player saw: one `{"scenario", "observations", "tables"}` a line. Nothing is played then.
    #[arg(long, value_name = "FILE.jsonl")]
    observed: Option<PathBuf>,
}

/// What another player saw of one trace.
#[derive(Deserialize)]
struct Observed {
    scenario: String,
    observations: Vec<Value>,
    tables: Value,
}

/// Input that cannot be used, and what to do about it.
struct BadInput {
    message: String,
    hint: String,
}

/// How a directory of traces fared.
#[derive(Default)]
struct Tally {
    clean: usize,
    different: Vec<String>,
    not_played: usize,
}

#[expect(clippy::print_stdout, reason = "the report is this program's output")]
#[expect(clippy::print_stderr, reason = "a program says on stderr why it could not begin")]
fn main() -> ExitCode {
    let options = Options::parse();
    match replay(&options) {
        Ok(tally) => {
            tally.different.iter().for_each(|line| println!("{line}"));
            println!("{}", summary(&options, &tally));
            ExitCode::from(u8::from(!tally.different.is_empty()))
        }
        Err(BadInput { message, hint }) => {
            eprintln!("{message}\nhint: {hint}");
            ExitCode::from(2)
        }
    }
}

fn replay(options: &Options) -> Result<Tally, BadInput> {
    let traces = Trace::read_all(&options.directory).map_err(|error| bad(&error))?;
    if traces.is_empty() {
        let message = format!("no trace in `{}`", options.directory.display());
        return Err(BadInput {
            message,
            hint: "give the directory that holds the recorded `*.json` traces".to_owned(),
        });
    }
    let observed = options.observed.as_deref().map(read_observed).transpose()?;
    if let (Some(seen), Some(file)) = (&observed, &options.observed) {
        refuse_strangers(seen, &traces, file)?;
    }
    let mut tally = Tally::default();
    for trace in &traces {
        let is_ours = SUITES.contains(&trace.suite());
        match &observed {
            None if is_ours => tally.take(compared(trace, &play(trace).map_err(|error| bad(&error))?)),
            Some(seen) => match seen.get(&trace.scenario) {
                Some(played) => tally.take(compared(trace, played)),
                None if is_ours => tally.different.push(format!("{}: nothing observed", trace.scenario)),
                None => tally.not_played += 1,
            },
            None => tally.not_played += 1,
        }
    }
    Ok(tally)
}

impl Tally {
    fn take(&mut self, difference: Option<Difference>) {
        match difference {
            Some(difference) => self.different.push(difference.to_string()),
            None => self.clean += 1,
        }
    }
}

fn compared(trace: &Trace, played: &Played) -> Option<Difference> {
    compare(trace, played, Closeness::Allowed)
}

fn bad(error: &tests::TraceError) -> BadInput {
    BadInput { message: error.to_string(), hint: error.hint().to_owned() }
}

fn read_observed(file: &Path) -> Result<BTreeMap<String, Played>, BadInput> {
    let path = file.display();
    let text = read_all(file).map_err(|error| BadInput {
        message: format!("cannot read `{path}`: {error}"),
        hint: "give the file that the other player wrote, or `-` for standard input".to_owned(),
    })?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let read = |(at, line): (usize, &str)| {
        let seen: Observed = registry::json::from_str(line).map_err(|error| BadInput {
            message: format!("`{path}`, line {}: {error}", at + 1),
            hint: "each line is one `{\"scenario\": …, \"observations\": […], \"tables\": {…}}`".to_owned(),
        })?;
        Ok((seen.scenario, Played { observations: seen.observations, tables: seen.tables, compared: Vec::new() }))
    };
    lines.map(read).collect()
}

/// The text of a file; `-` is standard input.
fn read_all(file: &Path) -> std::io::Result<String> {
    if file == Path::new("-") { std::io::read_to_string(std::io::stdin()) } else { std::fs::read_to_string(file) }
}

/// A scenario that has no trace was played in vain, or its trace is missing.
fn refuse_strangers(seen: &BTreeMap<String, Played>, traces: &[Trace], file: &Path) -> Result<(), BadInput> {
    let has_trace = |scenario: &String| traces.iter().any(|trace| trace.scenario == *scenario);
    match seen.keys().find(|scenario| !has_trace(scenario)) {
        Some(scenario) => Err(BadInput {
            message: format!("`{}`: no trace of this directory is `{scenario}`", file.display()),
            hint: "give the directory whose traces the other player played".to_owned(),
        }),
        None => Ok(()),
    }
}

fn summary(options: &Options, tally: &Tally) -> String {
    let (clean, different) = (tally.clean, tally.different.len());
    let player = if options.observed.is_some() { "observed" } else { "rust" };
    let not_played = tally.not_played;
    format!(
        "replay ({player}): {} played, {clean} clean, {different} different, {not_played} of other suites not played",
        clean + different
    )
}
