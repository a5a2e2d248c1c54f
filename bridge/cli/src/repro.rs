//! `repro`: both paths on the facts of a mismatch record, without network, store or clock.

mod diff;
mod snapshot;

use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use bridge_core::{Fault, Path as Serving, Record, RecordError, Replay, Sources, minimise};

use crate::Answer;
use crate::table::count;

/// Status where some runs differ as recorded and others do not.
const FLAKY: u8 = 3;

/// Status where no run does.
const GONE: u8 = 4;

/// What to do with a record.
pub(crate) struct Options {
    /// How often to run it.
    pub(crate) runs: u32,
    /// Make it smaller, and write it to a file.
    pub(crate) minimise: Option<Option<PathBuf>>,
    /// Where to write a test.
    pub(crate) insta: Option<PathBuf>,
    /// The fault to spoil the candidate with, instead of the recorded one.
    pub(crate) seed_fault: Option<Seed>,
}

/// A fault for every so manyth run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seed {
    fault: Option<Fault>,
    every: u32,
}

impl FromStr for Seed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, every) = text.split_once(':').unwrap_or((text, "1"));
        let every = every.parse().ok().filter(|every| *every > 0).ok_or("write it as NAME:N, N from 1 on")?;
        if name == "none" {
            return Ok(Self { fault: None, every });
        }
        let names = Fault::ALL.map(|(_, name)| name).join(", ");
        let fault = Fault::parse(name).ok_or_else(|| format!("the faults are: {names}"))?;
        Ok(Self { fault: Some(fault), every })
    }
}

impl Seed {
    /// The fault of the nth run, from 1.
    fn of_run(self, run: u32) -> Option<Fault> {
        self.fault.filter(|_| run.is_multiple_of(self.every))
    }
}

pub(crate) fn run(file: &Path, options: &Options) -> Result<Answer, String> {
    let record = read(file)?;
    let refused = |error: RecordError| said(file, &error);
    let seed = match options.seed_fault {
        Some(seed) => seed,
        None => Seed { fault: record.fault().map_err(refused)?, every: 1 },
    };
    let replays: Result<Vec<Replay>, _> = (1..=options.runs).map(|run| replay(&record, seed.of_run(run))).collect();
    let replays = replays.map_err(refused)?;
    let reproduced = replays.iter().filter(|replay| replay.is_reproduced).count();
    let mut out = head(&record, seed);
    // What is shown is a run that differs, if there is one.
    let shown = replays.iter().find(|replay| replay.is_reproduced).or(replays.first());
    out.extend(shown.map(|replay| body(&record, replay)));
    out.push_str(&control(&record).map_err(refused)?);
    let mut least = None;
    if options.minimise.is_some() && reproduced > 0 {
        let minimised = minimise(&record, seed.fault).map_err(refused)?;
        out.push_str(&reduced(&minimised));
        least = Some(minimised.record);
    }
    let record = least.unwrap_or(record);
    if let Some(Some(file)) = &options.minimise {
        write_record(&record, file)?;
        let _ = writeln!(out, "written to {}", file.display());
    }
    if let Some(place) = &options.insta {
        let test = snapshot::write_test(
            &Record { seeded_fault: seed.fault.map(|fault| fault.name().to_owned()), ..record },
            place,
        )?;
        let _ = writeln!(out, "\n{test}");
    }
    let (verdict, status) = outcome(reproduced, replays.len());
    let _ = write!(out, "\n{verdict}: {reproduced} of {} differ as recorded", count(replays.len() as u64, "run"));
    Ok(Answer { text: out, status })
}

fn outcome(reproduced: usize, runs: usize) -> (&'static str, u8) {
    match reproduced {
        0 => ("gone", GONE),
        some if some < runs => ("flaky", FLAKY),
        _ => ("reproduced", 0),
    }
}

fn read(file: &Path) -> Result<Record, String> {
    let text = std::fs::read_to_string(file).map_err(|error| {
        let hint = "name a file of the folder that configure({ mismatches: { folder } }) names";
        format!("{}: cannot be read: {error} [RECORD_UNREADABLE]\n  hint: {hint}", file.display())
    })?;
    Record::from_json(&text).map_err(|error| said(file, &error))
}

