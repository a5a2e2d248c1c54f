//! The comparison of an observation: the candidate is run on the same facts, both sides are normalised, and what differs is
//! either known or a mismatch.

use std::collections::{BTreeMap, BTreeSet};

use registry::{CellId, Event, QueueId, SessionId};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::Path;
use crate::guard::Class;
use crate::known::{self, Pair};
use crate::normalise::{self, Canonical, Hits, RULES_VERSION, normalise};
use crate::shadow::{
    Fault, Observation, ObservedExecution, RunEnd, Source, Trails, handler_trace, request_order, run_candidate,
    run_flooding, run_path,
};

/// Differences that a verdict lists: enough to see what is wrong, few enough to keep.
pub(crate) const MAX_DIFFERENCES: usize = 32;

/// The place of a difference that says that the candidate has no side at all.
pub(crate) const CANDIDATE: &str = "candidate";

/// The place of a difference that says what the candidate has done that belongs to no execution of those observed.
const STRAYS: &str = "strays";

/// Why a comparison has no candidate, where it panicked.
pub(crate) const PANICKED: &str = "panicked";

/// Why a comparison has no candidate, where the process that it ran in is gone.
pub(crate) const DIED: &str = "died";

/// What a comparison says of one execution, or of their order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "kebab-case")]
pub enum Verdict {
    /// Both sides did the same.
    Match,
    /// They differ as the ledger of known differences says they do. Counts as clean.
    Known {
        /// The entries of the ledger.
        #[serde(deserialize_with = "known::names")]
        names: BTreeSet<&'static str>,
    },
    /// They differ only where the control was seen to differ from itself. Held: it speaks neither for nor against anybody.
    Noise {
        /// The places that vary.
        paths: BTreeSet<String>,
    },
    /// They differ.
    Mismatch {
        /// The places that differ, and the version of the rules: the same fault has the same signature.
        signature: String,
        /// What differs and is not known.
        differences: Vec<Difference>,
    },
    /// Nothing can be said.
    Inconclusive {
        /// Why.
        why: Why,
    },
}

/// Why a comparison says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// The execution was given up before its source was read, so that the candidate could not be run.
    NoSource,
    /// The comparison was not done by its deadline.
    Timeout,
    /// Either side made more than is kept of it.
    Truncated,
    /// The process in which candidates run could not be started or understood, or was ended from outside.
    NoProcess,
    /// The shadow is off: too many comparisons had not come to an end.
    LaneOff,
    /// There is no control to compare with: an agent elsewhere cannot be run again.
    NoControl,
    /// An agent elsewhere ran it, and somebody else had a hand in it: its outputs were cleared, or another session or another
    /// execution of its cell was under way at the same time.
    Interfered,
    /// An agent elsewhere ran it, and it was cancelled: how far it got is chance.
    Cancelled,
    /// An agent elsewhere ran it more than once, which the registry never does: what is of which run cannot be told.
    RanTwice,
    /// What an agent elsewhere has committed is not what one handler did from its beginning to its end.
    Untraceable,
    /// An agent elsewhere ran it, and its cell was run anew before anybody could look at what it showed.
    OutputsGone,
    /// An agent elsewhere began executions in another order than that of their requests, which is the registry's.
    OtherOrder,
}

impl Why {
    /// The reason, as a phrase.
    pub fn says(self) -> &'static str {
        match self {
            Self::NoSource => "given up before its source was read",
            Self::Timeout => "not compared by its deadline",
            Self::Truncated => "the candidate made more than is kept",
            Self::NoProcess => "no process to run the candidate in",
            Self::LaneOff => "the shadow is off",
            Self::NoControl => "an agent elsewhere cannot be run again",
            Self::Interfered => "somebody else had a hand in it",
            Self::Cancelled => "cancelled while it ran",
            Self::RanTwice => "an agent elsewhere ran it more than once",
            Self::Untraceable => "not what one handler did from beginning to end",
            Self::OutputsGone => "its cell was run anew before its outputs were looked at",
            Self::OtherOrder => "an agent elsewhere began it in another order",
        }
    }
}

/// What the control is compared with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ComparisonMode {
    /// The path that did not serve.
    #[default]
    Paths,
    /// The serving path's own core, to see how much the comparison itself disagrees. It says nothing of the other path.
    Aa,
}

