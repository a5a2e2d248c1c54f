//! `parity`: both paths on what logs record, and the order in which their notebooks may move.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use bridge_core::{
    Audit, Auditor, Backtest, Content, Differing, Group, KNOWN_DIFFERENCES, Parity, Path, ROLLOUT_RULE, Readiness,
    Recorded, Replayed, Site, readiness,
};
use bridge_host::log::{self, Log, LogError};
use serde::Serialize;

use crate::audit::said;
use crate::table::{count, row, table};
use crate::{Answer, FOUND};

/// What to print.
pub(crate) struct Options {
    /// JSON instead of text.
    pub(crate) json: bool,
    /// Every execution.
    pub(crate) cells: bool,
    /// Whether what users have written may show.
    pub(crate) content: Content,
}

/// One notebook, as printed with `--json`, in the order of the rollout.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Notebook {
    notebook: String,
    form: String,
    readiness: Readiness,
    audit: Audit,
    parity: Parity,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    rule: &'static str,
    notebooks: Vec<Notebook>,
}

pub(crate) fn run(files: &[PathBuf], options: &Options) -> Result<Answer, String> {
    let mut notebooks = Vec::new();
    for file in files {
        for log in log::open(file).map_err(|error| said(&error))? {
            notebooks.push(replay(&log, options).map_err(|error| said(&error))?);
        }
    }
    notebooks.sort_by_key(|one| (one.readiness, Reverse(one.parity.replayed), one.notebook.clone()));
    let differs = notebooks.iter().any(|one| one.parity.mismatched > 0);
    let text = if options.json {
        let report = Report { rule: ROLLOUT_RULE, notebooks };
        serde_json::to_string_pretty(&report).map_err(|error| error.to_string())?
    } else {
        text(&notebooks)
    };
    Ok(Answer { text: text.trim_end().to_owned(), status: if differs { FOUND } else { 0 } })
}

fn replay(log: &Log, options: &Options) -> Result<Notebook, LogError> {
    let (mut auditor, mut backtest) = (Auditor::new(), Backtest::new(options.content));
    log.read(&mut |place, event| {
        auditor.take(place, &event);
        backtest.take(place, &event);
    })?;
    let (audit, mut parity) = (auditor.finish(), backtest.finish());
    if !options.cells {
        parity.cells.clear();
    }
    let (notebook, form) = (log.notebook.to_string(), log.form.to_string());
    Ok(Notebook { notebook, form, readiness: readiness(&audit, &parity), audit, parity })
}

fn text(notebooks: &[Notebook]) -> String {
    let sum = |of: fn(&Parity) -> u64| notebooks.iter().map(|one| of(&one.parity)).sum::<u64>();
    let (all, replayed) = (sum(|parity| parity.executions), sum(|parity| parity.replayed));
    let traced = sum(|parity| parity.traced.values().sum());
    let heads = (count(notebooks.len() as u64, "notebook"), count(all, "execution"));
    let mut out = format!("{}, {}, {} run through both paths", heads.0, heads.1, replayed - traced);
    if traced > 0 {
        let _ = write!(out, ", {traced} through the registry by trace");
    }
    let _ = write!(out, "\n\n{}", overview(notebooks));
    write_known(&mut out, notebooks);
    write_sites(&mut out, "mismatches between the paths", "old path", "registry", notebooks, |one| {
        &one.parity.mismatches
    });
    write_recorded(&mut out, notebooks, Path::Legacy, "the old path", "legacy-compat");
    write_recorded(&mut out, notebooks, Path::Registry, "the registry", "the registry as it is now");
    write_traced(&mut out, notebooks);
    write_counts(&mut out, "inconclusive", notebooks, |parity| {
        parity.unclear.iter().map(|(why, count)| (why.says().to_owned(), *count)).collect()
    });
    write_counts(&mut out, "not replayed", notebooks, |parity| parity.not_replayed.clone());
    write_cost(&mut out, notebooks);
    for one in notebooks.iter().filter(|one| !one.parity.cells.is_empty()) {
        let _ = write!(out, "\nexecutions of `{}`\n{}", one.notebook, cells(&one.parity.cells));
    }
    let _ = write!(out, "\norder for the rollout\n{}  rule: {ROLLOUT_RULE}\n", order(notebooks));
    out
}

fn overview(notebooks: &[Notebook]) -> String {
    let mut rows =
        vec![row([&"notebook", &"executions", &"replayed", &"match", &"known", &"mismatch", &"inconclusive"])];
    for Notebook { notebook, parity, .. } in notebooks {
        let (matched, known) = (&parity.matched, &parity.known);
        let (mismatched, inconclusive) = (&parity.mismatched, &parity.inconclusive);
        rows.push(row([notebook, &parity.executions, &parity.replayed, matched, known, mismatched, inconclusive]));
    }
    table(&rows)
}

