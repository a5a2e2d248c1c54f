//! The backtest: what both paths would make of the work that a log records, and whether our old path is the one that recorded it.
//! What agents elsewhere did is fed to the registry as what its handlers did, and held against what they committed.
//!
//! The facts (requests, sources as they stood, refused outputs) are taken from the log and both cores are run on them; nothing
//! of the log is served or changed. Where a session of either path is recorded, the core of that path is also held against
//! what it really did, execution by execution. The order between executions is not, as it depends on when each request was
//! seen.

mod facts;
mod readiness;

use std::collections::{BTreeMap, BTreeSet};

use registry::{CellId, Event, ExecutionStatus, QueueId};
use serde::Serialize;
use serde_json::Value;

use crate::audit::{MAX_LISTED, Place, Served};
use crate::compare::{Compared, Verdict, deviations, judge_both};
use crate::shadow::{Fault, Observation, ObservedExecution, run_path};
use crate::{Path, Why};
use facts::Facts;
pub use readiness::{ROLLOUT_RULE, Readiness, readiness};

/// The duration that the old manager writes for every success, whatever it measured.
const MANAGER_MS: u64 = 100;

/// The parts of a canonical form below which there is content of the user's.
const CONTENT: [&str; 6] = [".inline", ".content", ".metadata", ".text", ".args", ".error"];

/// Whether a report may hold what users have written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Neither values nor the keys in them.
    Hidden,
    /// The values of what differs.
    Shown,
}

/// What a backtest has come to.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Parity {
    /// Executions that were requested.
    pub executions: u64,
    /// Executions that both cores were run on, or the registry's on the trace of what an agent elsewhere did.
    pub replayed: u64,
    /// Those of agents elsewhere, by their runtime type.
    pub traced: BTreeMap<String, u64>,
    /// Executions that both do alike.
    pub matched: u64,
    /// Executions with known differences only.
    pub known: u64,
    /// Executions or orders that differ otherwise.
    pub mismatched: u64,
    /// Executions of which nothing can be said.
    pub inconclusive: u64,
    /// Why nothing can be said of them.
    pub unclear: BTreeMap<Why, u64>,
    /// How often each known difference was seen.
    pub known_differences: BTreeMap<&'static str, u64>,
    /// Executions of a cell that had run before: the registry replaces what the old path piles up.
    pub repeated: u64,
    /// What differs, for [`MAX_LISTED`] executions at most.
    pub mismatches: Vec<Site>,
    /// What was recorded against the core of the path that recorded it.
    pub recorded: BTreeMap<Path, Recorded>,
    /// Executions that were not replayed, by reason.
    pub not_replayed: BTreeMap<String, u64>,
    /// Each replayed execution, in the order in which its stretch of work was complete.
    pub cells: Vec<Replayed>,
}

/// How the recorded sessions of a path compare with that path's core on the same facts.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Recorded {
    /// Executions compared.
    pub compared: u64,
    /// Executions that differ.
    pub deviating: u64,
    /// Executions among those compared that the old React manager did; it counts and measures in its own way.
    pub by_manager: u64,
    /// Executions that ran more than once, which no core repeats.
    pub doubled: u64,
    /// What differs, for [`MAX_LISTED`] executions at most.
    pub deviations: Vec<Site>,
}

/// An execution that differs, and where.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Site {
    /// Where it was requested.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// The execution; none where the order of executions differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue_id: Option<QueueId>,
    /// Its cell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cell_id: Option<CellId>,
    /// What differs.
    pub differences: Vec<Differing>,
}

/// One place in which two sides differ: the old path and the registry, or what was recorded and what our core does.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Differing {
    /// Where in the canonical form; cut where content begins, unless content is shown.
    pub path: String,
    /// The first side's JSON, where content is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<String>,
    /// The second side's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub second: Option<String>,
}

/// One execution that was replayed.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Replayed {
    /// Where it was requested.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// The execution.
    pub queue_id: QueueId,
    /// Its cell.
    pub cell_id: CellId,
    /// Who recorded it.
    pub recorded_by: Served,
    /// `match`, `known`, `mismatch` or `inconclusive`.
    pub verdict: &'static str,
    /// The known differences.
    pub known: BTreeSet<&'static str>,
}