impl ComparisonMode {
    /// Whether it is the usual one, which is not mentioned.
    fn is_paths(&self) -> bool {
        *self == Self::Paths
    }
}

/// One place in which the sides differ.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// Where in the canonical form: `outputs[0].executionCount`.
    pub path: String,
    /// What the old path has there; absent where it has nothing.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub legacy: Option<Value>,
    /// What the registry has there; absent where it has nothing.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub registry: Option<Value>,
}

/// A side that is there and holds `null` is not an absent one.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// What became of one execution on both sides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Compared {
    /// The execution.
    pub queue_id: QueueId,
    /// Its cell.
    pub cell_id: CellId,
    /// Raw: the events were equal to the last id and millisecond.
    pub is_raw_equal: bool,
    /// Canonical: what counts.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// Cosmetic: what differs for nobody.
    pub cosmetic: Vec<Difference>,
    /// What is known of the noise of its like.
    #[serde(skip)]
    pub class: Class,
    /// The old path's side.
    #[serde(skip)]
    pub legacy: Canonical,
    /// The registry's side.
    #[serde(skip)]
    pub registry: Canonical,
}

/// The outcome of comparing one observation. As JSON it can be read again, without the sides of its executions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Comparison {
    /// The path that served.
    pub serving: Path,
    /// What it was compared with.
    #[serde(default, skip_serializing_if = "ComparisonMode::is_paths")]
    pub mode: ComparisonMode,
    /// Each execution, in the order in which the serving path took them.
    pub executions: Vec<Compared>,
    /// The order in which the executions were started.
    pub order: Verdict,
    /// How often each rule of normalisation was applied.
    #[serde(deserialize_with = "normalise::hits")]
    pub rules: Hits,
}

impl Comparison {
    /// The outcome where the candidate panicked.
    pub fn panicked(observation: &Observation) -> Self {
        Self::uncompared(observation, &no_candidate(PANICKED))
    }

    /// The outcome where the process that the candidate ran in is gone: it aborted, or was ended by a signal.
    pub fn died(observation: &Observation) -> Self {
        Self::uncompared(observation, &no_candidate(DIED))
    }

    /// The outcome where nothing can be said, for this reason.
    pub fn inconclusive(observation: &Observation, why: Why) -> Self {
        Self::uncompared(observation, &Verdict::Inconclusive { why })
    }

    /// The same verdict for all executions. Neither side is looked at: what the candidate choked on may be in the control.
    fn uncompared(observation: &Observation, verdict: &Verdict) -> Self {
        let executions = observation.executions.iter().map(|execution| Compared {
            queue_id: execution.entry.id.clone(),
            cell_id: execution.entry.cell_id.clone(),
            is_raw_equal: false,
            verdict: verdict.clone(),
            cosmetic: Vec::new(),
            class: Class::Deterministic,
            legacy: Canonical::default(),
            registry: Canonical::default(),
        });
        let executions = executions.collect();
        let mode = ComparisonMode::Paths;
        Self { serving: observation.serving, mode, executions, order: Verdict::Match, rules: Hits::new() }
    }

    /// Why there is no candidate to compare with, where there is none.
    pub fn candidate_failure(&self) -> Option<&str> {
        self.executions.iter().find_map(|execution| match &execution.verdict {
            Verdict::Mismatch { differences, .. } => {
                differences.iter().find(|difference| difference.path == CANDIDATE)?.registry.as_ref()?.as_str()
            }
            _ => None,
        })
    }

    fn failed(mut self, why: &str) -> Self {
        for execution in &mut self.executions {
            execution.verdict = no_candidate(why);
        }
        self
    }
}

/// The verdict where the candidate has no side at all: an error on one side is a mismatch, never a missing value.
fn no_candidate(why: &str) -> Verdict {
    mismatch(vec![Difference::of(CANDIDATE, None, Some(why.into()))])
}

/// Runs the candidate of an observation and compares. A fault spoils the candidate, to test that it is noticed.
pub fn judge(observation: &Observation, fault: Option<Fault>) -> Comparison {
    judge_showing(observation, fault).0
}

/// The same with the serving path's own core as the candidate. No difference between the paths is known of one path.
pub fn judge_against_itself(observation: &Observation, fault: Option<Fault>) -> Comparison {
    judge_as(ComparisonMode::Aa, observation, fault).0
}