fn write_known(out: &mut String, notebooks: &[Notebook]) {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for (name, count) in notebooks.iter().flat_map(|one| &one.parity.known_differences) {
        *counts.entry(name).or_default() += count;
    }
    if counts.is_empty() {
        return;
    }
    out.push_str("\nknown differences: what the registry does instead, on purpose\n");
    for known in KNOWN_DIFFERENCES {
        if let Some(count) = counts.get(known.name) {
            let _ = writeln!(out, "  {count:>5}  {}: {}", known.name, known.registry);
        }
    }
}

/// Says where executions differ, notebook by notebook; `first` and `second` name the sides.
fn write_sites(
    out: &mut String,
    heading: &str,
    first: &str,
    second: &str,
    notebooks: &[Notebook],
    sites: impl Fn(&Notebook) -> &[Site],
) {
    if notebooks.iter().all(|one| sites(one).is_empty()) {
        return;
    }
    let _ = writeln!(out, "\n{heading}");
    for one in notebooks {
        for site in sites(one) {
            let what = match &site.queue_id {
                Some(id) => format!("execution `{id}`"),
                None => "the order of executions".to_owned(),
            };
            let place = site.place.map(|place| format!(", {place}")).unwrap_or_default();
            let _ = writeln!(out, "  {}{place}: {what} differs at", one.notebook);
            site.differences.iter().for_each(|one| write_difference(out, one, first, second));
        }
    }
}

fn write_difference(out: &mut String, difference: &Differing, first: &str, second: &str) {
    let _ = writeln!(out, "    {}", difference.path);
    for (side, value) in [(first, &difference.first), (second, &difference.second)] {
        if let Some(value) = value {
            let _ = writeln!(out, "      {side}: {value}");
        }
    }
}

fn write_recorded(out: &mut String, notebooks: &[Notebook], path: Path, who: &str, core: &str) {
    let of = |one: &Notebook| one.parity.recorded.get(&path).cloned().unwrap_or_default();
    let all = notebooks.iter().map(of).fold(Recorded::default(), |mut all, one| {
        all.compared += one.compared;
        all.deviating += one.deviating;
        all.by_manager += one.by_manager;
        all.doubled += one.doubled;
        all
    });
    if all.compared + all.doubled == 0 {
        return;
    }
    let alike = all.compared - all.deviating;
    let _ = writeln!(out, "\nrecorded by {who}, against {core}: {alike} of {} alike", all.compared);
    for (number, what) in [
        (all.by_manager, "by the old React manager, whose counts and durations are taken as it writes them"),
        (all.doubled, "not compared: started or ended more than once"),
    ] {
        if number > 0 {
            let _ = writeln!(out, "  {number:>5}  {what}");
        }
    }
    let heading = format!("what {who} recorded and {core} does otherwise");
    write_sites(out, &heading, "recorded", "replayed", notebooks, |one| {
        one.parity.recorded.get(&path).map_or(&[], |recorded| recorded.deviations.as_slice())
    });
}

fn write_traced(out: &mut String, notebooks: &[Notebook]) {
    let heading = "by trace: what agents elsewhere did, fed to the registry (`old path` is what they committed)";
    write_counts(out, heading, notebooks, |parity| parity.traced.clone());
}

/// Says how often what was counted in all notebooks.
fn write_counts(
    out: &mut String,
    heading: &str,
    notebooks: &[Notebook],
    counted: impl Fn(&Parity) -> BTreeMap<String, u64>,
) {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for (reason, count) in notebooks.iter().flat_map(|one| counted(&one.parity)) {
        *counts.entry(reason).or_default() += count;
    }
    if !counts.is_empty() {
        let _ = writeln!(out, "\n{heading}");
    }
    for (reason, count) in counts {
        let _ = writeln!(out, "  {count:>5}  {reason}");
    }
}

fn write_cost(out: &mut String, notebooks: &[Notebook]) {
    let faulty: Vec<&Notebook> = notebooks.iter().filter(|one| !one.audit.is_clean()).collect();
    if !faulty.is_empty() {
        out.push_str("\nwhat faults have cost so far (`audit` names each)\n");
    }
    for one in faulty {
        let _ = writeln!(out, "  {}", one.notebook);
        for (kind, count) in one.audit.found.iter().filter(|(kind, _)| kind.group() != Group::Theirs) {
            let _ = writeln!(out, "  {count:>5}  {}", kind.says());
        }
    }
}

fn cells(cells: &[Replayed]) -> String {
    let line = |one: &Replayed| {
        let place = one.place.map(|place| place.to_string()).unwrap_or_default();
        let known: Vec<&str> = one.known.iter().copied().collect();
        format!("  {place}: `{}` of cell `{}`: {} {}", one.queue_id, one.cell_id, one.verdict, known.join(", "))
    };
    cells.iter().map(|one| format!("{}\n", line(one).trim_end())).collect()
}

fn order(notebooks: &[Notebook]) -> String {
    let line = |(at, one): (usize, &Notebook)| format!("  {}. {}: {}\n", at + 1, one.notebook, one.readiness.says());
    notebooks.iter().enumerate().map(line).collect()
}