/// Replays one log.
#[derive(Clone, Debug)]
pub struct Backtest {
    content: Content,
    facts: Facts,
    parity: Parity,
    ran: BTreeSet<CellId>,
    fault: Option<Fault>,
}

impl Backtest {
    /// A backtest that has seen nothing.
    pub fn new(content: Content) -> Self {
        Self { content, facts: Facts::default(), parity: Parity::default(), ran: BTreeSet::new(), fault: None }
    }

    /// The same with a fault in the registry's side, to test that it is noticed.
    pub fn spoiled(mut self, fault: Fault) -> Self {
        self.fault = Some(fault);
        self
    }

    /// Takes in the next event of the log.
    pub fn take(&mut self, place: Place, event: &Event) {
        for observation in self.facts.take(place, event) {
            self.replay(&observation);
        }
    }

    /// The log is at its end.
    pub fn finish(mut self) -> Parity {
        self.parity.executions = self.facts.requests() as u64;
        let (left, not_replayed) = self.facts.finish();
        left.iter().for_each(|observation| self.replay(observation));
        self.parity.not_replayed = not_replayed;
        self.parity
    }

    fn replay(&mut self, observation: &Observation) {
        let comparison = judge_both(observation, self.fault);
        comparison.executions.iter().for_each(|compared| self.add(observation, compared));
        match &comparison.order {
            Verdict::Known { names } => self.add_known(names),
            Verdict::Mismatch { differences, .. } => {
                let differences = differences.iter();
                let sides = differences.map(|one| (one.path.clone(), one.legacy.clone(), one.registry.clone()));
                self.add_mismatch(None, sides.collect());
            }
            Verdict::Match | Verdict::Noise { .. } | Verdict::Inconclusive { .. } => {}
        }
        if !observation.is_external() {
            observation.executions.iter().for_each(|execution| self.hold_against(observation, execution));
        }
    }

    fn add(&mut self, observation: &Observation, compared: &Compared) {
        self.parity.replayed += 1;
        if observation.is_external() {
            *self.parity.traced.entry(observation.runtime_type().to_owned()).or_default() += 1;
        }
        self.parity.repeated += u64::from(!self.ran.insert(compared.cell_id.clone()));
        let (verdict, known) = match &compared.verdict {
            Verdict::Match => {
                self.parity.matched += 1;
                ("match", BTreeSet::new())
            }
            Verdict::Known { names } => {
                self.parity.known += 1;
                self.add_known(names);
                ("known", names.clone())
            }
            Verdict::Mismatch { differences, .. } => {
                let differences = differences.iter();
                let sides = differences.map(|one| (one.path.clone(), one.legacy.clone(), one.registry.clone()));
                self.add_mismatch(Some((&compared.queue_id, &compared.cell_id)), sides.collect());
                ("mismatch", BTreeSet::new())
            }
            Verdict::Inconclusive { why } => {
                self.parity.inconclusive += 1;
                *self.parity.unclear.entry(*why).or_default() += 1;
                ("inconclusive", BTreeSet::new())
            }
            // There is no noise to learn from a log.
            Verdict::Noise { .. } => ("inconclusive", BTreeSet::new()),
        };
        self.parity.cells.push(Replayed {
            place: self.facts.place(&compared.queue_id),
            queue_id: compared.queue_id.clone(),
            cell_id: compared.cell_id.clone(),
            recorded_by: Served::of(&observation.identity.runtime_id),
            verdict,
            known,
        });
    }

    fn add_known(&mut self, names: &BTreeSet<&'static str>) {
        for name in names {
            *self.parity.known_differences.entry(name).or_default() += 1;
        }
    }

    fn add_mismatch(&mut self, execution: Option<(&QueueId, &CellId)>, sides: Vec<Sides>) {
        self.parity.mismatched += 1;
        if self.parity.mismatched <= MAX_LISTED {
            let site = self.site(execution, sides);
            self.parity.mismatches.push(site);
        }
    }