/// Like [`judge`], and the candidate's events.
pub(crate) fn judge_showing(observation: &Observation, fault: Option<Fault>) -> (Comparison, Vec<Event>) {
    judge_as(ComparisonMode::Paths, observation, fault)
}

fn judge_as(mode: ComparisonMode, observation: &Observation, fault: Option<Fault>) -> (Comparison, Vec<Event>) {
    if observation.is_external() && mode == ComparisonMode::Aa {
        return (Comparison { mode, ..Comparison::inconclusive(observation, Why::NoControl) }, Vec::new());
    }
    let run = match (fault, mode) {
        (Some(Fault::Flood), _) => run_flooding(observation),
        (_, ComparisonMode::Paths) => run_candidate(observation),
        (_, ComparisonMode::Aa) => run_path(observation.serving, observation),
    };
    let events = match fault {
        Some(fault) => fault.apply(run.events),
        None => run.events,
    };
    let comparison = match run.end {
        RunEnd::Truncated => Comparison { mode, ..Comparison::inconclusive(observation, Why::Truncated) },
        end => compare(mode, observation, &events, end == RunEnd::Complete),
    };
    (comparison, events)
}

/// Runs both cores on the facts of an observation and compares them, whatever the serving path made of those facts. A fault
/// spoils the registry's side, to test that it is noticed. Where an agent elsewhere served, what it did is the old side.
pub fn judge_both(observation: &Observation, fault: Option<Fault>) -> Comparison {
    if observation.is_external() {
        return judge(observation, fault);
    }
    let (legacy, mut registry) = (run_path(Path::Legacy, observation), run_path(Path::Registry, observation));
    if let Some(fault) = fault {
        registry.events = fault.apply(registry.events);
    }
    let taken = Trails::in_order_of_start(&legacy.events);
    let mut facts = with_events(observation, &legacy.events);
    facts.serving = Path::Legacy;
    facts.executions.sort_by_key(|execution| taken.iter().position(|id| *id == execution.entry.id));
    if legacy.end == RunEnd::Truncated || registry.end == RunEnd::Truncated {
        return Comparison::inconclusive(&facts, Why::Truncated);
    }
    let is_complete = legacy.end == RunEnd::Complete && registry.end == RunEnd::Complete;
    compare(ComparisonMode::Paths, &facts, &registry.events, is_complete)
}

/// The same executions with these events instead of theirs.
pub(crate) fn with_events(observation: &Observation, events: &[Event]) -> Observation {
    let mut observation = observation.clone();
    let mut trails = Trails::default();
    for execution in &observation.executions {
        trails.open(&execution.entry.id, &execution.entry.cell_id);
    }
    for event in events {
        trails.add(event);
    }
    for execution in &mut observation.executions {
        execution.events = trails.close(&execution.entry.id);
    }
    observation
}

/// Where two runs of one execution under the same path differ, as `(path, first, second)`; no difference is excused.
pub(crate) fn deviations(count: i64, first: &[Event], second: &[Event]) -> Vec<(String, Option<Value>, Option<Value>)> {
    let mut hits = Hits::new();
    let (first, second) = (normalise(count, first, &mut hits), normalise(count, second, &mut hits));
    let differences = differences(&first, &second).into_iter().take(MAX_DIFFERENCES);
    differences.map(|difference| (difference.path, difference.legacy, difference.registry)).collect()
}

fn compare(mode: ComparisonMode, observation: &Observation, candidate: &[Event], is_complete: bool) -> Comparison {
    let mut rules = Hits::new();
    let mut trails = Trails::default();
    for execution in &observation.executions {
        trails.open(&execution.entry.id, &execution.entry.cell_id);
    }
    let strays: Vec<&Event> = candidate.iter().filter(|event| !trails.add(event)).collect();
    let executions = observation.executions.iter().map(|execution| {
        let events = trails.close(&execution.entry.id);
        compare_execution(mode, observation, execution, &events, &mut rules)
    });
    let mut executions: Vec<Compared> = executions.collect();
    if let Some(last) = executions.last_mut().filter(|_| !strays.is_empty()) {
        last.verdict = with_strays(observation.serving, &last.verdict, &strays);
    }
    let order = order(mode, observation, candidate);
    let comparison = Comparison { serving: observation.serving, mode, executions, order, rules };
    if is_complete { comparison } else { comparison.failed("ran away") }
}

