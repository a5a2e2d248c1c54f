//! `audit`: what the log of a notebook says of its executions.

use std::fmt::Write as _;
use std::path::Path;

use bridge_core::{Audit, Auditor, Finding, Group, Served};
use bridge_host::log::{self, Log, LogError};
use serde::Serialize;

use crate::table::{count, row, table};
use crate::{Answer, FOUND};

/// The audit of one log, as printed with `--json`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    notebook: &'a str,
    form: String,
    unsynced: u64,
    is_clean: bool,
    #[serde(flatten)]
    audit: &'a Audit,
}

pub(crate) fn run(file: &Path, json: bool) -> Result<Answer, String> {
    let logs = log::open(file).map_err(|error| said(&error))?;
    let audits = logs.into_iter().map(|log| audit(&log).map(|audit| (log, audit)));
    let audits: Vec<(Log, Audit)> = audits.collect::<Result<_, _>>().map_err(|error| said(&error))?;
    let is_clean = audits.iter().all(|(_, audit)| audit.is_clean());
    let text = if json {
        let reports: Vec<Report<'_>> = audits.iter().map(|(log, audit)| report(log, audit)).collect();
        serde_json::to_string_pretty(&reports).map_err(|error| error.to_string())?
    } else {
        audits.iter().map(|(log, audit)| text(log, audit)).collect::<Vec<_>>().join("\n")
    };
    Ok(Answer { text: text.trim_end().to_owned(), status: if is_clean { 0 } else { FOUND } })
}

/// A log that cannot be read, with what to do about it.
pub(crate) fn said(error: &LogError) -> String {
    format!("{error}\n  hint: {}", error.hint())
}

fn audit(log: &Log) -> Result<Audit, LogError> {
    let mut auditor = Auditor::new();
    log.read(&mut |place, event| auditor.take(place, &event))?;
    Ok(auditor.finish())
}

fn report<'a>(log: &'a Log, audit: &'a Audit) -> Report<'a> {
    let (notebook, form) = (log.notebook.as_str(), log.form.to_string());
    Report { notebook, form, unsynced: log.unsynced, is_clean: audit.is_clean(), audit }
}

fn text(log: &Log, audit: &Audit) -> String {
    let (events, executions) = (count(audit.events, "event"), count(audit.executions, "execution"));
    let mut out = format!("notebook `{}` ({}): {events}, {executions} requested\n", log.notebook, log.form);
    for (number, what) in [
        (audit.unknown_events, "events of names that we do not know"),
        (audit.without_request, "executions that were requested before this log begins"),
        (log.unsynced, "events that the sync backend has not confirmed yet"),
    ] {
        if number > 0 {
            let _ = writeln!(out, "{what}: {number}");
        }
    }
    let _ = write!(out, "\n{}\n{}\n", served(audit), faults(audit));
    for group in Group::FAULTS {
        let findings = audit.findings.iter().filter(|finding| finding.kind.group() == group);
        write_findings(&mut out, group.as_str(), findings);
    }
    write_findings(&mut out, "by hosts and other clients, no fault", audit.theirs.iter());
    if audit.unlisted > 0 {
        let _ = writeln!(out, "\n{} further findings are counted and not listed", audit.unlisted);
    }
    out
}

fn served(audit: &Audit) -> String {
    let mut rows = vec![row([&"served by", &"executions", &"succeeded", &"failed", &"cancelled", &"not ended"])];
    for served in Served::ALL {
        if let Some(tally) = audit.served.get(&served) {
            let name = served.as_str();
            rows.push(row([&name, &tally.executions, &tally.succeeded, &tally.failed, &tally.cancelled, &tally.open]));
        }
    }
    table(&rows)
}

/// All groups in one line, those of which nothing was found too.
fn faults(audit: &Audit) -> String {
    let of = |group: Group| audit.faults.get(&group).copied().unwrap_or_default();
    Group::FAULTS.map(|group| format!("{} {}", group.as_str(), of(group))).join(", ")
}

fn write_findings<'a>(out: &mut String, heading: &str, findings: impl Iterator<Item = &'a Finding>) {
    let lines: String = findings.map(|finding| format!("  {finding}\n")).collect();
    if !lines.is_empty() {
        let _ = write!(out, "\n{heading}\n{lines}");
    }
}