    /// Runs the core of the path that recorded an execution on that execution alone: its own order is then of no matter.
    fn hold_against(&mut self, observation: &Observation, execution: &ObservedExecution) {
        let count = |is: fn(&Event) -> bool| execution.events.iter().filter(|event| is(event)).count();
        let starts = count(|event| matches!(event, Event::ExecutionStarted(_)));
        let ends = count(|event| matches!(event, Event::ExecutionCompleted(_)));
        let recorded = self.parity.recorded.entry(observation.serving).or_default();
        if starts > 1 || ends > 1 {
            recorded.doubled += 1;
            return;
        }
        let is_managers = observation.serving == Path::Legacy && is_managers(execution);
        recorded.compared += 1;
        recorded.by_manager += u64::from(is_managers);
        let sides = recorded_and_replayed(observation, execution, is_managers);
        if sides.is_empty() {
            return;
        }
        recorded.deviating += 1;
        if recorded.deviating <= MAX_LISTED {
            let site = self.site(Some((&execution.entry.id, &execution.entry.cell_id)), sides);
            self.parity.recorded.entry(observation.serving).or_default().deviations.push(site);
        }
    }

    fn site(&self, execution: Option<(&QueueId, &CellId)>, sides: Vec<Sides>) -> Site {
        let differences: BTreeSet<Differing> = sides.into_iter().map(|sides| self.differing(sides)).collect();
        Site {
            place: execution.and_then(|(id, _)| self.facts.place(id)),
            queue_id: execution.map(|(id, _)| id.clone()),
            cell_id: execution.map(|(_, cell)| cell.clone()),
            differences: differences.into_iter().collect(),
        }
    }

    fn differing(&self, (path, first, second): Sides) -> Differing {
        match self.content {
            Content::Shown => {
                let text = |side: Option<Value>| side.map(|value| value.to_string());
                Differing { path, first: text(first), second: text(second) }
            }
            Content::Hidden => Differing { path: without_content(&path).to_owned(), first: None, second: None },
        }
    }
}

/// A path of the canonical form, with what either side has there.
type Sides = (String, Option<Value>, Option<Value>);

fn without_content(path: &str) -> &str {
    let is_whole = |end: &usize| matches!(path.as_bytes().get(*end), None | Some(b'.' | b'['));
    let ends = CONTENT.iter().flat_map(|part| path.match_indices(part).map(|(at, part)| at + part.len()));
    ends.filter(is_whole).min().map_or(path, |end| &path[..end])
}

/// The old manager writes the entry's execution count where `HtmlRuntime` writes 1, and one duration for all.
fn is_managers(execution: &ObservedExecution) -> bool {
    execution.events.iter().any(|event| match event {
        Event::ExecutionCompleted(end) => {
            end.status == ExecutionStatus::Success && end.execution_duration_ms.as_u64() == Some(MANAGER_MS)
        }
        _ => false,
    }) && execution.events.iter().any(|event| match event {
        Event::MultimediaResultOutputAdded(output) => output.execution_count == execution.entry.execution_count,
        _ => false,
    })
}

/// Where what was recorded of an execution differs from what our core of that path does.
fn recorded_and_replayed(observation: &Observation, execution: &ObservedExecution, is_managers: bool) -> Vec<Sides> {
    let alone = Observation {
        executions: vec![execution.clone()],
        saw_refusal: !execution.refused.is_empty(),
        ..observation.clone()
    };
    let mut events = run_path(observation.serving, &alone).events;
    if is_managers {
        events.iter_mut().for_each(|event| {
            if let Event::MultimediaResultOutputAdded(output) = event {
                output.execution_count = execution.entry.execution_count;
            }
        });
    }
    deviations(execution.entry.execution_count, &execution.events, &events)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_end_where_content_begins() {
        let check = |path: &str, expect: &str| assert_eq!(without_content(path), expect);
        check("outputs[0].representations.text/html.inline", "outputs[0].representations.text/html.inline");
        check(
            "outputs[0].representations.application/json.inline.secret",
            "outputs[0].representations.application/json.inline",
        );
        check("outputs[2].representations.text/html.metadata.width", "outputs[2].representations.text/html.metadata");
        check("outputs[1].content[3].inline.ename", "outputs[1].content");
        check("outputs[1].args.token", "outputs[1].args");
        check("end.error", "end.error");
        check("lifecycle", "lifecycle");
    }
}