fn compare_execution(
    mode: ComparisonMode,
    observation: &Observation,
    execution: &ObservedExecution,
    candidate: &[Event],
    rules: &mut Hits,
) -> Compared {
    let session = &observation.identity.session_id;
    let canonical = |events: &[Event], rules: &mut Hits| Canonical {
        foreign: foreign(events, session),
        ..normalise(execution.entry.execution_count, events, rules)
    };
    let (control, shadow) = (canonical(&execution.events, rules), canonical(candidate, rules));
    let (legacy, registry) = match observation.serving {
        Path::Legacy => (control, shadow),
        Path::Registry => (shadow, control),
    };
    let (saw_refusal, is_external) = (observation.saw_refusal, observation.is_external());
    let pair = Pair { execution, legacy: &legacy, registry: &registry, saw_refusal, is_external };
    let verdict = match why_unclear(observation, execution) {
        Some(why) => Verdict::Inconclusive { why },
        None => verdict(mode, &pair),
    };
    Compared {
        queue_id: execution.entry.id.clone(),
        cell_id: execution.entry.cell_id.clone(),
        is_raw_equal: execution.events == candidate,
        verdict,
        cosmetic: cosmetic(&legacy, &registry),
        class: Class::Deterministic,
        legacy,
        registry,
    }
}

/// A verdict with what the candidate did besides, to whatever it was: somebody may see it.
fn with_strays(serving: Path, verdict: &Verdict, strays: &[&Event]) -> Verdict {
    let names = Some(strays.iter().take(MAX_DIFFERENCES).map(|event| Value::from(event.name())).collect());
    let stray = match serving {
        Path::Legacy => Difference::of(STRAYS, None, names),
        Path::Registry => Difference::of(STRAYS, names, None),
    };
    let known = match verdict {
        Verdict::Mismatch { differences, .. } => differences.clone(),
        _ => Vec::new(),
    };
    mismatch(std::iter::once(stray).chain(known).collect())
}

/// Why the candidate could not be run on an execution.
fn why_unclear(observation: &Observation, execution: &ObservedExecution) -> Option<Why> {
    match execution.source {
        Source::Truncated => Some(Why::Truncated),
        _ if observation.is_external() => handler_trace(observation, execution).err(),
        Source::Unread if !observation.saw_refusal => Some(Why::NoSource),
        _ => None,
    }
}

/// The events under another session than the one that was observed, by their names. Both sides run under its ids.
fn foreign(events: &[Event], session: &SessionId) -> Vec<String> {
    let session_of = |event: &Event| match event {
        Event::ExecutionAssigned(assigned) => Some(assigned.runtime_session_id.clone()),
        Event::ExecutionStarted(started) => Some(started.runtime_session_id.clone()),
        _ => None,
    };
    let is_foreign = |event: &&Event| session_of(event).is_some_and(|other| other != *session);
    events.iter().filter(is_foreign).map(|event| event.name().to_owned()).collect()
}

fn verdict(mode: ComparisonMode, pair: &Pair<'_>) -> Verdict {
    let differences = differences(pair.legacy, pair.registry);
    if differences.is_empty() {
        return Verdict::Match;
    }
    if mode == ComparisonMode::Aa {
        return mismatch(differences);
    }
    let (known, unknown) = known::sort_out(pair, differences);
    if unknown.is_empty() { Verdict::Known { names: known } } else { mismatch(unknown) }
}

fn mismatch(mut differences: Vec<Difference>) -> Verdict {
    let places: BTreeSet<String> = differences.iter().map(|difference| typed(&difference.path)).collect();
    let places: Vec<String> = places.into_iter().take(MAX_DIFFERENCES).collect();
    differences.truncate(MAX_DIFFERENCES);
    Verdict::Mismatch { signature: format!("v{RULES_VERSION}:{}", places.join("+")), differences }
}

/// A path without its indexes.
fn typed(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    let mut is_inside = false;
    for character in path.chars() {
        is_inside &= character != ']';
        if !is_inside {
            out.push(character);
        }
        is_inside |= character == '[';
    }
    out
}