fn said(file: &Path, error: &RecordError) -> String {
    format!("{}: {error} [{}]\n  hint: {}", file.display(), error.code(), error.hint())
}

/// A candidate may panic here as it did there.
fn replay(record: &Record, fault: Option<Fault>) -> Result<Replay, RecordError> {
    catch_unwind(AssertUnwindSafe(|| record.replay(fault))).unwrap_or_else(|_| record.replay_panicked())
}

fn write_record(record: &Record, file: &Path) -> Result<(), String> {
    let text = serde_json::to_string_pretty(record).map_err(|error| error.to_string())?;
    write(file, &text)
}

fn write(file: &Path, text: &str) -> Result<(), String> {
    std::fs::write(file, text).map_err(|error| {
        format!("{}: cannot be written: {error}\n  hint: name a place that you may write to", file.display())
    })
}

fn head(record: &Record, seed: Seed) -> String {
    let sources = match record.sources {
        Sources::Redacted => "redacted: other characters of the same shape",
        Sources::Full => "as users have written them",
    };
    let serving = record.facts.as_ref().map_or("", |facts| name(facts.serving));
    let seen = &record.seen;
    let route = record.route.route.as_str().unwrap_or_default();
    let mut out = format!("mismatch `{}`\n", record.signature);
    for (what, value) in [
        ("record", format!("{}, {}, seen {} by then", record.id, record.at, times(seen.count))),
        ("notebook", format!("{}, {}", record.notebook, record.runtime_type)),
        ("route", format!("{route}: the {serving} served; generation {} of the flags", record.route.generation)),
        ("build", format!("{}, rules {}", record.versions.build, record.versions.rules)),
        ("sources", sources.to_owned()),
    ] {
        let _ = writeln!(out, "  {what:<9} {value}");
    }
    if let Some(fault) = seed.fault {
        let often = if seed.every == 1 { String::new() } else { format!(", in every {}th run", seed.every) };
        let _ = writeln!(out, "  {:<9} {}, seeded{often}", "fault", fault.name());
    }
    if record.reproduces == Some(false) {
        out.push_str("  the facts did not differ when they were redacted: record this notebook with its sources\n");
    }
    out
}

fn times(count: u64) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}

pub(crate) fn name(path: Serving) -> &'static str {
    match path {
        Serving::Legacy => "old path",
        Serving::Registry => "registry",
    }
}

fn body(record: &Record, replay: &Replay) -> String {
    let what = match &record.execution {
        Some(id) => format!("execution `{id}`"),
        None => "the order of executions".to_owned(),
    };
    if replay.differences.is_empty() {
        return format!("\n{what} does not differ\n");
    }
    let differences: String = replay.differences.iter().map(diff::show).collect();
    format!("\n{what} differs at\n{differences}")
}

/// Whether the serving path's core does what was recorded of it: the host's own code may do otherwise.
fn control(record: &Record) -> Result<String, RecordError> {
    let who = name(record.facts()?.serving);
    let deviations = catch_unwind(AssertUnwindSafe(|| record.control_deviations())).unwrap_or(Ok(Vec::new()))?;
    Ok(match deviations.as_slice() {
        [] => format!("\nthe {who}'s core does what was recorded\n"),
        places => format!("\nthe {who}'s core does otherwise than was recorded at {}\n", places.join(", ")),
    })
}

fn reduced(minimised: &bridge_core::Minimised) -> String {
    let ((executions, fewer), (bytes, shorter)) = (minimised.executions, minimised.source_bytes);
    let trials = count(u64::from(minimised.trials), "comparison");
    let mut out = format!("\nreduced from {} to {fewer}, ", count(executions as u64, "execution"));
    let _ = writeln!(out, "from {} of source to {shorter}, in {trials}", count(bytes as u64, "byte"));
    for located in &minimised.record.differences {
        out.push_str(&diff::show(located));
    }
    out
}

#[cfg(test)]
mod tests;