/// The old path may take entries in another order; that the registry takes them as requested is what the ledger knows.
fn order(mode: ComparisonMode, observation: &Observation, candidate: &[Event]) -> Verdict {
    let control: Vec<Event> =
        observation.executions.iter().flat_map(|execution| execution.events.iter().cloned()).collect();
    let (control, shadow) = (Trails::in_order_of_start(&control), Trails::in_order_of_start(candidate));
    let common = |own: &[QueueId], other: &[QueueId]| own.iter().filter(|id| other.contains(id)).cloned().collect();
    let (control, shadow): (Vec<QueueId>, Vec<QueueId>) = (common(&control, &shadow), common(&shadow, &control));
    if control == shadow {
        return Verdict::Match;
    }
    let (legacy, registry) = match observation.serving {
        Path::Legacy => (control, shadow),
        Path::Registry => (shadow, control),
    };
    let requested = request_order(observation);
    if observation.is_external() && registry == common(&requested, &registry) {
        return Verdict::Inconclusive { why: Why::OtherOrder };
    }
    let excuse = known::excuse_order(&legacy, &registry, &requested).filter(|_| !observation.is_external());
    match excuse.filter(|_| mode == ComparisonMode::Paths) {
        Some(name) => Verdict::Known { names: BTreeSet::from([name]) },
        None => {
            let names = |ids: Vec<QueueId>| Some(ids.into_iter().map(|id| Value::from(id.as_str())).collect());
            mismatch(vec![Difference::of("order", names(legacy), names(registry))])
        }
    }
}

fn differences(legacy: &Canonical, registry: &Canonical) -> Vec<Difference> {
    let mut out = Vec::new();
    for (field, left, right) in fields(legacy, registry) {
        diff(field, left.as_ref(), right.as_ref(), &mut out);
    }
    out
}

/// The fields that count, side by side.
fn fields(legacy: &Canonical, registry: &Canonical) -> [(&'static str, Option<Value>, Option<Value>); 5] {
    let value = |value| serde_json::to_value(value).ok();
    let end = |canonical: &Canonical| serde_json::to_value(&canonical.end).ok();
    [
        ("lifecycle", value(&legacy.lifecycle), value(&registry.lifecycle)),
        ("foreign", Some(legacy.foreign.clone().into()), Some(registry.foreign.clone().into())),
        ("replaces", Some(legacy.replaces.into()), Some(registry.replaces.into())),
        ("outputs", Some(legacy.outputs.clone().into()), Some(registry.outputs.clone().into())),
        ("end", end(legacy), end(registry)),
    ]
}

fn cosmetic(legacy: &Canonical, registry: &Canonical) -> Vec<Difference> {
    let side = |canonical: &Canonical| serde_json::to_value(&canonical.cosmetic).unwrap_or_default();
    let mut out = differing(&side(legacy), &side(registry));
    out.truncate(MAX_DIFFERENCES);
    out
}

/// Where two objects differ, field by field.
pub(crate) fn differing(left: &Value, right: &Value) -> Vec<Difference> {
    let (Value::Object(left), Value::Object(right)) = (left, right) else { return Vec::new() };
    let mut out = Vec::new();
    let names: BTreeSet<&String> = left.keys().chain(right.keys()).collect();
    names.into_iter().for_each(|name| diff(name, left.get(name), right.get(name), &mut out));
    out
}

/// Every leaf in which two values differ. A value on one side only is one difference, whatever is in it.
fn diff(path: &str, legacy: Option<&Value>, registry: Option<&Value>, out: &mut Vec<Difference>) {
    match (legacy, registry) {
        (Some(Value::Object(left)), Some(Value::Object(right))) => {
            let names: BTreeSet<&String> = left.keys().chain(right.keys()).collect();
            for name in names {
                diff(&format!("{path}.{name}"), left.get(name), right.get(name), out);
            }
        }
        (Some(Value::Array(left)), Some(Value::Array(right))) => {
            for at in 0..left.len().max(right.len()) {
                diff(&format!("{path}[{at}]"), left.get(at), right.get(at), out);
            }
        }
        (left, right) if !is_same(left, right) => out.push(Difference::of(path, left.cloned(), right.cloned())),
        _ => {}
    }
}

/// Numbers are what is written: `0.0` equals `-0.0`, and a user sees which it is.
fn is_same(left: Option<&Value>, right: Option<&Value>) -> bool {
    match (left, right) {
        (Some(Value::Number(left)), Some(Value::Number(right))) => left.to_string() == right.to_string(),
        (left, right) => left == right,
    }
}

impl Difference {
    fn of(path: &str, legacy: Option<Value>, registry: Option<Value>) -> Self {
        Self { path: path.to_owned(), legacy, registry }
    }
}

/// What the comparisons of a notebook have come to.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ComparisonTally {
    /// Executions compared.
    pub compared: u64,
    /// Executions without a difference.
    pub matched: u64,
    /// Executions with known differences only.
    pub known: u64,
    /// Executions that differ only where the control was seen to differ from itself.
    pub noise: u64,
    /// Executions or orders that differ otherwise.
    pub mismatched: u64,
    /// Executions of which nothing could be said, those shed included.
    pub inconclusive: u64,
    /// How often each known difference was seen.
    pub known_differences: BTreeMap<&'static str, u64>,
    /// How often each signature was seen.
    pub signatures: BTreeMap<String, u64>,
    /// What the control came to against its own core, which is in none of the others.
    pub aa: AaTally,
}

/// What comparisons of the control with its own core have come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AaTally {
    /// Executions compared.
    pub compared: u64,
    /// Executions in which the control differed from itself, noise included.
    pub differed: u64,
}

impl AaTally {
    fn add(&mut self, verdict: &Verdict) {
        self.compared += 1;
        self.differed += u64::from(matches!(verdict, Verdict::Mismatch { .. } | Verdict::Noise { .. }));
    }
}

/// Signatures that a tally tells apart; further ones are counted as mismatches only.
const MAX_SIGNATURES: usize = 1000;

impl ComparisonTally {
    /// Adds a comparison.
    pub fn add(&mut self, comparison: &Comparison) {
        if comparison.mode == ComparisonMode::Aa {
            return comparison.executions.iter().for_each(|execution| self.aa.add(&execution.verdict));
        }
        for execution in &comparison.executions {
            self.compared += 1;
            match &execution.verdict {
                Verdict::Match => self.matched += 1,
                Verdict::Known { names } => {
                    self.known += 1;
                    self.add_known(names);
                }
                Verdict::Noise { .. } => self.noise += 1,
                Verdict::Mismatch { signature, .. } => self.add_mismatch(signature),
                Verdict::Inconclusive { .. } => self.inconclusive += 1,
            }
        }
        match &comparison.order {
            Verdict::Known { names } => self.add_known(names),
            Verdict::Mismatch { signature, .. } => self.add_mismatch(signature),
            Verdict::Match | Verdict::Noise { .. } | Verdict::Inconclusive { .. } => {}
        }
    }

    /// Counts executions that were not compared because the shadow could not keep up.
    pub fn add_shed(&mut self, executions: u64) {
        self.inconclusive += executions;
    }

    fn add_known(&mut self, names: &BTreeSet<&'static str>) {
        for name in names {
            *self.known_differences.entry(name).or_default() += 1;
        }
    }

    fn add_mismatch(&mut self, signature: &str) {
        self.mismatched += 1;
        if self.signatures.len() < MAX_SIGNATURES || self.signatures.contains_key(signature) {
            *self.signatures.entry(signature.to_owned()).or_default() += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use registry::{QueueEntry, SessionIdentity};

    use super::*;
    use crate::shadow::{Control, RunEnd};

    fn observation(source: &str) -> Observation {
        let entry: QueueEntry = serde_json::from_value(serde_json::json!({
            "id": "q1", "cellId": "c1", "executionCount": 1, "status": "pending",
        }))
        .unwrap();
        let identity: SessionIdentity = serde_json::from_value(serde_json::json!({
            "runtimeId": "r", "sessionId": "s",
            "capabilities": { "canExecuteCode": true, "canExecuteSql": false, "canExecuteAi": false },
        }))
        .unwrap();
        let source = Source::Text(source.to_owned());
        let executions =
            vec![ObservedExecution { entry, rank: 1, source, refused: Vec::new(), events: Vec::new(), unclear: None }];
        Observation {
            serving: Path::Legacy,
            control: Control::Path,
            identity,
            began: registry::Now::default(),
            saw_refusal: false,
            executions,
        }
    }

    #[test]
    fn a_candidate_that_shows_without_end_is_cut_off() {
        let observation = observation("<p>");
        let run = run_flooding(&observation);
        assert_eq!(run.end, RunEnd::Truncated);
        assert!((5..20).contains(&run.events.len()), "{}", run.events.len());
        let truncated = Comparison::inconclusive(&observation, Why::Truncated);
        assert_eq!(judge(&observation, Some(Fault::Flood)), truncated);
    }

    /// What is said where the registry's own events are the control, and these the candidate's.
    fn verdict_of(candidate: impl FnOnce(Vec<Event>) -> Vec<Event>) -> Verdict {
        let plain = observation("<p>");
        let events = run_path(Path::Registry, &plain).events;
        let mut comparison = compare(ComparisonMode::Aa, &with_events(&plain, &events), &candidate(events), true);
        comparison.executions.remove(0).verdict
    }

    #[test]
    fn what_a_candidate_does_to_no_execution_that_was_asked_for_is_a_mismatch() {
        let stray = |name: &str, args: Value| {
            let stray: Event = serde_json::from_value(serde_json::json!({ "name": name, "args": args })).unwrap();
            match verdict_of(|events| events.into_iter().chain([stray]).collect()) {
                Verdict::Mismatch { differences, .. } => assert_eq!(differences[0].path, STRAYS, "{name}"),
                other => panic!("{name}: {other:?}"),
            }
        };
        assert_eq!(verdict_of(|events| events), Verdict::Match);
        stray("v1.CellOutputsCleared", serde_json::json!({ "cellId": "other", "wait": false, "clearedBy": "s" }));
        stray("v1.CellDeleted", serde_json::json!({ "id": "other" }));
        stray(
            "v1.ExecutionCancelled",
            serde_json::json!({ "queueId": "q2", "cellId": "other", "cancelledBy": "s", "reason": "" }),
        );
        stray(
            "v2.TerminalOutputAppended",
            serde_json::json!({ "id": "d", "outputId": "o", "delta": "x", "sequenceNumber": 1 }),
        );
    }

    #[test]
    fn what_is_known_of_a_missing_cell_excuses_no_second_end() {
        let mut missing = observation("");
        missing.executions[0].source = Source::Missing;
        let (old, new) = (run_path(Path::Legacy, &missing).events, run_path(Path::Registry, &missing).events);
        let verdict = |events: &[Event]| {
            let mut comparison = compare(ComparisonMode::Paths, &with_events(&missing, &old), events, true);
            comparison.executions.remove(0).verdict
        };
        assert_eq!(verdict(&new), Verdict::Known { names: BTreeSet::from(["missing-cell-fails"]) });
        let twice: Vec<Event> = new.iter().chain(new.last()).cloned().collect();
        assert!(matches!(verdict(&twice), Verdict::Mismatch { .. }));
    }

    #[test]
    fn a_number_is_compared_as_it_is_written() {
        for (left, right) in [("0.0", "-0.0"), ("1", "1.0"), ("0.1", "0.10000000000000002")] {
            let side = |text: &str| format!(r#"{{"n":[{text}]}}"#).parse::<Value>().unwrap();
            assert_eq!(differing(&side(left), &side(right)).len(), 1, "{left} {right}");
        }
        let (one, other) = (serde_json::json!({ "n": 1.5 }), serde_json::json!({ "n": 1.5 }));
        assert_eq!(differing(&one, &other), []);
    }

    #[test]
    fn what_is_too_large_to_keep_is_not_kept() {
        let observation = observation(&"x".repeat(crate::shadow::MAX_BYTES));
        assert_eq!(judge(&observation, None), Comparison::inconclusive(&observation, Why::Truncated));
    }

    #[test]
    fn a_comparison_crosses_a_border_as_it_is_but_for_its_sides() {
        let observation = observation("<p>");
        let without_sides = |mut comparison: Comparison| {
            for execution in &mut comparison.executions {
                (execution.legacy, execution.registry) = Default::default();
            }
            comparison
        };
        let mut null = Comparison::panicked(&observation);
        null.executions[0].verdict = mismatch(vec![Difference::of("x", Some(Value::Null), None)]);
        let all =
            [judge(&observation, None), judge(&observation, Some(Fault::Flood)), Comparison::died(&observation), null];
        for comparison in all {
            let text = serde_json::to_string(&comparison).unwrap();
            assert_eq!(serde_json::from_str::<Comparison>(&text).unwrap(), without_sides(comparison));
            let foreign = text.replace("\"rules\":{", "\"rules\":{\"no-such-rule\":1,").replace(",}", "}");
            assert!(serde_json::from_str::<Comparison>(&foreign).is_err());
        }
    }
}
